#include "base/clock.h"

#include <time.h>

namespace kvc {
namespace {

uint64_t monotonic_ns(void*) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

Clock::Clock() noexcept : now_(monotonic_ns), user_data_(nullptr) {}

Clock::Clock(const kvc_clock_t& table) noexcept
    : now_(table.now_ns != nullptr ? table.now_ns : monotonic_ns), user_data_(table.user_data) {}

}  // namespace kvc
