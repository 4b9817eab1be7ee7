// Text that comes in and goes out: lengths, UTF-8 (request/utf8.h), buffers.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kvc {

// The text with every maximal part of an invalid sequence replaced by U+FFFD.
std::string utf8_repaired(std::string_view text);

// size (size_t)-1: up to the terminating zero. KVC_E_UTF8 names the offset and the byte.
Status text_argument(const char* text, size_t size, const char* what, std::string_view* out);
// For names (tenant, session_id): NULL is "", at most kLongestName bytes.
constexpr size_t kLongestName = 1024;
Status name_argument(const char* text, const char* what, std::string* out);

// For files and directories: neither NULL nor empty, of a length that systems take.
Status path_argument(const char* path, std::string* out);

// KVC_E_NULL for a NULL buffer with a capacity.
Status check_buffer(const char* buffer, size_t capacity);
// Writes what fits, cut between characters and zero-terminated; returns the full length.
size_t write_text(std::string_view text, char* buffer, size_t capacity) noexcept;

}  // namespace kvc
