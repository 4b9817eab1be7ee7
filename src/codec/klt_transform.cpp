#include "codec/klt_transform.h"

#include <cmath>

#include "attend/tile.h"

namespace kvc {

void rotate_keys(const KeyRope& rope, uint64_t position, bool inverse, float* rows, size_t n, size_t stride) {
  const size_t pairs = rope.frequency.size();
  for (size_t i = 0; i < pairs; ++i) {
    const size_t a = rope.interleaved ? 2 * i : i, b = rope.interleaved ? 2 * i + 1 : i + pairs;
    const double sign = inverse ? -1 : 1;
    const double turn = static_cast<double>(position) * rope.frequency[i];
    double c = std::cos(turn), s = sign * std::sin(turn);
    // From one token to the next by the addition theorem: the error stays far below that of a float over a page.
    const double dc = std::cos(rope.frequency[i]), ds = sign * std::sin(rope.frequency[i]);
    for (size_t t = 0; t < n; ++t) {
      float* row = rows + t * stride;
      const auto cf = static_cast<float>(c), sf = static_cast<float>(s);
      const float x = row[a], y = row[b];
      row[a] = x * cf - y * sf;
      row[b] = x * sf + y * cf;
      const double next = c * dc - s * ds;
      s = s * dc + c * ds;
      c = next;
    }
  }
}

void hadamard_row(float* row, uint32_t dim) {
  const uint32_t block = hadamard_block(dim);
  const float scale = 1.0f / std::sqrt(static_cast<float>(block));
  for (uint32_t first = 0; first < dim; first += block) {
    float* x = row + first;
    for (uint32_t half = 1; half < block; half *= 2) {
      for (uint32_t i = 0; i < block; i += 2 * half) {
        for (uint32_t j = i; j < i + half; ++j) {
          const float a = x[j], b = x[j + half];
          x[j] = a + b;
          x[j + half] = a - b;
        }
      }
    }
    for (uint32_t i = 0; i < block; ++i) x[i] *= scale;
  }
}

}  // namespace kvc
