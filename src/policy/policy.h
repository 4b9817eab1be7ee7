// The interface of eviction policies: which entry leaves a tier, and whether one enters it.
//
// A policy sees metadata and events, never bytes. It owns no entry: the cache embeds one PolicyEntry in each page (and
// plain tensor) and tells the policy what happens to it. Calls are serialised by the caller. No call allocates except
// through reserve(), so that an event can never fail.
//
// Contract (tests/unit/policy_contract_test.cpp runs it over every registered policy):
//   - victim() returns only entries that are inserted and evictable, nullptr exactly if there is none, and does not
//     remove the entry: the caller follows with removed() or with evictable(entry, false).
//   - a `superseded` entry goes first of all; of the others, one of a lower `priority` goes before any of a higher one.
//     A `finished` one goes right after the superseded ones, unless the policy learns what that hint is worth
//     (weighs_hints()).
//   - after removed(entry) the policy holds no pointer to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "kvc/kvc.h"
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

  bool candidate = false;   // evictable now
  bool superseded = false;  // the cache's: another entry holds all that this one does
  uint16_t list = 0;        // the policy's, as all below
  union {
    uint8_t notes[4] = {};
    uint32_t second_place;  // in another structure
  };
  uint32_t hits = 0;        // since insertion
  uint32_t place = 0;       // in the policy's structure
  uint64_t score = 0;       // the lower leaves first
  PolicyEntry* prev = nullptr;  // in a list
  PolicyEntry* next = nullptr;
};
static_assert(sizeof(PolicyEntry) == 64, "one cache line: what is written when a policy learns of a use");

// What a session said of its future when it closed, or what is known of it.
enum class SessionHint : uint8_t {
  none,
  finished,   // nobody comes back
  idle,       // comes back after `return_ns`, not before
  turn_end,   // an answer ended: a person reads it
  tool_call,  // an answer asked for a tool: a program answers
  expected,   // comes back at about `return_ns`
  one_off,    // a request that belongs to no conversation
  shared,     // a prefix that many will begin with
  count
};

struct SessionEnd {
  SessionHint hint = SessionHint::none;
  uint64_t return_ns = 0;  // from now, for idle and expected
  uint32_t generated = 0;  // tokens of the answer; 0: not said
};

// What a policy goes by, and why it last changed that.
struct PolicyState {
  int32_t strategy = KVC_STRATEGY_FIXED;
  int32_t reason = KVC_REASON_NONE;
  uint64_t changes = 0;
  uint64_t changed_ns = 0;  // when it last did, on the clock of set_time()
};

// What hits are to be weighed by.
struct PolicyObjective {
  bool time = false;               // prefill spared, rather than tokens found
  double balanced_position = 0;    // of a token whose attention costs as much as all else; 0: kBalancedPosition
};
// In a model of 8 billion parameters, 32 layers and 32 heads.
inline constexpr double kBalancedPosition = 30632;

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
  // be called (with true) after `priority`, `finished` or `superseded` of an evictable entry changed.
  virtual void evictable(PolicyEntry& entry, bool yes) noexcept = 0;
  // An entry is gone.
  virtual void removed(PolicyEntry& entry) noexcept = 0;
  // The entry to evict next.
  virtual PolicyEntry* victim() noexcept = 0;

  // A session that led to `last` closed: the pages from `last` up to the first one of its chain were one request.
  // `up` gives the page before a page, nullptr before the first. All of them are inserted; none need be evictable.
  using Up = PolicyEntry* (*)(PolicyEntry& entry) noexcept;
  virtual void closed(PolicyEntry& /*last*/, Up /*up*/, const SessionEnd& /*end*/) noexcept {}
  // Estimated chance (0..1) that a held entry is used again; negative: the policy does not learn it.
  virtual float chance(const PolicyEntry& /*entry*/) const noexcept { return -1; }
  // True: `finished` and other hints are evidence whose worth is learned, not orders.
  virtual bool weighs_hints() const noexcept { return false; }

  // What was learned, for after a restart: state_size() bytes (0: nothing is), from save() to load(). load() takes any
  // bytes; false: they are no such state, and nothing changed.
  virtual size_t state_size() const noexcept { return 0; }
  virtual void save(std::byte* /*out*/) const noexcept {}
  virtual bool load(std::span<const std::byte> /*state*/) noexcept { return false; }
  virtual PolicyState state() const noexcept { return {}; }
  // False: it has no objective but its own.
  virtual bool set_objective(const PolicyObjective& objective) noexcept { return !objective.time; }

  // The time of the events that follow. One before the last one counts as the last one.
  void set_time(uint64_t now_ns) noexcept { now_ns_ = std::max(now_ns_, now_ns); }

 protected:
  uint64_t now_ns_ = 0;
};

// Names of all policies, in the order of the registry: what option "policy" may be.
std::span<const std::string_view> policy_names() noexcept;
// nullptr: no such policy. `memory` is what its own structures come from.
std::unique_ptr<Policy> make_policy(std::string_view name, Memory* memory);
// A caller's own (kvc_policy_t, of full size).
std::unique_ptr<Policy> make_custom_policy(const kvc_policy_t& table, Memory* memory);

}  // namespace kvc
