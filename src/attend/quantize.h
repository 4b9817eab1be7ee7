// Encoding tiles and decoding them (attend/tile.h has the form).
//
// All instruction sets give the same codes and the same decoded numbers, bit for bit: every step is one IEEE operation
// in a fixed order, nothing is fused.
//
// Stated error, for finite numbers: a code is nearest to its number on a grid that covers the range, so
//   keys     |k' - k| <= 0.51 * (range of the channel in the tile) / (2^bits - 1) + 2^-11 * (largest of the tile)
//   values   the same for y, each token its own range; v = hadamard(y) has the same error in the 2-norm over a block
// with the rounding of the destination's dtype on top.
#pragma once

#include <cstdint>

#include "attend/target.h"
#include "attend/tile.h"

namespace kvc {

// Rows of floats: [token][stride], aligned to 64 bytes, stride a multiple of kUnitLanes and >= dim. What lies between dim
// and stride, and the rows that fill up to padded_tokens(), are 0 for encoding, and anything after decoding.
struct QuantizeKernels {
  // The largest magnitude, or infinity if a number is not finite. n: a multiple of kUnitLanes.
  float (*largest)(const float* x, size_t n);
  // Encodes a tile. The first `exact` tokens are kept elsewhere: they do not count for the ranges. rows is used as
  // scratch. unit is set by the caller (tile_unit).
  void (*encode_keys)(float* rows, size_t stride, uint32_t exact, const CodedTileOut& tile);
  void (*encode_values)(float* rows, size_t stride, uint32_t exact, const CodedTileOut& tile);
  // Decodes tokens [from, from + n) of a tile to rows[0 .. n).
  void (*decode_keys)(const CodedTile& tile, uint32_t from, uint32_t n, float* rows, size_t stride);
  void (*decode_values)(const CodedTile& tile, uint32_t from, uint32_t n, float* rows, size_t stride);
  // x times the Hadamard matrix times factor, by blocks.
  void (*hadamard)(float* x, size_t n, uint32_t block, float factor);
};

const QuantizeKernels& quantize_kernels(Target target) noexcept;
inline const QuantizeKernels& quantize_kernels() noexcept { return quantize_kernels(best_target()); }

// The orthonormal Hadamard transform of a row, by blocks (hadamard_block); n: floats of the row, a multiple of
// kUnitLanes, 64-byte aligned. Its own inverse.
void hadamard(float* x, size_t n, uint32_t block) noexcept;

// The unit of a tile whose largest magnitude is `largest` (finite): a power of two. Leaves room for what the Hadamard
// transform adds (the root of the block's length) below the largest f16.
float tile_unit(float largest) noexcept;

}  // namespace kvc
