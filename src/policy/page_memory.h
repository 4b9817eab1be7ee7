// What is remembered of pages after they are gone: when and how often they were used. A set-associative table of fixed
// size, the oldest of a set is overwritten.
#pragma once

#include <cstdint>
#include <vector>

namespace kvc {

struct PageHistory {
  uint32_t time = 0;      // of the last use, ticks
  uint32_t sequence = 0;  // of the last use, in uses of all pages; 0: never used
  uint8_t count = 0;      // uses, saturating
  uint8_t turn = 0;       // times that its conversation had gone on
  uint8_t flags = 0;
  uint8_t pace = 0;       // of its uses, eighths of an octave of ticks
};

class PageMemory {
 public:
  explicit PageMemory(uint32_t entries) : sets_(entries / kWays), table_(size_t{sets_} * kWays) {}

  void put(uint64_t key, const PageHistory& history) noexcept {
    Entry* set = set_of(key);
    Entry* place = set;
    for (uint32_t i = 0; i < kWays; ++i) {
      if (set[i].tag == tag_of(key) || set[i].history.sequence == 0) {
        place = &set[i];
        break;
      }
      if (set[i].history.sequence < place->history.sequence) place = &set[i];
    }
    *place = Entry{tag_of(key), history};
  }

  // Takes it out. A tag of 32 bits may name another page; then that one's history is what is learned from.
  bool take(uint64_t key, PageHistory* out) noexcept {
    Entry* set = set_of(key);
    for (uint32_t i = 0; i < kWays; ++i) {
      if (set[i].tag != tag_of(key) || set[i].history.sequence == 0) continue;
      *out = set[i].history;
      set[i] = Entry();
      return true;
    }
    return false;
  }

 private:
  static constexpr uint32_t kWays = 8;
  struct Entry {
    uint32_t tag = 0;
    PageHistory history;
  };
  static uint32_t tag_of(uint64_t key) noexcept { return static_cast<uint32_t>(key >> 32); }
  Entry* set_of(uint64_t key) noexcept {
    return &table_[((key & 0xffffffff) * 0x9e3779b97f4a7c15 >> 32) % sets_ * kWays];
  }

  uint32_t sets_;
  std::vector<Entry> table_;
};

}  // namespace kvc
