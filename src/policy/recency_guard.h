// Would plain LRU have done better? Counts the hits that a leaf-first LRU cache of the same number of pages would have
// had, beside those that were had, and says when to trust recency instead of what was learned.
//
// LRU holds the N pages that were used last. Uses are numbered; a histogram over these numbers counts the pages whose
// last use lies in each interval, so that the number of the oldest page that LRU still holds (the frontier) is known
// without a list of pages. Reuse distances by counting like this are Mattson's (1970) stack distances, in buckets.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace kvc {

class RecencyGuard {
 public:
  // Whether LRU holds a page whose last use had this number (0: none).
  bool holds(uint32_t sequence) const noexcept { return sequence != 0 && sequence >> shift_ >= frontier_; }

  // A page was used; `before` is the number of its use before this one, or 0. Returns the number of this use.
  uint32_t use(uint32_t before) noexcept {
    ++sequence_;
    if (holds(before)) {
      --counts_[(before >> shift_) % kBuckets];
      --held_;
    }
    uint32_t bucket = sequence_ >> shift_;
    if (bucket - frontier_ >= kBuckets) {
      widen();
      bucket = sequence_ >> shift_;
    }
    if (bucket != newest_) {
      newest_ = bucket;
      counts_[bucket % kBuckets] = 0;
    }
    ++counts_[bucket % kBuckets];
    ++held_;
    return sequence_;
  }

  // The cache holds this many pages and had to evict for it: LRU would hold as many.
  void limit(uint32_t pages) noexcept {
    while (frontier_ < newest_ && held_ - counts_[frontier_ % kBuckets] >= pages) {
      held_ -= counts_[frontier_ % kBuckets];
      ++frontier_;
    }
  }

  // One request: its pages, those that were used before, and those that were hits, really and with LRU.
  void compare(uint32_t pages, uint32_t known, uint32_t hits, uint32_t lru_hits) noexcept {
    accesses_ += pages;
    ++requests_;
    hits_ += hits;
    missed_ += known - std::min(known, hits);
    period_ += pages;
    const double won = static_cast<double>(hits) - static_cast<double>(lru_hits);
    balance_ += won;
    total_ += won;
    const double budget = kLoss * static_cast<double>(accesses_) + std::min(total_, 0.0);  // that may still be lost
    if (trusts_recency_) {
      if (period_ < pause_) return;
      trusts_recency_ = false;  // another try, with what was learned meanwhile
      balance_ = 0;
      period_ = 0;
      return;
    }
    try_ += won;
    // What was won counts for a while only: a workload that changes must not lose most of it first.
    balance_ = std::min(balance_, kCredit + 0.01 * static_cast<double>(held_) + kStaked * std::max(total_, 0.0));
    const double per_request = static_cast<double>(accesses_) / static_cast<double>(requests_);
    const double stake = std::min(kStake * per_request, kFixedStake + kSureStake * per_request);
    if (balance_ >= -(stake / static_cast<double>(1 + switches_) + std::max(budget, 0.0))) return;
    trusts_recency_ = true;
    if (try_ > 0) pause_ = 0;
    try_ = 0;
    // The less there is to win, the longer it is not tried again: hits against reuses that were missed. Longer each
    // time, unless the try won more than it lost in the end.
    const double odds = static_cast<double>(hits_ + 1) / static_cast<double>(missed_ + 1);
    pause_ = std::max<uint64_t>(2 * pause_, static_cast<uint64_t>(0.2 * odds * held_));
    period_ = 0;
    ++switches_;
  }

  bool trusts_recency() const noexcept { return trusts_recency_; }
  double balance() const noexcept { return balance_; }
  uint64_t switches() const noexcept { return switches_; }

 private:
  static constexpr uint32_t kBuckets = 4096;
  static constexpr double kCredit = 256;
  // What the first try may lose beyond that, in requests' pages, or in pages and requests' pages; later tries less. What
  // is kept for a late return costs before it pays.
  static constexpr double kStake = 10, kFixedStake = 250, kSureStake = 4;
  static constexpr double kStaked = 0.2;   // of what was won ever: what may be lost of it before it is noticed
  static constexpr double kLoss = 0.0003;  // of all accesses: what tries may lose while they are not behind

  // Twice as wide buckets, when there are too few for the uses that LRU's pages reach back.
  void widen() noexcept {
    const uint32_t first = frontier_ / 2;
    std::array<uint32_t, kBuckets> wide{};
    for (uint32_t b = frontier_; b <= newest_; ++b) wide[b / 2 % kBuckets] += counts_[b % kBuckets];
    counts_ = wide;
    frontier_ = first;
    newest_ /= 2;
    ++shift_;
  }

  std::array<uint32_t, kBuckets> counts_{};
  uint32_t sequence_ = 0;
  uint32_t shift_ = 3;  // 2 to this uses per bucket
  uint32_t frontier_ = 0, newest_ = 0;  // buckets
  uint32_t held_ = 0;                   // pages of LRU
  double balance_ = 0;  // hits beyond LRU's in this try
  double try_ = 0;      // the same, without a limit
  double total_ = 0;    // ever
  uint64_t accesses_ = 0, requests_ = 0, hits_ = 0, missed_ = 0, period_ = 0, pause_ = 0, switches_ = 0;
  bool trusts_recency_ = false;
};

}  // namespace kvc
