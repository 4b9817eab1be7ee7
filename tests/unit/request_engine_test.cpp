// Requests in, answers out: validation, order, reuse, sharing, deadlines, tickets, streaming.
#include <gtest/gtest.h>

#include "request_toy.h"

namespace kvc {
namespace {

class RequestEngineTest : public ::testing::Test {
 protected:
  Toy toy_;

  void TearDown() override {
    if (toy_.engine == nullptr) return;
    EXPECT_FALSE(toy_.model.wrong);
    const RequestStats s = toy_.engine->stats();
    EXPECT_EQ(s.requests, s.completed + s.failed + s.cancelled + s.queued + s.active);
    toy_.engine->stop();
    EXPECT_EQ(toy_.model.open_sequences, 0);
    EXPECT_EQ(toy_.cache->stats().sessions, 0u);
  }
  Status refused(const Request& request) {
    kvc_ticket_t ticket = 0;
    const uint64_t before = toy_.open().stats().refused;
    Status status = toy_.open().submit(request, &ticket);
    EXPECT_FALSE(status.is_ok());
    EXPECT_EQ(ticket, 0u);
    EXPECT_EQ(toy_.engine->stats().refused, before + 1);
    EXPECT_EQ(toy_.engine->stats().requests, 0u);
    return status;
  }
  void expect_refused(const Request& request, kvc_status_t code, const std::string& words) {
    const Status status = refused(request);
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  }
  // Steps until nothing is left; the number of steps.
  int drain() {
    int n = 0;
    for (bool busy = true; busy; ++n) EXPECT_TRUE(toy_.engine->step(&busy).is_ok());
    return n;
  }
};

TEST_F(RequestEngineTest, RefusesWhatMakesNoSense) {
  const Request good = text_request("hello");
  Request r = good;
  r.action = 4;
  expect_refused(r, KVC_E_INVALID, "action is 4");
  r = good;
  r.max_tokens = 0;
  expect_refused(r, KVC_E_OUT_OF_RANGE, "max_tokens");
  for (double t : {-0.1, 100.1, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    r = good;
    r.temperature = t;
    expect_refused(r, KVC_E_OUT_OF_RANGE, "temperature");
  }
  for (double p : {0.0, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    r = good;
    r.top_p = p;
    expect_refused(r, KVC_E_OUT_OF_RANGE, "top_p");
  }
  for (int32_t p : {-201, 201}) {
    r = good;
    r.priority = p;
    expect_refused(r, KVC_E_OUT_OF_RANGE, "priority");
  }
  r = good;
  r.stop.assign(17, "x");
  expect_refused(r, KVC_E_OUT_OF_RANGE, "17 stop strings");
  r = good;
  r.stop = {"ok", ""};
  expect_refused(r, KVC_E_INVALID, "stop string 1");
  r = good;
  r.stop = {"a\xFF"};
  expect_refused(r, KVC_E_UTF8, "byte 1");
  r = good;
  r.session_id.assign(1025, 's');
  expect_refused(r, KVC_E_OUT_OF_RANGE, "1025");
  expect_refused(text_request("ab\xC3\x28"), KVC_E_UTF8, "byte 2");
  expect_refused(token_request({1, 2, 258}), KVC_E_TOKEN, "token 2 of the prompt is 258");
  expect_refused(token_request({1, -7}), KVC_E_TOKEN, "token 1 of the prompt is -7");
  expect_refused(token_request({}), KVC_E_INVALID, "empty");
}

TEST_F(RequestEngineTest, RefusesWhatIsTooLong) {
  toy_.options.max_tokens = 100;
  expect_refused(token_request(random_tokens(1, 93)), KVC_E_CONTEXT, "93 tokens");
  EXPECT_EQ(toy_.process(token_request(random_tokens(1, 92))).tokens.size(), 8u);
  // The model's context is the other limit.
  toy_.engine = nullptr;
  toy_.model.info_.context = 50;
  expect_refused(token_request(random_tokens(1, 43)), KVC_E_CONTEXT, "at most 50");
  // What generates nothing needs no room for an answer.
  Request store = token_request(random_tokens(1, 50));
  store.action = KVC_ACTION_STORE;
  EXPECT_EQ(toy_.process(store).status, KVC_OK);
}

TEST_F(RequestEngineTest, RefusesADeadlineThatPassedAndAFullQueue) {
  toy_.time.tick = 10;
  Request late = text_request("hello");
  late.deadline_ns = 5;
  expect_refused(late, KVC_E_DEADLINE, "deadline");
  toy_.engine = nullptr;
  toy_.options.max_queue = 2;
  toy_.submit(text_request("a"));
  toy_.submit(text_request("b"));
  kvc_ticket_t ticket = 0;
  const Status status = toy_.engine->submit(text_request("c"), &ticket);
  EXPECT_EQ(status.code(), KVC_E_QUEUE_FULL);
  EXPECT_EQ(toy_.engine->stats().refused, 1u);
  EXPECT_EQ(toy_.engine->stats().queued, 2u);
}

TEST_F(RequestEngineTest, PutsBosBeforeText) {
  const Answer text = toy_.process(text_request("hi"));
  EXPECT_EQ(text.prompt_tokens, 3u);
  EXPECT_EQ(toy_.process(text_request("")).prompt_tokens, 1u);
  EXPECT_EQ(toy_.process(token_request({'h', 'i'})).prompt_tokens, 2u);
  EXPECT_EQ(toy_.process(token_request({256, 'h', 'i'})).tokens, text.tokens);
  toy_.engine = nullptr;
  toy_.model.info_.bos = -1;
  expect_refused(text_request(""), KVC_E_INVALID, "no token to begin");
  EXPECT_EQ(toy_.process(text_request("hi")).prompt_tokens, 2u);
}

TEST_F(RequestEngineTest, EndsByLengthEosAndStop) {
  toy_.model.script = "one two three";
  Answer a = toy_.process(text_request("say>", 100));
  EXPECT_EQ(a.text, "one two three");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_EOS);
  EXPECT_EQ(a.tokens.size(), 13u);
  a = toy_.process(text_request("say>", 5));
  EXPECT_EQ(a.text, "one t");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_LENGTH);
  Request r = text_request("say>", 100);
  r.stop = {"zero", "o t"};
  a = toy_.process(r);
  EXPECT_EQ(a.text, "one tw");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_STOP);
  r.stop = {"three and more"};  // held back, then text after all
  a = toy_.process(r);
  EXPECT_EQ(a.text, "one two three");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_EOS);
  r.max_tokens = 10;
  EXPECT_EQ(toy_.process(r).text, "one two th");
  EXPECT_EQ(a.status, KVC_OK);
  EXPECT_EQ(a.error, "");
}

