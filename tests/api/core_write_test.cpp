// Append, commit, truncate, fork: what is kept, what is refused, and that a refusal changes nothing.
#include <algorithm>
#include <numeric>
#include <thread>

#include "core_support.h"

namespace kvc_test {
namespace {

// Appends seq[from, from + n) layer by layer in a random order, in pieces of random sizes.
void append_in_pieces(Session& s, const Geometry& g, size_t from, size_t n, std::mt19937_64& random) {
  std::vector<size_t> done(g.layers, 0);
  std::vector<uint32_t> open(g.layers);
  std::iota(open.begin(), open.end(), 0u);
  while (!open.empty()) {
    const size_t pick = random() % open.size();
    const uint32_t layer = open[pick];
    const size_t piece = std::min<size_t>(n - done[layer], 1 + random() % 7);
    ASSERT_STATUS(KVC_OK, s.append_layer(layer, from + done[layer], piece, static_cast<Layout>(random() % 3)), s);
    done[layer] += piece;
    if (done[layer] == n) open.erase(open.begin() + static_cast<ptrdiff_t>(pick));
  }
}

TEST(CoreWriteTest, AppendsInPiecesInAnyOrderOfLayers) {
  Geometry g;
  g.layers = 5;
  g.k_dim = 6;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Engine engine;
    Space space(engine, g);
    Session s(space);
    for (int round = 0; round < 4; ++round) {
      const size_t from = s.seq.size();
      const Tokens tokens = random_tokens(random, 1 + random() % 17);
      s.seq.extend(tokens);
      append_in_pieces(s, g, from, tokens.size(), random);
      ASSERT_STATUS(KVC_OK, kvc_session_commit(s, tokens.data(), tokens.size()), s);
      ASSERT_EQ("", s.check());
    }
    Session again(space);
    EXPECT_EQ(s.seq.size() / g.page_tokens * g.page_tokens, again.match(s.seq.tokens));
    EXPECT_EQ("", again.check());
  }
}

TEST(CoreWriteTest, RefusedCommitsChangeNothing) {
  Geometry g;
  g.vocab = 100;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  s.seq.extend(iota_tokens(5, 7));
  Tokens tokens = iota_tokens(5, 7);
  const auto commit = [&](const Tokens& t) { return kvc_session_commit(s, t.data(), t.size()); };
  EXPECT_STATUS(KVC_E_MISSING_LAYERS, commit(tokens), s);
  ASSERT_STATUS(KVC_OK, s.append_layer(0, 6, 5), s);
  EXPECT_STATUS(KVC_E_MISSING_LAYERS, commit(tokens), s);
  EXPECT_NE(std::string::npos, words(s).find("1")) << "must name layer 1: " << words(s);
  ASSERT_STATUS(KVC_OK, s.append_layer(1, 6, 5), s);
  EXPECT_STATUS(KVC_E_MISSING_LAYERS, commit(prefix(tokens, 4)), s);  // every layer has exactly n more
  EXPECT_STATUS(KVC_E_MISSING_LAYERS, commit(concat(tokens, {50})), s);
  Tokens bad = tokens;
  bad[4] = 100;
  EXPECT_STATUS(KVC_E_TOKEN, commit(bad), s);
  bad[4] = -1;
  EXPECT_STATUS(KVC_E_TOKEN, commit(bad), s);
  EXPECT_EQ(6u, s.info().length);
  EXPECT_EQ(5u, s.info().pending);
  EXPECT_EQ(1u, engine.stats().pages);
  ASSERT_STATUS(KVC_OK, commit(tokens), s);
  EXPECT_EQ("", s.check());
  EXPECT_EQ(2u, engine.stats().pages);
}

TEST(CoreWriteTest, RefusedAppendsChangeNothing) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  s.seq.extend(iota_tokens(4, 7));
  Block k = rows_of(g, s.seq, 0, KVC_KEY, 6, 4), v = rows_of(g, s.seq, 0, KVC_VALUE, 6, 4);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_append(s, 2, &k.tensor, &v.tensor, 4), s);
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_append(s, 0, &k.tensor, &v.tensor, 3), s);
  EXPECT_NE(KVC_OK, kvc_session_append(s, 0, nullptr, &v.tensor, 4));
  kvc_tensor_t wrong = v.tensor;
  wrong.shape[1] = 1;
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_append(s, 0, &k.tensor, &wrong, 4), s);
  wrong = v.tensor;
  wrong.shape[2] = 3;
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_append(s, 0, &k.tensor, &wrong, 4), s);
  wrong = v.tensor;
  wrong.dtype = KVC_BF16;
  EXPECT_STATUS(KVC_E_DTYPE, kvc_session_append(s, 0, &k.tensor, &wrong, 4), s);
  wrong = v.tensor;
  wrong.size -= 1;
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_append(s, 0, &k.tensor, &wrong, 4), s);
  // All or nothing for all layers: the second one is wrong, so the first is not kept.
  kvc_tensor_t ks[2] = {k.tensor, k.tensor}, vs[2] = {v.tensor, wrong};
  EXPECT_STATUS(KVC_E_SHAPE, kvc_session_append_all(s, ks, vs, 2, 4), s);
  EXPECT_NE(KVC_OK, kvc_session_append_all(s, ks, vs, 1, 4));
  s.seq.truncate(6);
  EXPECT_EQ("", s.check());
  ASSERT_STATUS(KVC_OK, s.add({70, 71, 72}), s);
  EXPECT_EQ("", s.check());
}

