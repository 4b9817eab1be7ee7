// What eviction policies of one number have in common: each entry has a score, the candidate with the lowest leaves
// first.
//
// The candidates lie in a binary heap ordered by (superseded first, finished first, priority, score): O(log n) per
// event, 8 bytes per entry. Threads: as Policy, the caller serialises.
#pragma once

#include "policy/candidate_heap.h"
#include "policy/policy.h"

namespace kvc {

class ScorePolicy : public Policy {
 public:
  explicit ScorePolicy(Memory* memory) noexcept : heap_(memory) {}

  bool reserve() noexcept override;
  void inserted(PolicyEntry& entry) noexcept override;
  void hit(PolicyEntry& entry) noexcept override;
  void evictable(PolicyEntry& entry, bool yes) noexcept override;
  void removed(PolicyEntry& entry) noexcept override;
  PolicyEntry* victim() noexcept override;

 protected:
  // A new score at an insertion or a hit (entry.hits counts it already). `tick` grows by one with each of them.
  virtual uint64_t score_inserted(const PolicyEntry& entry, uint64_t tick) noexcept = 0;
  virtual uint64_t score_hit(const PolicyEntry& entry, uint64_t tick) noexcept = 0;
  // The candidate with the lowest score may be given a higher one instead of leaving: true if it was.
  virtual bool pass_over(PolicyEntry& /*entry*/, uint64_t /*tick*/) noexcept { return false; }
  void set_score(PolicyEntry& entry, uint64_t score) noexcept {
    entry.score = score;
    if (entry.candidate) heap_.settle(entry);
  }

 private:
  struct Order {
    static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
      bool decided;
      const bool first = goes_first(a, b, &decided);
      return decided ? first : a.score < b.score;
    }
    static uint32_t& position(PolicyEntry& entry) noexcept { return entry.place; }
  };

  CandidateHeap<Order> heap_;  // room for every entry, so that each may become a candidate
  uint32_t n_entries_ = 0;     // inserted and not removed
  bool promised_ = false;      // reserve() was called for an entry that is yet to come
  uint64_t tick_ = 0;
};

}  // namespace kvc
