// Coding of tiles in any number of bits: groups of numbers (a channel over the tokens, a token over the channels) on a
// uniform grid between two bounds, as bit planes.
//
// A tile:
//   unit     f32
//   bounds   int8 [group][2]   low and high, in units of unit * deviation[group]
//   planes   [group][bit][ceil(numbers / 8)]   bit i of byte j: number 8 * j + i; lowest bit of the codes first
// A number is low + code * (high - low) / (2^bits - 1). With 0 bits it is low.
//
// Little is left for an entropy coder: of whole pages of a real model zstd takes 7 % at 2.15 bits a number and 4 %
// at 4.75, xz 10 and 4 %. The store does that by itself (option disk_compression).
//
// Stated error: groups of 3 bits and more are never clipped, |x' - x| <= ((high - low) / (2^bits - 1)) / 2, where the
// bounds are at most one unit * deviation outside of the group's range. Groups of 1 and 2 bits are coded for Gaussian
// numbers (Max 1960), with larger errors for the few far ones.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attend/transform.h"

namespace kvc {

// The bounds of calibrated channels are counted in sixteenths of their standard deviation, or more where that does not reach
// far enough.
inline constexpr float kFinestUnit = 1.0f / 16;

constexpr size_t plane_bytes(size_t numbers) { return (numbers + 7) / 8; }
constexpr size_t coded_bytes(size_t groups, size_t numbers, size_t total_bits) {
  return sizeof(float) + 2 * groups + total_bits * plane_bytes(numbers);
}

// numbers: [group][count], of which those before `skip` are kept elsewhere and do not count. deviation: nullptr is 1.
// bits: one per group, or nullptr and all have `same_bits`. floor: the smallest unit. False: a number is not finite.
bool encode_groups(const float* numbers, size_t groups, size_t count, size_t skip, const float* deviation,
                   const uint8_t* bits, uint32_t same_bits, float floor, bool clip, std::byte* out);

// One group after the other.
class GroupDecoder {
 public:
  GroupDecoder(const std::byte* tile, size_t groups, size_t count, const float* deviation, const uint8_t* bits,
               uint32_t same_bits);
  // The numbers of the next group, `count` of them.
  void next(float* out);
  // Passes over a group.
  void skip();

 private:
  uint32_t width() const { return bits_ != nullptr ? bits_[group_] : same_bits_; }

  const TransformKernels& kernels_;
  const std::byte* bounds_;
  const std::byte* planes_;
  const float* deviation_;
  const uint8_t* bits_;
  size_t count_;
  size_t group_ = 0;
  uint32_t same_bits_;
  float unit_;
};

}  // namespace kvc
