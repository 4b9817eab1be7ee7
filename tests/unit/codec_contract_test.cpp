// What src/codec/codec.h promises, held over every registered codec, geometry and dtype.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/codec.h"
#include "codec_variants.h"

namespace kvc {
namespace {

// Largest error of a number that a codec states (attend/quantize.h), for numbers up to `largest`, beside the rounding of
// the dtype. A new codec adds its own here.
double stated_error(std::string_view codec, int plane, double largest, uint32_t dim) {
  if (codec == "identity" || codec == "sparse") return 0;  // by default sparse keeps all rows
  if (codec == "svd") return largest * 0.01;               // all terms, rounded to f16
  if (codec == "toy") return largest;                      // of bf16 it keeps the sign and most of the exponent
  if (codec == "klt" || codec == "lowrank" || codec == "auto") {
    // Uncalibrated: bounds are 1/126 of the largest number apart (codec/klt_tile.h).
    const double levels = plane == KVC_KEY ? 255 : 15, room = 2 + 2.0 / 126;
    if (plane == KVC_KEY) return largest * (0.501 * room / levels);
    return largest * (0.501 * room * hadamard_block(dim) / levels + 1e-5);
  }
  const double levels = codec == "int8" || (codec == "mixed" && plane == KVC_KEY) ? 255 : 15;
  if (plane == KVC_KEY) return largest * (0.51 * 2 / levels + 0x1p-11);
  // A token's error in the 2-norm bounds that of each number; rotated, numbers may be sqrt(block) times as large.
  const double block = hadamard_block(dim);
  return largest * (0.51 * 2 * block / levels + std::sqrt(block) * 0x1p-11);
}

struct Shape {
  const char* name;
  uint32_t layers, heads, k_dim, v_dim, page_tokens;
};

constexpr Shape kShapes[] = {
    {"plain", 2, 4, 64, 64, 64},   {"one_head", 3, 1, 128, 128, 16}, {"k_unlike_v", 2, 2, 192, 128, 16},
    {"odd_tokens", 2, 3, 8, 8, 7}, {"long_page", 1, 1, 32, 16, 150},
    {"odd_dims", 1, 2, 5, 3, 9},      {"one_token", 2, 2, 16, 16, 1},
    {"smallest", 1, 1, 1, 1, 1},
};

using Parameter = std::tuple<const Codec*, Shape, DType>;

class CodecContractTest : public testing::TestWithParam<Parameter> {
 protected:
  void SetUp() override {
    Shape shape{};
    std::tie(codec_, shape, geometry_.dtype) = GetParam();
    geometry_.n_layers = shape.layers;
    geometry_.n_kv_heads = shape.heads;
    geometry_.k_dim = shape.k_dim;
    geometry_.v_dim = shape.v_dim;
    geometry_.page_tokens = shape.page_tokens;
    element_ = element_bytes(geometry_.dtype);

    Random random(42);
    std::vector<float> numbers(geometry_.page_bytes() / element_);
    for (float& number : numbers) number = static_cast<float>((random.unit() - 0.5) * 16);
    page_.resize(geometry_.page_bytes());
    from_f32(geometry_.dtype, numbers.data(), page_.data(), numbers.size());
    encoded_.resize(codec_->encoded_bytes(geometry_, {}));
    const Status status = codec_->encode(geometry_, {}, page_, encoded_);
    if (codec_ == &toy_user_codec() && status.code() == KVC_E_UNSUPPORTED) GTEST_SKIP() << "no smaller";
    ASSERT_TRUE(status.is_ok()) << status.message();
  }

  // Tokens [from, from + n) of a plane as compact [head][token][dim].
  std::vector<std::byte> decode(uint32_t layer, int plane, uint32_t from, uint32_t n) const {
    const size_t row = geometry_.row_bytes(plane);
    std::vector<std::byte> out(geometry_.n_kv_heads * n * row);
    const Status status = codec_->decode(geometry_, encoded_, layer, plane, from, n, out.data(), n * row, row);
    EXPECT_TRUE(status.is_ok()) << status.message();
    return out;
  }

