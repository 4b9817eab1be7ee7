// Measuring which engine copies faster, for the table that copies go by.
#include <sys/mman.h>

#include <algorithm>

#include "gpu.h"

namespace kvc_cuda {

using namespace abi;

namespace {

constexpr int kRounds = 3;  // the quickest counts; one more before them, unmeasured

// What measuring takes, given back whatever happens.
struct Bench {
  Bench(Gpu* g, uint64_t bytes) : gpu(g), room(bytes) {}
  ~Bench() {
    Device& device = gpu->device();
    {
      const Device::Scope scope(device);
      for (const Event event : {first, last}) {
        if (event != nullptr && scope.status().is_ok() && !device.is_lost()) {
          (void)device.check(device.call().cuEventDestroy(event), "cuEventDestroy");
        }
      }
    }
    if (memory != 0) device.free(memory);
    if (host == nullptr) return;
    const bool reachable = pinned && !gpu->pinned().unpin(host).is_ok();
    if (!reachable) munmap(host, room);
  }
  Status start() {
    Device& device = gpu->device();
    KVC_RETURN_IF_ERROR(device.allocate(room, &memory));
    void* at = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
      return error(KVC_E_NO_MEMORY, "no %d MiB of memory to measure with", static_cast<int>(room >> 20));
    host = at;
    (void)madvise(host, room, MADV_DONTFORK);
    KVC_RETURN_IF_ERROR(gpu->pinned().pin(host, room));
    pinned = true;
    if (!gpu->pinned().find(host, room, &alias)) return error(KVC_E_INTERNAL, "memory that was just pinned is not");
    const Device::Scope scope(device);
    KVC_RETURN_IF_ERROR(scope.status());
    KVC_RETURN_IF_ERROR(device.check(device.call().cuEventCreate(&first, 0), "cuEventCreate"));
    return device.check(device.call().cuEventCreate(&last, 0), "cuEventCreate");
  }

  Gpu* gpu;
  const uint64_t room;  // of device memory and of host memory
  DevicePtr memory = 0, alias = 0;
  void* host = nullptr;
  bool pinned = false;
  Event first = nullptr, last = nullptr;
};

}  // namespace

Status Gpu::time_copies(Engine engine, const std::vector<CopyRun>& runs, Event first, Event last, double* seconds) {
  const Stream stream = device_->stream();
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  *seconds = 1e30;
  for (int round = 0; round <= kRounds; ++round) {
    {
      const std::lock_guard lock(device_->mutex());
      const GpuStats before = stats_;
      KVC_RETURN_IF_ERROR(device_->check(device_->call().cuEventRecord(first, stream), "cuEventRecord"));
      KVC_RETURN_IF_ERROR(issue(engine, runs, stream));
      KVC_RETURN_IF_ERROR(device_->check(device_->call().cuEventRecord(last, stream), "cuEventRecord"));
      stats_ = before;  // counts are of what the application asked for
    }
    KVC_RETURN_IF_ERROR(device_->check(device_->call().cuEventSynchronize(last), "cuEventSynchronize"));
    float milliseconds = 0;
    KVC_RETURN_IF_ERROR(
        device_->check(device_->call().cuEventElapsedTime(&milliseconds, first, last), "cuEventElapsedTime"));
    if (round > 0) *seconds = std::min(*seconds, static_cast<double>(milliseconds) / 1000);
  }
  return Status::ok();
}

Status Gpu::measure(uint64_t room) {
  Bench bench(this, room);
  KVC_RETURN_IF_ERROR(bench.start());
  CopyTable table;
  Status status;
  for (const Direction direction : {Direction::to_device, Direction::to_host}) {
    for (int i = 0; i < CopyTable::kByteSteps && status.is_ok(); ++i) {
      for (int j = 0; j < CopyTable::kCountSteps && status.is_ok(); ++j) {
        const uint64_t bytes = CopyTable::kBytes[i], n = std::min<uint64_t>(CopyTable::kCounts[j], room / bytes);
        if (n == 0) continue;
        std::vector<CopyRun> runs;
        for (uint64_t at = 0; at < n * bytes; at += bytes) {
          runs.push_back(direction == Direction::to_device ? CopyRun{bench.memory + at, bench.alias + at, bytes}
                                                           : CopyRun{bench.alias + at, bench.memory + at, bytes});
        }
        double copy_engine = 0, processors = 0;
        status = time_copies(Engine::copy_engine, runs, bench.first, bench.last, &copy_engine);
        if (status.is_ok()) status = time_copies(Engine::processors, runs, bench.first, bench.last, &processors);
        if (status.is_ok()) table.set(direction, i, j, copy_engine, processors);
      }
    }
  }
  // What was issued may still be under way after a failure; its memory is given back below.
  if (!status.is_ok() && !device_->is_lost()) {
    const Device::Scope scope(*device_);
    if (scope.status().is_ok()) (void)device_->drain(device_->stream());
  }
  KVC_RETURN_IF_ERROR(status);
  const std::lock_guard lock(device_->mutex());
  table_ = table;
  return Status::ok();
}

}  // namespace kvc_cuda
