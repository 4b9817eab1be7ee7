// What an application does with one device: copies between host and device, kernels, its own work between them. Each
// operation makes its stream wait for what it depends on, issues, and leaves a fence; none blocks or allocates but
// where it says so. See kvc_cuda.h, which is this as a C interface.
//
// Threads: any, one operation at a time on one slot.
#pragma once

#include "copy_plan.h"
#include "pinned.h"
#include "slots.h"

namespace kvc_cuda {

struct GpuOptions {
  int device = 0;
  uint64_t slot_bytes = 0;
  uint32_t slots = 0;
  uint64_t staging_bytes = 1 << 20;  // of each of the kStages pieces through which memory goes that is not pinned
  Slots::Reclaim reclaim;
};

struct GpuStats {
  uint64_t to_device_bytes = 0, to_host_bytes = 0, within_bytes = 0, peer_bytes = 0;
  uint64_t by_copy_engine = 0, by_processors = 0;  // runs
  uint64_t driver_copies = 0;                      // calls that they took
  uint64_t launches = 0, staged_bytes = 0, forced_waits = 0, refused_captures = 0;
};

class Gpu {
 public:
  static Status open(std::shared_ptr<const Driver> driver, const void* kernels, GpuOptions options,
                     std::unique_ptr<Gpu>* out);
  ~Gpu();

  Device& device() noexcept { return *device_; }
  Slots& slots() noexcept { return *slots_; }
  Pinned& pinned() noexcept { return *pinned_; }
  CopyTable& table() noexcept { return table_; }

  // Refuses a form of pages that there is not.
  static Status check_page(const CodeArgs& args);

  // Copies that may go in any order; the host's side is pinned. KVC_E_INVALID: it is not. KVC_E_ORDER: the stream is
  // being captured; nothing was issued.
  Status copy(Direction direction, const std::vector<CopyRun>& copies, const Order& order, Fence* done);
  // To another device. order.reads are slots here, order.writes slots there; order.stream and the fence are of this
  // device.
  Status copy_to(Gpu& target, const CopyRun& copy, const Order& order, Fence* done);
  // Between any host memory and the device, through pinned pieces. Block until all is done. On the module's own stream.
  Status upload(uint64_t to, const void* from, uint64_t bytes, const Order& order);
  Status download(void* to, uint64_t from, uint64_t bytes, const Order& order);

  Status move(MoveArgs args, const Order& order, Fence* done);
  Status encode(const CodeArgs& args, const Order& order, Fence* done);
  Status decode(const CodeArgs& args, const Order& order, Fence* done);
  // Pages of codec svd. KVC_E_UNSUPPORTED: heads or pages that a block has no room for.
  static Status check_svd(const CodeArgs& args);
  Status encode_svd(const SvdEncodeArgs& args, const Order& order, Fence* done);
  Status decode_klt(const KltArgs& args, const Order& order, Fence* done);
  Status encode_klt(const KltEncodeArgs& args, const Order& order, Fence* done);
  // args.partial: partial_bytes(args) of device memory. klt: of sequences that have such pages besides, whose splits
  // are the other ones.
  Status attend(const AttendArgs& args, const Order& order, Fence* done, const KltAttendArgs* klt = nullptr);

  // Results of attend(), each with its state, into one.
  Status merge(const MergeArgs& args, const Order& order, Fence* done);

  // Between use() and used(), on the same stream.
  Status eigenvectors(const JacobiArgs& args, abi::Stream stream);

  // Around work of the application's own that uses slots: after use() the stream has what it must wait for; used()
  // leaves the fence. One thread at a time between them on the same slots.
  Status use(const Order& order);
  Status used(const Order& order, Fence* done);

  Status query(Fence fence, bool* done);
  Status wait(Fence fence);

  // Times both engines at every point of the table, which then decides. Blocks, about a second on a device; takes
  // `room` of its memory and pins as much of the host's meanwhile.
  Status measure(uint64_t room = 32 << 20);

  GpuStats stats();

 private:
  static constexpr int kStages = 4;
  // Waits, work, fence. work: issues, with the device's mutex held and its context current.
  template <typename Work>
  Status run(const Order& order, bool capturable, Fence* done, Work&& work);
  Status issue(Engine engine, const std::vector<CopyRun>& runs, abi::Stream stream);
  Status issue_copies(const std::vector<CopyRun>& runs, abi::Stream stream);
  Status start_staging(uint64_t bytes);
  Status time_copies(Engine engine, const std::vector<CopyRun>& runs, abi::Event first, abi::Event last,
                     double* seconds);

  std::unique_ptr<Device> device_;
  std::unique_ptr<Pinned> pinned_;
  std::unique_ptr<Slots> slots_;
  CopyTable table_;  // under the device's mutex, as are the counts
  GpuStats stats_;
  std::mutex staging_mutex_;
  unsigned char* staging_ = nullptr;
  uint64_t staging_bytes_ = 0;
  Fence stages_[kStages] = {};
};

}  // namespace kvc_cuda
