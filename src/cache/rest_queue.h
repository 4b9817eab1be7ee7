// Encoded pages in the order in which they were published, for whoever looks for those at rest. A page knows its number
// here (Page::rest_number), so that it is taken out in O(1) when it goes. 8 bytes a page, of the cache's budget; nothing
// where pages are not encoded again at rest.
//
// All calls: with the exclusive index lock held.
#pragma once

#include <deque>
#include <new>
#include <optional>

#include "cache/page.h"
#include "memory/memory.h"

namespace kvc {

class RestQueue {
 public:
  explicit RestQueue(Memory* memory) noexcept : memory_(memory) {}

  void enable() noexcept { enabled_ = true; }
  bool enabled() const noexcept { return enabled_; }
  // A page that was published; what need not be encoded again is passed over. Without memory for it, it stays as it is.
  void push(Page* page) noexcept {
    const Codec* codec = find_codec(page->codec);  // nullptr: one of the caller's
    if (!enabled_ || page->aged || codec == nullptr || codec->is_clear()) return;
    try {
      // Made when it is needed: an empty deque has memory already.
      if (!pages_.has_value()) pages_.emplace(CountedAllocator<Page*>(memory_));
      pages_->push_back(page);
    } catch (const std::bad_alloc&) {
      return;
    }
    page->rest_number = first_ + static_cast<uint32_t>(pages_->size() - 1);
    if (page->rest_number == 0) pages_->back() = nullptr;  // 2^32 pages on: one is passed over
  }
  void erase(Page* page) noexcept {
    if (page->rest_number == 0) return;
    (*pages_)[page->rest_number - first_] = nullptr;
    page->rest_number = 0;
  }
  // The first page, which is no longer in the queue; nullptr: there is none.
  Page* pop() noexcept {
    while (pages_.has_value() && !pages_->empty()) {
      Page* page = pages_->front();
      pages_->pop_front();
      ++first_;
      if (page == nullptr) continue;
      page->rest_number = 0;
      return page;
    }
    return nullptr;
  }

 private:
  Memory* const memory_;
  bool enabled_ = false;
  uint32_t first_ = 1;  // number of the first page
  std::optional<std::deque<Page*, CountedAllocator<Page*>>> pages_;
};

}  // namespace kvc
