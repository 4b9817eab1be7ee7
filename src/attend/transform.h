// Arithmetic for codecs that code numbers in a learned basis, in any number of bits (codec/klt_calibration.h): products
// with the basis, codes from bit planes, the rotation of keys by their positions.
//
// All instruction sets give the same numbers, bit for bit: every step is one IEEE operation in a fixed order, nothing
// is fused.
#pragma once

#include <cstddef>
#include <cstdint>

#include "attend/target.h"

namespace kvc {

struct TransformKernels {
  // out[i][j] = start[i] + a[0][i] * b[0][j] + a[1][i] * b[1][j] ... + a[count - 1][i] * b[count - 1][j], for i < m, j
  // < n. start: nullptr is 0. n: a multiple of kUnitLanes. Strides are in floats. out is none of the others.
  void (*add_products)(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t count,
                       const float* start, size_t m, size_t n, float* out, size_t out_stride);
  // out[i] = low + scale * code[i], i < count: codes of `width` bits (0..16) as planes of ceil(count / 8) bytes each,
  // the lowest bit's first; bit i % 8 of byte i / 8 is code i's.
  void (*unpack)(const uint8_t* planes, uint32_t width, size_t count, float low, float scale, float* out);
  // The reverse: code[i] is nearest to (x[i] - low) * inverse, between 0 and 2^width - 1. Codes of i < skip are 0.
  void (*pack)(const float* x, size_t skip, size_t count, float low, float inverse, uint32_t width, uint8_t* planes);
  // Smallest and largest number; false: one is not finite. n > 0.
  bool (*range)(const float* x, size_t n, float* low, float* high);
  // Turns the pairs (a[t], b[t]), t < n, by an angle and t steps: cosine and sine are the angle's, cosines[t] and
  // sines[t] those of t steps. n: a multiple of kUnitLanes.
  void (*turn)(float cosine, float sine, const float* cosines, const float* sines, size_t n, float* a, float* b);
};

const TransformKernels& transform_kernels(Target target) noexcept;
inline const TransformKernels& transform_kernels() noexcept { return transform_kernels(best_target()); }

}  // namespace kvc
