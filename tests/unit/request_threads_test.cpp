// Many callers at once. What they see must not depend on how they meet; a thread sanitizer sees the rest.
#include <gtest/gtest.h>

#include <thread>

#include "request_toy.h"

namespace kvc {
namespace {

class RequestThreadsTest : public ::testing::TestWithParam<uint32_t> {
 protected:
  Toy toy_;

  void SetUp() override {
    toy_.options.threads = GetParam();
    toy_.options.prefill_chunk = 32;
    toy_.time.tick = 1;
  }
  void TearDown() override {
    EXPECT_FALSE(toy_.model.wrong);
    EXPECT_TRUE(toy_.engine->stop());
    const RequestStats s = toy_.engine->stats();
    EXPECT_EQ(s.requests, s.completed + s.failed + s.cancelled);
    EXPECT_EQ(s.queued + s.active, 0u);
    EXPECT_EQ(toy_.model.open_sequences, 0);
    EXPECT_EQ(toy_.cache->stats().sessions, 0u);
  }
  static Request request(uint64_t i) {
    auto prompt = random_tokens(i % 3, 32);  // three prefixes
    const auto own = random_tokens(100 + i, i % 17 + 1);
    prompt.insert(prompt.end(), own.begin(), own.end());
    Request r = token_request(prompt, static_cast<uint32_t>(i % 5 + 1));
    r.priority = static_cast<int32_t>(i % 5) * 100 - 200;
    if (i % 4 == 0) r.session_id = "chat " + std::to_string(i % 3);
    return r;
  }
};

INSTANTIATE_TEST_SUITE_P(Threads, RequestThreadsTest, ::testing::Values(0u, 1u),
                         [](const auto& threads) { return threads.param == 0 ? "HostDrives" : "OwnThread"; });

TEST_P(RequestThreadsTest, AnswersEveryoneRightly) {
  constexpr uint64_t kThreads = 8, kEach = 20;
  std::vector<std::vector<int32_t>> expected(kThreads * kEach);
  {
    Toy single;
    for (uint64_t i = 0; i < expected.size(); ++i) expected[i] = single.process(request(i)).tokens;
  }
  toy_.open();
  std::vector<std::thread> threads;
  std::atomic<uint64_t> wrong{0};
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = t; i < expected.size(); i += kThreads) {
        const kvc_ticket_t ticket = toy_.submit(request(i));
        if (i % 3 == 0) {
          char buffer[8];
          size_t size = 0;
          while (toy_.engine->next(ticket, UINT64_MAX, buffer, sizeof buffer, &size).is_ok()) {
          }
        }
        wrong += toy_.wait(ticket).tokens != expected[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(toy_.engine->stats().completed, expected.size());
}

TEST_P(RequestThreadsTest, SurvivesSubmittingCancellingAndPollingAtOnce) {
  toy_.open();
  std::atomic<uint64_t> submitted{0}, ended{0};
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Random random(t);
      for (uint64_t i = 0; i < 25; ++i) {
        Request r = request(t * 100 + i);
        if (i % 7 == 0) r.deadline_ns = random.next() % 3000 + 200;
        kvc_ticket_t ticket = 0;
        if (!toy_.engine->submit(r, &ticket).is_ok()) continue;  // its deadline has passed already
        ++submitted;
        std::unique_ptr<Answer> answer;
        switch (random.next() % 4) {
          case 0:
            EXPECT_TRUE(toy_.engine->cancel(ticket).is_ok());
            break;
          case 1:
            EXPECT_TRUE(toy_.engine->forget(ticket).is_ok());
            ++ended;
            continue;
          case 2:
            if (toy_.engine->wait(ticket, 1000, &answer).is_ok()) {
              ++ended;
              continue;
            }
            break;
          default:
            toy_.engine->stats();
        }
        const Answer a = toy_.wait(ticket);
        EXPECT_TRUE(a.status == KVC_OK || a.status == KVC_E_CANCELLED || a.status == KVC_E_DEADLINE) << a.error;
        EXPECT_EQ(a.total_ns, a.queue_ns + a.prefill_ns + a.decode_ns);
        ++ended;
      }
    });
  }
  std::thread poller([&] {
    while (!over) {
      kvc_ticket_t tickets[16];
      toy_.engine->poll(tickets, 16);
      const RequestStats s = toy_.engine->stats();
      EXPECT_EQ(s.requests, s.completed + s.failed + s.cancelled + s.queued + s.active);
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  over = true;
  poller.join();
  EXPECT_EQ(ended, submitted);
}

TEST_P(RequestThreadsTest, GivesAnAnswerToOneOfSeveralWaiters) {
  const kvc_ticket_t ticket = toy_.submit(request(3));
  std::atomic<int> got{0}, unknown{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      std::unique_ptr<Answer> answer;
      const kvc_status_t code = toy_.engine->wait(ticket, UINT64_MAX, &answer).code();
      got += code == KVC_OK;
      unknown += code == KVC_E_NOT_FOUND;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(got, 1);
  EXPECT_EQ(unknown, 3);
}

TEST_P(RequestThreadsTest, WakesWaitersWhenItStops) {
  toy_.options.max_batch = 1;
  toy_.options.max_tokens = 1'000'000;
  toy_.model.info_.context = 1'000'000;
  std::atomic<int> waiting{0};
  toy_.open();
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 4; ++i) tickets.push_back(toy_.submit(token_request(random_tokens(i, 10), 100'000)));
  std::vector<std::thread> threads;
  std::atomic<int> cancelled{0};
  for (const kvc_ticket_t ticket : tickets) {
    threads.emplace_back([&, ticket] {
      ++waiting;
      cancelled += toy_.wait(ticket).status == KVC_E_CANCELLED;
    });
  }
  while (waiting < 4) std::this_thread::yield();
  EXPECT_TRUE(toy_.engine->stop());
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cancelled, 4);
}

TEST_P(RequestThreadsTest, ForgettingWakesWaiters) {
  toy_.options.max_tokens = 1'000'000;
  toy_.model.info_.context = 1'000'000;
  const kvc_ticket_t ticket = toy_.submit(token_request(random_tokens(1, 10), 100'000));
  std::atomic<bool> waiting{false};
  std::thread waiter([&] {
    std::unique_ptr<Answer> answer;
    waiting = true;
    EXPECT_EQ(toy_.engine->wait(ticket, UINT64_MAX, &answer).code(), KVC_E_NOT_FOUND);
  });
  while (!waiting) std::this_thread::yield();
  EXPECT_TRUE(toy_.engine->forget(ticket).is_ok());
  waiter.join();
}

TEST(RequestThreadTest, StartsWithTheFirstRequestAndReportsSteps) {
  Toy toy;
  toy.options.threads = 3;  // one model, one thread
  toy.open();
  bool busy = true;
  EXPECT_TRUE(toy.engine->step(&busy).is_ok());
  EXPECT_FALSE(busy);
  EXPECT_TRUE(toy.engine->stop());  // no thread yet: nothing to join
  toy.engine = nullptr;
  const Answer a = toy.process(text_request("hello"));
  EXPECT_EQ(a.status, KVC_OK);
  EXPECT_TRUE(toy.engine->step(&busy).is_ok());
}

TEST(RequestThreadTest, RefusesToStopFromItsOwnCallback) {
  Toy toy;
  toy.options.threads = 1;
  toy.model.script = "y";
  Request r = text_request(">", 1);
  struct Seen {
    RequestEngine* engine;
    bool stopped = true;
  } seen{&toy.open()};
  r.user_data = &seen;
  r.on_text = [](void* user_data, kvc_ticket_t, const char*, size_t) -> kvc_status_t {
    static_cast<Seen*>(user_data)->stopped = static_cast<Seen*>(user_data)->engine->stop();
    return KVC_OK;
  };
  EXPECT_EQ(toy.process(r).status, KVC_OK);
  EXPECT_FALSE(seen.stopped);
}

TEST(RequestThreadTest, GivesUpAfterTheTimeout) {
  Toy toy;
  toy.options.threads = 1;
  std::atomic<bool> go{false};
  toy.model.before = [&](auto) {
    while (!go) std::this_thread::yield();
    return Status::ok();
  };
  const kvc_ticket_t ticket = toy.submit(text_request("x", 1));
  std::unique_ptr<Answer> answer;
  char buffer[8];
  size_t size = 0;
  EXPECT_EQ(toy.engine->wait(ticket, 1'000'000, &answer).code(), KVC_PENDING);
  EXPECT_EQ(toy.engine->next(ticket, 1'000'000, buffer, sizeof buffer, &size).code(), KVC_PENDING);
  EXPECT_EQ(answer, nullptr);
  go = true;
  EXPECT_EQ(toy.wait(ticket).status, KVC_OK);
}

}  // namespace
}  // namespace kvc
