#include "policy/queue_policy.h"

#include <limits>

namespace kvc {

bool QueuePolicy::reserve() noexcept {
  const auto needed = static_cast<uint32_t>(entries() + 1);
  for (int queue = 0; queue < n_queues_; ++queue) {
    if (!heaps_[queue].reserve(needed)) return false;
  }
  if (has_ghosts_ && !ghosts_.reserve(needed)) return false;
  promised_ = true;
  return true;
}

void QueuePolicy::inserted(PolicyEntry& entry) noexcept {
  promised_ = false;
  entry.candidate = false;
  entry.hits = 0;
  const int ghost = ghosts_.take(entry.key);
  entry.notes[0] = 0;
  const int queue = place_inserted(entry, ghost);
  ++sizes_[queue];
  entry.score = uint64_t(queue) << 62 | (++tick_ & kOrder);
  link(entry, queue);
}

void QueuePolicy::link(PolicyEntry& entry, int queue) noexcept {
  entry.prev = newest_[queue];
  entry.next = nullptr;
  (entry.prev != nullptr ? entry.prev->next : oldest_[queue]) = &entry;
  newest_[queue] = &entry;
  if (hand_[queue] == nullptr) hand_[queue] = &entry;
}

void QueuePolicy::unlink(PolicyEntry& entry) noexcept {
  const int queue = queue_of(entry);
  if (hand_[queue] == &entry) hand_[queue] = entry.next;
  if (newest_[queue] == &entry) newest_[queue] = entry.prev;
  (entry.prev != nullptr ? entry.prev->next : oldest_[queue]) = entry.next;
  if (entry.next != nullptr) entry.next->prev = entry.prev;
}

void QueuePolicy::overtake(int queue, const PolicyEntry& victim) noexcept {
  while (hand_[queue] != nullptr && (hand_[queue]->score & kOrder) < (victim.score & kOrder)) {
    PolicyEntry& entry = *hand_[queue];
    hand_[queue] = entry.next;
    if (!entry.candidate) overtaken(entry);
  }
}

void QueuePolicy::hit(PolicyEntry& entry) noexcept {
  if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
  used(entry);
}

void QueuePolicy::put(PolicyEntry& entry, int queue, uint32_t uses) noexcept {
  const bool candidate = entry.candidate;
  if (candidate) heaps_[queue_of(entry)].erase(entry);
  unlink(entry);
  --sizes_[queue_of(entry)];
  ++sizes_[queue];
  entry.score = uint64_t(queue) << 62 | uint64_t{uses} << kOrderBits | (++tick_ & kOrder);
  link(entry, queue);
  if (candidate) heaps_[queue].push(entry);
}

void QueuePolicy::evictable(PolicyEntry& entry, bool yes) noexcept {
  heaps_[queue_of(entry)].set_candidate(entry, yes);
}

void QueuePolicy::removed(PolicyEntry& entry) noexcept {
  evictable(entry, false);
  const int queue = queue_of(entry);
  unlink(entry);
  --sizes_[queue];
  if (has_ghosts_ && queue < 2) ghosts_.add(queue, entry.key);
  evicted_to_ = entries();
  for (int q : {0, 1}) ghosts_.trim(q, ghost_limit(q));
  if (entries() != 0 || promised_) return;
  // An empty cache holds nothing on to the budget, unless room was promised.
  for (CandidateHeap<Order>& heap : heaps_) heap.free();
  ghosts_.free();
}

PolicyEntry* QueuePolicy::victim() noexcept {
  for (;;) {
    PolicyEntry* first = nullptr;  // by what every policy heeds
    int n = 0;
    bool equal = true;
    for (CandidateHeap<Order>& heap : heaps_) {
      PolicyEntry* top = heap.top();
      if (top == nullptr) continue;
      ++n;
      bool decided = false;
      const bool before = first == nullptr || goes_first(*top, *first, &decided);
      equal = equal && !decided;
      if (first == nullptr || (decided && before)) first = top;
    }
    if (n == 0) return nullptr;
    if (!equal) return first;
    int queue = choose();
    while (heaps_[queue].top() == nullptr) queue = (queue + 1) % kQueues;
    PolicyEntry& top = *heaps_[queue].top();
    overtake(queue, top);
    if (top.superseded || top.finished || !spare(top)) return &top;
  }
}

}  // namespace kvc
