// Appending and committing.
//
// A call either does everything or leaves the session as it was: room is made before the first byte is written, pages
// are made before the first one is published.
#include <algorithm>
#include <cstring>

#include "attend/copy.h"
#include "cache/cache.h"
#include "cache/copy_size.h"
#include "cache/counters.h"

namespace kvc {
namespace {

Status check_rows(const TensorView& rows, const char* what, size_t n, const PageGeometry& g, int plane) {
  if (rows.dtype != g.dtype) {
    return error(KVC_E_DTYPE, "%s is %s, but the space keeps %s: convert it before appending", what,
                 dtype_name(rows.dtype), dtype_name(g.dtype));
  }
  if (rows.n_dims != 3) return error(KVC_E_SHAPE, "%s has %u dims: give 3, [token][head][dim]", what, rows.n_dims);
  const int64_t want[3] = {static_cast<int64_t>(n), g.n_kv_heads, g.dim(plane)};
  if (!std::equal(want, want + 3, rows.shape)) {
    return error(KVC_E_SHAPE, "%s has shape [%lld][%lld][%lld], needed is [%lld tokens][%lld heads][%lld dim]", what,
                 static_cast<long long>(rows.shape[0]), static_cast<long long>(rows.shape[1]),
                 static_cast<long long>(rows.shape[2]), static_cast<long long>(want[0]),
                 static_cast<long long>(want[1]), static_cast<long long>(want[2]));
  }
  if (rows.strides[2] != 1 && want[2] != 1) {
    return error(KVC_E_SHAPE, "%s has stride %lld between the numbers of a head: needed is 1", what,
                 static_cast<long long>(rows.strides[2]));
  }
  return Status::ok();
}

}  // namespace

Status Session::check_append_range(uint32_t layer, size_t n) const {
  const PageGeometry& g = geometry();
  if (layer >= g.n_layers)
    return error(KVC_E_OUT_OF_RANGE, "layer %u does not exist: the space has %u (0 to %u)", layer, g.n_layers,
                 g.n_layers - 1);
  if (n == 0 || n > (size_t{1} << 28) || cursor_[layer] + n > (size_t{1} << 30)) {
    return error(KVC_E_OUT_OF_RANGE, "%zu tokens cannot be appended at once: append at least 1 and at most %zu", n,
                 size_t{1} << 28);
  }
  return Status::ok();
}

Status Session::check_append(uint32_t layer, const TensorView& k, const TensorView& v, size_t n) const {
  const PageGeometry& g = geometry();
  KVC_RETURN_IF_ERROR(check_append_range(layer, n));
  KVC_RETURN_IF_ERROR(check_rows(k, "k", n, g, KVC_KEY));
  return check_rows(v, "v", n, g, KVC_VALUE);
}

// Of a tail of so many tokens, the pages that are to be sealed.
size_t Session::sealable(size_t tail) const noexcept {
  const size_t exact = cache_->codec_of(geometry()).is_clear() || options_.exact ? 0 : cache_->options_.codec_window;
  return tail > exact ? (tail - exact) / geometry().page_tokens : 0;
}

// The page that is written to next: if others use it too, it is copied. Pages before it are full and only read, pages
// after it hold nothing that is committed, so nobody else has them.
Status Session::own_last_page() {
  const PageGeometry& g = geometry();
  const size_t index = tail_tokens_.size() / g.page_tokens;
  if (index >= open_.size()) return Status::ok();
  OpenPage& last = open_[index];
  if (last.source == nullptr && last.blob.exclusive()) return Status::ok();
  BlobRef own;
  if (!cache_->new_blob(g.page_bytes(), &own)) {
    return error(KVC_E_NO_MEMORY, "no room to copy a shared page of %zu bytes: nothing more can be evicted",
                 g.page_bytes());
  }
  const auto kept = static_cast<uint32_t>(tail_tokens_.size() % g.page_tokens);
  const Codec& codec = last.source != nullptr ? cache_->codec_of(*last.source) : *find_codec("identity");
  const BlobRef& shared = last.source != nullptr ? last.source->blob : last.blob;
  const std::span<const std::byte> encoded(shared.data(), shared.bytes());
  const bool sparse = codec.id() == kSparseCodecId;
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (int plane : {KVC_KEY, KVC_VALUE}) {
      KVC_RETURN_IF_ERROR(codec.decode(g, encoded, layer, plane, 0, sparse ? 0 : kept,
                                       own.data() + g.plane_offset(layer, plane), g.head_bytes(plane),
                                       g.row_bytes(plane)));
    }
    if (sparse) {
      // Whole: the session goes on from its own copy, in which nothing is left out.
      KVC_RETURN_IF_ERROR(
          cache_->read_cold(*root_, last.source->id, layer, own.data() + g.plane_offset(layer, KVC_KEY)));
    }
  }
  if (last.source != nullptr) {
    last.approximate = last.source->approximate;
    last.aged = last.source->aged;
    cache_->unreference(last.source);
  }
  last.source = nullptr;
  last.blob = std::move(own);
  return Status::ok();
}

