// Scores and sums over rows in the clear, for N columns (queries) at a time.
#if defined(KVC_ATTEND_ATTEND_ROWS_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once for each instruction set
#ifdef KVC_ATTEND_ATTEND_ROWS_INL_H_
#undef KVC_ATTEND_ATTEND_ROWS_INL_H_
#else
#define KVC_ATTEND_ATTEND_ROWS_INL_H_
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <type_traits>

#include "attend/attention.h"
#include "attend/convert.h"
#include "attend/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

using H = hn::Rebind<hwy::float16_t, F>;
using BF = hn::Rebind<hwy::bfloat16_t, F>;

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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#endif  // KVC_ATTEND_ATTEND_ROWS_INL_H_
