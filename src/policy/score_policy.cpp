#include "policy/score_policy.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace kvc {

ScorePolicy::~ScorePolicy() { free_heap(); }

void ScorePolicy::free_heap() noexcept {
  memory_->release(heap_, capacity_ * sizeof(PolicyEntry*), alignof(PolicyEntry*), MemoryUse::metadata);
  heap_ = nullptr;
  capacity_ = 0;
}

bool ScorePolicy::grow(uint32_t capacity) noexcept {
  void* fresh = memory_->allocate(capacity * sizeof(PolicyEntry*), alignof(PolicyEntry*), MemoryUse::metadata,
                                  /*may_reclaim=*/false);
  if (fresh == nullptr) return false;
  if (n_heap_ != 0) std::memcpy(fresh, heap_, n_heap_ * sizeof(PolicyEntry*));
  free_heap();
  heap_ = static_cast<PolicyEntry**>(fresh);
  capacity_ = capacity;
  return true;
}

bool ScorePolicy::reserve() noexcept {
  if (n_entries_ >= capacity_) {
    constexpr uint32_t kFirst = 64;
    constexpr uint32_t kLast = std::numeric_limits<uint32_t>::max() / 2;
    if (capacity_ >= kLast) return false;
    // Half as much again; where that is too much for the budget, one cache line's worth.
    const uint32_t wanted = std::max(kFirst, capacity_ + capacity_ / 2);
    if (!grow(wanted) && !grow(capacity_ + 8)) return false;
  }
  promised_ = true;
  return true;
}

// Finished ones, then lower priorities, then lower scores.
bool ScorePolicy::before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
  if (a.finished != b.finished) return a.finished;
  if (a.priority != b.priority) return a.priority < b.priority;
  return a.score < b.score;
}

void ScorePolicy::put(uint32_t place, PolicyEntry* entry) noexcept {
  heap_[place] = entry;
  entry->place = place;
}

void ScorePolicy::settle(PolicyEntry* entry) noexcept {
  uint32_t place = entry->place;
  while (place > 0) {
    const uint32_t up = (place - 1) / 2;
    if (!before(*entry, *heap_[up])) break;
    put(place, heap_[up]);
    place = up;
  }
  for (uint32_t down; (down = 2 * place + 1) < n_heap_; place = down) {
    if (down + 1 < n_heap_ && before(*heap_[down + 1], *heap_[down])) ++down;
    if (!before(*heap_[down], *entry)) break;
    put(place, heap_[down]);
  }
  put(place, entry);
}

void ScorePolicy::leave(PolicyEntry& entry) noexcept {
  entry.candidate = false;
  PolicyEntry* last = heap_[--n_heap_];
  if (last == &entry) return;
  put(entry.place, last);
  settle(last);
}

void ScorePolicy::inserted(PolicyEntry& entry) noexcept {
  promised_ = false;
  ++n_entries_;
  entry.candidate = false;
  entry.hits = 0;
  entry.score = score_inserted(entry, ++tick_);
}

void ScorePolicy::hit(PolicyEntry& entry) noexcept {
  if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
  entry.score = score_hit(entry, ++tick_);
  if (entry.candidate) settle(&entry);
}

void ScorePolicy::evictable(PolicyEntry& entry, bool yes) noexcept {
  if (!yes) {
    if (entry.candidate) leave(entry);
    return;
  }
  if (!entry.candidate) {
    entry.candidate = true;
    put(n_heap_++, &entry);
  }
  settle(&entry);
}

void ScorePolicy::removed(PolicyEntry& entry) noexcept {
  if (entry.candidate) leave(entry);
  // An empty cache holds nothing on to the budget, unless room was promised.
  if (--n_entries_ == 0 && !promised_) free_heap();
}

PolicyEntry* ScorePolicy::victim() noexcept { return n_heap_ == 0 ? nullptr : heap_[0]; }

}  // namespace kvc
