#include "attend/transform.h"

#include "attend/targets-inl.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attend/transform.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After it.
#include <algorithm>
#include <cstring>

#include "attend/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

using Codes = HWY_CAPPED(uint8_t, 64);

constexpr size_t kCodeLanes = HWY_MIN(HWY_MAX_BYTES, 64);
// Rows that are summed up side by side, as many as the registers hold.
constexpr size_t kRows = HWY_TARGET == HWY_EMU128 ? 1 : 4;

// Rows [i, i + R) and V vectors from column j on.
template <size_t R, size_t V>
HWY_INLINE void add_block(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t count,
                          const float* start, float* out, size_t out_stride) {
  const F f;
  hn::Vec<F> sums[R][V];
  for (size_t r = 0; r < R; ++r) {
    for (size_t v = 0; v < V; ++v) sums[r][v] = start != nullptr ? hn::Set(f, start[r]) : hn::Zero(f);
  }
  for (size_t k = 0; k < count; ++k) {
    hn::Vec<F> row[V];
    for (size_t v = 0; v < V; ++v) row[v] = hn::LoadU(f, b + k * b_stride + v * kLanes);
    for (size_t r = 0; r < R; ++r) {
      const auto by = hn::Set(f, a[k * a_stride + r]);
      for (size_t v = 0; v < V; ++v) sums[r][v] = hn::Add(sums[r][v], hn::Mul(by, row[v]));
    }
  }
  for (size_t r = 0; r < R; ++r) {
    for (size_t v = 0; v < V; ++v) hn::StoreU(sums[r][v], f, out + r * out_stride + v * kLanes);
  }
}

template <size_t R>
HWY_INLINE void add_rows(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t count,
                         const float* start, size_t n, float* out, size_t out_stride) {
  size_t j = 0;
  for (; j + kSide * kLanes <= n; j += kSide * kLanes) {
    add_block<R, kSide>(a, a_stride, b + j, b_stride, count, start, out + j, out_stride);
  }
  for (; j < n; j += kLanes) add_block<R, 1>(a, a_stride, b + j, b_stride, count, start, out + j, out_stride);
}

void add_products(const float* a, size_t a_stride, const float* b, size_t b_stride, size_t count, const float* start,
                  size_t m, size_t n, float* out, size_t out_stride) {
  size_t i = 0;
  const auto first = [&] { return start != nullptr ? start + i : nullptr; };
  for (; i + kRows <= m; i += kRows) {
    add_rows<kRows>(a + i, a_stride, b, b_stride, count, first(), n, out + i * out_stride, out_stride);
  }
  for (; i < m; ++i) add_rows<1>(a + i, a_stride, b, b_stride, count, first(), n, out + i * out_stride, out_stride);
}

// The bits of as many numbers as Codes has lanes in up to eight planes, from byte `at` of each on; what is not there is
// 0.
HWY_INLINE hn::Vec<Codes> gather_bits(const uint8_t* planes, size_t plane, uint32_t width, size_t at) {
  const Codes u8;
  auto codes = hn::Zero(u8);
  const size_t there = plane - at;
  for (uint32_t bit = 0; bit < width; ++bit) {
    const uint8_t* from = planes + bit * plane + at;
    uint64_t bits = 0;
    if (HWY_LIKELY(there >= kCodeLanes / 8)) {
      std::memcpy(&bits, from, kCodeLanes / 8);
    } else {
      for (size_t i = 0; i < there; ++i) bits |= uint64_t{from[i]} << (8 * i);
    }
    const auto set = hn::LoadMaskBits(u8, reinterpret_cast<const uint8_t*>(&bits));
    codes = hn::Or(codes, hn::IfThenElseZero(set, hn::Set(u8, static_cast<uint8_t>(1u << bit))));
  }
  return codes;
}

void unpack(const uint8_t* planes, uint32_t width, size_t count, float low, float scale, float* out) {
  const F f;
  const I i32;
  const hn::Rebind<uint8_t, F> narrow;
  const auto zero = hn::Set(f, low), step = hn::Set(f, scale);
  const size_t plane = (count + 7) / 8;
  if (width == 0) return std::fill_n(out, count, low), void();
  for (size_t first = 0; first < count; first += kCodeLanes) {
    HWY_ALIGN uint8_t codes[2][kCodeLanes];
    hn::Store(gather_bits(planes, plane, std::min(width, 8u), first / 8), Codes(), codes[0]);
    if (width > 8) hn::Store(gather_bits(planes + 8 * plane, plane, width - 8, first / 8), Codes(), codes[1]);
    for (size_t i = 0; i < kCodeLanes && first + i < count; i += kLanes) {
      auto code = hn::PromoteTo(i32, hn::Load(narrow, codes[0] + i));
      if (width > 8) code = hn::Or(code, hn::ShiftLeft<8>(hn::PromoteTo(i32, hn::Load(narrow, codes[1] + i))));
      const auto y = hn::Add(zero, hn::Mul(step, hn::ConvertTo(f, code)));
      if (HWY_LIKELY(first + i + kLanes <= count)) {
        hn::StoreU(y, f, out + first + i);
      } else {
        HWY_ALIGN float rest[kLanes];
        hn::Store(y, f, rest);
        std::copy_n(rest, count - first - i, out + first + i);
      }
    }
  }
}

