#include "attend/target.h"

#include <array>
#include <cstddef>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace kvc {
namespace {

struct List {
  std::array<Target, 5> items{};
  size_t n = 0;
  void add(Target target) { items[n++] = target; }
};

#if defined(__x86_64__)
// Bits of CPUID leaves 1 and 7 for what Highway's targets are compiled with. __builtin_cpu_supports says whether the
// operating system keeps the registers; not every compiler's knows all the names.
bool has_bits(unsigned value, unsigned bits) { return (value & bits) == bits; }

List find_targets() {
  List list;
  unsigned a = 0, b = 0, c1 = 0, d = 0, b7 = 0, c7 = 0;
  __get_cpuid(1, &a, &b, &c1, &d);
  __get_cpuid_count(7, 0, &a, &b7, &c7, &d);
  const bool sse4 = __builtin_cpu_supports("sse4.2") && has_bits(c1, bit_AES | bit_PCLMUL);
  const bool avx2 =
      sse4 && __builtin_cpu_supports("avx2") && has_bits(c1, bit_FMA | bit_F16C) && has_bits(b7, bit_BMI | bit_BMI2);
  constexpr unsigned kVbmi = 1u << 1, kVbmi2 = 1u << 6, kGfni = 1u << 8, kVaes = 1u << 9, kVpclmul = 1u << 10,
                     kVnni = 1u << 11, kBitalg = 1u << 12, kVpopcnt = 1u << 14;
  const bool vnni = avx2 && __builtin_cpu_supports("avx512f") &&
                      has_bits(b7, bit_AVX512F | bit_AVX512VL | bit_AVX512DQ | bit_AVX512BW) &&
                    has_bits(c7, kVbmi | kVbmi2 | kGfni | kVaes | kVpclmul | kVnni | kBitalg | kVpopcnt);
  if (vnni) list.add(Target::avx512_vnni);
  if (avx2) list.add(Target::avx2);
  if (sse4) list.add(Target::sse4);
  list.add(Target::portable);
  return list;
}
#elif defined(__aarch64__)
List find_targets() {
  List list;
  list.add(Target::neon);  // the baseline: always there
  return list;
}
#else
List find_targets() {
  List list;
  list.add(Target::portable);
  return list;
}
#endif

}  // namespace

const char* target_name(Target target) noexcept {
  switch (target) {
    case Target::sse4:
      return "sse4";
    case Target::avx2:
      return "avx2";
    case Target::avx512_vnni:
      return "avx512-vnni";
    case Target::neon:
      return "neon";
    default:
      return "portable";
  }
}

std::span<const Target> targets() noexcept {
  static const List list = find_targets();
  return {list.items.data(), list.n};
}

}  // namespace kvc
