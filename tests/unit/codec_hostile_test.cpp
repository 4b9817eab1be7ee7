// Decoders over bytes that no encoder wrote: damaged, cut off, made up. Whatever comes out, nothing outside of the bytes
// is touched (the address sanitizer watches: every buffer is as long as it must be) and every call says what it did.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/codec.h"
#include "codec_variants.h"

namespace kvc {
namespace {

class HostileTest : public testing::TestWithParam<CodecVariant> {
 protected:
  void SetUp() override {
    geometry_.n_layers = 2, geometry_.n_kv_heads = 2, geometry_.k_dim = 20, geometry_.v_dim = 12;
    geometry_.page_tokens = 70;
    std::vector<float> numbers(geometry_.page_bytes() / 2);
    for (float& x : numbers) x = static_cast<float>(random_.unit() * 8 - 4);
    page_.resize(geometry_.page_bytes());
    from_f32(geometry_.dtype, numbers.data(), page_.data(), numbers.size());
    options_ = GetParam().options;
    options_.exact_tokens = 4;
    encoded_.resize(codec().encoded_bytes(geometry_, options_));
    ASSERT_TRUE(codec().encode(geometry_, options_, page_, encoded_).is_ok());
  }

  const Codec& codec() const { return *GetParam().codec; }

  // Every way to read. A copy on the heap of exactly these bytes: one beyond is seen.
  void read(const std::vector<std::byte>& bytes) {
    const auto fine = [](const Status& status) {
      EXPECT_TRUE(status.is_ok() || status.code() == KVC_E_CORRUPT || status.code() == KVC_E_OUT_OF_RANGE ||
                  status.code() == KVC_E_NOT_FOUND)
          << status.message();
      return status.is_ok();
    };
    for (uint32_t layer = 0; layer < 3; ++layer) {  // one too many
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        std::vector<std::byte> out(geometry_.plane_bytes(plane));
        fine(codec().decode(geometry_, bytes, layer, plane, 0, geometry_.page_tokens, out.data(),
                                geometry_.head_bytes(plane), geometry_.row_bytes(plane)));
        fine(codec().decode(geometry_, bytes, layer, plane, 66, 3, out.data(), geometry_.head_bytes(plane),
                                geometry_.row_bytes(plane)));
      }
      AttendOptions attend;
      attend.k_dim = geometry_.k_dim, attend.v_dim = geometry_.v_dim, attend.group = 3, attend.causal = false;
      AttendState state(attend, 1);
      const std::vector<float> query(geometry_.k_dim, 0.5f);
      for (uint32_t i = 0; i < 3; ++i) state.set_query(i, query.data(), 1, 0);
      for (uint32_t index = 0; index < 3; ++index) {  // one too many
        AttendTile tile;
        if (!fine(codec().tile(geometry_, bytes, layer, 1, index, &tile))) continue;
        if (tile.tokens == 0) continue;  // sparse
        tile.position = index * kTileTokens;
        prefetch(tile);
        state.attend(tile);
      }
      std::vector<float> out(geometry_.v_dim);
      for (uint32_t i = 0; i < 3; ++i) state.finish(i, out.data());
    }
  }

  size_t rounds() const { return std::getenv("KVC_TEST_QUICK") != nullptr ? 150 : 1500; }

  Random random_{5};
  PageGeometry geometry_;
  EncodeOptions options_;
  std::vector<std::byte> page_, encoded_;
};

TEST_P(HostileTest, DamagedBytes) {
  for (size_t round = 0; round < rounds(); ++round) {
    std::vector<std::byte> bytes = encoded_;
    const size_t n = 1 + random_.next() % 8;
    for (size_t i = 0; i < n; ++i) {
      // Half of them where the structure is.
      const size_t at = random_.next() % (i % 2 == 0 ? 64 : bytes.size());
      bytes[at] = static_cast<std::byte>(random_.next());
    }
    read(bytes);
  }
}

TEST_P(HostileTest, BytesOfAnyLength) {
  for (size_t round = 0; round < rounds(); ++round) {
    std::vector<std::byte> bytes = encoded_;
    bytes.resize(random_.next() % (2 * encoded_.size()));
    bytes.shrink_to_fit();
    read(bytes);
  }
  read({});
}

TEST_P(HostileTest, NumbersOfAnyKind) {
  for (size_t round = 0; round < rounds() / 4; ++round) {
    std::vector<std::byte> bytes = encoded_;
    for (size_t i = 64; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(random_.next());
    read(bytes);
  }
}

TEST_P(HostileTest, PagesOfOtherCodecsAreRefused) {
  for (const Codec* other : codecs()) {
    if (other == &codec() || codec().is_clear()) continue;
    std::vector<std::byte> bytes(other->encoded_bytes(geometry_, options_));
    ASSERT_TRUE(other->encode(geometry_, options_, page_, bytes).is_ok());
    AttendTile tile;
    EXPECT_EQ(codec().tile(geometry_, bytes, 0, 0, 0, &tile).code(), KVC_E_CORRUPT) << other->name();
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, HostileTest, testing::ValuesIn(codec_variants()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace kvc
