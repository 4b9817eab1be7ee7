// Copies and moves of rows: the peaks that everything is measured by, fragments over the link, rows within the device,
// copies beside a kernel, and copies between devices.
#include <algorithm>
#include <chrono>

#include "bench.h"
#include "kernels.h"

namespace kvc_cuda {

Status Bench::peaks() {
  large_ = size(uint64_t{1} << 30, 256 << 10);
  KVC_RETURN_IF_ERROR(take(large_, &a_));
  KVC_RETURN_IF_ERROR(take(large_, &b_));
  double s = 0;
  KVC_RETURN_IF_ERROR(time(
      4,
      [&](Stream on) {
        return gpu_->copy(Direction::within, {{b_, a_, large_}}, {on, {}, {}, {}}, nullptr);
      },
      &s));
  hbm_ = 2 * static_cast<double>(large_) / s;
  add("peak_hbm_gb_per_s", hbm_ / 1e9, 0, 0, "GB/s, read and written");
  const uint64_t host = reinterpret_cast<uint64_t>(host_);
  KVC_RETURN_IF_ERROR(time(
      2,
      [&](Stream on) {
        return gpu_->copy(Direction::to_device, {{a_, host, large_}}, {on, {}, {}, {}}, nullptr);
      },
      &s));
  link_[0] = static_cast<double>(large_) / s;
  KVC_RETURN_IF_ERROR(time(
      2,
      [&](Stream on) {
        return gpu_->copy(Direction::to_host, {{host, a_, large_}}, {on, {}, {}, {}}, nullptr);
      },
      &s));
  link_[1] = static_cast<double>(large_) / s;
  add("peak_to_device_gb_per_s", link_[0] / 1e9, 0, 0, "GB/s");
  add("peak_to_host_gb_per_s", link_[1] / 1e9, 0, 0, "GB/s");
  return Status::ok();
}

Status Bench::links() {
  KVC_RETURN_IF_ERROR(gpu_->measure(size(32 << 20, 64 << 10)));
  struct Row {
    uint64_t bytes;
    const char* name;
    double least[2], goal[2];  // to device, to host
  };
  const Row rows[] = {{2 << 20, "2m", {.97, .97}, {.99, .99}},
                      {256 << 10, "256k", {.88, .90}, {.95, .96}},
                      {64 << 10, "64k", {.78, .80}, {.90, .92}},
                      {16 << 10, "16k", {.58, .60}, {.80, .85}},
                      {4 << 10, "4k", {.30, .35}, {.60, .70}}};
  const uint64_t host = reinterpret_cast<uint64_t>(host_);
  for (int way = 0; way < 2; ++way) {
    for (const Row& row : rows) {
      const uint64_t bytes = std::min<uint64_t>(row.bytes, large_ / 4), all = size(256 << 20, large_ / 2);
      std::vector<CopyRun> runs;
      // Every second place, so that none is put together with its neighbour.
      for (uint64_t at = 0; at + bytes <= all; at += 2 * bytes) {
        runs.push_back(way == 0 ? CopyRun{a_ + at, host + at / 2 * 2, bytes}
                                : CopyRun{host + at / 2 * 2, a_ + at, bytes});
      }
      double s = 0;
      KVC_RETURN_IF_ERROR(time(
          1,
          [&](Stream on) {
            return gpu_->copy(way == 0 ? Direction::to_device : Direction::to_host, runs, {on, {}, {}, {}}, nullptr);
          },
          &s));
      const double share = static_cast<double>(bytes * runs.size()) / s / link_[way];
      add(std::string(way == 0 ? "to_device_" : "to_host_") + row.name, share, row.least[way], row.goal[way],
          "of the link's peak");
    }
  }
  // What issuing costs the processor.
  std::vector<CopyRun> runs;
  for (uint64_t i = 0; i < 1000; ++i) runs.push_back({a_ + i * 128, host + i * 128, 64});
  double best = 1e30;
  for (int i = 0; i < (quick_ ? 1 : 20); ++i) {
    const auto begin = std::chrono::steady_clock::now();
    KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, runs, {gpu_->device().stream(), {}, {}, {}}, nullptr));
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    KVC_RETURN_IF_ERROR(drain());
  }
  add("submit_1000_us", best * 1e6, 60, 30, "us of the processor", true);
  // Both ways at once.
  const uint64_t half = large_ / 2;
  double s = 0;
  KVC_RETURN_IF_ERROR(time(
      1,
      [&](Stream on) -> Status {
        Fence begun = 0, done = 0;
        KVC_RETURN_IF_ERROR(gpu_->used({on, {}, {}, {}}, &begun));
        KVC_RETURN_IF_ERROR(
            gpu_->copy(Direction::to_host, {{host + half, b_, half}}, {other_, {begun}, {}, {}}, &done));
        KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, {{a_, host, half}}, {on, {}, {}, {}}, nullptr));
        return gpu_->use({on, {done}, {}, {}});
      },
      &s));
  add("both_ways", 2 * static_cast<double>(half) / s / std::max(link_[0], link_[1]), 1.5, 1.65, "of one way's peak");
  add("copy_processors", 4, 8, 4, "processors that a copy by kernels may use", true);
  return Status::ok();
}

