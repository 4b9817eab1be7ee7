// Time is injected (kvc_clock_t), so that tests and simulators drive it.
#pragma once

#include <cstdint>

#include "kvc/kvc.h"

namespace kvc {

class Clock {
 public:
  Clock() noexcept;                                   // the machine's monotonic clock
  explicit Clock(const kvc_clock_t& table) noexcept;  // the caller's
  uint64_t now_ns() const { return now_(user_data_); }

 private:
  uint64_t (*now_)(void*);
  void* user_data_;
};

}  // namespace kvc
