// Stands between an engine and its caller's logger, so that what outlives the engine - a cache whose disk hangs - does not
// call it any more.
#pragma once

#include <mutex>
#include <optional>
#include <shared_mutex>

#include "kvc/kvc.h"

namespace kvc {

class LogGate {
 public:
  explicit LogGate(const std::optional<kvc_logger_t>& logger) : logger_(logger.value_or(kvc_logger_t{})) {}

  // A logger that passes lines on until shut(); `this` outlives whoever has it.
  kvc_logger_t table() noexcept {
    kvc_logger_t table = logger_;
    table.user_data = this;
    if (table.log != nullptr) table.log = pass;
    return table;
  }
  // Waits for lines that are being passed on.
  void shut() noexcept {
    const std::unique_lock lock(mutex_);
    logger_.log = nullptr;
  }

 private:
  static void pass(void* gate, int32_t level, const char* message) {
    auto* self = static_cast<LogGate*>(gate);
    const std::shared_lock lock(self->mutex_);
    if (self->logger_.log != nullptr) self->logger_.log(self->logger_.user_data, level, message);
  }

  std::shared_mutex mutex_;
  kvc_logger_t logger_;
};

}  // namespace kvc
