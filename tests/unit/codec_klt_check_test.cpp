// Pages with bits of their own: the check under a bound, pages at rest, and what is refused.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "codec/klt_bytes.h"
#include "codec/klt_check.h"
#include "codec_klt_support.h"

namespace kvc {
namespace {

using namespace klt_test;

class KltCheckTest : public testing::Test {
 protected:
  void learn(const KltTarget& target, bool with_queries = true) {
    KltLearner learner(model_.geometry, model_.rope, target, 8 * kTokens - 4);
    model_.teach(&learner, 8, with_queries);
    KltReport report;
    const Status made = learner.make(&calibration_, &report);
    ASSERT_TRUE(made.is_ok()) << made.message();
    register_calibration(calibration_);
  }
  EncodeOptions options(uint64_t position, const KltLevels* levels) const {
    EncodeOptions o;
    o.position = position;
    o.exact_tokens = position == 0 ? 4 : 0;
    o.calibration = calibration_.get();
    o.levels = levels;
    return o;
  }
  std::vector<std::byte> encode(const Codec& codec, const EncodeOptions& options, const std::vector<std::byte>& page) const {
    std::vector<std::byte> out(codec.encoded_bytes(model_.geometry, options));
    const Status status = codec.encode(model_.geometry, options, page, out);
    EXPECT_TRUE(status.is_ok()) << status.message();
    return out;
  }
  std::vector<std::byte> decode(const Codec& codec, std::span<const std::byte> coded) const {
    const PageGeometry& g = model_.geometry;
    std::vector<std::byte> out(g.page_bytes());
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const Status status = codec.decode(g, coded, layer, plane, 0, g.page_tokens, out.data() + g.plane_offset(layer, plane),
                                           g.head_bytes(plane), g.row_bytes(plane));
        EXPECT_TRUE(status.is_ok()) << status.message();
      }
    }
    return out;
  }
  std::vector<float> rows(const std::vector<std::byte>& page, uint32_t layer, int plane, uint32_t head) const {
    const PageGeometry& g = model_.geometry;
    std::vector<float> out(g.page_tokens * g.dim(plane));
    to_f32(g.dtype, page.data() + g.head_offset(layer, plane, head), out.data(), out.size());
    return out;
  }
  // Attention of one query over a sequence of pages.
  static std::vector<float> attention(const float* query, const std::vector<float>& k, const std::vector<float>& v) {
    std::vector<float> weights(k.size() / kDim), out(kDim);
    float sum = 0;
    for (size_t t = 0; t < weights.size(); ++t) {
      float score = 0;
      for (uint32_t i = 0; i < kDim; ++i) score += query[i] * k[t * kDim + i];
      sum += weights[t] = std::exp(score / std::sqrt(static_cast<float>(kDim)));
    }
    for (size_t t = 0; t < weights.size(); ++t) {
      for (uint32_t i = 0; i < kDim; ++i) out[i] += weights[t] / sum * v[t * kDim + i];
    }
    return out;
  }

  const Codec& auto_ = *find_codec("auto");
  Model model_{3};
  std::shared_ptr<const KltCalibration> calibration_;
};

// The bound is of the whole sequence; each page is checked by itself.
TEST_F(KltCheckTest, PagesThatPassOneByOneKeepTheBoundTogether) {
  for (const double bound : {0.01, 0.05}) {
    learn({.bound = bound});
    const PageGeometry& g = model_.geometry;
    constexpr uint32_t kPages = 5;
    std::vector<std::vector<std::byte>> pages, back;
    for (uint32_t p = 0; p < kPages; ++p) {
      RecentQueries recent(g, std::pmr::get_default_resource());
      for (uint32_t t = 0; t < 24; ++t) {
        for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
          recent.add(layer, model_.rope, p * kTokens + t, 2 * g.n_kv_heads, model_.queries(p * kTokens + t).data());
        }
      }
      pages.push_back(model_.page(p * kTokens));
      PageCheck check;
      ASSERT_TRUE(check_page(*calibration_, g, p * kTokens, p == 0 ? 4 : 0, pages[p], &recent, bound, &check).is_ok());
      EXPECT_GT(check.worst_error, bound / 4);
      EXPECT_LE(check.worst_error, bound);
      back.push_back(decode(auto_, encode(auto_, options(p * kTokens, &check.levels), pages[p])));
    }
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        std::vector<float> k, v, k2, v2;
        for (uint32_t p = 0; p < kPages; ++p) {
          for (const auto& [to, from, plane] : {std::tuple{&k, &pages, KVC_KEY}, {&v, &pages, KVC_VALUE},
                                                {&k2, &back, KVC_KEY}, {&v2, &back, KVC_VALUE}}) {
            const std::vector<float> part = rows((*from)[p], layer, plane, head);
            to->insert(to->end(), part.begin(), part.end());
          }
        }
        double error = 0, energy = 0;
        for (uint32_t i = 0; i < 48; ++i) {
          const auto queries = model_.queries(kPages * kTokens + i);
          const auto want = attention(queries.data() + 2 * head * kDim, k, v);
          const auto got = attention(queries.data() + 2 * head * kDim, k2, v2);
          for (uint32_t d = 0; d < kDim; ++d) {
            error += (got[d] - want[d]) * (got[d] - want[d]);
            energy += want[d] * want[d];
          }
        }
        EXPECT_LE(std::sqrt(error / energy), bound) << "layer " << layer << " head " << head;
      }
    }
  }
}

