// Uses of pages on their way to the policy.
//
// A match would otherwise take the policy's lock for every page it finds, and matches on several threads would wait for
// one another. Instead it notes its deepest page in one of a few small buffers, chosen by thread (Caffeine's read
// buffers do so too). Who finds its buffer full hands the notes in it on; whoever needs the policy to know all empties
// them all.
//
// Notes are raw pointers: they are written and handed on under the shared index lock, and eviction empties the buffers,
// under the exclusive one, before it frees any page.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/striped_mutex.h"

namespace kvc {

struct Page;

class AccessBuffer {
 public:
  // False: the buffer is full, the note was not taken.
  bool note(Page* page) noexcept {
    Stripe& stripe = stripes_[thread_stripe(kStripes)];
    stripe.acquire();
    const bool taken = stripe.n < kNotes;
    if (taken) stripe.pages[stripe.n++] = page;
    stripe.release();
    return taken;
  }

  // Hands the notes of all threads, or of the calling thread alone, to use(page) and forgets them.
  template <typename Use>
  void drain(Use use) noexcept {
    for (Stripe& stripe : stripes_) drain(stripe, use);
  }
  template <typename Use>
  void drain_own(Use use) noexcept {
    drain(stripes_[thread_stripe(kStripes)], use);
  }

 private:
  static constexpr uint32_t kStripes = 8;
  static constexpr uint32_t kNotes = 30;

  struct Stripe {
    std::atomic<bool> busy{false};
    uint32_t n = 0;
    Page* pages[kNotes];
    // Held for a handful of instructions.
    void acquire() noexcept {
      while (busy.exchange(true, std::memory_order_acquire)) {
        while (busy.load(std::memory_order_relaxed)) {
        }
      }
    }
    void release() noexcept { busy.store(false, std::memory_order_release); }
  };

  template <typename Use>
  static void drain(Stripe& stripe, Use& use) noexcept {
    Page* pages[kNotes];
    stripe.acquire();
    const uint32_t n = stripe.n;
    for (uint32_t i = 0; i < n; ++i) pages[i] = stripe.pages[i];
    stripe.n = 0;
    stripe.release();
    for (uint32_t i = 0; i < n; ++i) use(pages[i]);
  }

  Stripe stripes_[kStripes];
};

}  // namespace kvc
