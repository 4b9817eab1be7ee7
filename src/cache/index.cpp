// The prefix index: making pages, linking them, walking them.
#include <algorithm>
#include <iterator>
#include <new>

#include "cache/cache.h"
#include "cache/counters.h"

namespace kvc {

Page* Cache::new_page(Root* root, std::span<const int32_t> tokens, const PageId& id, uint32_t depth, BlobRef blob,
                      uint8_t codec, bool approximate) {
  const Space& space = *root->space;
  void* memory = memory_.allocate(Page::allocation_size(space, tokens.size()), alignof(Page), MemoryUse::metadata);
  if (memory == nullptr) throw std::bad_alloc();
  auto* page = new (memory) Page();
  page->key = id.word();
  page->bytes = blob.bytes();
  page->depth = depth;
  page->tokens = page->n_tokens = static_cast<uint32_t>(tokens.size());
  page->id = id;
  page->codec = codec;
  page->approximate = approximate;
  page->root = root;
  page->blob = std::move(blob);
  page->sealed_ns = clock_.now_ns();
  page->used_ns.store(page->sealed_ns, std::memory_order_relaxed);
  page->references.store(1, std::memory_order_relaxed);  // the caller's
  pack_tokens(space.token_width(), tokens, page->token_bytes());
  return page;
}

void Cache::free_page(Page* page) noexcept {
  if (devices_ != nullptr) devices_->forget(page);
  const size_t size = Page::allocation_size(*page->root->space, page->tokens);
  page->~Page();
  memory_.release(page, size, alignof(Page), MemoryUse::metadata);
}

// Links a sealed page under its parent and returns it; or, where one that holds the same tokens (and, if it is short,
// more) is there already, takes a reference on that one and returns it (the caller frees its own). nullptr: the policy
// has no memory for one more entry; or the one that is there is none that the session takes.
Page* Cache::publish(Page* page, Accept accept) noexcept {
  const Space& space = *page->root->space;
  const uint32_t width = space.token_width();
  const size_t page_bytes = size_t{space.geometry().page_tokens} * width;
  const size_t own_bytes = size_t{page->tokens} * width;
  std::unique_lock index(index_mutex_);
  Page** siblings = page->parent != nullptr ? &page->parent->children : &page->root->children;
  const Found found = find_child(*siblings, page->token_bytes(), own_bytes, width, page_bytes);
  if (found.exact != nullptr || (found.best != nullptr && found.common == own_bytes)) {
    Page* twin = found.exact != nullptr ? found.exact : found.best;
    if (!accepted(*twin, accept)) return nullptr;
    reference(twin);
    if (twin->priority < page->priority) {  // a shared page has the highest that was asked for
      std::lock_guard policy(policy_mutex_);
      twin->priority = page->priority;
      policy_->evictable(*twin, twin->candidate);
    }
    return twin;
  }
  std::lock_guard policy(policy_mutex_);
  if (!policy_->reserve()) return nullptr;
  insert_child(siblings, page, width);
  page->published = true;
  policy_->inserted(*page);
  rest_.push(page);
  if (page->parent != nullptr) {
    page->parent->n_children++;
    settle_locked(page->parent);
  }
  // A short page that this one continues holds nothing that this one does not: it goes first.
  if (found.best != nullptr && found.common == size_t{found.best->tokens} * width) {
    drain_uses();  // former uses would otherwise count as a return later
    found.best->superseded = true;
    policy_->evictable(*found.best, found.best->candidate);
  }
  counters_->pages.fetch_add(1, std::memory_order_relaxed);
  return page;
}

// Moves the end of a chain, and the reference on it, from `last` to a new page, which is linked if it may be. Returns the
// end: the page; a page that was there already (the new one is freed then); or the page, private.
Page* Cache::extend(Page* last, Page* page, bool may, Accept accept) noexcept {
  page->parent = last;
  Page* kept = may && (last == nullptr || last->published) ? publish(page, accept) : nullptr;
  if (kept == nullptr) return page;  // it takes over the reference on its parent
  if (kept != page) free_page(page);
  unreference(last);
  return kept;
}

// With the index lock held, shared or exclusive, or while something else keeps the page.
void Cache::reference(Page* page) noexcept { page->references.fetch_add(1, std::memory_order_relaxed); }

void Cache::unreference(Page* page) noexcept {
  if (page == nullptr) return;
  std::shared_lock index(index_mutex_);
  unreference_locked(page);
}

// With the index lock held, shared or exclusive.
void Cache::unreference_locked(Page* page) noexcept {
  while (page != nullptr && page->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    if (page->published) {
      settle(page);
      return;
    }
    // A private page goes with its last user, and lets its parent go.
    Page* parent = page->parent;
    free_page(page);
    page = parent;
  }
}

// The longest stored continuation of `from` (nullptr: the root) by `tokens`. With the index lock held.
// Pages that are not accepted are passed over.
Cache::Walk Cache::walk(const Root& root, Page* from, std::span<const int32_t> tokens, Accept accept) const noexcept {
  const uint32_t page_tokens = root.space->geometry().page_tokens;
  const uint32_t width = root.space->token_width();
  const size_t page_bytes = size_t{page_tokens} * width;
  std::byte narrow[4096 * 2];  // page_tokens is at most 4096
  Walk result;
  result.last = from;
  for (size_t at = 0; at < tokens.size();) {
    const size_t n = std::min<size_t>(page_tokens, tokens.size() - at);
    const auto part = tokens.subspan(at, n);
    const std::byte* key = reinterpret_cast<const std::byte*>(part.data());
    if (width != 4) {
      pack_tokens(width, part, narrow);
      key = narrow;
    }
    Page* children = result.last != nullptr ? result.last->children : root.children;
    const Found found = find_child(children, key, n * width, width, page_bytes);
    const Page* there = found.exact != nullptr ? found.exact : found.best;
    if (there != nullptr && !accepted(*there, accept)) break;
    if (found.exact == nullptr) {
      result.common = found.common / width;
      if (result.common > 0) result.partial = found.best;
      break;
    }
    result.last = found.exact;
    at += n;
  }
  return result;
}

// A space of the same tenant, other than the root's, that holds these tokens (at least the first page, or all of a
// shorter prompt): the difference of the two explains a miss.
std::shared_ptr<const Space> Cache::find_elsewhere(const Root& root, std::span<const int32_t> tokens) {
  std::shared_lock index(index_mutex_);
  auto it = root.self;
  while (it != roots_.begin() && std::prev(it)->first.first == root.tenant) --it;
  for (; it != roots_.end() && it->first.first == root.tenant; ++it) {
    const Root& other = *it->second;
    if (&other == &root || other.children == nullptr) continue;
    // Its vocabulary may be smaller: a token that it cannot hold must not be narrowed into one that it can.
    if (!other.space->check_tokens(tokens).is_ok()) continue;
    const size_t page = other.space->geometry().page_tokens;
    const auto first = tokens.first(std::min(tokens.size(), page));
    const Walk found = walk(other, nullptr, first, Accept::any);
    if (found.last != nullptr || found.common == first.size()) return other.space;
  }
  return nullptr;
}

}  // namespace kvc