TEST_F(RequestEngineTest, StreamsTheTextThatTheAnswerHas) {
  toy_.model.script =
      "a\xE2\x82\xAC"
      "b\xFF"
      "EN.ENDno";
  struct Seen {
    std::vector<std::string> pieces;
    kvc_ticket_t ticket = 0;
  } seen;
  Request r = text_request(">", 100);
  r.stop = {"END"};
  r.user_data = &seen;
  r.on_text = [](void* user_data, kvc_ticket_t ticket, const char* text, size_t size) -> kvc_status_t {
    auto* s = static_cast<Seen*>(user_data);
    s->pieces.emplace_back(text, size);
    s->ticket = ticket;
    return KVC_OK;
  };
  const kvc_ticket_t ticket = toy_.submit(r);
  std::string pulled;
  for (;;) {
    char buffer[5];
    size_t size = 0;
    const Status status = toy_.engine->next(ticket, UINT64_MAX, buffer, sizeof buffer, &size);
    if (status.code() == KVC_END) break;
    ASSERT_EQ(status.code(), KVC_OK);
    ASSERT_GT(size, 0u);
    EXPECT_EQ(buffer[size], 0);
    pulled.append(buffer, size);
  }
  const Answer a = toy_.wait(ticket);
  EXPECT_EQ(a.text,
            "a\xE2\x82\xAC"
            "b\xEF\xBF\xBD"
            "EN.");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_STOP);
  EXPECT_EQ(pulled, a.text);
  std::string pushed;
  for (const std::string& piece : seen.pieces) pushed += piece;
  EXPECT_EQ(pushed, a.text);
  EXPECT_EQ(seen.pieces.at(1), "\xE2\x82\xAC");  // whole characters
  EXPECT_EQ(seen.ticket, ticket);
}

