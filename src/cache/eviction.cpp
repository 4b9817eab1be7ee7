// What the policy is told, and making room.
#include <algorithm>
#include <limits>
#include <new>

#include "cache/cache.h"
#include "cache/counters.h"

namespace kvc {

// Notes that a match used a page and all before it, or that a session ended there. With the shared index lock held.
void Cache::note_access(const AccessNote& note) noexcept {
  const AccessBuffer::Room room = uses_.note(note);
  if (room == AccessBuffer::Room::plenty) return;
  std::unique_lock policy(policy_mutex_, std::defer_lock);
  if (room == AccessBuffer::Room::none) {
    policy.lock();
  } else if (!policy.try_lock()) {
    return;  // there is room for a while
  }
  // Own notes only: the pages that other threads use are in the caches of their processors.
  uses_.drain_own([&](const AccessNote& own) { tell_access(own); });
  if (room == AccessBuffer::Room::none) tell_access(note);
}

void Cache::record_use(Page* page) noexcept { note_access(AccessNote{page, clock_.now_ns(), false, {}}); }

// Hands all notes to the policy. With the index lock (shared or exclusive) and the policy's held.
void Cache::drain_uses() noexcept {
  uses_.drain([&](const AccessNote& note) { tell_access(note); });
  policy_->set_time(clock_.now_ns());
}

void Cache::tell_access(const AccessNote& note) noexcept {
  policy_->set_time(note.time_ns);
  if (!note.ended) {
    tell_use(note.last, note.time_ns);
    return;
  }
  const auto up = [](PolicyEntry& entry) noexcept -> PolicyEntry* { return static_cast<Page&>(entry).parent; };
  policy_->closed(*note.last, up, note.end);
  history_.add(note.time_ns, *note.last, up, note.end,
               static_cast<uint64_t>(std::max<int64_t>(0, counters_->pages.load(std::memory_order_relaxed))));
}

void Cache::tell_use(Page* last, uint64_t now) noexcept {
  for (Page* page = last; page != nullptr; page = page->parent) {
    if (page->used_ns.load(std::memory_order_relaxed) < now) page->used_ns.store(now, std::memory_order_relaxed);
    if (page->finished || page->superseded) {
      page->finished = page->superseded = false;  // it did come back
      policy_->evictable(*page, page->candidate);
    }
    policy_->hit(*page);
  }
}

std::vector<std::byte> Cache::policy_state() {
  std::vector<std::byte> state(policy_->state_size());
  std::lock_guard policy(policy_mutex_);
  policy_->save(state.data());
  return state;
}

bool Cache::load_policy_state(std::span<const std::byte> state) {
  std::lock_guard policy(policy_mutex_);
  return policy_->load(state);
}

// Tells the policy that a page that nobody uses any more may go. With the index lock held, shared or exclusive.
void Cache::settle(Page* page) noexcept {
  // It stays a candidate while it is taken up again (references under the shared lock); evict_one looks again.
  if (page->may_go.load(std::memory_order_relaxed) || page->n_children != 0 || page->pinned) return;
  std::lock_guard policy(policy_mutex_);
  if (page->references.load(std::memory_order_acquire) == 0) set_candidate(page, true);
}

// Tells the policy whether a page may go now. With the exclusive index lock and the policy's held.
void Cache::settle_locked(Page* page) noexcept {
  const bool free = page->references.load(std::memory_order_acquire) == 0;
  set_candidate(page, free && page->n_children == 0 && !page->pinned);
}

void Cache::set_candidate(Page* page, bool yes) noexcept {
  if (yes != page->candidate) policy_->evictable(*page, yes);
  page->may_go.store(yes, std::memory_order_relaxed);
}

void Cache::raise_priority(Page* last, int32_t priority) noexcept {
  std::unique_lock index(index_mutex_);
  std::lock_guard policy(policy_mutex_);
  for (Page* page = last; page != nullptr; page = page->parent) {
    if (page->priority >= priority) continue;
    page->priority = static_cast<int16_t>(priority);
    if (page->published) policy_->evictable(*page, page->candidate);
  }
}

// False, and nothing changed: more would be pinned than pin_limit allows.
bool Cache::set_pinned(Page* last, bool pinned) noexcept {
  std::unique_lock index(index_mutex_);
  if (pinned && options_.pin_limit > 0) {
    uint64_t more = 0;
    for (const Page* page = last; page != nullptr; page = page->parent) more += page->pinned ? 0 : page->bytes;
    if (counters_->bytes_pinned.load(std::memory_order_relaxed) + more > options_.pin_limit) return false;
  }
  std::lock_guard policy(policy_mutex_);
  for (Page* page = last; page != nullptr; page = page->parent) {
    if (page->pinned == pinned || !page->published) continue;
    page->pinned = pinned;
    counters_->count_pinned(page->bytes, pinned);
    settle_locked(page);
  }
  return true;
}

// Notes that a session ended with `last`, which it still references.
void Cache::tell_closed(Page* last, const SessionEnd& end) noexcept {
  if (trace_.active() && last->published) trace_.add(last, end, clock_.now_ns());
  std::shared_lock index(index_mutex_);
  if (last->published) note_access(AccessNote{last, clock_.now_ns(), true, end});
}

// A closed session's hint concerns the pages that only it led to: from its last page up to the first one that others
// continue or use. `last` is still referenced by the session, and by it alone if it is to count.
void Cache::hint_closed(Page* last, int32_t hint, int32_t priority) noexcept {
  std::unique_lock index(index_mutex_);
  std::lock_guard policy(policy_mutex_);
  drain_uses();
  uint32_t own_references = 1;
  uint32_t own_children = 0;
  for (Page* page = last; page != nullptr && page->published; page = page->parent) {
    if (page->references.load(std::memory_order_acquire) != own_references || page->n_children != own_children) return;
    if (hint == KVC_CLOSE_FINISHED) {
      page->finished = true;
    } else {
      // Idle: goes before its equals; the next match raises it again.
      page->priority =
          static_cast<int16_t>(std::max(priority - 1, static_cast<int32_t>(std::numeric_limits<int16_t>::min())));
    }
    policy_->evictable(*page, page->candidate);
    own_references = 0;
    own_children = 1;
  }
}

// Takes the policy's victim out of the index and frees it. False: nothing may go.
bool Cache::evict_one() noexcept {
  if (devices_ != nullptr) devices_->collect();  // pages whose copies have arrived may be all that is missing
  Page* page = nullptr;
  StoredTensor* tensor = nullptr;
  Root* root = nullptr;
  PageId parent;
  float chance = -1;  // that it would have been used again
  {
    std::unique_lock index(index_mutex_);
    std::lock_guard policy(policy_mutex_);
    drain_uses();  // after this no note names a page that is freed below
    for (;;) {
      PolicyEntry* victim = policy_->victim();
      if (victim == nullptr) return false;
      if (victim->is_tensor) {
        tensor = static_cast<StoredTensor*>(victim);
        policy_->removed(*tensor);
        disk_->tensor_evicted(*tensor);
        tensors_.erase(TensorKey{tensor->tenant(), tensor->name()});
        counters_->tensors.fetch_sub(1, std::memory_order_relaxed);
        counters_->tensors_evicted.add();
        break;
      }
      page = static_cast<Page*>(victim);
      if (page->references.load(std::memory_order_acquire) != 0) {
        set_candidate(page, false);  // taken up since; its release settles it again
        continue;
      }
      chance = policy_->chance(*page);
      policy_->removed(*page);
      Page** siblings = page->parent != nullptr ? &page->parent->children : &page->root->children;
      rest_.erase(page);
      erase_child(siblings, page, page->root->space->token_width());
      if (page->parent != nullptr) {
        page->parent->n_children--;
        settle_locked(page->parent);
      }
      root = page->root;
      parent = page->parent != nullptr ? page->parent->id : root->space->digest();
      root->references.fetch_add(1, std::memory_order_relaxed);  // it outlives the page that is freed below
      counters_->pages.fetch_sub(1, std::memory_order_relaxed);
      counters_->pages_evicted.add();
      break;
    }
  }
  if (tensor != nullptr) free_tensor(tensor);
  if (page != nullptr && !disk_->evicted(page, parent, chance)) {
    free_page(page);
    release_root(root);
  }
  return true;
}

bool Cache::reclaim(void* context, size_t bytes) noexcept {
  auto* cache = static_cast<Cache*>(context);
  uint64_t freed = cache->pool_.trim(bytes);
  // Evicted pages go to the pool first: they are what is trimmed next.
  while (freed < bytes && cache->evict_one()) freed += cache->pool_.trim(bytes - freed) + 1;
  return freed > 0;
}

uint64_t Cache::live_bytes() const noexcept { return memory_.used() - memory_.used(MemoryUse::pooled); }

// Above the high watermark: evicts down to the low one, so that bursts find room without waiting for eviction.
void Cache::collect() noexcept {
  const auto limit = static_cast<double>(memory_.limit());
  if (static_cast<double>(live_bytes()) <= limit * options_.gc_threshold) return;
  const auto target = static_cast<uint64_t>(limit * options_.gc_target);
  while (live_bytes() > target && evict_one()) {
  }
}

// As sessions close: pages in use do not count, so only then can the limit be held.
void Cache::collect_pages() noexcept {
  if (options_.page_limit == 0) return;
  while (counters_->pages.load(std::memory_order_relaxed) > static_cast<int64_t>(options_.page_limit) && evict_one()) {
  }
}

uint64_t Cache::trim(uint64_t bytes) {
  const uint64_t before = memory_.used();
  while (live_bytes() > bytes && evict_one()) {
  }
  const uint64_t used = memory_.used();
  if (used > bytes) pool_.trim(used - bytes);
  const uint64_t after = memory_.used();
  return before > after ? before - after : 0;
}

// Room for a page or tensor in the host tier, evicting for it if need be.
bool Cache::new_blob(size_t bytes, BlobRef* out) noexcept {
  void* memory = memory_.allocate(sizeof(Blob), alignof(Blob), MemoryUse::metadata);
  if (memory == nullptr) return false;
  auto* blob = new (memory) Blob();
  blob->bytes = static_cast<uint32_t>(std::min<size_t>(bytes, std::numeric_limits<uint32_t>::max()));
  blob->memory = &memory_;
  blob->tier = &host_;
  for (;;) {
    Status reserved;
    try {
      reserved = host_.reserve(bytes, &blob->slot);
    } catch (const std::bad_alloc&) {
      reserved = Status(KVC_E_NO_MEMORY, {});
    }
    if (reserved.is_ok()) break;
    if (!evict_one()) {
      blob->~Blob();
      memory_.release(memory, sizeof(Blob), alignof(Blob), MemoryUse::metadata);
      return false;
    }
  }
  *out = BlobRef(blob);
  return true;
}

}  // namespace kvc
