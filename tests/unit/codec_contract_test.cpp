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

namespace kvc {
namespace {

// Largest error of one number that a codec states, for numbers up to `largest`. A new codec adds its own here.
double stated_error(std::string_view codec, double /*largest*/) {
  if (codec == "identity") return 0;
  ADD_FAILURE() << "no stated error for codec " << codec;
  return 0;
}

struct Shape {
  const char* name;
  uint32_t layers, heads, k_dim, v_dim, page_tokens;
};

constexpr Shape kShapes[] = {
    {"plain", 2, 4, 64, 64, 64},   {"one_head", 3, 1, 128, 128, 16}, {"k_unlike_v", 2, 2, 192, 128, 16},
    {"odd_tokens", 2, 3, 8, 8, 7}, {"odd_dims", 1, 2, 5, 3, 9},      {"one_token", 2, 2, 16, 16, 1},
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
    encoded_.resize(codec_->encoded_bytes(geometry_));
    const Status status = codec_->encode(geometry_, page_, encoded_);
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
      const double error = stated_error(codec_->name(), static_cast<double>(largest));
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
  ASSERT_TRUE(codec_->encode(geometry_, page_, again).is_ok());
  EXPECT_EQ(again, encoded_);
}

TEST_P(CodecContractTest, ClearCodecsLeaveTheBlobInTheClear) {
  if (codec_->is_clear()) {
    EXPECT_EQ(encoded_, page_);
  }
}

TEST_P(CodecContractTest, WrongSizesAreRefused) {
  std::vector<std::byte> out(geometry_.page_bytes());
  EXPECT_FALSE(codec_->encode(geometry_, std::span(page_).first(page_.size() - 1), encoded_).is_ok());
  EXPECT_FALSE(codec_->encode(geometry_, page_, std::span(encoded_).first(encoded_.size() - 1)).is_ok());
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
                         testing::Combine(testing::ValuesIn(codecs().begin(), codecs().end()),
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
  ASSERT_NE(find_codec("identity"), nullptr);
  EXPECT_EQ(find_codec("identity")->id(), 1);
}

}  // namespace
}  // namespace kvc