TEST_F(RequestEngineTest, NeedsRoomForACharacterInNext) {
  const kvc_ticket_t ticket = toy_.submit(text_request("x"));
  char buffer[4];
  size_t size = 0;
  EXPECT_EQ(toy_.engine->next(ticket, 0, buffer, sizeof buffer, &size).code(), KVC_E_BUFFER);
  char larger[5];
  EXPECT_EQ(toy_.engine->next(ticket, 0, larger, sizeof larger, &size).code(), KVC_PENDING);
  EXPECT_EQ(toy_.engine->next(ticket + 1, 0, larger, sizeof larger, &size).code(), KVC_E_NOT_FOUND);
}

TEST_F(RequestEngineTest, ReusesPromptAndAnswer) {
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

TEST_F(RequestEngineTest, ABosAloneIsNoHit) {
  toy_.process(text_request("one thing", 4));
  const Answer other = toy_.process(text_request("another", 4));
  EXPECT_EQ(other.cached_tokens, 0u);
  EXPECT_EQ(other.miss_reason, KVC_MISS_NEW);
  const Answer shared = toy_.process(text_request("on the other hand", 4));
  EXPECT_EQ(shared.cached_tokens, 3u);
  EXPECT_EQ(shared.miss_reason, KVC_MISS_PARTIAL);
  EXPECT_EQ(toy_.engine->stats().hits, 1u);
}

TEST_F(RequestEngineTest, StoresNothingWithoutCache) {
  Request r = token_request(random_tokens(5, 40), 4);
  r.no_cache = true;
  toy_.process(r);
  EXPECT_EQ(toy_.cache->stats().pages, 0u);
  EXPECT_EQ(toy_.cache->stats().matches, 0u);
  EXPECT_EQ(toy_.process(r).cached_tokens, 0u);
}

TEST_F(RequestEngineTest, KeepsTenantsApart) {
  Request r = token_request(random_tokens(5, 40), 4);
  r.tenant = "a";
  toy_.process(r);
  r.tenant = "b";
  EXPECT_EQ(toy_.process(r).cached_tokens, 0u);
  r.tenant = "a";
  EXPECT_EQ(toy_.process(r).cached_tokens, 39u);
}

TEST_F(RequestEngineTest, StoresRetrievesAndPrefetches) {
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

TEST_F(RequestEngineTest, ReusesNothingWhereTheCacheForbidsIt) {
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

TEST_F(RequestEngineTest, AnswersAlikeInABatchAndAlone) {
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

TEST_F(RequestEngineTest, AnswersAlikeWithAndWithoutReuse) {
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

TEST_F(RequestEngineTest, ComputesASharedPrefixOnce) {
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

TEST_F(RequestEngineTest, WaitsOnlyForWhatIsWorthIt) {
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

TEST_F(RequestEngineTest, ComputesItselfWhenTheOneItWaitsForEnds) {
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

TEST_F(RequestEngineTest, SurvivesChainsOfWaiters) {
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

TEST_F(RequestEngineTest, GivesTheLeaderTheUrgencyOfItsWaiters) {
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

TEST_F(RequestEngineTest, RespectsBatchLimits) {
  toy_.options.max_batch = 5;
  toy_.model.info_.max_batch_tokens = 3;  // fewer than can decode
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 9; ++i) tickets.push_back(toy_.submit(token_request(random_tokens(30 + i, 11), 7)));
  for (size_t i = 0; i < tickets.size(); ++i) {
    Toy single;
    EXPECT_EQ(toy_.wait(tickets[i]).tokens, single.process(token_request(random_tokens(30 + i, 11), 7)).tokens);
  }
  EXPECT_EQ(toy_.model.largest_tokens, 3u);
}

TEST_F(RequestEngineTest, ServesTheUrgentFirstAndSessionsInOrder) {
  toy_.options.max_batch = 1;
  std::vector<kvc_ticket_t> order;
  const auto submit = [&](int32_t priority, const char* session_id) {
    Request r = text_request("x", 1);
    r.priority = priority;
    r.session_id = session_id;
    r.user_data = &order;
    r.on_text = [](void* user_data, kvc_ticket_t ticket, const char*, size_t) -> kvc_status_t {
      static_cast<std::vector<kvc_ticket_t>*>(user_data)->push_back(ticket);
      return KVC_OK;
    };
    return toy_.submit(r);
  };
  toy_.model.script = "y";
  toy_.model.spoil = [](float* logits) { std::fill_n(logits, 258, 0.0f), logits['y'] = 1; };
  const auto low = submit(KVC_PRIORITY_LOW, "");
  const auto chat1 = submit(KVC_PRIORITY_NORMAL, "chat");
  const auto chat2 = submit(KVC_PRIORITY_CRITICAL, "chat");
  const auto high = submit(KVC_PRIORITY_HIGH, "");
  drain();
  EXPECT_EQ(order, (std::vector<kvc_ticket_t>{high, chat1, chat2, low}));
}

TEST_F(RequestEngineTest, EndsWaitingRequestsAtTheirDeadline) {
  toy_.options.max_batch = 1;
  const kvc_ticket_t running = toy_.submit(text_request("x", 50));
  Request r = text_request("y");
  r.deadline_ns = 1000;
  const kvc_ticket_t late = toy_.submit(r);
  bool busy = false;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  toy_.time.now += 999;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  std::unique_ptr<Answer> answer;
  EXPECT_EQ(toy_.engine->wait(late, 0, &answer).code(), KVC_PENDING);
  toy_.time.now += 1;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  const Answer a = toy_.wait(late);
  EXPECT_EQ(a.status, KVC_E_DEADLINE);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_DEADLINE);
  EXPECT_EQ(a.queue_ns, 1000u);
  EXPECT_EQ(a.total_ns, 1000u);
  EXPECT_FALSE(a.error.empty());
  EXPECT_EQ(toy_.wait(running).status, KVC_OK);
  EXPECT_EQ(toy_.engine->stats().cancelled, 1u);
}

TEST_F(RequestEngineTest, EndsRunningRequestsAtTheirDeadlineWithTheTextSoFar) {
  toy_.model.script = "abcdefghijklmnop";
  toy_.model.time = &toy_.time;
  toy_.model.ns_per_token = 100;
  Request r = text_request(">", 16);
  r.deadline_ns = 650;  // two tokens of prompt, then one each
  const Answer a = toy_.process(r);
  EXPECT_EQ(a.status, KVC_E_DEADLINE);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_DEADLINE);
  EXPECT_EQ(a.text, "abcdef");
  EXPECT_EQ(a.total_ns, 700u);
}

TEST_F(RequestEngineTest, MeasuresTimesThatAddUp) {
  toy_.time.tick = 3;
  toy_.model.time = &toy_.time;
  toy_.model.ns_per_token = 1000;
  toy_.options.max_batch = 2;
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 5; ++i) tickets.push_back(toy_.submit(token_request(random_tokens(i, 40), 5)));
  for (const kvc_ticket_t ticket : tickets) {
    const Answer a = toy_.wait(ticket);
    EXPECT_EQ(a.total_ns, a.queue_ns + a.prefill_ns + a.decode_ns);
    EXPECT_EQ(a.ttft_ns, a.queue_ns + a.prefill_ns);
    EXPECT_GE(a.prefill_ns, 40'000u);
    EXPECT_GE(a.decode_ns, 4'000u);
    EXPECT_EQ(a.saved_ns, 0u);
  }
  const Answer warm = toy_.process(token_request(random_tokens(0, 40), 5));
  EXPECT_EQ(warm.cached_tokens, 39u);
  EXPECT_NEAR(static_cast<double>(warm.saved_ns), 39 * 1000.0, 39 * 10.0);
  const RequestStats s = toy_.engine->stats();
  EXPECT_EQ(s.saved_ns, warm.saved_ns);
  EXPECT_GT(s.latency_p50_ns, 0u);
  EXPECT_LE(s.latency_p50_ns, s.latency_p99_ns);
  EXPECT_GT(s.ttft_avg_ns, 0u);
  EXPECT_LT(s.ttft_avg_ns, s.latency_avg_ns);
}

TEST_F(RequestEngineTest, CancelsWhatWaitsAndWhatRuns) {
  toy_.options.max_batch = 1;
  toy_.model.script = "abcdefghijklmnop";
  const kvc_ticket_t running = toy_.submit(text_request(">", 16));
  const kvc_ticket_t waiting = toy_.submit(text_request("y"));
  bool busy = false;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  ASSERT_TRUE(toy_.engine->cancel(waiting).is_ok());
  EXPECT_EQ(toy_.engine->stats().queued, 0u);  // at once
  ASSERT_TRUE(toy_.engine->cancel(running).is_ok());
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  EXPECT_FALSE(busy);
  ASSERT_TRUE(toy_.engine->cancel(running).is_ok());  // already complete
  const Answer a = toy_.wait(running), b = toy_.wait(waiting);
  EXPECT_EQ(a.status, KVC_E_CANCELLED);
  EXPECT_EQ(a.text, "abc");
  EXPECT_EQ(b.status, KVC_E_CANCELLED);
  EXPECT_EQ(b.text, "");
  EXPECT_EQ(toy_.engine->cancel(running).code(), KVC_E_NOT_FOUND);
  EXPECT_EQ(toy_.engine->stats().cancelled, 2u);
}

TEST_F(RequestEngineTest, EndsAStepThatNobodyWaitsFor) {
  kvc_ticket_t first = 0, second = 0;
  int asked = 0;
  toy_.model.before = [&](std::span<const ForwardItem> items) {
    EXPECT_FALSE(toy_.model.stop());
    EXPECT_TRUE(toy_.engine->cancel(first).is_ok());
    ++asked;
    if (items.size() == 2) {
      EXPECT_FALSE(toy_.model.stop());  // the other one is waited for
      return Status::ok();
    }
    EXPECT_TRUE(toy_.model.stop());
    return error(KVC_E_CANCELLED, "ended early");
  };
  first = toy_.submit(token_request(random_tokens(1, 40)));
  const Answer alone = toy_.wait(first);
  EXPECT_EQ(alone.status, KVC_E_CANCELLED);
  EXPECT_EQ(alone.finish_reason, KVC_FINISH_CANCELLED);
  EXPECT_EQ(alone.computed_tokens, 0u);
  EXPECT_EQ(asked, 1);

  first = toy_.submit(token_request(random_tokens(2, 40)));
  second = toy_.submit(token_request(random_tokens(3, 40), 1));
  const Answer other = toy_.wait(second);
  EXPECT_EQ(other.status, KVC_OK) << other.error;
  EXPECT_EQ(other.computed_tokens, 40u);
  EXPECT_EQ(toy_.wait(first).status, KVC_E_CANCELLED);
}

TEST_F(RequestEngineTest, EndsAStepWhoseDeadlinePassed) {
  toy_.model.before = [&](std::span<const ForwardItem>) {
    EXPECT_FALSE(toy_.model.stop());
    toy_.time.now += 2'000'000'000;
    EXPECT_TRUE(toy_.model.stop());
    return error(KVC_E_CANCELLED, "ended early");
  };
  Request r = token_request(random_tokens(1, 40));
  r.deadline_ns = 1'000'000'000;
  const Answer a = toy_.process(r);
  EXPECT_EQ(a.status, KVC_E_DEADLINE);
  EXPECT_EQ(a.computed_tokens, 0u);
}

TEST_F(RequestEngineTest, AModelThatStopsUnaskedHasFailed) {
  toy_.model.before = [](std::span<const ForwardItem>) { return error(KVC_E_CANCELLED, "ended early"); };
  const Answer a = toy_.process(token_request(random_tokens(1, 40)));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_NE(a.error.find("ended early"), std::string::npos) << a.error;
}

TEST_F(RequestEngineTest, EstimatesWhatReuseSaved) {
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

TEST_F(RequestEngineTest, GivesNothingOutAfterACancel) {
  toy_.model.script = "abENx";
  Request r = text_request(">", 16);
  r.stop = {"END"};
  const kvc_ticket_t ticket = toy_.submit(r);
  bool busy = false;
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  ASSERT_TRUE(toy_.engine->cancel(ticket).is_ok());
  const Answer a = toy_.wait(ticket);
  EXPECT_EQ(a.text, "ab");  // what might have become a stop was never given out
  EXPECT_EQ(a.tokens.size(), 4u);
}

TEST_F(RequestEngineTest, CancelsWhenOnTextSaysSo) {
  toy_.model.script = "abcdef";
  Request r = text_request(">", 16);
  r.on_text = [](void*, kvc_ticket_t, const char* text, size_t) -> kvc_status_t {
    return *text == 'c' ? KVC_E_USER : KVC_OK;
  };
  const Answer a = toy_.process(r);
  EXPECT_EQ(a.status, KVC_E_CANCELLED);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_CANCELLED);
  EXPECT_EQ(a.text, "abc");
  EXPECT_NE(a.error.find("-900"), std::string::npos) << a.error;
}

TEST_F(RequestEngineTest, HandsOutEachTicketOnce) {
  const kvc_ticket_t a = toy_.submit(text_request("a", 1)), b = toy_.submit(text_request("b", 2)),
                     c = toy_.submit(text_request("c", 3));
  EXPECT_LT(a, b);
  kvc_ticket_t listed[3];
  EXPECT_EQ(toy_.engine->poll(listed, 3), 0u);
  drain();
  EXPECT_EQ(toy_.engine->poll(listed, 2), 2u);
  EXPECT_EQ(listed[0], a);
  EXPECT_EQ(listed[1], b);
  toy_.wait(c);
  EXPECT_EQ(toy_.engine->poll(listed, 3), 0u);  // c was handed out before it could be listed
  std::unique_ptr<Answer> answer;
  EXPECT_EQ(toy_.engine->wait(c, 0, &answer).code(), KVC_E_NOT_FOUND);
  ASSERT_TRUE(toy_.engine->wait(a, 0, &answer).is_ok());
  EXPECT_EQ(answer->ticket, a);
  ASSERT_TRUE(toy_.engine->forget(b).is_ok());
  EXPECT_EQ(toy_.engine->forget(b).code(), KVC_E_NOT_FOUND);
}

TEST_F(RequestEngineTest, ForgetsWhatWaitsAndWhatRuns) {
  toy_.options.max_batch = 1;
  const kvc_ticket_t running = toy_.submit(text_request("a", 50));
  const kvc_ticket_t waiting = toy_.submit(text_request("b"));
  bool busy = false;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  ASSERT_TRUE(toy_.engine->forget(running).is_ok());
  ASSERT_TRUE(toy_.engine->forget(waiting).is_ok());
  drain();
  EXPECT_EQ(toy_.engine->stats().cancelled, 2u);
  kvc_ticket_t listed[2];
  EXPECT_EQ(toy_.engine->poll(listed, 2), 0u);
}

TEST_F(RequestEngineTest, StopsWithWorkInFlight) {
  toy_.options.max_batch = 1;
  const kvc_ticket_t running = toy_.submit(text_request("a", 50));
  const kvc_ticket_t waiting = toy_.submit(text_request("b"));
  bool busy = false;
  ASSERT_TRUE(toy_.engine->step(&busy).is_ok());
  EXPECT_TRUE(toy_.engine->stop());
  EXPECT_TRUE(toy_.engine->stop());
  EXPECT_EQ(toy_.wait(running).status, KVC_E_CANCELLED);
  EXPECT_EQ(toy_.wait(waiting).status, KVC_E_CANCELLED);
  kvc_ticket_t ticket = 0;
  EXPECT_EQ(toy_.engine->submit(text_request("c"), &ticket).code(), KVC_E_CLOSED);
}

TEST_F(RequestEngineTest, RefusesToWaitForItselfInACallback) {
  struct Seen {
    RequestEngine* engine;
    std::vector<kvc_status_t> statuses;
    kvc_ticket_t more = 0;
  } seen{&toy_.open(), {}, 0};
  Request r = text_request("x", 1);
  r.user_data = &seen;
  toy_.model.script = "y";
  r.prompt = ">";
  r.on_text = [](void* user_data, kvc_ticket_t ticket, const char*, size_t) -> kvc_status_t {
    auto* s = static_cast<Seen*>(user_data);
    std::unique_ptr<Answer> answer;
    char buffer[8];
    size_t size = 0;
    bool busy = false;
    s->statuses.push_back(s->engine->next(ticket, UINT64_MAX, buffer, sizeof buffer, &size).code());
    s->statuses.push_back(s->engine->next(ticket, UINT64_MAX, buffer, sizeof buffer, &size).code());
    s->statuses.push_back(s->engine->wait(ticket, 0, &answer).code());
    s->statuses.push_back(s->engine->wait(ticket, UINT64_MAX, &answer).code());
    s->statuses.push_back(s->engine->step(&busy).code());
    s->statuses.push_back(s->engine->stop() ? KVC_OK : KVC_E_BUSY);
    s->statuses.push_back(s->engine->submit(text_request("later", 1), &s->more).code());
    return KVC_OK;
  };
  EXPECT_EQ(toy_.process(r).status, KVC_OK);
  EXPECT_EQ(seen.statuses,
            (std::vector<kvc_status_t>{KVC_OK, KVC_E_BUSY, KVC_PENDING, KVC_E_BUSY, KVC_E_BUSY, KVC_E_BUSY, KVC_OK}));
  EXPECT_EQ(toy_.wait(seen.more).status, KVC_OK);
}

}  // namespace
}  // namespace kvc
