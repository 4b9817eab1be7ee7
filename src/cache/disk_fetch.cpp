#include "cache/disk_fetch.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/cache.h"

namespace kvc {
namespace {

constexpr uint64_t kForever = uint64_t{1} << 60;

std::chrono::steady_clock::time_point after(std::chrono::steady_clock::time_point from, uint64_t ns) {
  return from + std::chrono::nanoseconds(std::min(ns, kForever));
}

}  // namespace

Fetch::Fetch(Cache* cache, Root* root, std::span<const int32_t> tokens, Accept accept, bool layerwise)
    : cache_(cache),
      disk_(cache->disk_.get()),
      root_(root),
      accept_(accept),
      layerwise_(layerwise && !disk_->decode_at_once_.load(std::memory_order_relaxed)),
      page_tokens_(root->space->geometry().page_tokens),
      tokens_(tokens.begin(), tokens.end()),
      shared_(std::make_shared<Shared>()) {
  root_->references.fetch_add(1, std::memory_order_relaxed);
  try {
    list_forms();
    look_up();
  } catch (...) {
    cache_->unreference(last_);
    cache_->release_root(root_);
    throw;
  }
}

Fetch::~Fetch() {
  for (const auto& read : reads_) {
    bool done;
    {
      const std::lock_guard lock(shared_->mutex);
      done = read->done || shared_->given_up;
    }
    if (!done) read->place.store->cancel(read->ticket);
  }
  promotion_.reset();  // before the pages that it decodes
  cache_->unreference(partial_);
  cache_->unreference(last_);
  cache_->release_root(root_);
}

std::unique_ptr<Promotion> Fetch::take_promotion(Page** last, Page** partial, size_t* common) noexcept {
  *last = std::exchange(last_, nullptr);
  *partial = std::exchange(partial_, nullptr);
  *common = partial_common_;
  return std::move(promotion_);
}

void Fetch::settle() {
  if (promotion_ == nullptr) return;
  if (promotion_->wait_all().is_ok()) {
    promotion_->link(&last_, &partial_);
  } else {
    Page* const base = promotion_->base();
    if (base != nullptr) cache_->reference(base);
    promotion_.reset();
    cache_->unreference(std::exchange(partial_, nullptr));
    cache_->unreference(std::exchange(last_, base));
    miss_ = KVC_MISS_DAMAGED;
  }
  promotion_.reset();
}

std::span<const int32_t> Fetch::rest() const noexcept {
  return std::span<const int32_t>(tokens_).subspan(from_ + linked_ * page_tokens_);
}

bool Fetch::advance(uint64_t wait_ns) noexcept {
  if (stage_ == Stage::over) return true;
  const Moment now = std::chrono::steady_clock::now();
  if (!started_) {
    started_ = true;
    began_ = now;
    deadline_ = after(now, disk_->options_.timeout_ns);
    size_t bytes = 0;
    for (const Place& place : plan_) bytes += place.bytes;
    layerwise_ = layerwise_ && bytes >= disk_->options_.layerwise_bytes;
    if (!plan_.empty() && disk_->overdue_.load(std::memory_order_relaxed) > 0) {
      disk_->counters_.timeouts.add();
      end(KVC_MISS_TIMEOUT);
      return true;
    }
    if (!plan_.empty() && !disk_->worth_reading(*root_->space, plan_.size() * page_tokens_, bytes)) {
      disk_->counters_.recomputed.add(plan_.size());
      end(KVC_MISS_RECOMPUTE);
      return true;
    }
  }
  const Moment until = std::min(deadline_, after(now, wait_ns));
  try {
    while (stage_ != Stage::over) {
      while (reads_.size() <= disk_->options_.prefetch && begin_next()) {
      }
      if (reads_.empty()) {
        end(KVC_MISS_NONE);
        break;
      }
      const std::shared_ptr<Read> read = reads_.front();
      if (!wait_for(*read, until)) {
        if (disk_->stopping_.load(std::memory_order_relaxed) || std::chrono::steady_clock::now() >= deadline_) {
          disk_->counters_.timeouts.add();
          give_up();
          end(KVC_MISS_TIMEOUT);
          break;
        }
        return false;
      }
      reads_.pop_front();
      take(read.get());
    }
  } catch (const std::bad_alloc&) {
    end(KVC_MISS_NONE);
  }
  return true;
}

// The next read of the present stage. False: there is none, or no room for it.
bool Fetch::begin_next() {
  const PageGeometry& g = root_->space->geometry();
  if (stage_ == Stage::pages && begun_ < plan_.size()) {
    auto read = std::make_shared<Read>();
    read->place = plan_[begun_];
    const auto part = std::span<const int32_t>(tokens_).subspan(from_ + begun_ * page_tokens_, page_tokens_);
    read->tokens.assign(part.begin(), part.end());
    const size_t bytes = read->place.bytes;
    if (!cache_->new_blob(bytes, &read->blob)) {
      begun_ = plan_.size();  // what is under way is all
      return false;
    }
    ++begun_;
    std::byte* const out = read->blob.data();
    const uint8_t codec = read->place.form.codec;
    begin(std::move(read), {out, bytes}, codec);
    return true;
  }
  if (!reads_.empty() || stage_ != Stage::pages) return false;
  // All whole pages are there: what of the rest does a page begin with?
  stage_ = Stage::clue;
  const auto left = rest();
  if (left.size() <= (linked_ == 0 ? common_ : 0)) return false;
  const PageId parent = last_ != nullptr ? last_->id : root_->space->digest();
  auto read = std::make_shared<Read>();
  Place& place = read->place;
  place.stored_parent = parent;
  place.stored = clue_id(root_->tenant_key, parent, left[0]);
  place.store = holder(place.stored, false);
  if (place.store == nullptr && packs_) {
    place.pack = true;
    place.stored_parent = pack_parent_;
    place.stored = clue_id(pack_key(), pack_parent_, left[0]);
    place.store = holder(place.stored, true);
  }
  if (read->place.store == nullptr) return false;
  if (disk_->overdue_.load(std::memory_order_relaxed) > 0) {
    disk_->counters_.timeouts.add();
    end(KVC_MISS_TIMEOUT);
    return false;
  }
  read->tokens = {left[0], -1};
  read->clue.resize(clue_bytes(g));
  const std::span<std::byte> out(read->clue);
  begin(std::move(read), out, kClueCodec);
  return true;
}

void Fetch::begin(std::shared_ptr<Read> read, std::span<std::byte> out, uint8_t codec) {
  GetPage page;
  page.id = read->place.stored;
  page.parent = read->place.stored_parent;
  page.space = root_->space->digest();
  page.tokens = read->tokens;
  page.codec = codec;
  page.payload_bytes = out.size();
  page.out = out;
  page.owner = read;
  if (layerwise_ && stage_ == Stage::pages && cache_->codec_with(codec)->is_clear()) page.later = &read->later;
  reads_.push_back(read);
  read->ticket = read->place.store->get(page, [read, shared = shared_, disk = disk_](DiskMiss result) {
    const std::lock_guard lock(shared->mutex);
    read->done = true;
    read->result = result;
    if (shared->given_up) disk->overdue_.fetch_sub(1, std::memory_order_relaxed);
    shared->changed.notify_one();
  });
}

// False: not done by then.
bool Fetch::wait_for(const Read& read, Moment until) noexcept {
  std::unique_lock lock(shared_->mutex);
  // In slices, so that an engine that ends is not waited for long.
  while (!read.done && !disk_->stopping_.load(std::memory_order_relaxed)) {
    const Moment now = std::chrono::steady_clock::now();
    if (now >= until) break;
    shared_->changed.wait_until(lock, std::min(until, now + std::chrono::milliseconds(50)));
  }
  return read.done;
}

void Fetch::give_up() noexcept {
  const std::lock_guard lock(shared_->mutex);
  shared_->given_up = true;
  uint32_t waiting = 0;
  for (const auto& read : reads_) waiting += read->done ? 0 : 1;
  disk_->overdue_.fetch_add(waiting, std::memory_order_relaxed);
}

// A read came back.
void Fetch::take(Read* read) {
  switch (read->result) {
    case DiskMiss::none:
      break;
    case DiskMiss::damaged:
    case DiskMiss::tokens:
      // A damaged clue costs the end of one page: not worth a word.
      if (stage_ != Stage::clue) disk_->counters_.damaged.add();
      return end(stage_ == Stage::clue ? KVC_MISS_NONE : KVC_MISS_DAMAGED);
    case DiskMiss::slow:
      disk_->counters_.timeouts.add();
      return end(KVC_MISS_TIMEOUT);
    case DiskMiss::io:
      disk_->counters_.read_errors.add();
      return end(KVC_MISS_DAMAGED);
    default:
      return end(KVC_MISS_NONE);
  }
  if (stage_ != Stage::clue) {
    // The store cannot know this: that the page is coded as its name says.
    const PageForm& form = read->place.form;
    const std::span<const std::byte> coded(read->blob.data(), read->blob.bytes());
    const Codec& codec = *cache_->codec_with(form.codec);
    const PageGeometry& g = root_->space->geometry();
    const bool whole = form.calibration == Digest{} || codec.decode(g, coded, 0, KVC_KEY, 0, 0, nullptr, 0, 0).is_ok();
    if (!whole || codec.calibration_of(coded) != form.calibration || codec.format_of(coded) != form.format) {
      disk_->counters_.damaged.add();
      return end(KVC_MISS_DAMAGED);
    }
  }
  if (stage_ == Stage::pages) {
    if (read->later != nullptr && read->later->groups() != root_->space->geometry().n_layers) {
      // Not written by a cache, but right all the same.
      for (uint32_t group = 0; group < read->later->groups(); ++group) {
        if (read->later->decode(group)) continue;
        disk_->counters_.damaged.add();
        return end(KVC_MISS_DAMAGED);
      }
      read->later.reset();
    }
    if (!link(read)) return end(KVC_MISS_NONE);
    pack_parent_ = packs_ ? page_id(pack_key(), pack_parent_, read->tokens) : pack_parent_;
    ++linked_;
    disk_->counters_.hits.add();
    disk_->counters_.hit_tokens.add(page_tokens_);
    return;
  }
  const auto left = rest();
  if (stage_ == Stage::child) {
    if (link(read)) {
      disk_->counters_.hits.add();
      const size_t n = std::min(left.size(), read->tokens.size());
      const auto common = std::mismatch(left.begin(), left.begin() + static_cast<ptrdiff_t>(n), read->tokens.begin());
      partial_common_ = static_cast<size_t>(common.first - left.begin());
      disk_->counters_.hit_tokens.add(partial_common_);
    }
    return end(KVC_MISS_NONE);
  }

  // A clue: the tokens of a page that begins as what is left does.
  uint32_t n = 0;
  std::memcpy(&n, read->clue.data(), sizeof n);
  if (n == 0 || n > page_tokens_) return end(KVC_MISS_NONE);
  auto child = std::make_shared<Read>();
  child->tokens.resize(n);
  std::memcpy(child->tokens.data(), read->clue.data() + sizeof n, n * sizeof(int32_t));
  size_t common = 0;
  while (common < std::min<size_t>(n, left.size()) && child->tokens[common] == left[common]) ++common;
  if (common <= (linked_ == 0 ? common_ : 0) || !root_->space->check_tokens(child->tokens).is_ok()) {
    return end(KVC_MISS_NONE);
  }
  const PageId parent = last_ != nullptr ? last_->id : root_->space->digest();
  const bool pack = read->place.pack;
  const PageId id = page_id(root_->tenant_key, parent, child->tokens);
  const PageId named = pack ? page_id(pack_key(), pack_parent_, child->tokens) : id;
  const size_t depth = from_ / page_tokens_ + linked_;
  child->place.id = id;
  child->place.stored_parent = read->place.stored_parent;
  if (!find(pack ? pack_key() : root_->tenant_key, named, depth, pack, &child->place)) return end(KVC_MISS_NONE);
  const size_t bytes = child->place.bytes;
  const uint8_t codec = child->place.form.codec;
  if (!cache_->new_blob(bytes, &child->blob)) return end(KVC_MISS_NONE);
  stage_ = Stage::child;
  std::byte* const out = child->blob.data();
  begin(std::move(child), {out, bytes}, codec);
}

// Makes a page of what was read and links it. False: no memory for it.
bool Fetch::link(Read* read) {
  const auto depth = static_cast<uint32_t>(last_ != nullptr ? last_->depth + 1 : 0);
  bytes_ += read->blob.bytes();
  Page* page = cache_->new_page(root_, read->tokens, read->place.id, depth, std::move(read->blob),
                                read->place.form.codec, read->place.form.approximate);
  page->aged = read->place.form.aged;
  page->on_disk.store(true, std::memory_order_relaxed);
  try {
    if (promotion_ == nullptr && read->later != nullptr) {
      promotion_ = std::make_unique<Promotion>(cache_, root_->space->geometry().n_layers, last_, accept_);
    }
    if (promotion_ != nullptr && stage_ == Stage::pages) promotion_->add(page, std::move(read->later));
  } catch (...) {
    cache_->free_page(page);
    throw;
  }
  if (promotion_ != nullptr) {
    if (stage_ == Stage::pages) {
      page->parent = last_;  // with this object's reference on it
      last_ = page;
    } else {
      promotion_->add_partial(page);
      partial_ = page;
    }
    return true;
  }
  page->parent = last_;
  Page* kept = cache_->publish(page, accept_);
  if (kept != page) cache_->free_page(page);
  if (kept == nullptr) return false;
  if (kept->n_tokens == page_tokens_ && stage_ == Stage::pages) {
    cache_->unreference(last_);
    last_ = kept;
  } else {
    partial_ = kept;
  }
  return true;
}

void Fetch::end(int32_t miss) noexcept {
  stage_ = Stage::over;
  miss_ = miss;
  const auto taken = std::chrono::steady_clock::now() - began_;
  disk_->measured_read(bytes_, static_cast<uint64_t>(std::chrono::nanoseconds(taken).count()));
  if (promotion_ != nullptr) promotion_->start(disk_->options_.promotion_thread);
  if (bytes_ == 0 && miss == KVC_MISS_NONE) disk_->counters_.misses.add();
  if (bytes_ > 0) cache_->collect();
}

}  // namespace kvc
