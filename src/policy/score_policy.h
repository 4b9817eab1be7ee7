// What eviction policies of one number have in common: each entry has a score, the candidate with the lowest leaves
// first.
//
// The candidates lie in a binary heap ordered by (finished first, priority, score): O(log n) per event, 8 bytes per
// entry. The heap's array comes from the budget and is grown by reserve() alone. Threads: as Policy, the caller
// serialises.
#pragma once

#include "policy/policy.h"

namespace kvc {

class ScorePolicy : public Policy {
 public:
  explicit ScorePolicy(Memory* memory) noexcept : memory_(memory) {}
  ~ScorePolicy() override;
  ScorePolicy(const ScorePolicy&) = delete;
  ScorePolicy& operator=(const ScorePolicy&) = delete;

  bool reserve() noexcept final;
  void inserted(PolicyEntry& entry) noexcept final;
  void hit(PolicyEntry& entry) noexcept final;
  void evictable(PolicyEntry& entry, bool yes) noexcept final;
  void removed(PolicyEntry& entry) noexcept final;
  PolicyEntry* victim() noexcept final;

 protected:
  // A new score at an insertion or a hit (entry.hits counts it already). `tick` grows by one with each of them.
  virtual uint64_t score_inserted(const PolicyEntry& entry, uint64_t tick) const noexcept = 0;
  virtual uint64_t score_hit(const PolicyEntry& entry, uint64_t tick) const noexcept = 0;

 private:
  static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept;
  bool grow(uint32_t capacity) noexcept;
  void free_heap() noexcept;
  void put(uint32_t place, PolicyEntry* entry) noexcept;
  void settle(PolicyEntry* entry) noexcept;  // moves a candidate to where its key belongs
  void leave(PolicyEntry& entry) noexcept;   // takes a candidate out

  Memory* memory_;
  PolicyEntry** heap_ = nullptr;
  uint32_t capacity_ = 0;   // >= n_entries_, so that every entry may become a candidate
  uint32_t n_entries_ = 0;  // inserted and not removed
  uint32_t n_heap_ = 0;     // of these, candidates
  bool promised_ = false;   // reserve() was called for an entry that is yet to come
  uint64_t tick_ = 0;
};

}  // namespace kvc
