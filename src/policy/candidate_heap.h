// A binary heap of candidates that know their position: O(log n) per event, 8 bytes per entry. Its array comes from the
// budget and grows by reserve() alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>

#include "memory/memory.h"
#include "policy/policy.h"

namespace kvc {

// An array in the budget that grows by half, or by little where half is too much.
template <typename T>
class BudgetArray {
 public:
  explicit BudgetArray(Memory* memory) noexcept : memory_(memory) {}
  ~BudgetArray() { free(); }
  BudgetArray(const BudgetArray&) = delete;
  BudgetArray& operator=(const BudgetArray&) = delete;

  // most: elements that it never has more than.
  bool reserve(uint32_t needed, uint32_t in_use, uint32_t most = std::numeric_limits<uint32_t>::max() / 2) noexcept {
    if (needed <= capacity_) return true;
    if (needed > most) return false;
    constexpr uint32_t kFirst = 64;
    const uint32_t wanted = std::min(most, std::max({kFirst, capacity_ + capacity_ / 2, needed}));
    return grow(wanted, in_use) || grow(std::min(most, std::max(needed, capacity_ + 8)), in_use);
  }
  void free() noexcept {
    memory_->release(data_, capacity_ * sizeof(T), alignof(T), MemoryUse::metadata);
    data_ = nullptr;
    capacity_ = 0;
  }
  T& operator[](uint32_t i) noexcept { return data_[i]; }
  const T& operator[](uint32_t i) const noexcept { return data_[i]; }
  uint32_t capacity() const noexcept { return capacity_; }

 private:
  bool grow(uint32_t capacity, uint32_t in_use) noexcept {
    void* fresh = memory_->allocate(capacity * sizeof(T), alignof(T), MemoryUse::metadata, /*may_reclaim=*/false);
    if (fresh == nullptr) return false;
    if (in_use != 0) std::memcpy(fresh, static_cast<const void*>(data_), in_use * sizeof(T));
    free();
    data_ = static_cast<T*>(fresh);
    capacity_ = capacity;
    return true;
  }

  Memory* memory_;
  T* data_ = nullptr;
  uint32_t capacity_ = 0;
};

// Traits: static bool before(const PolicyEntry& a, const PolicyEntry& b); static position(PolicyEntry&), a reference to
// an integer.
template <typename Traits>
class CandidateHeap {
 public:
  explicit CandidateHeap(Memory* memory) noexcept : heap_(memory) {}

  bool reserve(uint32_t entries) noexcept { return heap_.reserve(entries, size_); }
  void free() noexcept { heap_.free(); }
  uint32_t capacity() const noexcept { return heap_.capacity(); }
  PolicyEntry* top() noexcept { return size_ == 0 ? nullptr : heap_[0]; }

  void push(PolicyEntry& entry) noexcept {
    put(size_++, &entry);
    settle(entry);
  }
  void erase(PolicyEntry& entry) noexcept {
    PolicyEntry* last = heap_[--size_];
    if (last == &entry) return;
    put(static_cast<uint32_t>(Traits::position(entry)), last);
    settle(*last);
  }
  // What Policy::evictable asks for, where an entry lies in this heap alone.
  void set_candidate(PolicyEntry& entry, bool yes) noexcept {
    if (yes == entry.candidate) {
      if (yes) settle(entry);
      return;
    }
    entry.candidate = yes;
    if (yes) {
      push(entry);
    } else {
      erase(entry);
    }
  }
  // Moves an entry to where its key belongs.
  void settle(PolicyEntry& entry) noexcept {
    auto place = static_cast<uint32_t>(Traits::position(entry));
    while (place > 0) {
      const uint32_t up = (place - 1) / 2;
      if (!Traits::before(entry, *heap_[up])) break;
      put(place, heap_[up]);
      place = up;
    }
    for (uint32_t down; (down = 2 * place + 1) < size_; place = down) {
      if (down + 1 < size_ && Traits::before(*heap_[down + 1], *heap_[down])) ++down;
      if (!Traits::before(*heap_[down], entry)) break;
      put(place, heap_[down]);
    }
    put(place, &entry);
  }

 private:
  void put(uint32_t place, PolicyEntry* entry) noexcept {
    heap_[place] = entry;
    Traits::position(*entry) = place;
  }

  BudgetArray<PolicyEntry*> heap_;
  uint32_t size_ = 0;
};

// What every policy heeds before its own order.
inline bool goes_first(const PolicyEntry& a, const PolicyEntry& b, bool* decided) noexcept {
  *decided = true;
  if (a.superseded != b.superseded) return a.superseded;
  if (a.finished != b.finished) return a.finished;
  if (a.priority != b.priority) return a.priority < b.priority;
  *decided = false;
  return false;
}

}  // namespace kvc
