// Pages as no model should make them, through every codec: either the codec says that the page stays in the clear, or what it
// gives back is finite and, where the numbers are tame, near what was given.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <vector>

#include "attend/convert.h"
#include "codec_variants.h"

namespace kvc {
namespace {

struct Input {
  const char* name;
  std::function<float(size_t i, uint32_t dim)> number;
  bool finite;
  // Largest error of a number, over the largest of the page; what every codec but the coarse ones keeps.
  double error;
};

constexpr float kInf = std::numeric_limits<float>::infinity();

float wave(size_t i) { return static_cast<float>(i * 37 % 101) / 25 - 2; }

const std::vector<Input>& inputs() {
  static const std::vector<Input> all = {
      {"one_nan", [](size_t i, uint32_t) { return i % 61 == 30 ? std::nanf("") : wave(i); }, false, 0},
      {"one_infinity", [](size_t i, uint32_t) { return i % 61 == 30 ? -kInf : wave(i); }, false, 0},
      {"all_nan", [](size_t, uint32_t) { return std::nanf(""); }, false, 0},
      {"zeros", [](size_t, uint32_t) { return 0.0f; }, true, 0},
      {"negative_zeros", [](size_t, uint32_t) { return -0.0f; }, true, 0},
      {"denormals", [](size_t i, uint32_t) { return static_cast<float>(i % 7) * 1e-41f; }, true, 1},
      {"constant", [](size_t, uint32_t) { return 3.25f; }, true, 0.02},
      {"constant_channels", [](size_t i, uint32_t dim) { return static_cast<float>(i % dim % 16) - 8; }, true, 0.2},
      {"one_huge_channel", [](size_t i, uint32_t dim) { return i % dim == 0 ? 60000.0f : wave(i); }, true, 0.2},
      {"one_huge_number", [](size_t i, uint32_t) { return i == 400 ? -60000.0f : wave(i); }, true, 0.2},
      {"both_ends", [](size_t i, uint32_t) { return i % 2 == 0 ? 65504.0f : -65504.0f; }, true, 0.2},
      {"far_apart", [](size_t i, uint32_t) { return std::ldexp(wave(i), static_cast<int>(i % 30) - 20); }, true, 0.2},
  };
  return all;
}

struct Shape {
  uint32_t layers, heads, k_dim, v_dim, tokens;
};
constexpr Shape kShapes[] = {{2, 2, 64, 64, 64}, {1, 2, 80, 72, 64}, {1, 1, 5, 3, 70}, {2, 1, 1, 1, 64}, {1, 2, 16, 16, 1}};

// What a codec may lose besides, by its own statement.
double allowance(const CodecVariant& variant, const PageGeometry& g, int plane) {
  const std::string_view name = variant.codec->name();
  if (name == "identity" || name == "sparse") return 0;
  if (name == "svd") return 2;  // it drops what does not fit: defined, and measured
  if (name == "toy") return g.dtype == DType::f32 ? 0.005 : 1;
  const double bits = name == "int8" ? 8 : name == "mixed" ? variant.options.key_bits : 4;
  const double levels = std::exp2(std::min(bits, name == "mixed" && plane == KVC_VALUE ? 4.0 : bits)) - 1;
  // Rotated values: the error of a token in the 2-norm may gather in one number.
  const double block = plane == KVC_VALUE ? 64 : 1;
  return 1.1 * block / (variant.options.value_bits == 2 ? 3 : levels) + 0.01;
}

class CodecInputTest : public testing::TestWithParam<CodecVariant> {};

TEST_P(CodecInputTest, EveryInputHasADefinedResult) {
  const CodecVariant& variant = GetParam();
  const Codec& codec = *variant.codec;
  for (const Shape& shape : kShapes) {
    for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
      PageGeometry g;
      g.n_layers = shape.layers, g.n_kv_heads = shape.heads, g.k_dim = shape.k_dim, g.v_dim = shape.v_dim;
      g.page_tokens = shape.tokens, g.dtype = dtype;
      for (const Input& input : inputs()) {
        SCOPED_TRACE(std::string(input.name) + " " + dtype_name(dtype) + " dims " + std::to_string(g.k_dim));
        std::vector<float> numbers(g.page_bytes() / element_bytes(dtype));
        for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = input.number(i, g.k_dim);
        std::vector<std::byte> page(g.page_bytes());
        from_f32(dtype, numbers.data(), page.data(), numbers.size());
        to_f32(dtype, page.data(), numbers.data(), numbers.size());
        std::vector<std::byte> encoded(codec.encoded_bytes(g, variant.options));
        const Status status = codec.encode(g, variant.options, page, encoded);
        if (!status.is_ok()) {
          EXPECT_EQ(KVC_E_UNSUPPORTED, status.code()) << status.message();
          EXPECT_TRUE(!input.finite || encoded.size() >= g.page_bytes()) << status.message();
          continue;
        }
        // A number that is not finite may be where no number is rounded: in an exact token.
        if (!input.finite && codec.name() != "identity" && codec.name() != "sparse") {
          EXPECT_LE(g.page_tokens, variant.options.exact_tokens) << "it was rounded";
          continue;
        }
        float largest = 0;
        for (const float number : numbers) largest = std::max(largest, std::abs(number));
        for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
          for (const int plane : {KVC_KEY, KVC_VALUE}) {
            std::vector<std::byte> out(g.plane_bytes(plane));
            const Status decoded = codec.decode(g, encoded, layer, plane, 0, g.page_tokens, out.data(),
                                                g.head_bytes(plane), g.row_bytes(plane));
            if (decoded.code() == KVC_E_NOT_FOUND && codec.name() == "sparse") continue;
            ASSERT_TRUE(decoded.is_ok()) << decoded.message();
            if (!input.finite) continue;
            const size_t n = out.size() / element_bytes(dtype);
            std::vector<float> got(n);
            to_f32(dtype, out.data(), got.data(), n);
            const float* want = numbers.data() + g.plane_offset(layer, plane) / element_bytes(dtype);
            const double most = static_cast<double>(largest) * (allowance(variant, g, plane) + input.error) + 1e-29;
            for (size_t i = 0; i < n; ++i) {
              // The largest f16 may be rounded up to infinity, as its dtype does.
              const bool at_end = dtype == DType::f16 && std::abs(want[i]) >= 60000.0f;
              ASSERT_TRUE(std::isfinite(got[i]) || at_end) << i << " was " << want[i];
              if (at_end) continue;
              ASSERT_LE(std::abs(static_cast<double>(got[i]) - static_cast<double>(want[i])), most) << i;
            }
          }
        }
      }
    }
  }
}

