// Free pages kept for reuse, so that a full cache that evicts and seals in turn neither asks the operating system for
// memory nor faults it in again: a fresh 4 KiB page of memory costs as much as copying it.
//
// One list per size; what is kept counts against the budget as MemoryUse::pooled and is the first to go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>

#include "memory/memory.h"

namespace kvc {

class PagePool {
 public:
  explicit PagePool(Memory* memory) noexcept : memory_(memory) {}
  ~PagePool();
  PagePool(const PagePool&) = delete;
  PagePool& operator=(const PagePool&) = delete;

  // A cache line, enough for every vector load; a large page of whole blocks on a block's boundary, so that a disk may read
  // and write it where it is.
  static constexpr size_t alignment_of(size_t size) noexcept {
    return size >= (size_t{256} << 10) && size % 4096 == 0 ? 4096 : 64;
  }

  // nullptr: no room even after trimming kept pages of other sizes. Never asks the reclaimer: the cache evicts by
  // itself, and then finds the evicted page here, still warm. size > 0.
  std::byte* allocate(size_t size) noexcept;
  // Keeps the memory for the next page of its size, or returns it to the allocator if too many sizes are kept already.
  void release(std::byte* page, size_t size) noexcept;
  // Returns kept memory to the allocator until at least `bytes` are returned or none is kept; returns how much.
  uint64_t trim(uint64_t bytes) noexcept;

 private:
  // A freed page holds the link to the next: keeping one needs no memory beside it.
  struct FreePage {
    FreePage* next;
  };
  struct List {
    size_t size;
    FreePage* head;
  };
  static constexpr size_t kLists = 16;  // sizes in use at a time; a 17th size is not pooled

  List* find(size_t size) noexcept;       // nullptr: none of this size
  std::byte* take(size_t size) noexcept;  // a kept page of this size, or nullptr
  bool keep(std::byte* page, size_t size) noexcept;

  Memory* memory_;
  std::mutex mutex_;
  List lists_[kLists] = {};
};

}  // namespace kvc
