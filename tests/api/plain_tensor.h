// Floats as a tensor that kvc_put and kvc_get take.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "kvc/kvc.h"

namespace kvc_test {

inline kvc_tensor_t plain_tensor(std::span<float> data, std::initializer_list<int64_t> shape) {
  kvc_tensor_t tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.data = data.data();
  tensor.size = data.size_bytes();
  tensor.dtype = KVC_F32;
  tensor.n_dims = static_cast<uint32_t>(shape.size());
  std::copy(shape.begin(), shape.end(), tensor.shape);
  return tensor;
}

}  // namespace kvc_test
