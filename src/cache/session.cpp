// A session's life and its place in the chains. Matching is in session_match.cpp, writing in session_write.cpp, reading in
// session_read.cpp.
#include "cache/session.h"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/promotion.h"
#include "cache/session_device.h"

namespace kvc {

Session::Session(Cache* cache, std::shared_ptr<const Space> space, Root* root, SessionOptions options)
    : cache_(cache),
      space_(std::move(space)),
      root_(root),
      options_(std::move(options)),
      priority_(options_.priority),
      path_(CountedAllocator<Page*>(&cache->memory_)),
      open_(CountedAllocator<OpenPage>(&cache->memory_)),
      tail_tokens_(CountedAllocator<int32_t>(&cache->memory_)),
      cursor_(geometry().n_layers, 0, CountedAllocator<uint32_t>(&cache->memory_)),
      queries_(&cache->memory_) {
  // What match and truncate need is there from the beginning: an open session can always do both.
  tail_tokens_.reserve(geometry().page_tokens);
  open_.reserve(1);
  const std::lock_guard lock(cache_->sessions_mutex_);
  number_ = ++cache_->last_session_;
  cache_->sessions_.emplace_hint(cache_->sessions_.end(), number_, this);
  cache_->counters_->sessions.fetch_add(1, std::memory_order_relaxed);
}

Session::~Session() {
  {
    const std::lock_guard lock(cache_->sessions_mutex_);
    cache_->sessions_.erase(number_);
  }
  close(KVC_CLOSE_KEEP, 0);
}

Status Session::set_hint(SessionHint hint, uint64_t return_ns) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  end_.hint = hint;
  end_.return_ns = return_ns;
  return Status::ok();
}

Status Session::set_generated(uint64_t tokens) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  end_.generated = static_cast<uint32_t>(std::min<uint64_t>(tokens, std::numeric_limits<uint32_t>::max()));
  return Status::ok();
}

void Session::close(int32_t hint, uint64_t until_ns) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  drop_promotion();
  settle_device_or_cut();
  if (hint != KVC_CLOSE_FINISHED) keep_tail();
  leave_device();
  closed_ = true;
  end_in_borrowed();
  drop_tail();
  if (last_ != nullptr) {
    if (hint == KVC_CLOSE_FINISHED) end_ = SessionEnd{SessionHint::finished, 0, end_.generated};
    if (hint == KVC_CLOSE_IDLE) end_ = SessionEnd{SessionHint::idle, until_ns, end_.generated};
    cache_->tell_closed(last_, end_);
    if (hint != KVC_CLOSE_KEEP && !cache_->policy_->weighs_hints()) {
      cache_->hint_closed(last_, hint, priority_);  // how long an idle one stays away is nothing to these policies
    }
    cache_->unreference(last_);
    last_ = nullptr;
  }
  path_.clear();
  cache_->release_root(root_);
  cache_->collect();
  cache_->collect_pages();
  cache_->age_pages();
  cache_->counters_->sessions.fetch_sub(1, std::memory_order_relaxed);
}

Status Session::check_open() const {
  if (closed_) return error(KVC_E_CLOSED, "the session is closed");
  return Status::ok();
}

bool Session::has_uncommitted() const noexcept {
  return std::any_of(cursor_.begin(), cursor_.end(), [&](uint32_t c) { return c != tail_tokens_.size(); });
}

// Makes the tail the first `tokens` tokens of a page that the caller has referenced (nullptr and 0: an empty tail).
// Room in open_ and tail_tokens_ has been reserved.
void Session::set_tail(Page* source, size_t tokens) noexcept {
  drop_tail();
  if (source != nullptr) {
    open_.push_back(OpenPage{BlobRef(), source});
    tail_tokens_.resize(tokens);
    unpack_tokens(space_->token_width(), source->token_bytes(), tokens, tail_tokens_.data());
  }
  std::fill(cursor_.begin(), cursor_.end(), static_cast<uint32_t>(tokens));
}

void Session::drop_tail() noexcept {
  for (OpenPage& page : open_) {
    if (page.source != nullptr) cache_->unreference(page.source);
  }
  open_.clear();
  tail_tokens_.clear();
  std::fill(cursor_.begin(), cursor_.end(), 0);
}