TEST(CoreWriteTest, TruncatesAnywhereAndGoesOnDifferently) {
  Geometry g;
  for (size_t length : {0u, 1u, 4u, 7u, 8u, 13u, 16u})
    for (size_t cut = 0; cut <= length; ++cut) {
      SCOPED_TRACE(std::to_string(length) + " cut to " + std::to_string(cut));
      Engine engine;
      Space space(engine, g);
      Session s(space);
      ASSERT_STATUS(KVC_OK, s.add(iota_tokens(length)), s);
      ASSERT_STATUS(KVC_OK, s.truncate(cut), s);
      EXPECT_EQ("", s.check());
      ASSERT_STATUS(KVC_OK, s.add(iota_tokens(9, 600)), s);
      EXPECT_EQ("", s.check());
      ASSERT_STATUS(KVC_OK, s.truncate(cut + 2), s);
      ASSERT_STATUS(KVC_OK, s.add({1000, 1001, 1002, 1003, 1004}), s);
      EXPECT_EQ("", s.check());
      // What was cut off is still stored for others, in its own pages or at the beginning of those that came after the
      // cut.
      Session other(space);
      EXPECT_EQ(std::max<size_t>(length / g.page_tokens * g.page_tokens, cut), other.match(iota_tokens(length)));
      EXPECT_EQ("", other.check());
      EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_truncate(s, s.seq.size() + 1), s);
      EXPECT_EQ("", s.check());
    }
}

TEST(CoreWriteTest, TruncateDropsWhatIsNotCommitted) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  s.seq.extend(iota_tokens(9, 7));
  ASSERT_STATUS(KVC_OK, s.append_layer(0, 6, 9), s);
  ASSERT_STATUS(KVC_OK, s.append_layer(1, 6, 2), s);
  ASSERT_STATUS(KVC_OK, s.truncate(6), s);
  EXPECT_EQ("", s.check());
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(9, 300)), s);
  EXPECT_EQ("", s.check());
}

TEST(CoreForkTest, BranchesGoTheirOwnWays) {
  Geometry g;
  for (size_t length = 0; length <= 9; ++length) {
    SCOPED_TRACE(length);
    Engine engine;
    Space space(engine, g);
    Session parent(space);
    ASSERT_STATUS(KVC_OK, parent.add(iota_tokens(length)), parent);
    const uint64_t before = engine.stats().memory_payload;
    Session a = parent.fork(), b = parent.fork();
    ASSERT_EQ(KVC_OK, a.opened());
    ASSERT_EQ(KVC_OK, b.opened());
    EXPECT_EQ(before, engine.stats().memory_payload) << "a fork copies nothing";
    EXPECT_EQ("", a.check());
    ASSERT_STATUS(KVC_OK, a.add(iota_tokens(6, 200)), a);
    EXPECT_EQ("", a.check());
    EXPECT_EQ("", parent.check());
    EXPECT_EQ("", b.check());
    ASSERT_STATUS(KVC_OK, parent.add(iota_tokens(6, 300)), parent);
    ASSERT_STATUS(KVC_OK, b.add(iota_tokens(6, 400)), b);
    for (Session* s : {&a, &b, &parent}) EXPECT_EQ("", s->check());
    Session c = a.fork();
    ASSERT_STATUS(KVC_OK, a.truncate(length / 2), a);
    ASSERT_STATUS(KVC_OK, a.add(iota_tokens(3, 500)), a);
    parent.close();
    ASSERT_STATUS(KVC_OK, c.add({7, 7, 7, 7, 7}), c);
    for (Session* s : {&a, &b, &c}) EXPECT_EQ("", s->check());
  }
}

