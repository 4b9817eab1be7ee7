// Numbers as they lie in pages, and one at a time as floats. The same bits as src/attend/convert.cpp and quantize.cpp.
#pragma once

#include "kernels/block.h"

#ifndef __CUDACC__
#include <bit>
#endif

namespace kvc_cuda {

// KVC_F32, KVC_F16, KVC_BF16 of kvc.h, and one that only device pages have.
enum class Number : uint32_t { f32 = 1, f16 = 2, bf16 = 3, e4m3 = 100 };

KVC_BOTH uint32_t bytes_of(Number number) { return number == Number::f32 ? 4 : number == Number::e4m3 ? 1 : 2; }

KVC_BOTH uint32_t bits_of(float x) {
#ifdef __CUDA_ARCH__
  return __float_as_uint(x);
#elif defined(__CUDACC__)
  uint32_t bits;
  __builtin_memcpy(&bits, &x, 4);
  return bits;
#else
  return std::bit_cast<uint32_t>(x);
#endif
}

KVC_BOTH float float_of(uint32_t bits) {
#ifdef __CUDA_ARCH__
  return __uint_as_float(bits);
#elif defined(__CUDACC__)
  float x;
  __builtin_memcpy(&x, &bits, 4);
  return x;
#else
  return std::bit_cast<float>(bits);
#endif
}

KVC_BOTH float f32_of_f16(uint32_t half) {
  const uint32_t sign = (half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 31u;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 31) return float_of(sign | 0x7f800000u | (fraction << 13) | (fraction != 0 ? 0x00400000u : 0u));
  if (exponent == 0) return float_of(sign | bits_of(static_cast<float>(fraction) * 0x1p-24f));
  return float_of(sign | ((exponent + 112) << 23) | (fraction << 13));
}

KVC_BOTH uint32_t shift_to_even(uint32_t value, uint32_t by) {
  return (value + (1u << (by - 1)) - 1 + ((value >> by) & 1u)) >> by;
}

KVC_BOTH uint16_t f16_of_f32(float number) {
  const uint32_t bits = bits_of(number);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7fffffffu;
  uint32_t half = 0;
  if (magnitude > 0x7f800000u) {
    half = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
  } else if (magnitude >= 0x47800000u) {
    half = 0x7c00u;
  } else if (magnitude >= 0x38800000u) {
    half = shift_to_even(magnitude - (112u << 23), 13);
  } else if (magnitude >= 0x33000000u) {
    half = shift_to_even((magnitude & 0x7fffffu) | 0x800000u, 126u - (magnitude >> 23));
  }
  return static_cast<uint16_t>(sign | half);
}

KVC_BOTH uint16_t bf16_of_f32(float number) {
  const uint32_t bits = bits_of(number);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// OCP 8-bit float, 4 bits of exponent, no infinity.
KVC_BOTH float f32_of_e4m3(uint32_t byte) {
  const uint32_t sign = (byte & 0x80u) << 24, exponent = (byte >> 3) & 15u, fraction = byte & 7u;
  if ((byte & 0x7fu) == 0x7fu) return float_of(sign | 0x7fc00000u);
  if (exponent == 0) return float_of(sign | bits_of(static_cast<float>(fraction) * 0x1p-9f));
  return float_of(sign | ((exponent + 120) << 23) | (fraction << 20));
}

KVC_BOTH float load_number(Number number, const unsigned char* at) {
  switch (number) {
    case Number::f32:
      return *reinterpret_cast<const float*>(at);
    case Number::f16:
      return f32_of_f16(*reinterpret_cast<const uint16_t*>(at));
    case Number::bf16:
      return float_of(static_cast<uint32_t>(*reinterpret_cast<const uint16_t*>(at)) << 16);
    default:
      return f32_of_e4m3(*at);
  }
}

// Not e4m3.
KVC_BOTH void store_number(Number number, float x, unsigned char* at) {
  if (number == Number::f32) {
    *reinterpret_cast<float*>(at) = x;
  } else {
    *reinterpret_cast<uint16_t*>(at) = number == Number::f16 ? f16_of_f32(x) : bf16_of_f32(x);
  }
}

KVC_BOTH float smaller(float a, float b) { return b < a ? b : a; }
KVC_BOTH float larger(float a, float b) { return b > a ? b : a; }

KVC_BOTH float root_of(float x) {
#ifdef __CUDA_ARCH__
  return __fsqrt_rn(x);
#else
  return __builtin_sqrtf(x);
#endif
}
KVC_BOTH float floor_of(float x) {
#ifdef __CUDA_ARCH__
  return floorf(x);
#else
  return __builtin_floorf(x);
#endif
}
KVC_BOTH float ceil_of(float x) {
#ifdef __CUDA_ARCH__
  return ceilf(x);
#else
  return __builtin_ceilf(x);
#endif
}
KVC_BOTH float nearest_of(float x) {
#ifdef __CUDA_ARCH__
  return rintf(x);
#else
  return __builtin_nearbyintf(x);
#endif
}
KVC_BOTH bool is_finite(float x) { return (bits_of(x) & 0x7f800000u) != 0x7f800000u; }

// 2^x for x <= 0, to 2 units in the last place: a polynomial on [-1/2, 1/2] (Taylor's, degree 7, whose remainder is
// below half a unit), then the exponent. Below 2^-126: 0.
KVC_BOTH float exp2_of(float x) {
  if (!(x > -126.0f)) return 0;
  const float shifted = x + 12582912.0f;  // nearest integer in the low bits
  const int32_t whole = static_cast<int32_t>(bits_of(shifted)) - 0x4b400000;
  const float r = x - (shifted - 12582912.0f);
  float y = 1.525273380405984e-5f;
  y = y * r + 1.540353039338161e-4f;
  y = y * r + 1.333355814642844e-3f;
  y = y * r + 9.618129107628477e-3f;
  y = y * r + 5.550410866482158e-2f;
  y = y * r + 2.402265069591007e-1f;
  y = y * r + 6.931471805599453e-1f;
  y = y * r + 1.0f;
  return y * float_of(static_cast<uint32_t>(whole + 127) << 23);
}

}  // namespace kvc_cuda
