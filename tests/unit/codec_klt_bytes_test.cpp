// Calibrations as bytes: what was saved comes back, and of anything else nothing does.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"
#include "codec/klt_bytes.h"

namespace kvc {
namespace {

KltCalibration made_up(Random* random) {
  KltCalibration c;
  c.n_layers = 2, c.n_kv_heads = 4, c.k_dim = 6, c.v_dim = 5, c.block_heads = 2;
  c.rope = make_key_rope(10000, 1, 6, true);
  const size_t blocks = size_t{c.n_layers} * c.blocks(), channels = c.channels();
  const auto fill = [random](std::vector<float>* numbers, size_t n) {
    for (size_t i = 0; i < n; ++i) numbers->push_back(static_cast<float>(random->unit()) + 0.5f);
  };
  fill(&c.mean, blocks * channels);
  fill(&c.analysis, blocks * channels * channels);
  fill(&c.synthesis, blocks * channels * channels);
  fill(&c.deviation, blocks * channels);
  constexpr uint32_t kMost = KltCalibration::kMaxBits;
  for (size_t i = 0; i < blocks * channels; ++i) {
    c.key_bits.push_back(static_cast<uint8_t>(random->next() % (kMost + 1)));
  }
  for (size_t i = 0; i < 8; ++i) c.value_bits.push_back(static_cast<uint8_t>(1 + random->next() % kMost));
  c.seal();
  return c;
}

class KltBytesTest : public testing::Test {
 protected:
  // A copy on the heap of exactly these bytes, so that the address sanitizer sees one beyond.
  Status load(const std::vector<std::byte>& bytes, const Digest& digest) {
    const std::vector<std::byte> copy(bytes);
    return load_calibration(copy, digest, &loaded_);
  }

  Random random_{7};
  const KltCalibration saved_ = made_up(&random_);
  const std::vector<std::byte> bytes_ = save_calibration(saved_);
  std::shared_ptr<const KltCalibration> loaded_;
};

TEST_F(KltBytesTest, WhatWasSavedIsLoaded) {
  const Status status = load(bytes_, saved_.digest);
  ASSERT_TRUE(status.is_ok()) << status.message();
  EXPECT_EQ(loaded_->digest, saved_.digest);
  EXPECT_EQ(loaded_->block_heads, saved_.block_heads);
  EXPECT_EQ(loaded_->rope.frequency, saved_.rope.frequency);
  EXPECT_TRUE(loaded_->rope.interleaved);
  EXPECT_EQ(loaded_->mean, saved_.mean);
  EXPECT_EQ(loaded_->analysis, saved_.analysis);
  EXPECT_EQ(loaded_->synthesis, saved_.synthesis);
  EXPECT_EQ(loaded_->deviation, saved_.deviation);
  EXPECT_EQ(loaded_->key_bits, saved_.key_bits);
  EXPECT_EQ(loaded_->value_bits, saved_.value_bits);
  EXPECT_EQ(loaded_->block_bits, saved_.block_bits);
  EXPECT_EQ(save_calibration(*loaded_), bytes_);
}

TEST_F(KltBytesTest, NoFlippedByteNoCutAndNoOtherDigestIsLoaded) {
  for (size_t i = 0; i < bytes_.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      auto damaged = bytes_;
      damaged[i] ^= static_cast<std::byte>(flip);
      ASSERT_EQ(load(damaged, saved_.digest).code(), KVC_E_CORRUPT) << "byte " << i;
    }
  }
  for (size_t n = 0; n < bytes_.size(); ++n) {
    const std::vector<std::byte> cut(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(n));
    ASSERT_EQ(load(cut, saved_.digest).code(), KVC_E_CORRUPT) << n << " bytes";
  }
  auto longer = bytes_;
  longer.push_back({});
  EXPECT_EQ(load(longer, saved_.digest).code(), KVC_E_CORRUPT);
  EXPECT_EQ(load(bytes_, Digest{}).code(), KVC_E_CORRUPT);
}

// Whoever can write the file can also compute a digest: then every number must still be one that kernels can use.
TEST_F(KltBytesTest, ForgedNumbersAreRefusedWithTheirOwnDigest) {
  const auto forge = [&](auto change) {
    KltCalibration c = saved_;
    change(&c);
    c.seal();
    return load(save_calibration(c), c.digest).code();
  };
  const float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinite = std::numeric_limits<float>::infinity();
  EXPECT_EQ(forge([](KltCalibration*) {}), KVC_OK);
  EXPECT_EQ(forge([&](KltCalibration* c) { c->mean[3] = kNan; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([&](KltCalibration* c) { c->analysis[3] = kInfinite; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([&](KltCalibration* c) { c->synthesis.back() = kNan; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([](KltCalibration* c) { c->deviation[1] = 0; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([](KltCalibration* c) { c->deviation[1] = -1; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([](KltCalibration* c) { c->key_bits[0] = KltCalibration::kMaxBits + 1; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([](KltCalibration* c) { c->value_bits[0] = 0; }), KVC_E_CORRUPT);
  EXPECT_EQ(forge([](KltCalibration* c) { c->rope.frequency[0] = std::nan(""); }), KVC_E_CORRUPT);
}

TEST_F(KltBytesTest, CountsThatPromiseTooMuchAskForNoMemory) {
  for (size_t field = 1; field < 8; ++field) {
    for (const uint32_t value : {0u, 1u, 3u, 65535u, 65536u, 65537u, 1u << 31, 0xffffffffu}) {
      auto forged = bytes_;
      uint32_t before = 0;
      std::memcpy(&before, forged.data() + 4 * field, sizeof before);
      if (value == before) continue;
      std::memcpy(forged.data() + 4 * field, &value, sizeof value);
      EXPECT_EQ(load(forged, saved_.digest).code(), KVC_E_CORRUPT) << "count " << field << " = " << value;
    }
  }
  // All at once.
  auto forged = bytes_;
  const uint32_t kMost = 65536;
  for (size_t field = 1; field < 6; ++field) std::memcpy(forged.data() + 4 * field, &kMost, sizeof kMost);
  EXPECT_EQ(load(forged, saved_.digest).code(), KVC_E_CORRUPT);
}

}  // namespace
}  // namespace kvc
