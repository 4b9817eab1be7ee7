// Floats for kernels, aligned to a cache line: zero, or left as they are. Throws std::bad_alloc.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace kvc {

// The first address from `at` on that begins a cache line.
inline float* align_line(float* at) noexcept {
  constexpr uintptr_t kBytes = 64;
  return at + (kBytes - reinterpret_cast<uintptr_t>(at) % kBytes) % kBytes / sizeof(float);
}

class AlignedFloats {
 public:
  static constexpr size_t kLine = 16;  // floats
  enum class Fill { zero, none };
  explicit AlignedFloats(size_t n, Fill fill = Fill::zero)
      : memory_(fill == Fill::zero ? std::make_unique<float[]>(n + kLine)
                                   : std::make_unique_for_overwrite<float[]>(n + kLine)) {}
  float* data() noexcept { return align_line(memory_.get()); }

 private:
  std::unique_ptr<float[]> memory_;
};

}  // namespace kvc