// Numbers from x on, of which `n` are there; the others are x[0].
HWY_INLINE hn::Vec<F> load_some(const float* x, size_t n) {
  const F f;
  if (HWY_LIKELY(n >= kLanes)) return hn::LoadU(f, x);
  HWY_ALIGN float some[kLanes];
  std::fill(some, some + kLanes, x[0]);
  std::copy_n(x, n, some);
  return hn::Load(f, some);
}

void pack(const float* x, size_t skip, size_t count, float low, float inverse, uint32_t width, uint8_t* planes) {
  const F f;
  const I i32;
  const Codes u8;
  const hn::Rebind<uint8_t, F> narrow;
  const auto least = hn::Zero(f), most = hn::Set(f, static_cast<float>((1u << width) - 1));
  const auto zero = hn::Set(f, low), by = hn::Set(f, inverse);
  const size_t plane = (count + 7) / 8;
  for (size_t first = 0; first < count; first += kCodeLanes) {
    HWY_ALIGN uint8_t codes[2][kCodeLanes] = {};
    for (size_t i = 0; i < kCodeLanes && first + i < count; i += kLanes) {
      const auto y = hn::Mul(hn::Sub(load_some(x + first + i, count - first - i), zero), by);
      const auto code = hn::NearestInt(hn::Min(hn::Max(y, least), most));
      hn::Store(hn::DemoteTo(narrow, hn::And(code, hn::Set(i32, 255))), narrow, codes[0] + i);
      if (width > 8) hn::Store(hn::DemoteTo(narrow, hn::ShiftRight<8>(code)), narrow, codes[1] + i);
    }
    for (auto& half : codes) {
      const size_t present = std::min(kCodeLanes, count - first),
                   unused = skip > first ? std::min(skip - first, present) : 0;
      std::fill_n(half, unused, uint8_t{0});
      std::fill(half + present, half + kCodeLanes, uint8_t{0});
    }
    for (uint32_t bit = 0; bit < width; ++bit) {
      const auto set = hn::TestBit(hn::Load(u8, codes[bit / 8]), hn::Set(u8, static_cast<uint8_t>(1u << (bit % 8))));
      uint64_t bits = 0;
      hn::StoreMaskBits(u8, set, reinterpret_cast<uint8_t*>(&bits));
      std::memcpy(planes + bit * plane + first / 8, &bits, std::min(kCodeLanes / 8, plane - first / 8));
    }
  }
}

bool range(const float* x, size_t n, float* low, float* high) {
  const F f;
  auto least = hn::Set(f, x[0]), most = least, off = hn::Zero(f);
  for (size_t i = 0; i < n; i += kLanes) {
    const auto y = load_some(x + i, n - i);
    least = hn::Min(least, y);
    most = hn::Max(most, y);
    off = hn::Add(off, hn::Mul(y, hn::Zero(f)));  // infinities and NaN turn it into a NaN
  }
  *low = hn::GetLane(hn::MinOfLanes(f, least));
  *high = hn::GetLane(hn::MaxOfLanes(f, most));
  return hn::GetLane(hn::SumOfLanes(f, off)) == 0.0f;
}

void turn(float cosine, float sine, const float* cosines, const float* sines, size_t n, float* a, float* b) {
  const F f;
  const auto c0 = hn::Set(f, cosine), s0 = hn::Set(f, sine);
  for (size_t t = 0; t < n; t += kLanes) {
    const auto ct = hn::LoadU(f, cosines + t), st = hn::LoadU(f, sines + t);
    const auto c = hn::Sub(hn::Mul(c0, ct), hn::Mul(s0, st)), s = hn::Add(hn::Mul(s0, ct), hn::Mul(c0, st));
    const auto x = hn::LoadU(f, a + t), y = hn::LoadU(f, b + t);
    hn::StoreU(hn::Sub(hn::Mul(x, c), hn::Mul(y, s)), f, a + t);
    hn::StoreU(hn::Add(hn::Mul(x, s), hn::Mul(y, c)), f, b + t);
  }
}

}  // namespace

extern const TransformKernels kTransform;
const TransformKernels kTransform = {add_products, unpack, pack, range, turn};

}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvc {

const TransformKernels& transform_kernels(Target target) noexcept { return *KVC_SELECT_TABLE(target, kTransform); }

}  // namespace kvc
#endif  // HWY_ONCE
