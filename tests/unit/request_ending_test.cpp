// How requests end early: deadlines, cancels, stops inside a step; tickets are handed out once.
#include <gtest/gtest.h>

#include "request_engine_fixture.h"

namespace kvc {
namespace {

class RequestEndingTest : public RequestEngineTest {};

TEST_F(RequestEndingTest, EndsWaitingRequestsAtTheirDeadline) {
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

TEST_F(RequestEndingTest, EndsRunningRequestsAtTheirDeadlineWithTheTextSoFar) {
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

TEST_F(RequestEndingTest, CancelsWhatWaitsAndWhatRuns) {
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

TEST_F(RequestEndingTest, EndsAStepThatNobodyWaitsFor) {
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

TEST_F(RequestEndingTest, EndsAStepWhoseDeadlinePassed) {
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

TEST_F(RequestEndingTest, AModelThatStopsUnaskedHasFailed) {
  toy_.model.before = [](std::span<const ForwardItem>) { return error(KVC_E_CANCELLED, "ended early"); };
  const Answer a = toy_.process(token_request(random_tokens(1, 40)));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_NE(a.error.find("ended early"), std::string::npos) << a.error;
}

TEST_F(RequestEndingTest, GivesNothingOutAfterACancel) {
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

TEST_F(RequestEndingTest, CancelsWhenOnTextSaysSo) {
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

TEST_F(RequestEndingTest, HandsOutEachTicketOnce) {
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

TEST_F(RequestEndingTest, ForgetsWhatWaitsAndWhatRuns) {
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

TEST_F(RequestEndingTest, StopsWithWorkInFlight) {
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

TEST_F(RequestEndingTest, RefusesToWaitForItselfInACallback) {
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
