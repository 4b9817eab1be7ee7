// Match: to the token, at every cut point, and content that is what was appended.
#include "core_support.h"

namespace kvc_test {
namespace {

// A session that is open offers its whole pages; one that was closed also the unfinished last one.
void reuse_at_every_cut_point(uint32_t page_tokens, bool closed) {
  Geometry g;
  g.page_tokens = page_tokens;
  const size_t most = 3 * size_t{page_tokens} + 1;
  const size_t sealed = most / page_tokens * page_tokens;
  for (size_t shared = 0; shared <= most; ++shared) {
    SCOPED_TRACE("page_tokens " + std::to_string(page_tokens) + " shared " + std::to_string(shared));
    Engine engine;
    Space space(engine, g);
    Session first(space);
    ASSERT_STATUS(KVC_OK, first.add(iota_tokens(most)), first);
    if (closed) first.close();
    // The same beginning, then other tokens.
    Tokens other = iota_tokens(most);
    for (size_t i = shared; i < other.size(); ++i) other[i] += 5000;
    Session second(space);
    EXPECT_EQ(closed ? shared : std::min(shared, sealed), second.match(other));
    EXPECT_EQ("", second.check());
    // What follows is different, and the first one's pages stay as they were.
    const auto rest = other.begin() + static_cast<ptrdiff_t>(second.seq.size());
    ASSERT_STATUS(KVC_OK, second.add(Tokens(rest, other.end())), second);
    EXPECT_EQ("", second.check());
    Session third(space);
    EXPECT_EQ(closed ? most : sealed, third.match(iota_tokens(most)));
    EXPECT_EQ("", third.check());
    Session fourth(space);
    EXPECT_EQ(closed && shared == most ? most : sealed, fourth.match(other));
    EXPECT_EQ("", fourth.check());
    second.close();
    Session fifth(space);
    EXPECT_EQ(most, fifth.match(other));
    EXPECT_EQ("", fifth.check());
  }
}

TEST(CoreMatchTest, ReusesToTheTokenAtEveryCutPoint) {
  for (uint32_t page_tokens : {1u, 3u, 4u, 16u})
    for (bool closed : {false, true}) reuse_at_every_cut_point(page_tokens, closed);
}

TEST(CoreMatchTest, AFinishedSessionLeavesNoUnfinishedPage) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session first(space);
  ASSERT_STATUS(KVC_OK, first.add(iota_tokens(10)), first);
  first.close(KVC_CLOSE_FINISHED);
  EXPECT_EQ(8u, Session(space).match(iota_tokens(10)));
  EXPECT_EQ(2 * g.page_bytes(), engine.stats().memory_payload);
}

TEST(CoreMatchTest, UnfinishedPagesOfAllLengthsLieSideBySide) {
  Geometry g;
  g.page_tokens = 8;
  Engine engine;
  Space space(engine, g);
  // Short ones and long ones, of the same tokens and of others, in an order that is none.
  for (size_t n : {3u, 7u, 1u, 5u, 8u, 2u, 6u, 4u}) {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.prompt(iota_tokens(n)), s);
    Session other(space);
    ASSERT_STATUS(KVC_OK, other.prompt(concat(iota_tokens(n - 1), iota_tokens(3, 900))), other);
  }
  for (size_t n = 1; n <= 8; ++n) {
    Session s(space);
    EXPECT_EQ(n, s.match(iota_tokens(n)));
    EXPECT_EQ("", s.check());
    Session other(space);
    EXPECT_EQ(n + 2, other.match(concat(iota_tokens(n - 1), iota_tokens(4, 900))));
    EXPECT_EQ("", other.check());
    ASSERT_STATUS(KVC_OK, other.add(iota_tokens(9, 2000)), other);
    EXPECT_EQ("", other.check());
  }
}

TEST(CoreMatchTest, ReusesAtEveryLengthOfTheQuestion) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session first(space);
  ASSERT_STATUS(KVC_OK, first.add(iota_tokens(12)), first);
  for (size_t n = 0; n <= 12; ++n) {
    Session s(space);
    EXPECT_EQ(n, s.match(iota_tokens(n)));
    EXPECT_EQ("", s.check());
    EXPECT_EQ(n, s.info().matched);
  }
}

TEST(CoreMatchTest, TakesTheLongestOfSeveralContinuations) {
  Geometry g;
  g.page_tokens = 8;
  Engine engine;
  Space space(engine, g);
  // Eight sequences that share 8 tokens and then 0..7 more with the question.
  const Tokens question = iota_tokens(16);
  for (size_t shared = 0; shared < 8; ++shared) {
    Tokens t = question;
    for (size_t i = 8 + shared; i < 16; ++i) t[i] = static_cast<int32_t>(7000 + 100 * shared + i);
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.add(t), s);
  }
  Session s(space);
  EXPECT_EQ(15u, s.match(question));
  EXPECT_EQ("", s.check());
}

