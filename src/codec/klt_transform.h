// Transforms of rows that the calibrated codecs use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/klt_calibration.h"

namespace kvc {

// Turns n rows of keys, of positions from `position` on, `stride` floats apart; back if `inverse`.
void rotate_keys(const KeyRope& rope, uint64_t position, bool inverse, float* rows, size_t n, size_t stride);

// The same of one tile's keys as columns, [k_dim][kTileTokens], its first token at `position`; of the tokens [from,
// end), multiples of kUnitLanes.
void rotate_columns(const KltCalibration& calibration, uint64_t position, bool inverse, uint32_t from, uint32_t end,
                    float* columns);

// What a pair of a key is turned by: of a tile's first token, after which rotate_columns turns the others further, by
// KltCalibration::steps, or of any token.
struct KeyTurn {
  float cosine, sine;
};
KeyTurn first_turn(const KeyRope& rope, uint64_t position, size_t pair);

// The turns of some positions, kept for rows of many heads and layers: dear to compute. Where rotate_keys goes from one
// row to the next, each row is turned by its own position here.
class KeyTurns {
 public:
  void add(const KeyRope& rope, uint64_t position);
  // Turns one key, or a query, by the position that was added as number `at`, of the same rope; back if `inverse`.
  void turn(const KeyRope& rope, size_t at, bool inverse, float* x) const noexcept;

 private:
  std::vector<KeyTurn> turns_;  // [position][pair]
};

// Rows as columns: to[c][r] = from[r][c].
void transpose(const float* from, size_t from_stride, size_t rows, size_t columns, float* to, size_t to_stride);

// The normalised Hadamard transform of a row wherever it lies; room: aligned to 64 bytes, for round_up(dim,
// kUnitLanes).
void hadamard_row(float* row, uint32_t dim, float* room);

}  // namespace kvc
