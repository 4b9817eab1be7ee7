// Attention over the codes of klt, lowrank and auto by the kernels on the host, against sums in double precision over
// what the library decodes of the pages.
#include "klt_pages.h"

namespace kvc_cuda {
namespace {

struct AttendCase {
  KltCase page;
  uint32_t group, splits, pages, missing;  // missing: tokens of the last page that are not seen
  bool mma;                                // whether tensor cores can do it
};
void PrintTo(const AttendCase& c, std::ostream* out) {
  PrintTo(c.page, out);
  *out << " group " << c.group << " splits " << c.splits << " pages " << c.pages;
}

class KltAttendTest : public testing::TestWithParam<AttendCase> {};

TEST_P(KltAttendTest, EqualsSumsOverDecodedPages) {
  const AttendCase& c = GetParam();
  KltPages pages(c.page, c.pages);
  const kvc::PageGeometry& g = pages.g;
  const uint32_t dim = c.page.dim, heads = g.n_kv_heads * c.group, length = c.pages * g.page_tokens - c.missing;
  constexpr uint32_t kLayer = 1;

  std::vector<std::vector<float>> clear(c.pages);  // [page][number]
  float largest_key = 0, largest_value = 0;
  for (uint32_t page = 0; page < c.pages; ++page) {
    const std::vector<std::byte> decoded = pages.decoded(page);
    clear[page].resize(decoded.size() / g.row_bytes(KVC_KEY) * dim);
    kvc::to_f32(g.dtype, decoded.data(), clear[page].data(), clear[page].size());
  }
  const auto row = [&](int plane, uint32_t head, uint32_t token) {
    const size_t at = g.head_offset(kLayer, plane, head) + token % g.page_tokens * g.row_bytes(plane);
    return &clear[token / g.page_tokens][at / g.row_bytes(plane) * dim];
  };
  for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
    for (uint32_t t = 0; t < length; ++t) {
      for (uint32_t d = 0; d < dim; ++d) {
        largest_key = std::max(largest_key, std::abs(row(KVC_KEY, head, t)[d]));
        largest_value = std::max(largest_value, std::abs(row(KVC_VALUE, head, t)[d]));
      }
    }
  }

