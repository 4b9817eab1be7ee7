// K/V rows in a basis of few directions: Gram matrices and projections by cuBLAS, eigenvectors by a kernel of our own
// (kernels/jacobi.h). cuBLAS is loaded by the first call; half a gigabyte that nobody else pays for.
//
// Threads: any, one call at a time goes on.
#pragma once

#include "gpu.h"
#include "kvc_cuda.h"

namespace kvc_cuda {

class LowRank {
 public:
  enum class Step { fit, project, restore };
  static uint64_t room_bytes(const kvc_cuda_low_rank_t& what);
  // `what` is checked (api.cpp).
  Status run(Gpu& gpu, Step step, const kvc_cuda_low_rank_t& what, const Order& order, Fence* done);
  // Gives cuBLAS's handle back; before the device.
  void finish(Gpu& gpu) noexcept;
  // Another library than libcublas: for tests. nullptr: that one again.
  static void set_library(const char* path) noexcept;

 private:
  struct Product;
  Status multiply(Gpu& gpu, const Product& product);
  Status check(int result, const char* what) const;

  std::mutex mutex_;
  void* handle_ = nullptr;
};

}  // namespace kvc_cuda
