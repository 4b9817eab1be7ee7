// How busy a device is, by NVML (libnvidia-ml), which is loaded when somebody asks first. Without it, or where it does
// not tell (parts of a device, MIG), nobody knows.
//
// Threads: any.
#pragma once

#include <chrono>
#include <mutex>

#include "device.h"

namespace kvc_cuda {

class Utilization {
 public:
  // 0..1, of the last sampling period of NVML (about 1/6 s to 1 s); -1: not known. Asks at most ten times a second; the
  // first time loads the library.
  double share(const Device& device) noexcept;
  // Another library than libnvidia-ml.so.1: for tests. nullptr: that one again.
  static void set_library(const char* path) noexcept;

 private:
  std::mutex mutex_;
  bool asked_ = false;
  void* handle_ = nullptr;  // of NVML; nullptr: it does not know the device
  double last_ = -1;
  std::chrono::steady_clock::time_point at_{};
};

}  // namespace kvc_cuda
