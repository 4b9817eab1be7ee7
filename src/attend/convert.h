// Converting numbers between dtypes. f16 and bf16 round to nearest even, as IEEE 754 says; NaN stays NaN.
// Vector instructions (F16C, AVX2) are used where the processor has them, chosen at run time; results are the same bit
// for bit. u8 is opaque and not converted: neither function writes anything for it.
#pragma once

#include <cstddef>

#include "base/tensor.h"

namespace kvc {

void to_f32(DType from, const void* src, float* dst, size_t n) noexcept;
void from_f32(DType to, const float* src, void* dst, size_t n) noexcept;

}  // namespace kvc
