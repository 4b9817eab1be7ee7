// Pages of codec svd, encoded by the kernels on the host: pages that the library's codec reads, and whose error is that
// of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/codec.h"
#include "host_kernels.h"

namespace kvc_cuda {
namespace {

using kvc::DType;

struct SvdCase {
  uint32_t heads, dim, page_tokens, exact;
  double ratio;
  DType dtype;
};
void PrintTo(const SvdCase& c, std::ostream* out) {
  *out << "heads " << c.heads << " dim " << c.dim << " tokens " << c.page_tokens << " exact " << c.exact << " ratio "
       << c.ratio;
}

class SvdEncodeTest : public testing::TestWithParam<SvdCase> {
 protected:
  SvdEncodeTest() {
    g.n_layers = 2, g.n_kv_heads = c.heads, g.k_dim = g.v_dim = c.dim, g.page_tokens = c.page_tokens, g.dtype = c.dtype;
    options.exact_tokens = c.exact;
    options.ratio = c.ratio;
  }

  // Rows whose energy falls off from one direction to the next, as of a model, over noise; heads of many sizes.
  std::vector<std::byte> any_page(uint64_t seed) const {
    kvc::Random random(seed);
    const auto number = [&] { return static_cast<float>(random.unit() * 2 - 1); };
    std::vector<std::byte> clear(g.page_bytes());
    for (size_t i = 0; i < size_t{g.n_layers} * 2 * g.n_kv_heads; ++i) {
      const auto size = static_cast<float>(std::pow(10.0, random.unit() * 3 - 1));
      std::vector<float> rows(size_t{c.page_tokens} * c.dim);
      for (float& x : rows) x = number() * size * .05f;
      for (int term = 0; term < 6; ++term) {
        std::vector<float> direction(c.dim);
        for (float& x : direction) x = number() * size / static_cast<float>(1 << term);
        for (uint32_t t = 0; t < c.page_tokens; ++t) {
          const float by = number();
          for (uint32_t d = 0; d < c.dim; ++d) rows[t * c.dim + d] += by * direction[d];
        }
      }
      kvc::from_f32(c.dtype, rows.data(), clear.data() + i * g.head_bytes(KVC_KEY), rows.size());
    }
    return clear;
  }

  // What the kernels make of a page; empty: they refuse it.
  std::vector<std::byte> encode(const std::vector<std::byte>& clear, uint64_t seed) const {
    SvdEncodeArgs e;
    CodeArgs& a = e.page;
    a.n_layers = g.n_layers, a.n_heads = g.n_kv_heads, a.dim[0] = a.dim[1] = c.dim, a.page_tokens = c.page_tokens;
    a.exact = std::min(c.exact, c.page_tokens);
    a.pages = 1, a.codec = kSvdCodec, a.number = static_cast<Number>(c.dtype);
    a.clear.base = reinterpret_cast<uint64_t>(clear.data());
    a.clear.page = static_cast<int64_t>(g.page_bytes()), a.clear.layer = static_cast<int64_t>(g.layer_bytes());
    a.clear.plane = static_cast<int64_t>(g.plane_bytes(KVC_KEY));
    a.clear.head = static_cast<int64_t>(g.head_bytes(KVC_KEY));
    a.clear.token = static_cast<int64_t>(g.row_bytes(KVC_KEY));
    std::vector<std::byte> out(codec.encoded_bytes(g, options), std::byte{0xcd});
    const uint64_t at = reinterpret_cast<uint64_t>(out.data());
    uint32_t failed = 0;
    a.coded_pages = &at, a.failed = &failed;
    std::vector<float> room(SvdRoom(a).bytes() / sizeof(float), -7.0f);
    e.room = reinterpret_cast<unsigned char*>(room.data());
    e.bytes = out.size();
    const SvdShapes shapes = svd_encode_shapes(e);
    EXPECT_LE(shapes.terms.shared, kSharedBytes);
    host_svd_terms(e, shapes.terms, seed);
    host_svd_share(e, shapes.share, seed);
    host_svd_place(e, shapes.place, seed);
    if (failed != 0) out.clear();
    return out;
  }

  double error_of(const std::vector<std::byte>& clear, const std::vector<std::byte>& coded, double* energy) const {
    double error = 0;
    *energy = 0;
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        kvc::PlaneError measured;
        const kvc::Status status = kvc::measure_error(codec, g, clear, coded, layer, plane, &measured);
        EXPECT_TRUE(status.is_ok()) << status.message();
        error += measured.error, *energy += measured.energy;
      }
    }
    return error;
  }

  const SvdCase& c = GetParam();
  const kvc::Codec& codec = *kvc::find_codec("svd");
  kvc::PageGeometry g;
  kvc::EncodeOptions options;
};

