// The calibrated codecs: what learning brings, what targets and bounds promise, and pages that do not fit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/klt_learner.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"
#include "codec_klt_support.h"

namespace kvc {
namespace {

using namespace klt_test;

std::vector<float> decode_head(const Codec& codec, const PageGeometry& g, std::span<const std::byte> encoded,
                               uint32_t layer, int plane, uint32_t head) {
  std::vector<std::byte> bytes(g.plane_bytes(plane));
  const Status status =
      codec.decode(g, encoded, layer, plane, 0, g.page_tokens, bytes.data(), g.head_bytes(plane), g.row_bytes(plane));
  EXPECT_TRUE(status.is_ok()) << status.message();
  std::vector<float> rows(g.page_tokens * g.dim(plane));
  to_f32(g.dtype, bytes.data() + head * g.head_bytes(plane), rows.data(), rows.size());
  return rows;
}
std::vector<float> clear_head(const PageGeometry& g, const std::vector<std::byte>& page, uint32_t layer, int plane,
                              uint32_t head) {
  std::vector<float> rows(g.page_tokens * g.dim(plane));
  to_f32(g.dtype, page.data() + g.plane_offset(layer, plane) + head * g.head_bytes(plane), rows.data(), rows.size());
  return rows;
}

std::vector<float> attention(const float* query, const std::vector<float>& k, const std::vector<float>& v) {
  std::vector<float> weights(kTokens), out(kDim);
  float sum = 0;
  for (uint32_t t = 0; t < kTokens; ++t) {
    float score = 0;
    for (uint32_t i = 0; i < kDim; ++i) score += query[i] * k[t * kDim + i];
    sum += weights[t] = std::exp(score / std::sqrt(static_cast<float>(kDim)));
  }
  for (uint32_t t = 0; t < kTokens; ++t) {
    for (uint32_t i = 0; i < kDim; ++i) out[i] += weights[t] / sum * v[t * kDim + i];
  }
  return out;
}

// Relative error of the attention output of the worst head, over queries that nothing has learned from.
double worst_head_error(Model* model, const Codec& codec, const EncodeOptions& options, bool keys_only = false) {
  const PageGeometry& g = model->geometry;
  const std::vector<std::byte> page = model->page(options.position);
  std::vector<std::byte> encoded(codec.encoded_bytes(g, options));
  EXPECT_TRUE(codec.encode(g, options, page, encoded).is_ok());
  double worst = 0;
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      const auto k = clear_head(g, page, layer, KVC_KEY, head), v = clear_head(g, page, layer, KVC_VALUE, head);
      const auto k2 = decode_head(codec, g, encoded, layer, KVC_KEY, head);
      const auto v2 = keys_only ? v : decode_head(codec, g, encoded, layer, KVC_VALUE, head);
      double error = 0, energy = 0;
      for (int i = 0; i < 32; ++i) {
        const auto queries = model->queries(options.position + kTokens);
        const auto want = attention(queries.data() + 2 * head * kDim, k, v);
        const auto got = attention(queries.data() + 2 * head * kDim, k2, v2);
        for (uint32_t d = 0; d < kDim; ++d) {
          error += std::pow(double{got[d]} - double{want[d]}, 2);
          energy += std::pow(double{want[d]}, 2);
        }
      }
      worst = std::max(worst, std::sqrt(error / energy));
    }
  }
  return worst;
}

class KltTest : public testing::Test {
 protected:
  std::shared_ptr<const KltCalibration> learn(const KltTarget& target, bool with_queries = true) {
    KltLearner learner(model_.geometry, model_.rope, target, 512);
    model_.teach(&learner, 9, with_queries);
    EXPECT_TRUE(learner.ready());
    std::shared_ptr<const KltCalibration> made;
    const Status status = learner.make(&made, &report_);
    EXPECT_TRUE(status.is_ok()) << status.message();
    if (made != nullptr) register_calibration(made);
    return made;
  }
  EncodeOptions options_of(const KltCalibration* calibration, uint64_t position = 640) {
    EncodeOptions options;
    options.calibration = calibration;
    options.position = position;
    return options;
  }

