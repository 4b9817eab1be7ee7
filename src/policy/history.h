// A sample of what sessions used, for questions of what another policy or size would have hit.
//
// A request mostly repeats what an earlier one used and adds to it: a record names an earlier record, how much of its
// chain is the same, and the pages after that. Chains of agents take a twentieth of what their pages would.
//
// A page is in the sample if its key is below a threshold, the same for every use of it: what is left of a cache of N
// pages is then a cache of N times the sampled share (Waldspurger et al. 2015, SHARDS), and of every chain a chain. When
// the room is used up, the threshold is halved, or, once too little of what the cache holds would be left for small
// caches to be told apart, the oldest part is dropped. Records refer to none of another part. Memory comes from the
// budget without asking for eviction; where there is none, the sample is halved too. Threads: the caller serialises.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <vector>

#include "policy/candidate_heap.h"
#include "policy/policy.h"

namespace kvc {

class History {
 public:
  // bytes: most that it takes; 0: nothing is kept.
  History(Memory* memory, uint64_t bytes) noexcept
      : words_(memory),
        recent_(memory),
        most_recent_(std::bit_floor(static_cast<uint32_t>(std::min<uint64_t>(kMostRecent, bytes / kBytesPerRecent)))),
        capacity_(static_cast<uint32_t>((bytes - most_recent_ * sizeof(Recent)) / sizeof(uint32_t))) {}

  // A session ended. `held`: pages that the cache has now.
  void add(uint64_t time_ns, PolicyEntry& last, Policy::Up up, const SessionEnd& end, uint64_t held) noexcept;

  struct Sample {
    std::vector<uint32_t> words;
    double share = 1;
    bool whole = true;  // it begins with the first session of all
  };
  Sample sample() const;  // may throw bad_alloc

 private:
  static constexpr uint32_t kParts = 4;
  // Pages by which earlier records are found.
  static constexpr uint32_t kFirstRecent = 64, kMostRecent = 4096, kBytesPerRecent = 64;

  struct Recent {
    uint32_t key, record;
  };
  bool grow_recent() noexcept;
  void forget_recent() noexcept;
  Recent& recent_of(uint32_t key) noexcept {
    return recent_[static_cast<uint32_t>(uint64_t{key * 0x9e3779b9u} * recent_.capacity() >> 32)];
  }
  void shrink(uint64_t held) noexcept;
  void halve_sample() noexcept;
  void drop_oldest_part() noexcept;

  BudgetArray<uint32_t> words_;  // records: header, then keys after those that are the same
  BudgetArray<Recent> recent_;  // a hash table; the capacity is a power of two
  const uint32_t most_recent_;
  const uint32_t capacity_;
  uint32_t size_ = 0;
  uint32_t parts_[kParts] = {};  // where they begin, the oldest first
  uint32_t n_parts_ = 0;
  uint32_t threshold_ = 0xffffffff;
  bool whole_ = true;
};

// What a cache of `pages` pages under a policy would have hit, over all sessions of a sample; where older ones were
// dropped, over the later half, so that the cache that begins empty has filled.
struct WhatIf {
  double token_hit_rate = 0, page_hit_rate = 0;
  double tokens = 0, hit_tokens = 0;  // estimated of all, from the sample
  double cost_saved = 0;              // hit tokens, each weighed by what its prefill costs in units of a first token's
  uint64_t sessions = 0, span_ns = 0;
};
WhatIf what_if(const History::Sample& sample, std::string_view policy, uint64_t pages,
               const PolicyObjective& objective);  // may throw bad_alloc

}  // namespace kvc
