// A shared mutex whose readers do not meet: each thread locks one of several mutexes, each on a cache line of its own;
// a writer locks all of them. For what is read very often and written seldom: an ordinary reader lock makes all readers
// write to one line, and they wait for that line instead of for each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <shared_mutex>

#include <pthread.h>

namespace kvc {

// A number below n for the calling thread, the same at every call; different threads mostly have different ones.
inline size_t thread_stripe(size_t n) noexcept {
  // Thread ids are addresses of thread descriptors: the upper bits of the product tell threads apart.
  return static_cast<size_t>((static_cast<uint64_t>(pthread_self()) * 0x9e3779b97f4a7c15u) >> 32) % n;
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