TEST(CoreForkTest, IsRefusedWithUncommittedTokens) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  s.seq.extend({1});
  ASSERT_STATUS(KVC_OK, s.append_layer(0, 0, 1), s);
  kvc_session_t* fork = nullptr;
  EXPECT_STATUS(KVC_E_ORDER, kvc_session_fork(s, &fork), s);
  EXPECT_EQ(nullptr, fork);
}

TEST(CoreForkTest, ForksTakeTheLastPageWhenItsFirstOwnerIsGone) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session leaf;
  {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
    leaf = s.fork();
  }
  EXPECT_EQ("", leaf.check());
  ASSERT_STATUS(KVC_OK, leaf.add(iota_tokens(2, 7)), leaf);
  EXPECT_EQ("", leaf.check());
  EXPECT_EQ(8u, Session(space).match(iota_tokens(8)));
}

TEST(CoreDedupeTest, SessionsOverTheSamePrefixEndWithOneCopy) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s[4] = {Session(space), Session(space), Session(space), Session(space)};
  const Tokens tokens = iota_tokens(14);
  for (Session& one : s) one.seq.extend(tokens);
  for (uint32_t layer = 0; layer < g.layers; ++layer)  // all at once, side by side
    for (Session& one : s) ASSERT_STATUS(KVC_OK, one.append_layer(layer, 0, 14), one);
  for (Session& one : s) ASSERT_STATUS(KVC_OK, kvc_session_commit(one, tokens.data(), tokens.size()), one);
  for (Session& one : s) EXPECT_EQ("", one.check());
  const kvc_stats_t stats = engine.stats();
  EXPECT_EQ(3u, stats.pages);
  EXPECT_EQ(9u, stats.pages_deduplicated);
  EXPECT_EQ(12u, stats.pages_sealed) << "3 pages by each of 4 sessions, 9 of them twice";
  EXPECT_EQ((3 + 4) * g.page_bytes(), stats.memory_payload) << "3 shared pages and 4 tails";
  for (Session& one : s) one.close();
  EXPECT_EQ(4u, engine.stats().pages) << "the four equal tails become one page too";
  EXPECT_EQ(4 * g.page_bytes(), engine.stats().memory_payload);
}

TEST(CoreDedupeTest, ThreadsOverTheSamePrefixEndWithOneCopy) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  constexpr int kThreads = 6;
  const Tokens tokens = iota_tokens(40);
  std::vector<std::thread> threads;
  std::vector<std::string> problems(kThreads);
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < 10 && problems[t].empty(); ++round) {
        Session s(space);
        for (size_t at = 0; at < tokens.size(); at += 5) {
          if (s.add(Tokens(tokens.begin() + static_cast<ptrdiff_t>(at),
                           tokens.begin() + static_cast<ptrdiff_t>(at) + 5)) != KVC_OK)
            problems[t] = words(s);
        }
        if (problems[t].empty()) problems[t] = s.check();
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& p : problems) EXPECT_EQ("", p);
  const kvc_stats_t stats = engine.stats();
  EXPECT_EQ(10u, stats.pages);
  EXPECT_EQ(uint64_t{kThreads} * 10 * 10, stats.pages_sealed);
  EXPECT_EQ(uint64_t{kThreads} * 10 * 10 - 10, stats.pages_deduplicated);
  EXPECT_EQ(10 * g.page_bytes(), stats.memory_payload);
}

}  // namespace
}  // namespace kvc_test
