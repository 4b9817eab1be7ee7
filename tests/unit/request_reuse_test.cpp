// What requests share: stored prefixes, a prefix computed once for all that wait for it, tenants.
#include <gtest/gtest.h>

#include "request_engine_fixture.h"

namespace kvc {
namespace {

class RequestReuseTest : public RequestEngineTest {};

TEST_F(RequestReuseTest, ReusesPromptAndAnswer) {
  const auto prompt = random_tokens(3, 40);
  const Answer cold = toy_.process(token_request(prompt, 20));
  EXPECT_EQ(cold.cached_tokens, 0u);
  EXPECT_EQ(cold.computed_tokens, 40u);
  EXPECT_EQ(cold.miss_reason, KVC_MISS_NEW);
  EXPECT_FALSE(cold.miss_text.empty());
  EXPECT_EQ(toy_.model.tokens_computed, 59u);  // the last token of the answer was never fed

  const Answer warm = toy_.process(token_request(prompt, 20));
  EXPECT_EQ(warm.tokens, cold.tokens);
  EXPECT_EQ(warm.text, cold.text);
  EXPECT_EQ(warm.cached_tokens, 39u);  // all but the last, which gives the logits
  EXPECT_EQ(warm.computed_tokens, 1u);
  EXPECT_EQ(warm.miss_reason, KVC_MISS_NONE);
  EXPECT_EQ(warm.miss_text, "");

  auto next_turn = prompt;
  next_turn.insert(next_turn.end(), cold.tokens.begin(), cold.tokens.end());
  const auto question = random_tokens(4, 10);
  next_turn.insert(next_turn.end(), question.begin(), question.end());
  const Answer turn = toy_.process(token_request(next_turn, 20));
  EXPECT_EQ(turn.cached_tokens, 59u);  // all of prompt and answer but the last token, which was never fed
  EXPECT_EQ(turn.miss_reason, KVC_MISS_PARTIAL);

  Request private_turn = token_request(next_turn, 20);
  private_turn.no_cache = true;
  const Answer control = toy_.process(private_turn);
  EXPECT_EQ(control.tokens, turn.tokens);
  EXPECT_EQ(control.cached_tokens, 0u);
  EXPECT_EQ(control.miss_reason, KVC_MISS_DISABLED);

  const RequestStats s = toy_.engine->stats();
  EXPECT_EQ(s.requests, 4u);
  EXPECT_EQ(s.completed, 4u);
  EXPECT_EQ(s.hits, 2u);
  EXPECT_EQ(s.misses, 2u);
  EXPECT_EQ(s.cached_tokens, 39u + 59u);
  EXPECT_EQ(s.prompt_tokens, s.cached_tokens + s.computed_tokens);
  EXPECT_EQ(s.generated_tokens, 80u);
}

TEST_F(RequestReuseTest, ABosAloneIsNoHit) {
  toy_.process(text_request("one thing", 4));
  const Answer other = toy_.process(text_request("another", 4));
  EXPECT_EQ(other.cached_tokens, 0u);
  EXPECT_EQ(other.miss_reason, KVC_MISS_NEW);
  const Answer shared = toy_.process(text_request("on the other hand", 4));
  EXPECT_EQ(shared.cached_tokens, 3u);
  EXPECT_EQ(shared.miss_reason, KVC_MISS_PARTIAL);
  EXPECT_EQ(toy_.engine->stats().hits, 1u);
}

TEST_F(RequestReuseTest, StoresNothingWithoutCache) {
  Request r = token_request(random_tokens(5, 40), 4);
  r.no_cache = true;
  toy_.process(r);
  EXPECT_EQ(toy_.cache->stats().pages, 0u);
  EXPECT_EQ(toy_.cache->stats().matches, 0u);
  EXPECT_EQ(toy_.process(r).cached_tokens, 0u);
}

TEST_F(RequestReuseTest, KeepsTenantsApart) {
  Request r = token_request(random_tokens(5, 40), 4);
  r.tenant = "a";
  toy_.process(r);
  r.tenant = "b";
  EXPECT_EQ(toy_.process(r).cached_tokens, 0u);
  r.tenant = "a";
  EXPECT_EQ(toy_.process(r).cached_tokens, 39u);
}

TEST_F(RequestReuseTest, StoresRetrievesAndPrefetches) {
  Request r = token_request(random_tokens(6, 44));
  r.action = KVC_ACTION_RETRIEVE;
  Answer a = toy_.process(r);
  EXPECT_EQ(a.cached_tokens, 0u);
  EXPECT_EQ(a.miss_reason, KVC_MISS_NEW);
  EXPECT_EQ(a.prompt_tokens, 44u);

  r.action = KVC_ACTION_STORE;
  a = toy_.process(r);
  EXPECT_EQ(a.computed_tokens, 44u);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_NONE);
  EXPECT_EQ(a.ttft_ns, 0u);
  EXPECT_TRUE(a.tokens.empty());
  a = toy_.process(r);
  EXPECT_EQ(a.cached_tokens, 44u);
  EXPECT_EQ(a.computed_tokens, 0u);

