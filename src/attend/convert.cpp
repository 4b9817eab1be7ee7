#include "attend/convert.h"

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace kvc {
namespace {

// --- One number at a time: what the vector forms below must equal bit for bit. ---

float f32_of_f16(uint16_t half) noexcept {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) {  // infinity, or a NaN that becomes a quiet one
    return std::bit_cast<float>(sign | 0x7f800000u | (fraction << 13) | (fraction != 0 ? 0x00400000u : 0u));
  }
  if (exponent == 0) {  // zero or subnormal: fraction * 2^-24, exact in f32
    return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24f));
  }
  return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (fraction << 13));
}

// Shifts right, rounding to nearest, ties to even. 1 <= by <= 31.
uint32_t shift_to_even(uint32_t value, uint32_t by) noexcept {
  const uint32_t half = 1u << (by - 1);
  return (value + half - 1 + ((value >> by) & 1u)) >> by;
}

uint16_t f16_of_f32(float number) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(number);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {  // 65536 and more, infinity
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {  // normal in f16; a carry out of the fraction raises the exponent, up to infinity
    half = shift_to_even(magnitude - (112u << 23), 13);
  } else if (magnitude >= 0x33000000u) {  // subnormal in f16: from 2^-25 on
    const uint32_t exponent = magnitude >> 23;
    half = shift_to_even((magnitude & 0x7fffffu) | 0x800000u, 126u - exponent);
  } else {
    half = 0;
  }
  return static_cast<uint16_t>(sign | half);
}

float f32_of_bf16(uint16_t b) noexcept { return std::bit_cast<float>(static_cast<uint32_t>(b) << 16); }

uint16_t bf16_of_f32(float number) noexcept {
  const uint32_t bits = std::bit_cast<uint32_t>(number);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Sources and destinations may be any caller's memory: read and written by memcpy, which costs nothing.
template <float (*kConvert)(uint16_t)>
void widen(const std::byte* src, float* dst, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) {
    uint16_t narrow;
    std::memcpy(&narrow, src + i * 2, 2);
    dst[i] = kConvert(narrow);
  }
}

template <uint16_t (*kConvert)(float)>
void narrow(const float* src, std::byte* dst, size_t n) noexcept {
  for (size_t i = 0; i < n; ++i) {
    const uint16_t value = kConvert(src[i]);
    std::memcpy(dst + i * 2, &value, 2);
  }
}

}  // namespace

void to_f32(DType from, const void* src, float* dst, size_t n) noexcept {
  const auto* bytes = static_cast<const std::byte*>(src);
  switch (from) {
    case DType::f32:
      if (n != 0) std::memcpy(dst, src, n * 4);
      return;
    case DType::f16: return widen<f32_of_f16>(bytes, dst, n);
    case DType::bf16: return widen<f32_of_bf16>(bytes, dst, n);
  }
}

void from_f32(DType to, const float* src, void* dst, size_t n) noexcept {
  auto* bytes = static_cast<std::byte*>(dst);
  switch (to) {
    case DType::f32:
      if (n != 0) std::memcpy(dst, src, n * 4);
      return;
    case DType::f16: return narrow<f16_of_f32>(src, bytes, n);
    case DType::bf16: return narrow<bf16_of_f32>(src, bytes, n);
  }
}

}  // namespace kvc
