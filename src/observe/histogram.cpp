#include <bit>
#include <cmath>
#include <limits>

#include "observe/metrics.h"

namespace kvc {

// Values below 64 have a bucket each; above, the upper 7 bits (a leading one and 6 more) and the number of those left
// out say which.
int Histogram::bucket_of(uint64_t ns) noexcept {
  if (ns < (1u << kSubBits)) return static_cast<int>(ns);
  const int shift = std::bit_width(ns) - 1 - kSubBits;
  return ((shift + 1) << kSubBits) + static_cast<int>((ns >> shift) - (1u << kSubBits));
}

uint64_t Histogram::upper_bound_of(int bucket) noexcept {
  if (bucket < (1 << kSubBits)) return static_cast<uint64_t>(bucket);
  const int shift = (bucket >> kSubBits) - 1;
  const uint64_t lead = (1u << kSubBits) + static_cast<uint64_t>(bucket & ((1 << kSubBits) - 1));
  return (lead << shift) + ((uint64_t{1} << shift) - 1);
}

void Histogram::record(uint64_t ns) noexcept {
  buckets_[static_cast<size_t>(bucket_of(ns))].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(ns, std::memory_order_relaxed);
  count_.fetch_add(1, std::memory_order_relaxed);
}

uint64_t Histogram::count() const noexcept { return count_.load(std::memory_order_relaxed); }

uint64_t Histogram::mean() const noexcept {
  const uint64_t n = count();
  return n == 0 ? 0 : sum_.load(std::memory_order_relaxed) / n;
}

uint64_t Histogram::quantile(double q) const noexcept {
  // The total of the buckets as read here, not count_: records of other threads may lie between the two.
  uint64_t total = 0;
  for (const auto& bucket : buckets_) total += bucket.load(std::memory_order_relaxed);
  if (total == 0) return 0;
  // The smallest value that at least q of all values are not above; NaN is taken as 0.
  if (!(q > 0)) q = 0;
  if (q > 1) q = 1;
  auto rank = static_cast<uint64_t>(std::ceil(q * static_cast<double>(total)));
  if (rank < 1) rank = 1;
  if (rank > total) rank = total;
  uint64_t seen = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[static_cast<size_t>(bucket)].load(std::memory_order_relaxed);
    if (seen >= rank) return upper_bound_of(bucket);
  }
  return std::numeric_limits<uint64_t>::max();  // unreachable: buckets only grow
}

}  // namespace kvc
