#include "driver.h"

#include <dlfcn.h>

namespace kvc_cuda {

using namespace abi;

const char* result_words(Result result) noexcept {
  switch (result) {
    case kInvalidValue:
      return "an argument makes no sense";
    case kOutOfMemory:
      return "out of memory";
    case kNotInitialized:
      return "not initialised";
    case kDeinitialized:
      return "the process is ending";
    case kStubLibrary:
      return "this libcuda is the toolkit's stub, no driver";
    case kInsufficientDriver:
      return "the driver is older than its library";
    case kDeviceUnavailable:
      return "the device is in use by another process, exclusively";
    case kNoDevice:
      return "no device";
    case kInvalidDevice:
      return "no such device";
    case kInvalidContext:
      return "no context";
    case kNoBinaryForGpu:
      return "no kernel image for this device";
    case kEccUncorrectable:
      return "uncorrectable memory error";
    case kInvalidPtx:
      return "a kernel cannot be compiled for this device";
    case kNvlinkUncorrectable:
      return "uncorrectable NVLink error";
    case kUnsupportedPtxVersion:
      return "the driver is older than the kernels";
    case kInvalidHandle:
      return "no such stream, event or context";
    case kNotFound:
      return "not found";
    case kNotReady:
      return "not ready";
    case kIllegalAddress:
      return "a kernel or copy touched an illegal address";
    case kLaunchTimeout:
      return "a kernel ran too long";
    case kContextIsDestroyed:
      return "the context is destroyed";
    case kAssert:
      return "an assertion in a kernel failed";
    case kHardwareStackError:
      return "hardware stack error";
    case kIllegalInstruction:
      return "illegal instruction";
    case kMisalignedAddress:
      return "misaligned address";
    case kInvalidAddressSpace:
      return "invalid address space";
    case kInvalidPc:
      return "invalid program counter";
    case kLaunchFailed:
      return "a kernel failed";
    case kSystemDriverMismatch:
      return "library and kernel module of the driver differ";
    case kCompatNotSupported:
      return "forward compatibility is not supported on this device";
    case kCaptureUnsupported:
      return "not while a stream is captured";
    case kCaptureInvalidated:
      return "the capture is invalid";
    case kCaptureIsolation:
      return "a wait across a capture's border";
    case kCapturedEvent:
      return "the event belongs to a capture";
    case kCaptureWrongThread:
      return "the capture belongs to another thread";
    default:
      return nullptr;
  }
}

bool is_sticky(Result result) noexcept {
  switch (result) {
    case kDeinitialized:
    case kEccUncorrectable:
    case kNvlinkUncorrectable:
    case kIllegalAddress:
    case kLaunchTimeout:
    case kContextIsDestroyed:
    case kAssert:
    case kHardwareStackError:
    case kIllegalInstruction:
    case kMisalignedAddress:
    case kInvalidAddressSpace:
    case kInvalidPc:
    case kLaunchFailed:
    case kUnknown:
      return true;
    default:
      return false;
  }
}

Status driver_error(Result result, const char* what) {
  kvc_status_t status = KVC_E_DEVICE;
  if (result == kOutOfMemory) status = KVC_E_NO_MEMORY;
  if (result == kDeviceUnavailable) status = KVC_E_BUSY;
  if (result >= kCaptureUnsupported && result <= kCaptureWrongThread) status = KVC_E_ORDER;
  if (result == kNoDevice || result == kInvalidDevice || result == kStubLibrary || result == kInsufficientDriver ||
      result == kSystemDriverMismatch || result == kCompatNotSupported || result == kNoBinaryForGpu ||
      result == kInvalidPtx || result == kUnsupportedPtxVersion) {
    status = KVC_E_UNSUPPORTED;
  }
  const char* words = result_words(result);
  return error(
      status, "%s: error %d of the driver (%s)%s", what, result, words != nullptr ? words : "no words for it",
      is_sticky(result) ? ": the device is lost to this process; everything in host memory and on disk stays" : "");
}

Status Driver::load(const char* path, std::shared_ptr<Driver>* out) {
  // Not RTLD_GLOBAL, which would show the driver's symbols to everybody else; never closed, as it cannot be.
  void* handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* words = dlerror();
    return error(KVC_E_UNSUPPORTED, "no NVIDIA driver: %s", words != nullptr ? words : path);
  }
  std::shared_ptr<Driver> driver(new Driver);
  driver->path_ = path;
  const auto get = reinterpret_cast<GetProcAddress>(dlsym(handle, "cuGetProcAddress_v2"));
  const auto get_version = reinterpret_cast<cuDriverGetVersion_t>(dlsym(handle, "cuDriverGetVersion"));
  if (get_version == nullptr) return error(KVC_E_UNSUPPORTED, "%s is no NVIDIA driver: no cuDriverGetVersion", path);
  Result result = get_version(&driver->version_);
  if (result != kSuccess) return driver_error(result, "cuDriverGetVersion");
  if (driver->version_ < kVersion || get == nullptr) {
    return error(KVC_E_UNSUPPORTED,
                 "the NVIDIA driver supports CUDA %d.%d, kvc's kernels need %d.%d: install driver 580 or later",
                 driver->version_ / 1000, driver->version_ % 1000 / 10, kVersion / 1000, kVersion % 1000 / 10);
  }
#define KVC_CUDA_RESOLVE(name, required, parameters)                                                       \
  {                                                                                                        \
    void* address = nullptr;                                                                               \
    int found = 0;                                                                                         \
    result = get(#name, &address, kVersion, 0, &found);                                                    \
    if (result != kSuccess) address = nullptr;                                                             \
    if (address == nullptr && required != 0) {                                                             \
      return error(KVC_E_UNSUPPORTED, "the NVIDIA driver (CUDA %d.%d) has no %s", driver->version_ / 1000, \
                   driver->version_ % 1000 / 10, #name);                                                   \
    }                                                                                                      \
    driver->table_.name = reinterpret_cast<name##_t>(address);                                             \
  }
  KVC_CUDA_DRIVER_FUNCTIONS(KVC_CUDA_RESOLVE)
#undef KVC_CUDA_RESOLVE
  driver->note_ = reinterpret_cast<void (*)(const void*, size_t, int)>(dlsym(handle, "kvc_fake_note_host_access"));
  *out = std::move(driver);
  return Status::ok();
}

Status Driver::open(const char* path, std::shared_ptr<const Driver>* out) {
  std::shared_ptr<Driver> driver;
  KVC_RETURN_IF_ERROR(load(path, &driver));
  Result result = driver->table_.cuInit(0);
  if (result != kSuccess) return driver_error(result, "cuInit");
  result = driver->table_.cuDeviceGetCount(&driver->devices_);
  if (result != kSuccess) return driver_error(result, "cuDeviceGetCount");
  if (driver->devices_ <= 0) return error(KVC_E_UNSUPPORTED, "the NVIDIA driver is there, but no device");
  *out = std::move(driver);
  return Status::ok();
}

}  // namespace kvc_cuda
