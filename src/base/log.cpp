#include "base/log.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace kvc {

void Log::write(int32_t level, const char* format, ...) const noexcept {
  if (!wants(level)) return;
  static constexpr char kCut[] = "...";
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  if (static_cast<size_t>(length) >= sizeof line) {
    // Not in the middle of a UTF-8 character: back to the byte that begins it.
    size_t end = sizeof line - sizeof kCut;
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;
    std::memcpy(line + end, kCut, sizeof kCut);
  }
  table_.log(table_.user_data, level, line);
}

}  // namespace kvc