// A session that used all of a short page and wrote nothing after it ends there.
void Session::end_in_borrowed() noexcept {
  Page* source = open_.empty() ? nullptr : open_[0].source;
  if (source == nullptr || !source->published || source->parent != last_ || source->tokens != tail_tokens_.size()) {
    return;
  }
  open_[0].source = nullptr;  // its reference is the end's
  cache_->unreference(last_);
  last_ = source;
}

// All that a promotion brings, there and linked. After a failure the session can only be closed.
Status Session::settle() {
  if (promotion_ == nullptr) return Status::ok();
  KVC_RETURN_IF_ERROR(promotion_->wait_all());
  const size_t base = promotion_->pages().front()->depth;
  Page* partial = open_.empty() ? nullptr : open_[0].source;
  promotion_->link(&last_, &partial);
  if (!open_.empty()) open_[0].source = partial;
  promotion_.reset();
  path_.resize(std::min(path_.size(), base));
  if (partial == nullptr || !partial->published) partial = last_;
  if (partial->published) {
    std::shared_lock index(cache_->index_mutex_);
    cache_->record_use(partial);
  }
  if (last_->priority < priority_) cache_->raise_priority(last_, priority_);
  cache_->collect_pages();
  return Status::ok();
}

Status Session::wait_layer(uint32_t layer) {
  if (promotion_ == nullptr) return Status::ok();
  return layer + 1 == geometry().n_layers ? settle() : promotion_->wait(layer);
}

// Of a session that ends: what is not decoded yet is let go. It is on disk.
void Session::drop_promotion() noexcept {
  if (promotion_ == nullptr) return;
  if (promotion_->layers_ready() == geometry().n_layers && settle().is_ok()) return;
  Page* const base = promotion_->base();
  if (base != nullptr) cache_->reference(base);
  drop_tail();
  path_.clear();
  promotion_.reset();  // before the pages that it decodes
  cache_->unreference(std::exchange(last_, base));
}

void Session::finish_promotion(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  if (!closed_ && options_.tenant == tenant) (void)settle();
}

uint32_t Session::layers_ready() {
  std::lock_guard lock(mutex_);
  return promotion_ != nullptr ? promotion_->layers_ready() : geometry().n_layers;
}

// Completes path_. What is there already is a beginning of the chain: last_ only moves on, or path_ is cut with it.
// Where the budget has no room for it, it stays as it is: page_at does without.
void Session::fill_path() noexcept {
  const size_t n = sealed_pages();
  const size_t have = path_.size();
  if (have == n) return;
  try {
    path_.resize(n);
  } catch (const std::bad_alloc&) {
    return;
  }
  Page* page = last_;
  for (size_t i = n; i > have; page = page->parent) path_[--i] = page;
}

// Page i of the chain; without path_ it is sought from the end. What a session holds can be read also when no byte is
// free.
Page* Session::page_at(size_t i) const noexcept {
  if (i < path_.size()) return path_[i];
  Page* page = last_;
  for (size_t at = sealed_pages(); at > i + 1; --at) page = page->parent;
  return page;
}

Status Session::copy_tokens(size_t from, size_t n, int32_t* out) {
  const size_t length = length_locked();
  if (from > length || n > length - from) {
    return error(KVC_E_OUT_OF_RANGE, "tokens %zu to %zu were asked for, but the session has %zu", from, from + n,
                 length);
  }
  fill_path();
  const size_t page_tokens = geometry().page_tokens;
  const size_t sealed = sealed_tokens();
  while (n > 0 && from < sealed) {
    const size_t in_page = from % page_tokens;
    const size_t run = std::min(n, page_tokens - in_page);
    const uint32_t width = space_->token_width();
    unpack_tokens(width, page_at(from / page_tokens)->token_bytes() + in_page * width, run, out);
    from += run;
    n -= run;
    out += run;
  }
  std::copy_n(tail_tokens_.begin() + static_cast<ptrdiff_t>(n > 0 ? from - sealed : 0), n, out);
  return Status::ok();
}

