#include "memory/memory.h"

#include <mimalloc.h>

#include <algorithm>
#include <cstdlib>

namespace kvc {
namespace {

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define KVC_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define KVC_SANITIZED 1
#endif
#endif

#ifdef KVC_SANITIZED
// Sanitizers do not see into mimalloc: ThreadSanitizer misses that freeing comes before allocating again on another
// thread, AddressSanitizer misses overruns. They know their own allocator, which ends the program over what cannot be,
// where others refuse.
void* default_allocate(void*, size_t size, size_t alignment) {
  constexpr size_t kMost = size_t{1} << 38;
  if (size > kMost) return nullptr;
  return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}
void default_release(void*, void* pointer, size_t, size_t) { std::free(pointer); }
#else
void* default_allocate(void*, size_t size, size_t alignment) { return mi_malloc_aligned(size, alignment); }
void default_release(void*, void* pointer, size_t, size_t) { mi_free(pointer); }
#endif

constexpr kvc_allocator_t kDefault = {sizeof(kvc_allocator_t), nullptr, default_allocate, default_release};

// The reclaimer's room may be taken by another thread before we come back; after this many rounds the machine is
// too busy to promise anything.
constexpr int kRounds = 8;

// Nothing is an allocation of one byte, here and at its release: allocators differ on what 0 means.
size_t at_least_one(size_t size) { return std::max<size_t>(size, 1); }

}  // namespace

Memory::Memory(const kvc_allocator_t* hook, uint64_t limit, const kvc_allocator_t* payload) noexcept
    : hook_(hook != nullptr ? *hook : kDefault), payload_hook_(payload != nullptr ? *payload : hook_), limit_(limit) {}

void Memory::set_reclaim(Reclaim reclaim, void* context) noexcept {
  reclaim_ = reclaim;
  reclaim_context_ = context;
}

uint64_t Memory::used(MemoryUse use) const noexcept {
  return by_use_[static_cast<int>(use)].load(std::memory_order_relaxed);
}

// Claims room; the peak is noted by the caller.
bool Memory::take(size_t size) noexcept {
  uint64_t used = used_.load(std::memory_order_relaxed);
  do {
    if (size > limit_ - used) return false;
  } while (!used_.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
  return true;
}

bool Memory::claim(size_t size, MemoryUse use) noexcept {
  if (!take(size)) return false;
  note(size, use);
  return true;
}

void Memory::unclaim(size_t size, MemoryUse use) noexcept {
  by_use_[static_cast<int>(use)].fetch_sub(size, std::memory_order_relaxed);
  used_.fetch_sub(size, std::memory_order_relaxed);
}

void Memory::note(size_t size, MemoryUse use) noexcept {
  by_use_[static_cast<int>(use)].fetch_add(size, std::memory_order_relaxed);
  const uint64_t used = used_.load(std::memory_order_relaxed);
  uint64_t peak = peak_.load(std::memory_order_relaxed);
  while (peak < used && !peak_.compare_exchange_weak(peak, used, std::memory_order_relaxed)) {
  }
}

void* Memory::try_allocate(size_t size, size_t alignment, MemoryUse use) noexcept {
  if (!take(size)) return nullptr;
  const kvc_allocator_t& hook = hook_of(use);
  void* pointer = hook.allocate(hook.user_data, size, alignment);
  if (pointer == nullptr) {
    used_.fetch_sub(size, std::memory_order_relaxed);
    return nullptr;
  }
  note(size, use);
  return pointer;
}

void* Memory::allocate(size_t size, size_t alignment, MemoryUse use, bool may_reclaim) noexcept {
  size = at_least_one(size);
  if (size > limit_) return nullptr;  // not worth evicting everything first
  for (int round = 0;; ++round) {
    void* pointer = try_allocate(size, alignment, use);
    if (pointer != nullptr || !may_reclaim || reclaim_ == nullptr || round == kRounds) return pointer;
    // What the budget misses; all of it if there was room and the allocator refused.
    const uint64_t room = limit_ - used_.load(std::memory_order_relaxed);
    if (!reclaim_(reclaim_context_, room < size ? size - room : size)) {
      // Nothing was freed by us, but perhaps by others in the meantime.
      return try_allocate(size, alignment, use);
    }
  }
}

void Memory::release(void* pointer, size_t size, size_t alignment, MemoryUse use) noexcept {
  if (pointer == nullptr) return;
  size = at_least_one(size);
  const kvc_allocator_t& hook = hook_of(use);
  hook.release(hook.user_data, pointer, size, alignment);
  by_use_[static_cast<int>(use)].fetch_sub(size, std::memory_order_relaxed);
  used_.fetch_sub(size, std::memory_order_relaxed);
}

void Memory::recount(size_t size, MemoryUse from, MemoryUse to) noexcept {
  size = at_least_one(size);
  by_use_[static_cast<int>(from)].fetch_sub(size, std::memory_order_relaxed);
  by_use_[static_cast<int>(to)].fetch_add(size, std::memory_order_relaxed);
}

}  // namespace kvc
