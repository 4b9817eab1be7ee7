// Looking at pages: the walk, single pages, and that all numbers agree with one another.
#include <set>

#include "core_support.h"

namespace kvc_test {
namespace {

std::string id_of(const uint8_t* id) { return std::string(reinterpret_cast<const char*>(id), 32); }

TEST(CorePagesTest, TheWalkAgreesWithEverythingElse) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  std::mt19937_64 random(3);
  std::vector<std::pair<std::string, Tokens>> stored;  // tenant, tokens
  std::map<std::string, Tokens> want;                  // page -> its tokens
  for (int i = 0; i < 40; ++i) {
    const std::string tenant = i % 3 == 0 ? "a" : "b";
    Tokens t = prefix(iota_tokens(24), random() % 25);
    t = concat(t, random_tokens(random, random() % 20));
    Session s(space, tenant.c_str());
    ASSERT_STATUS(KVC_OK, s.prompt(t), s);
    std::vector<uint8_t> ids(32 * (t.size() / g.page_tokens + 1));
    size_t n = 0;
    ASSERT_EQ(KVC_OK, kvc_space_page_ids(space, tenant.c_str(), t.data(), t.size(), ids.data(), ids.size() / 32, &n));
    for (size_t p = 0; p < n; ++p)
      want[id_of(&ids[32 * p])] = Tokens(t.begin() + static_cast<ptrdiff_t>(p * g.page_tokens),
                                         t.begin() + static_cast<ptrdiff_t>((p + 1) * g.page_tokens));
  }
  const kvc_stats_t stats = engine.stats();
  const kvc_space_info_t info = space.info();
  uint64_t bytes = 0, short_pages = 0;
  std::map<std::string, kvc_page_info_t> seen;
  std::map<std::string, uint32_t> children;
  for (const kvc_page_info_t& p : engine.pages()) {
    const std::string id = id_of(p.id), parent = id_of(p.parent);
    bytes += p.bytes;
    if (p.n_tokens < g.page_tokens) {  // the unfinished end of a closed session
      ++short_pages;
      EXPECT_EQ(0u, p.children);
      EXPECT_TRUE(p.position == 0 || seen.count(parent) == 1) << "a child before its parent";
      if (p.position > 0) children[parent]++;
      Tokens tokens(g.page_tokens);
      size_t n = 0;
      ASSERT_EQ(KVC_OK, kvc_page_tokens(engine, p.id, tokens.data(), tokens.size(), &n));
      EXPECT_EQ(p.n_tokens, n);
      continue;
    }
    ASSERT_EQ(1u, want.count(id)) << "a page that nobody stored, or of another identity than kvc_space_page_ids gives";
    EXPECT_EQ(id_of(info.digest), id_of(p.space));
    if (p.position == 0) {
      EXPECT_EQ(id_of(info.digest), parent);
    } else {
      ASSERT_EQ(1u, seen.count(parent)) << "a child before its parent";
      EXPECT_EQ(seen[parent].position + g.page_tokens, p.position);
      children[parent]++;
    }
    EXPECT_TRUE(seen.emplace(id, p).second) << "twice";
    EXPECT_EQ(g.page_tokens, p.n_tokens);
    EXPECT_EQ(KVC_TIER_HOST, p.tier);
    EXPECT_STREQ("identity", p.codec);
    EXPECT_EQ(0u, p.references);
    EXPECT_EQ(0u, p.pinned);
    EXPECT_GT(p.metadata_bytes, 0u);
    // The same page by its name.
    kvc_page_info_t one{};
    one.struct_size = sizeof one;
    ASSERT_EQ(KVC_OK, kvc_page_info(engine, p.id, &one));
    EXPECT_EQ(p.position, one.position);
    EXPECT_EQ(p.bytes, one.bytes);
    EXPECT_EQ(p.children, one.children);
    EXPECT_EQ(parent, id_of(one.parent));
    Tokens tokens(g.page_tokens);
    size_t n = 0;
    ASSERT_EQ(KVC_OK, kvc_page_tokens(engine, p.id, tokens.data(), tokens.size(), &n));
    EXPECT_EQ(g.page_tokens, n);
    EXPECT_EQ(want[id], tokens);
    EXPECT_EQ(KVC_E_BUFFER, kvc_page_tokens(engine, p.id, tokens.data(), 3, &n));
    EXPECT_EQ(g.page_tokens, n);
  }
  EXPECT_EQ(want.size(), seen.size());
  for (const auto& [id, p] : seen) EXPECT_EQ(children[id], p.children);
  EXPECT_GT(short_pages, 0u);
  EXPECT_EQ(stats.pages, seen.size() + short_pages);
  EXPECT_EQ(stats.memory_payload, bytes);
  EXPECT_EQ(stats.host_bytes, bytes);
  EXPECT_EQ(engine.pages().size(), engine.pages("a").size() + engine.pages("b").size());
  kvc_page_info_t none{};
  none.struct_size = sizeof none;
  const uint8_t nobody[32] = {1, 2, 3};
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_page_info(engine, nobody, &none));
  size_t n = 0;
  Tokens tokens(4);
  EXPECT_EQ(KVC_E_NOT_FOUND, kvc_page_tokens(engine, nobody, tokens.data(), 4, &n));
}