Status Bench::moves() {
  struct Row {
    uint32_t bytes;
    const char* name;
    double least, goal;
  };
  for (const Row& row :
       {Row{4096, "gather_4k", .85, .95}, Row{1024, "gather_1k", .70, .85}, Row{256, "gather_256", .45, .60}}) {
    const uint32_t rows = static_cast<uint32_t>(size(256 << 20, 64 << 10) / row.bytes);
    std::vector<int32_t> table(rows);
    // A stride that is odd: every row once, none beside the one before.
    for (uint32_t i = 0; i < rows; ++i) table[i] = static_cast<int32_t>((uint64_t{i} * 40503) % rows);
    DevicePtr slots = 0;
    KVC_RETURN_IF_ERROR(take(rows * 4, &slots));
    KVC_RETURN_IF_ERROR(gpu_->upload(slots, table.data(), rows * 4, {}));
    MoveArgs move;
    move.from.base = a_, move.from.token = row.bytes, move.to.base = b_, move.to.token = row.bytes;
    move.from_slots = reinterpret_cast<const int32_t*>(slots);
    move.from_page_tokens = move.to_page_tokens = rows;
    move.tokens = rows, move.layers = move.planes = move.heads = 1, move.row_bytes = row.bytes;
    double s = 0;
    KVC_RETURN_IF_ERROR(time(
        4,
        [&](Stream on) {
          return gpu_->move(move, {on, {}, {}, {}}, nullptr);
        },
        &s));
    add(row.name, 2.0 * rows * row.bytes / s / hbm_, row.least, row.goal, "of the device's peak");
  }
  MoveArgs append;
  append.from.base = a_, append.from.token = 8 * 256, append.from.head = 256;
  append.to.base = b_, append.to.token = 256, append.to.head = 64 * 256, append.to.page = 8 * 64 * 256;
  append.from_page_tokens = 256, append.to_page_tokens = 64;
  append.tokens = static_cast<uint32_t>(size(256, 16)), append.layers = append.planes = 1, append.heads = 8,
  append.row_bytes = 256;
  double s = 0;
  KVC_RETURN_IF_ERROR(time(
      200,
      [&](Stream on) {
        return gpu_->move(append, {on, {}, {}, {}}, nullptr);
      },
      &s));
  add("append_us", s * 1e6, 4, 3, "us, 256 tokens of 8 heads", true);
  return Status::ok();
}

Status Bench::interference() {
  const uint64_t host = reinterpret_cast<uint64_t>(host_), bytes = size(64 << 20, 64 << 10);
  MoveArgs work;  // stands for a model: reads and writes the device's memory
  work.from.base = a_, work.from.token = 4096, work.to.base = b_, work.to.token = 4096;
  work.tokens = static_cast<uint32_t>(size(128 << 20, 64 << 10) / 4096),
  work.from_page_tokens = work.to_page_tokens = work.tokens;
  work.layers = work.planes = work.heads = 1, work.row_bytes = 4096;
  double alone = 0;
  KVC_RETURN_IF_ERROR(time(
      8,
      [&](Stream on) {
        return gpu_->move(work, {on, {}, {}, {}}, nullptr);
      },
      &alone));
  for (const uint64_t piece : {uint64_t{2} << 20, uint64_t{4} << 10}) {
    std::vector<CopyRun> runs;
    for (uint64_t at = 0; at + piece <= bytes; at += 2 * piece)
      runs.push_back({a_ + large_ / 2 + at, host + at, piece});
    if (runs.empty()) runs.push_back({a_ + large_ / 2, host, bytes / 2});
    double s = 0;
    KVC_RETURN_IF_ERROR(time(
        8,
        [&](Stream on) -> Status {
          KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, runs, {other_, {}, {}, {}}, nullptr));
          return gpu_->move(work, {on, {}, {}, {}}, nullptr);
        },
        &s));
    const bool large = piece > 4096;
    add(large ? "slower_by_large_copies" : "slower_by_small_copies", s / alone - 1, large ? .02 : .08,
        large ? .01 : .05, "of a kernel's time, copies beside it", true);
    const Device::Scope scope(gpu_->device());
    KVC_RETURN_IF_ERROR(gpu_->device().drain(other_));
  }
  return Status::ok();
}

Status Bench::peers() {
  if (driver_->devices() < 2) return Status::ok();
  GpuOptions options;
  options.device = 1, options.slots = 1, options.slot_bytes = size(256 << 20, 64 << 10);
  std::unique_ptr<Gpu> second;
  KVC_RETURN_IF_ERROR(Gpu::open(driver_, embedded_kernels().data(), options, &second));
  uint32_t slot = 0;
  DevicePtr there = 0;
  KVC_RETURN_IF_ERROR(second->slots().acquire(1, &slot));
  KVC_RETURN_IF_ERROR(second->slots().address(slot, &there));
  double s = 0;
  const uint64_t all = options.slot_bytes, piece = std::min<uint64_t>(256 << 10, all);
  KVC_RETURN_IF_ERROR(time(
      1,
      [&](Stream on) {
        return gpu_->copy_to(*second, {there, a_, all}, {on, {}, {}, {slot}}, nullptr);
      },
      &s));
  const double peak = static_cast<double>(all) / s;
  KVC_RETURN_IF_ERROR(time(
      1,
      [&](Stream on) -> Status {
        for (uint64_t at = 0; at + piece <= all; at += piece) {
          KVC_RETURN_IF_ERROR(gpu_->copy_to(*second, {there + at, a_ + at, piece}, {on, {}, {}, {slot}}, nullptr));
        }
        return Status::ok();
      },
      &s));
  add("peer_256k", static_cast<double>(all) / s / peak, .90, .96, "of the peak between devices");
  return drain();
}

}  // namespace kvc_cuda
