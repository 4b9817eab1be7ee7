#include "copy_plan.h"

#include <algorithm>
#include <cmath>

namespace kvc_cuda {

std::vector<CopyRun> coalesce(const std::vector<CopyRun>& copies) {
  std::vector<CopyRun> runs;
  for (const CopyRun& copy : copies) {
    if (copy.bytes == 0) continue;
    if (!runs.empty() && runs.back().to + runs.back().bytes == copy.to &&
        runs.back().from + runs.back().bytes == copy.from) {
      runs.back().bytes += copy.bytes;
    } else {
      runs.push_back(copy);
    }
  }
  return runs;
}

CopyTable::CopyTable() {
  for (int d = 0; d < 3; ++d) {
    for (int i = 0; i < kByteSteps; ++i) {
      for (int j = 0; j < kCountSteps; ++j) {
        const bool small = kBytes[i]<64 << 10, many = kCounts[j]> 1;
        const bool kernel = static_cast<Direction>(d) != Direction::to_host && small && many;
        table_[d][i][j] = kernel ? Engine::processors : Engine::copy_engine;
      }
    }
  }
}

void CopyTable::set(Direction direction, int i, int j, double copy_engine, double processors) {
  // What occupies processors has to be worth it: it takes them from the model.
  table_[static_cast<int>(direction)][i][j] = processors < 0.9 * copy_engine ? Engine::processors : Engine::copy_engine;
  measured_ = true;
}

Engine CopyTable::choose(Direction direction, uint64_t mean, uint64_t count) const {
  const auto nearest = [](const auto& steps, uint64_t value) {
    int best = 0;
    double least = 1e300;
    int i = 0;
    for (const auto step : steps) {
      const double distance =
          std::abs(std::log2(static_cast<double>(std::max<uint64_t>(value, 1))) - std::log2(static_cast<double>(step)));
      if (distance < least) least = distance, best = i;
      ++i;
    }
    return best;
  };
  return table_[static_cast<int>(direction)][nearest(kBytes, mean)][nearest(kCounts, count)];
}

std::vector<CopyArgs> copy_launches(const std::vector<CopyRun>& runs) {
  std::vector<CopyArgs> launches;
  for (const CopyRun& run : runs) {
    uint64_t done = 0;
    while (done < run.bytes) {
      if (launches.empty() || launches.back().runs == kCopyRuns || launches.back().chunks >= 1u << 20) {
        launches.emplace_back();
      }
      CopyArgs& launch = launches.back();
      // No launch is longer than what a chunk's number can say.
      const uint64_t most = uint64_t{1u << 20} * kCopyChunk, bytes = std::min(run.bytes - done, most);
      launch.first_chunk[launch.runs] = launch.chunks;
      launch.run[launch.runs] = {run.to + done, run.from + done, bytes};
      launch.chunks += static_cast<uint32_t>((bytes + kCopyChunk - 1) / kCopyChunk);
      ++launch.runs;
      done += bytes;
    }
  }
  return launches;
}

}  // namespace kvc_cuda
