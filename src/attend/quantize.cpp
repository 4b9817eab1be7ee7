#include "attend/quantize.h"

#include "attend/targets-inl.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attend/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "attend/convert.h"
#include "attend/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

using U = hn::RebindToUnsigned<F>;
using B = hn::Rebind<uint8_t, F>;
using U8 = hn::Full128<uint8_t>;
using U16 = hn::Full128<uint16_t>;
using U32 = hn::Full128<uint32_t>;
using U64 = hn::Full128<uint64_t>;

// Adding 1.5 * 2^23 leaves a float's nearest integer, ties to even, in its low bits: the same everywhere.
constexpr float kRound = 12582912.0f;
constexpr int32_t kRoundBits = 0x4b400000;

float largest(const float* x, size_t n) {
  const F f;
  const U u;
  auto most = hn::Zero(u);
  const auto magnitude = hn::Set(u, 0x7fffffffu);
  for (size_t i = 0; i < n; i += hn::Lanes(f)) {
    most = hn::Max(most, hn::And(hn::BitCast(u, hn::Load(f, x + i)), magnitude));
  }
  const uint32_t bits = hn::GetLane(hn::MaxOfLanes(u, most));
  if (bits >= 0x7f800000u) return std::numeric_limits<float>::infinity();
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// What a range [lo, hi] becomes: zero at or below lo, scale so that the last code reaches hi; both as f16, and as the
// floats that those stand for. n: a multiple of kUnitLanes. Arrays of floats hold lo and hi before, zero and 1 / scale
// after.
void make_grid(float* lo, float* hi, size_t n, uint32_t levels, uint16_t* zero16, uint16_t* scale16) {
  const F f;
  // Rounding to f16 moves a number by at most 2^-11 of itself: leave that much room on both sides.
  const auto room = hn::Set(f, 0x1p-11f);
  const auto widen = hn::Set(f, 1.0f + 0x1p-10f);
  const auto last = hn::Set(f, static_cast<float>(levels));
  for (size_t i = 0; i < n; i += hn::Lanes(f)) {
    const auto low = hn::Add(hn::Load(f, lo + i), hn::Zero(f));  // -0 becomes 0: which of them comes first is chance
    hn::Store(hn::Sub(low, hn::Mul(hn::Abs(low), room)), f, lo + i);
  }
  from_f32(DType::f16, lo, zero16, n);
  to_f32(DType::f16, zero16, lo, n);
  for (size_t i = 0; i < n; i += hn::Lanes(f)) {
    const auto high = hn::Add(hn::Load(f, hi + i), hn::Zero(f));
    const auto range = hn::Max(hn::Add(hn::Sub(high, hn::Load(f, lo + i)), hn::Zero(f)), hn::Zero(f));
    hn::Store(hn::Mul(hn::Div(range, last), widen), f, hi + i);
  }
  from_f32(DType::f16, hi, scale16, n);
  to_f32(DType::f16, scale16, hi, n);
  for (size_t i = 0; i < n; i += hn::Lanes(f)) {
    const auto scale = hn::Load(f, hi + i);
    const auto inverse = hn::Div(hn::Set(f, 1.0f), scale);
    hn::Store(hn::IfThenElse(hn::Eq(scale, hn::Zero(f)), hn::Zero(f), inverse), f, hi + i);
  }
}

// The code of v on a grid, in the low byte of each lane.
template <class V>
HWY_INLINE void store_codes(V v, V zero, V inverse, V last, uint8_t* out) {
  const F f;
  const I i;
  auto on_grid = hn::Mul(hn::Sub(v, zero), inverse);
  on_grid = hn::Min(hn::Max(on_grid, hn::Zero(f)), last);
  const auto code = hn::Sub(hn::BitCast(i, hn::Add(on_grid, hn::Set(f, kRound))), hn::Set(i, kRoundBits));
  hn::Store(hn::DemoteTo(B(), code), B(), out);
}

// Transposes an 8 x 8 matrix of 16-bit numbers; strides in bytes.
HWY_INLINE void transpose8(const uint8_t* from, size_t from_stride, uint8_t* to, size_t to_stride) {
  const U16 d;
  const U32 d32;
  const U64 d64;
  const auto load = [&](size_t i) {
    return hn::LoadU(d, reinterpret_cast<const uint16_t*>(from + i * from_stride));
  };
  const auto r0 = load(0), r1 = load(1), r2 = load(2), r3 = load(3);
  const auto r4 = load(4), r5 = load(5), r6 = load(6), r7 = load(7);
  const auto low16 = [&](auto a, auto b) { return hn::BitCast(d32, hn::InterleaveLower(d, a, b)); };
  const auto high16 = [&](auto a, auto b) { return hn::BitCast(d32, hn::InterleaveUpper(d, a, b)); };
  const auto a0 = low16(r0, r1), a1 = high16(r0, r1), a2 = low16(r2, r3), a3 = high16(r2, r3);
  const auto a4 = low16(r4, r5), a5 = high16(r4, r5), a6 = low16(r6, r7), a7 = high16(r6, r7);
  const auto low32 = [&](auto a, auto b) { return hn::BitCast(d64, hn::InterleaveLower(d32, a, b)); };
  const auto high32 = [&](auto a, auto b) { return hn::BitCast(d64, hn::InterleaveUpper(d32, a, b)); };
  const auto b0 = low32(a0, a2), b1 = high32(a0, a2), b2 = low32(a1, a3), b3 = high32(a1, a3);
  const auto b4 = low32(a4, a6), b5 = high32(a4, a6), b6 = low32(a5, a7), b7 = high32(a5, a7);
  const auto store = [&](size_t i, auto v) {
    hn::StoreU(hn::BitCast(d, v), d, reinterpret_cast<uint16_t*>(to + i * to_stride));
  };
  store(0, hn::InterleaveLower(d64, b0, b4));
  store(1, hn::InterleaveUpper(d64, b0, b4));
  store(2, hn::InterleaveLower(d64, b1, b5));
  store(3, hn::InterleaveUpper(d64, b1, b5));
  store(4, hn::InterleaveLower(d64, b2, b6));
  store(5, hn::InterleaveUpper(d64, b2, b6));
  store(6, hn::InterleaveLower(d64, b3, b7));
  store(7, hn::InterleaveUpper(d64, b3, b7));
}

// 8 / bits units of one byte per code, one after the other, into one of `bits` per code, and back.
HWY_INLINE void pack_units(const uint8_t* units, uint32_t bits, uint8_t* out) {
  const U8 d;
  const U16 d16;
  for (size_t half = 0; half < kUnitBytes; half += 16) {
    auto packed = hn::Load(d, units + half);
    for (uint32_t u = 1; u < 8 / bits; ++u) {
      const auto codes = hn::BitCast(d16, hn::Load(d, units + u * kUnitBytes + half));
      packed = hn::Or(packed, hn::BitCast(d, hn::ShiftLeftSame(codes, static_cast<int>(bits * u))));
    }
    hn::StoreU(packed, d, out + half);
  }
}

HWY_INLINE void unpack_units(const uint8_t* packed, uint32_t bits, uint8_t* units) {
  const U8 d;
  const U16 d16;
  const auto mask = hn::Set(d, static_cast<uint8_t>((1u << bits) - 1));
  for (size_t half = 0; half < kUnitBytes; half += 16) {
    const auto all = hn::BitCast(d16, hn::LoadU(d, packed + half));
    for (uint32_t u = 0; u < 8 / bits; ++u) {
      const auto codes = hn::BitCast(d, hn::ShiftRightSame(all, static_cast<int>(bits * u)));
      hn::Store(hn::And(codes, mask), d, units + u * kUnitBytes + half);
    }
  }
}

// y = x * H * factor over blocks of `block` channels of a row; its own inverse when factor is 1 / sqrt(block).
// Stage h adds and subtracts numbers h apart; every instruction set goes through the stages in the same order.
void hadamard(float* x, size_t n, uint32_t block, float factor) {
  const F f;
  const U u;
  const size_t lanes = hn::Lanes(f);
  const auto by = hn::Set(f, factor);
  const auto index = hn::Iota(u, 0);
  // The sign of the second of two numbers h apart.
  const auto sign = [&](uint32_t h) {
    const auto bit = hn::And(index, hn::Set(u, h));
    return hn::BitCast(f, hn::IfThenElseZero(hn::Ne(bit, hn::Zero(u)), hn::Set(u, 0x80000000u)));
  };
  const auto sign1 = sign(1), sign2 = sign(2), sign4 = sign(4), sign8 = sign(8);
  // The stages within a vector.
  const auto inner = [&](auto v) HWY_ATTR {
    if (block > 1) v = hn::Add(hn::Shuffle2301(v), hn::Xor(v, sign1));
    if (block > 2) v = hn::Add(hn::Shuffle1032(v), hn::Xor(v, sign2));
    if constexpr (HWY_MAX_BYTES >= 64) {
      if (block > 4) v = hn::Add(hn::SwapAdjacentBlocks(v), hn::Xor(v, sign4));
      if (block > 8) v = hn::Add(hn::ConcatLowerUpper(f, v, v), hn::Xor(v, sign8));
    } else if constexpr (HWY_MAX_BYTES == 32) {
      if (block > 4) v = hn::Add(hn::ConcatLowerUpper(f, v, v), hn::Xor(v, sign4));
    }
    return v;
  };
  (void)sign4, (void)sign8;
  if (block == 4 * lanes) {  // the usual head fits the registers
    for (size_t i = 0; i < n; i += block) {
      const auto a = inner(hn::Mul(hn::Load(f, x + i), by)), b = inner(hn::Mul(hn::Load(f, x + i + lanes), by));
      const auto c = inner(hn::Mul(hn::Load(f, x + i + 2 * lanes), by));
      const auto d = inner(hn::Mul(hn::Load(f, x + i + 3 * lanes), by));
      const auto ab = hn::Add(a, b), a_b = hn::Sub(a, b), cd = hn::Add(c, d), c_d = hn::Sub(c, d);
      hn::Store(hn::Add(ab, cd), f, x + i);
      hn::Store(hn::Add(a_b, c_d), f, x + i + lanes);
      hn::Store(hn::Sub(ab, cd), f, x + i + 2 * lanes);
      hn::Store(hn::Sub(a_b, c_d), f, x + i + 3 * lanes);
    }
    return;
  }
  for (size_t i = 0; i < n; i += lanes) hn::Store(inner(hn::Mul(hn::Load(f, x + i), by)), f, x + i);
  for (size_t h = lanes; h < block; h *= 2) {
    for (size_t start = 0; start < n; start += 2 * h) {
      for (size_t i = start; i < start + h; i += lanes) {
        const auto a = hn::Load(f, x + i), b = hn::Load(f, x + i + h);
        hn::Store(hn::Add(a, b), f, x + i);
        hn::Store(hn::Sub(a, b), f, x + i + h);
      }
    }
  }
}

float hadamard_norm(uint32_t block) { return 1.0f / std::sqrt(static_cast<float>(block)); }

// The 16 x 16 codes of a block as units: [token][channel] to [channel pair][token][2].
constexpr size_t kBlockBytes = size_t{kUnitLanes} * kUnitLanes;

HWY_INLINE void transpose_block(const uint8_t* from, size_t from_stride, uint8_t* to, size_t to_stride) {
  // 8 x 8 pairs at a time, either way.
  for (size_t half = 0; half < 2; ++half) transpose8(from + half * 8 * from_stride, from_stride, to + half * 16, to_stride);
}

void encode_keys(float* rows, size_t stride, uint32_t exact, const CodedTileOut& tile) {
  const F f;
  const size_t lanes = hn::Lanes(f);
  const TileShape& s = tile.shape;
  const uint32_t pack = s.pack(), levels = (1u << s.bits) - 1;
  const uint32_t groups = key_channels(s) / (2 * pack);
  const auto last = hn::Set(f, static_cast<float>(levels));
  const auto inverse_unit = hn::Set(f, 1.0f / *tile.unit);
  HWY_ALIGN float lo[kUnitLanes], hi[kUnitLanes];
  HWY_ALIGN uint8_t codes[kBlockBytes], units[kBlockBytes];
  for (uint32_t channel = 0; channel < key_channels(s); channel += kUnitLanes) {
    for (size_t i = 0; i < kUnitLanes; i += lanes) {
      auto least = hn::Zero(f), most = hn::Zero(f);
      if (exact < s.tokens) least = most = hn::Load(f, rows + exact * stride + channel + i);
      for (size_t t = exact + 1; t < s.tokens; ++t) {
        const auto v = hn::Load(f, rows + t * stride + channel + i);
        least = hn::Min(least, v);
        most = hn::Max(most, v);
      }
      hn::Store(hn::Mul(least, inverse_unit), f, lo + i);
      hn::Store(hn::Mul(most, inverse_unit), f, hi + i);
    }
    make_grid(lo, hi, kUnitLanes, levels, tile.zero + channel, tile.scale + channel);
    for (uint32_t block = 0; block * kUnitLanes < s.tokens; ++block) {
      for (size_t i = 0; i < kUnitLanes; i += lanes) {
        const auto zero = hn::Load(f, lo + i), inverse = hn::Load(f, hi + i);
        for (size_t t = 0; t < kUnitLanes; ++t) {
          const auto v = hn::Load(f, rows + (block * kUnitLanes + t) * stride + channel + i);
          store_codes(hn::Mul(v, inverse_unit), zero, inverse, last, codes + t * kUnitLanes + i);
        }
      }
      transpose_block(codes, kUnitLanes, units, kUnitBytes);
      for (uint32_t g = 0; g < 8 / pack; ++g) {
        const uint32_t group = channel / (2 * pack) + g;
        if (group >= groups) break;
        pack_units(units + g * pack * kUnitBytes, s.bits, tile.codes + (size_t{block} * groups + group) * kUnitBytes);
      }
    }
  }
}

void encode_values(float* rows, size_t stride, uint32_t exact, const CodedTileOut& tile) {
  const F f;
  const size_t lanes = hn::Lanes(f);
  const TileShape& s = tile.shape;
  const uint32_t pack = s.pack(), levels = (1u << s.bits) - 1, channels = value_channels(s);
  const uint32_t rotated = hadamard_block(s.dim);
  const float factor = hadamard_norm(rotated) * (1.0f / *tile.unit);
  HWY_ALIGN float lo[kTileTokens], hi[kTileTokens];
  for (uint32_t t = 0; t < s.padded_tokens(); ++t) {
    lo[t] = hi[t] = 0;
    if (t < exact || t >= s.tokens) continue;
    float* row = rows + t * stride;
    hadamard(row, channels, rotated, factor);
    auto least = hn::Load(f, row), most = least;
    // The channels that fill a row up are no part of its range.
    const size_t whole = s.dim / lanes * lanes;
    if (whole == 0) {
      least = hn::Set(f, row[0]), most = least;
    }
    for (size_t i = lanes; i < whole; i += lanes) {
      const auto v = hn::Load(f, row + i);
      least = hn::Min(least, v);
      most = hn::Max(most, v);
    }
    lo[t] = hn::GetLane(hn::MinOfLanes(f, least));
    hi[t] = hn::GetLane(hn::MaxOfLanes(f, most));
    for (size_t d = whole; d < s.dim; ++d) {
      lo[t] = row[d] < lo[t] ? row[d] : lo[t];
      hi[t] = row[d] > hi[t] ? row[d] : hi[t];
    }
  }
  make_grid(lo, hi, s.padded_tokens(), levels, tile.zero, tile.scale);
  const auto last = hn::Set(f, static_cast<float>(levels));
  const U8 d8;
  HWY_ALIGN uint8_t codes[2 * kUnitLanes], units[4 * kUnitBytes];
  const uint32_t blocks = channels / kUnitLanes;
  for (uint32_t group = 0; group * 2 * pack < s.padded_tokens(); ++group) {
    for (uint32_t block = 0; block < blocks; ++block) {
      for (uint32_t u = 0; u < pack; ++u) {
        for (uint32_t pair = 0; pair < 2; ++pair) {
          const uint32_t t = (group * pack + u) * 2 + pair;
          const auto zero = hn::Set(f, lo[t]), inverse = hn::Set(f, hi[t]);
          for (size_t i = 0; i < kUnitLanes; i += lanes) {
            store_codes(hn::Load(f, rows + t * stride + block * kUnitLanes + i), zero, inverse, last,
                        codes + pair * kUnitLanes + i);
          }
        }
        const auto even = hn::Load(d8, codes), odd = hn::Load(d8, codes + kUnitLanes);
        hn::Store(hn::InterleaveLower(d8, even, odd), d8, units + u * kUnitBytes);
        hn::Store(hn::InterleaveUpper(d8, even, odd), d8, units + u * kUnitBytes + 16);
      }
      pack_units(units, s.bits, tile.codes + (size_t{group} * blocks + block) * kUnitBytes);
    }
  }
}

void decode_keys(const CodedTile& tile, uint32_t from, uint32_t n, float* rows, size_t stride) {
  const F f;
  const I i32;
  const size_t lanes = hn::Lanes(f);
  const TileShape& s = tile.shape;
  const uint32_t pack = s.pack(), groups = key_channels(s) / (2 * pack);
  const auto unit = hn::Set(f, tile.unit);
  HWY_ALIGN float scale[kUnitLanes], zero[kUnitLanes];
  HWY_ALIGN uint8_t codes[kBlockBytes], units[kBlockBytes];
  for (uint32_t channel = 0; channel < s.dim; channel += kUnitLanes) {
    to_f32(DType::f16, tile.scale + channel, scale, kUnitLanes);
    to_f32(DType::f16, tile.zero + channel, zero, kUnitLanes);
    for (uint32_t block = from / kUnitLanes; block * kUnitLanes < from + n; ++block) {
      for (uint32_t g = 0; g < 8 / pack; ++g) {
        const uint32_t group = channel / (2 * pack) + g;
        if (group >= groups) break;
        unpack_units(tile.codes + (size_t{block} * groups + group) * kUnitBytes, s.bits, units + g * pack * kUnitBytes);
      }
      for (size_t half = 0; half < 2; ++half) {
        transpose8(units + half * 16, kUnitBytes, codes + half * 8 * kUnitLanes, kUnitLanes);
      }
      const uint32_t first = block * kUnitLanes;
      const uint32_t begin = first > from ? first : from;
      const uint32_t end = first + kUnitLanes < from + n ? first + kUnitLanes : from + n;
      for (size_t i = 0; i < kUnitLanes; i += lanes) {
        // The unit is a power of two: multiplied in here, it changes no bit of what comes out.
        const auto by = hn::Mul(hn::Load(f, scale + i), unit), offset = hn::Mul(hn::Load(f, zero + i), unit);
        float* to = rows + (begin - from) * stride + channel + i;
        for (uint32_t t = begin; t < end; ++t, to += stride) {
          const auto code = hn::ConvertTo(f, hn::PromoteTo(i32, hn::Load(B(), codes + (t - first) * kUnitLanes + i)));
          hn::Store(hn::Add(hn::Mul(code, by), offset), f, to);
        }
      }
    }
  }
}

void decode_values(const CodedTile& tile, uint32_t from, uint32_t n, float* rows, size_t stride) {
  const F f;
  const I i32;
  const hn::Rebind<uint16_t, F> pairs;
  const size_t lanes = hn::Lanes(f);
  const TileShape& s = tile.shape;
  const uint32_t pack = s.pack(), channels = value_channels(s), blocks = channels / kUnitLanes;
  const uint32_t rotated = hadamard_block(s.dim);
  const float factor = hadamard_norm(rotated) * tile.unit;
  HWY_ALIGN float scale[kTileTokens], zero[kTileTokens];
  to_f32(DType::f16, tile.scale, scale, s.padded_tokens());
  to_f32(DType::f16, tile.zero, zero, s.padded_tokens());
  const auto mask = hn::Set(i32, (1 << s.bits) - 1);
  for (uint32_t group = from / (2 * pack); group * 2 * pack < from + n; ++group) {
    const uint8_t* codes = tile.codes + size_t{group} * blocks * kUnitBytes;
    for (size_t channel = 0; channel < channels; channel += lanes) {
      // A lane has the two bytes of its channel: of token pairs, unit by unit.
      const auto both = hn::PromoteTo(i32, hn::LoadU(pairs, reinterpret_cast<const uint16_t*>(codes + 2 * channel)));
      for (uint32_t i = 0; i < 2 * pack; ++i) {
        const uint32_t t = group * 2 * pack + i;
        if (t < from || t >= from + n) continue;
        const auto code = hn::And(hn::ShiftRightSame(both, static_cast<int>(i % 2 * 8 + i / 2 * s.bits)), mask);
        const auto y = hn::Add(hn::Mul(hn::ConvertTo(f, code), hn::Set(f, scale[t])), hn::Set(f, zero[t]));
        hn::Store(y, f, rows + (t - from) * stride + channel);
      }
    }
  }
  for (uint32_t t = 0; t < n; ++t) hadamard(rows + t * stride, channels, rotated, factor);
}

}  // namespace

extern const QuantizeKernels kQuantize;
const QuantizeKernels kQuantize = {largest, encode_keys, encode_values, decode_keys, decode_values, hadamard};

}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvc {

const QuantizeKernels& quantize_kernels(Target target) noexcept { return *KVC_SELECT_TABLE(target, kQuantize); }

void hadamard(float* x, size_t n, uint32_t block) noexcept {
  quantize_kernels().hadamard(x, n, block, 1.0f / std::sqrt(static_cast<float>(block)));
}

float tile_unit(float largest) noexcept {
  // 2^7 below 2^16, the end of f16: more than the root of the longest block (8192).
  constexpr int kRoom = 8;
  int exponent = 0;
  std::frexp(largest, &exponent);  // largest < 2^exponent
  exponent -= kRoom;
  if (largest == 0 || exponent < -120) exponent = largest == 0 ? 0 : -120;  // 1 / unit must stay finite
  return std::ldexp(1.0f, exponent);
}

}  // namespace kvc
#endif  // HWY_ONCE
