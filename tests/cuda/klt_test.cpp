// Pages of klt, lowrank and auto, decoded by the kernel on the host: bit for bit what the library's codec gives.
#include "klt_pages.h"

namespace kvc_cuda {
namespace {

class KltKernelTest : public testing::TestWithParam<KltCase> {};

TEST_P(KltKernelTest, DecodesToTheBitsOfTheLibrary) {
  constexpr uint32_t kPages = 2;
  KltPages pages(GetParam(), kPages);
  const kvc::PageGeometry& g = pages.g;
  KltArgs a;
  a.form = pages.form;
  a.calibration = pages.learned();
  a.tables = reinterpret_cast<const unsigned char*>(pages.tables.data());
  a.table_bytes = a.form.page_bytes();
  a.pages = kPages;
  a.number = static_cast<Number>(g.dtype);
  a.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(g.v_dim)));
  a.chunk = klt_chunk(a.form.channels());
  ASSERT_GT(a.chunk, 0u);
  for (const uint64_t seed : {1, 2}) {
    std::vector<std::byte> out(kPages * g.page_bytes(), std::byte{0xcd});
    a.clear = view_of(g, out.data());
    host_decode_klt(a, klt_shape(a), seed);
    for (uint32_t page = 0; page < kPages; ++page) {
      const std::vector<std::byte> expected = pages.decoded(page);
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
