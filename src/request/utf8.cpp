#include "request/utf8.h"

#include <cstdint>

namespace kvc {

Utf8Step utf8_next(std::string_view bytes, size_t at) noexcept {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[at + i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {Utf8::character, 1};
  if (lead < 0xC2 || lead > 0xF4) return {Utf8::invalid, 1};
  const size_t size = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // The second byte's range excludes overlong forms, surrogates and what is beyond U+10FFFF.
  uint8_t low = 0x80, high = 0xBF;
  if (lead == 0xE0) low = 0xA0;
  if (lead == 0xED) high = 0x9F;
  if (lead == 0xF0) low = 0x90;
  if (lead == 0xF4) high = 0x8F;
  for (size_t i = 1; i < size; ++i) {
    if (at + i == bytes.size()) return {Utf8::incomplete, i};
    if (byte(i) < low || byte(i) > high) return {Utf8::invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Utf8::character, size};
}

size_t utf8_error(std::string_view text) noexcept {
  for (size_t at = 0; at < text.size();) {
    const Utf8Step step = utf8_next(text, at);
    if (step.kind != Utf8::character) return at;
    at += step.size;
  }
  return std::string_view::npos;
}

size_t utf8_cut(std::string_view text, size_t limit) noexcept {
  if (text.size() <= limit) return text.size();
  while (limit > 0 && (static_cast<uint8_t>(text[limit]) & 0xC0) == 0x80) --limit;
  return limit;
}

}  // namespace kvc