// A page unlike all that was learned from: its keys are far larger along directions that had no bits.
TEST_F(KltCheckTest, APageUnlikeTheLearnedOnesGetsMoreBits) {
  learn({.bound = 0.05});
  const PageGeometry& g = model_.geometry;
  std::vector<std::byte> page = model_.page(kTokens);
  PageCheck usual, unusual;
  ASSERT_TRUE(check_page(*calibration_, g, kTokens, 0, page, nullptr, 0.05, &usual).is_ok());
  Random random(5);
  std::vector<float> keys = rows(page, 1, KVC_KEY, 0);
  for (float& x : keys) x = 12 * static_cast<float>(random.unit() - 0.5);
  from_f32(g.dtype, keys.data(), page.data() + g.head_offset(1, KVC_KEY, 0), keys.size());
  ASSERT_TRUE(check_page(*calibration_, g, kTokens, 0, page, nullptr, 0.05, &unusual).is_ok());
  const size_t at = size_t{1} * g.n_kv_heads;
  EXPECT_GT(unusual.levels.key_steps[at], usual.levels.key_steps[at] + kDim / 2);
  EXPECT_GE(unusual.raised, 1u);
  for (size_t i = 0; i < usual.levels.key_steps.size(); ++i) {
    if (i == at) continue;
    EXPECT_EQ(usual.levels.key_steps[i], unusual.levels.key_steps[i]);
  }
}

// A query that comes later may look at one token, where those measured looked at many and met the mean of their errors.
TEST_F(KltCheckTest, TheValuesOfATokenByThemselvesStayNearTheBound) {
  constexpr double kBound = 0.02;
  learn({.bound = kBound});
  const PageGeometry& g = model_.geometry;
  std::vector<std::byte> page = model_.page(kTokens);
  // All tokens have much the same values: their mean keeps what they share and loses their errors.
  std::vector<float> values = rows(page, 1, KVC_VALUE, 1);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 2 * values[i % kDim] + 0.1f * values[i];
  from_f32(g.dtype, values.data(), page.data() + g.head_offset(1, KVC_VALUE, 1), values.size());
  PageCheck check;
  ASSERT_TRUE(check_page(*calibration_, g, kTokens, 0, page, nullptr, kBound, &check).is_ok());
  const auto back = decode(auto_, encode(auto_, options(kTokens, &check.levels), page));
  const auto want = rows(page, 1, KVC_VALUE, 1), got = rows(back, 1, KVC_VALUE, 1);
  double error = 0, energy = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    error += std::pow(static_cast<double>(got[i] - want[i]), 2);
    energy += std::pow(static_cast<double>(want[i]), 2);
  }
  EXPECT_LE(std::sqrt(error / energy), 1.5 * kBound);
}

TEST_F(KltCheckTest, APageThatSaysTheSameAgainAndAgainGetsMoreBits) {
  learn({.bound = 0.05});
  const PageGeometry& g = model_.geometry;
  const std::vector<std::byte> page = model_.page(kTokens);
  Random random(11);
  // The same eight tokens all through the page, with values that differ a little or not at all.
  const auto bits = [&](float differ) {
    std::vector<std::byte> repeated = page;
    std::vector<float> keys = rows(page, 1, KVC_KEY, 0), values = rows(page, 1, KVC_VALUE, 0);
    rotate_keys(model_.rope, kTokens, true, keys.data(), kTokens, kDim);
    for (uint32_t t = 8; t < kTokens; ++t) {
      std::copy_n(&keys[t % 8 * kDim], kDim, &keys[t * kDim]);
      for (uint32_t i = 0; i < kDim; ++i) {
        values[t * kDim + i] = values[t % 8 * kDim + i] + differ * (static_cast<float>(random.unit()) - 0.5f);
      }
    }
    rotate_keys(model_.rope, kTokens, false, keys.data(), kTokens, kDim);
    from_f32(g.dtype, keys.data(), repeated.data() + g.head_offset(1, KVC_KEY, 0), keys.size());
    from_f32(g.dtype, values.data(), repeated.data() + g.head_offset(1, KVC_VALUE, 0), values.size());
    PageCheck check;
    EXPECT_TRUE(check_page(*calibration_, g, kTokens, 0, repeated, nullptr, 0.05, &check).is_ok());
    const size_t at = size_t{1} * g.n_kv_heads;
    return check.levels.key_steps[at] + check.levels.value_bits[at] * kDim;
  };
  EXPECT_GT(bits(0), bits(1.0f) + 3 * kDim / 2);
}

