// Attention by tensor cores, on the host: products laid over a warp as the instruction lays them, against the portable
// kernel.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "host_kernels.h"

namespace kvc_cuda {
namespace {

using kvc::Random;

struct MmaCase {
  const char* codec;  // of the pages before the ones in the clear; "" for none
  uint32_t key_bits, value_bits, heads, group, k_dim, v_dim, page_tokens, coded, length, splits;
  uint64_t window;
  Number number;
  float value_scale = 1;  // magnitude of values
};

void PrintTo(const MmaCase& c, std::ostream* out) {
  *out << c.codec << " group " << c.group << " dim " << c.k_dim << "x" << c.v_dim << " length " << c.length
       << (c.number == Number::bf16 ? " bf16" : " f16");
}

class MmaTest : public testing::TestWithParam<MmaCase> {};

TEST_P(MmaTest, EqualsThePortableKernelWithinTheRoundingOfWeights) {
  const MmaCase c = GetParam();
  constexpr uint32_t kSequences = 2, kLayers = 2, kLayer = 1;
  Random random(c.length * 31 + c.group);
  AttendArgs a;
  CodeArgs& g = a.page;
  g.n_layers = kLayers, g.n_heads = c.heads, g.dim[0] = c.k_dim, g.dim[1] = c.v_dim, g.page_tokens = c.page_tokens;
  g.number = c.number, g.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(c.v_dim)));
  const uint32_t pages = (c.length + c.page_tokens - 1) / c.page_tokens, size = 2;
  std::vector<uint64_t> pool;
  View& view = a.clear;
  const uint32_t widest = std::max(c.k_dim, c.v_dim);
  view.token = widest * size, view.head = view.token * c.page_tokens, view.plane = view.head * c.heads;
  view.layer = view.plane * 2, view.page = view.layer * kLayers;
  pool.resize(static_cast<size_t>(view.page) * pages * kSequences / 8 + 2);
  view.base = (reinterpret_cast<uint64_t>(pool.data()) + 15) / 16 * 16;
  for (uint32_t page = 0; page < pages * kSequences; ++page)
    for (uint32_t layer = 0; layer < kLayers; ++layer)
      for (uint32_t plane = 0; plane < 2; ++plane)
        for (uint32_t head = 0; head < c.heads; ++head)
          for (uint32_t t = 0; t < c.page_tokens; ++t)
            for (uint32_t d = 0; d < g.dim_of(static_cast<int>(plane)); ++d) {
              const float x = static_cast<float>(random.unit() * 4 - 2) * (plane == 1 ? c.value_scale : 1);
              // Rows beyond the last token are nobody's: not finite, so that reading them shows.
              const bool beyond = (page % pages) * c.page_tokens + t >= c.length && (page % pages) >= c.coded;
              store_number(c.number, beyond ? std::nanf("") : x, view.row(page, layer, plane, head, t) + d * size);
            }
  std::vector<std::vector<uint64_t>> encoded;
  std::vector<uint64_t> addresses;
  std::vector<uint32_t> counts(kSequences, c.coded), lengths(kSequences, c.length), failed(pages * kSequences, 0);
  lengths[1] = c.length - 1;
  std::vector<int32_t> table;
  if (c.coded > 0) {
    g.bits[0] = c.key_bits, g.bits[1] = c.value_bits;
    std::vector<int32_t> which;
    for (uint32_t s = 0; s < kSequences; ++s)
      for (uint32_t p = 0; p < c.coded; ++p) {
        encoded.emplace_back(CodedLayout(g).total() / 8 + 8);
        addresses.push_back((reinterpret_cast<uint64_t>(encoded.back().data()) + 63) / 64 * 64);
        which.push_back(static_cast<int32_t>(s * pages + p));
      }
    CodeArgs code = g;
    code.pages = static_cast<uint32_t>(addresses.size());
    code.clear = view, code.clear_pages = which.data(), code.coded_pages = addresses.data(),
    code.failed = failed.data();
    host_encode(code, code_shape(code), 6);
    for (const uint32_t one : failed) ASSERT_EQ(one, 0u);
    a.coded_counts = counts.data(), a.coded_pages = addresses.data(), a.coded_stride = c.coded;
  }
  for (uint32_t s = 0; s < kSequences; ++s)
    for (uint32_t p = c.coded; p < pages; ++p) table.push_back(static_cast<int32_t>(s * pages + p));
  a.clear_pages = table.data(), a.clear_stride = pages - c.coded;

