// A sealed page and the tree that finds it.
//
// The children of a page (and of a root: the first pages of a tenant in a space) form a treap ordered by their tokens
// as bytes: a binary search tree whose shape is fixed by random priorities (Seidel and Aragon 1996), here words of the
// pages' identities. In such a tree the neighbours of a key lie on its search path, so one descent finds both the page
// that continues a prompt exactly and, failing that, the one that shares most tokens with it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/hash.h"
#include "cache/blob.h"
#include "cache/space.h"
#include "codec/codec.h"
#include "policy/policy.h"

namespace kvc {

struct Page;

struct Root;
using RootMap = std::map<std::pair<std::string, Digest>, std::unique_ptr<Root>>;  // by tenant and space

// Where the chains of one tenant in one space begin.
struct Root {
  RootMap::iterator self;  // its place in the map
  std::shared_ptr<const Space> space;
  std::string tenant;
  Digest tenant_key;
  Page* children = nullptr;             // treap; guarded by the index lock
  std::atomic<uint32_t> references{0};  // users: open sessions, an eviction in progress
};

// Three cache lines, by who touches them: what the policy writes when it learns of a use (PolicyEntry); what walking
// reads; what users of this page write, and what leads to its parent. A walk does not wait for lines that another
// processor wrote to.
struct alignas(64) Page : PolicyEntry {
  // Guarded by the index lock: exclusive to write.
  alignas(64) Page* left = nullptr;  // in the treap of the parent's children
  Page* right = nullptr;
  Page* children = nullptr;  // treap of own children
  uint32_t n_children = 0;
  // Immutable once the page is published (or sealed, if private).
  uint32_t n_tokens = 0;  // PolicyEntry::tokens, for walks
  Root* root = nullptr;
  BlobRef blob;
  bool published = false;
  uint8_t codec = 0;         // Codec::id() of what blob holds
  bool approximate = false;  // its K/V is not bit for bit what was computed: a lossy codec has it, or had it
  bool aged = false;         // ... and was encoded again, harder, at rest
  // Guarded by the index lock: exclusive to write. Its number in RestQueue; 0: none.
  uint32_t rest_number = 0;

  alignas(64) Page* parent = nullptr;   // nullptr: a first page
  PageId id;
  uint64_t sealed_ns = 0;
  std::atomic<uint64_t> used_ns{0};     // last use
  std::atomic<uint32_t> references{0};  // sessions that end here or borrow it, private pages that continue it
  std::atomic<bool> on_disk{false};     // written there or about to be; a hint: the store knows
  std::atomic<bool> refused{false};     // offered, but disk_admission did not let it in
  // PolicyEntry::candidate, to be read without the policy's lock. Becomes false under the exclusive index lock only.
  std::atomic<bool> may_go{false};
  bool pinned = false;  // guarded by the index lock: exclusive to write

  // `tokens` ids of space.token_width() bytes each follow the struct. page_tokens of them; fewer in a short page: the
  // unfinished end of a session that was closed. A short page is never continued, only borrowed.
  std::byte* token_bytes() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* token_bytes() const noexcept { return reinterpret_cast<const std::byte*>(this + 1); }
  static size_t allocation_size(const Space& space, size_t n_tokens) noexcept {
    return sizeof(Page) + n_tokens * space.token_width();
  }
};

static_assert(sizeof(Page) == 192);

// An unsealed page of a session: an own blob in the clear, or a sealed page of which the session uses the beginning.
struct OpenPage {
  BlobRef blob;            // empty if borrowed
  Page* source = nullptr;  // referenced; nullptr if own
  bool approximate = false;  // own, but begins with rows of an approximate page
  bool aged = false;         // ... of an aged one
};

// Tokens that begin a sequence and are exact in every codec: see codec/quantized.cpp.
inline constexpr uint32_t kSinkTokens = 4;

// The first n tokens' rows of a page in the clear; the others become 0.
void copy_beginning(const PageGeometry& geometry, const std::byte* from, uint32_t n, std::byte* to) noexcept;

// What a session takes of what others left.
enum class Accept : uint8_t { exact, not_aged, any };
inline bool accepted(const Page& page, Accept accept) noexcept {
  return accept == Accept::any || !(accept == Accept::exact ? page.approximate : page.aged);
}

// Token ids as a page stores them.
void pack_tokens(uint32_t width, std::span<const int32_t> tokens, std::byte* out) noexcept;
void unpack_tokens(uint32_t width, const std::byte* bytes, size_t n, int32_t* out) noexcept;

// What a treap knows about a sequence of token bytes.
struct Found {
  Page* exact = nullptr;  // a whole page that holds exactly these tokens
  Page* best = nullptr;   // else: shares most of their beginning, if any does
  size_t common = 0;      // bytes that it shares
};

// width: bytes per token; key: token bytes of at most one page; page_bytes: token bytes of a whole page.
Found find_child(Page* treap, const std::byte* key, size_t key_bytes, uint32_t width, size_t page_bytes) noexcept;
void insert_child(Page** treap, Page* page, uint32_t width) noexcept;
void erase_child(Page** treap, Page* page, uint32_t width) noexcept;

}  // namespace kvc
