// Looking at pages.
#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/visit.h"

namespace kvc {
void Cache::describe(const Page& page, uint64_t now, PageInfo* out) const {
  const Space& space = *page.root->space;
  out->id = page.id;
  out->parent = page.parent != nullptr ? page.parent->id : space.digest();
  out->space = space.digest();
  out->position = uint64_t{page.depth} * space.geometry().page_tokens;
  out->bytes = page.blob.bytes();
  out->metadata_bytes = Page::allocation_size(space, page.tokens) + sizeof(Blob);
  out->hits = page.hits;
  out->age_ns = now - page.sealed_ns;
  out->idle_ns = now - page.used_ns.load(std::memory_order_relaxed);
  out->tokens = page.tokens;
  out->references = page.references.load(std::memory_order_relaxed);
  out->children = page.n_children;
  out->tier = page.blob.tier_kind();
  out->priority = page.priority;
  out->pinned = page.pinned;
  out->approximate = page.approximate;
  out->aged = page.aged;
  out->codec = codec_of(page).name();
}

std::vector<PageInfo> Cache::pages(const std::string* tenant) {
  std::vector<PageInfo> out;
  std::shared_lock index(index_mutex_);
  std::lock_guard policy(policy_mutex_);
  drain_uses();
  const uint64_t now = clock_.now_ns();
  auto visit = [&](const Page& page) {
    describe(page, now, &out.emplace_back());
    return true;
  };
  for (const auto& [name, root] : roots_) {
    if (tenant == nullptr || name.first == *tenant) visit_pages(root->children, visit);
  }
  return out;
}

// With the index lock held. nullptr: no such page.
const Page* Cache::find_page(const PageId& id) const {
  const Page* found = nullptr;
  auto visit = [&](const Page& page) {
    if (page.id == id) found = &page;
    return found == nullptr;
  };
  for (const auto& [name, root] : roots_) {
    if (!visit_pages(root->children, visit)) break;
  }
  return found;
}

namespace {

Status no_such_page(const PageId& id) {
  return error(KVC_E_NOT_FOUND, "no page %.16s... is held: it was never sealed here, or is evicted",
               to_hex(id.bytes).c_str());
}

}  // namespace

Status Cache::page_info(const PageId& id, PageInfo* out) {
  std::shared_lock index(index_mutex_);
  const Page* page = find_page(id);
  if (page == nullptr) return no_such_page(id);
  std::lock_guard policy(policy_mutex_);
  drain_uses();
  describe(*page, clock_.now_ns(), out);
  return Status::ok();
}

Status Cache::page_tokens(const PageId& id, std::vector<int32_t>* out) {
  std::shared_lock index(index_mutex_);
  const Page* page = find_page(id);
  if (page == nullptr) return no_such_page(id);
  out->resize(page->tokens);
  unpack_tokens(page->root->space->token_width(), page->token_bytes(), page->tokens, out->data());
  return Status::ok();
}

}  // namespace kvc