  const Codec* codec_ = nullptr;
  PageGeometry geometry_;
  size_t element_ = 0;
  std::vector<std::byte> page_;
  std::vector<std::byte> encoded_;
};

TEST_P(CodecContractTest, DecodesWithinTheStatedError) {
  for (uint32_t layer = 0; layer < geometry_.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const auto decoded = decode(layer, plane, 0, geometry_.page_tokens);
      ASSERT_EQ(decoded.size(), geometry_.plane_bytes(plane));
      const size_t n = decoded.size() / element_;
      std::vector<float> want(n), got(n);
      to_f32(geometry_.dtype, page_.data() + geometry_.plane_offset(layer, plane), want.data(), n);
      to_f32(geometry_.dtype, decoded.data(), got.data(), n);
      float largest = 0;
      for (const float number : want) largest = std::max(largest, std::abs(number));
      double error = stated_error(codec_->name(), plane, static_cast<double>(largest), geometry_.dim(plane));
      if (error > 0 && geometry_.dtype == DType::f16) error += static_cast<double>(largest) * 0x1p-11;
      if (error > 0 && geometry_.dtype == DType::bf16) error += static_cast<double>(largest) * 0x1p-8;
      for (size_t i = 0; i < n; ++i)
        ASSERT_LE(std::abs(static_cast<double>(want[i] - got[i])), error) << "number " << i;
    }
  }
}

TEST_P(CodecContractTest, ARangeEqualsTheSameRangeOfAll) {
  const uint32_t tokens = geometry_.page_tokens;
  for (uint32_t layer = 0; layer < geometry_.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const size_t row = geometry_.row_bytes(plane);
      const auto all = decode(layer, plane, 0, tokens);
      for (const auto& [from, to] :
           {std::pair{0u, 1u}, {0u, tokens / 2}, {tokens / 3, tokens}, {tokens - 1, tokens}, {tokens, tokens}}) {
        const uint32_t n = to - from;
        const auto part = decode(layer, plane, from, n);
        for (uint32_t head = 0; head < geometry_.n_kv_heads && n > 0; ++head) {
          EXPECT_EQ(std::memcmp(part.data() + head * n * row, all.data() + (head * tokens + from) * row, n * row), 0);
        }
      }
    }
  }
}

TEST_P(CodecContractTest, StridesAreKeptAndNothingElseIsTouched) {
  const uint32_t from = geometry_.page_tokens / 4;
  const uint32_t n = geometry_.page_tokens - from;
  const uint32_t heads = geometry_.n_kv_heads;
  for (const int plane : {KVC_KEY, KVC_VALUE}) {
    const size_t row = geometry_.row_bytes(plane);
    const auto compact = decode(0, plane, from, n);
    // [token][head][dim] with gaps between the rows, and [head][token][dim] with gaps.
    for (const bool tokens_first : {true, false}) {
      const size_t gap = 3 * element_;
      const size_t inner = row + gap;
      const size_t outer = inner * (tokens_first ? heads : n) + gap;
      const size_t head_stride = tokens_first ? inner : outer;
      const size_t token_stride = tokens_first ? outer : inner;
      constexpr auto kUntouched = std::byte{0xcd};
      std::vector<std::byte> out(outer * (tokens_first ? n : heads), kUntouched);
      std::vector<std::byte> want(out.size(), kUntouched);
      const Status status =
          codec_->decode(geometry_, encoded_, 0, plane, from, n, out.data(), head_stride, token_stride);
      ASSERT_TRUE(status.is_ok()) << status.message();
      for (uint32_t head = 0; head < heads; ++head) {
        for (uint32_t token = 0; token < n; ++token) {
          std::memcpy(want.data() + head * head_stride + token * token_stride,
                      compact.data() + (head * n + token) * row, row);
        }
      }
      EXPECT_EQ(out, want);
    }
  }
}