// Own pages for the first tail_tokens tokens of the tail.
Status Session::make_room(size_t tail_tokens) {
  const PageGeometry& g = geometry();
  const size_t needed = (tail_tokens + g.page_tokens - 1) / g.page_tokens;
  open_.reserve(needed);
  KVC_RETURN_IF_ERROR(own_last_page());
  const size_t had = open_.size();
  while (open_.size() < needed) {
    OpenPage page;
    if (!cache_->new_blob(g.page_bytes(), &page.blob)) {
      open_.resize(had);
      return error(KVC_E_NO_MEMORY,
                   "no room for %zu pages of %zu bytes: %llu of %llu bytes are in use and nothing more can be evicted; "
                   "close sessions, "
                   "unpin, or raise option memory",
                   needed - had, g.page_bytes(), static_cast<unsigned long long>(cache_->live_bytes()),
                   static_cast<unsigned long long>(cache_->memory_.limit()));
    }
    open_.push_back(std::move(page));
  }
  return Status::ok();
}

void Session::write_rows(uint32_t layer, int plane, size_t tail_from, size_t n, const TensorView& rows,
                         bool streaming) noexcept {
  const PageGeometry& g = geometry();
  const size_t element = element_bytes(g.dtype);
  RowGrid grid;
  grid.n_outer = g.n_kv_heads;
  grid.src_outer = static_cast<size_t>(rows.strides[1]) * element;
  grid.src_inner = static_cast<size_t>(rows.strides[0]) * element;
  grid.dst_outer = g.head_bytes(plane);
  grid.dst_inner = g.row_bytes(plane);
  grid.row_bytes = g.row_bytes(plane);
  const std::byte* src = rows.data;
  while (n > 0) {
    const size_t in_page = tail_from % g.page_tokens;
    grid.n_inner = std::min<size_t>(n, g.page_tokens - in_page);
    std::byte* page = open_[tail_from / g.page_tokens].blob.data();
    copy_grid(page + g.plane_offset(layer, plane) + in_page * grid.row_bytes, src, grid, streaming);
    src += grid.n_inner * grid.src_inner;
    tail_from += grid.n_inner;
    n -= grid.n_inner;
  }
}

// Whether a copy of K and V is so large that it goes past the processor's caches.
bool Session::streams(size_t n_tokens, size_t n_layers) const noexcept {
  const PageGeometry& g = geometry();
  return n_tokens * (g.row_bytes(KVC_KEY) + g.row_bytes(KVC_VALUE)) * g.n_kv_heads * n_layers >= kStreamingBytes;
}

Status Session::append(uint32_t layer, const TensorView& k, const TensorView& v, size_t n) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(check_append(layer, k, v, n));
  KVC_RETURN_IF_ERROR(settle_device_to_write());
  const size_t at = cursor_[layer];
  KVC_RETURN_IF_ERROR(make_room(at + n));
  const bool streaming = streams(n, 1);
  write_rows(layer, KVC_KEY, at, n, k, streaming);
  write_rows(layer, KVC_VALUE, at, n, v, streaming);
  cursor_[layer] = static_cast<uint32_t>(at + n);
  return Status::ok();
}

