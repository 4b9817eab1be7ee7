// K or V of some tokens of one head, as the page core takes and gives them.
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor.h"

namespace kvc_test {

inline kvc::TensorView rows_view(std::vector<float>* rows, size_t n, uint32_t dim) {
  kvc::TensorView view;
  view.data = reinterpret_cast<std::byte*>(rows->data());
  view.size = rows->size() * sizeof(float);
  view.dtype = kvc::DType::f32;
  view.n_dims = 3;
  view.shape[0] = static_cast<int64_t>(n);
  view.shape[1] = 1;
  view.shape[2] = dim;
  view.strides[0] = view.strides[1] = dim;
  view.strides[2] = 1;
  return view;
}

}  // namespace kvc_test