TEST_P(CodecContractTest, EncodingIsRepeatable) {
  std::vector<std::byte> again(encoded_.size());
  ASSERT_TRUE(codec_->encode(geometry_, {}, page_, again).is_ok());
  EXPECT_EQ(again, encoded_);
}

TEST_P(CodecContractTest, ExactTokensAreKeptBitForBit) {
  for (const uint32_t exact : {1u, 4u}) {
    EncodeOptions options;
    options.exact_tokens = exact;
    std::vector<std::byte> encoded(codec_->encoded_bytes(geometry_, options));
    ASSERT_TRUE(codec_->encode(geometry_, options, page_, encoded).is_ok());
    std::swap(encoded_, encoded);
    const uint32_t n = std::min(exact, geometry_.page_tokens);
    for (uint32_t layer = 0; layer < geometry_.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const size_t row = geometry_.row_bytes(plane);
        const auto all = decode(layer, plane, 0, geometry_.page_tokens);
        const std::byte* original = page_.data() + geometry_.plane_offset(layer, plane);
        for (uint32_t head = 0; head < geometry_.n_kv_heads; ++head) {
          EXPECT_EQ(std::memcmp(all.data() + head * geometry_.head_bytes(plane),
                                original + head * geometry_.head_bytes(plane), n * row),
                    0);
        }
        const auto last = decode(layer, plane, n - 1, geometry_.page_tokens - n + 1);
        EXPECT_EQ(std::memcmp(last.data(), all.data() + (n - 1) * row, row), 0);
      }
    }
  }
}

// What attention sees through tiles is what decoding gives.
TEST_P(CodecContractTest, AttentionOverTilesEqualsAttentionOverDecodedRows) {
  EncodeOptions encode;
  encode.exact_tokens = 3;
  encoded_.resize(codec_->encoded_bytes(geometry_, encode));
  ASSERT_TRUE(codec_->encode(geometry_, encode, page_, encoded_).is_ok());
  AttendOptions options;
  options.k_dim = geometry_.k_dim;
  options.v_dim = geometry_.v_dim;
  options.causal = false;
  const uint32_t layer = geometry_.n_layers - 1, head = geometry_.n_kv_heads - 1;
  AttendState coded(options, 1), clear(options, 1);
  std::vector<float> query(geometry_.k_dim);
  for (size_t i = 0; i < query.size(); ++i) query[i] = 0.1f * static_cast<float>(i % 7) - 0.3f;
  coded.set_query(0, query.data(), 1, 0);
  clear.set_query(0, query.data(), 1, 0);
  const auto k = decode(layer, KVC_KEY, 0, geometry_.page_tokens);
  const auto v = decode(layer, KVC_VALUE, 0, geometry_.page_tokens);
  for (uint32_t index = 0; index * kTileTokens < geometry_.page_tokens; ++index) {
    AttendTile tile;
    const Status status = codec_->tile(geometry_, encoded_, layer, head, index, &tile);
    ASSERT_TRUE(status.is_ok()) << status.message();
    tile.position = index * kTileTokens;
    coded.attend(tile);
    AttendTile rows;
    rows.position = tile.position;
    rows.tokens = rows.exact = tile.tokens;
    const size_t k_row = geometry_.row_bytes(KVC_KEY), v_row = geometry_.row_bytes(KVC_VALUE);
    rows.k = {geometry_.dtype, k.data() + (head * geometry_.page_tokens + index * kTileTokens) * k_row, k_row};
    rows.v = {geometry_.dtype, v.data() + (head * geometry_.page_tokens + index * kTileTokens) * v_row, v_row};
    clear.attend(rows);
  }
  std::vector<float> got(geometry_.v_dim), want(geometry_.v_dim);
  coded.finish(0, got.data());
  clear.finish(0, want.data());
  // What the dtype rounds on decoding is not rounded here.
  const float tolerance = geometry_.dtype == DType::bf16 ? 0.3f : geometry_.dtype == DType::f16 ? 0.03f : 0.01f;
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], codec_->is_clear() ? 0 : tolerance);
}

