// One prompt's way from disk into the index: the whole pages that continue its longest prefix in memory, in the order of
// the chain, then the page in which it ends or differs, if a clue names one.
//
// Reads run in the background, `prefetch` pages ahead of the one that is waited for. Pages are verified by the store and
// linked here, one after the other, each under its parent; what was linked stays whatever becomes of the rest. No lock is
// held while waiting. One thread at a time.
//
// Layerwise, from the first compressed page on they are not linked but handed to whoever asked, as a promotion, which
// decodes them layer by layer (promotion.h).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "cache/disk.h"
#include "cache/page.h"
#include "cache/promotion.h"

namespace kvc {

class Fetch {
 public:
  // Looks for `tokens` in memory and in the tables of the stores; reads nothing yet. The root is in use by the caller.
  // layerwise: if there is enough to be won by it.
  Fetch(Cache* cache, Root* root, std::span<const int32_t> tokens, Accept accept, bool layerwise);
  // What is not there yet is not waited for. Pages that were found may be evicted from now on.
  ~Fetch();
  Fetch(const Fetch&) = delete;
  Fetch& operator=(const Fetch&) = delete;

  // Tokens in whole pages that are in memory or, by the tables, on disk.
  size_t stored_tokens() const noexcept { return from_ + plan_.size() * page_tokens_; }
  // Reads and links for at most wait_ns. True: there is no more to be had.
  bool advance(uint64_t wait_ns) noexcept;
  // Why it ended before the stored prefix did: KVC_MISS_TIMEOUT, _RECOMPUTE, _DAMAGED, or KVC_MISS_NONE.
  int32_t miss() const noexcept { return miss_; }

  // After advance() said true: what is being decoded; nullptr: nothing, pages are linked.
  const Promotion* promotion() const noexcept { return promotion_.get(); }
  // Tokens up to its end.
  size_t promoted_tokens() const noexcept { return (last_->depth + size_t{1}) * page_tokens_ + partial_common_; }
  // Hands it over with the references on its last page and on the page in which the prompt ends (*common tokens of it;
  // nullptr: none).
  std::unique_ptr<Promotion> take_promotion(Page** last, Page** partial, size_t* common) noexcept;
  // Or links its pages, decoded. Without them where that fails: miss() says so.
  void settle();

 private:
  using Moment = std::chrono::steady_clock::time_point;

  // A page on disk: `id` is the tenant's name for it, `stored` what the store knows it by; they differ for packs.
  struct Place {
    DiskStore* store = nullptr;
    PageId id, stored, stored_parent;
    bool pack = false;
    PageForm form;
    size_t bytes = 0;  // of the payload
  };
  struct Read {
    Place place;
    std::vector<int32_t> tokens;
    BlobRef blob;
    std::vector<std::byte> clue;  // in place of blob
    std::unique_ptr<LaterGroups> later;
    uint64_t ticket = 0;
    bool done = false;  // guarded by Shared::mutex, like the next
    DiskMiss result = DiskMiss::none;
  };
  // Outlives this object as long as reads are under way.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    bool given_up = false;
  };

  void look_up();
  void list_forms();
  DiskStore* holder(const PageId& id, bool packs) noexcept;
  bool find(const Digest& key, const PageId& id, size_t depth, bool packs, Place* place) noexcept;
  bool begin_next();
  void begin(std::shared_ptr<Read> read, std::span<std::byte> out, uint8_t codec);
  bool wait_for(const Read& read, Moment until) noexcept;
  void take(Read* read);
  bool link(Read* read);
  void end(int32_t miss) noexcept;
  void give_up() noexcept;
  std::span<const int32_t> rest() const noexcept;

  Cache* const cache_;
  Disk* const disk_;
  Root* const root_;
  const Accept accept_;
  bool layerwise_;
  std::vector<PageForm> forms_;  // in which a page may be stored, the best first
  const size_t page_tokens_;
  const std::vector<int32_t> tokens_;
  DiskSource* sources_[64];
  size_t n_sources_ = 0;
  bool packs_ = false;

  size_t from_ = 0;        // tokens in whole pages in memory at first
  size_t common_ = 0;      // tokens after them that a page in memory shares
  std::vector<Place> plan_;
  size_t begun_ = 0, linked_ = 0;  // of plan_
  PageId pack_parent_;             // identity of the last linked page in packs
  enum class Stage { pages, clue, child, over } stage_ = Stage::pages;
  std::deque<std::shared_ptr<Read>> reads_;  // in order
  std::shared_ptr<Shared> shared_;
  Page* last_ = nullptr;     // referenced: the end of the chain in memory
  Page* partial_ = nullptr;  // referenced: what the clue led to
  size_t partial_common_ = 0;
  std::unique_ptr<Promotion> promotion_;  // last_ is its last page
  int32_t miss_ = KVC_MISS_NONE;
  bool started_ = false;
  Moment began_, deadline_;
  size_t bytes_ = 0;
};

}  // namespace kvc
