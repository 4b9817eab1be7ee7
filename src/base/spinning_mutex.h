// A mutex for sections of about a microsecond: who finds it taken looks again for about as long before it sleeps,
// because to sleep and to be woken costs more than the wait.
#pragma once

#include <mutex>

namespace kvc {

class SpinningMutex {
 public:
  void lock() {
    for (int i = 0; i < kLooks; ++i) {
      if (mutex_.try_lock()) return;
      for (int j = 0; j < kPauses; ++j) pause();
    }
    mutex_.lock();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  static constexpr int kLooks = 32;
  static constexpr int kPauses = 8;
  static void pause() noexcept {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }

  std::mutex mutex_;
};

}  // namespace kvc
