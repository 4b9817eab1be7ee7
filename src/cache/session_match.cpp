// Finding the longest stored prefix of a prompt, in memory and on disk, and why there is no longer one.
#include <algorithm>
#include <utility>

#include "cache/cache.h"
#include "cache/counters.h"
#include "cache/disk_fetch.h"
#include "cache/session.h"

namespace kvc {

// Brings what continues the prompt from disk into memory. The lock is not held while it waits.
Status Session::fetch(std::span<const int32_t> tokens, std::unique_ptr<Fetch>* fetch) {
  cache_->load_calibrations(*space_);
  {
    std::lock_guard lock(mutex_);
    KVC_RETURN_IF_ERROR(check_open());
    KVC_RETURN_IF_ERROR(space_->check_tokens(tokens));
    KVC_RETURN_IF_ERROR(settle());
    if (cache_->disk_->reads() && cache_->options_.reuse) {
      *fetch = std::make_unique<Fetch>(cache_, root_, tokens, options_.accept(), /*layerwise=*/true);
    }
  }
  if (*fetch != nullptr) (*fetch)->advance(UINT64_MAX);
  return Status::ok();
}

// Attaches what a fetch found where it continues what is in memory; else its pages are linked, for the walk to find.
bool Session::attach_promotion(std::span<const int32_t> tokens, Fetch* fetch) {
  if (fetch == nullptr || fetch->promotion() == nullptr) return false;
  Page* memory;
  {
    std::shared_lock index(cache_->index_mutex_);
    memory = cache_->walk(*root_, last_, tokens.subspan(sealed_tokens()), options_.accept()).last;
  }
  if (pinned_ || memory != fetch->promotion()->base() || fetch->promoted_tokens() <= length_locked()) {
    fetch->settle();
    return false;
  }
  Page *last, *partial;
  size_t common = 0;
  promotion_ = fetch->take_promotion(&last, &partial, &common);
  set_tail(partial, common);
  cache_->unreference(std::exchange(last_, last));
  return true;
}

Status Session::match(std::span<const int32_t> tokens, size_t* reused, const Fetch* fetched) {
  std::unique_ptr<Fetch> own;  // keeps what it found until it is attached below
  if (fetched == nullptr && cache_->disk_->reads()) {
    KVC_RETURN_IF_ERROR(fetch(tokens, &own));
    fetched = own.get();
  }
  std::lock_guard lock(mutex_);
  KVC_RETURN_IF_ERROR(check_open());
  KVC_RETURN_IF_ERROR(settle());
  KVC_RETURN_IF_ERROR(space_->check_tokens(tokens));
  if (has_uncommitted()) {
    return error(KVC_E_ORDER, "tokens are appended and not committed: commit or truncate before matching");
  }
  KVC_RETURN_IF_ERROR(settle_device_to_write());
  const size_t length = length_locked();
  if (length > 0) {
    std::vector<int32_t> own(std::min(length, tokens.size()));
    KVC_RETURN_IF_ERROR(copy_tokens(0, own.size(), own.data()));
    if (own.size() < length || !std::equal(own.begin(), own.end(), tokens.begin())) {
      return error(KVC_E_ORDER,
                   "the session's %zu tokens are not the beginning of the %zu tokens to match: truncate it first",
                   length, tokens.size());
    }
  }
  const bool promoted = attach_promotion(tokens, own.get());
  const int32_t disk_miss = fetched != nullptr ? fetched->miss() : KVC_MISS_NONE;
  size_t total = promoted ? length_locked() : 0;
  bool raise = false;
  Cache::Walk found;
  if (cache_->options_.reuse && !promoted) {
    std::shared_lock index(cache_->index_mutex_);
    found = cache_->walk(*root_, last_, tokens.subspan(sealed_tokens()), options_.accept());
    total = (found.last != nullptr ? found.last->depth + size_t{1} : 0) * geometry().page_tokens + found.common;
    if (total > length) {
      if (found.last != nullptr && found.last != last_) cache_->reference(found.last);
      if (found.partial != nullptr) cache_->reference(found.partial);
      cache_->record_use(found.partial != nullptr ? found.partial : found.last);
      raise = found.last != nullptr && found.last->priority < priority_;
    }
  }
  if (total > length && !promoted) {
    Page* const before = last_;
    last_ = found.last;
    set_tail(found.partial, found.common);
    if (before != last_) cache_->unreference(before);
    if (raise) cache_->raise_priority(last_, priority_);
    if (pinned_) cache_->set_pinned(last_, true);
  }
  matched_ = std::max<uint64_t>(matched_, total);
  *reused = length_locked();

  miss_space_ = nullptr;
  miss_at_ = *reused;
  if (tokens.empty()) {
    miss_reason_ = KVC_MISS_SHORT;
  } else if (!cache_->options_.reuse) {
    miss_reason_ = KVC_MISS_DISABLED;
  } else if (*reused == tokens.size()) {
    miss_reason_ = KVC_MISS_NONE;
  } else if (disk_miss != KVC_MISS_NONE) {
    miss_reason_ = disk_miss;
  } else if (*reused > 0) {
    miss_reason_ = KVC_MISS_PARTIAL;
  } else {
    miss_space_ = cache_->find_elsewhere(*root_, tokens);
    miss_reason_ = miss_space_ != nullptr ? KVC_MISS_IDENTITY : KVC_MISS_NEW;
  }
  Cache::Counters& counters = *cache_->counters_;
  counters.matches.add();
  if (total > 0) counters.match_hits.add();
  counters.matched_tokens.add(*reused);
  if (total > length && !cache_->codec_->is_clear()) {
    uint64_t aged = 0;
    counters.approximate_tokens.add(approximate_locked(&aged));
    counters.aged_tokens.add(aged);
  }
  counters.match_asked_tokens.add(tokens.size());
  counters.misses[miss_reason_].add();
  return Status::ok();
}

int32_t Session::miss(std::string* text) {
  std::lock_guard lock(mutex_);
  switch (miss_reason_) {
    case KVC_MISS_NEW:
      *text = "miss: this prefix was never stored here, or is evicted";
      break;
    case KVC_MISS_PARTIAL:
      *text = "partial: stored up to token " + std::to_string(miss_at_) + ", from there on the tokens differ";
      break;
    case KVC_MISS_IDENTITY:
      *text = "miss: " + space_->diff(*miss_space_);
      break;
    case KVC_MISS_DISABLED:
      *text = "miss: reuse is switched off (option mode)";
      break;
    case KVC_MISS_TIMEOUT:
      *text = "on disk from token " + std::to_string(miss_at_) + " on, but it did not come within option disk_timeout";
      break;
    case KVC_MISS_RECOMPUTE:
      *text = "on disk from token " + std::to_string(miss_at_) + " on, but to compute it is faster than to read it";
      break;
    case KVC_MISS_DAMAGED:
      *text = "on disk from token " + std::to_string(miss_at_) + " on, but what was read failed its check";
      break;
    case KVC_MISS_SHORT:
      *text = "miss: there is no token to reuse";
      break;
    default:
      text->clear();
  }
  return miss_reason_;
}

}  // namespace kvc
