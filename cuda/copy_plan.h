// Which way bytes go between host and device: planned without a device, so that it is tested without one.
//
// There are two engines: the device's copy engines, by one driver call for many copies, and a kernel on a few of its
// processors. Which is faster depends on the length of the pieces, on their number, on the direction and on the device,
// so it is a table that is measured (Transfers::measure); until then, published measurements decide: copy engines are
// slow at host-to-device pieces below 64 KiB, kernels lose nothing by them.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/args.h"

namespace kvc_cuda {

enum class Direction { to_device, to_host, within };
enum class Engine { copy_engine, processors };

// Puts together copies that go on where the one before them ends, on both sides. Order is kept; empty ones go.
std::vector<CopyRun> coalesce(const std::vector<CopyRun>& copies);

class CopyTable {
 public:
  static constexpr uint64_t kBytes[] = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 2 << 20};
  static constexpr uint32_t kCounts[] = {1, 16, 128, 1024};
  static constexpr int kByteSteps = 6, kCountSteps = 4;

  CopyTable();
  // What was measured for pieces of kBytes[i], kCounts[j] of them: seconds, each engine.
  void set(Direction direction, int i, int j, double copy_engine, double processors);
  // Of the nearest point measured, in the logarithm. mean: of the lengths.
  Engine choose(Direction direction, uint64_t mean, uint64_t count) const;
  bool is_measured() const noexcept { return measured_; }

 private:
  Engine table_[3][kByteSteps][kCountSteps];
  bool measured_ = false;
};

// Launches for runs of any number: CopyArgs of at most kCopyRuns each.
std::vector<CopyArgs> copy_launches(const std::vector<CopyRun>& runs);

}  // namespace kvc_cuda
