// Scores and sums over the codes of a tile, for N columns (queries) at a time: products of integers, summed up in 32 bits.
// A query is multiplied with the scales of the codes beforehand and rounded to 16 bits, as large as the sums allow.
#if defined(KVC_ATTEND_ATTEND_CODES_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once for each instruction set
#ifdef KVC_ATTEND_ATTEND_CODES_INL_H_
#undef KVC_ATTEND_ATTEND_CODES_INL_H_
#else
#define KVC_ATTEND_ATTEND_CODES_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "attend/attention.h"
#include "attend/lanes-inl.h"
#include "attend/quantize.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

using S = hn::Repartition<int16_t, F>;     // pairs of 16-bit numbers, one pair per lane
using B = hn::Rebind<uint8_t, S>;          // the codes of a unit's lanes

// The sum of products of pairs, added to `sum`.
HWY_INLINE hn::Vec<I> add_pairs(hn::Vec<I> sum, hn::Vec<S> a, hn::Vec<S> b) {
#if HWY_TARGET == HWY_AVX3_DL
  // Highway's target does not say "avx512vnni" to the compiler, so the intrinsic cannot be inlined here.
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SSE4
  hn::Vec<I> none = hn::Zero(I());
  return hn::ReorderWidenMulAccumulate(I(), a, b, sum, none);
#else
  const I i;
  const auto pa = hn::BitCast(i, a), pb = hn::BitCast(i, b);
  const auto even = hn::Mul(hn::ShiftRight<16>(hn::ShiftLeft<16>(pa)), hn::ShiftRight<16>(hn::ShiftLeft<16>(pb)));
  return hn::Add(sum, hn::Add(even, hn::Mul(hn::ShiftRight<16>(pa), hn::ShiftRight<16>(pb))));
#endif
}

// A pair as it lies in memory, in every lane.
HWY_INLINE hn::Vec<S> broadcast_pair(const int16_t* pair) {
  int32_t both;
  std::memcpy(&both, pair, sizeof both);
  return hn::BitCast(S(), hn::Set(I(), both));
}

// Rounds x * factor to words; returns nothing. n: a multiple of the lanes.
HWY_INLINE void to_words(const float* x, size_t n, float factor, int16_t* out) {
  const F f;
  const auto by = hn::Set(f, factor);
  const hn::Rebind<int16_t, F> narrow;
  for (size_t i = 0; i < n; i += kLanes) {
    hn::StoreU(hn::DemoteTo(narrow, hn::NearestInt(hn::Mul(hn::Load(f, x + i), by))), narrow, out + i);
  }
}

// Largest integer for the one side of `terms` products with codes of `bits` bits whose sum must fit 32 bits.
HWY_INLINE float word_limit(size_t terms, uint32_t bits) {
  const double most = 2147483647.0 / (static_cast<double>(terms) * ((1u << bits) - 1));
  return static_cast<float>(std::floor(std::min(most, 32767.0)));
}

// Sums over the codes of a tile, for its first `lanes` lanes (tokens of keys, channels of values) and N columns: codes times
// the column's words, which are as many as `groups` of units hold. A unit of lanes begins unit_step bytes after the one
// before it, its next group group_step bytes later. done(c, lane, sums) takes what came out, a vector at a time.
template <uint32_t kBits, uint32_t N, typename Done>
HWY_INLINE void sum_codes(const uint8_t* tile, uint32_t lanes, size_t unit_step, uint32_t groups, size_t group_step,
                          const int16_t* words, size_t word_stride, const Done& done) {
  constexpr uint32_t kPack = 8 / kBits;
  const B b;
  const S s;
  const I i32;
  const auto mask = hn::Set(s, static_cast<int16_t>((1 << kBits) - 1));
  const uint32_t vectors = lanes / kLanes;
  constexpr size_t kVectorBytes = 2 * kLanes;
  const auto run = [&](uint32_t first, auto side) {
    constexpr size_t kN = decltype(side)::value;
    hn::Vec<I> sums[kN][N];
    for (size_t v = 0; v < kN; ++v) {
      for (uint32_t c = 0; c < N; ++c) sums[v][c] = hn::Zero(i32);
    }
    const uint8_t* at[kN];
    for (size_t v = 0; v < kN; ++v) {
      const size_t lane = (first + v) * kLanes;
      at[v] = tile + lane / kUnitLanes * unit_step + lane % kUnitLanes / kLanes * kVectorBytes;
    }
    for (uint32_t g = 0; g < groups; ++g) {
      hn::Vec<S> codes[kN];
      for (size_t v = 0; v < kN; ++v) codes[v] = hn::PromoteTo(s, hn::LoadU(b, at[v] + g * group_step));
      for (uint32_t u = 0; u < kPack; ++u) {
        hn::Vec<S> part[kN];
        for (size_t v = 0; v < kN; ++v) {
          if constexpr (kBits == 8) {
            part[v] = codes[v];
          } else {
            part[v] = hn::And(codes[v], mask);
            codes[v] = hn::ShiftRight<kBits>(codes[v]);
          }
        }
        for (uint32_t c = 0; c < N; ++c) {
          const auto pair = broadcast_pair(words + c * word_stride + (g * kPack + u) * 2);
          for (size_t v = 0; v < kN; ++v) sums[v][c] = add_pairs(sums[v][c], part[v], pair);
        }
      }
    }
    for (size_t v = 0; v < kN; ++v) {
      for (uint32_t c = 0; c < N; ++c) done(c, (first + v) * kLanes, sums[v][c]);
    }
  };
  uint32_t v = 0;
  for (; v + kSide <= vectors; v += kSide) run(v, std::integral_constant<size_t, kSide>());
  for (; v < vectors; ++v) run(v, std::integral_constant<size_t, 1>());
}

