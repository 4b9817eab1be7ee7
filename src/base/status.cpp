#include "base/status.h"

#include <cstdarg>
#include <cstdio>

namespace kvc {

Status error(kvc_status_t code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  va_list again;
  va_copy(again, arguments);
  // Messages carry names that users choose: the length is measured, nothing is cut off.
  const int length = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string message;
  if (length > 0) {
    try {
      message.resize(static_cast<size_t>(length));
      std::vsnprintf(message.data(), message.size() + 1, format, again);
    } catch (...) {
      va_end(again);
      throw;
    }
  }
  va_end(again);
  return Status(code, std::move(message));
}

}  // namespace kvc
