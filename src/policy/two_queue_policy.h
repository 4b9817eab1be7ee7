// What policies with a queue for newcomers and one for the proven have in common: each entry lies in one of two queues
// with a score; the policy says which queue gives the next victim. Beside them ghosts: keys of what left each queue.
//
// The candidates of each queue lie in a heap ordered as in ScorePolicy: O(log n) per event. Memory: 16 bytes per entry
// for the heaps, 16 for the ghosts.
#pragma once

#include "policy/candidate_heap.h"
#include "policy/ghost_list.h"
#include "policy/policy.h"

namespace kvc {

class TwoQueuePolicy : public Policy {
 public:
  explicit TwoQueuePolicy(Memory* memory) noexcept
      : heaps_{CandidateHeap<Order>(memory), CandidateHeap<Order>(memory)},
        ghosts_{GhostList(memory), GhostList(memory)} {}

  bool reserve() noexcept override;
  void inserted(PolicyEntry& entry) noexcept override;
  void hit(PolicyEntry& entry) noexcept override;
  void evictable(PolicyEntry& entry, bool yes) noexcept override;
  void removed(PolicyEntry& entry) noexcept override;
  PolicyEntry* victim() noexcept override;

 protected:
  // entry.score: the queue in the highest bit, two bits for the policy, then the order.
  static constexpr int kOrderBits = 61;
  static constexpr uint64_t kOrder = (uint64_t{1} << kOrderBits) - 1;
  static int queue_of(const PolicyEntry& entry) noexcept { return static_cast<int>(entry.score >> 63); }
  static uint32_t uses_of(const PolicyEntry& entry) noexcept { return entry.score >> kOrderBits & 3; }

  // Where a newcomer goes, with `ghost` the queue that it left before, or -1.
  virtual int place_inserted(int ghost) noexcept = 0;
  // Called for a hit: may put() the entry.
  virtual void used(PolicyEntry& entry) noexcept = 0;
  // Which queue is to give the next victim, if it has one.
  virtual int choose() noexcept = 0;
  // The queue's first candidate may be moved instead: true if it was.
  virtual bool spare(PolicyEntry& entry) noexcept = 0;
  // How many ghosts of a queue count.
  virtual uint64_t ghost_limit(int queue) const noexcept = 0;

  // Puts an entry at the end of a queue.
  void put(PolicyEntry& entry, int queue, uint32_t uses) noexcept;
  void set_uses(PolicyEntry& entry, uint32_t uses) noexcept {
    entry.score = (entry.score & ~(uint64_t{3} << kOrderBits)) | uint64_t{uses} << kOrderBits;
  }
  uint64_t size(int queue) const noexcept { return sizes_[queue]; }
  // As size(), when the cache last had to evict.
  uint64_t settled(int queue) const noexcept { return settled_[queue]; }
  uint64_t entries() const noexcept { return sizes_[0] + sizes_[1]; }
  // Entries that the cache keeps: what was left when it last had to evict. A request in progress may hold more.
  uint64_t capacity() const noexcept { return evicted_to_ > 0 ? evicted_to_ : entries(); }

 private:
  struct Order {
    static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
      bool decided;
      const bool first = goes_first(a, b, &decided);
      return decided ? first : (a.score & kOrder) < (b.score & kOrder);
    }
    static uint32_t& position(PolicyEntry& entry) noexcept { return entry.place; }
  };

  CandidateHeap<Order> heaps_[2];
  GhostList ghosts_[2];
  uint64_t sizes_[2] = {};
  uint64_t tick_ = 0;
  uint64_t evicted_to_ = 0;
  uint64_t settled_[2] = {};  // sizes then
  bool promised_ = false;
};

}  // namespace kvc
