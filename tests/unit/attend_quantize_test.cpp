// The quantising kernels of every instruction set give the same bits, and those of a plain reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "attend/aligned.h"
#include "attend/convert.h"
#include "attend/quantize.h"
#include "base/random.h"

namespace kvc {
namespace {

struct Tile {
  TileShape shape;
  size_t stride;
  float unit = 1;
  std::vector<uint16_t> scale, zero;
  std::vector<uint8_t> codes;

  Tile(int plane, uint32_t tokens, uint32_t dim, uint32_t bits)
      : shape{tokens, dim, bits}, stride(round_up(dim, kUnitLanes)) {
    const TileBytes bytes = plane == KVC_KEY ? key_tile_bytes(shape) : value_tile_bytes(shape);
    scale.resize(bytes.scale / 2);
    zero.resize(bytes.scale / 2);
    codes.resize(bytes.codes);
  }
  CodedTileOut out() { return {shape, &unit, scale.data(), zero.data(), codes.data()}; }
  CodedTile in() const { return {shape, unit, scale.data(), zero.data(), codes.data()}; }
  bool operator==(const Tile& other) const {
    return scale == other.scale && zero == other.zero && codes == other.codes && unit == other.unit;
  }
};

// Numbers of several kinds, 0 where a tile is only filled up.
void fill(float* rows, size_t stride, const TileShape& shape, int kind) {
  Random random(static_cast<uint64_t>(kind) * 1000 + shape.tokens * 10 + shape.dim);
  std::fill_n(rows, kTileTokens * stride, 0.0f);
  for (uint32_t t = 0; t < shape.tokens; ++t) {
    for (uint32_t d = 0; d < shape.dim; ++d) {
      float& x = rows[t * stride + d];
      const auto number = static_cast<float>(random.unit() * 2 - 1);
      switch (kind) {
        case 0:
          x = number * static_cast<float>(1 + d % 5);
          break;
        case 1:  // far from zero, a range of its own per channel; some constant
          x = 100.0f + (d % 3 == 0 ? 0.0f : number * static_cast<float>(d));
          break;
        case 2:  // as large as f32 goes
          x = number * 3e38f;
          break;
        case 3:  // as small
          x = number * 1e-40f;
          break;
        default:  // zeros of both signs
          x = number < 0 ? -0.0f : 0.0f;
      }
    }
  }
}

using Parameter = std::tuple<uint32_t, uint32_t, uint32_t>;  // tokens, dim, bits

class QuantizeTest : public testing::TestWithParam<Parameter> {};

TEST_P(QuantizeTest, AllInstructionSetsGiveTheSameBits) {
  const auto [tokens, dim, bits] = GetParam();
  const size_t stride = round_up(dim, kUnitLanes);
  for (int plane : {KVC_KEY, KVC_VALUE}) {
    for (int kind = 0; kind < 5; ++kind) {
      for (const uint32_t exact : {0u, std::min(tokens, 4u)}) {
        AlignedFloats rows(kTileTokens * stride), decoded(kTileTokens * stride), other(kTileTokens * stride);
        Tile first(plane, tokens, dim, bits);
        for (const Target target : targets()) {
          const QuantizeKernels& kernels = quantize_kernels(target);
          Tile tile(plane, tokens, dim, bits);
          fill(rows.data(), stride, tile.shape, kind);
          tile.unit = tile_unit(kernels.largest(rows.data(), tokens * stride));
          (plane == KVC_KEY ? kernels.encode_keys : kernels.encode_values)(rows.data(), stride, exact, tile.out());
          float* to = target == targets().front() ? decoded.data() : other.data();
          (plane == KVC_KEY ? kernels.decode_keys : kernels.decode_values)(tile.in(), 0, tokens, to, stride);
          if (target == targets().front()) {
            first = tile;
            continue;
          }
          EXPECT_TRUE(tile == first) << target_name(target) << ", plane " << plane << ", numbers " << kind;
          for (uint32_t t = 0; t < tokens; ++t) {
            EXPECT_EQ(std::memcmp(other.data() + t * stride, decoded.data() + t * stride, dim * sizeof(float)), 0)
                << target_name(target) << ", plane " << plane << ", numbers " << kind << ", token " << t;
          }
        }
      }
    }
  }
}

// The codes as the form of a tile describes them, from definitions.
TEST_P(QuantizeTest, KeysAreTheNearestCodesOfTheirChannel) {
  const auto [tokens, dim, bits] = GetParam();
  const uint32_t levels = (1u << bits) - 1, pack = 8 / bits;
  Tile tile(KVC_KEY, tokens, dim, bits);
  AlignedFloats rows(kTileTokens * tile.stride);
  fill(rows.data(), tile.stride, tile.shape, 0);
  const std::vector<float> original(rows.data(), rows.data() + kTileTokens * tile.stride);
  tile.unit = tile_unit(quantize_kernels().largest(rows.data(), tokens * tile.stride));
  quantize_kernels().encode_keys(rows.data(), tile.stride, 0, tile.out());
  const uint32_t groups = key_channels(tile.shape) / (2 * pack);
  for (uint32_t d = 0; d < dim; ++d) {
    float scale = 0, zero = 0;
    to_f32(DType::f16, &tile.scale[d], &scale, 1);
    to_f32(DType::f16, &tile.zero[d], &zero, 1);
    for (uint32_t t = 0; t < tokens; ++t) {
      const uint32_t pair = d / 2, group = pair / pack, u = pair % pack;
      const size_t at = ((t / 16) * size_t{groups} + group) * kUnitBytes + t % 16 * 2 + d % 2;
      const uint32_t code = tile.codes[at] >> (bits * u) & levels;
      const double x = static_cast<double>(original[t * tile.stride + d]) / static_cast<double>(tile.unit);
      const double error = std::abs(static_cast<double>(scale) * code + static_cast<double>(zero) - x);
      EXPECT_LE(error, 0.5001 * static_cast<double>(scale) + 1e-6 * std::abs(x) + 1e-5) << "token " << t << ", channel " << d;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, QuantizeTest,
                         testing::Combine(testing::Values(64u, 16u, 37u, 1u), testing::Values(64u, 128u, 80u, 5u, 1u),
                                          testing::Values(8u, 4u, 2u)));

TEST(QuantizeKernelsTest, FindsNumbersThatAreNotFinite) {
  AlignedFloats x(64);
  for (const Target target : targets()) {
    const auto largest = quantize_kernels(target).largest;
    std::fill_n(x.data(), 64, -2.0f);
    EXPECT_EQ(largest(x.data(), 64), 2.0f);
    for (const float bad : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
      x.data()[37] = bad;
      EXPECT_TRUE(std::isinf(largest(x.data(), 64))) << target_name(target);
    }
  }
}

TEST(QuantizeKernelsTest, HadamardIsItsOwnInverseAndKeepsLengths) {
  for (const uint32_t dim : {1u, 2u, 8u, 24u, 64u, 96u, 256u}) {
    const uint32_t stride = round_up(dim, kUnitLanes);
    AlignedFloats x(stride);
    double before = 0, after = 0;
    for (uint32_t i = 0; i < dim; ++i) before += (x.data()[i] = static_cast<float>(i % 11) - 4) * x.data()[i];
    hadamard(x.data(), stride, hadamard_block(dim));
    for (uint32_t i = 0; i < dim; ++i) after += x.data()[i] * x.data()[i];
    EXPECT_NEAR(after, before, 1e-3 * before);
    hadamard(x.data(), stride, hadamard_block(dim));
    for (uint32_t i = 0; i < dim; ++i) EXPECT_NEAR(x.data()[i], static_cast<float>(i % 11) - 4, 1e-4);
  }
}

}  // namespace
}  // namespace kvc
