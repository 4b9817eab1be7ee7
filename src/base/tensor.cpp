#include "base/tensor.h"

#include <cinttypes>

namespace kvc {

const char* dtype_name(DType dtype) noexcept {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::u8:
      return "u8";
  }
  return "unknown";
}

bool parse_dtype(int32_t value, DType* out) noexcept {
  if (value != KVC_F32 && value != KVC_F16 && value != KVC_BF16 && value != KVC_U8) return false;
  *out = static_cast<DType>(value);
  return true;
}

uint64_t TensorView::elements() const noexcept {
  uint64_t n = 1;
  for (uint32_t i = 0; i < n_dims; ++i) n *= static_cast<uint64_t>(shape[i]);
  return n;
}

Status view_of(const kvc_tensor_t& tensor, const char* what, TensorView* out) {
  TensorView view;
  if (tensor.data == nullptr) {
    return error(KVC_E_NULL, "%s: data is NULL; give the address of the first element", what);
  }
  if (!parse_dtype(tensor.dtype, &view.dtype)) {
    return error(KVC_E_DTYPE, "%s: dtype is %" PRId32 "; give KVC_F32 (1), KVC_F16 (2), KVC_BF16 (3) or KVC_U8 (4)", what,
                 tensor.dtype);
  }
  if (tensor.n_dims < 1 || tensor.n_dims > KVC_MAX_DIMS) {
    return error(KVC_E_SHAPE, "%s: n_dims is %" PRIu32 "; give 1 to %d", what, tensor.n_dims, KVC_MAX_DIMS);
  }
  const uint64_t element = element_bytes(view.dtype);
  if (reinterpret_cast<uintptr_t>(tensor.data) % element != 0) {
    return error(KVC_E_INVALID, "%s: data (%p) is not aligned to the %" PRIu64 " bytes of an %s", what, tensor.data,
                 element, dtype_name(view.dtype));
  }

  view.data = static_cast<std::byte*>(tensor.data);
  view.size = tensor.size;
  view.n_dims = tensor.n_dims;
  bool compact = true;
  uint64_t bytes = element;
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    if (tensor.shape[i] < 1) {
      return error(KVC_E_SHAPE, "%s: shape[%" PRIu32 "] is %" PRId64 "; give at least 1", what, i, tensor.shape[i]);
    }
    if (tensor.strides[i] < 0) {
      return error(KVC_E_SHAPE,
                   "%s: strides[%" PRIu32 "] is %" PRId64 "; negative strides are not supported, copy the tensor", what,
                   i, tensor.strides[i]);
    }
    if (tensor.strides[i] != 0) compact = false;
    // Signed, because what fits may be used in pointer arithmetic.
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(tensor.shape[i]), &bytes) || bytes > INT64_MAX) {
      return error(KVC_E_SHAPE, "%s: the shape has more than 2^63 bytes at shape[%" PRIu32 "] = %" PRId64, what, i,
                   tensor.shape[i]);
    }
    view.shape[i] = tensor.shape[i];
  }

  if (compact) {
    int64_t stride = 1;
    for (uint32_t i = tensor.n_dims; i-- > 0;) {
      view.strides[i] = stride;
      stride *= tensor.shape[i];
    }
  } else {
    // The last element's end, in bytes; `bytes` of a compact tensor is that already.
    bytes = element;
    for (uint32_t i = 0; i < tensor.n_dims; ++i) {
      view.strides[i] = tensor.strides[i];
      uint64_t reach;
      if (__builtin_mul_overflow(static_cast<uint64_t>(tensor.shape[i] - 1), static_cast<uint64_t>(tensor.strides[i]),
                                 &reach) ||
          __builtin_mul_overflow(reach, element, &reach) || __builtin_add_overflow(bytes, reach, &bytes) ||
          bytes > INT64_MAX) {
        return error(KVC_E_SHAPE,
                     "%s: the tensor reaches beyond 2^63 bytes at shape[%" PRIu32 "] = %" PRId64 ", strides[%" PRIu32
                     "] = %" PRId64,
                     what, i, tensor.shape[i], i, tensor.strides[i]);
      }
    }
  }
  if (bytes > tensor.size) {
    return error(KVC_E_SHAPE,
                 "%s: shape and strides reach over %" PRIu64 " bytes, but size is %" PRIu64
                 "; give a larger buffer or a smaller shape",
                 what, bytes, tensor.size);
  }
  *out = view;
  return Status::ok();
}

}  // namespace kvc
