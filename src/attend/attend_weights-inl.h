// What a query sees of a tile, and how its scores become weights: a softmax that is continued from tile to tile.
#if defined(KVC_ATTEND_ATTEND_WEIGHTS_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once for each instruction set
#ifdef KVC_ATTEND_ATTEND_WEIGHTS_INL_H_
#undef KVC_ATTEND_ATTEND_WEIGHTS_INL_H_
#else
#define KVC_ATTEND_ATTEND_WEIGHTS_INL_H_
#endif

#include <hwy/highway.h>
// After it.
#include <hwy/contrib/math/math-inl.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "attend/attention.h"
#include "attend/lanes-inl.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();

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

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#endif  // KVC_ATTEND_ATTEND_WEIGHTS_INL_H_
