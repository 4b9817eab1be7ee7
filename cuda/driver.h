// The driver, loaded at run time: libcuda.so.1 by dlopen, its functions by cuGetProcAddress. Nothing here or above it
// links CUDA, and a machine without a driver costs one failed dlopen.
//
// Threads: any.
#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "driver_abi.h"

namespace kvc_cuda {

using kvc::error;
using kvc::Status;

struct DriverTable {
#define KVC_CUDA_MEMBER(name, required, parameters) abi::name##_t name = nullptr;
  KVC_CUDA_DRIVER_FUNCTIONS(KVC_CUDA_MEMBER)
#undef KVC_CUDA_MEMBER
};

inline constexpr const char* kDriverLibrary = "libcuda.so.1";

class Driver {
 public:
  // path: the library; kDriverLibrary but in tests. KVC_E_UNSUPPORTED: there is none, or it is too old; the message
  // says which. Finds the functions and calls none that initialises: a process may still fork and use devices in the
  // child.
  static Status load(const char* path, std::shared_ptr<Driver>* out);
  // load, then cuInit. KVC_E_UNSUPPORTED also: no device.
  static Status open(const char* path, std::shared_ptr<const Driver>* out);

  const DriverTable& call() const noexcept { return table_; }
  int version() const noexcept { return version_; }
  int devices() const noexcept { return devices_; }
  const std::string& path() const noexcept { return path_; }
  // For tests: the driver is told of what the processor does with pinned memory, if it wants to know (the fake one
  // does: it looks for unordered accesses).
  void note_host_access(const void* at, size_t bytes, bool write) const noexcept {
    if (note_ != nullptr) note_(at, bytes, write ? 1 : 0);
  }

 private:
  Driver() = default;
  DriverTable table_;
  int version_ = 0;
  int devices_ = 0;
  std::string path_;
  void (*note_)(const void*, size_t, int) = nullptr;
};

// After such a result every later call on the context fails: the device is lost to this process.
bool is_sticky(abi::Result result) noexcept;
// The status of a failed driver call. what: the call, for the message.
Status driver_error(abi::Result result, const char* what);
// "illegal address" and the like; nullptr: not one that has words here.
const char* result_words(abi::Result result) noexcept;

}  // namespace kvc_cuda