  r.action = KVC_ACTION_RETRIEVE;
  const uint64_t matches = toy_.cache->stats().matches;
  a = toy_.process(r);
  EXPECT_EQ(a.cached_tokens, 44u);
  EXPECT_EQ(a.computed_tokens, 0u);
  EXPECT_EQ(a.miss_reason, KVC_MISS_NONE);
  EXPECT_EQ(toy_.cache->stats().matches, matches);

  const uint64_t computed = toy_.model.tokens_computed;
  r.action = KVC_ACTION_PREFETCH;
  a = toy_.process(r);
  EXPECT_EQ(a.cached_tokens, 44u);
  EXPECT_EQ(a.status, KVC_OK);
  EXPECT_EQ(toy_.cache->stats().matches, matches + 1);
  EXPECT_EQ(toy_.model.tokens_computed, computed);

  r.tokens.resize(40);  // all of it is stored: nothing is computed
  r.action = KVC_ACTION_STORE;
  a = toy_.process(r);
  EXPECT_EQ(a.cached_tokens, 40u);
  EXPECT_EQ(a.computed_tokens, 0u);
  EXPECT_EQ(toy_.model.tokens_computed, computed);
  EXPECT_EQ(toy_.engine->stats().hits, 2u);  // what looks and touches only is neither hit nor miss
  EXPECT_EQ(toy_.engine->stats().misses, 1u);
}

TEST_F(RequestReuseTest, ReusesNothingWhereTheCacheForbidsIt) {
  toy_.cache_options.reuse = false;
  Request r = token_request(random_tokens(6, 44));
  const Answer first = toy_.process(r);
  const kvc_ticket_t a = toy_.submit(r), b = toy_.submit(r);
  EXPECT_EQ(toy_.wait(a).tokens, first.tokens);
  const Answer second = toy_.wait(b);
  EXPECT_EQ(second.tokens, first.tokens);
  EXPECT_EQ(second.computed_tokens, 44u);
  EXPECT_EQ(second.miss_reason, KVC_MISS_DISABLED);
}

TEST_F(RequestReuseTest, AnswersAlikeInABatchAndAlone) {
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 6; ++i) {
    Request r = token_request(random_tokens(100 + i, 5 + 13 * i), 30 + static_cast<uint32_t>(i));
    r.temperature = i % 2 == 0 ? 0.0 : 0.9;
    r.top_k = i == 3 ? 20 : 0;
    r.top_p = i == 5 ? 0.8 : 1;
    r.seed = i;
    requests.push_back(r);
  }
  toy_.options.prefill_chunk = 7;
  std::vector<Answer> alone;
  for (const Request& r : requests) {
    Toy single;
    alone.push_back(single.process(r));
  }
  std::vector<kvc_ticket_t> tickets;
  for (const Request& r : requests) tickets.push_back(toy_.submit(r));
  for (size_t i = 0; i < requests.size(); ++i) {
    const Answer a = toy_.wait(tickets[i]);
    EXPECT_EQ(a.tokens, alone[i].tokens) << i;
    EXPECT_EQ(a.text, alone[i].text) << i;
  }
  EXPECT_EQ(toy_.model.largest_batch, 6u);
  EXPECT_LE(toy_.model.largest_tokens, 7u + 6u);
}

TEST_F(RequestReuseTest, AnswersAlikeWithAndWithoutReuse) {
  // Prompts that share random parts, in a cache too small for all of them.
  toy_.cache_options.memory_limit = 160 << 10;
  Random random(42);
  std::vector<std::vector<int32_t>> known = {random_tokens(0, 60)};
  uint64_t reused = 0;
  for (int i = 0; i < 150; ++i) {
    auto prompt = known[random.next() % known.size()];
    prompt.resize(1 + random.next() % prompt.size());
    const auto more = random_tokens(1000 + static_cast<uint64_t>(i), random.next() % 30);
    prompt.insert(prompt.end(), more.begin(), more.end());
    Request r = token_request(prompt, 6);
    const Answer with = toy_.process(r);
    r.no_cache = true;
    const Answer without = toy_.process(r);
    ASSERT_EQ(with.status, KVC_OK) << with.error;
    ASSERT_EQ(with.tokens, without.tokens) << i;
    reused += with.cached_tokens;
    prompt.insert(prompt.end(), with.tokens.begin(), with.tokens.end());
    known.push_back(prompt);
  }
  EXPECT_GT(reused, 500u);
}

TEST_F(RequestReuseTest, ComputesASharedPrefixOnce) {
  toy_.options.prefill_chunk = 16;
  const auto prefix = random_tokens(7, 64);
  std::vector<kvc_ticket_t> tickets;
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 4; ++i) {
    auto prompt = prefix;
    const auto own = random_tokens(20 + i, 5);
    prompt.insert(prompt.end(), own.begin(), own.end());
    requests.push_back(token_request(prompt, 1));
    tickets.push_back(toy_.submit(requests.back()));
  }
  uint64_t computed = 0;
  for (size_t i = 0; i < 4; ++i) {
    const Answer a = toy_.wait(tickets[i]);
    computed += a.computed_tokens;
    EXPECT_EQ(a.cached_tokens, i == 0 ? 0u : 64u);
    Toy single;
    EXPECT_EQ(a.tokens, single.process(requests[i]).tokens);
  }
  EXPECT_EQ(computed, 64u + 4 * 5u);
  EXPECT_EQ(toy_.model.tokens_computed, computed);
}