  const uint32_t heads = c.heads * c.group;
  std::vector<uint32_t> query(kSequences * heads * c.k_dim / 2);
  for (uint32_t i = 0; i < kSequences * heads * c.k_dim; ++i) {
    store_number(c.number, static_cast<float>(random.unit() * 6 - 3),
                 reinterpret_cast<unsigned char*>(query.data()) + i * size);
  }
  std::vector<float> out(kSequences * heads * c.v_dim, -1), expected(out.size()), state(kSequences * heads * 2);
  a.query = reinterpret_cast<unsigned char*>(query.data()), a.query_number = c.number;
  a.out = reinterpret_cast<unsigned char*>(expected.data());
  a.state = state.data(), a.lengths = lengths.data();
  a.sequences = kSequences, a.kv_heads = c.heads, a.group = c.group, a.splits = c.splits, a.layer = kLayer;
  a.scale = static_cast<float>(1.4426950408889634 / std::sqrt(static_cast<double>(c.k_dim)));
  a.window = c.window;
  std::vector<float> partial(partial_bytes(a) / sizeof(float), std::nanf(""));
  a.partial = partial.data();
  ASSERT_TRUE(fits_mma(a));
  ASSERT_LE(mma_shape(a).shared, kSharedBytes);
  host_attend(a, attend_shape(a), 8);
  host_merge(a, merge_shape(a), 9);
  const std::vector<float> weights = state;

  std::fill(partial.begin(), partial.end(), std::nanf(""));
  a.out = reinterpret_cast<unsigned char*>(out.data());
  host_attend_mma(a, mma_shape(a), 10);
  host_merge(a, merge_shape(a), 11);
  // Codes are decoded to f16 in their own units, and so are weights; with bf16 pages weights are bf16.
  const bool any_bf16 = c.number == Number::bf16 && c.coded < pages;
  const float bound = (any_bf16 ? 0x1p-8f : 0x1p-10f) * 2 * c.value_scale * (c.coded > 0 ? 4.0f : 1.0f);
  for (size_t i = 0; i < out.size(); ++i) ASSERT_NEAR(out[i], expected[i], bound) << i;
  for (size_t i = 0; i < state.size(); ++i) {
    EXPECT_NEAR(state[i], weights[i], (c.coded > 0 ? 2e-2 : 1e-4) * std::max(1.0f, std::abs(weights[i]))) << i;
  }

  // Threads and blocks in another order: the same bits.
  const std::vector<float> first = out;
  host_attend_mma(a, mma_shape(a), 987654321);
  host_merge(a, merge_shape(a), 3);
  EXPECT_EQ(std::memcmp(first.data(), out.data(), out.size() * sizeof(float)), 0);
}

constexpr Number f16 = Number::f16, bf16 = Number::bf16;
INSTANTIATE_TEST_SUITE_P(Sequences, MmaTest,
                         testing::Values(MmaCase{"", 0, 0, 2, 4, 128, 128, 64, 0, 300, 3, 0, f16},
                                         MmaCase{"", 0, 0, 2, 8, 64, 64, 16, 0, 129, 2, 0, bf16},
                                         MmaCase{"", 0, 0, 1, 16, 128, 64, 32, 0, 77, 1, 0, f16},
                                         MmaCase{"", 0, 0, 1, 2, 32, 128, 16, 0, 33, 5, 0, bf16},
                                         MmaCase{"", 0, 0, 1, 12, 96, 64, 16, 0, 200, 2, 50, f16},
                                         MmaCase{"", 0, 0, 1, 24, 64, 64, 64, 0, 65, 2, 0, f16},
                                         MmaCase{"", 0, 0, 2, 3, 64, 128, 64, 0, 2, 4, 0, bf16},
                                         MmaCase{"int8", 8, 8, 2, 4, 128, 128, 64, 3, 250, 2, 0, f16},
                                         MmaCase{"int4", 4, 4, 1, 8, 64, 64, 64, 2, 200, 1, 0, f16},
                                         MmaCase{"int4", 4, 4, 2, 5, 128, 128, 128, 2, 256, 3, 0, bf16},
                                         MmaCase{"int8", 8, 8, 1, 16, 64, 128, 96, 2, 300, 2, 70, bf16},
                                         MmaCase{"mixed", 8, 4, 1, 4, 96, 64, 32, 4, 150, 2, 0, f16},
                                         MmaCase{"mixed", 2, 8, 1, 7, 64, 64, 64, 1, 100, 2, 0, f16},
                                         MmaCase{"int8", 8, 8, 1, 4, 64, 64, 64, 2, 180, 2, 0, bf16, 1e6f},
                                         MmaCase{"int8", 8, 8, 1, 4, 64, 64, 64, 2, 180, 2, 0, bf16, 1e-6f}));

TEST(MmaShapeTest, LeavesToThePortableKernelWhatItCannotDo) {
  AttendArgs a;
  a.page.n_layers = 1, a.page.n_heads = 1, a.page.dim[0] = a.page.dim[1] = 128, a.page.page_tokens = 64;
  a.page.number = a.query_number = Number::f16, a.group = 4;
  a.clear.token = 256, a.clear.head = 256 * 64;
  EXPECT_TRUE(fits_mma(a));
  const auto not_with = [&](auto change) {
    AttendArgs other = a;
    change(other);
    return !fits_mma(other);
  };
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.group = 1; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.query_number = Number::f32; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.page.number = Number::e4m3; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.page.dim[0] = 80; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.page.dim[1] = 256; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.page.page_tokens = 24; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.clear.base = 8; }));
  EXPECT_TRUE(not_with([](AttendArgs& x) { x.clear.token = 264; }));
}

}  // namespace
}  // namespace kvc_cuda
