// One tile of 8, 4 or 2 bits (attend/tile.h) from rows in memory, and back: what the codecs int8, int4 and mixed and the
// coded forms of plain tensors share.
#pragma once

#include <cstddef>

#include "attend/quantize.h"
#include "attend/tile.h"
#include "base/tensor.h"
#include "kvc/kvc.h"

namespace kvc {

constexpr bool is_code_width(uint32_t bits) { return bits == 8 || bits == 4 || bits == 2; }

// plane: KVC_KEY has a range per channel, KVC_VALUE one per token, rotated.
inline TileBytes tile_bytes(int plane, const TileShape& shape) {
  return plane == KVC_KEY ? key_tile_bytes(shape) : value_tile_bytes(shape);
}

// Floats of a row in scratch memory for tiles; a tile needs kTileTokens of them, aligned to 64 bytes.
constexpr size_t scratch_stride(uint32_t dim) { return round_up(dim, kUnitLanes); }

// Encodes shape.tokens compact rows into tile_bytes().total() bytes. The first `exact` are kept elsewhere and do not
// count for the ranges. False: a number is not finite.
bool encode_tile(DType dtype, const std::byte* from, int plane, const TileShape& shape, uint32_t exact, float* scratch,
                 float* unit, std::byte* to);

// The tile that lies there.
CodedTile coded_tile(int plane, const TileShape& shape, float unit, const std::byte* at);

// Tokens [from, from + n) of a tile to rows of `token_stride` bytes.
void decode_tile(DType dtype, int plane, const CodedTile& tile, uint32_t from, uint32_t n, float* scratch,
                 std::byte* to, size_t token_stride);

}  // namespace kvc
