#include "memory/page_pool.h"

#include <limits>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define KVC_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KVC_ASAN 1
#endif
#endif
#ifdef KVC_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace kvc {
namespace {

// In builds with AddressSanitizer the use of a page that was given back is reported, as that of freed memory is.
void forbid([[maybe_unused]] void* page, [[maybe_unused]] size_t size) {
#ifdef KVC_ASAN
  ASAN_POISON_MEMORY_REGION(page, size);
#endif
}
void permit([[maybe_unused]] void* page, [[maybe_unused]] size_t size) {
#ifdef KVC_ASAN
  ASAN_UNPOISON_MEMORY_REGION(page, size);
#endif
}

}  // namespace

PagePool::~PagePool() { trim(std::numeric_limits<uint64_t>::max()); }

PagePool::List* PagePool::find(size_t size) noexcept {
  for (List& list : lists_) {
    if (list.size == size) return &list;
  }
  return nullptr;
}

std::byte* PagePool::take(size_t size) noexcept {
  FreePage* page;
  {
    std::lock_guard lock(mutex_);
    List* list = find(size);
    if (list == nullptr || list->head == nullptr) return nullptr;
    page = list->head;
    permit(page, size);
    list->head = page->next;
  }
  memory_->recount(size, MemoryUse::pooled, MemoryUse::payload);
  return reinterpret_cast<std::byte*>(page);
}

bool PagePool::keep(std::byte* page, size_t size) noexcept {
  if (size < sizeof(FreePage)) return false;
  std::lock_guard lock(mutex_);
  List* list = find(size);
  for (List& other : lists_) {
    if (list != nullptr) break;
    if (other.head == nullptr) list = &other;  // a list that ran empty serves any size
  }
  if (list == nullptr) return false;
  // Before it can be found: whoever takes it counts it back.
  memory_->recount(size, MemoryUse::payload, MemoryUse::pooled);
  list->size = size;
  list->head = new (page) FreePage{list->head};
  forbid(page, size);
  return true;
}

std::byte* PagePool::allocate(size_t size) noexcept {
  if (size > memory_->limit()) return nullptr;  // not worth losing what is kept
  for (;;) {
    if (std::byte* page = take(size)) return page;
    if (void* page = memory_->allocate(size, alignment_of(size), MemoryUse::payload, /*may_reclaim=*/false)) {
      return static_cast<std::byte*>(page);
    }
    if (trim(size) == 0) return nullptr;
  }
}

void PagePool::release(std::byte* page, size_t size) noexcept {
  if (page == nullptr || keep(page, size)) return;
  memory_->release(page, size, alignment_of(size), MemoryUse::payload);
}

uint64_t PagePool::trim(uint64_t bytes) noexcept {
  uint64_t returned = 0;
  for (List& list : lists_) {
    while (returned < bytes) {
      FreePage* page;
      size_t size;
      {
        std::lock_guard lock(mutex_);
        page = list.head;
        size = list.size;
        if (page == nullptr) break;
        permit(page, size);
        list.head = page->next;
      }
      // Outside of the lock: returning a large page unmaps it.
      memory_->release(page, size, alignment_of(size), MemoryUse::pooled);
      returned += size;
    }
  }
  return returned;
}

}  // namespace kvc
