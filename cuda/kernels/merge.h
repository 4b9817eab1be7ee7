// Attention over parts of what is seen, each with its own softmax, put together: the mean of their results by what
// their weights sum up to.
#pragma once

#include "kernels/numbers.h"

namespace kvc_cuda {

struct MergeArgs {
  // Of a part: f32 values[row][dim]; f32 state[row][2], largest score (base 2) and sum of weights. The next part's lie
  // `stride` bytes further on.
  const unsigned char* values = nullptr;
  const unsigned char* state = nullptr;
  uint64_t stride = 0;
  unsigned char* out = nullptr;  // [row][dim]
  uint32_t parts = 0, rows = 0, dim = 0;
  Number number = Number::f32;
};

inline constexpr uint32_t kMergeThreads = 256;

template <class Block>
KVC_BODY void merge_parts(Block& block, const MergeArgs& a) {
  const float lowest = float_of(0xff800000u);
  block.each([&](uint32_t thread) {
    const uint32_t n = block.index() * kMergeThreads + thread;
    if (n >= a.rows * a.dim) return;
    const auto state = [&](uint32_t part) {
      return reinterpret_cast<const float*>(a.state + part * a.stride) + n / a.dim * 2;
    };
    float most = lowest;
    for (uint32_t part = 0; part < a.parts; ++part) most = larger(most, state(part)[0]);
    float weight = 0.0f, value = 0.0f;
    for (uint32_t part = 0; part < a.parts; ++part) {
      if (state(part)[0] == lowest) continue;
      const float by = state(part)[1] * exp2_of(state(part)[0] - most);
      weight = weight + by;
      value = value + by * reinterpret_cast<const float*>(a.values + part * a.stride)[n];
    }
    // NaN in, NaN out; nothing seen: 0.
    store_number(a.number, weight == 0.0f ? 0.0f : value / weight, a.out + uint64_t{n} * bytes_of(a.number));
  });
}

}  // namespace kvc_cuda
