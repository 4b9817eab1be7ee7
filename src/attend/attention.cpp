#include "attend/attention.h"

#include "attend/targets-inl.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attend/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After it.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "attend/convert.h"
#include "attend/quantize.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F = HWY_CAPPED(float, kUnitLanes);
using I = hn::RebindToSigned<F>;
using S = hn::Repartition<int16_t, F>;     // pairs of 16-bit numbers, one pair per lane
using B = hn::Rebind<uint8_t, S>;          // the codes of a unit's lanes
using H = hn::Rebind<hwy::float16_t, F>;
using BF = hn::Rebind<hwy::bfloat16_t, F>;

constexpr size_t kLanes = HWY_MIN(HWY_MAX_BYTES / sizeof(float), kUnitLanes);
// Columns that go over a tile together. Small registers do not hold more sums, and plain C++ is to be small.
constexpr uint32_t kColumns = HWY_MAX_BYTES >= 32 ? 4 : HWY_TARGET == HWY_EMU128 ? 1 : 2;
// Vectors that are summed up side by side: enough of them hide the latency of the sums, too many do not fit the
// registers.
constexpr size_t kSide = HWY_MAX_BYTES >= 64 ? 4 : HWY_TARGET == HWY_EMU128 ? 1 : 2;
constexpr float kNone = -std::numeric_limits<float>::infinity();

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

// ------------------------------------------------------------------------------------------------------------- codes

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

// ------------------------------------------------------------------------------------------------------------ scores

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

template <DType kType>
HWY_INLINE hn::Vec<F> load_row(const std::byte* row, size_t at) {
  const F f;
  if constexpr (kType == DType::f32) {
    return hn::LoadU(f, reinterpret_cast<const float*>(row) + at);
  } else if constexpr (kType == DType::f16) {
    return hn::PromoteTo(f, hn::LoadU(H(), reinterpret_cast<const hwy::float16_t*>(row) + at));
  } else {
    return hn::PromoteTo(f, hn::LoadU(BF(), reinterpret_cast<const hwy::bfloat16_t*>(row) + at));
  }
}

// Adds up the blocks of 128 bits, and stores what comes out.
template <class D>
HWY_INLINE void store_block_sum(D d, hn::Vec<D> v, float* to) {
  if constexpr (hn::MaxLanes(D()) <= 4) {
    hn::StoreU(v, d, to);
  } else {
    const hn::Half<D> half;
    store_block_sum(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)), to);
  }
}

// The sums of four vectors, to four floats: half the shuffles of four sums one by one.
HWY_INLINE void store_sums(hn::Vec<F> a, hn::Vec<F> b, hn::Vec<F> c, hn::Vec<F> d, float* to) {
  const F f;
  const hn::Repartition<uint64_t, F> pairs;
  const auto ab = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(f, a, b), hn::InterleaveUpper(f, a, b)));
  const auto cd = hn::BitCast(pairs, hn::Add(hn::InterleaveLower(f, c, d), hn::InterleaveUpper(f, c, d)));
  store_block_sum(f, hn::Add(hn::BitCast(f, hn::InterleaveLower(pairs, ab, cd)),
                             hn::BitCast(f, hn::InterleaveUpper(pairs, ab, cd))), to);
}

// Scores of tokens [from, from + T) for N columns. Several tokens at once: a vector of the query is loaded once for all.
template <DType kType, uint32_t N, uint32_t T>
HWY_INLINE void score_some_rows(const ClearRows& rows, uint32_t from, const float* query, size_t stride, size_t dim,
                                float* scores) {
  const F f;
  hn::Vec<F> sums[T][N];
  for (uint32_t t = 0; t < T; ++t) {
    for (uint32_t c = 0; c < N; ++c) sums[t][c] = hn::Zero(f);
  }
  const std::byte* row = rows.data + from * rows.stride;
  for (size_t i = 0; i < dim; i += kLanes) {
    hn::Vec<F> k[T];
    for (uint32_t t = 0; t < T; ++t) k[t] = load_row<kType>(row + t * rows.stride, i);
    for (uint32_t c = 0; c < N; ++c) {
      const auto q = hn::Load(f, query + c * stride + i);
      for (uint32_t t = 0; t < T; ++t) sums[t][c] = hn::MulAdd(k[t], q, sums[t][c]);
    }
  }
  for (uint32_t c = 0; c < N; ++c) {
    float* to = scores + c * kTileTokens + from;
    if constexpr (T == 4) {
      store_sums(sums[0][c], sums[1][c], sums[2][c], sums[3][c], to);
    } else {
      for (uint32_t t = 0; t < T; ++t) to[t] = hn::GetLane(hn::SumOfLanes(f, sums[t][c]));
    }
  }
}

