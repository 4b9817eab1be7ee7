// All memory that counts against an engine's budget comes from here: K/V pages, tensors and their metadata.
//
// Invariant: used() == payload + metadata + pooled <= limit() at every instant, also while threads race: room is
// claimed before the allocator is asked, and given back if the allocator refuses.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>

#include "kvc/kvc.h"

namespace kvc {

enum class MemoryUse : int { payload, metadata, pooled };

class Memory {
 public:
  // hook == nullptr: mimalloc (only mi_* functions; the host's malloc stays its own). payload: another one for K/V pages and
  // tensors alone; nullptr: the same.
  Memory(const kvc_allocator_t* hook, uint64_t limit, const kvc_allocator_t* payload = nullptr) noexcept;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // nullptr: the budget or the allocator has no room, even after `reclaim` (below) was asked.
  // alignment: a power of two. may_reclaim false: never ask it (the caller holds locks, or evicts by itself).
  void* allocate(size_t size, size_t alignment, MemoryUse use, bool may_reclaim = true) noexcept;
  void release(void* pointer, size_t size, size_t alignment, MemoryUse use) noexcept;
  // Moves bytes of a live allocation from one column to the other (a freed page that is kept, a kept page in use
  // again).
  void recount(size_t size, MemoryUse from, MemoryUse to) noexcept;

  // Counts bytes that the caller has allocated elsewhere. False: no room, nothing is counted.
  bool claim(size_t size, MemoryUse use) noexcept;
  void unclaim(size_t size, MemoryUse use) noexcept;

  // Asked when an allocation finds no room: frees at least `bytes` if it can, and returns whether it freed anything.
  // Called on the allocating thread, which therefore must hold no lock that the reclaimer takes. Set once, before use.
  using Reclaim = bool (*)(void* context, size_t bytes) noexcept;
  void set_reclaim(Reclaim reclaim, void* context) noexcept;

  uint64_t limit() const noexcept { return limit_; }
  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  uint64_t used(MemoryUse use) const noexcept;
  uint64_t peak() const noexcept { return peak_.load(std::memory_order_relaxed); }

 private:
  bool take(size_t size) noexcept;
  void note(size_t size, MemoryUse use) noexcept;
  void* try_allocate(size_t size, size_t alignment, MemoryUse use) noexcept;

  // Bytes stay with their kind: payload becomes pooled and again payload, never metadata.
  const kvc_allocator_t& hook_of(MemoryUse use) const noexcept {
    return use == MemoryUse::metadata ? hook_ : payload_hook_;
  }

  kvc_allocator_t hook_, payload_hook_;
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
  std::atomic<uint64_t> peak_{0};
  std::atomic<uint64_t> by_use_[3] = {};
  Reclaim reclaim_ = nullptr;
  void* reclaim_context_ = nullptr;
};

// For standard containers whose bytes count as metadata. Throws std::bad_alloc when there is no room.
template <typename T>
class CountedAllocator {
 public:
  using value_type = T;
  explicit CountedAllocator(Memory* memory) noexcept : memory_(memory) {}
  template <typename U>
  CountedAllocator(const CountedAllocator<U>& other) noexcept
      : memory_(other.memory()) {}  // NOLINT: a conversion by design
  T* allocate(size_t n) {
    if (n > std::numeric_limits<size_t>::max() / sizeof(T)) throw std::bad_alloc();
    void* p = memory_->allocate(n * sizeof(T), alignof(T), MemoryUse::metadata);
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, size_t n) noexcept { memory_->release(p, n * sizeof(T), alignof(T), MemoryUse::metadata); }
  Memory* memory() const noexcept { return memory_; }
  template <typename U>
  bool operator==(const CountedAllocator<U>& other) const noexcept {
    return memory_ == other.memory();
  }

 private:
  Memory* memory_;
};

}  // namespace kvc
