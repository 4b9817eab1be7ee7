// Candidates in lists, one per cell of the reuse model, and the cell that is worth least.
//
// A cell is a class of reuse times, a level of probability and a slice of age; all pages of a cell are worth the same,
// so the next victim is found among cells, not among pages. Which occupied cell is worth least is the root of a winner
// tree: a cell that fills, empties or changes its worth costs one path of it. Two bits per cell say which are occupied
// for those who walk over them, by slice.
//
// Beside the cells lie lists that go before or after all of them.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "policy/policy.h"
#include "policy/reuse_model.h"

namespace kvc {

// Special: number of lists beside the cells.
template <uint32_t Special>
class CellLists {
 public:
  static constexpr uint32_t kCells = ReuseModel::kCells;
  static constexpr uint32_t kLists = kCells + Special;
  static constexpr uint16_t kNone = 0xffff;
  static_assert(kLists < kNone);

  CellLists() noexcept { tree_.fill(kNone); }

  // Lists are rings: the head is the youngest, the one before it the oldest.
  bool empty(uint32_t list) const noexcept { return heads_[list] == nullptr; }
  PolicyEntry* oldest(uint32_t list) const noexcept { return heads_[list]->prev; }

  // younger(a, b): whether b was used after a.
  template <typename Younger>
  void enter(PolicyEntry& entry, uint32_t list, const ReuseModel& model, Younger younger) noexcept {
    entry.list = static_cast<uint16_t>(list);
    PolicyEntry*& head = heads_[list];
    if (head == nullptr) {
      entry.prev = entry.next = head = &entry;
      mark(list, true, model);
      return;
    }
    entry.next = head;
    entry.prev = head->prev;
    entry.next->prev = entry.prev->next = &entry;
    // What comes among the candidates is usually older than all or younger than all.
    if (younger(*entry.prev, entry)) head = &entry;
  }
  void leave(PolicyEntry& entry, const ReuseModel& model) noexcept {
    if (entry.list == kNone) return;
    PolicyEntry*& head = heads_[entry.list];
    if (entry.next == &entry) {
      head = nullptr;
      mark(entry.list, false, model);
    } else {
      entry.next->prev = entry.prev;
      entry.prev->next = entry.next;
      if (head == &entry) head = entry.next;
    }
    entry.list = kNone;
  }

  // The first occupied one of the lists beside the cells; kNone: these are empty.
  uint32_t first_special() const noexcept {
    for (uint32_t list = kCells; list < kLists; ++list) {
      if (heads_[list] != nullptr) return list;
    }
    return kNone;
  }
  // The occupied cell that is worth least, of equals the oldest; kNone: all are empty.
  uint32_t least() const noexcept { return tree_[1]; }

  // visit(cell) for the occupied cells of a slice of age.
  template <typename Visit>
  void each_of_slice(uint32_t slice, Visit visit) noexcept {
    for (uint32_t word = 0; word < kWords; ++word) {
      for (uint64_t bits = occupied_[slice][word]; bits != 0; bits &= bits - 1) {
        visit((word * 64 + static_cast<uint32_t>(std::countr_zero(bits))) * kSlices + slice);
      }
    }
  }
  // The highest slice that has occupied cells; kSlices: none has.
  uint32_t last_slice() const noexcept {
    for (uint32_t slice = kSlices; slice-- > 0;) {
      for (uint64_t word : occupied_[slice]) {
        if (word != 0) return slice;
      }
    }
    return kSlices;
  }

  // The worth of all cells of this class may have changed.
  void reorder(uint32_t time_class, const ReuseModel& model) noexcept {
    const uint32_t first = ReuseModel::cell_of(time_class, 0, 0);
    for (uint32_t cell = first; cell < first + ReuseModel::kLevels * kSlices; ++cell) {
      if (heads_[cell] != nullptr) climb(cell, model);
    }
  }

 private:
  static constexpr uint32_t kRows = kCells / kSlices;
  static constexpr uint32_t kWords = (kRows + 63) / 64;

  void mark(uint32_t list, bool occupied, const ReuseModel& model) noexcept {
    if (list >= kCells) return;
    uint64_t& word = occupied_[list % kSlices][list / kSlices / 64];
    const uint64_t bit = uint64_t{1} << (list / kSlices % 64);
    word = occupied ? word | bit : word & ~bit;
    tree_[kCells + list] = occupied ? static_cast<uint16_t>(list) : kNone;
    climb(list, model);
  }

  void climb(uint32_t cell, const ReuseModel& model) noexcept {
    for (uint32_t at = (kCells + cell) / 2; at > 0; at /= 2) {
      const uint16_t left = tree_[2 * at], right = tree_[2 * at + 1];
      tree_[at] = left == kNone || (right != kNone && before(right, left, model)) ? right : left;
    }
  }
  static bool before(uint16_t a, uint16_t b, const ReuseModel& model) noexcept {
    if (model.worth(a) != model.worth(b)) return model.worth(a) < model.worth(b);
    return a % kSlices != b % kSlices ? a % kSlices > b % kSlices : a < b;
  }

  std::array<PolicyEntry*, kLists> heads_{};
  std::array<uint16_t, 2 * kCells> tree_;  // the leaves in the second half; 1 is the root
  std::array<std::array<uint64_t, kWords>, kSlices> occupied_{};
};

}  // namespace kvc