TEST_P(CodecContractTest, ClearCodecsLeaveTheBlobInTheClear) {
  if (codec_->is_clear()) {
    EXPECT_EQ(encoded_, page_);
  }
}

TEST_P(CodecContractTest, WrongSizesAreRefused) {
  std::vector<std::byte> out(geometry_.page_bytes());
  EXPECT_FALSE(codec_->encode(geometry_, {}, std::span(page_).first(page_.size() - 1), encoded_).is_ok());
  EXPECT_FALSE(codec_->encode(geometry_, {}, page_, std::span(encoded_).first(encoded_.size() - 1)).is_ok());
  const Status status = codec_->decode(geometry_, std::span(encoded_).first(encoded_.size() - 1), 0, KVC_KEY, 0, 1,
                                       out.data(), geometry_.row_bytes(KVC_KEY), geometry_.row_bytes(KVC_KEY));
  EXPECT_EQ(status.code(), KVC_E_CORRUPT);
}

TEST_P(CodecContractTest, RangesBeyondThePageAreRefused) {
  const uint32_t tokens = geometry_.page_tokens;
  std::vector<std::byte> out(geometry_.page_bytes() * 2);
  const auto code = [&](uint32_t layer, int plane, uint32_t from, uint32_t n) {
    return codec_
        ->decode(geometry_, encoded_, layer, plane, from, n, out.data(), geometry_.head_bytes(KVC_KEY),
                 geometry_.row_bytes(KVC_KEY))
        .code();
  };
  EXPECT_EQ(code(geometry_.n_layers, KVC_KEY, 0, 1), KVC_E_OUT_OF_RANGE);
  EXPECT_EQ(code(0, 2, 0, 1), KVC_E_OUT_OF_RANGE);
  EXPECT_EQ(code(0, -1, 0, 1), KVC_E_OUT_OF_RANGE);
  EXPECT_EQ(code(0, KVC_KEY, 0, tokens + 1), KVC_E_OUT_OF_RANGE);
  EXPECT_EQ(code(0, KVC_VALUE, tokens, 1), KVC_E_OUT_OF_RANGE);
  EXPECT_EQ(code(0, KVC_VALUE, 1, 0xffffffffu), KVC_E_OUT_OF_RANGE);
}

std::string parameter_name(const testing::TestParamInfo<Parameter>& test) {
  const auto& [codec, shape, dtype] = test.param;
  return std::string(codec->name()) + "_" + shape.name + "_" + dtype_name(dtype);
}

INSTANTIATE_TEST_SUITE_P(Registered, CodecContractTest,
                         testing::Combine(testing::ValuesIn(all_codecs()),
                                          testing::ValuesIn(kShapes),
                                          testing::Values(DType::f32, DType::f16, DType::bf16)),
                         parameter_name);

TEST(CodecRegistryTest, NamesAndIdsAreUniqueAndFound) {
  std::set<std::string_view> names;
  std::set<int> ids;
  for (const Codec* codec : codecs()) {
    EXPECT_LE(codec->name().size(), 15u);
    EXPECT_TRUE(names.insert(codec->name()).second);
    EXPECT_TRUE(ids.insert(codec->id()).second);
    EXPECT_EQ(find_codec(codec->name()), codec);
    EXPECT_EQ(find_codec(codec->id()), codec);
  }
  EXPECT_EQ(find_codec("Identity"), nullptr);
  EXPECT_EQ(find_codec(""), nullptr);
  EXPECT_EQ(find_codec(uint8_t{0}), nullptr);
}

// Ids are stored with pages: pinned for ever.
TEST(CodecRegistryTest, IdsArePinned) {
  for (const auto& [name, id] : {std::pair{"identity", 1}, {"int8", 2}, {"int4", 3}, {"mixed", 4}, {"klt", 5}, {"lowrank", 6}, {"auto", 7},
                               {"sparse", 8}, {"svd", 9}}) {
    ASSERT_NE(find_codec(name), nullptr) << name;
    EXPECT_EQ(find_codec(name)->id(), id) << name;
  }
}

}  // namespace
}  // namespace kvc