TEST_F(KltCheckTest, HeadsThatNoCodesServeAreKeptBitForBit) {
  learn({.bound = 0.01});
  const std::vector<std::byte> page = model_.page(0);
  PageCheck check;
  ASSERT_TRUE(check_page(*calibration_, model_.geometry, 0, 4, page, nullptr, 1e-7, &check).is_ok());
  EXPECT_EQ(model_.geometry.n_layers * model_.geometry.n_kv_heads, check.raw);
  const auto coded = encode(auto_, options(0, &check.levels), page);
  EXPECT_EQ(page, decode(auto_, coded));
  // One head coded, the others as they came.
  check.levels.key_steps[1] = 3 * kDim;
  check.levels.value_bits[1] = 5;
  const auto mixed = encode(auto_, options(0, &check.levels), page);
  EXPECT_LT(mixed.size(), coded.size());
  const auto back = decode(auto_, mixed);
  EXPECT_EQ(rows(page, 0, KVC_KEY, 0), rows(back, 0, KVC_KEY, 0));
  EXPECT_NE(rows(page, 0, KVC_KEY, 1), rows(back, 0, KVC_KEY, 1));
  EXPECT_EQ(rows(page, 1, KVC_VALUE, 0), rows(back, 1, KVC_VALUE, 0));
}

TEST_F(KltCheckTest, TilesAndRangesOfPagesWithLevelsEqualWhatIsDecoded) {
  learn({.bound = 0.02});
  const PageGeometry& g = model_.geometry;
  const std::vector<std::byte> page = model_.page(0);
  PageCheck check;
  ASSERT_TRUE(check_page(*calibration_, g, 0, 4, page, nullptr, 0.02, &check).is_ok());
  check.levels.key_steps[0] = KltLevels::kRawKeys;
  check.levels.value_bits[3] = KltLevels::kRawValues;
  check.levels.key_steps[2] = KltLevels::kRawKeys;
  check.levels.value_bits[2] = KltLevels::kRawValues;
  const auto coded = encode(auto_, options(0, &check.levels), page);
  const auto all = decode(auto_, coded);
  expect_tiles_attend_as_decoded(auto_, g, coded);
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      std::vector<std::byte> part(g.n_kv_heads * 20 * g.row_bytes(plane));
      ASSERT_TRUE(auto_.decode(g, coded, layer, plane, 3, 20, part.data(), 20 * g.row_bytes(plane), g.row_bytes(plane)).is_ok());
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        EXPECT_EQ(0, std::memcmp(part.data() + head * 20 * g.row_bytes(plane),
                                 all.data() + g.head_offset(layer, plane, head) + 3 * g.row_bytes(plane),
                                 20 * g.row_bytes(plane)));
      }
    }
  }
}

TEST_F(KltCheckTest, APageWithANumberThatIsNotFiniteIsRefused) {
  learn({.bound = 0.05});
  std::vector<std::byte> page = model_.page(0);
  const uint16_t infinity = 0x7c00;
  std::memcpy(page.data() + model_.geometry.head_offset(1, KVC_VALUE, 1) + 10, &infinity, sizeof infinity);
  PageCheck check;
  EXPECT_EQ(KVC_E_UNSUPPORTED,
            check_page(*calibration_, model_.geometry, 0, 4, page, nullptr, 0.05, &check).code());
}

