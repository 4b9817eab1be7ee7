#include "cache/page.h"

#include <algorithm>
#include <cstring>

namespace kvc {
namespace {

// Length of the common beginning of a and b, whole words first.
size_t common_prefix(const std::byte* a, const std::byte* b, size_t n) noexcept {
  // The usual case on a hit: all equal, at the speed of memcmp.
  if (std::memcmp(a, b, n) == 0) return n;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t x, y;
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    if (x != y) break;
  }
  while (a[i] == b[i]) ++i;  // ends: they differ before n
  return i;
}

// Lexicographic order; of two that begin alike the shorter comes first.
bool precedes(const Page* a, const Page* b, uint32_t width) noexcept {
  const int order = std::memcmp(a->token_bytes(), b->token_bytes(), size_t{std::min(a->n_tokens, b->n_tokens)} * width);
  return order != 0 ? order < 0 : a->n_tokens < b->n_tokens;
}

// Heap order. Identities are keyed hashes: as good as random, and different for different tokens.
bool above(const Page* a, const Page* b) noexcept { return a->id.word() > b->id.word(); }

// Splits a treap into the pages before and after `page`, which is not in it.
void split(Page* treap, const Page* page, uint32_t width, Page** before, Page** after) noexcept {
  while (treap != nullptr) {
    if (precedes(treap, page, width)) {
      *before = treap;
      before = &treap->right;
      treap = treap->right;
    } else {
      *after = treap;
      after = &treap->left;
      treap = treap->left;
    }
  }
  *before = nullptr;
  *after = nullptr;
}

// Joins two treaps, all pages of the first before all of the second.
void merge(Page* before, Page* after, Page** out) noexcept {
  while (before != nullptr && after != nullptr) {
    if (above(before, after)) {
      *out = before;
      out = &before->right;
      before = before->right;
    } else {
      *out = after;
      out = &after->left;
      after = after->left;
    }
  }
  *out = before != nullptr ? before : after;
}

}  // namespace

void copy_beginning(const PageGeometry& geometry, const std::byte* from, uint32_t n, std::byte* to) noexcept {
  std::memset(to, 0, geometry.page_bytes());
  for (uint32_t layer = 0; layer < geometry.n_layers; ++layer) {
    for (int plane : {KVC_KEY, KVC_VALUE}) {
      for (uint32_t head = 0; head < geometry.n_kv_heads; ++head) {
        const size_t at = geometry.head_offset(layer, plane, head);
        std::memcpy(to + at, from + at, n * geometry.row_bytes(plane));
      }
    }
  }
}

void pack_tokens(uint32_t width, std::span<const int32_t> tokens, std::byte* out) noexcept {
  if (width == 4) {
    std::memcpy(out, tokens.data(), tokens.size_bytes());
    return;
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto narrow = static_cast<uint16_t>(tokens[i]);
    std::memcpy(out + i * 2, &narrow, 2);
  }
}

void unpack_tokens(uint32_t width, const std::byte* bytes, size_t n, int32_t* out) noexcept {
  if (width == 4) {
    std::memcpy(out, bytes, n * 4);
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    uint16_t narrow;
    std::memcpy(&narrow, bytes + i * 2, 2);
    out[i] = narrow;
  }
}

Found find_child(Page* treap, const std::byte* key, size_t key_bytes, uint32_t width, size_t page_bytes) noexcept {
  Found found;
  while (treap != nullptr) {
    const size_t node_bytes = size_t{treap->n_tokens} * width;
    const size_t common = common_prefix(treap->token_bytes(), key, std::min(node_bytes, key_bytes));
    if (common == page_bytes) {
      found.exact = treap;
      return found;
    }
    if (common > found.common) {
      found.common = common;
      found.best = treap;
    }
    if (common == key_bytes) return found;
    const bool before_key = common == node_bytes || treap->token_bytes()[common] < key[common];
    treap = before_key ? treap->right : treap->left;
  }
  return found;
}

void insert_child(Page** treap, Page* page, uint32_t width) noexcept {
  while (*treap != nullptr && above(*treap, page)) {
    treap = precedes(*treap, page, width) ? &(*treap)->right : &(*treap)->left;
  }
  split(*treap, page, width, &page->left, &page->right);
  *treap = page;
}

void erase_child(Page** treap, Page* page, uint32_t width) noexcept {
  while (*treap != page) treap = precedes(*treap, page, width) ? &(*treap)->right : &(*treap)->left;
  merge(page->left, page->right, treap);
  page->left = page->right = nullptr;
}

}  // namespace kvc
