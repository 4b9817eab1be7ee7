// Sizing and adapting a cache that runs: what-if, traces, objectives, own policies, the limit on pins.
#include <cmath>
#include <fstream>
#include <limits>
#include <set>
#include <sstream>

#include "core_support.h"

namespace kvc_test {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

// Conversations that share a system prompt: some go on after a while, most do not.
class Chats {
 public:
  explicit Chats(uint64_t seed) : random_(seed), system_(random_tokens(random_, 32)) {}
  Tokens next() {
    if (!open_.empty() && random_() % 2 == 0) {
      const size_t i = random_() % std::min<size_t>(open_.size(), 12);  // the oldest first, mostly
      Tokens tokens = concat(open_[i], random_tokens(random_, 6 + random_() % 20));
      open_.erase(open_.begin() + static_cast<ptrdiff_t>(i));
      if (tokens.size() < 400) open_.push_back(tokens);
      return tokens;
    }
    Tokens tokens = concat(system_, random_tokens(random_, 10 + random_() % 120));
    if (random_() % 2 == 0) open_.push_back(tokens);
    return tokens;
  }

 private:
  std::mt19937_64 random_;
  const Tokens system_;
  std::vector<Tokens> open_;
};

kvc_whatif_t whatif(kvc_engine_t* engine, uint64_t budget, const char* policy) {
  kvc_whatif_t result{};
  result.struct_size = sizeof result;
  EXPECT_STATUS(KVC_OK, kvc_whatif(engine, budget, policy, &result), engine);
  return result;
}

// Whole pages that sessions found, over whole pages and ends that they had.
double replay(Engine* engine, uint64_t seed, int sessions, TestClock* clock) {
  Space space(*engine, Geometry{});
  Chats chats(seed);
  double found = 0, all = 0;
  for (int i = 0; i < sessions; ++i) {
    const Tokens tokens = chats.next();
    Session session(space);
    EXPECT_STATUS(KVC_OK, session.prompt(tokens), session);
    found += static_cast<double>(session.info().matched);
    all += static_cast<double>(tokens.size());
    clock->advance(kSecond / 2);
  }
  return found / all;
}

TEST(WhatIfTest, AgreesWithWhatTheCacheDoesAtThatSizeAndPolicy) {
  const int sessions = quick() ? 600 : 2500;
  for (const char* policy : {"lru", "adaptive"}) {
    for (const char* limit : {"300", "2000"}) {
      TestClock clock;
      const kvc_clock_t table = clock.table();
      Engine engine({{"policy", policy}, {"page_limit", limit}, {"memory", "64MiB"}}, nullptr, &table);
      const double real = replay(&engine, 5, sessions, &clock);
      const kvc_whatif_t same = whatif(engine, 0, nullptr);
      EXPECT_EQ(static_cast<uint64_t>(sessions), same.sessions);
      EXPECT_EQ(std::stoull(limit), same.pages);
      EXPECT_EQ(1.0, same.sampled);
      // Matches find parts of pages too, which no whole page can tell: the cache is a little better than its model.
      EXPECT_NEAR(real, same.token_hit_rate, 0.05) << policy << " " << limit;
      EXPECT_NEAR(static_cast<double>(sessions) / 2 * kSecond, static_cast<double>(same.span_ns), 2.0 * kSecond);
    }
  }
}

TEST(WhatIfTest, ASampleTellsTheSameAsAllOfIt) {
  TestClock clock;
  const kvc_clock_t table = clock.table();
  Engine all({{"page_limit", "6000"}, {"memory", "1GiB"}, {"whatif_memory", "64MiB"}}, nullptr, &table);
  Engine part({{"page_limit", "6000"}, {"memory", "1GiB"}, {"whatif_memory", "192KiB"}}, nullptr, &table);
  const int sessions = 4000;
  replay(&all, 9, sessions, &clock);
  replay(&part, 9, sessions, &clock);
  for (const char* policy : {"lru", "adaptive"}) {
    const kvc_whatif_t whole = whatif(all, 0, policy);
    const kvc_whatif_t sampled = whatif(part, 0, policy);
    EXPECT_EQ(1.0, whole.sampled);
    EXPECT_LE(sampled.sampled, 0.5);
    EXPECT_NEAR(whole.token_hit_rate, sampled.token_hit_rate, 0.06) << policy;
  }
}

// Pages compete as soon as their session closes: what is worth less than the worst page that is held does not stay.
TEST(HostAdmissionTest, WhatIsWorthLessThanWhatIsHeldDoesNotDisplaceIt) {
  TestClock clock;
  const kvc_clock_t table = clock.table();
  Engine engine({{"page_limit", "40"}, {"memory", "64MiB"}}, nullptr, &table);
  Space space(engine, Geometry{});
  std::mt19937_64 random(3);
  const Tokens held = random_tokens(random, 30 * 4);
  const auto use = [&](const Tokens& tokens, int32_t hint) {
    clock.advance(kSecond);
    Session session(space);
    EXPECT_STATUS(KVC_OK, session.prompt(tokens), session);
    const size_t matched = session.info().matched;
    EXPECT_STATUS(KVC_OK, kvc_session_hint(session, hint), session);
    return matched;
  };
  for (int i = 0; i < 5; ++i) use(held, KVC_HINT_NONE);
  for (int i = 0; i < 5; ++i) {
    const Tokens passing = random_tokens(random, 30 * 4);
    use(passing, KVC_HINT_ONE_OFF);
    EXPECT_EQ(held.size(), use(held, KVC_HINT_NONE)) << i;
  }
  EXPECT_LE(engine.stats().pages, 40u);
}

TEST(WhatIfTest, ALargerBudgetHitsMoreAndSparesMoreTime) {
  TestClock clock;
  const kvc_clock_t table = clock.table();
  Engine engine({{"page_limit", "300"}, {"memory", "64MiB"}}, nullptr, &table);
  kvc_whatif_t none{};
  none.struct_size = sizeof none;
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_whatif(engine, 0, nullptr, &none), engine);
  replay(&engine, 7, quick() ? 500 : 1500, &clock);
  const kvc_whatif_t small = whatif(engine, 256 << 10, "lru");
  const kvc_whatif_t large = whatif(engine, 64 << 20, "lru");
  EXPECT_LT(small.pages, large.pages);
  EXPECT_LT(small.token_hit_rate, large.token_hit_rate);
  EXPECT_EQ(0u, large.saved_ns) << "no speed is known";

