#include "device.h"

#include <unistd.h>

namespace kvc_cuda {

using namespace abi;

namespace {
constexpr const char* kKernelNames[kKernels] = {"kvc_move_rows",    "kvc_copy_runs",    "kvc_encode_pages",
                                                "kvc_decode_pages", "kvc_attend_pages", "kvc_merge_splits",
                                                "kvc_attend_mma",   "kvc_jacobi",       "kvc_decode_klt",
                                                "kvc_decode_svd",   "kvc_encode_klt",   "kvc_svd_terms",
                                                "kvc_svd_share",    "kvc_svd_place",    "kvc_attend_klt",
                                                "kvc_attend_klt_mma", "kvc_merge_parts"};
constexpr size_t kMostPending = 256;  // events that are kept before finished ones are looked for
}  // namespace

Device::Scope::Scope(const Device& device) : device_(device) {
  status_ = device_.usable();
  if (!status_.is_ok()) return;
  status_ = device_.check(device_.call().cuCtxPushCurrent(device_.context_), "cuCtxPushCurrent");
  if (!status_.is_ok()) return;
  pushed_ = true;
  mode_ = kCaptureModeRelaxed;
  // "Relaxed": this thread's calls neither fail because another thread captures, nor make its capture invalid.
  status_ =
      device_.check(device_.call().cuThreadExchangeStreamCaptureMode(&mode_), "cuThreadExchangeStreamCaptureMode");
  if (status_.is_ok()) return;
  Context popped = nullptr;
  (void)device_.check(device_.call().cuCtxPopCurrent(&popped), "cuCtxPopCurrent");
  pushed_ = false;
}

Device::Scope::~Scope() {
  if (!pushed_) return;
  // Also on a lost device: the thread gets back what was its own.
  (void)device_.check(device_.call().cuThreadExchangeStreamCaptureMode(&mode_), "cuThreadExchangeStreamCaptureMode");
  Context popped = nullptr;
  (void)device_.check(device_.call().cuCtxPopCurrent(&popped), "cuCtxPopCurrent");
}

Status Device::check(Result result, const char* what) const {
  if (result == kSuccess) return Status::ok();
  if (is_sticky(result)) lost_.store(true, std::memory_order_release);
  return driver_error(result, what);
}

Status Device::usable() const {
  if (pid_ != 0 && getpid() != pid_) {
    return error(KVC_E_FORKED, "device %d was opened in process %d: a child opens its own", ordinal_, pid_);
  }
  if (is_lost()) {
    return error(KVC_E_DEVICE,
                 "device %d is lost to this process after an earlier error; close it; host and disk go on", ordinal_);
  }
  return Status::ok();
}

Status Device::open(std::shared_ptr<const Driver> driver, int ordinal, const void* kernels,
                    std::unique_ptr<Device>* out) {
  if (ordinal < 0 || ordinal >= driver->devices()) {
    return error(KVC_E_UNSUPPORTED, "device %d: the driver has devices 0 to %d", ordinal, driver->devices() - 1);
  }
  std::unique_ptr<Device> device(new Device(std::move(driver)));
  KVC_RETURN_IF_ERROR(device->start(ordinal, kernels));
  *out = std::move(device);
  return Status::ok();
}

Status Device::start(int ordinal, const void* kernels) {
  ordinal_ = ordinal;
  KVC_RETURN_IF_ERROR(check(call().cuDeviceGet(&device_, ordinal), "cuDeviceGet"));
  KVC_RETURN_IF_ERROR(
      check(call().cuDeviceGetAttribute(&processors_, kMultiprocessorCount, device_), "cuDeviceGetAttribute"));
  int major = 0;
  KVC_RETURN_IF_ERROR(check(call().cuDeviceGetAttribute(&major, kComputeMajor, device_), "cuDeviceGetAttribute"));
  // Other ones run what the driver makes of the PTX for 7.5, where these products are none: cuda/compile_kernels.
  has_mma_ = major == 8 || major == 9 || major == 10 || major == 12;
  pid_ = getpid();
  KVC_RETURN_IF_ERROR(check(call().cuDevicePrimaryCtxRetain(&context_, device_), "cuDevicePrimaryCtxRetain"));
  const Scope scope(*this);
  KVC_RETURN_IF_ERROR(scope.status());
  KVC_RETURN_IF_ERROR(check(call().cuLibraryLoadData(&library_, kernels, nullptr, nullptr, 0, nullptr, nullptr, 0),
                            "cuLibraryLoadData"));
  for (int i = 0; i < kKernels; ++i) {
    KVC_RETURN_IF_ERROR(check(call().cuLibraryGetKernel(&kernels_[i], library_, kKernelNames[i]), kKernelNames[i]));
  }
  return check(call().cuStreamCreate(&stream_, kStreamNonBlocking), "cuStreamCreate");
}

Device::~Device() {
  if (context_ == nullptr) return;
  {
    const Scope scope(*this);
    if (scope.status().is_ok()) {
      if (stream_ != nullptr) {
        (void)check(call().cuStreamSynchronize(stream_), "cuStreamSynchronize");
        if (!is_lost()) (void)check(call().cuStreamDestroy(stream_), "cuStreamDestroy");
      }
      for (const auto& [fence, event] : pending_) {
        if (!is_lost()) (void)check(call().cuEventDestroy(event), "cuEventDestroy");
      }
      for (const Event event : spare_) {
        if (!is_lost()) (void)check(call().cuEventDestroy(event), "cuEventDestroy");
      }
      if (library_ != nullptr && !is_lost()) (void)check(call().cuLibraryUnload(library_), "cuLibraryUnload");
    }
  }
  // Also of a lost device: with its last owner, the context ends and takes everything with it.
  if (getpid() == pid_) (void)call().cuDevicePrimaryCtxRelease(device_);
}

Status Device::allocate(uint64_t bytes, DevicePtr* out) {
  const Scope scope(*this);
  KVC_RETURN_IF_ERROR(scope.status());
  const Result result = call().cuMemAlloc(out, bytes);
  if (result == kOutOfMemory) {
    return error(KVC_E_NO_MEMORY, "device %d has no %llu bytes: ask for fewer slots, or free memory of the device",
                 ordinal_, static_cast<unsigned long long>(bytes));
  }
  return check(result, "cuMemAlloc");
}

void Device::free(DevicePtr at) noexcept {
  const Scope scope(*this);
  if (scope.status().is_ok()) (void)check(call().cuMemFree(at), "cuMemFree");
}

Status Device::check_stream(Stream stream) const {
  if (call().cuStreamGetCtx == nullptr || stream == nullptr || stream == kLegacyStream || stream == kPerThreadStream) {
    return Status::ok();
  }
  Context context = nullptr;
  GreenContext green = nullptr;
  const Result result = call().cuStreamGetCtx(stream, &context, &green);
  if (is_sticky(result)) return check(result, "cuStreamGetCtx");
  // A driver that does not say is no reason to refuse: what is wrong with the stream shows when it is used.
  if (result != kSuccess || context == nullptr || context == context_) return Status::ok();
  return error(KVC_E_INVALID,
               "the stream belongs to %s: slots and kernels are of the primary context of device %d, as streams of the "
               "runtime are",
               green != nullptr ? "a green context of another device" : "another context", ordinal_);
}

Status Device::capturing(Stream stream, bool* out) const {
  int state = kCaptureNone;
  KVC_RETURN_IF_ERROR(check(call().cuStreamIsCapturing(stream, &state), "cuStreamIsCapturing"));
  *out = state != kCaptureNone;
  return Status::ok();
}

Status Device::launch(KernelId kernel, Shape shape, const void* args, Stream stream) {
  if (shape.grid == 0) return Status::ok();
  void* parameters[] = {const_cast<void*>(args)};
  const int i = static_cast<int>(kernel);
  // A kernel handle stands for the function of the current context (cuKernelGetFunction does no more).
  return check(call().cuLaunchKernel(reinterpret_cast<Function>(kernels_[i]), shape.grid, 1, 1, shape.threads, 1, 1,
                                     shape.shared, stream, parameters, nullptr),
               kKernelNames[i]);
}

void Device::retire(std::map<Fence, Event>::iterator at) {
  spare_.push_back(at->second);
  pending_.erase(at);
}

Status Device::record(Stream stream, Fence* out) {
  if (pending_.size() >= kMostPending) {
    for (auto at = pending_.begin(); at != pending_.end();) {
      const Result result = call().cuEventQuery(at->second);
      if (result != kNotReady) KVC_RETURN_IF_ERROR(check(result, "cuEventQuery"));
      const auto here = at++;
      if (result == kSuccess) retire(here);
    }
  }
  Event event = nullptr;
  if (!spare_.empty()) {
    event = spare_.back();
  } else {
    KVC_RETURN_IF_ERROR(check(call().cuEventCreate(&event, kEventDisableTiming), "cuEventCreate"));
    spare_.push_back(event);
  }
  KVC_RETURN_IF_ERROR(check(call().cuEventRecord(event, stream), "cuEventRecord"));
  spare_.pop_back();
  *out = next_++;
  pending_.emplace(*out, event);
  return Status::ok();
}

Status Device::wait_on(Stream stream, Fence fence) {
  const auto at = pending_.find(fence);
  if (at == pending_.end()) return Status::ok();
  // Also when both are of one stream: a stream that was destroyed may have its name again.
  ++waits_;
  return check(call().cuStreamWaitEvent(stream, at->second, 0), "cuStreamWaitEvent");
}

Status Device::is_done(Fence fence, bool* done) {
  *done = true;
  const auto at = pending_.find(fence);
  if (at == pending_.end()) return Status::ok();
  const Result result = call().cuEventQuery(at->second);
  *done = result == kSuccess;
  if (result == kNotReady) return Status::ok();
  KVC_RETURN_IF_ERROR(check(result, "cuEventQuery"));
  retire(at);
  return Status::ok();
}

Status Device::wait_host(Fence fence) {
  Event event = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto at = pending_.find(fence);
    if (at == pending_.end()) return Status::ok();
    event = at->second;
  }
  // Not under the lock. Should somebody find the fence done meanwhile and record the event anew, this waits longer.
  KVC_RETURN_IF_ERROR(check(call().cuEventSynchronize(event), "cuEventSynchronize"));
  const std::lock_guard lock(mutex_);
  const auto at = pending_.find(fence);
  if (at != pending_.end()) retire(at);
  return Status::ok();
}

Status Device::drain(Stream stream) {
  const Status status = check(call().cuStreamSynchronize(stream), "cuStreamSynchronize");
  if (!status.is_ok()) lost_.store(true, std::memory_order_release);
  return status;
}

}  // namespace kvc_cuda
