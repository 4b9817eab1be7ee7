#include "cache/promotion.h"

#include <new>
#include <system_error>
#include <utility>

#include "base/signals.h"
#include "cache/cache.h"

namespace kvc {

Promotion::~Promotion() {
  stop();
  cache_->unreference(partial_);
}

void Promotion::stop() noexcept {
  {
    const Lock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  if (helper_.joinable()) helper_.join();
}

void Promotion::add(Page* page, std::unique_ptr<LaterGroups> groups) {
  if (groups != nullptr) parts_.push_back({nullptr, 0});
  try {
    pages_.push_back(page);
  } catch (const std::bad_alloc&) {
    if (groups != nullptr) parts_.pop_back();
    throw;
  }
  if (groups == nullptr) return;
  parts_.back().groups = std::move(groups);
  for (uint32_t& left : left_) ++left;
  bytes_ += page->bytes;
}

void Promotion::add_partial(Page* page) noexcept {
  cache_->reference(page);
  partial_ = page;
}

void Promotion::start(bool helper) noexcept {
  if (!helper) return;
  const SignalsBlocked blocked;
  try {
    helper_ = std::thread([this] {
      Lock lock(mutex_);
      while (decode_one(&lock, static_cast<uint32_t>(left_.size() - 1))) {
      }
    });
  } catch (const std::system_error&) {
    // Whoever reads decodes.
  }
}

// Decodes what is to be begun next. False: of the layers up to `through` nothing is, or no more is wanted.
bool Promotion::decode_one(Lock* lock, uint32_t through) noexcept {
  if (stopped_ || !failure_.is_ok() || next_ >= (through + size_t{1}) * parts_.size()) return false;
  const auto layer = static_cast<uint32_t>(next_ / parts_.size());
  Part& part = parts_[next_++ % parts_.size()];
  // The groups of a page follow one another: somebody may still be at the one before.
  changed_.wait(*lock, [&] { return part.done == layer || stopped_ || !failure_.is_ok(); });
  if (part.done != layer) return false;
  lock->unlock();
  int32_t code = KVC_OK;
  try {
    if (!part.groups->decode(layer)) code = KVC_E_CORRUPT;
  } catch (const std::bad_alloc&) {
    code = KVC_E_NO_MEMORY;
  }
  lock->lock();
  if (code != KVC_OK) {
    if (code == KVC_E_CORRUPT) cache_->disk_->promotion_failed();
    failure_ = Status(code, {});
  } else {
    ++part.done;
    if (--left_[layer] == 0) ready_ = layer + 1;
  }
  changed_.notify_all();
  return code == KVC_OK;
}

Status Promotion::wait(uint32_t layer) {
  Lock lock(mutex_);
  if (parts_.empty()) return Status::ok();
  while (decode_one(&lock, layer)) {
  }
  changed_.wait(lock, [&] { return ready_ > layer || stopped_ || !failure_.is_ok(); });
  if (ready_ > layer) return Status::ok();
  const int32_t code = failure_.code();
  lock.unlock();
  if (code == KVC_E_NO_MEMORY) return error(code, "no memory to decode pages that came from disk: close the session");
  return error(KVC_E_CORRUPT,
               "a page from disk has the checksums that its file gives, but is none: the file was made by hand, or memory "
               "failed. Close the session and match again, which finds what is right; see to the disk with kvc verify");
}

uint32_t Promotion::layers_ready() noexcept {
  const Lock lock(mutex_);
  return parts_.empty() ? static_cast<uint32_t>(left_.size()) : ready_;
}

void Promotion::link(Page** last, Page** partial) noexcept {
  stop();
  Page* end = base_;
  for (Page* page : pages_) end = cache_->extend(end, page, true, accept_);
  *last = end;
  if (partial_ == nullptr) return;
  Page* const own = std::exchange(partial_, nullptr);
  // It held no reference on its parent: without one in the index it goes on like that.
  own->parent = end;
  Page* kept = end == nullptr || end->published ? cache_->publish(own, accept_) : nullptr;
  if (kept == nullptr) own->parent = nullptr;
  if (kept != nullptr && kept != own) {
    own->parent = nullptr;
    if (partial != nullptr && *partial == own) {
      *partial = kept;
      cache_->unreference(own);
    } else {
      cache_->unreference(kept);
    }
  }
  cache_->unreference(own);
}

}  // namespace kvc
