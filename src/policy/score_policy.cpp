#include "policy/score_policy.h"

#include <limits>

namespace kvc {

bool ScorePolicy::reserve() noexcept {
  if (!heap_.reserve(n_entries_ + 1)) return false;
  promised_ = true;
  return true;
}

void ScorePolicy::inserted(PolicyEntry& entry) noexcept {
  promised_ = false;
  ++n_entries_;
  entry.candidate = false;
  entry.hits = 0;
  entry.score = score_inserted(entry, ++tick_);
}

void ScorePolicy::hit(PolicyEntry& entry) noexcept {
  if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
  entry.score = score_hit(entry, ++tick_);
  if (entry.candidate) heap_.settle(entry);
}

void ScorePolicy::evictable(PolicyEntry& entry, bool yes) noexcept { heap_.set_candidate(entry, yes); }

void ScorePolicy::removed(PolicyEntry& entry) noexcept {
  evictable(entry, false);
  // An empty cache holds nothing on to the budget, unless room was promised.
  if (--n_entries_ == 0 && !promised_) heap_.free();
}

PolicyEntry* ScorePolicy::victim() noexcept {
  for (;;) {
    PolicyEntry* entry = heap_.top();
    if (entry == nullptr || entry->superseded || entry->finished || !pass_over(*entry, ++tick_)) return entry;
    heap_.settle(*entry);
  }
}

}  // namespace kvc
