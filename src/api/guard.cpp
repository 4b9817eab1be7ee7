#include "api/guard.h"

#include "api/text.h"

namespace kvc {

void ErrorText::set(kvc_status_t status, std::string_view message) noexcept {
  const std::lock_guard lock(mutex_);
  try {
    text_ = message;
    fallback_ = nullptr;
  } catch (...) {
    fallback_ = kvc_status_text(status);
  }
}

size_t ErrorText::copy(char* buffer, size_t capacity) noexcept {
  const std::lock_guard lock(mutex_);
  return write_text(fallback_ != nullptr ? std::string_view(fallback_) : std::string_view(text_), buffer, capacity);
}

}  // namespace kvc
