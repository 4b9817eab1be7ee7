#include "attend/attention.h"

#include "attend/targets-inl.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "attend/attention.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "attend/attend_codes-inl.h"
#include "attend/attend_rows-inl.h"
#include "attend/attend_weights-inl.h"
#include "attend/convert.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

// Columns that go over a tile together. Small registers do not hold more sums, and plain C++ is to be small.
constexpr uint32_t kColumns = HWY_MAX_BYTES >= 32 ? 4 : HWY_TARGET == HWY_EMU128 ? 1 : 2;

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