  kvc_metrics_t metrics{};
  metrics.struct_size = sizeof metrics;
  metrics.prefill_speed = 1000;
  ASSERT_STATUS(KVC_OK, kvc_adapt(engine, &metrics), engine);
  const kvc_whatif_t timed = whatif(engine, 64 << 20, "lru");
  const double hit_tokens = timed.token_hit_rate * static_cast<double>(timed.tokens);
  EXPECT_NEAR(hit_tokens * 1e6, static_cast<double>(timed.saved_ns), hit_tokens * 1e6 * 0.02);

  EXPECT_STATUS(KVC_E_INVALID, kvc_whatif(engine, 0, "oracle", &none), engine);
  EXPECT_STATUS(KVC_E_NULL, kvc_whatif(engine, 0, nullptr, nullptr), engine);
  Engine silent(Options{{"whatif_memory", "0B"}});
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_whatif(silent, 0, nullptr, &none), silent);
}

// ----------------------------------------------------------------------------------------------------------------------
struct Line {
  std::vector<uint64_t> ids;
  uint64_t time = 0, length = 0, generated = 0;
  bool tool = false;
};
std::vector<Line> read_lines(const std::string& path) {
  std::vector<Line> lines;
  std::ifstream file(path);
  for (std::string text; std::getline(file, text);) {
    Line line;
    line.time = std::stoull(text.substr(text.find("\"timestamp\": ") + 13));
    line.length = std::stoull(text.substr(text.find("\"input_length\": ") + 16));
    line.generated = std::stoull(text.substr(text.find("\"output_length\": ") + 17));
    line.tool = text.find("\"finish\": \"tool_use\"") != std::string::npos;
    EXPECT_NE(std::string::npos, text.find("\"block_tokens\": 4,")) << text;
    std::stringstream ids(text.substr(text.find('[') + 1));
    for (std::string id; std::getline(ids, id, ',');) line.ids.push_back(std::stoull(id));
    lines.push_back(line);
  }
  return lines;
}