TEST_P(SvdEncodeTest, ItsErrorIsThatOfTheLibrary) {
  for (const uint64_t seed : {1, 2}) {
    const std::vector<std::byte> clear = any_page(seed);
    const std::vector<std::byte> got = encode(clear, seed);
    std::vector<std::byte> expected(got.size());
    const kvc::Status encoded = codec.encode(g, options, clear, expected);
    ASSERT_TRUE(encoded.is_ok()) << encoded.message();
    double energy = 0;
    const double error = error_of(clear, got, &energy), least = error_of(clear, expected, &energy);
    // No other terms of that number do better than the library's, but for rounding to 11 bits.
    EXPECT_LE(error, least * 1.001 + energy * 1e-7) << "of " << energy;
    EXPECT_GE(error, least * .999 - energy * 1e-7);
    // Header, exact rows; and how many terms each head has, but where the last ones are alike.
    ASSERT_EQ(std::memcmp(got.data(), expected.data(), 64), 0);
    int64_t moved = 0, all = 0;
    for (size_t head = 0; head < size_t{g.n_layers} * 2 * g.n_kv_heads; ++head) {
      uint32_t rank[2];
      std::memcpy(&rank[0], got.data() + 64 + head * 8 + 4, 4);
      std::memcpy(&rank[1], expected.data() + 64 + head * 8 + 4, 4);
      moved += std::abs(int64_t{rank[0]} - int64_t{rank[1]}), all += rank[1];
    }
    EXPECT_LE(moved, all / 50) << "of " << all;
  }
}

class SvdEdgeTest : public SvdEncodeTest {};

TEST_P(SvdEdgeTest, TheOrderOfThreadsIsNothingToIt) {
  const std::vector<std::byte> clear = any_page(1);
  EXPECT_EQ(encode(clear, 1), encode(clear, 10));
}

TEST_P(SvdEdgeTest, HeadsOfNothingHaveNoEnergyAndStayNothing) {
  std::vector<std::byte> clear = any_page(4);
  std::memset(clear.data() + g.head_offset(1, KVC_KEY, 0), 0, g.head_bytes(KVC_KEY));
  const std::vector<std::byte> got = encode(clear, 1);
  std::vector<std::byte> head(g.plane_bytes(KVC_KEY), std::byte{0xcd});
  const kvc::Status decoded = codec.decode(g, got, 1, KVC_KEY, 0, c.page_tokens, head.data(), g.head_bytes(KVC_KEY),
                                           g.row_bytes(KVC_KEY));
  ASSERT_TRUE(decoded.is_ok()) << decoded.message();
  std::vector<float> numbers(size_t{c.page_tokens} * c.dim);
  kvc::to_f32(c.dtype, head.data(), numbers.data(), numbers.size());
  for (const float x : numbers) ASSERT_EQ(x, 0.0f);
  std::memset(clear.data(), 0, clear.size());
  double energy = 0;
  EXPECT_EQ(error_of(clear, encode(clear, 1), &energy), 0);
}

// The processor has them then: what is not finite, or has squares that floats do not hold.
TEST_P(SvdEdgeTest, RefusesNumbersOutOfItsRange) {
  const std::vector<std::byte> clear = any_page(5);
  std::vector<float> bad = {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
  if (c.dtype != DType::f16) bad.push_back(1e30f);
  for (const float number : bad) {
    std::vector<std::byte> damaged = clear;
    const size_t at = g.head_offset(1, KVC_VALUE, c.heads - 1) + (c.page_tokens - 1) * g.row_bytes(KVC_VALUE);
    kvc::from_f32(c.dtype, &number, damaged.data() + at, 1);
    EXPECT_EQ(encode(damaged, 1).empty(), c.exact < c.page_tokens) << number;
  }
}

constexpr DType f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
INSTANTIATE_TEST_SUITE_P(Pages, SvdEncodeTest,
                         testing::Values(SvdCase{1, 128, 64, 0, .25, f16}, SvdCase{2, 40, 40, 4, .5, bf16},
                                         SvdCase{3, 24, 72, 4, .3, f32}, SvdCase{1, 76, 130, 0, .2, f16},
                                         SvdCase{2, 7, 9, 9, .9, f32}, SvdCase{1, 16, 16, 0, 0, f32},
                                         SvdCase{2, 33, 20, 1, .15, f16}, SvdCase{2, 64, 16, 0, .01, f16}));
INSTANTIATE_TEST_SUITE_P(Pages, SvdEdgeTest,
                         testing::Values(SvdCase{2, 24, 40, 4, .3, f32}, SvdCase{2, 7, 9, 9, .9, f32},
                                         SvdCase{2, 33, 20, 1, .15, bf16}, SvdCase{1, 16, 16, 0, .01, f16}));

}  // namespace
}  // namespace kvc_cuda
