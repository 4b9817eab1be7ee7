// Pages that came from disk compressed, on their way to being readable, layer by layer.
//
// Every byte of them was read and verified before the hit was given, so that nothing takes it back. What is left is to
// decode: zstd and byte planes, most of a promotion's processor time. It is done in the order in which a model asks, layer
// 0 of all pages first, by a thread of the promotion and by whoever waits for a layer: a reader never waits for a thread
// that does not run. Until all layers are there the pages are private to the session that matched them; then they are
// linked like any others.
//
// Threads: wait and ready from any; the others one at a time, by the owner.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "cache/page.h"
#include "tier/disk/store.h"

namespace kvc {

class Cache;

class Promotion {
 public:
  // Continues `base` (nullptr: the root), which the first page keeps. `exact` as for Cache::publish.
  Promotion(Cache* cache, uint32_t n_layers, Page* base, Accept accept) noexcept
      : cache_(cache), base_(base), accept_(accept), left_(n_layers, 0) {}
  // Stops decoding; what is not linked by then is gone, and on disk as before. The owner's references on pages are
  // its own to give back, after this.
  ~Promotion();
  Promotion(const Promotion&) = delete;
  Promotion& operator=(const Promotion&) = delete;

  // A private page that continues the last one. groups: what decodes it; nullptr: it is readable. May throw.
  void add(Page* page, std::unique_ptr<LaterGroups> groups);
  // The page in which the prompt ends, readable; a reference is taken.
  void add_partial(Page* page) noexcept;
  // Begins. helper: on a thread of its own as well.
  void start(bool helper) noexcept;

  Page* base() const noexcept { return base_; }
  const std::vector<Page*>& pages() const noexcept { return pages_; }
  Page* partial() const noexcept { return partial_; }
  size_t bytes_to_decode() const noexcept { return bytes_; }

  // Returns when a layer of every page is there, having helped. KVC_E_CORRUPT, KVC_E_NO_MEMORY: it will not be.
  Status wait(uint32_t layer);
  Status wait_all() { return wait(static_cast<uint32_t>(left_.size() - 1)); }
  uint32_t layers_ready() noexcept;

  // After wait_all, once: links the pages. *last, the owner's end of the chain, becomes what took its page's place, and
  // so does *partial, if it is the owner's and still this promotion's (nullptr: not wanted).
  void link(Page** last, Page** partial) noexcept;

 private:
  struct Part {
    std::unique_ptr<LaterGroups> groups;
    uint32_t done = 0;  // groups of it
  };
  using Lock = std::unique_lock<std::mutex>;

  bool decode_one(Lock* lock, uint32_t through) noexcept;
  void stop() noexcept;

  Cache* const cache_;
  Page* const base_;
  const Accept accept_;
  std::vector<Page*> pages_;
  Page* partial_ = nullptr;
  size_t bytes_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded, like all below.
  std::vector<Part> parts_;     // pages to decode
  std::vector<uint32_t> left_;  // by layer: parts that do not have it yet
  size_t next_ = 0;             // layer * parts + part: what is to be begun next
  uint32_t ready_ = 0;          // layers that all parts have
  bool stopped_ = false;
  Status failure_;
  std::thread helper_;
};

}  // namespace kvc
