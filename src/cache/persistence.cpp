// What of the cache goes to disk and comes from there: the pages to write, the tails of open sessions, copies and packs.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <new>

#include <unistd.h>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/disk_fetch.h"
#include "cache/visit.h"

namespace kvc {
namespace {

PageId parent_id(const Page& page) { return page.parent != nullptr ? page.parent->id : page.root->space->digest(); }

// A store for a copy: so large that nothing leaves it.
StoreOptions copy_options(const DiskOptions& disk, const Log& log, const std::string& path, uint64_t bytes) {
  StoreOptions options = Disk::store_options(disk, log);
  options.directory = path;
  options.budget = std::max<uint64_t>(bytes * 2, uint64_t{64} << 20);
  options.second_sight = false;
  return options;
}

// A directory that is gone when this is.
class ScratchDirectory {
 public:
  explicit ScratchDirectory(std::string path) : path_(std::move(path)) { remove(); }
  ~ScratchDirectory() { remove(); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  const std::string& path() const noexcept { return path_; }

 private:
  void remove() noexcept {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string path_;
};

}  // namespace

std::unique_ptr<Fetch> Cache::begin_fetch(const std::shared_ptr<const Space>& space, std::string_view tenant,
                                          std::span<const int32_t> tokens, Accept accept) {
  if (!disk_->reads() || !options_.reuse || !space->check_tokens(tokens).is_ok()) return nullptr;
  load_calibrations(*space);
  Root* root = acquire_root(space, tenant);
  std::unique_ptr<Fetch> fetch;
  try {
    fetch = std::make_unique<Fetch>(this, root, tokens, accept, /*layerwise=*/false);
  } catch (...) {
    release_root(root);
    throw;
  }
  release_root(root);
  return fetch;
}

PageForm Cache::form_of(const Page& page) const noexcept {
  PageForm form;
  form.codec = page.codec;
  form.approximate = page.approximate;
  form.aged = page.aged;
  if (codec_of(page).is_clear()) return form;
  form.calibration = codec_of(page).calibration_of({page.blob.data(), page.blob.bytes()});
  form.format = codec_of(page).format();
  if (const uint32_t own = own_bits(page.codec, page.root->space->geometry()); own > 0) {
    form.key_bits = own;
  } else if (form.calibration == Digest{} && form.format == Digest{}) {
    form.key_bits = options_.codec_key_bits;
    form.value_bits = options_.codec_value_bits;
  }
  return form;
}

uint32_t Cache::own_bits(uint8_t codec, const PageGeometry& geometry) const noexcept {
  EncodeOptions encoding;
  encoding.sparse_keep = options_.sparse_keep;
  if (codec == kSparseCodecId) return sparse_rows(geometry, encoding);
  return codec == kSvdCodecId ? static_cast<uint32_t>(options_.svd_ratio * 1e6) : 0;
}

void Cache::take_unwritten(size_t most, bool refused, std::vector<Page*>* pages) {
  pages->reserve(most);
  std::shared_lock index(index_mutex_);
  auto visit = [&](Page& page) {
    if (!page.on_disk.load(std::memory_order_relaxed) || (refused && page.refused.load(std::memory_order_relaxed))) {
      reference(&page);
      pages->push_back(&page);
    }
    return pages->size() < most;
  };
  for (const auto& [name, root] : roots_) {
    if (!visit_pages(root->children, visit)) return;
  }
}

void Cache::visit_tails(const std::function<void(Page* page, const PageId& parent)>& visit) {
  // One session at a time, so that opening and closing others goes on.
  for (uint64_t number = 0;;) {
    Page* page = nullptr;
    PageId parent;
    {
      const std::lock_guard lock(sessions_mutex_);
      const auto it = sessions_.upper_bound(number);
      if (it == sessions_.end()) return;
      number = it->first;
      page = it->second->copy_tail(&parent);
    }
    if (page != nullptr) visit(page, parent);
  }
}

// A page's bytes as they may leave memory: in a short one what lies beyond its tokens is of others, and cleared.
// False: no memory.
bool Cache::payload_for_disk(const Page& page, uint32_t n_tokens, BlobRef* payload) noexcept {
  const PageGeometry& g = page.root->space->geometry();
  if (n_tokens == g.page_tokens) {
    *payload = page.blob;
    return true;
  }
  BlobRef copy;
  if (!new_blob(g.page_bytes(), &copy)) return false;
  copy_beginning(g, page.blob.data(), n_tokens, copy.data());
  *payload = std::move(copy);
  return true;
}

// Stores the first n_tokens of a page, and their clue, under the identities that `key` gives. calibration: gets the names
// of the records that decode it.
Status Cache::copy_page(DiskStore& store, const Page& page, uint32_t n_tokens, const Digest& key, const PageId& parent,
                        PageId* id, std::vector<PageId>* calibration) {
  const Root& root = *page.root;
  std::vector<int32_t> tokens(n_tokens);
  unpack_tokens(root.space->token_width(), page.token_bytes(), tokens.size(), tokens.data());
  BlobRef payload;
  if (!payload_for_disk(page, n_tokens, &payload)) {
    return error(KVC_E_NO_MEMORY, "no room to copy a page of %zu bytes: nothing more can be evicted",
                 root.space->geometry().page_bytes());
  }
  *id = page_id(key, parent, tokens);
  const PageId stored = form_id(key, *id, form_of(page));
  PutPage put = page_record(root, codec_of(page), stored, parent, tokens, {payload.data(), payload.bytes()});
  put.admit = true;
  KVC_RETURN_IF_ERROR(keep_calibration(store, page, key == pack_key() ? key : calibrations_key(), calibration));
  KVC_RETURN_IF_ERROR(store.put(put));
  const std::vector<std::byte> clue = make_clue(root.space->geometry(), tokens);
  const int32_t name[2] = {tokens[0], -1};
  return store.put(clue_record(root, key, parent, name, clue));
}

Status Cache::persist_to(const std::string* tenant, const std::string& path, uint64_t* pages) {
  if (path.empty()) return error(KVC_E_INVALID, "path is empty: name a directory");
  // Referenced, so that they stay.
  std::vector<Page*> all;
  std::vector<TensorChange> tensors;
  uint64_t bytes = 0;
  {
    std::shared_lock index(index_mutex_);
    for (const auto& [name, stored] : tensors_) {
      if (tenant != nullptr && name.first != *tenant) continue;
      tensors.push_back({std::string(name.first), std::string(name.second), stored->blob, stored->shape, true});
      bytes += stored->blob.bytes() + (uint64_t{16} << 10);
    }
    auto visit = [&](Page& page) {
      all.push_back(&page);
      reference(&page);
      bytes += page.bytes + (uint64_t{16} << 10);
      return true;
    };
    for (const auto& [name, root] : roots_) {
      if (tenant == nullptr || name.first == *tenant) visit_pages(root->children, visit);
    }
  }
  struct Tail {
    Page* page;
    PageId parent;
  };
  std::vector<Tail> tails;
  const auto let_go = [&]() noexcept {
    for (Page* page : all) unreference(page);
    for (const Tail& tail : tails) {
      Root* root = tail.page->root;
      free_page(tail.page);
      release_root(root);
    }
  };
  const auto copy = [&]() -> Status {
    visit_tails([&](Page* page, const PageId& parent) {
      tails.push_back({page, parent});
      bytes += page->bytes + (uint64_t{16} << 10);
    });
    std::unique_ptr<DiskStore> store;
    KVC_RETURN_IF_ERROR(DiskStore::open(copy_options(disk_->options(), log_, path, bytes), &store));
    PageId id;
    for (const Page* page : all) {
      KVC_RETURN_IF_ERROR(copy_page(*store, *page, page->n_tokens, page->root->tenant_key, parent_id(*page), &id));
    }
    for (const Tail& tail : tails) {
      if (tenant != nullptr && tail.page->root->tenant != *tenant) continue;
      const Root& root = *tail.page->root;
      KVC_RETURN_IF_ERROR(copy_page(*store, *tail.page, tail.page->n_tokens, root.tenant_key, tail.parent, &id));
    }
    for (const TensorChange& tensor : tensors) {
      KVC_RETURN_IF_ERROR(
          disk_->put_tensor(*store, tensor, tensor_id(tenant_key(options_.secret, tensor.tenant), tensor.key)));
    }
    KVC_RETURN_IF_ERROR(store->persist());
    if (pages != nullptr) *pages = store->stats().pages;
    return Status::ok();
  };
  Status status;
  try {
    status = copy();
  } catch (...) {
    let_go();
    throw;
  }
  let_go();
  return status;
}

Status Cache::write_pack(std::shared_ptr<const Space> space, std::string_view tenant, std::span<const int32_t> tokens,
                         const std::string& path, size_t* written) {
  if (path.empty()) return error(KVC_E_INVALID, "path is empty: name a file");
  SessionOptions options;
  options.tenant = tenant;
  std::unique_ptr<Session> session;
  KVC_RETURN_IF_ERROR(open_session(space, std::move(options), &session));
  size_t found = 0;
  KVC_RETURN_IF_ERROR(session->match(tokens, &found));
  if (found == 0) return error(KVC_E_NOT_FOUND, "nothing of these %zu tokens is stored", tokens.size());

  KVC_RETURN_IF_ERROR(session->settle());
  // The session keeps its pages while it is open, and nobody else has it.
  std::vector<const Page*> pages;
  for (size_t i = 0; i < session->sealed_pages(); ++i) pages.push_back(session->page_at(i));
  const size_t whole = pages.size() * space->geometry().page_tokens;
  if (!session->open_.empty()) {
    // What follows the tokens asked for is not for others to read: the page is cut, or left out where it cannot be.
    const Page* last = session->open_[0].source;
    if (found - whole == last->n_tokens || codec_of(*last).is_clear()) {
      pages.push_back(last);
    } else if (whole == 0) {
      return error(KVC_E_NOT_FOUND,
                   "%zu of these tokens are stored, as the beginning of a page of codec %s, which cannot be cut: give "
                   "tokens up to the end of a page, %u",
                   found, std::string(codec_of(*last).name()).c_str(), last->n_tokens);
    } else {
      found = whole;
    }
  }
  const uint64_t bytes = pages.size() * (space->geometry().page_bytes() + (uint64_t{16} << 10));

  const ScratchDirectory scratch(path + ".tmp-" + std::to_string(getpid()));
  DiskOptions plain = disk_->options();
  plain.key.reset();
  std::unique_ptr<DiskStore> store;
  KVC_RETURN_IF_ERROR(DiskStore::open(copy_options(plain, log_, scratch.path(), bytes), &store));
  const Digest key = pack_key();
  std::vector<PageId> ids;
  PageId parent = space->digest();
  size_t left = found;
  for (const Page* page : pages) {
    PageId id;
    const auto n = static_cast<uint32_t>(std::min<size_t>(left, page->n_tokens));
    left -= n;
    KVC_RETURN_IF_ERROR(copy_page(*store, *page, n, key, parent, &id, &ids));
    ids.push_back(form_id(key, id, form_of(*page)));
    int32_t first = 0;
    unpack_tokens(space->token_width(), page->token_bytes(), 1, &first);
    ids.push_back(clue_id(key, parent, first));
    parent = id;
  }
  // Pages share their calibration.
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  KVC_RETURN_IF_ERROR(store->write_pack(path, ids, {}, nullptr));
  if (written != nullptr) *written = found;
  return Status::ok();
}

// Unlinks what nobody uses of a tenant, leaves first.
void Cache::purge_memory(const std::string& tenant, uint64_t* removed, uint64_t* in_use) {
  std::vector<Page*> pages;  // parents before children
  std::vector<Page*> gone;
  std::vector<Root*> roots;
  std::vector<TensorMap::node_type> tensors;
  {
    std::unique_lock index(index_mutex_);
    std::lock_guard policy(policy_mutex_);
    drain_uses();  // after this no note names a page that is freed below
    auto visit = [&](Page& page) {
      pages.push_back(&page);
      return true;
    };
    for (const auto& [name, root] : roots_) {
      if (name.first == tenant) visit_pages(root->children, visit);
    }
    gone.reserve(pages.size());
    roots.reserve(pages.size());
    for (auto at = pages.rbegin(); at != pages.rend(); ++at) {
      Page* page = *at;
      if (page->references.load(std::memory_order_acquire) != 0 || page->n_children != 0) {
        ++*in_use;
        continue;
      }
      if (page->pinned) counters_->count_pinned(page->bytes, false);
      policy_->removed(*page);
      rest_.erase(page);
      erase_child(page->parent != nullptr ? &page->parent->children : &page->root->children, page,
                  page->root->space->token_width());
      if (page->parent != nullptr) {
        page->parent->n_children--;
        settle_locked(page->parent);
      }
      page->root->references.fetch_add(1, std::memory_order_relaxed);
      counters_->pages.fetch_sub(1, std::memory_order_relaxed);
      gone.push_back(page);
      roots.push_back(page->root);
    }
    ++tensor_changes_;
    for (const std::string& domain : {tenant, own_domain(tenant)}) {
      for (auto it = tensors_.lower_bound(TensorKey{domain, {}}); it != tensors_.end() && it->first.first == domain;) {
        policy_->removed(*it->second);
        counters_->tensors.fetch_sub(1, std::memory_order_relaxed);
        tensors.push_back(tensors_.extract(it++));
      }
    }
  }
  for (Page* page : gone) free_page(page);
  for (Root* root : roots) release_root(root);
  for (TensorMap::node_type& node : tensors) free_tensor(node.mapped());
  *removed += gone.size() + tensors.size();
}

Status Cache::purge(const std::string& tenant, uint64_t* pages) {
  uint64_t removed = 0, in_use = 0;
  // What still waits would be written after the purge.
  if (disk_->store() != nullptr) KVC_RETURN_IF_ERROR(disk_->persist(UINT64_MAX));
  {
    // What is on its way into memory counts, and does not come later.
    const std::lock_guard lock(sessions_mutex_);
    for (const auto& [number, session] : sessions_) session->finish_promotion(tenant);
  }
  purge_memory(tenant, &removed, &in_use);
  if (disk_->store() != nullptr) {
    const uint64_t before = disk_->store()->stats().pages;
    KVC_RETURN_IF_ERROR(disk_->store()->purge(tenant));
    KVC_RETURN_IF_ERROR(disk_->store()->purge(own_domain(tenant)));
    const uint64_t after = disk_->store()->stats().pages;
    removed = std::max(removed, before > after ? before - after : 0);
  }
  if (pages != nullptr) *pages = removed;
  if (in_use == 0) return Status::ok();
  return error(KVC_E_BUSY, "%llu pages of tenant '%.100s' stay in memory, because open sessions use them: close them first",
               static_cast<unsigned long long>(in_use), tenant.c_str());
}

}  // namespace kvc