TEST(CoreMatchTest, TheSameTokensElsewhereAreNoMatch) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session first(space);
  ASSERT_STATUS(KVC_OK, first.add(iota_tokens(12)), first);
  Session s(space);
  EXPECT_EQ(0u, s.match(iota_tokens(8, 5)));  // its second page, but at the beginning
  int32_t reason = -1;
  s.miss(&reason);
  EXPECT_EQ(KVC_MISS_NEW, reason);
  EXPECT_EQ(4u, s.match(concat(iota_tokens(4), iota_tokens(4, 9))));  // its third page in the place of the second
  s.miss(&reason);
  EXPECT_EQ(KVC_MISS_PARTIAL, reason);
  EXPECT_EQ("", s.check());
}

TEST(CoreMatchTest, ContinuesASession) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session stored(space);
  ASSERT_STATUS(KVC_OK, stored.add(iota_tokens(21)), stored);
  for (size_t own = 0; own <= 20; ++own) {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.add(iota_tokens(own)), s);
    EXPECT_EQ(20u, s.match(iota_tokens(21))) << own;
    EXPECT_EQ("", s.check()) << own;
    ASSERT_STATUS(KVC_OK, s.add({900, 901, 902, 903, 904}), s);
    EXPECT_EQ("", s.check()) << own;
  }
}

TEST(CoreMatchTest, RefusesWhatDoesNotBeginAsTheSession) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session s(space);
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(6)), s);
  size_t reused = 77;
  Tokens other = iota_tokens(10);
  other[5] = 999;
  EXPECT_STATUS(KVC_E_ORDER, kvc_session_match(s, other.data(), other.size(), &reused), s);
  EXPECT_STATUS(KVC_E_ORDER, kvc_session_match(s, other.data(), 3, &reused), s);  // shorter than the session
  other = iota_tokens(10);
  s.seq.extend({7});
  ASSERT_STATUS(KVC_OK, s.append_layer(0, 6, 1), s);
  EXPECT_STATUS(KVC_E_ORDER, kvc_session_match(s, other.data(), other.size(), &reused), s);
  EXPECT_EQ(77u, reused) << "set although the call failed";
  s.truncate(6);
  EXPECT_EQ(6u, s.match(other));
  other[7] = -1;
  EXPECT_STATUS(KVC_E_TOKEN, kvc_session_match(s, other.data(), other.size(), &reused), s);
  EXPECT_EQ("", s.check());
}

TEST(CoreMatchTest, APrivateSessionsPagesAreNeverFound) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  Session hidden(space, nullptr, 0, false);
  ASSERT_STATUS(KVC_OK, hidden.add(iota_tokens(14)), hidden);
  Session fork = hidden.fork();
  EXPECT_EQ("", fork.check());
  ASSERT_STATUS(KVC_OK, fork.add(iota_tokens(6, 15)), fork);
  EXPECT_EQ("", fork.check());
  Session s(space);
  EXPECT_EQ(0u, s.match(iota_tokens(14)));
  hidden.close();
  EXPECT_EQ("", fork.check());
  EXPECT_EQ(0u, Session(space).match(iota_tokens(14)));
  // A private session may use what others published.
  ASSERT_STATUS(KVC_OK, s.add(iota_tokens(8)), s);
  Session hidden2(space, nullptr, 0, false);
  EXPECT_EQ(8u, hidden2.match(iota_tokens(14)));
  ASSERT_STATUS(KVC_OK, hidden2.add(iota_tokens(6, 9)), hidden2);
  EXPECT_EQ("", hidden2.check());
  EXPECT_EQ(8u, Session(space).match(iota_tokens(14)));
}

TEST(CoreMatchTest, CountsWhatItDid) {
  Geometry g;
  Engine engine;
  Space space(engine, g);
  {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.prompt(iota_tokens(10)), s);
  }
  {
    Session s(space);
    EXPECT_EQ(10u, s.match(iota_tokens(10)));
  }
  Tokens other = iota_tokens(10, 500);
  {
    Session s(space);
    EXPECT_EQ(0u, s.match(other));
  }
  const kvc_stats_t stats = engine.stats();
  EXPECT_EQ(3u, stats.matches);
  EXPECT_EQ(1u, stats.match_hits);
  EXPECT_EQ(10u, stats.matched_tokens);
  EXPECT_EQ(30u, stats.match_asked_tokens);
  EXPECT_EQ(2u, stats.misses_by_reason[KVC_MISS_NEW]);
  EXPECT_EQ(3u, stats.pages) << "two whole ones, and what the closed session left behind";
  EXPECT_EQ(3u, stats.pages_sealed);
  EXPECT_EQ(0u, stats.sessions);
  EXPECT_EQ(3 * g.page_bytes(), stats.memory_payload);
}

}  // namespace
}  // namespace kvc_test