TEST(TraceTest, WritesWhatSessionsUsedUnderAKeyOfItsOwn) {
  const std::string paths[] = {testing::TempDir() + "kvc-trace-1.jsonl", testing::TempDir() + "kvc-trace-2.jsonl"};
  TestClock clock;
  const kvc_clock_t table = clock.table();
  Engine engine({}, nullptr, &table);
  Space space(engine, Geometry{});
  const Tokens common = {1, 2, 3, 4, 5, 6, 7, 8};
  std::vector<std::vector<Line>> traces;
  for (const std::string& path : paths) {
    ASSERT_STATUS(KVC_OK, kvc_trace_start(engine, path.c_str()), engine);
    EXPECT_STATUS(KVC_E_BUSY, kvc_trace_start(engine, path.c_str()), engine);
    for (int i = 0; i < 2; ++i) {
      Session session(space);
      ASSERT_STATUS(KVC_OK, session.prompt(concat(common, {100 + i, 9, 9, 9})), session);
      ASSERT_STATUS(KVC_OK, kvc_session_hint(session, i == 0 ? KVC_HINT_TOOL_CALL : KVC_HINT_NONE), session);
      if (i == 0) ASSERT_STATUS(KVC_OK, kvc_session_generated(session, 77), session);
      clock.advance(kSecond);
    }
    uint64_t written = 0;
    ASSERT_STATUS(KVC_OK, kvc_trace_stop(engine, &written), engine);
    EXPECT_EQ(2u, written);
    traces.push_back(read_lines(path));
    std::remove(path.c_str());
  }
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_trace_stop(engine, nullptr), engine);
  for (const std::vector<Line>& lines : traces) {
    ASSERT_EQ(2u, lines.size());
    ASSERT_EQ(3u, lines[0].ids.size());
    ASSERT_EQ(3u, lines[1].ids.size());
    EXPECT_EQ(12u, lines[0].length);
    EXPECT_EQ(77u, lines[0].generated);
    EXPECT_EQ(0u, lines[1].generated);
    EXPECT_TRUE(lines[0].tool);
    EXPECT_FALSE(lines[1].tool);
    EXPECT_LT(lines[0].time, lines[1].time);
    EXPECT_EQ(lines[0].ids[0], lines[1].ids[0]);
    EXPECT_EQ(lines[0].ids[1], lines[1].ids[1]);
    EXPECT_NE(lines[0].ids[2], lines[1].ids[2]) << "pages after different ones are different";
  }
  EXPECT_NE(traces[0][0].ids[0], traces[1][0].ids[0]) << "ids of two traces can be compared";
}

TEST(TraceTest, APromptThatIsAskedAgainEndsInTheSamePage) {
  const std::string path = testing::TempDir() + "kvc_trace_again.jsonl";
  Engine engine;
  Space space(engine, Geometry{});
  const Tokens tokens = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};  // the last page is not full
  ASSERT_STATUS(KVC_OK, kvc_trace_start(engine, path.c_str()), engine);
  for (int i = 0; i < 2; ++i) {
    Session session(space);
    ASSERT_STATUS(KVC_OK, session.prompt(tokens), session);
    ASSERT_EQ(i == 0 ? 0u : tokens.size(), session.info().matched);
  }
  ASSERT_STATUS(KVC_OK, kvc_trace_stop(engine, nullptr), engine);
  const std::vector<Line> lines = read_lines(path);
  std::remove(path.c_str());
  ASSERT_EQ(2u, lines.size());
  EXPECT_EQ(3u, lines[0].ids.size());
  EXPECT_EQ(lines[0].ids, lines[1].ids);
  EXPECT_EQ(10u, lines[1].length);
}

TEST(TraceTest, RefusesWhatCannotBeWritten) {
  Engine engine;
  EXPECT_STATUS(KVC_E_IO, kvc_trace_start(engine, "/no such directory/trace"), engine);
  EXPECT_STATUS(KVC_E_INVALID, kvc_trace_start(engine, ""), engine);
  EXPECT_STATUS(KVC_E_NULL, kvc_trace_start(engine, nullptr), engine);
  EXPECT_STATUS(KVC_E_NOT_FOUND, kvc_trace_stop(engine, nullptr), engine);
}

// ----------------------------------------------------------------------------------------------------------------------
TEST(AdaptTest, TellsThePolicyWhatToGoFor) {
  Engine engine;
  kvc_metrics_t metrics{};
  metrics.struct_size = sizeof metrics;
  EXPECT_EQ(KVC_STRATEGY_LEARNED, engine.stats().policy_strategy);
  EXPECT_EQ(0u, engine.stats().policy_changes);
  ASSERT_STATUS(KVC_OK, kvc_adapt(engine, &metrics), engine);
  EXPECT_EQ(0u, engine.stats().policy_changes) << "nothing changed";
  metrics.objective = KVC_OBJECTIVE_TIME;
  ASSERT_STATUS(KVC_OK, kvc_adapt(engine, &metrics), engine);
  EXPECT_EQ(1u, engine.stats().policy_changes);
  EXPECT_EQ(KVC_REASON_METRICS, engine.stats().policy_reason);
  EXPECT_GT(engine.stats().policy_changed_ns, 0u);

  metrics.objective = 2;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_adapt(engine, &metrics), engine);
  metrics.objective = KVC_OBJECTIVE_HITS;
  metrics.prefill_speed = std::numeric_limits<double>::quiet_NaN();
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_adapt(engine, &metrics), engine);
  metrics.prefill_speed = 0;
  metrics.balanced_position = -1;
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_adapt(engine, &metrics), engine);
  EXPECT_STATUS(KVC_E_NULL, kvc_adapt(engine, nullptr), engine);

  Engine lru(Options{{"policy", "lru"}});
  metrics.balanced_position = 0;
  EXPECT_STATUS(KVC_OK, kvc_adapt(lru, &metrics), lru);
  metrics.objective = KVC_OBJECTIVE_TIME;
  EXPECT_STATUS(KVC_E_UNSUPPORTED, kvc_adapt(lru, &metrics), lru);
  EXPECT_EQ(KVC_STRATEGY_FIXED, lru.stats().policy_strategy);
}

