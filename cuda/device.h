// One device: its context, kernels, fences and errors. What works on it (slots, copies, launches) stands on this.
//
// Nothing here blocks but what says so. Every use of the driver happens inside a Scope, which makes the device's
// context current for the calling thread and puts back what was. After a sticky error the device is lost: every
// operation returns KVC_E_DEVICE and the driver is not called again, not even to free.
//
// Threads: any; mutex() orders operations on one device.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "driver.h"
#include "kernels/launch.h"

namespace kvc_cuda {

// Work that was issued, by number; 0: none. Numbers are never reused, so one that is not known any more is done.
using Fence = uint64_t;

enum class KernelId {
  move_rows,
  copy_runs,
  encode_pages,
  decode_pages,
  attend_pages,
  merge_splits,
  attend_mma,
  jacobi,
  decode_klt,
  decode_svd,
  encode_klt,
  svd_terms,
  svd_share,
  svd_place,
  attend_klt,
  attend_klt_mma,
  merge_parts
};
inline constexpr int kKernels = 17;

class Device {
 public:
  // ordinal: as the driver counts. kernels: the fat binary. KVC_E_UNSUPPORTED: no such device, or no kernels for it.
  static Status open(std::shared_ptr<const Driver> driver, int ordinal, const void* kernels,
                     std::unique_ptr<Device>* out);
  // Waits for what was issued on streams of its own, then gives everything back.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // The device's context on this thread; and captures that other threads have under way are not disturbed by calls
  // that the driver holds unsafe for them.
  class Scope {
   public:
    explicit Scope(const Device& device);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    const Status& status() const noexcept { return status_; }

   private:
    const Device& device_;
    bool pushed_ = false;
    int mode_ = abi::kCaptureModeRelaxed;
    Status status_;
  };

  const Driver& driver() const noexcept { return *driver_; }
  const DriverTable& call() const noexcept { return driver_->call(); }
  int ordinal() const noexcept { return ordinal_; }
  abi::DeviceHandle handle() const noexcept { return device_; }
  abi::Context context() const noexcept { return context_; }
  // Whether its kernels have tensor cores' products: machine code of its own generation, from 8.0 on.
  bool has_mma() const noexcept { return has_mma_; }
  uint32_t processors() const noexcept { return static_cast<uint32_t>(processors_); }
  // For copies of its own: not the application's.
  abi::Stream stream() const noexcept { return stream_; }
  std::mutex& mutex() noexcept { return mutex_; }

  // A failed call's status; a sticky one loses the device.
  Status check(abi::Result result, const char* what) const;
  bool is_lost() const noexcept { return lost_.load(std::memory_order_acquire); }
  // KVC_E_DEVICE if lost, KVC_E_FORKED in a child process.
  Status usable() const;

  // Device memory; KVC_E_NO_MEMORY.
  Status allocate(uint64_t bytes, abi::DevicePtr* out);
  void free(abi::DevicePtr at) noexcept;

  // KVC_E_INVALID: the stream is of another context than the device's primary one, or those that are parts of it (green).
  Status check_stream(abi::Stream stream) const;
  // Whether a stream is being captured into a graph.
  Status capturing(abi::Stream stream, bool* out) const;
  // Blocks until it is done. In a Scope, without the mutex.
  Status wait_host(Fence fence);
  // Everything below: with mutex() held and in a Scope.
  Status launch(KernelId kernel, Shape shape, const void* args, abi::Stream stream);
  Status record(abi::Stream stream, Fence* out);
  Status wait_on(abi::Stream stream, Fence fence);  // what is issued on stream from now on comes after it
  // Whether it is done. KVC_E_DEVICE: lost, it never will be.
  Status is_done(Fence fence, bool* done);
  // Blocks until all work of a stream is done. On failure the device counts as lost: nobody knows what still runs.
  Status drain(abi::Stream stream);
  uint64_t fences_waited() const noexcept { return waits_; }

 private:
  explicit Device(std::shared_ptr<const Driver> driver) : driver_(std::move(driver)) {}
  Status start(int ordinal, const void* kernels);
  void retire(std::map<Fence, abi::Event>::iterator at);

  const std::shared_ptr<const Driver> driver_;
  int ordinal_ = 0;
  abi::DeviceHandle device_ = 0;
  abi::Context context_ = nullptr;
  abi::Library library_ = nullptr;
  abi::Kernel kernels_[kKernels] = {};
  abi::Stream stream_ = nullptr;
  int processors_ = 1;
  bool has_mma_ = false;
  int pid_ = 0;
  mutable std::atomic<bool> lost_{false};
  std::mutex mutex_;
  Fence next_ = 1;
  std::map<Fence, abi::Event> pending_;
  std::vector<abi::Event> spare_;
  uint64_t waits_ = 0;
};

}  // namespace kvc_cuda
