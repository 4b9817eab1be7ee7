// What attention keeps between tiles: its memory, its queries, and how parts of it become one. The kernels are in
// attention.cpp.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "attend/attention.h"
#include "attend/quantize.h"

namespace kvc {
namespace {

struct Part {
  float* AttendState::*pointer;
  size_t floats;
};

// The arrays of a state, each beginning at a cache line.
struct Parts {
  static constexpr size_t kN = 13;
  Part items[kN];
  explicit Parts(const AttendState& s, size_t widest)
      : items{{&AttendState::query, size_t{s.columns} * s.k_stride},
              {&AttendState::out, size_t{s.columns} * s.v_stride},
              {&AttendState::rotated, size_t{s.columns} * s.v_stride},
              {&AttendState::bias, s.columns},
              {&AttendState::max, s.columns},
              {&AttendState::sum, s.columns},
              {&AttendState::slope, s.columns},
              {&AttendState::turned, size_t{s.columns} * s.k_stride},
              {&AttendState::offset, s.columns},
              {&AttendState::weights, 4 * kTileTokens},
              {&AttendState::scratch, kTileTokens * widest},
              {&AttendState::grid, 4 * widest},
              {&AttendState::words, 2 * widest}} {}
  static size_t whole_lines(size_t floats) {
    return (floats + AlignedFloats::kLine - 1) / AlignedFloats::kLine * AlignedFloats::kLine;
  }
  size_t total() const {
    size_t n = 0;
    for (const Part& part : items) n += whole_lines(part.floats);
    return n;
  }
};

size_t widest_of(const AttendState& s) { return std::max({s.k_stride, s.v_stride, kTileTokens}); }

}  // namespace

AttendState::AttendState(const AttendOptions& given, uint32_t n_queries)
    : options(given),
      columns(n_queries * given.group),
      k_stride(round_up(given.k_dim, kUnitLanes)),
      v_stride(round_up(given.v_dim, kUnitLanes)),
      memory_(Parts(*this, widest_of(*this)).total()) {
  float* at = memory_.data();
  for (const Part& part : Parts(*this, widest_of(*this)).items) {
    this->*part.pointer = at;
    at += Parts::whole_lines(part.floats);
  }
  std::fill_n(max, columns, -std::numeric_limits<float>::infinity());
  set_target(best_target());
}

bool AttendState::sees(const AttendTile& tile) const noexcept {
  const uint64_t first = options.position, last = first + columns / options.group - 1;
  const uint64_t window = options.window, end = tile.position + tile.tokens;
  if (options.causal && tile.position > last) return false;
  if (window == 0 || tile.position < options.sinks) return true;
  return end - 1 + window > first && (options.causal || tile.position < last + window);
}

void AttendState::attend(const AttendTile& tile) noexcept {
  if (!sees(tile)) return;
  if (tile.k_basis != nullptr && tile.k_basis != basis_) turn_queries(tile);
  attend_(*this, tile);
}

void AttendState::turn_queries(const AttendTile& tile) noexcept {
  basis_ = tile.k_basis;
  owner_ = tile.owner;  // or another basis might lie where this one did
  const size_t dim = options.k_dim;
  for (uint32_t c = 0; c < columns; ++c) {
    const float* from = query + size_t{c} * k_stride;
    float* to = turned + size_t{c} * k_stride;
    offset[c] = 0;
    for (size_t i = 0; i < dim; ++i) offset[c] += from[i] * tile.k_mean[i];
    for (size_t j = 0; j < dim; ++j) {
      to[j] = 0;
      for (size_t i = 0; i < dim; ++i) to[j] += from[i] * tile.k_basis[j * dim + i];
    }
  }
}

namespace {

void prefetch_bytes(const void* from, size_t bytes) {
  const auto* at = static_cast<const char*>(from);
  for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i);
}

}  // namespace

void prefetch(const AttendTile& tile) noexcept {
  if (tile.exact > 0) {
    prefetch_bytes(tile.k.data, tile.exact * tile.k.stride);
    prefetch_bytes(tile.v.data, tile.exact * tile.v.stride);
  }
  if (tile.exact == tile.tokens || tile.k_columns != nullptr) return;
  const TileBytes k = key_tile_bytes(tile.k_codes.shape), v = value_tile_bytes(tile.v_codes.shape);
  for (const auto& [codes, bytes] : {std::pair{&tile.k_codes, k}, {&tile.v_codes, v}}) {
    prefetch_bytes(codes->scale, bytes.scale);
    prefetch_bytes(codes->zero, bytes.scale);
    prefetch_bytes(codes->codes, bytes.codes);
  }
}

void AttendState::set_query(uint32_t column, const float* from, float scale, float alibi) {
  float* to = query + column * k_stride;
  for (uint32_t i = 0; i < options.k_dim; ++i) to[i] = from[i] * scale;
  slope[column] = alibi;
}

void AttendState::merge(const AttendState& other) noexcept {
  for (uint32_t c = 0; c < columns; ++c) {
    const float top = std::max(max[c], other.max[c]);
    if (other.max[c] == -std::numeric_limits<float>::infinity()) continue;
    const float own = std::exp(max[c] - top), theirs = std::exp(other.max[c] - top);
    for (size_t i = c * size_t{v_stride}; i < (c + size_t{1}) * v_stride; ++i) {
      out[i] = out[i] * own + other.out[i] * theirs;
      rotated[i] = rotated[i] * own + other.rotated[i] * theirs;
    }
    sum[c] = sum[c] * own + other.sum[c] * theirs;
    bias[c] = bias[c] * own + other.bias[c] * theirs;
    max[c] = top;
  }
}

void AttendState::add_sink(uint32_t column, float score) noexcept {
  if (max[column] == -std::numeric_limits<float>::infinity()) return;  // nothing to weigh against: the result is 0
  sum[column] += std::exp(score - max[column]);
}

void AttendState::finish(uint32_t column, float* result) noexcept {
  float* turned = rotated + column * v_stride;
  for (uint32_t i = 0; i < options.v_dim; ++i) turned[i] += bias[column];
  hadamard(turned, v_stride, hadamard_block(options.v_dim));
  const float divisor = sum[column];
  for (uint32_t i = 0; i < options.v_dim; ++i) {
    result[i] = divisor > 0 || std::isnan(divisor) ? (out[column * v_stride + i] + turned[i]) / divisor : 0;
  }
}

}  // namespace kvc