  const Codec& codec_ = *find_codec("klt");
  Model model_{1};
  KltReport report_;
};

TEST_F(KltTest, LearningMakesTheSameBitsWorthMore) {
  KltTarget target;
  target.bits = 4.25;
  const auto learned = learn(target);
  const auto keys_alone = learn(target, /*with_queries=*/false);
  ASSERT_NE(learned, nullptr);
  ASSERT_NE(keys_alone, nullptr);
  EncodeOptions plain;
  plain.key_bits = plain.value_bits = 4;
  plain.position = 640;
  EXPECT_LE(codec_.encoded_bytes(model_.geometry, options_of(learned.get())),
            codec_.encoded_bytes(model_.geometry, plain) * 1.01);
  const double with_queries = worst_head_error(&model_, codec_, options_of(learned.get()), true);
  const double without = worst_head_error(&model_, codec_, options_of(keys_alone.get()), true);
  const double uncalibrated = worst_head_error(&model_, codec_, plain, true);
  EXPECT_LT(with_queries, 0.6 * without);
  EXPECT_LT(without, uncalibrated);
}

TEST_F(KltTest, PagesHaveTheBytesThatWereAskedFor) {
  const auto numbers = static_cast<double>(model_.geometry.page_bytes()) / 2;
  for (const double bits : {2.4, 3.5, 4.75, 5.5, 7.0}) {
    KltTarget target;
    target.bits = bits;
    const auto made = learn(target);
    ASSERT_NE(made, nullptr);
    const double got = static_cast<double>(codec_.encoded_bytes(model_.geometry, options_of(made.get()))) * 8 / numbers;
    EXPECT_NEAR(got, bits, 0.02 * bits);
    EXPECT_NEAR(report_.bits, got, 1e-9);
  }
}

TEST_F(KltTest, ABoundHoldsForQueriesAndPagesNotSeen) {
  double last_bits = 16;
  for (const double bound : {0.01, 0.05, 0.2}) {
    KltTarget target;
    target.bound = bound;
    const auto made = learn(target);
    ASSERT_NE(made, nullptr);
    EXPECT_LE(report_.worst_error, bound);
    EXPECT_LT(report_.bits, last_bits);
    last_bits = report_.bits;
    for (const uint64_t position : {0u, 640u, 64000u}) {
      EXPECT_LE(worst_head_error(&model_, codec_, options_of(made.get(), position)), bound) << position;
    }
  }
}

TEST_F(KltTest, StrongChannelsGetMoreThanEightBitsWhereTheBoundAsksForThem) {
  KltTarget target;
  target.bound = 0.001;
  const auto made = learn(target);
  ASSERT_NE(made, nullptr);
  EXPECT_GT(*std::max_element(made->key_bits.begin(), made->key_bits.end()), 8);
  EXPECT_LE(worst_head_error(&model_, codec_, options_of(made.get())), target.bound);
}