// ----------------------------------------------------------------------------------------------------------------------
TEST(PinTest, HoldsNoMoreThanTheLimit) {
  Geometry g;
  Engine engine(Options{{"pin_limit", std::to_string(2 * g.page_bytes()) + "B"}});
  Space space(engine, g);
  Session first(space), second(space);
  ASSERT_STATUS(KVC_OK, first.prompt({1, 2, 3, 4, 5, 6, 7, 8}), first);
  ASSERT_STATUS(KVC_OK, second.prompt({1, 2, 3, 4, 9, 9, 9, 9}), second);
  ASSERT_STATUS(KVC_OK, kvc_session_pin(first, 1), first);
  EXPECT_STATUS(KVC_E_BUDGET, kvc_session_pin(second, 1), second);
  EXPECT_EQ(2u, engine.stats().pages_pinned) << "what is refused pins nothing";
  ASSERT_STATUS(KVC_OK, kvc_session_pin(first, 0), first);
  ASSERT_STATUS(KVC_OK, kvc_session_pin(second, 1), second);
  EXPECT_EQ(2u, engine.stats().pages_pinned);
}

// ----------------------------------------------------------------------------------------------------------------------
// First in, last out: what no policy of kvc does.
struct LastIn {
  double next = 0;
  int used = 0, ended = 0, removed = 0, hinted = 0;
  kvc_policy_t table() {
    kvc_policy_t policy{};
    policy.struct_size = sizeof policy;
    policy.user_data = this;
    policy.name = "last-in";
    policy.score = [](void* user, const kvc_policy_page_t* page, int32_t event) {
      auto* self = static_cast<LastIn*>(user);
      if (event == KVC_POLICY_INSERTED) return self->next -= 1;
      if (event == KVC_POLICY_USED) ++self->used;
      if (event == KVC_POLICY_ENDED) {
        ++self->ended;
        if (page->hint == KVC_HINT_TURN_END && page->generated == 5) ++self->hinted;
      }
      return page->score;
    };
    policy.removed = [](void* user, const kvc_policy_page_t*) { ++static_cast<LastIn*>(user)->removed; };
    return policy;
  }
};

TEST(OwnPolicyTest, DecidesWhatLeaves) {
  LastIn own;
  const kvc_policy_t table = own.table();
  kvc_config_t* config = nullptr;
  ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  ASSERT_EQ(KVC_OK, kvc_config_set(config, "model", "none"));
  ASSERT_EQ(KVC_OK, kvc_config_set(config, "page_limit", "8"));
  kvc_policy_t bad = table;
  bad.score = nullptr;
  EXPECT_EQ(KVC_E_NULL, kvc_config_set_policy(config, &bad));
  ASSERT_EQ(KVC_OK, kvc_config_set_policy(config, &table));
  kvc_engine_t* engine = nullptr;
  ASSERT_EQ(KVC_OK, kvc_engine_create(config, &engine));
  kvc_config_destroy(config);
  {
    Space space(engine, Geometry{});
    for (int32_t i = 0; i < 20; ++i) {
      Session session(space);
      ASSERT_STATUS(KVC_OK, session.prompt({i + 1, 2, 3, 4}), session);
      ASSERT_STATUS(KVC_OK, kvc_session_generated(session, 5), session);
      ASSERT_STATUS(KVC_OK, kvc_session_hint(session, KVC_HINT_TURN_END), session);
    }
    std::set<int32_t> found;
    for (int32_t i = 0; i < 20; ++i) {
      Session session(space);
      const Tokens tokens = {i + 1, 2, 3, 4};
      size_t reused = 0;
      ASSERT_STATUS(KVC_OK, kvc_session_match(session, tokens.data(), tokens.size(), &reused), session);
      if (reused > 0) found.insert(i);
    }
    EXPECT_EQ(8u, found.size());
    EXPECT_TRUE(found.count(0) == 1 && found.count(6) == 1) << "the first ones stay";
    kvc_whatif_t result{};
    result.struct_size = sizeof result;
    EXPECT_STATUS(KVC_E_UNSUPPORTED, kvc_whatif(engine, 0, nullptr, &result), engine);
    EXPECT_STATUS(KVC_OK, kvc_whatif(engine, 0, "lru", &result), engine);
  }
  EXPECT_GT(own.used, 0);
  EXPECT_GE(own.ended, 20);
  EXPECT_GE(own.hinted, 20);
  EXPECT_EQ(12, own.removed);
  kvc_engine_destroy(engine);
  EXPECT_EQ(20, own.removed) << "every page is told when it goes";
}

}  // namespace
}  // namespace kvc_test
