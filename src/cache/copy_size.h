// From which size on a copy bypasses the processor's caches (copy_grid's `streaming`).
#pragma once

#include <cstddef>

namespace kvc {

// Beyond the share of a last-level cache that one core may count on: what is written would push itself out before it is
// read, and a plain store reads the line first.
inline constexpr size_t kStreamingBytes = size_t{4} << 20;

}  // namespace kvc