TEST_F(KltCheckTest, LevelsThatTheCalibrationDoesNotHaveAreCorrupt) {
  learn({.bound = 0.05});
  const PageGeometry& g = model_.geometry;
  PageCheck check;
  const std::vector<std::byte> page = model_.page(kTokens);
  ASSERT_TRUE(check_page(*calibration_, g, kTokens, 0, page, nullptr, 0.05, &check).is_ok());
  const auto good = encode(auto_, options(kTokens, &check.levels), page);
  const size_t heads = size_t{g.n_layers} * g.n_kv_heads;
  const auto refused = [&](size_t at, uint8_t byte) {
    auto bad = good;
    bad[at] = static_cast<std::byte>(byte);
    std::vector<std::byte> out(g.plane_bytes(KVC_KEY));
    return auto_.decode(g, bad, 0, KVC_KEY, 0, kTokens, out.data(), g.head_bytes(KVC_KEY), g.row_bytes(KVC_KEY)).code();
  };
  EXPECT_EQ(KVC_E_CORRUPT, refused(64 + 1, 0x7f));                // key steps beyond all bits
  EXPECT_EQ(KVC_E_CORRUPT, refused(64 + 2 * heads, 0));           // values without bits
  EXPECT_EQ(KVC_E_CORRUPT, refused(64 + 2 * heads, 13));          // ... and with too many
  EXPECT_EQ(KVC_E_CORRUPT, refused(64 + 2 * heads, static_cast<uint8_t>(check.levels.value_bits[0] ^ 1)));  // another length
  auto cut = good;
  cut.resize(64 + 3);
  std::vector<std::byte> out(g.plane_bytes(KVC_KEY));
  EXPECT_EQ(KVC_E_CORRUPT,
            auto_.decode(g, cut, 0, KVC_KEY, 0, 1, out.data(), g.head_bytes(KVC_KEY), g.row_bytes(KVC_KEY)).code());
}

TEST_F(KltCheckTest, WhatPagesAtRestGetIsWhatWasAskedFor) {
  learn({.bits = 5, .rest = 2.5});
  ASSERT_FALSE(calibration_->rest.empty());
  const Codec& klt = *find_codec("klt");
  const std::vector<std::byte> page = model_.page(kTokens);
  const auto coded = encode(klt, options(kTokens, nullptr), page);
  const auto rest = encode(klt, options(kTokens, &calibration_->rest), page);
  const double numbers = static_cast<double>(page.size()) / 2;
  EXPECT_NEAR(5, static_cast<double>(coded.size()) * 8 / numbers, 0.1);
  EXPECT_NEAR(2.5, static_cast<double>(rest.size()) * 8 / numbers, 0.1);
  std::vector<uint8_t> widths(kDim);
  for (size_t at = 0; at < calibration_->block_bits.size(); ++at) {
    calibration_->widths(at, calibration_->block_bits[at], widths.data());
    EXPECT_EQ(0, std::memcmp(widths.data(), calibration_->key_bits.data() + at * kDim, kDim)) << at;
  }
}

TEST_F(KltCheckTest, StoredCalibrationsBringOrderQueriesAndRest) {
  for (const KltTarget& target : {KltTarget{.bits = 5, .rest = 2.5}, KltTarget{.bound = 0.05}}) {
    learn(target);
    const std::vector<std::byte> bytes = save_calibration(*calibration_);
    std::shared_ptr<const KltCalibration> loaded;
    const Status status = load_calibration(bytes, calibration_->digest, &loaded);
    ASSERT_TRUE(status.is_ok()) << status.message();
    EXPECT_EQ(calibration_->order, loaded->order);
    EXPECT_EQ(calibration_->queries, loaded->queries);
    EXPECT_EQ(calibration_->query_group, loaded->query_group);
    EXPECT_EQ(calibration_->rest.key_steps, loaded->rest.key_steps);
    EXPECT_EQ(calibration_->rest.value_bits, loaded->rest.value_bits);
    // An order that names a channel too often would give it more bits than there are.
    auto forged = *calibration_;
    forged.order[1] = forged.order[0] = forged.order[kDim * KltCalibration::kMaxBits - 1];
    forged.seal();
    EXPECT_EQ(KVC_E_CORRUPT, load_calibration(save_calibration(forged), forged.digest, &loaded).code());
  }
}

// What versions without an order wrote.
TEST_F(KltCheckTest, CalibrationsOfOlderVersionsAreReadAndKeepTheirNames) {
  learn({.bits = 5});
  KltCalibration old = *calibration_;
  old.order.clear();
  old.seal();
  const std::vector<std::byte> bytes = save_calibration(old);
  EXPECT_EQ(0, std::memcmp(bytes.data(), "KCC1", 4));
  std::shared_ptr<const KltCalibration> loaded;
  ASSERT_TRUE(load_calibration(bytes, old.digest, &loaded).is_ok());
  register_calibration(loaded);
  EXPECT_FALSE(loaded->fits(KltLevels{{1}, {1}}));
  EncodeOptions o = options(kTokens, nullptr);
  o.calibration = loaded.get();
  const Codec& klt = *find_codec("klt");
  const std::vector<std::byte> page = model_.page(kTokens);
  const auto coded = encode(klt, o, page);
  EXPECT_EQ(0, std::memcmp(coded.data(), "KVK1", 4));
  // The same page under the calibration that has an order: the same codes, another name.
  const auto now = encode(klt, options(kTokens, nullptr), page);
  ASSERT_EQ(coded.size(), now.size());
  EXPECT_EQ(0, std::memcmp(coded.data() + 64, now.data() + 64, coded.size() - 64));
}

}  // namespace
}  // namespace kvc