Status Session::append_all(std::span<const TensorView> k, std::span<const TensorView> v, size_t n) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  const PageGeometry& g = geometry();
  if (k.size() != g.n_layers || v.size() != g.n_layers) {
    return error(KVC_E_SHAPE, "tensors for %zu layers were given, the space has %u", k.size(), g.n_layers);
  }
  size_t end = 0;
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    KVC_RETURN_IF_ERROR(check_append(layer, k[layer], v[layer], n));
    end = std::max(end, cursor_[layer] + n);
  }
  KVC_RETURN_IF_ERROR(settle_device_to_write());
  KVC_RETURN_IF_ERROR(make_room(end));
  const bool streaming = streams(n, g.n_layers);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    write_rows(layer, KVC_KEY, cursor_[layer], n, k[layer], streaming);
    write_rows(layer, KVC_VALUE, cursor_[layer], n, v[layer], streaming);
    cursor_[layer] += static_cast<uint32_t>(n);
  }
  return Status::ok();
}

// Makes, but does not publish, a page for each of the first n open ones, which are full and named.
Status Session::prepare_pages(size_t n, std::vector<Page*, CountedAllocator<Page*>>* pages) {
  const PageGeometry& g = geometry();
  pages->reserve(n);
  PageId parent = last_ != nullptr ? last_->id : space_->digest();
  for (size_t i = 0; i < n; ++i) {
    BlobRef blob = open_[i].blob;
    const auto depth = static_cast<uint32_t>(sealed_pages() + i);
    uint8_t codec = find_codec("identity")->id();
    // What has been through a lossy codec is not quantised a second time.
    const BlobRef clear = blob;
    if (!options_.exact && !open_[i].approximate && !take_codes(i, &blob, &codec)) {
      KVC_RETURN_IF_ERROR(cache_->encode(*space_, depth, recent_.get(), queries_, &blob, &codec));
    }
    const bool approximate = open_[i].approximate || !cache_->codec_with(codec)->is_clear();
    const std::span<const int32_t> tokens(tail_tokens_.data() + i * g.page_tokens, g.page_tokens);
    parent = page_id(root_->tenant_key, parent, tokens);
    if (codec == kSparseCodecId) KVC_RETURN_IF_ERROR(cache_->keep_cold(*root_, parent, clear));
    Page* page = cache_->new_page(root_, tokens, parent, depth, std::move(blob), codec, approximate);
    page->aged = open_[i].aged;
    page->priority = static_cast<int16_t>(priority_);
    pages->push_back(page);
  }
  return Status::ok();
}

// Moves the session's end over sealed pages, into the index where it may. Room in path_ has been reserved.
void Session::publish_pages(std::span<Page*> pages) noexcept {
  for (Page*& page : pages) {
    const bool path_complete = path_.size() == sealed_pages();
    Page* const own = page;
    last_ = page = cache_->extend(last_, own, options_.publish, options_.accept());
    if (page != own) {
      cache_->counters_->pages_deduplicated.add();
    } else if (page->published) {
      cache_->disk_->sealed(page);
    }
    if (path_complete) path_.push_back(last_);
  }
}

Status Session::commit(std::span<const int32_t> tokens) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  const PageGeometry& g = geometry();
  const size_t n = tokens.size();
  const size_t tail = tail_tokens_.size();
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    if (cursor_[layer] == tail + n) continue;
    return error(
        KVC_E_MISSING_LAYERS,
        "layer %u has %zu uncommitted tokens, %zu are to be committed: append the same number to all %u layers", layer,
        cursor_[layer] - tail, n, g.n_layers);
  }
  KVC_RETURN_IF_ERROR(space_->check_tokens(tokens));
  if (n == 0) return Status::ok();
  KVC_RETURN_IF_ERROR(settle());

  const size_t full = sealable(tail + n);
  try {
    tail_tokens_.insert(tail_tokens_.end(), tokens.begin(), tokens.end());
  } catch (const std::bad_alloc&) {
    return error(KVC_E_NO_MEMORY, "no room for %zu tokens of metadata: nothing more can be evicted", n);
  }
  const Status sealed = seal(arrived(full));
  if (!sealed.is_ok()) tail_tokens_.resize(tail);
  return sealed;
}