Status Session::truncate(size_t n) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(settle());
  const size_t length = length_locked();
  if (n > length)
    return error(KVC_E_OUT_OF_RANGE, "cannot truncate to %zu tokens: the session has %zu committed", n, length);
  KVC_RETURN_IF_ERROR(settle_device_to_cut(n > sealed_tokens() ? n - sealed_tokens() : 0));
  const size_t page_tokens = geometry().page_tokens;
  const size_t sealed = sealed_tokens();
  if (n >= sealed) {
    const size_t tail = n - sealed;
    const size_t kept = std::min(open_.size(), (tail + page_tokens - 1) / page_tokens);
    for (size_t i = kept; i < open_.size(); ++i) {
      if (open_[i].source != nullptr) cache_->unreference(open_[i].source);
    }
    open_.resize(kept);
    tail_tokens_.resize(tail);
    std::fill(cursor_.begin(), cursor_.end(), static_cast<uint32_t>(tail));
    return Status::ok();
  }
  fill_path();
  const size_t pages = n / page_tokens;
  Page* const last = pages > 0 ? page_at(pages - 1) : nullptr;
  Page* const source = n % page_tokens != 0 ? page_at(pages) : nullptr;
  // last_ keeps the whole chain until the new references are there.
  if (last != nullptr) cache_->reference(last);
  if (source != nullptr) cache_->reference(source);
  set_tail(source, n % page_tokens);
  Page* const before = last_;
  last_ = last;
  if (path_.size() > pages) path_.resize(pages);
  cache_->unreference(before);
  return Status::ok();
}

Status Session::fork(std::unique_ptr<Session>* out) {
  // Before the lock: opening a session takes the one that comes before.
  std::unique_ptr<Session> twin;
  KVC_RETURN_IF_ERROR(cache_->open_session(space_, options_, &twin));
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(settle());
  if (has_uncommitted())
    return error(KVC_E_ORDER, "tokens are appended and not committed: commit or truncate before forking");
  KVC_RETURN_IF_ERROR(settle_device());
  const size_t n_open = (tail_tokens_.size() + geometry().page_tokens - 1) / geometry().page_tokens;
  twin->open_.reserve(n_open);
  twin->tail_tokens_.reserve(tail_tokens_.size());
  // Nothing below fails. This session keeps what the twin takes references on.
  twin->priority_ = priority_;
  twin->matched_ = matched_;
  if (last_ != nullptr) cache_->reference(last_);
  twin->last_ = last_;
  for (size_t i = 0; i < n_open; ++i) {
    if (open_[i].source != nullptr) cache_->reference(open_[i].source);
    twin->open_.push_back(open_[i]);
  }
  twin->tail_tokens_.assign(tail_tokens_.begin(), tail_tokens_.end());
  std::fill(twin->cursor_.begin(), twin->cursor_.end(), static_cast<uint32_t>(tail_tokens_.size()));
  *out = std::move(twin);
  return Status::ok();
}

Status Session::pin(bool pinned) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(settle());
  if (!cache_->set_pinned(last_, pinned)) {
    return error(KVC_E_BUDGET, "pinning these %zu pages would pin more than option pin_limit, %llu bytes, allows",
                 sealed_pages(), static_cast<unsigned long long>(cache_->options_.pin_limit));
  }
  pinned_ = pinned;
  return Status::ok();
}

Status Session::set_priority(int32_t priority) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  if (priority < KVC_PRIORITY_BACKGROUND || priority > KVC_PRIORITY_CRITICAL) {
    return error(KVC_E_OUT_OF_RANGE, "priority %d is outside of %d to %d", priority, KVC_PRIORITY_BACKGROUND,
                 KVC_PRIORITY_CRITICAL);
  }
  KVC_RETURN_IF_ERROR(settle());
  priority_ = priority;
  cache_->raise_priority(last_, priority);
  return Status::ok();
}

Status Session::tokens(size_t from, size_t n, int32_t* out) {
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  return copy_tokens(from, n, out);
}

SessionInfo Session::info() {
  std::lock_guard lock(mutex_);
  SessionInfo info;
  info.length = length_locked();
  info.matched = matched_;
  info.approximate = approximate_locked(&info.aged);
  info.sparse = sparse_locked();
  info.pages = sealed_pages();
  const uint32_t appended = closed_ ? 0 : *std::min_element(cursor_.begin(), cursor_.end());
  info.pending = appended - std::min<uint64_t>(appended, tail_tokens_.size());
  for (const OpenPage& page : open_) {
    if (page.blob && page.blob.exclusive()) info.tail_bytes += page.blob.bytes();
  }
  info.priority = priority_;
  info.pinned = pinned_;
  info.domain = root_->tenant_key.word();
  return info;
}

size_t Session::appended(uint32_t layer) {
  std::lock_guard lock(mutex_);
  return layer < cursor_.size() ? sealed_tokens() + cursor_[layer] : 0;
}

size_t Session::length() {
  std::lock_guard lock(mutex_);
  return length_locked();
}

}  // namespace kvc
