// Requests in, answers out: validation, how an answer ends, streaming, batches, order, times.
#include <gtest/gtest.h>

#include "request_engine_fixture.h"

namespace kvc {
namespace {

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

}  // namespace
}  // namespace kvc
