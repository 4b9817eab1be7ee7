// What pages were used for, on its way to the policy: matches, and sessions that ended.
//
// A match would otherwise take the policy's lock for every page it finds, and matches on several threads would wait for
// one another. Instead it notes its deepest page in one of a few small buffers, chosen by thread (Caffeine's read
// buffers do so too), and so does a session that closes. Who finds its buffer half full hands the notes in it on, unless
// somebody else is with the policy: then it goes on, until the buffer is full. Whoever needs the policy to know all
// empties them all.
//
// Notes are raw pointers: they are written and handed on under the shared index lock, and eviction empties the buffers,
// under the exclusive one, before it frees any page.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include "base/striped_mutex.h"
#include "policy/policy.h"

namespace kvc {

struct Page;

struct AccessNote {
  Page* last = nullptr;  // and all pages before it
  uint64_t time_ns = 0;
  bool ended = false;  // a session that led to it closed, and left what `end` says
  SessionEnd end;
};

class AccessBuffer {
 public:
  enum class Room : uint8_t { plenty, little, none };  // after a note; none: it was not taken
  Room note(const AccessNote& note) noexcept {
    Stripe& stripe = stripes_[thread_stripe(kStripes)];
    stripe.acquire();
    const uint32_t n = stripe.n;
    if (n < kNotes) stripe.notes[stripe.n++] = note;
    stripe.release();
    return n == kNotes ? Room::none : n < kNotes / 2 ? Room::plenty : Room::little;
  }

  // Hands the notes of all threads in the order of their times, or those of the calling thread, to use(note) and forgets
  // them.
  template <typename Use>
  void drain(Use use) noexcept {
    std::array<AccessNote, kStripes * kNotes> notes;
    uint32_t n = 0, n_stripes = 0;
    for (Stripe& stripe : stripes_) {
      const uint32_t taken = take(stripe, &notes[n]);
      n += taken;
      n_stripes += taken > 0 ? 1 : 0;
    }
    if (n_stripes > 1) {
      std::stable_sort(notes.begin(), notes.begin() + n,
                       [](const AccessNote& a, const AccessNote& b) { return a.time_ns < b.time_ns; });
    }
    for (uint32_t i = 0; i < n; ++i) use(notes[i]);
  }
  template <typename Use>
  void drain_own(Use use) noexcept {
    std::array<AccessNote, kNotes> notes;
    const uint32_t n = take(stripes_[thread_stripe(kStripes)], notes.data());
    for (uint32_t i = 0; i < n; ++i) use(notes[i]);
  }

 private:
  static constexpr uint32_t kStripes = 8;
  static constexpr uint32_t kNotes = 32;

  struct Stripe {
    std::atomic<bool> busy{false};
    uint32_t n = 0;
    AccessNote notes[kNotes];
    // Held for a handful of instructions.
    void acquire() noexcept {
      while (busy.exchange(true, std::memory_order_acquire)) {
        while (busy.load(std::memory_order_relaxed)) {
        }
      }
    }
    void release() noexcept { busy.store(false, std::memory_order_release); }
  };

  static uint32_t take(Stripe& stripe, AccessNote* out) noexcept {
    stripe.acquire();
    const uint32_t n = stripe.n;
    std::copy_n(stripe.notes, n, out);
    stripe.n = 0;
    stripe.release();
    return n;
  }

  Stripe stripes_[kStripes];
};

}  // namespace kvc
