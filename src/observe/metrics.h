// Counters and histograms, updated where things happen, from any thread, without locks.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/striped_mutex.h"

namespace kvc {

// A number that only grows. Threads add to different cache lines.
class Counter {
 public:
  void add(uint64_t n = 1) noexcept { parts_[thread_stripe(kParts)].value.fetch_add(n, std::memory_order_relaxed); }
  uint64_t get() const noexcept {
    uint64_t sum = 0;
    for (const Part& part : parts_) sum += part.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr size_t kParts = 8;
  // A line apart, without asking for alignment: aligned allocations fragment older C libraries' heaps.
  struct Part {
    std::atomic<uint64_t> value{0};
    char apart[56];
  };
  Part parts_[kParts];
};

// Distribution of durations in nanoseconds over the whole range of uint64_t, relative error below 1/64 (1.6 %).
// Log-linear buckets as in HdrHistogram (Tene): 64 buckets per power of two.
class Histogram {
 public:
  void record(uint64_t ns) noexcept;
  uint64_t count() const noexcept;
  uint64_t mean() const noexcept;              // exact while the sum fits 64 bits (584 years); 0 if empty
  uint64_t quantile(double q) const noexcept;  // 0 <= q <= 1; never below, above by less than 1/64; 0 if empty

 private:
  static constexpr int kSubBits = 6;
  static constexpr int kBuckets = (64 - kSubBits + 1) << kSubBits;
  static int bucket_of(uint64_t ns) noexcept;
  static uint64_t upper_bound_of(int bucket) noexcept;

  std::array<std::atomic<uint64_t>, kBuckets> buckets_{};
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> sum_{0};
};

}  // namespace kvc
