// What the cache counts, where it happens. One cache line each for what several threads touch on every match.
#pragma once

#include <atomic>

#include "cache/cache.h"
#include "observe/metrics.h"

namespace kvc {

struct Cache::Counters {
  Counter matches, match_hits, matched_tokens, match_asked_tokens;
  Counter misses[KVC_MISS_COUNT];
  Counter pages_sealed, pages_deduplicated, pages_evicted, tensors_evicted;
  Counter approximate_tokens, pages_encoded, pages_kept_clear, encoded_raw_bytes, encoded_bytes;
  Counter pages_checked, pages_raised, heads_raw;  // codec auto
  Counter pages_aged, aged_before_bytes, aged_bytes, aged_tokens;
  std::atomic<double> bound_error{0};
  Counter pages_sparse, sparse_by_recency, sparse_restored;
  std::atomic<double> mass_left_out{0};  // of sparse pages chosen by attention, summed up
  // By plane: sums of squares, of differences and of the original numbers.
  std::atomic<double> error[2] = {}, energy[2] = {};
  std::atomic<int64_t> pages{0}, pages_pinned{0}, sessions{0}, tensors{0};
  std::atomic<uint64_t> bytes_pinned{0};

  void count_pinned(uint64_t bytes, bool pinned) noexcept {
    pages_pinned.fetch_add(pinned ? 1 : -1, std::memory_order_relaxed);
    bytes_pinned.fetch_add(pinned ? bytes : 0 - bytes, std::memory_order_relaxed);
  }
};

}  // namespace kvc
