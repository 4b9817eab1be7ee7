// Read: bit for bit what was appended, in every layout, from every position, committed or not.
#include "core_support.h"

namespace kvc_test {
namespace {

class CoreReadTest : public ::testing::TestWithParam<int32_t> {};

TEST_P(CoreReadTest, GivesBackTheBitsInEveryLayoutAndRange) {
  Geometry g;
  g.dtype = GetParam();
  g.heads = 3;
  g.k_dim = 6;
  g.v_dim = 10;
  Engine engine;
  Space space(engine, g);
  for (Layout in : {Layout::thd, Layout::htd, Layout::padded}) {
    Session s(space, nullptr, 0, false);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(11), in), s);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(3, 12), in), s);  // ends inside a page
    for (Layout out : {Layout::thd, Layout::htd, Layout::padded})
      for (uint32_t layer = 0; layer < g.layers; ++layer)
        for (int plane : {KVC_KEY, KVC_VALUE})
          for (size_t from = 0; from < 14; ++from)
            for (size_t n = 1; from + n <= 14; ++n) ASSERT_EQ("", s.compare(layer, plane, from, n, out));
  }
}

TEST_P(CoreReadTest, DecodesToFloat) {
  Geometry g;
  g.dtype = GetParam();
  g.k_dim = 5;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(10)), s);
  for (Layout layout : {Layout::thd, Layout::htd, Layout::padded})
    for (int plane : {KVC_KEY, KVC_VALUE}) {
      Block out(g, plane, 9, layout, KVC_F32);
      ASSERT_STATUS(KVC_OK, kvc_session_read(s, 1, plane, 1, 9, &out.tensor), s);
      std::vector<std::byte> row(g.dim(plane) * g.element());
      for (size_t t = 0; t < 9; ++t)
        for (uint32_t h = 0; h < g.heads; ++h) {
          put_row(g, s.seq.hashes[1 + t], 1, plane, h, row.data());
          for (uint32_t d = 0; d < g.dim(plane); ++d)
            ASSERT_EQ(decode(g.dtype, row.data() + d * g.element()), decode(KVC_F32, out.row(t, h) + 4 * d));
        }
    }
}

TEST_P(CoreReadTest, WritesNothingBetweenTheRows) {
  Geometry g;
  g.dtype = GetParam();
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  Block out(g, KVC_KEY, 6, Layout::padded);
  ASSERT_STATUS(KVC_OK, kvc_session_read(s, 0, KVC_KEY, 0, 6, &out.tensor), s);
  std::vector<bool> row_byte(out.bytes.size());
  for (size_t t = 0; t < 6; ++t)
    for (uint32_t h = 0; h < g.heads; ++h)
      for (size_t b = 0; b < g.k_dim * g.element(); ++b)
        row_byte[static_cast<size_t>(out.row(t, h) - out.bytes.data()) + b] = true;
  for (size_t i = 0; i < out.bytes.size(); ++i)
    ASSERT_TRUE(row_byte[i] || out.bytes[i] == std::byte{0xAA}) << "byte " << i;
}

INSTANTIATE_TEST_SUITE_P(Dtypes, CoreReadTest, ::testing::Values(KVC_F32, KVC_F16, KVC_BF16));

TEST(CoreReadTest2, ReadsAllLayersAtOnce) {
  Geometry g;
  g.layers = 3;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(11)), s);
  std::vector<Block> k, v;
  std::vector<kvc_tensor_t> kt, vt;
  for (uint32_t l = 0; l < 3; ++l) {
    k.emplace_back(g, KVC_KEY, 7, l == 1 ? Layout::htd : Layout::thd);
    v.emplace_back(g, KVC_VALUE, 7, Layout::padded);
    kt.push_back(k.back().tensor);
    vt.push_back(v.back().tensor);
  }
  ASSERT_STATUS(KVC_OK, kvc_session_read_all(s, 3, 7, kt.data(), vt.data(), 3), s);
  for (uint32_t l = 0; l < 3; ++l)
    for (size_t t = 0; t < 7; ++t)
      for (uint32_t h = 0; h < g.heads; ++h) {
        std::vector<std::byte> row(g.k_dim * g.element());
        put_row(g, s.seq.hashes[3 + t], l, KVC_KEY, h, row.data());
        ASSERT_EQ(0, std::memcmp(row.data(), k[l].row(t, h), row.size()));
        put_row(g, s.seq.hashes[3 + t], l, KVC_VALUE, h, row.data());
        ASSERT_EQ(0, std::memcmp(row.data(), v[l].row(t, h), row.size()));
      }
  EXPECT_STATUS(KVC_OK, kvc_session_read_all(s, 3, 7, kt.data(), nullptr, 3), s);
  EXPECT_STATUS(KVC_OK, kvc_session_read_all(s, 3, 7, nullptr, vt.data(), 3), s);
  EXPECT_NE(KVC_OK, kvc_session_read_all(s, 3, 7, kt.data(), vt.data(), 2));
}

TEST(CoreReadTest2, ReadsWhatIsNotCommittedYet) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  s.seq.extend(iota_tokens(9, 7));
  ASSERT_STATUS(KVC_OK, s.append_layer(1, 6, 9), s);
  EXPECT_EQ("", s.compare(1, KVC_KEY, 0, 15));
  EXPECT_EQ("", s.compare(1, KVC_VALUE, 5, 10));
  EXPECT_EQ("", s.compare(0, KVC_KEY, 0, 6));
  Block out(g, KVC_KEY, 1, Layout::thd);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, KVC_KEY, 6, 1, &out.tensor), s);  // layer 0 has 6 only
  EXPECT_EQ(0u, s.info().pending);
  ASSERT_STATUS(KVC_OK, s.append_layer(0, 6, 9), s);
  EXPECT_EQ(9u, s.info().pending);
  EXPECT_EQ(6u, s.info().length);
  EXPECT_EQ("", s.compare(0, KVC_VALUE, 0, 15));
}

TEST(CoreReadTest2, RefusesWhatIsNotThere) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(10)), s);
  Block out(g, KVC_KEY, 4, Layout::thd);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, KVC_KEY, 7, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, KVC_KEY, 10, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, KVC_KEY, SIZE_MAX - 1, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 2, KVC_KEY, 0, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, 2, 0, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_read(s, 0, -1, 0, 4, &out.tensor), s);
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_read(s, 0, KVC_KEY, 0, 3, &out.tensor), s);
  Block wrong(g, KVC_KEY, 4, Layout::thd, KVC_BF16);
  EXPECT_STATUS(KVC_E_DTYPE, kvc_session_read(s, 0, KVC_KEY, 0, 4, &wrong.tensor), s);
  out.tensor.size -= 1;
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_read(s, 0, KVC_KEY, 0, 4, &out.tensor), s);
  EXPECT_EQ("", s.check());
  Tokens tokens(20);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_tokens(s, 5, 6, tokens.data()), s);
  EXPECT_STATUS(KVC_OK, kvc_session_tokens(s, 5, 5, tokens.data()), s);
  EXPECT_EQ(6, tokens[0]);
}

}  // namespace
}  // namespace kvc_test
