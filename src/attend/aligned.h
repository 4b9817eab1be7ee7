// Floats for kernels: zero, and aligned to a cache line. Throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvc {

class AlignedFloats {
 public:
  static constexpr size_t kLine = 16;  // floats
  explicit AlignedFloats(size_t n) : memory_(n + kLine) {}
  float* data() noexcept {
    const auto at = reinterpret_cast<uintptr_t>(memory_.data());
    return memory_.data() + (kLine - at / sizeof(float) % kLine) % kLine;
  }

 private:
  std::vector<float> memory_;
};

}  // namespace kvc