TEST(CorePagesTest, CountsUsesAndReferencesAndTime) {
  TestClock clock;
  const kvc_clock_t table = clock.table();
  Geometry g;
  Engine engine({}, nullptr, &table);
  Space space(engine, g);
  {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
  }
  clock.advance(5'000'000'000);
  Session a(space), b(space);
  EXPECT_EQ(4u, a.match(iota_tokens(4)));
  EXPECT_EQ(8u, b.match(iota_tokens(8)));
  clock.advance(1'000'000'000);
  const std::vector<kvc_page_info_t> pages = engine.pages();
  ASSERT_EQ(2u, pages.size());
  EXPECT_EQ(2u, pages[0].hits);
  EXPECT_EQ(1u, pages[1].hits);
  EXPECT_EQ(1u, pages[0].references);
  EXPECT_EQ(1u, pages[1].references);
  EXPECT_EQ(1u, pages[0].children);
  EXPECT_EQ(0u, pages[1].children);
  for (const kvc_page_info_t& p : pages) EXPECT_NEAR(6e9, static_cast<double>(p.age_ns), 1e8);
}

TEST(CorePagesTest, AnOpenWalkSeesTheMomentOfItsOpening) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(12)), s);
  }
  kvc_page_iter_t* iter = nullptr;
  ASSERT_EQ(KVC_OK, kvc_page_iter_open(engine, nullptr, &iter));
  ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
  kvc_page_info_t info{};
  info.struct_size = sizeof info;
  for (uint64_t at = 0; at < 3; ++at) {
    ASSERT_EQ(KVC_OK, kvc_page_iter_next(iter, &info));
    EXPECT_EQ(4 * at, info.position);
    kvc_page_info_t gone{};
    gone.struct_size = sizeof gone;
    EXPECT_EQ(KVC_E_NOT_FOUND, kvc_page_info(engine, info.id, &gone));
  }
  EXPECT_EQ(KVC_END, kvc_page_iter_next(iter, &info));
  EXPECT_EQ(KVC_END, kvc_page_iter_next(iter, &info));
  kvc_page_iter_close(iter);
  EXPECT_EQ(KVC_E_CLOSED, kvc_page_iter_next(iter, &info));
}

// A model of 30 layers, 3 K/V heads of 64: 64 tokens of it are 1.5 MiB of bf16.
TEST(CoreRealShapeTest, HoldsAConversationOfARealModel) {
  Geometry g;
  g.layers = 30;
  g.heads = 3;
  g.k_dim = g.v_dim = 64;
  g.dtype = KVC_BF16;
  g.page_tokens = 64;
  g.vocab = 49152;
  ASSERT_EQ(1474560u, g.page_bytes());
  Engine engine(Options{{"memory", "256MiB"}, {"gc_threshold", "1"}, {"gc_target", "1"}});
  Space space(engine, g);
  EXPECT_EQ(g.page_bytes(), space.info().page_bytes);
  std::mt19937_64 random(5);
  const Tokens document = random_tokens(random, quick() ? 310 : 1000, g.vocab);
  const uint64_t pages = document.size() / 64;
  {
    Session s(space);
    for (size_t at = 0; at < document.size(); at += 170)  // as prefill does it, in chunks
      ASSERT_STATUS(KVC_OK,
                    s.add(Tokens(document.begin() + static_cast<ptrdiff_t>(at),
                                 document.begin() + static_cast<ptrdiff_t>(std::min(document.size(), at + 170)))),
                    s);
    EXPECT_EQ(pages, s.info().pages);
    EXPECT_EQ(pages, engine.stats().pages);
    EXPECT_EQ((pages + 1) * g.page_bytes(), engine.stats().memory_payload);
    EXPECT_EQ(g.page_bytes(), s.info().tail_bytes);
    EXPECT_EQ("", s.check());
  }
  for (int question = 0; question < 2; ++question) {
    Session s(space);
    const Tokens prompt = concat(document, random_tokens(random, 30, g.vocab));
    const size_t reused = s.match(prompt);  // to the last token of the document, which ends inside a page
    EXPECT_EQ(document.size(), reused);
    ASSERT_STATUS(KVC_OK, s.add(Tokens(prompt.begin() + static_cast<ptrdiff_t>(reused), prompt.end())), s);
    for (uint32_t layer : {0u, 17u, 29u}) {
      EXPECT_EQ("", s.compare(layer, KVC_KEY, 0, s.seq.size(), Layout::htd));
      EXPECT_EQ("", s.compare(layer, KVC_VALUE, 100, s.seq.size() - 100, Layout::thd));
    }
  }
  const kvc_stats_t stats = engine.stats();
  EXPECT_LE(stats.memory_metadata, stats.pages * 512 + 64 * 1024) << "metadata is at most 512 bytes a page";
}

}  // namespace
}  // namespace kvc_test
