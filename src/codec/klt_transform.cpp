#include "codec/klt_transform.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "attend/quantize.h"
#include "attend/tile.h"
#include "attend/transform.h"

namespace kvc {
namespace {

void turn_pair(float cosine, float sine, float* a, float* b) {
  const float x = *a, y = *b;
  *a = x * cosine - y * sine;
  *b = x * sine + y * cosine;
}

}  // namespace

void rotate_keys(const KeyRope& rope, uint64_t position, bool inverse, float* rows, size_t n, size_t stride) {
  const size_t pairs = rope.frequency.size();
  for (size_t i = 0; i < pairs; ++i) {
    const size_t a = rope.first(i), b = rope.second(i);
    const double sign = inverse ? -1 : 1;
    const double turn = static_cast<double>(position) * rope.frequency[i];
    double c = std::cos(turn), s = sign * std::sin(turn);
    // From one token to the next by the addition theorem: the error stays far below that of a float over a page.
    const double dc = n > 1 ? std::cos(rope.frequency[i]) : 1, ds = n > 1 ? sign * std::sin(rope.frequency[i]) : 0;
    for (size_t t = 0; t < n; ++t) {
      float* row = rows + t * stride;
      turn_pair(static_cast<float>(c), static_cast<float>(s), row + a, row + b);
      const double next = c * dc - s * ds;
      s = s * dc + c * ds;
      c = next;
    }
  }
}

void rotate_columns(const KltCalibration& calibration, uint64_t position, bool inverse, uint32_t from, uint32_t end,
                    float* columns) {
  const KeyRope& rope = calibration.rope;
  const size_t pairs = rope.frequency.size();
  const TransformKernels& kernels = transform_kernels();
  for (size_t i = 0; i < pairs; ++i) {
    float* x = columns + rope.first(i) * kTileTokens + from;
    float* y = columns + rope.second(i) * kTileTokens + from;
    if (inverse) std::swap(x, y);  // the other way round
    const float* cosines = calibration.steps.data() + i * 2 * kTileTokens + from;
    const KeyTurn first = first_turn(rope, position, i);
    kernels.turn(first.cosine, first.sine, cosines, cosines + kTileTokens, end - from, x, y);
  }
}

KeyTurn first_turn(const KeyRope& rope, uint64_t position, size_t pair) {
  const double turn = static_cast<double>(position) * rope.frequency[pair];
  return {static_cast<float>(std::cos(turn)), static_cast<float>(std::sin(turn))};
}

void KeyTurns::add(const KeyRope& rope, uint64_t position) {
  for (size_t i = 0; i < rope.frequency.size(); ++i) turns_.push_back(first_turn(rope, position, i));
}

void KeyTurns::turn(const KeyRope& rope, size_t at, bool inverse, float* x) const noexcept {
  const size_t pairs = rope.frequency.size();
  for (size_t i = 0; i < pairs; ++i) {
    const KeyTurn turn = turns_[at * pairs + i];
    turn_pair(turn.cosine, inverse ? -turn.sine : turn.sine, x + rope.first(i), x + rope.second(i));
  }
}

void transpose(const float* from, size_t from_stride, size_t rows, size_t columns, float* to, size_t to_stride) {
  // By squares, so that neither side is walked through in long strides.
  constexpr size_t kSquare = 16;
  for (size_t r = 0; r < rows; r += kSquare) {
    for (size_t c = 0; c < columns; c += kSquare) {
      for (size_t j = c; j < std::min(columns, c + kSquare); ++j) {
        for (size_t i = r; i < std::min(rows, r + kSquare); ++i) to[j * to_stride + i] = from[i * from_stride + j];
      }
    }
  }
}

void hadamard_row(float* row, uint32_t dim, float* room) {
  const uint32_t stride = round_up(dim, kUnitLanes);
  std::copy_n(row, dim, room);
  std::fill(room + dim, room + stride, 0.0f);
  hadamard(room, stride, hadamard_block(dim));
  std::copy_n(room, dim, row);
}

}  // namespace kvc