// Seals the first open pages, which are full and named. On an error nothing has changed.
Status Session::seal(size_t full) {
  if (full == 0) return Status::ok();
  std::vector<Page*, CountedAllocator<Page*>> pages{CountedAllocator<Page*>(&cache_->memory_)};
  const auto undo = [&]() noexcept {
    for (Page* page : pages) cache_->free_page(page);
  };
  Status prepared;
  try {
    path_.reserve(path_.size() + full);
    prepared = prepare_pages(full, &pages);
  } catch (const std::bad_alloc&) {
    undo();  // first: the words may find no memory either
    return error(KVC_E_NO_MEMORY, "no room for the metadata of %zu pages: nothing more can be evicted", full);
  }
  if (!prepared.is_ok()) {
    undo();
    return prepared;
  }
  publish_pages(pages);  // from here on they are those that are kept
  hand_places(pages);
  drop_sealed(full);
  cache_->counters_->pages_sealed.add(full);
  if (pinned_) cache_->set_pinned(last_, true);
  cache_->collect();
  cache_->age_pages();
  return Status::ok();
}

// Takes pages that are sealed now off the tail.
void Session::drop_sealed(size_t pages) noexcept {
  const size_t tokens = pages * geometry().page_tokens;
  open_.erase(open_.begin(), open_.begin() + static_cast<ptrdiff_t>(pages));
  tail_tokens_.erase(tail_tokens_.begin(), tail_tokens_.begin() + static_cast<ptrdiff_t>(tokens));
  for (uint32_t& cursor : cursor_) cursor -= static_cast<uint32_t>(tokens);
}

// Whether what the session holds after its last sealed page is of use to others.
bool Session::leaves_tail() const noexcept {
  const bool may_publish = options_.publish && (last_ == nullptr || last_->published);
  return may_publish && !tail_tokens_.empty();
}

// What a session that ends leaves behind after its last sealed page: the whole pages of its tail, and a short one, so
// that whoever comes back with the same tokens goes on where it stopped. The short page stays in the clear: it is the
// end of the sequence, and what continues it begins exactly. Not kept where it is stored already (borrowed) or is
// private. Without memory for it, it is lost.
void Session::keep_tail() noexcept {
  if (!leaves_tail()) return;
  try {
    if (!seal(tail_tokens_.size() / geometry().page_tokens).is_ok()) return;
  } catch (const std::bad_alloc&) {
    return;
  }
  if (!leaves_tail() || open_[0].source != nullptr) return;
  Page* page = nullptr;
  try {
    page = make_tail(open_[0].blob);
  } catch (const std::bad_alloc&) {
    return;
  }
  page->parent = last_;
  Page* kept = cache_->publish(page, options_.accept());
  if (kept != page) cache_->free_page(page);
  if (kept == nullptr) return;
  // The session ends in it from here on, for what its hint says.
  cache_->unreference(last_);
  last_ = kept;
  if (kept != page) return;
  cache_->counters_->pages_sealed.add();
  cache_->disk_->sealed(page);
}

Page* Session::make_tail(BlobRef blob) {
  const PageId id = page_id(root_->tenant_key, last_ != nullptr ? last_->id : space_->digest(), tail_tokens_);
  Page* page = cache_->new_page(root_, tail_tokens_, id, static_cast<uint32_t>(sealed_pages()), std::move(blob),
                                find_codec("identity")->id(), open_[0].approximate);
  page->aged = open_[0].aged;
  page->priority = static_cast<int16_t>(priority_);
  return page;
}

Page* Session::copy_tail(PageId* parent) noexcept {
  std::lock_guard lock(mutex_);
  const PageGeometry& g = geometry();
  // With a lossy codec a tail may be longer than a page; its whole pages are written when they are sealed.
  if (closed_ || !settle_device().is_ok() || !leaves_tail() || open_[0].source != nullptr || tail_tokens_.size() >= g.page_tokens) return nullptr;
  BlobRef copy;
  if (!cache_->new_blob(g.page_bytes(), &copy)) return nullptr;
  copy_beginning(g, open_[0].blob.data(), static_cast<uint32_t>(tail_tokens_.size()), copy.data());
  try {
    Page* page = make_tail(std::move(copy));
    root_->references.fetch_add(1, std::memory_order_relaxed);
    *parent = last_ != nullptr ? last_->id : space_->digest();
    return page;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

}  // namespace kvc