TEST_F(KltTest, ABoundCountsQueryHeadsOneByOne) {
  // The second of two query heads is three times as sharp as the first.
  KltTarget target;
  target.bound = 0.05;
  KltLearner both(model_.geometry, model_.rope, target, 512), same(model_.geometry, model_.rope, target, 512);
  for (uint32_t p = 0; p < 9; ++p) {
    const auto page = model_.page(p * kTokens);
    both.add_page(p * kTokens, p == 0 ? 4 : 0, page);
    same.add_page(p * kTokens, p == 0 ? 4 : 0, page);
    for (uint32_t t = 0; t < 16; ++t) {
      for (uint32_t layer = 0; layer < model_.geometry.n_layers; ++layer) {
        auto rows = model_.queries(p * kTokens + t * 4);
        for (uint32_t h = 0; h < 2 * model_.geometry.n_kv_heads; h += 2) {
          std::copy_n(rows.data() + h * kDim, kDim, rows.data() + (h + 1) * kDim);
        }
        same.add_query(layer, p * kTokens + t * 4, 2 * model_.geometry.n_kv_heads, rows.data());
        for (uint32_t h = 1; h < 2 * model_.geometry.n_kv_heads; h += 2) {
          for (uint32_t i = 0; i < kDim; ++i) rows[h * kDim + i] *= 3;
        }
        both.add_query(layer, p * kTokens + t * 4, 2 * model_.geometry.n_kv_heads, rows.data());
      }
    }
  }
  std::shared_ptr<const KltCalibration> made;
  KltReport easy, hard;
  ASSERT_TRUE(same.make(&made, &easy).is_ok());
  ASSERT_TRUE(both.make(&made, &hard).is_ok());
  EXPECT_GT(hard.bits, easy.bits + 0.3);
}

TEST_F(KltTest, ABoundThatNoCodesMeetIsAnError) {
  KltTarget target;
  target.bound = 1e-6;
  KltLearner learner(model_.geometry, model_.rope, target, 512);
  EXPECT_FALSE(learner.ready());
  model_.teach(&learner, 9, /*with_queries=*/false);
  EXPECT_FALSE(learner.ready()) << "a bound needs queries";
  model_.teach(&learner, 9, /*with_queries=*/true);
  std::shared_ptr<const KltCalibration> made;
  EXPECT_EQ(learner.make(&made, &report_).code(), KVC_E_UNSUPPORTED);
}

TEST_F(KltTest, TooFewBitsAreAnError) {
  KltTarget target;
  target.bits = 0.5;
  KltLearner learner(model_.geometry, model_.rope, target, 512);
  model_.teach(&learner, 9, true);
  std::shared_ptr<const KltCalibration> made;
  EXPECT_EQ(learner.make(&made, &report_).code(), KVC_E_UNSUPPORTED);
}

TEST_F(KltTest, RangesTilesAndExactTokensOfCalibratedPages) {
  const auto made = learn({});
  ASSERT_NE(made, nullptr);
  const PageGeometry& g = model_.geometry;
  const auto page = model_.page(0);
  EncodeOptions options = options_of(made.get(), 0);
  options.exact_tokens = 4;
  std::vector<std::byte> encoded(codec_.encoded_bytes(g, options));
  ASSERT_TRUE(codec_.encode(g, options, page, encoded).is_ok());
  for (const int plane : {KVC_KEY, KVC_VALUE}) {
    const auto all = decode_head(codec_, g, encoded, 1, plane, 1);
    const auto clear = clear_head(g, page, 1, plane, 1);
    EXPECT_TRUE(std::equal(all.begin(), all.begin() + 4 * kDim, clear.begin()));
    std::vector<std::byte> part(g.n_kv_heads * 20 * g.row_bytes(plane));
    ASSERT_TRUE(
        codec_.decode(g, encoded, 1, plane, 2, 20, part.data(), 20 * g.row_bytes(plane), g.row_bytes(plane)).is_ok());
    std::vector<float> rows(20 * kDim);
    to_f32(g.dtype, part.data() + 20 * g.row_bytes(plane), rows.data(), rows.size());
    // Rotation starts at another token then: the last bit may differ.
    for (size_t i = 0; i < rows.size(); ++i) EXPECT_NEAR(rows[i], all[2 * kDim + i], 2e-3f * (1 + std::abs(rows[i])));
  }
  expect_tiles_attend_as_decoded(codec_, g, encoded);
}