  Random random(77);
  std::vector<float> query(heads * dim), out(query.size());
  for (float& x : query) x = static_cast<float>(random.unit() * 2 - 1) / largest_key;
  std::vector<uint64_t> tables;
  for (uint32_t page = 0; page < c.pages; ++page) tables.push_back(reinterpret_cast<uint64_t>(&pages.page(page)));
  KltAttendArgs a;
  a.form = pages.form;
  a.calibration = pages.learned();
  a.chunk = klt_attend_chunk(a.form, a.calibration != nullptr);
  ASSERT_GT(a.chunk, 0u);
  AttendArgs& all = a.attend;
  all.page.dim[0] = all.page.dim[1] = dim, all.page.page_tokens = g.page_tokens, all.page.n_layers = g.n_layers;
  all.page.n_heads = g.n_kv_heads, all.page.number = static_cast<Number>(g.dtype);
  all.page.norm = 1.0f / std::sqrt(static_cast<float>(rotated_block(dim)));
  all.query = reinterpret_cast<const unsigned char*>(query.data());
  all.lengths = &length, all.coded_pages = tables.data(), all.coded_stride = c.pages;
  all.sequences = 1, all.kv_heads = g.n_kv_heads, all.group = c.group, all.splits = c.splits, all.layer = kLayer;
  // Half of the splits are of another kernel, which saw nothing.
  all.other_splits = c.splits, all.first_split = c.splits;
  const double scale = 16 / std::sqrt(static_cast<double>(dim));
  all.scale = static_cast<float>(scale * 1.44269504088896341);
  std::vector<float> partial(partial_bytes(all) / sizeof(float), std::nanf(""));
  all.partial = partial.data();
  all.out = reinterpret_cast<unsigned char*>(out.data());
  const uint32_t none = 0;
  AttendArgs other = all;
  other.lengths = &none, other.first_split = 0;
  ASSERT_EQ(fits_klt_mma(a), c.mma);
  for (const bool mma : {false, true}) {
    if (mma && !c.mma) continue;
    std::vector<float> before;
    for (const uint64_t seed : {1, 2}) {
      host_attend(other, attend_shape(other), seed);
      const Shape shape = mma ? klt_mma_shape(a) : klt_attend_shape(a);
      ASSERT_LE(shape.shared, kSharedBytes);
      (mma ? host_attend_klt_mma : host_attend_klt)(a, shape, seed);
      host_merge(all, merge_shape(all), seed);
      if (seed == 2) {
        EXPECT_EQ(std::memcmp(before.data(), out.data(), out.size() * sizeof(float)), 0);
      }
      before = out;
    }
    // What is decoded was rounded to the page's dtype, what is attended over is not.
    const double rounded = g.dtype == DType::f32 ? 0 : g.dtype == DType::f16 ? 0x1p-10 : 0x1p-7;
    const double bound = (3e-6 + rounded + (mma ? 0x1p-10 : 0)) * static_cast<double>(largest_value);
    double most = 0;
    for (uint32_t head = 0; head < heads; ++head) {
      std::vector<double> expected(dim);
      double sum = 0;
      for (uint32_t t = 0; t < length; ++t) {
        double score = 0;
        for (uint32_t d = 0; d < dim; ++d)
          score += double{query[head * dim + d]} * double{row(KVC_KEY, head / c.group, t)[d]};
        const double weight = std::exp(score * scale);
        sum += weight;
        for (uint32_t d = 0; d < dim; ++d) expected[d] += weight * double{row(KVC_VALUE, head / c.group, t)[d]};
      }
      for (uint32_t d = 0; d < dim; ++d) {
        const double difference = std::abs(double{out[head * dim + d]} - expected[d] / sum);
        most = std::max(most, difference);
        ASSERT_LE(difference, bound) << "head " << head << " number " << d << (mma ? ", tensor cores" : "");
      }
    }
    RecordProperty(mma ? "most_mma" : "most", std::to_string(most / static_cast<double>(largest_value)));
  }
}

constexpr DType f32 = DType::f32, f16 = DType::f16, bf16 = DType::bf16;
INSTANTIATE_TEST_SUITE_P(
    Pages, KltAttendTest,
    testing::Values(AttendCase{{"klt", Learned::no, 2, 1, 32, 64, 4, 0, false, f32}, 2, 2, 2, 3, false},
                    AttendCase{{"klt", Learned::bits, 2, 1, 64, 64, 0, 32, false, f32}, 4, 2, 3, 0, true},
                    AttendCase{{"klt", Learned::bits, 2, 2, 64, 64, 4, 32, true, bf16}, 3, 3, 2, 5, true},
                    AttendCase{{"lowrank", Learned::bits, 2, 1, 96, 40, 1, 20, false, f32}, 9, 1, 3, 7, true},
                    AttendCase{{"auto", Learned::levels, 4, 2, 24, 72, 3, 12, true, f16}, 1, 4, 3, 71, true},
                    AttendCase{{"auto", Learned::levels, 2, 1, 128, 128, 0, 64, false, f32}, 8, 2, 2, 0, true},
                    AttendCase{{"auto", Learned::levels, 2, 1, 7, 9, 9, 2, true, f32}, 2, 2, 5, 1, false},
                    AttendCase{{"klt", Learned::no, 1, 1, 5, 130, 64, 0, false, f32}, 2, 5, 2, 0, false},
                    AttendCase{{"klt", Learned::bits, 3, 3, 80, 16, 0, 40, false, f32}, 2, 2, 4, 2, false},
                    AttendCase{{"klt", Learned::bits, 2, 1, 128, 64, 4, 0, false, f32}, 5, 2, 2, 0, false},
                    AttendCase{{"auto", Learned::levels, 4, 2, 48, 24, 2, 0, false, f32}, 10, 3, 5, 3, false},
                    AttendCase{{"klt", Learned::bits, 1, 1, 256, 32, 0, 128, false, f16}, 2, 1, 2, 0, false},
                    AttendCase{{"klt", Learned::bits, 1, 1, 1, 1, 0, 0, false, f32}, 1, 1, 3, 0, false}));

TEST(KltAttendRoomTest, KeepsToSharedMemoryWhateverTheForm) {
  for (uint32_t heads = 1; heads <= 4; ++heads) {
    for (uint32_t dim = 1; dim <= kAttendDim; ++dim) {
      for (const uint32_t pairs : {uint32_t{0}, dim / 2}) {
        KltAttendArgs a;
        a.form = {1, heads, dim, dim, 64, heads, pairs};
        a.calibration = reinterpret_cast<const unsigned char*>(&a);
        a.chunk = klt_attend_chunk(a.form, true);
        if (a.chunk == 0) {
          EXPECT_GT(heads * dim, 200u);
          continue;
        }
        EXPECT_LE(klt_attend_shape(a).shared, kSharedBytes);
        if (fits_klt_mma(a)) {
          EXPECT_LE(klt_mma_shape(a).shared, kSharedBytes);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kvc_cuda
