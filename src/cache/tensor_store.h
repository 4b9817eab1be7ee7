// Plain tensors under (tenant, key): entries of the same budget and the same policy as pages, but of no chain.
#pragma once

#include <map>
#include <string_view>
#include <utility>

#include "base/tensor.h"
#include "cache/blob.h"
#include "cache/tensor_form.h"
#include "memory/memory.h"
#include "policy/policy.h"

namespace kvc {

struct StoredTensor : PolicyEntry {
  BlobRef blob;
  TensorShape shape;
  uint32_t tenant_bytes = 0;
  uint32_t key_bytes = 0;
  // tenant and key follow the struct.
  std::string_view tenant() const noexcept { return {reinterpret_cast<const char*>(this + 1), tenant_bytes}; }
  std::string_view name() const noexcept { return {reinterpret_cast<const char*>(this + 1) + tenant_bytes, key_bytes}; }
};

// Between a tensor of any strides and its compact form. tensors.cpp
void copy_to_compact(const TensorView& from, std::byte* to);
void copy_from_compact(const std::byte* from, const TensorView& to);
bool is_compact(const TensorView& tensor) noexcept;

using TensorKey = std::pair<std::string_view, std::string_view>;  // views into the StoredTensor
using TensorMap =
    std::map<TensorKey, StoredTensor*, std::less<>, CountedAllocator<std::pair<const TensorKey, StoredTensor*>>>;

}  // namespace kvc