// Integer scores of N columns against the codes of all tokens of a tile.
template <uint32_t kBits, uint32_t N>
void score_codes(const CodedTile& tile, const int16_t* words, size_t word_stride, int32_t* scores) {
  const uint32_t groups = key_channels(tile.shape) / (2 * (8 / kBits));
  sum_codes<kBits, N>(tile.codes, tile.shape.padded_tokens(), groups * kUnitBytes, groups, kUnitBytes, words, word_stride,
                      [&](uint32_t c, size_t token, hn::Vec<I> sum) {
                        hn::Store(sum, I(), scores + c * kTileTokens + token);
                      });
}

template <uint32_t N>
void score_tile_codes(const AttendState& state, const CodedTile& tile, uint32_t column, float* scores) {
  const F f;
  const I i32;
  const size_t n = state.k_stride;
  const float *scale = state.grid, *zero = state.grid + n;
  int16_t* words = reinterpret_cast<int16_t*>(state.words);
  const float limit = word_limit(key_channels(tile.shape), tile.shape.bits);
  float back[N], bias[N];
  for (uint32_t c = 0; c < N; ++c) {
    const float* query = state.query + (column + c) * n;
    float* folded = state.grid + 2 * n;
    auto most = hn::Zero(f), dot = hn::Zero(f);
    for (size_t i = 0; i < n; i += kLanes) {
      const auto q = hn::Load(f, query + i);
      const auto product = hn::Mul(q, hn::Load(f, scale + i));
      hn::Store(product, f, folded + i);
      most = hn::Max(most, hn::Abs(product));
      dot = hn::MulAdd(q, hn::Load(f, zero + i), dot);
    }
    const float largest = hn::GetLane(hn::MaxOfLanes(f, most));
    bias[c] = hn::GetLane(hn::SumOfLanes(f, dot)) * tile.unit;
    const float forward = largest > 0 ? limit / largest : 0;
    back[c] = forward > 0 && std::isfinite(forward) ? tile.unit / forward : 0;
    to_words(folded, n, std::isfinite(forward) ? forward : 0, words + c * n);
  }
  HWY_ALIGN int32_t sums[N * kTileTokens];
  switch (tile.shape.bits) {
    case 8:
      score_codes<8, N>(tile, words, n, sums);
      break;
    case 4:
      score_codes<4, N>(tile, words, n, sums);
      break;
    default:
      score_codes<2, N>(tile, words, n, sums);
  }
  for (uint32_t c = 0; c < N; ++c) {
    const auto by = hn::Set(f, back[c]), plus = hn::Set(f, bias[c]);
    for (size_t t = 0; t < tile.shape.padded_tokens(); t += kLanes) {
      const auto sum = hn::ConvertTo(f, hn::Load(i32, sums + c * kTileTokens + t));
      hn::Store(hn::MulAdd(sum, by, plus), f, scores + c * kTileTokens + t);
    }
  }
}

template <uint32_t kBits, uint32_t N>
void add_codes(const CodedTile& tile, const int16_t* words, const float* back, float* out, size_t stride) {
  const uint32_t channels = value_channels(tile.shape);
  const uint32_t groups = tile.shape.padded_tokens() / (2 * (8 / kBits));
  sum_codes<kBits, N>(tile.codes, channels, kUnitBytes, groups, channels / kUnitLanes * kUnitBytes, words, kTileTokens,
                      [&](uint32_t c, size_t channel, hn::Vec<I> sum) {
                        const F f;
                        float* to = out + c * stride + channel;
                        hn::Store(hn::MulAdd(hn::ConvertTo(f, sum), hn::Set(f, back[c]), hn::Load(f, to)), f, to);
                      });
}

template <uint32_t N>
void add_tile_codes(AttendState& state, const AttendTile& tile, uint32_t column) {
  const F f;
  const CodedTile& codes = tile.v_codes;
  const uint32_t padded = codes.shape.padded_tokens();
  const float *scale = state.grid, *zero = state.grid + kTileTokens;
  int16_t* words = reinterpret_cast<int16_t*>(state.words);
  const float limit = word_limit(kTileTokens, codes.shape.bits);
  float back[N];
  for (uint32_t c = 0; c < N; ++c) {
    float* weights = state.weights + c * kTileTokens;
    std::fill_n(weights, tile.exact, 0.0f);  // these have been added
    float* folded = state.grid + 2 * kTileTokens;
    auto most = hn::Zero(f), dot = hn::Zero(f);
    for (size_t t = 0; t < padded; t += kLanes) {
      const auto p = hn::Load(f, weights + t);
      const auto product = hn::Mul(p, hn::Load(f, scale + t));
      hn::Store(product, f, folded + t);
      most = hn::Max(most, product);
      dot = hn::MulAdd(p, hn::Load(f, zero + t), dot);
    }
    const float largest = hn::GetLane(hn::MaxOfLanes(f, most));
    state.bias[column + c] += hn::GetLane(hn::SumOfLanes(f, dot)) * codes.unit;
    const float forward = largest > 0 ? limit / largest : 0;
    back[c] = forward > 0 && std::isfinite(forward) ? codes.unit / forward : 0;
    to_words(folded, padded, std::isfinite(forward) ? forward : 0, words + c * kTileTokens);
  }
  float* out = state.rotated + column * state.v_stride;
  switch (codes.shape.bits) {
    case 8:
      return add_codes<8, N>(codes, words, back, out, state.v_stride);
    case 4:
      return add_codes<4, N>(codes, words, back, out, state.v_stride);
    default:
      return add_codes<2, N>(codes, words, back, out, state.v_stride);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#endif  // KVC_ATTEND_ATTEND_CODES_INL_H_