// Keys whose rotation is not known are attended to in their basis; heads that share a basis are not.
TEST_F(KltTest, TilesOfKeysThatDoNotTurnAndOfSharedBasesAttendAsDecoded) {
  const auto made = learn({});
  ASSERT_NE(made, nullptr);
  for (const bool shared : {false, true}) {
    for (const bool turning : {false, true}) {
      KltCalibration other = *made;
      const uint32_t layers = other.n_layers, heads = other.n_kv_heads, dim = other.k_dim;
      if (!turning) other.rope = {};
      if (shared) {  // the heads' own bases side by side, as one of both
        const uint32_t both = heads * dim;
        other.block_heads = heads;
        other.analysis.assign(size_t{layers} * both * both, 0.0f);
        other.synthesis = other.analysis;
        for (uint32_t layer = 0; layer < layers; ++layer) {
          for (uint32_t head = 0; head < heads; ++head) {
            for (uint32_t i = 0; i < dim; ++i) {
              const size_t to = (size_t{layer} * both + head * dim + i) * both + head * dim;
              const size_t from = ((size_t{layer} * heads + head) * dim + i) * dim;
              std::copy_n(made->analysis.begin() + static_cast<ptrdiff_t>(from), dim,
                          other.analysis.begin() + static_cast<ptrdiff_t>(to));
              std::copy_n(made->synthesis.begin() + static_cast<ptrdiff_t>(from), dim,
                          other.synthesis.begin() + static_cast<ptrdiff_t>(to));
            }
          }
        }
        other.order.clear();
      }
      other.seal();
      const auto calibration = std::make_shared<const KltCalibration>(std::move(other));
      register_calibration(calibration);
      for (const uint32_t tokens : {kTokens, 150u, 21u}) {
        PageGeometry g = model_.geometry;
        g.page_tokens = tokens;
        std::vector<std::byte> page;
        for (uint32_t at = 0; page.size() < g.page_bytes(); at += kTokens) {
          const auto more = model_.page(at);
          page.insert(page.end(), more.begin(), more.end());
        }
        page.resize(g.page_bytes());
        EncodeOptions options = options_of(calibration.get());
        options.exact_tokens = 3;
        std::vector<std::byte> encoded(codec_.encoded_bytes(g, options));
        ASSERT_TRUE(codec_.encode(g, options, page, encoded).is_ok());
        SCOPED_TRACE(std::to_string(shared) + std::to_string(turning) + " " + std::to_string(tokens));
        expect_tiles_attend_as_decoded(codec_, g, encoded);
      }
    }
  }
}

TEST_F(KltTest, APageWithoutItsCalibrationIsAnError) {
  std::vector<std::byte> encoded, out(model_.geometry.page_bytes());
  {
    const auto made = learn({});
    ASSERT_NE(made, nullptr);
    encoded.resize(codec_.encoded_bytes(model_.geometry, options_of(made.get())));
    ASSERT_TRUE(codec_.encode(model_.geometry, options_of(made.get()), model_.page(640), encoded).is_ok());
  }
  EXPECT_EQ(codec_.decode(model_.geometry, encoded, 0, KVC_KEY, 0, 1, out.data(), 64, 64).code(), KVC_E_CORRUPT);
}

TEST_F(KltTest, NumbersThatAreNotFiniteAreRefused) {
  const auto made = learn({});
  ASSERT_NE(made, nullptr);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      auto page = model_.page(640);
      from_f32(DType::f16, &bad, page.data() + model_.geometry.plane_offset(1, plane) + 2 * 37, 1);
      std::vector<std::byte> encoded(codec_.encoded_bytes(model_.geometry, options_of(made.get())));
      EXPECT_EQ(codec_.encode(model_.geometry, options_of(made.get()), page, encoded).code(), KVC_E_UNSUPPORTED);
      KltLearner learner(model_.geometry, model_.rope, {}, 1);
      learner.add_page(0, 0, page);
      EXPECT_FALSE(learner.ready()) << "nothing is learned from it";
    }
  }
}