TEST_F(RequestReuseTest, WaitsOnlyForWhatIsWorthIt) {
  // Less than a page in common, another tenant, or no cache: nobody waits, all are in the first batch.
  const auto prompt = random_tokens(7, 20);
  auto other = prompt;
  other[7] ^= 1;
  Request a = token_request(prompt, 1), b = token_request(other, 1), c = token_request(prompt, 1),
          d = token_request(prompt, 1);
  c.tenant = "c";
  d.no_cache = true;
  for (const Request& r : {a, b, c, d}) toy_.submit(r);
  bool busy = true;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  EXPECT_EQ(toy_.model.largest_batch, 4u);
  EXPECT_FALSE(busy);
}

TEST_F(RequestReuseTest, ComputesItselfWhenTheOneItWaitsForEnds) {
  toy_.options.prefill_chunk = 8;
  const Request r = token_request(random_tokens(8, 64), 3);
  const kvc_ticket_t first = toy_.submit(r), second = toy_.submit(r), third = toy_.submit(r);
  bool busy = false;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  EXPECT_EQ(toy_.model.tokens_computed, 24u);
  ASSERT_TRUE(toy_.engine->cancel(first).is_ok());
  const Answer b = toy_.wait(second), c = toy_.wait(third), a = toy_.wait(first);
  EXPECT_EQ(a.status, KVC_E_CANCELLED);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_CANCELLED);
  EXPECT_EQ(b.status, KVC_OK);
  EXPECT_EQ(b.cached_tokens, 24u);  // what the first one left
  EXPECT_EQ(c.cached_tokens, 56u);  // the last page holds the last token, which is computed
  EXPECT_EQ(b.tokens, c.tokens);
}

TEST_F(RequestReuseTest, SurvivesChainsOfWaiters) {
  // Prompt i shares one page more with prompt i + 1 than with prompt i + 2.
  toy_.options.prefill_chunk = 8;
  toy_.options.max_batch = 10;
  std::vector<kvc_ticket_t> tickets;
  std::vector<int32_t> base = random_tokens(9, 96);
  for (size_t i = 0; i < 10; ++i) {
    auto prompt = base;
    if (i > 0) prompt[(11 - i) * 8] ^= 1;
    Request r = token_request(prompt, 2);
    r.priority = static_cast<int32_t>(i) * 10;
    tickets.push_back(toy_.submit(r));
  }
  for (const kvc_ticket_t ticket : tickets) EXPECT_EQ(toy_.wait(ticket).status, KVC_OK);
  // Apart they would compute 960 tokens of prompts.
  EXPECT_LT(toy_.engine->stats().computed_tokens, 700u);
}

TEST_F(RequestReuseTest, GivesTheLeaderTheUrgencyOfItsWaiters) {
  toy_.options.prefill_chunk = 8;
  Request low = token_request(random_tokens(10, 64), 1);
  low.priority = KVC_PRIORITY_BACKGROUND;
  const kvc_ticket_t background = toy_.submit(low);
  bool busy = false;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  Request normal = token_request(random_tokens(11, 64), 1);
  const kvc_ticket_t other = toy_.submit(normal);
  Request urgent = low;
  urgent.priority = KVC_PRIORITY_CRITICAL;
  const kvc_ticket_t critical = toy_.submit(urgent);
  toy_.wait(critical);
  std::unique_ptr<Answer> answer;
  EXPECT_EQ(toy_.engine->wait(other, 0, &answer).code(), KVC_PENDING);  // was not served before
  toy_.wait(background);
}

TEST_F(RequestReuseTest, EstimatesWhatReuseSaved) {
  toy_.model.time = &toy_.time;
  toy_.model.ns_per_call = 40'000;  // a call for one token costs as much as one for all
  Request r = token_request(random_tokens(1, 40), 5);
  EXPECT_EQ(toy_.process(r).saved_ns, 0u);
  uint64_t saved = 0;
  for (int i = 0; i < 10; ++i) {
    const Answer a = toy_.process(r);
    EXPECT_EQ(a.cached_tokens, 39u);
    EXPECT_NEAR(static_cast<double>(a.saved_ns), 39 * 1000.0, 39 * 300.0);
    saved += a.saved_ns;
  }
  EXPECT_EQ(toy_.engine->stats().saved_ns, saved);
  r.action = KVC_ACTION_PREFETCH;
  EXPECT_EQ(toy_.process(r).cached_tokens, 40u);
  EXPECT_EQ(toy_.process(r).saved_ns, 0u);
}

}  // namespace
}  // namespace kvc
