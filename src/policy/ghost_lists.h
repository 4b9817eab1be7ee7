// Keys of entries that are gone, in two lists, the oldest of each first out: an array that both share, found by a hash
// table. Keys are known by 32 bits of theirs: where another key has the same, that one's return is seen. O(1) per event,
// 24 bytes per key; room for as many keys as there are entries, by reserve() alone.
#pragma once

#include <cstdint>

#include "policy/candidate_heap.h"

namespace kvc {

class GhostLists {
 public:
  explicit GhostLists(Memory* memory) noexcept : ghosts_(memory), heads_(memory) {}

  bool reserve(uint32_t entries) noexcept {
    if (entries <= ghosts_.capacity() && entries <= heads_.capacity()) return true;
    const uint32_t before = heads_.capacity();
    if (!ghosts_.reserve(entries, used_) || !heads_.reserve(entries, 0)) return false;
    if (heads_.capacity() != before) rehash();
    return true;
  }
  void free() noexcept {
    ghosts_.free();
    heads_.free();
    used_ = 0;
    free_ = kNone;
    lists_[0] = lists_[1] = List();
  }

  uint32_t size(int list) const noexcept { return lists_[list].size; }
  // stamp: to be given back when it returns, 31 bits.
  void add(int list, uint64_t key, uint32_t stamp = 0) noexcept {
    if (free_ == kNone && used_ >= ghosts_.capacity()) {
      const int longer = size(0) >= size(1) ? 0 : 1;
      if (size(longer) == 0) return;
      erase(lists_[longer].first);
    }
    uint32_t at = free_;
    if (at != kNone) {
      free_ = ghosts_[at].next;
    } else {
      at = used_++;
    }
    List& to = lists_[list];
    uint32_t& head = head_of(tag_of(key));
    ghosts_[at] = Ghost{tag_of(key), head, to.last, kNone, static_cast<uint32_t>(list) << 31 | (stamp & kStamp)};
    head = at;
    (to.last == kNone ? to.first : ghosts_[to.last].next) = at;
    to.last = at;
    ++to.size;
  }
  // The list that the key is in, or -1; takes it out.
  int take(uint64_t key, uint32_t* stamp = nullptr) noexcept {
    if (heads_.capacity() == 0) return -1;
    for (uint32_t at = head_of(tag_of(key)); at != kNone; at = ghosts_[at].same) {
      if (ghosts_[at].tag != tag_of(key)) continue;
      const int list = list_of(at);
      if (stamp != nullptr) *stamp = ghosts_[at].list_and_stamp & kStamp;
      erase(at);
      return list;
    }
    return -1;
  }
  // Forgets the oldest beyond `limit`.
  void trim(int list, uint64_t limit) noexcept {
    while (size(list) > limit) erase(lists_[list].first);
  }
  static constexpr uint32_t kStamp = 0x7fffffff;

 private:
  static constexpr uint32_t kNone = 0xffffffff;
  struct Ghost {
    uint32_t tag, same, prev, next, list_and_stamp;  // same: next of the same hash; next also links free places
  };
  struct List {
    uint32_t first = kNone, last = kNone, size = 0;
  };
  static uint32_t tag_of(uint64_t key) noexcept { return static_cast<uint32_t>(key >> 32); }
  int list_of(uint32_t at) const noexcept { return static_cast<int>(ghosts_[at].list_and_stamp >> 31); }
  uint32_t& head_of(uint32_t tag) noexcept {
    return heads_[static_cast<uint32_t>(uint64_t{tag * 0x9e3779b9u} * heads_.capacity() >> 32)];
  }
  void erase(uint32_t at) noexcept {
    Ghost& ghost = ghosts_[at];
    List& from = lists_[list_of(at)];
    uint32_t* link = &head_of(ghost.tag);
    while (*link != at) link = &ghosts_[*link].same;
    *link = ghost.same;
    (ghost.prev == kNone ? from.first : ghosts_[ghost.prev].next) = ghost.next;
    (ghost.next == kNone ? from.last : ghosts_[ghost.next].prev) = ghost.prev;
    ghost.next = free_;
    free_ = at;
    --from.size;
  }
  void rehash() noexcept {
    for (uint32_t i = 0; i < heads_.capacity(); ++i) heads_[i] = kNone;
    for (const List& list : lists_) {
      for (uint32_t at = list.first; at != kNone; at = ghosts_[at].next) {
        uint32_t& head = head_of(ghosts_[at].tag);
        ghosts_[at].same = head;
        head = at;
      }
    }
  }

  BudgetArray<Ghost> ghosts_;
  BudgetArray<uint32_t> heads_;
  uint32_t used_ = 0, free_ = kNone;
  List lists_[2];
};

}  // namespace kvc