TEST_P(CodecInputTest, OptionsBeyondTheirRangeAreRefusedOrBounded) {
  PageGeometry g;
  g.n_layers = 1, g.n_kv_heads = 2, g.k_dim = g.v_dim = 32, g.page_tokens = 64, g.dtype = DType::f32;
  std::vector<float> numbers(g.page_bytes() / sizeof(float));
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = wave(i);
  const auto* bytes = reinterpret_cast<const std::byte*>(numbers.data());
  std::vector<EncodeOptions> all(10, GetParam().options);
  all[0].exact_tokens = 0xffffffff;
  all[1].key_bits = 0, all[1].value_bits = 0;
  all[2].key_bits = 3, all[2].value_bits = 5;
  all[3].key_bits = 0xffffffff;
  all[4].sparse_keep = -1;
  all[5].sparse_keep = std::nan("");
  all[6].ratio = 1e9;   // a rank above the dims
  all[7].ratio = 1e-9;  // not even one term
  all[9].ratio = std::nan("");
  all[8].position = std::numeric_limits<uint64_t>::max();
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(i);
    const size_t size = GetParam().codec->encoded_bytes(g, all[i]);
    // What no option allows may ask for any room; it is refused before the room is used.
    std::vector<std::byte> encoded(std::min(size, 8 * g.page_bytes()));
    const Status status = GetParam().codec->encode(g, all[i], {bytes, g.page_bytes()}, encoded);
    if (!status.is_ok()) {
      EXPECT_EQ(KVC_E_UNSUPPORTED, status.code()) << status.message();
      continue;
    }
    std::vector<float> out(2 * 64 * 32);
    const Status decoded = GetParam().codec->decode(g, encoded, 0, KVC_KEY, 0, 64, reinterpret_cast<std::byte*>(out.data()),
                                                    32 * sizeof(float) * 64, 32 * sizeof(float));
    EXPECT_TRUE(decoded.is_ok() || decoded.code() == KVC_E_NOT_FOUND) << decoded.message();
    if (decoded.is_ok()) {
      EXPECT_TRUE(std::all_of(out.begin(), out.end(), [](float x) { return std::isfinite(x); }));
    }
  }
}

TEST_P(CodecInputTest, EmptyRangesTouchNothing) {
  PageGeometry g;
  g.n_layers = 1, g.n_kv_heads = 1, g.k_dim = g.v_dim = 64, g.page_tokens = 64, g.dtype = DType::f16;
  const std::vector<std::byte> page(g.page_bytes());
  std::vector<std::byte> encoded(GetParam().codec->encoded_bytes(g, GetParam().options));
  ASSERT_TRUE(GetParam().codec->encode(g, GetParam().options, page, encoded).is_ok());
  for (const uint32_t from : {0u, 1u, 63u, 64u}) {
    EXPECT_TRUE(GetParam().codec->decode(g, encoded, 0, KVC_VALUE, from, 0, nullptr, 0, 0).is_ok()) << from;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CodecInputTest, testing::ValuesIn(codec_variants()),
                         [](const testing::TestParamInfo<CodecVariant>& test) { return test.param.name; });

}  // namespace
}  // namespace kvc