template <DType kType, uint32_t N>
void score_rows(const ClearRows& rows, uint32_t n, const float* query, size_t stride, size_t dim, float* scores) {
  uint32_t t = 0;
  for (; t + 4 <= n; t += 4) score_some_rows<kType, N, 4>(rows, t, query, stride, dim, scores);
  for (; t < n; ++t) score_some_rows<kType, N, 1>(rows, t, query, stride, dim, scores);
}

// ----------------------------------------------------------------------------------------------------------- softmax

// Whether a query at position p sees any, and all, of positions [first, first + n).
struct Sight {
  bool any, all;
};
HWY_INLINE bool sees(const AttendOptions& o, uint64_t query, uint64_t key) {
  if (o.causal && key > query) return false;
  if (o.window == 0 || key < o.sinks) return true;
  return key + o.window > query && (o.causal || key < query + o.window);
}
HWY_INLINE Sight sight(const AttendOptions& o, uint64_t query, uint64_t first, uint32_t n) {
  const uint64_t last = first + n - 1;
  if (o.causal && first > query) return {false, false};
  const bool window_begin = o.window == 0 || first + o.window > query;
  const bool window_end = !o.causal ? o.window == 0 || last < query + o.window : last <= query;
  if (window_begin && window_end) return {true, true};
  if (o.window != 0 && first >= o.sinks && (last + o.window <= query || (!o.causal && first >= query + o.window))) {
    return {false, false};
  }
  return {true, false};
}

// Turns a column's scores into weights relative to its largest score so far. False: it sees nothing of the tile.
HWY_INLINE bool weigh(AttendState& state, uint32_t column, const AttendTile& tile, float* scores) {
  const F f;
  const AttendOptions& o = state.options;
  const uint64_t query = o.position + column / o.group;
  const uint32_t padded = round_up(tile.tokens, kUnitLanes);
  const Sight seen = sight(o, query, tile.position, tile.tokens);
  if (!seen.any) {
    std::fill_n(scores, kTileTokens, 0.0f);
    return false;
  }
  if (o.softcap > 0) {
    const auto cap = hn::Set(f, o.softcap), inverse = hn::Set(f, 1.0f / o.softcap);
    for (size_t t = 0; t < padded; t += kLanes) {
      const auto s = hn::Load(f, scores + t);
      hn::Store(hn::Mul(cap, hn::Tanh(f, hn::Mul(s, inverse))), f, scores + t);
    }
  }
  if (state.slope[column] != 0) {
    const auto slope = hn::Set(f, state.slope[column]);
    const auto first = hn::Iota(f, static_cast<float>(static_cast<int64_t>(tile.position - query)));
    for (size_t t = 0; t < padded; t += kLanes) {
      const auto distance = hn::Add(first, hn::Set(f, static_cast<float>(t)));
      hn::Store(hn::MulAdd(slope, distance, hn::Load(f, scores + t)), f, scores + t);
    }
  }
  if (!seen.all) {
    bool any = false;
    for (uint32_t t = 0; t < tile.tokens; ++t) {
      if (sees(o, query, tile.position + t)) {
        any = true;
      } else {
        scores[t] = kNone;
      }
    }
    if (!any) {
      std::fill_n(scores, kTileTokens, 0.0f);
      return false;
    }
  }
  for (uint32_t t = tile.tokens; t < padded; ++t) scores[t] = kNone;
  auto most = hn::Set(f, kNone);
  for (size_t t = 0; t < padded; t += kLanes) most = hn::Max(most, hn::Load(f, scores + t));
  const float tile_max = hn::GetLane(hn::MaxOfLanes(f, most));
  const float before = state.max[column];
  const float max = std::max(before, tile_max);
  if (max == kNone) {  // scores of -infinity: from infinite keys
    std::fill_n(scores, kTileTokens, 0.0f);
    return false;
  }
  if (max != before) {
    const float shrink = std::exp(before - max);  // 0 at the first tile
    const auto by = hn::Set(f, shrink);
    float *out = state.out + column * state.v_stride, *rotated = state.rotated + column * state.v_stride;
    for (size_t i = 0; i < state.v_stride; i += kLanes) {
      hn::Store(hn::Mul(hn::Load(f, out + i), by), f, out + i);
      hn::Store(hn::Mul(hn::Load(f, rotated + i), by), f, rotated + i);
    }
    state.sum[column] *= shrink;
    state.bias[column] *= shrink;
    state.max[column] = max;
  }
  const auto top = hn::Set(f, max);
  auto sum = hn::Zero(f);
  for (size_t t = 0; t < padded; t += kLanes) {
    const auto p = hn::Exp(f, hn::Sub(hn::Load(f, scores + t), top));
    hn::Store(p, f, scores + t);
    sum = hn::Add(sum, p);
  }
  state.sum[column] += hn::GetLane(hn::SumOfLanes(f, sum));
  std::fill(scores + padded, scores + kTileTokens, 0.0f);  // codes of tokens that are not the caller's
  return true;
}

