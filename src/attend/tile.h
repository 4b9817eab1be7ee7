// Tiles: the form in which kernels see K/V. A tile is up to 64 consecutive tokens of one K/V head.
//
// An encoded tile holds unsigned codes of 8, 4 or 2 bits:
//   keys    per channel:  k[t][d] = unit * (scale[d] * code[t][d] + zero[d])
//   values  per token:    y[t][d] = unit * (scale[t] * code[t][d] + zero[t]), v[t] = hadamard(y[t])
// scale and zero are f16; unit is a power of two that brings any f32 into f16's range. Keys vary by channel and values
// by token (KIVI, Liu et al. 2024); the Hadamard transform spreads a value's outliers over the head (QuaRot, Ashkboos
// et al. 2024).
//
// Codes lie in units of 32 bytes, made for dot products of pairs of 16-bit numbers in 32-bit lanes: 16 lanes, each with
// the two codes that are multiplied and added in it. A key unit is 16 tokens (lanes) x 2 channels, a value unit
// 16 channels (lanes) x 2 tokens. Narrower codes share bytes: bits b*u .. b*u+b-1 of the 32 bytes are unit u of
// 8/bits consecutive ones, so widening takes one shift and one mask.
//   keys    [block of 16 tokens][group of 8/bits channel pairs][32]
//   values  [group of 8/bits token pairs][block of 16 channels][32]
// What is missing to whole units (tokens to 16, channels to 4 / 8 / 16) is there, as code 0.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/tensor.h"

namespace kvc {

inline constexpr uint32_t kTileTokens = 64;
inline constexpr uint32_t kUnitLanes = 16;
inline constexpr uint32_t kUnitBytes = 2 * kUnitLanes;

constexpr uint32_t round_up(uint32_t n, uint32_t step) { return (n + step - 1) / step * step; }
constexpr size_t tile_align(size_t bytes) { return (bytes + 63) / 64 * 64; }

// Geometry of an encoded tile. bits: 8, 4 or 2; tokens: 1..kTileTokens.
struct TileShape {
  uint32_t tokens = 0;
  uint32_t dim = 0;
  uint32_t bits = 8;
  uint32_t pack() const { return 8 / bits; }
  uint32_t padded_tokens() const { return round_up(tokens, kUnitLanes); }
};

// Bytes of the parts of a tile, each beginning at a multiple of 64: scales, zeros (of the same size), codes.
struct TileBytes {
  size_t scale = 0;
  size_t codes = 0;
  size_t total() const { return 2 * scale + codes; }
};

constexpr uint32_t key_channels(const TileShape& s) { return round_up(s.dim, 2 * (8 / s.bits)); }
constexpr uint32_t value_channels(const TileShape& s) { return round_up(s.dim, kUnitLanes); }
inline TileBytes key_tile_bytes(const TileShape& s) {
  return {tile_align(key_channels(s) * sizeof(uint16_t)),
          tile_align(size_t{s.padded_tokens()} * key_channels(s) * s.bits / 8)};
}
inline TileBytes value_tile_bytes(const TileShape& s) {
  return {tile_align(s.padded_tokens() * sizeof(uint16_t)),
          tile_align(size_t{s.padded_tokens()} * value_channels(s) * s.bits / 8)};
}

// The Hadamard transform works on blocks of this many channels: the largest power of two that divides dim.
constexpr uint32_t hadamard_block(uint32_t dim) { return dim & (~dim + 1); }

// An encoded tile where it lies.
struct CodedTile {
  TileShape shape;
  float unit = 1;
  const uint16_t* scale = nullptr;  // f16
  const uint16_t* zero = nullptr;   // f16
  const uint8_t* codes = nullptr;
};
struct CodedTileOut {
  TileShape shape;
  float* unit = nullptr;
  uint16_t* scale = nullptr;
  uint16_t* zero = nullptr;
  uint8_t* codes = nullptr;
};

// Rows in the clear: token t at data + t * stride (bytes).
struct ClearRows {
  DType dtype = DType::f32;
  const std::byte* data = nullptr;
  size_t stride = 0;
};

}  // namespace kvc
