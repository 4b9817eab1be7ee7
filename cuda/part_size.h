// Parts of slots: how long they are, and how many slots are cut up together.
#pragma once

#include <algorithm>
#include <cstdint>

namespace kvc_cuda {

// Addresses of slots and parts, from the first slot on, and their sizes are multiples of this.
inline constexpr uint64_t kSlotUnit = 256;

// Slots side by side that are cut into parts of `part` bytes; 0 slots: as many whole slots hold as much.
struct Cut {
  uint32_t slots = 0;
  uint64_t part = 0;
};

// For parts of so many bytes at least: the fewest slots that equal parts leave a tenth of at most, or where none do
// those that hold the most. Parts are as long as their number allows, and a 64th of a slot at least, so there are few
// sizes. Of a few slots each size takes one at a time, so that it leaves the rest to others.
inline Cut cut_for(uint64_t slot_bytes, uint32_t slots, uint64_t bytes) noexcept {
  constexpr uint32_t kMost = 8;
  const uint64_t least = (std::max(bytes, slot_bytes / 64) + kSlotUnit - 1) / kSlotUnit * kSlotUnit;
  Cut best;
  uint64_t most = 0;
  for (uint32_t n = 1; n <= std::max(std::min(kMost, slots / 4), uint32_t{1}); ++n) {
    const uint64_t parts = n * slot_bytes / least;
    if (parts <= n || (best.slots > 0 && parts * best.slots <= most * n)) continue;
    best = {n, n * slot_bytes / parts / kSlotUnit * kSlotUnit};
    most = parts;
    if (parts * least * 10 >= n * slot_bytes * 9) break;
  }
  return best;
}

}  // namespace kvc_cuda
