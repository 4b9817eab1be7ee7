// The interface of eviction policies: which entry leaves a tier, and whether one enters it.
//
// A policy sees metadata and events, never bytes. It owns no entry: the cache embeds one PolicyEntry in each page (and
// plain tensor) and tells the policy what happens to it. Calls are serialised by the caller. No call allocates except
// through reserve(), so that an event can never fail.
//
// Contract (tests/unit/policy_contract_test.cpp runs it over every registered policy):
//   - victim() returns only entries that are inserted and evictable, nullptr exactly if there is none, and does not
//     remove the entry: the caller follows with removed() or with evictable(entry, false).
//   - among evictable entries, one of a lower `priority` goes before any of a higher one; a `finished` one goes first
//     of all.
//   - after removed(entry) the policy holds no pointer to it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "memory/memory.h"

namespace kvc {

// Metadata of an entry. The upper part is the cache's to write, the lower part the policy's.
struct PolicyEntry {
  uint64_t key = 0;       // first word of its identity: names it also after it is gone (ghost lists)
  uint32_t bytes = 0;     // payload
  uint32_t depth = 0;     // pages before it in its chain; 0 for a tensor
  uint32_t tokens = 0;    // tokens it holds; 0 for a tensor
  int16_t priority = 0;   // KVC_PRIORITY_*
  bool finished = false;  // a session said that nobody will come back for it
  bool is_tensor = false;

  bool candidate = false;  // evictable now
  uint32_t hits = 0;       // since insertion
  uint32_t place = 0;      // in the policy's structure
  uint64_t score = 0;      // the lower leaves first
};

class Policy {
 public:
  virtual ~Policy() = default;
  virtual std::string_view name() const noexcept = 0;

  // Makes room for one more entry; false: no memory. Called before inserted(), with locks held: allocate with
  // may_reclaim = false.
  virtual bool reserve() noexcept = 0;
  // An entry came in; it is not evictable yet.
  virtual void inserted(PolicyEntry& entry) noexcept = 0;
  // An entry was used: counts entry.hits. For a chain the caller reports pages from the last to the first, so that a
  // page is never older than the pages that depend on it.
  virtual void hit(PolicyEntry& entry) noexcept = 0;
  // May be evicted from now on (a leaf that nobody uses), or may not. Repeating what holds already is allowed. Also to
  // be called (with true) after `priority` or `finished` of an evictable entry changed.
  virtual void evictable(PolicyEntry& entry, bool yes) noexcept = 0;
  // An entry is gone.
  virtual void removed(PolicyEntry& entry) noexcept = 0;
  // The entry to evict next.
  virtual PolicyEntry* victim() noexcept = 0;
};

// Names of all policies, in the order of the registry: what option "policy" may be.
std::span<const std::string_view> policy_names() noexcept;
// nullptr: no such policy. `memory` is what its own structures come from.
std::unique_ptr<Policy> make_policy(std::string_view name, Memory* memory);

}  // namespace kvc
