#include "policy/two_queue_policy.h"

#include <limits>

namespace kvc {

bool TwoQueuePolicy::reserve() noexcept {
  const auto needed = static_cast<uint32_t>(entries() + 1);
  for (int queue : {0, 1}) {
    if (!heaps_[queue].reserve(needed) || !ghosts_[queue].reserve(needed)) return false;
  }
  promised_ = true;
  return true;
}

void TwoQueuePolicy::inserted(PolicyEntry& entry) noexcept {
  promised_ = false;
  entry.candidate = false;
  entry.hits = 0;
  int ghost = -1;
  for (int queue : {0, 1}) {
    if (ghosts_[queue].take(entry.key, ghost_limit(queue))) ghost = queue;
  }
  const int queue = place_inserted(ghost);
  ++sizes_[queue];
  entry.score = uint64_t(queue) << 63 | (++tick_ & kOrder);
}

void TwoQueuePolicy::hit(PolicyEntry& entry) noexcept {
  if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
  used(entry);
}

void TwoQueuePolicy::put(PolicyEntry& entry, int queue, uint32_t uses) noexcept {
  const bool candidate = entry.candidate;
  if (candidate) heaps_[queue_of(entry)].erase(entry);
  --sizes_[queue_of(entry)];
  ++sizes_[queue];
  entry.score = uint64_t(queue) << 63 | uint64_t{uses} << kOrderBits | (++tick_ & kOrder);
  if (candidate) heaps_[queue].push(entry);
}

void TwoQueuePolicy::evictable(PolicyEntry& entry, bool yes) noexcept {
  auto& heap = heaps_[queue_of(entry)];
  if (yes == entry.candidate) {
    if (yes) heap.settle(entry);
    return;
  }
  entry.candidate = yes;
  if (yes) {
    heap.push(entry);
  } else {
    heap.erase(entry);
  }
}

void TwoQueuePolicy::removed(PolicyEntry& entry) noexcept {
  evictable(entry, false);
  const int queue = queue_of(entry);
  --sizes_[queue];
  ghosts_[queue].add(entry.key);
  evicted_to_ = entries();
  for (int q : {0, 1}) settled_[q] = sizes_[q];
  if (entries() != 0 || promised_) return;
  // An empty cache holds nothing on to the budget, unless room was promised.
  for (int q : {0, 1}) {
    heaps_[q].free();
    ghosts_[q].free();
  }
}

PolicyEntry* TwoQueuePolicy::victim() noexcept {
  for (;;) {
    PolicyEntry* tops[2] = {heaps_[0].top(), heaps_[1].top()};
    if (tops[0] == nullptr && tops[1] == nullptr) return nullptr;
    if (tops[0] != nullptr && tops[1] != nullptr) {
      bool decided;
      const bool first = goes_first(*tops[0], *tops[1], &decided);
      if (decided) return tops[first ? 0 : 1];
    }
    int queue = choose();
    if (tops[queue] == nullptr) queue = 1 - queue;
    if (tops[queue]->superseded || tops[queue]->finished || !spare(*tops[queue])) return tops[queue];
  }
}

}  // namespace kvc
