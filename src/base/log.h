// Log lines go to the logger that the engine was given, or nowhere.
#pragma once

#include "kvc/kvc.h"

namespace kvc {

class Log {
 public:
  Log() noexcept = default;
  explicit Log(const kvc_logger_t& table) noexcept : table_(table) {}
  bool wants(int32_t level) const noexcept { return table_.log != nullptr && level <= table_.level; }
  // printf-style; lines longer than 1 KiB are shortened. Never throws.
  void write(int32_t level, const char* format, ...) const noexcept __attribute__((format(printf, 3, 4)));

 private:
  kvc_logger_t table_{};
};

}  // namespace kvc
