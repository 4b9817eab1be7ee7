// What policies with a queue for newcomers and others for the proven have in common: each entry lies in one of two or three
// queues; the policy says which queue gives the next victim. Beside them ghosts: keys of what left the first two.
//
// The candidates of each queue lie in a heap ordered as in ScorePolicy: O(log n) per event. All entries of a queue, also
// those that may not leave, are linked in its order: what a queue would do to an entry at its end is done to those that
// the victims overtake, once each. Memory per entry:
// 8 bytes for each queue's heap, 24 for the ghosts where there are any.
#pragma once

#include "policy/candidate_heap.h"
#include "policy/ghost_lists.h"
#include "policy/policy.h"

namespace kvc {

class QueuePolicy : public Policy {
 public:
  explicit QueuePolicy(Memory* memory, int queues = 2, bool has_ghosts = true) noexcept
      : heaps_{CandidateHeap<Order>(memory), CandidateHeap<Order>(memory), CandidateHeap<Order>(memory)},
        ghosts_(memory),
        n_queues_(queues),
        has_ghosts_(has_ghosts) {}

  bool reserve() noexcept override;
  void inserted(PolicyEntry& entry) noexcept override;
  void hit(PolicyEntry& entry) noexcept override;
  void evictable(PolicyEntry& entry, bool yes) noexcept override;
  void removed(PolicyEntry& entry) noexcept override;
  PolicyEntry* victim() noexcept override;

 protected:
  // entry.score: the queue in the highest two bits, two bits for the policy, then the order.
  static constexpr int kOrderBits = 60;
  static constexpr uint64_t kOrder = (uint64_t{1} << kOrderBits) - 1;
  static int queue_of(const PolicyEntry& entry) noexcept { return static_cast<int>(entry.score >> 62); }
  static uint32_t uses_of(const PolicyEntry& entry) noexcept { return entry.score >> kOrderBits & 3; }

  // Where a newcomer goes, with `ghost` the queue that it left before, or -1.
  virtual int place_inserted(PolicyEntry& entry, int ghost) noexcept = 0;
  // Called for a hit: may put() the entry.
  virtual void used(PolicyEntry& entry) noexcept = 0;
  // Which queue is to give the next victim; if it has none, another one does.
  virtual int choose() noexcept = 0;
  // The queue's first candidate may be moved instead: true if it was.
  virtual bool spare(PolicyEntry& entry) noexcept = 0;
  // A younger candidate of the entry's queue is about to leave, and this one may not: it may be moved instead.
  virtual void overtaken(PolicyEntry& /*entry*/) noexcept {}
  // How many ghosts of a queue there may be; asked when one left, for queue 0 first.
  virtual uint64_t ghost_limit(int /*queue*/) const noexcept { return 0; }

  // Puts an entry at the end of a queue.
  void put(PolicyEntry& entry, int queue, uint32_t uses) noexcept;
  void set_uses(PolicyEntry& entry, uint32_t uses) noexcept {
    entry.score = (entry.score & ~(uint64_t{3} << kOrderBits)) | uint64_t{uses} << kOrderBits;
  }
  uint64_t size(int queue) const noexcept { return sizes_[queue]; }
  uint64_t ghosts(int queue) const noexcept { return ghosts_.size(queue); }
  uint64_t entries() const noexcept { return sizes_[0] + sizes_[1] + sizes_[2]; }
  // The next candidate of a queue to leave, or nullptr; the oldest entry of a queue, candidate or not.
  PolicyEntry* next_of(int queue) noexcept { return heaps_[queue].top(); }
  PolicyEntry* oldest_of(int queue) noexcept { return oldest_[queue]; }
  bool has_evicted() const noexcept { return evicted_to_ > 0; }
  bool promised() const noexcept { return promised_; }  // room for an entry that is yet to come
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

  void link(PolicyEntry& entry, int queue) noexcept;
  void unlink(PolicyEntry& entry) noexcept;
  void overtake(int queue, const PolicyEntry& victim) noexcept;

  static constexpr int kQueues = 3;
  CandidateHeap<Order> heaps_[kQueues];
  PolicyEntry* oldest_[kQueues] = {};
  PolicyEntry* newest_[kQueues] = {};
  PolicyEntry* hand_[kQueues] = {};  // the oldest that is not overtaken
  GhostLists ghosts_;
  const int n_queues_;
  const bool has_ghosts_;
  uint64_t sizes_[kQueues] = {};
  uint64_t tick_ = 0;
  uint64_t evicted_to_ = 0;
  bool promised_ = false;
};

}  // namespace kvc