// ------------------------------------------------------------------------------------------------------------ values

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

template <DType kType, uint32_t N>
void add_rows(const ClearRows& rows, uint32_t n, const float* weights, size_t weight_stride, size_t dim, float* out,
              size_t stride) {
  const F f;
  const auto run = [&](size_t first, auto side) {
    constexpr size_t kN = decltype(side)::value;
    hn::Vec<F> sums[kN][N];
    for (size_t v = 0; v < kN; ++v) {
      for (uint32_t c = 0; c < N; ++c) sums[v][c] = hn::Load(f, out + c * stride + first + v * kLanes);
    }
    for (uint32_t t = 0; t < n; ++t) {
      const std::byte* row = rows.data + t * rows.stride;
      for (size_t v = 0; v < kN; ++v) {
        const auto value = load_row<kType>(row, first + v * kLanes);
        for (uint32_t c = 0; c < N; ++c) {
          sums[v][c] = hn::MulAdd(value, hn::Set(f, weights[c * weight_stride + t]), sums[v][c]);
        }
      }
    }
    for (size_t v = 0; v < kN; ++v) {
      for (uint32_t c = 0; c < N; ++c) hn::Store(sums[v][c], f, out + c * stride + first + v * kLanes);
    }
  };
  size_t i = 0;
  for (; i + kSide * kLanes <= dim; i += kSide * kLanes) run(i, std::integral_constant<size_t, kSide>());
  for (; i < dim; i += kLanes) run(i, std::integral_constant<size_t, 1>());
}

// ------------------------------------------------------------------------------------------------------------- tiles

// Rows that kernels can load from: whole vectors, of a dtype that the instruction set converts right. Others are
// brought into scratch as floats; `dim` becomes what is to be computed with.
HWY_INLINE ClearRows usable(const AttendState& state, const ClearRows& rows, uint32_t n, size_t* dim) {
  // Where f16 is emulated, infinity would turn into a number.
  const bool converts = rows.dtype != DType::f16 || HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 ||
                        HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_NEON;
  if (converts && *dim % kLanes == 0) return rows;
  const size_t stride = round_up(static_cast<uint32_t>(*dim), kUnitLanes);
  for (uint32_t t = 0; t < n; ++t) {
    float* to = state.scratch + t * stride;
    to_f32(rows.dtype, rows.data + t * rows.stride, to, *dim);
    std::fill(to + *dim, to + stride, 0.0f);
  }
  *dim = stride;
  return {DType::f32, reinterpret_cast<const std::byte*>(state.scratch), stride * sizeof(float)};
}

template <uint32_t N>
void score_clear(const AttendState& state, const AttendTile& tile, uint32_t column, float* scores) {
  size_t dim = state.options.k_dim;
  const ClearRows rows = usable(state, tile.k, tile.exact, &dim);
  const float* query = state.query + column * state.k_stride;
  switch (rows.dtype) {
    case DType::f32:
      return score_rows<DType::f32, N>(rows, tile.exact, query, state.k_stride, dim, scores);
    case DType::f16:
      return score_rows<DType::f16, N>(rows, tile.exact, query, state.k_stride, dim, scores);
    case DType::bf16:
      return score_rows<DType::bf16, N>(rows, tile.exact, query, state.k_stride, dim, scores);
    case DType::u8:
      return;  // no numbers: nobody attends to them
  }
}

