// Keys of entries that are gone, the latest `limit` of them: a set-associative table of 32-bit tags and ages, so that
// remembering takes 8 bytes and no allocation per event. A tag may name another key: then that one's return is seen.
#pragma once

#include <cstdint>

#include "policy/candidate_heap.h"

namespace kvc {

class GhostList {
 public:
  explicit GhostList(Memory* memory) noexcept : table_(memory) {}

  // Room for as many keys as there are entries.
  bool reserve(uint32_t entries) noexcept {
    const uint32_t before = table_.capacity();
    if (!table_.reserve((entries + kWays - 1) / kWays * kWays, before)) return false;
    // In a larger table the keys have other places: what was remembered is forgotten.
    if (table_.capacity() != before) {
      for (uint32_t i = 0; i < table_.capacity(); ++i) table_[i] = Ghost{0, 0};
    }
    return true;
  }
  void free() noexcept { table_.free(); }

  void add(uint64_t key) noexcept {
    Ghost* set = set_of(key);
    if (set == nullptr) return;
    Ghost* oldest = set;
    for (uint32_t i = 1; i < kWays; ++i) {
      if (set[i].added < oldest->added) oldest = &set[i];
    }
    *oldest = Ghost{tag_of(key), ++added_};
  }
  // Whether the key is one of the latest `limit`; forgets it.
  bool take(uint64_t key, uint64_t limit) noexcept {
    Ghost* set = set_of(key);
    for (uint32_t i = 0; set != nullptr && i < kWays; ++i) {
      if (set[i].added == 0 || set[i].tag != tag_of(key)) continue;
      const bool there = added_ - set[i].added < limit;
      set[i] = Ghost{0, 0};
      return there;
    }
    return false;
  }

 private:
  static constexpr uint32_t kWays = 8;
  struct Ghost {
    uint32_t tag, added;
  };
  static uint32_t tag_of(uint64_t key) noexcept { return static_cast<uint32_t>(key >> 32); }
  Ghost* set_of(uint64_t key) noexcept {
    const uint32_t sets = table_.capacity() / kWays;
    return sets == 0 ? nullptr : &table_[static_cast<uint32_t>(key * 0x9e3779b97f4a7c15 >> 32) % sets * kWays];
  }

  BudgetArray<Ghost> table_;
  uint32_t added_ = 0;
};

}  // namespace kvc
