// A shared mutex whose readers do not meet: each thread locks one of several mutexes, each on a cache line of its own;
// a writer locks all of them. For what is read very often and written seldom: an ordinary reader lock makes all readers
// write to one line, and they wait for that line instead of for each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <shared_mutex>

namespace kvc {

// A number below n for the calling thread, the same at every call. Threads are numbered in the order in which they first
// ask, so n threads that begin after one another have n numbers. (Hashes of thread ids do not: two threads that met in
// one stripe, as one pair in n does, were slower together than one of them alone.)
inline size_t thread_stripe(size_t n) noexcept {
  static constinit std::atomic<uint32_t> threads{0};
  static constinit thread_local uint32_t number = 0;  // counted from 1
  if (number == 0) number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
  return number % n;
}

class StripedSharedMutex {
 public:
  void lock() {
    for (Stripe& stripe : stripes_) stripe.mutex.lock();
  }
  void unlock() {
    for (Stripe& stripe : stripes_) stripe.mutex.unlock();
  }
  void lock_shared() { stripes_[thread_stripe(kStripes)].mutex.lock_shared(); }
  // On the thread that locked.
  void unlock_shared() { stripes_[thread_stripe(kStripes)].mutex.unlock_shared(); }

 private:
  static constexpr size_t kStripes = 16;
  // At least a line apart, without asking for alignment: aligned allocations fragment older C libraries' heaps.
  struct Stripe {
    std::shared_mutex mutex;
    char apart[64];
  };
  Stripe stripes_[kStripes];
};

}  // namespace kvc
