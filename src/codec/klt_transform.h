// Transforms of rows that the calibrated codecs use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/klt_calibration.h"

namespace kvc {

// Turns n rows of keys, of positions from `position` on, `stride` floats apart; back if `inverse`.
void rotate_keys(const KeyRope& rope, uint64_t position, bool inverse, float* rows, size_t n, size_t stride);

// The normalised Hadamard transform of each block of a row (hadamard_block); its own inverse.
void hadamard_row(float* row, uint32_t dim);

}  // namespace kvc
