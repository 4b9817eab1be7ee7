// dtypes, and borrowed memory with a shape: the checked form of kvc_tensor_t.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/status.h"

namespace kvc {

enum class DType : int32_t { f32 = KVC_F32, f16 = KVC_F16, bf16 = KVC_BF16, u8 = KVC_U8 };

constexpr size_t element_bytes(DType dtype) { return dtype == DType::f32 ? 4 : dtype == DType::u8 ? 1 : 2; }
const char* dtype_name(DType dtype) noexcept;          // "f32", "f16", "bf16", "u8"
bool parse_dtype(int32_t value, DType* out) noexcept;  // false: not a dtype

struct TensorView {
  std::byte* data = nullptr;
  uint64_t size = 0;  // bytes that may be touched from data on
  DType dtype = DType::f32;
  uint32_t n_dims = 0;
  int64_t shape[KVC_MAX_DIMS] = {};
  int64_t strides[KVC_MAX_DIMS] = {};  // elements, resolved (never "all 0 = compact")

  uint64_t elements() const noexcept;
};

// Checks a caller's tensor (NULL data, dtype, dims, overflow, negative strides, extent beyond `size`) and resolves its
// strides. `what` names it in messages ("k", "out", "tensor").
Status view_of(const kvc_tensor_t& tensor, const char* what, TensorView* out);

}  // namespace kvc
