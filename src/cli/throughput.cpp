#include "throughput.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

#include "support.h"

namespace kvc::cli {

// Operations per second of n threads that repeat `operation(thread)` for `seconds`.
double throughput(unsigned threads, double seconds, const std::function<void(unsigned)>& operation) {
  std::atomic<bool> go{false}, stop{false};
  std::atomic<uint64_t> done{0};
  std::exception_ptr failure;
  std::atomic<bool> failed{false};
  std::vector<std::thread> workers;
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      while (!go.load()) std::this_thread::yield();
      uint64_t count = 0;
      try {
        for (; !stop.load(std::memory_order_relaxed); ++count) operation(t);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
      done += count;
    });
  }
  const double start = now_seconds();
  go = true;
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (std::thread& worker : workers) worker.join();
  if (failure) std::rethrow_exception(failure);
  return static_cast<double>(done.load()) / (now_seconds() - start);
}

double cpu_scaling(double seconds) {
  std::atomic<uint64_t> sink{0};
  const auto arithmetic = [&](unsigned t) {
    uint64_t x = t + 1, sum = 0;
    for (int i = 0; i < 20000; ++i) {
      x ^= x << 13;
      x ^= x >> 7;
      x ^= x << 17;
      sum += x;
    }
    if (sum == 0) sink += 1;  // never, but the compiler cannot know
  };
  const double one = throughput(1, seconds, arithmetic);
  return throughput(2, seconds, arithmetic) / one;
}

}  // namespace kvc::cli
