#include "placement.h"

#include <algorithm>

namespace kvc_cuda {

double start_ns(const kvc_cuda_candidate_t& c, uint64_t prefix_bytes) noexcept {
  const double missing = static_cast<double>(prefix_bytes - std::min(prefix_bytes, c.cached_bytes));
  const double leaving = std::max(0.0, missing - static_cast<double>(c.free_bytes));
  const double link = static_cast<double>(std::max<uint64_t>(c.link_bytes_per_s, 1));
  return static_cast<double>(c.busy_ns) + (static_cast<double>(c.queued_bytes) + missing + leaving) * 1e9 / link;
}

int choose(std::span<const kvc_cuda_candidate_t> candidates, uint64_t prefix_bytes) noexcept {
  int best = -1;
  double least = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].usable == 0) continue;
    const double cost = start_ns(candidates[i], prefix_bytes);
    if (best < 0 || cost < least) best = static_cast<int>(i), least = cost;
  }
  return best;
}

}  // namespace kvc_cuda
