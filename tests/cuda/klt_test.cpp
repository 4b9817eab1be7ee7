// Pages of klt, lowrank and auto, decoded by the kernel on the host: bit for bit what the library's codec gives.
#include "klt_rig.h"

namespace kvc_cuda {
namespace {

class KltKernelTest : public testing::TestWithParam<KltCase> {};

TEST_P(KltKernelTest, DecodesToTheBitsOfTheLibrary) {
  const KltCase& c = GetParam();
  Random random(c.dim * 131 + c.page_tokens);
  const kvc::PageGeometry g = geometry_of(c);
  std::shared_ptr<const KltCalibration> calibration;
  kvc::EncodeOptions options;
  options.exact_tokens = c.exact;
  options.position = 12345;
  options.key_bits = 5, options.value_bits = 3;
  KltLevels levels;
  if (c.learned != Learned::no) {
    calibration = any_calibration(c, g, &random);
    register_calibration(calibration);
    options.calibration = calibration.get();
  }
  if (c.learned == Learned::levels) {
    for (size_t i = 0; i < size_t{g.n_layers} * calibration->blocks(); ++i) {
      const auto steps =
          static_cast<uint16_t>(random.next() % (calibration->channels() * KltCalibration::kMaxBits + 1));
      levels.key_steps.push_back(i == 1 ? KltLevels::kRawKeys : steps);
    }
    for (uint32_t i = 0; i < g.n_layers * g.n_kv_heads; ++i) {
      const auto bits = static_cast<uint8_t>(random.next() % KltCalibration::kMaxBits + 1);
      levels.value_bits.push_back(i == 1 ? KltLevels::kRawValues : bits);
    }
    options.levels = &levels;
  }
  const kvc::Codec& codec = *kvc::find_codec(c.codec);
  ASSERT_TRUE(is_klt(codec));

  constexpr uint32_t kPages = 2;
  std::vector<std::vector<std::byte>> coded(kPages);
  std::vector<std::byte> tables;
  KltArgs a;
  for (uint32_t page = 0; page < kPages; ++page) {
    const std::vector<std::byte> clear = any_page(c, g, &random);
    options.position += c.page_tokens;
    coded[page].resize(codec.encoded_bytes(g, options));
    const kvc::Status encoded = codec.encode(g, options, clear, coded[page]);
    ASSERT_TRUE(encoded.is_ok()) << encoded.message();
    kvc::KltPlan plan;
    const kvc::Status planned = plan_klt(codec, g, coded[page], &plan);
    ASSERT_TRUE(planned.is_ok()) << planned.message();
    a.form = klt_form(g, plan.calibration.get());
    std::vector<std::byte> table = make_klt_table(a.form, plan);
    ASSERT_EQ(table.size(), a.form.page_bytes());
    auto* head = reinterpret_cast<KltPage*>(table.data());
    head->coded = reinterpret_cast<uint64_t>(coded[page].data());
    head->clear = static_cast<int32_t>(kPages - 1 - page);
    tables.insert(tables.end(), table.begin(), table.end());
  }
  std::vector<std::byte> uploaded;
  if (calibration != nullptr) {
    uploaded.resize(a.form.calibration_bytes());
    write_klt_calibration(*calibration, a.form, uploaded);
    a.calibration = reinterpret_cast<const unsigned char*>(uploaded.data());
  }
  a.tables = reinterpret_cast<const unsigned char*>(tables.data());
  a.table_bytes = a.form.page_bytes();
  a.pages = kPages;
  a.number = static_cast<Number>(c.dtype);
  a.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(c.dim)));
  a.chunk = klt_chunk(a.form.channels());
  ASSERT_GT(a.chunk, 0u);
  for (const uint64_t seed : {1, 2}) {
    std::vector<std::byte> out(kPages * g.page_bytes(), std::byte{0xcd}), expected(g.page_bytes());
    a.clear = view_of(g, out.data());
    host_decode_klt(a, klt_shape(a), seed);
    for (uint32_t page = 0; page < kPages; ++page) {
      for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          const kvc::Status decoded =
              codec.decode(g, coded[page], layer, plane, 0, g.page_tokens,
                           expected.data() + g.plane_offset(layer, plane), g.head_bytes(plane), g.row_bytes(plane));
          ASSERT_TRUE(decoded.is_ok()) << decoded.message();
        }
      }
      const std::byte* got = out.data() + (kPages - 1 - page) * g.page_bytes();
      for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(got[i], expected[i]) << "page " << page << " byte " << i;
    }
  }
}

constexpr DType f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
INSTANTIATE_TEST_SUITE_P(Pages, KltKernelTest,
                         testing::Values(KltCase{"klt", Learned::no, 2, 1, 32, 64, 4, 0, false, f16},
                                         KltCase{"klt", Learned::bits, 2, 1, 64, 64, 0, 32, false, f16},
                                         KltCase{"klt", Learned::bits, 2, 2, 64, 64, 4, 32, true, bf16},
                                         KltCase{"lowrank", Learned::bits, 2, 1, 96, 40, 1, 20, false, f32},
                                         KltCase{"auto", Learned::levels, 4, 2, 24, 72, 3, 12, true, f16},
                                         KltCase{"auto", Learned::levels, 2, 1, 128, 128, 0, 64, false, bf16},
                                         KltCase{"auto", Learned::levels, 2, 1, 7, 9, 9, 2, true, f32},
                                         KltCase{"klt", Learned::no, 1, 1, 5, 130, 64, 0, false, f32},
                                         KltCase{"klt", Learned::bits, 3, 3, 80, 16, 0, 40, false, f16},
                                         KltCase{"klt", Learned::bits, 1, 1, 1, 1, 0, 0, false, f32}));

TEST(KltFormTest, KeepsToSharedMemoryWhateverTheChannels) {
  for (uint32_t channels = 1; channels < 2000; ++channels) {
    KltArgs a;
    a.form = {1, 1, channels, 8, 64};
    a.chunk = klt_chunk(channels);
    if (a.chunk == 0) {
      EXPECT_GT(channels, 800u);
      continue;
    }
    EXPECT_EQ(a.chunk % 8, 0u);
    EXPECT_LE(klt_shape(a).shared, kSharedBytes) << channels;
  }
}

}  // namespace
}  // namespace kvc_cuda