template <uint32_t N>
void add_clear(AttendState& state, const AttendTile& tile, uint32_t column) {
  size_t dim = state.options.v_dim;
  const ClearRows rows = usable(state, tile.v, tile.exact, &dim);
  float* out = state.out + column * state.v_stride;
  switch (rows.dtype) {
    case DType::f32:
      return add_rows<DType::f32, N>(rows, tile.exact, state.weights, kTileTokens, dim, out, state.v_stride);
    case DType::f16:
      return add_rows<DType::f16, N>(rows, tile.exact, state.weights, kTileTokens, dim, out, state.v_stride);
    case DType::bf16:
      return add_rows<DType::bf16, N>(rows, tile.exact, state.weights, kTileTokens, dim, out, state.v_stride);
    case DType::u8:
      return;
  }
}

ClearRows floats(const float* rows, size_t stride) {
  return {DType::f32, reinterpret_cast<const std::byte*>(rows), stride * sizeof(float)};
}

// Scores of keys that are there as columns: sums of columns, as values are sums of rows.
template <uint32_t N>
void score_columns(const AttendState& state, const AttendTile& tile, uint32_t column, float* scores) {
  const bool turned = tile.k_basis != nullptr;
  const float* query = (turned ? state.turned : state.query) + size_t{column} * state.k_stride;
  for (uint32_t c = 0; c < N; ++c) {
    std::fill_n(scores + c * kTileTokens, kTileTokens, turned ? state.offset[column + c] : 0.0f);
  }
  add_rows<DType::f32, N>(floats(tile.k_columns, kTileTokens), state.options.k_dim, query, state.k_stride,
                          round_up(tile.tokens, kUnitLanes), scores, kTileTokens);
}

template <uint32_t N>
void add_turned(AttendState& state, const AttendTile& tile, uint32_t column) {
  add_rows<DType::f32, N>(floats(tile.v_turned + size_t{tile.exact} * state.v_stride, state.v_stride),
                          tile.tokens - tile.exact, state.weights + tile.exact, kTileTokens, state.v_stride,
                          state.rotated + size_t{column} * state.v_stride, state.v_stride);
}

void widen_grid(const CodedTile& tile, size_t used, size_t n, float* grid) {
  // What the arrays do not have is 0: beyond it there are no numbers.
  for (const uint16_t* from : {tile.scale, tile.zero}) {
    to_f32(DType::f16, from, grid, used);
    std::fill(grid + used, grid + n, 0.0f);
    grid += n;
  }
}

template <uint32_t N>
void attend_columns(AttendState& state, const AttendTile& tile, uint32_t column) {
  const bool coded = tile.exact < tile.tokens;
  float* scores = state.weights;
  const bool made = tile.k_columns != nullptr;
  // Codes first: they fill whole blocks, also under the tokens that are exact.
  if (coded && made) {
    score_columns<N>(state, tile, column, scores);
  } else if (coded) {
    widen_grid(tile.k_codes, key_channels(tile.k_codes.shape), state.k_stride, state.grid);
    score_tile_codes<N>(state, tile.k_codes, column, scores);
  }
  if (tile.exact > 0) score_clear<N>(state, tile, column, scores);
  bool any = false;
  for (uint32_t c = 0; c < N; ++c) any |= weigh(state, column + c, tile, scores + c * kTileTokens);
  if (!any) return;
  if (tile.exact > 0) add_clear<N>(state, tile, column);
  if (coded && made) {
    add_turned<N>(state, tile, column);
  } else if (coded) {
    widen_grid(tile.v_codes, tile.v_codes.shape.padded_tokens(), kTileTokens, state.grid);
    add_tile_codes<N>(state, tile, column);
  }
}

void attend(AttendState& state, const AttendTile& tile) {
  uint32_t column = 0;
  for (; column + kColumns <= state.columns; column += kColumns) attend_columns<kColumns>(state, tile, column);
  const uint32_t rest = state.columns - column;
  if constexpr (kColumns > 3) {
    if (rest == 3) return attend_columns<3>(state, tile, column);
  }
  if constexpr (kColumns > 2) {
    if (rest == 2) return attend_columns<2>(state, tile, column);
  }
  if (rest == 1) attend_columns<1>(state, tile, column);
}

}  // namespace

extern const AttendState::Kernel kAttend;
const AttendState::Kernel kAttend = attend;

}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace kvc {

void AttendState::set_target(Target target) noexcept { attend_ = *KVC_SELECT_TABLE(target, kAttend); }

}  // namespace kvc
#endif  // HWY_ONCE
