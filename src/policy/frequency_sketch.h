// How often keys were seen lately: a count-min sketch (Cormode and Muthukrishnan 2005) of four 4-bit counters per key, halved
// after ten times as many counts as there are entries, so that the past fades (Einziger et al. 2017, TinyLFU). 8 bytes per
// entry, from the budget, by reserve() alone.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "policy/candidate_heap.h"

namespace kvc {

class FrequencySketch {
 public:
  explicit FrequencySketch(Memory* memory) noexcept : words_(memory) {}

  bool reserve(uint32_t entries) noexcept {
    const uint32_t before = words_.capacity();
    if (!words_.reserve(std::bit_ceil(entries), before)) return false;
    // In a larger table the counters have other places: what was counted is forgotten.
    if (words_.capacity() != before) {
      for (uint32_t i = 0; i < words_.capacity(); ++i) words_[i] = 0;
      counted_ = 0;
    }
    return true;
  }
  void free() noexcept { words_.free(); }

  // entries: that the cache keeps.
  void count(uint64_t key, uint64_t entries) noexcept {
    if (words_.capacity() == 0) return;
    for (uint32_t row = 0; row < kRows; ++row) {
      uint64_t& word = words_[place(key, row)];
      const uint32_t shift = shift_of(key, row);
      if ((word >> shift & 15) < 15) word += uint64_t{1} << shift;
    }
    if (++counted_ < 10 * std::max(entries, kLeastEntries)) return;
    for (uint32_t i = 0; i < words_.capacity(); ++i) words_[i] = words_[i] >> 1 & 0x7777777777777777;
    counted_ /= 2;
  }
  uint32_t of(uint64_t key) const noexcept {
    if (words_.capacity() == 0) return 0;
    uint32_t least = 15;
    for (uint32_t row = 0; row < kRows; ++row) {
      least = std::min(least, static_cast<uint32_t>(words_[place(key, row)] >> shift_of(key, row) & 15));
    }
    return least;
  }

 private:
  static constexpr uint32_t kRows = 4;
  static constexpr uint64_t kLeastEntries = 64;
  // Of half the key, which what-if questions know too.
  static uint64_t hash(uint64_t key, uint32_t row) noexcept {
    uint64_t x = ((key & 0xffffffff) + 1 + row) * (0x9e3779b97f4a7c15 + 2 * uint64_t{row});
    x ^= x >> 32;
    return x * 0x94d049bb133111eb;
  }
  uint32_t place(uint64_t key, uint32_t row) const noexcept {
    return static_cast<uint32_t>((hash(key, row) >> 32) * words_.capacity() >> 32);
  }
  // Each row has a quarter of the counters of a word.
  static uint32_t shift_of(uint64_t key, uint32_t row) noexcept {
    return 16 * row + 4 * static_cast<uint32_t>(hash(key, row) & 3);
  }

  BudgetArray<uint64_t> words_;
  uint64_t counted_ = 0;
};

}  // namespace kvc
