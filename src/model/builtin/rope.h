// Rotary position embedding (Su et al. 2021) in the half-split form: dimension i turns together with dimension i + 32.
#pragma once

#include <array>
#include <cstdint>

#include "model/builtin/kernels.h"

namespace kvc::builtin {

class Rope {
 public:
  static constexpr uint32_t kPairs = kHeadDim / 2;

  explicit Rope(double base) noexcept;
  // Cosines, then sines, of the kPairs angles of a position: 2 * kPairs floats.
  void angles(uint32_t position, float* out) const noexcept;
  // Turns `heads` consecutive heads of one token.
  static void turn(const float* angles, uint32_t heads, float* rows) noexcept;

 private:
  std::array<double, kPairs> frequency_;
};

}  // namespace kvc::builtin
