#include "attend/convert.h"

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#define KVC_X86 1
#include <cpuid.h>
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
  } else if (magnitude >= 0x38800000u) {  // normal in f16
    // A carry out of the fraction raises the exponent, up to infinity.
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

#ifdef KVC_X86

// --- Eight or sixteen at a time. Each returns how many it did; the rest is done one at a time. ---

__attribute__((target("avx2,f16c"))) size_t widen_f16(const std::byte* src, float* dst, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i * 2))));
  }
  return i;
}

__attribute__((target("avx2,f16c"))) size_t narrow_f16(const float* src, std::byte* dst, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i half = _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst + i * 2), half);
  }
  return i;
}

__attribute__((target("avx2"))) size_t widen_bf16(const std::byte* src, float* dst, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(src + i * 2)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst + i), _mm256_slli_epi32(wide, 16));
  }
  return i;
}

// Eight f32 as bf16 in the low halves of eight words.
__attribute__((target("avx2"))) inline __m256i bf16_words(const float* src) {
  const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(src));
  const __m256i high = _mm256_srli_epi32(bits, 16);
  const __m256i odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
  const __m256i rounded =
      _mm256_srli_epi32(_mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd), 16);
  const __m256i quiet = _mm256_or_si256(high, _mm256_set1_epi32(0x40));
  const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
  const __m256i nan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
  return _mm256_blendv_epi8(rounded, quiet, nan);
}

__attribute__((target("avx2"))) size_t narrow_bf16(const float* src, std::byte* dst, size_t n) {
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    // Packing works within halves of the register: the quarters come out as 0, 2, 1, 3.
    const __m256i packed = _mm256_packus_epi32(bf16_words(src + i), bf16_words(src + i + 8));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(dst + i * 2), _mm256_permute4x64_epi64(packed, 0xd8));
  }
  return i;
}

bool has_avx2() { return __builtin_cpu_supports("avx2"); }

// Asked of the processor itself, once: not every compiler's __builtin_cpu_supports knows the name.
bool has_f16c() {
  static const bool has = [] {
    unsigned a, b, c, d;
    return has_avx2() && __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
  }();
  return has;
}

#endif  // KVC_X86

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
  size_t done = 0;
  switch (from) {
    case DType::f32:
      if (n != 0) std::memcpy(dst, src, n * 4);
      return;
    case DType::f16:
#ifdef KVC_X86
      if (n >= 8 && has_f16c()) done = widen_f16(bytes, dst, n);
#endif
      return widen<f32_of_f16>(bytes + done * 2, dst + done, n - done);
    case DType::bf16:
#ifdef KVC_X86
      if (n >= 8 && has_avx2()) done = widen_bf16(bytes, dst, n);
#endif
      return widen<f32_of_bf16>(bytes + done * 2, dst + done, n - done);
    case DType::u8:
      return;  // opaque: no numbers to convert
  }
}

void from_f32(DType to, const float* src, void* dst, size_t n) noexcept {
  auto* bytes = static_cast<std::byte*>(dst);
  size_t done = 0;
  switch (to) {
    case DType::f32:
      if (n != 0) std::memcpy(dst, src, n * 4);
      return;
    case DType::f16:
#ifdef KVC_X86
      if (n >= 8 && has_f16c()) done = narrow_f16(src, bytes, n);
#endif
      return narrow<f16_of_f32>(src + done, bytes + done * 2, n - done);
    case DType::bf16:
#ifdef KVC_X86
      if (n >= 16 && has_avx2()) done = narrow_bf16(src, bytes, n);
#endif
      return narrow<bf16_of_f32>(src + done, bytes + done * 2, n - done);
    case DType::u8:
      return;
  }
}

}  // namespace kvc