TEST_F(KltTest, EqualKeysAndZerosAreCoded) {
  KltLearner learner(model_.geometry, model_.rope, {}, 64);
  std::vector<std::byte> page(model_.geometry.page_bytes());
  learner.add_page(0, 0, page);
  std::shared_ptr<const KltCalibration> made;
  ASSERT_TRUE(learner.make(&made, &report_).is_ok());
  register_calibration(made);
  std::vector<std::byte> encoded(codec_.encoded_bytes(model_.geometry, options_of(made.get())));
  ASSERT_TRUE(codec_.encode(model_.geometry, options_of(made.get()), page, encoded).is_ok());
  for (const float x : decode_head(codec_, model_.geometry, encoded, 1, KVC_KEY, 1)) EXPECT_EQ(x, 0);
  // Far outside of what was learned: coarse, but what it says it is.
  const auto far = model_.page(640);
  const Status status = codec_.encode(model_.geometry, options_of(made.get()), far, encoded);
  if (status.is_ok()) {
    for (const float x : decode_head(codec_, model_.geometry, encoded, 1, KVC_KEY, 1)) EXPECT_TRUE(std::isfinite(x));
  }
}

TEST_F(KltTest, DamagedPagesAreErrorsOrNumbersNeverMore) {
  const auto made = learn({});
  ASSERT_NE(made, nullptr);
  const PageGeometry& g = model_.geometry;
  Random random(3);
  for (const KltCalibration* calibration : {made.get(), static_cast<const KltCalibration*>(nullptr)}) {
    const EncodeOptions options = options_of(calibration);
    std::vector<std::byte> whole(codec_.encoded_bytes(g, options)), out(g.page_bytes());
    ASSERT_TRUE(codec_.encode(g, options, model_.page(640), whole).is_ok());
    for (int round = 0; round < 300; ++round) {
      auto bytes = whole;
      const size_t reach = round % 2 == 0 ? 64 : bytes.size();
      for (int i = 0; i < 4; ++i) {
        bytes[static_cast<size_t>(random.unit() * static_cast<double>(reach))] =
            static_cast<std::byte>(static_cast<int>(random.unit() * 256));
      }
      if (round % 5 == 0) bytes.resize(static_cast<size_t>(random.unit() * static_cast<double>(bytes.size())));
      // A copy of its own size, so that AddressSanitizer sees what lies beyond.
      const std::vector<std::byte> exact(bytes.begin(), bytes.end());
      AttendTile tile;
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        (void)codec_.decode(g, exact, 1, plane, 0, kTokens, out.data(), g.head_bytes(plane), g.row_bytes(plane));
      }
      (void)codec_.tile(g, exact, 1, 1, 0, &tile);
    }
  }
}

TEST(KltTileTest, GroupsOfAnyBitsAndSizeStayWithinHalfAStep) {
  Random random(5);
  for (const size_t count : {1u, 7u, 8u, 63u, 64u}) {
    for (uint32_t bits = 3; bits <= KltCalibration::kMaxBits; ++bits) {
      std::vector<float> x(5 * count);
      for (float& number : x) number = static_cast<float>(random.unit() * 10 - 3);
      std::vector<std::byte> tile(coded_bytes(5, count, 5 * bits));
      ASSERT_TRUE(encode_groups(x.data(), 5, count, 0, nullptr, nullptr, bits, 0, false, tile.data()));
      GroupDecoder decoder(tile.data(), 5, count, nullptr, nullptr, bits);
      std::vector<float> got(72);
      for (size_t g = 0; g < 5; ++g) {
        const auto [low, high] = std::minmax_element(x.begin() + static_cast<ptrdiff_t>(g * count),
                                                     x.begin() + static_cast<ptrdiff_t>((g + 1) * count));
        const float unit = 7.0f / 126;
        const float step = (*high - *low + 2 * unit) / static_cast<float>((1u << bits) - 1);
        decoder.next(got.data());
        for (size_t i = 0; i < count; ++i) EXPECT_NEAR(got[i], x[g * count + i], 0.501f * step + 1e-5f);
      }
    }
  }
}

}  // namespace
}  // namespace kvc
