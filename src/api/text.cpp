#include "api/text.h"

#include <cstring>

#include "request/utf8.h"

namespace kvc {

std::string utf8_repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_next(text, at);
    out += step.kind == Utf8::character ? text.substr(at, step.size) : std::string_view("\xef\xbf\xbd");
    at += step.size;
  }
  return out;
}

Status text_argument(const char* text, size_t size, const char* what, std::string_view* out) {
  if (text == nullptr) {
    if (size == 0) return *out = {}, Status::ok();
    return error(KVC_E_NULL, "%s is NULL", what);
  }
  const std::string_view view(text, size == static_cast<size_t>(-1) ? std::strlen(text) : size);
  if (const size_t bad = utf8_error(view); bad != std::string_view::npos) {
    return error(KVC_E_UTF8, "%s is not UTF-8: byte 0x%02x at offset %zu of %zu", what,
                 static_cast<unsigned char>(view[bad]), bad, view.size());
  }
  *out = view;
  return Status::ok();
}

Status name_argument(const char* text, const char* what, std::string* out) {
  if (text == nullptr) return out->clear(), Status::ok();
  std::string_view view;
  KVC_RETURN_IF_ERROR(text_argument(text, static_cast<size_t>(-1), what, &view));
  if (view.size() > kLongestName) {
    return error(KVC_E_OUT_OF_RANGE, "%s has %zu bytes; the most allowed is %zu", what, view.size(), kLongestName);
  }
  *out = view;
  return Status::ok();
}

Status path_argument(const char* path, std::string* out) {
  constexpr size_t kLongestPath = 4000;
  if (path == nullptr) return error(KVC_E_NULL, "path is NULL");
  *out = path;
  if (out->empty()) return error(KVC_E_INVALID, "path is empty");
  if (out->size() > kLongestPath) {
    return error(KVC_E_OUT_OF_RANGE, "path has %zu bytes; the most allowed is %zu", out->size(), kLongestPath);
  }
  return Status::ok();
}

Status check_buffer(const char* buffer, size_t capacity) {
  if (buffer == nullptr && capacity > 0) return error(KVC_E_NULL, "buffer is NULL, but its capacity is %zu", capacity);
  return Status::ok();
}

size_t write_text(std::string_view text, char* buffer, size_t capacity) noexcept {
  if (buffer == nullptr || capacity == 0) return text.size();
  const size_t n = utf8_cut(text, capacity - 1);
  std::memcpy(buffer, text.data(), n);
  buffer[n] = '\0';
  return text.size();
}

}  // namespace kvc
