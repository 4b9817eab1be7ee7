// UTF-8 (RFC 3629): checking what comes in, and cutting what goes out at whole characters.
#pragma once

#include <cstddef>
#include <string_view>

namespace kvc {

enum class Utf8 { character, incomplete, invalid };

// What the bytes from `at` on begin with, and how many of them it covers. Ill-formed bytes are covered in maximal
// subparts (Unicode, chapter 3, "U+FFFD Substitution of Maximal Subparts"): each becomes one U+FFFD. `incomplete`
// reaches to the end.
struct Utf8Step {
  Utf8 kind;
  size_t size;  // at least 1
};
Utf8Step utf8_next(std::string_view bytes, size_t at) noexcept;  // at < bytes.size()

// Offset of the first byte that is not part of a character; npos if there is none.
size_t utf8_error(std::string_view text) noexcept;

// The largest n <= limit at which `text`, which is valid, can be cut without splitting a character.
size_t utf8_cut(std::string_view text, size_t limit) noexcept;

}  // namespace kvc
