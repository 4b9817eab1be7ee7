#include "model/builtin/rope.h"

#include <cmath>

namespace kvc::builtin {

Rope::Rope(double base) noexcept {
  for (uint32_t i = 0; i < kPairs; ++i) frequency_[i] = std::pow(base, -2.0 * i / kHeadDim);
}

void Rope::angles(uint32_t position, float* out) const noexcept {
  for (uint32_t i = 0; i < kPairs; ++i) {
    out[i] = static_cast<float>(std::cos(position * frequency_[i]));
    out[kPairs + i] = static_cast<float>(std::sin(position * frequency_[i]));
  }
}

void Rope::turn(const float* angles, uint32_t heads, float* rows) noexcept {
  const float* cosine = angles;
  const float* sine = angles + kPairs;
  for (uint32_t h = 0; h < heads; ++h) {
    float* a = rows + h * kHeadDim;
    float* b = a + kPairs;
    for (uint32_t i = 0; i < kPairs; ++i) {
      const float x = a[i], y = b[i];
      a[i] = x * cosine[i] - y * sine[i];
      b[i] = y * cosine[i] + x * sine[i];
    }
  }
}

}  // namespace kvc::builtin
