// Pages of klt and lowrank, encoded by the kernel on the host: byte for byte what the library's codec writes.
#include <limits>

#include "klt_rig.h"

namespace kvc_cuda {
namespace {

class KltEncodeTest : public testing::TestWithParam<KltCase> {
 protected:
  // Pages in the clear, and what the kernel makes of them; 0xcd where it writes nothing.
  struct Pages {
    std::vector<std::byte> clear;
    std::vector<std::vector<std::byte>> coded;
    std::vector<uint32_t> failed;
  };

  KltEncodeTest() : c(GetParam()), g(geometry_of(c)), random(c.dim * 131 + c.page_tokens) {
    calibration = any_calibration(c, g, &random);
    register_calibration(calibration);
    options.exact_tokens = c.exact;
    options.position = 12345;
    options.calibration = calibration.get();
  }

  Pages encode(std::vector<std::byte> clear, uint64_t seed) const {
    const auto pages = static_cast<uint32_t>(clear.size() / g.page_bytes());
    Pages out{std::move(clear), {}, std::vector<uint32_t>(pages)};
    KltEncodeArgs e;
    KltArgs& a = e.page;
    a.form = klt_form(g, calibration.get());
    std::vector<std::byte> tables, uploaded(a.form.calibration_bytes()), analysis(a.form.analysis_bytes());
    out.coded.resize(pages);
    for (uint32_t page = 0; page < pages; ++page) {
      kvc::EncodeOptions own = options;
      own.position += page * c.page_tokens;
      kvc::KltPlan plan;
      std::byte header[64];
      plan_klt_encoding(codec, g, own, calibration, &plan, std::span<std::byte, 64>(header));
      out.coded[page].assign(codec.encoded_bytes(g, own), std::byte{0xcd});
      std::memcpy(out.coded[page].data(), header, sizeof header);
      std::vector<std::byte> table = make_klt_table(a.form, plan);
      auto* head = reinterpret_cast<KltPage*>(table.data());
      head->coded = reinterpret_cast<uint64_t>(out.coded[page].data());
      head->clear = static_cast<int32_t>(page);
      tables.insert(tables.end(), table.begin(), table.end());
    }
    write_klt_calibration(*calibration, a.form, uploaded);
    write_klt_analysis(*calibration, analysis);
    a.clear = view_of(g, out.clear.data());
    a.calibration = reinterpret_cast<const unsigned char*>(uploaded.data());
    a.tables = reinterpret_cast<const unsigned char*>(tables.data());
    a.table_bytes = a.form.page_bytes();
    a.pages = pages;
    a.number = static_cast<Number>(c.dtype);
    a.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(c.dim)));
    a.chunk = klt_encode_chunk(a.form.channels());
    e.analysis = reinterpret_cast<const unsigned char*>(analysis.data());
    e.rows = klt_encode_rows(c.dim);
    e.failed = out.failed.data();
    EXPECT_GT(a.chunk, 0u);
    host_encode_klt(e, klt_encode_shape(e), seed);
    return out;
  }

  const KltCase& c;
  const kvc::Codec& codec = *kvc::find_codec(c.codec);
  const kvc::PageGeometry g;
  Random random;
  std::shared_ptr<const KltCalibration> calibration;
  kvc::EncodeOptions options;
};

TEST_P(KltEncodeTest, WritesTheBytesOfTheLibrary) {
  std::vector<std::byte> clear = any_page(c, g, &random);
  const std::vector<std::byte> second = any_page(c, g, &random);
  clear.insert(clear.end(), second.begin(), second.end());
  // And a head that is all alike.
  std::memset(clear.data() + g.head_offset(1, KVC_VALUE, 0), 0, g.head_bytes(KVC_VALUE));
  for (const uint64_t seed : {1, 2}) {
    const Pages got = encode(clear, seed);
    for (uint32_t page = 0; page < 2; ++page) {
      EXPECT_EQ(got.failed[page], 0u);
      kvc::EncodeOptions own = options;
      own.position += page * c.page_tokens;
      std::vector<std::byte> expected(codec.encoded_bytes(g, own));
      const kvc::Status encoded =
          codec.encode(g, own, std::span(got.clear).subspan(page * g.page_bytes(), g.page_bytes()), expected);
      ASSERT_TRUE(encoded.is_ok()) << encoded.message();
      ASSERT_EQ(got.coded[page].size(), expected.size());
      for (size_t i = 0; i < expected.size(); ++i)
        ASSERT_EQ(got.coded[page][i], expected[i]) << "page " << page << " byte " << i;
    }
  }
}

// As the library does: exact keys must be finite too, exact values need not.
TEST_P(KltEncodeTest, RefusesPagesThatTheLibraryRefuses) {
  const std::vector<std::byte> clear = any_page(c, g, &random);
  for (const float number : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      for (const uint32_t token : {0u, c.page_tokens - 1}) {
        std::vector<std::byte> damaged = clear;
        const size_t at = g.head_offset(1, plane, c.heads - 1) + token * g.row_bytes(plane);
        kvc::from_f32(g.dtype, &number, damaged.data() + at, 1);
        std::vector<std::byte> out(codec.encoded_bytes(g, options));
        const bool refused = !codec.encode(g, options, damaged, out).is_ok();
        EXPECT_EQ(encode(damaged, 3).failed[0], refused ? 1u : 0u) << plane << " " << token;
      }
    }
  }
}

constexpr DType f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
INSTANTIATE_TEST_SUITE_P(Pages, KltEncodeTest,
                         testing::Values(KltCase{"klt", Learned::bits, 2, 1, 64, 64, 0, 32, false, f16},
                                         KltCase{"klt", Learned::bits, 2, 2, 64, 64, 4, 32, true, bf16},
                                         KltCase{"lowrank", Learned::bits, 2, 1, 96, 40, 1, 20, false, f32},
                                         KltCase{"lowrank", Learned::bits, 2, 1, 128, 128, 0, 64, false, bf16},
                                         KltCase{"klt", Learned::bits, 2, 1, 7, 9, 9, 2, true, f32},
                                         KltCase{"klt", Learned::bits, 1, 1, 24, 70, 64, 12, false, f32},
                                         KltCase{"klt", Learned::bits, 3, 3, 80, 72, 18, 40, false, f16},
                                         KltCase{"klt", Learned::bits, 1, 1, 512, 20, 3, 256, false, f16},
                                         KltCase{"klt", Learned::bits, 1, 1, 1, 1, 0, 0, false, f32}));

TEST(KltEncodeFormTest, KeepsToABlocksRoomWhateverTheChannels) {
  for (uint32_t channels = 1; channels < 2000; ++channels) {
    KltEncodeArgs e;
    e.page.form = {1, 1, channels, std::min(channels, kKltValueDim), 64};
    e.page.chunk = klt_encode_chunk(channels);
    e.rows = klt_encode_rows(e.page.form.v_dim);
    if (e.page.chunk == 0) {
      EXPECT_GT(channels, 700u);
      continue;
    }
    EXPECT_GE(e.rows, 8u);
    EXPECT_EQ(e.page.chunk % 8, 0u);
    EXPECT_LE(klt_encode_shape(e).shared, kSharedBytes) << channels;
    EXPECT_LE(channels * e.page.chunk / 8, kKltEncodeItems * kKltEncodeThreads) << channels;
  }
}

}  // namespace
}  // namespace kvc_cuda
