// A sample of what sessions used, for questions of what another policy or size would have hit.
//
// A page is in the sample if its key is below a threshold, the same for every use of it: what is left of a cache of N
// pages is then a cache of N times the sampled share (Waldspurger et al. 2015, SHARDS), and of every chain a chain. When
// the room is used up, the threshold is halved, or, once too little of what the cache holds would be left, the older half
// is dropped. Memory comes from the budget without asking for eviction; where there is none, the sample
// is halved too. Threads: the caller serialises.
#pragma once

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
      : words_(memory), capacity_(static_cast<uint32_t>(bytes / sizeof(uint32_t))) {}

  // A session ended. `held`: pages that the cache has now.
  void add(uint64_t time_ns, PolicyEntry& last, Policy::Up up, const SessionEnd& end, uint64_t held) noexcept;

  struct Sample {
    std::vector<uint32_t> words;
    double share = 1;
    bool whole = true;  // it begins with the first session of all
  };
  Sample sample() const;  // may throw bad_alloc

 private:
  void shrink(uint64_t held) noexcept;
  void halve_sample() noexcept;
  void drop_older_half() noexcept;

  BudgetArray<uint32_t> words_;  // records: header, then keys from the first page to the last
  const uint32_t capacity_;
  uint32_t size_ = 0;
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
