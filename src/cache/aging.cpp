// Pages at rest: those that nobody has used for a while are encoded again, to fewer bits.
//
// When sessions seal pages and close, the oldest encoded pages are looked at, a few each time. One that is at rest (no
// session's pages lead through it, not pinned, last used codec_rest_after ago) is decoded and encoded anew without any lock
// held, and changes its bytes under the exclusive index lock if it is still at rest then. It keeps its name in the index,
// is marked `aged`, and is another record on disk (PageForm), which takes the place of the former one.
#include <cmath>
#include <memory_resource>
#include <utility>
#include <vector>

#include "cache/cache.h"
#include "cache/counters.h"
#include "codec/klt_check.h"

namespace kvc {
namespace {

constexpr int kLooks = 8;    // pages looked at in one call
constexpr int kEncoded = 2;  // of these, encoded: each takes milliseconds
constexpr int kMostBelow = 64;

// Whether nobody uses what continues a page. Looks at `left` pages at most; with the exclusive index lock held.
bool unused_below(const Page* tree, int* left) noexcept {
  if (tree == nullptr) return true;
  if (--*left < 0 || tree->references.load(std::memory_order_acquire) != 0) return false;
  return unused_below(tree->children, left) && unused_below(tree->left, left) && unused_below(tree->right, left);
}

}  // namespace

// With the exclusive index lock held. Pages with much below them are what many prompts share: not at rest.
bool Cache::at_rest(const Page& page, uint64_t now) const noexcept {
  const uint64_t used = page.used_ns.load(std::memory_order_relaxed);
  if (page.pinned || page.aged || page.references.load(std::memory_order_acquire) != 0) return false;
  if (now < used || now - used < options_.codec_rest_after_ns) return false;
  int left = kMostBelow;
  return unused_below(page.children, &left);
}

// The page's bytes anew. KVC_E_UNSUPPORTED: it stays as it is. Throws std::bad_alloc.
Status Cache::encode_at_rest(const Page& page, const BlobRef& blob, BlobRef* out) {
  const PageGeometry& g = page.root->space->geometry();
  const Codec& codec = codec_of(page);
  const std::span<const std::byte> coded(blob.data(), blob.bytes());
  const auto calibration = find_calibration(codec.calibration_of(coded));
  if (calibration == nullptr) return error(KVC_E_UNSUPPORTED, "a page without calibration stays as it is");
  std::pmr::vector<std::byte> clear(g.page_bytes(), &calibration_memory_);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      KVC_RETURN_IF_ERROR(codec.decode(g, coded, layer, plane, 0, g.page_tokens,
                                       clear.data() + g.plane_offset(layer, plane), g.head_bytes(plane),
                                       g.row_bytes(plane)));
    }
  }
  EncodeOptions options;
  options.exact_tokens = page.depth == 0 ? kSinkTokens : 0;
  options.position = uint64_t{page.depth} * g.page_tokens;
  options.calibration = calibration.get();
  PageCheck check;
  if (calibration->query_group > 0) {
    KVC_RETURN_IF_ERROR(check_page(*calibration, g, options.position, options.exact_tokens, clear, nullptr,
                                   rest_bound(), &check));
    options.levels = &check.levels;
  } else {
    options.levels = &calibration->rest;
  }
  if (options.levels->empty()) return error(KVC_E_UNSUPPORTED, "the calibration has nothing for pages at rest");
  const size_t bytes = codec.encoded_bytes(g, options);
  if (bytes >= blob.bytes()) return error(KVC_E_UNSUPPORTED, "the page would not be smaller");
  if (!new_blob(bytes, out)) return error(KVC_E_NO_MEMORY, "no room for a page at rest of %zu bytes", bytes);
  return codec.encode(g, options, clear, {out->data(), bytes});
}

// What is left of the bound of pages at rest: the page's own error, of at most codec_bound, is part of it.
double Cache::rest_bound() const noexcept {
  const KltTarget& target = options_.codec_target;
  return std::sqrt(target.rest * target.rest - target.bound * target.bound);
}

// False: there is nothing more to look at. *encoded: a page was.
bool Cache::age_one(bool* encoded) {
  Page* page = nullptr;
  BlobRef blob;
  PageId former;
  {
    std::unique_lock index(index_mutex_);
    page = rest_.pop();
    if (page == nullptr) return false;
    if (!at_rest(*page, clock_.now_ns())) {
      rest_.push(page);
      return true;
    }
    reference(page);  // it is not evicted meanwhile
    blob = page->blob;
    former = disk_id(*page);
  }
  BlobRef anew;
  Status status;
  try {
    status = encode_at_rest(*page, blob, &anew);
  } catch (const std::bad_alloc&) {
    status = Status(KVC_E_NO_MEMORY, {});
  }
  const size_t before = blob.bytes();
  blob = {};
  bool swapped = false;
  {
    std::unique_lock index(index_mutex_);
    std::lock_guard policy(policy_mutex_);
    page->references.fetch_sub(1, std::memory_order_acq_rel);
    swapped = status.is_ok() && at_rest(*page, clock_.now_ns());
    if (swapped) {
      std::swap(page->blob, anew);
      page->aged = true;
      page->bytes = static_cast<uint32_t>(page->blob.bytes());
      policy_->evictable(*page, page->candidate);  // its bytes count for some
      reference(page);
    } else if (status.is_ok() || status.code() == KVC_E_NO_MEMORY) {
      rest_.push(page);  // somebody came back to it, or there was no room
    }
    settle_locked(page);
  }
  if (!swapped) return true;
  *encoded = true;
  counters_->pages_aged.add();
  counters_->aged_before_bytes.add(before);
  counters_->aged_bytes.add(page->blob.bytes());
  disk_->aged(page, former);
  unreference(page);
  return true;
}

void Cache::age_pages() noexcept {
  if (!rest_.enabled()) return;
  int encoded = 0;
  try {
    for (int i = 0; i < kLooks && encoded < kEncoded; ++i) {
      bool one = false;
      if (!age_one(&one)) return;
      encoded += one ? 1 : 0;
    }
  } catch (const std::exception&) {
    // No memory now: the next call goes on.
  }
}

}  // namespace kvc
