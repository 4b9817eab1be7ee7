// Models that fail, memory that runs out, and models that keep their own K/V.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "request_engine_fixture.h"

namespace kvc {
namespace {

class RequestFailureTest : public RequestEngineTest, public ::testing::WithParamInterface<bool> {
 protected:
  RequestFailureTest() : RequestEngineTest(GetParam()) {}

  static Answer control(const Request& request) {
    Toy single;
    return single.process(request);
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, RequestFailureTest, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Paged" : "OwnKv"; });

TEST_P(RequestFailureTest, AnswersAndReuses) {
  const Request r = token_request(random_tokens(1, 40), 20);
  const Answer cold = toy_.process(r);
  const Answer warm = toy_.process(r);
  EXPECT_EQ(cold.tokens, control(r).tokens);
  EXPECT_EQ(warm.tokens, cold.tokens);
  EXPECT_EQ(warm.cached_tokens, 39u);
  EXPECT_EQ(toy_.model.imported, GetParam() ? 0u : 39u);
}

TEST_P(RequestFailureTest, EndsTheRequestOfAFailingForwardWithItsTextSoFar) {
  toy_.model.script = "abcdefgh";
  uint64_t calls = 0;
  toy_.model.before = [&](auto) { return ++calls == 4 ? error(KVC_E_BACKEND, "the model broke") : Status::ok(); };
  const Answer a = toy_.process(text_request(">", 8));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_EQ(a.finish_reason, KVC_FINISH_ERROR);
  EXPECT_EQ(a.error, "the model broke");
  EXPECT_EQ(a.text, "abc");
  EXPECT_EQ(a.tokens.size(), 3u);
  // The engine lives on.
  EXPECT_EQ(toy_.process(text_request(">", 8)).text, "abcdefgh");
  EXPECT_EQ(toy_.engine->stats().failed, 1u);
}

TEST_P(RequestFailureTest, RetriesABatchOneByOneWithoutTheBadOne) {
  const auto bad = [](const ForwardItem& item) { return item.tokens[0] == 255; };
  const auto fails = [&](std::span<const ForwardItem> items) {
    return std::any_of(items.begin(), items.end(), bad) ? error(KVC_E_USER, "cannot do 255") : Status::ok();
  };
  for (bool halfway : {false, true}) {
    toy_.model.before = halfway ? nullptr : std::function<Status(std::span<const ForwardItem>)>(fails);
    toy_.model.halfway = halfway ? std::function<Status(std::span<const ForwardItem>)>(fails) : nullptr;
    std::vector<Request> requests;
    for (uint64_t i = 0; i < 5; ++i) requests.push_back(token_request(random_tokens(i, 20), 6));
    requests[2].tokens = random_tokens(77, 20);
    requests[2].tokens[0] = 255;
    std::vector<kvc_ticket_t> tickets;
    for (const Request& r : requests) tickets.push_back(toy_.submit(r));
    for (size_t i = 0; i < 5; ++i) {
      const Answer a = toy_.wait(tickets[i]);
      if (i == 2) {
        EXPECT_EQ(a.status, KVC_E_BACKEND);
        EXPECT_NE(a.error.find("cannot do 255"), std::string::npos) << a.error;
      } else {
        EXPECT_EQ(a.status, KVC_OK) << a.error;
        EXPECT_EQ(a.tokens, control(requests[i]).tokens);
      }
    }
  }
}

TEST_P(RequestFailureTest, KeepsAnswersRightWhenForwardsFailNowAndThen) {
  // Every third call with more than one request fails halfway: nobody notices.
  uint64_t calls = 0, failed = 0;
  toy_.model.halfway = [&](std::span<const ForwardItem> items) {
    return items.size() > 1 && ++calls % 3 == 0 ? ++failed, error(KVC_E_BACKEND, "hiccup") : Status::ok();
  };
  toy_.options.prefill_chunk = 10;
  std::vector<Request> requests;
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 12; ++i) {
    requests.push_back(token_request(random_tokens(i % 5, 10 + 3 * i), 8));
    tickets.push_back(toy_.submit(requests.back()));
  }
  for (size_t i = 0; i < requests.size(); ++i) {
    const Answer a = toy_.wait(tickets[i]);
    EXPECT_EQ(a.status, KVC_OK) << a.error;
    EXPECT_EQ(a.tokens, control(requests[i]).tokens) << i;
  }
  EXPECT_GT(failed, 3u);
}

TEST_P(RequestFailureTest, TurnsExceptionsIntoStatuses) {
  int what = 0;
  toy_.model.before = [&](auto) -> Status {
    if (what == 1) throw std::bad_alloc();
    if (what == 2) throw std::runtime_error("odd");
    return Status::ok();
  };
  toy_.open();
  what = 1;
  EXPECT_EQ(toy_.process(text_request("a")).status, KVC_E_NO_MEMORY);
  what = 2;
  const Answer odd = toy_.process(text_request("a"));
  EXPECT_EQ(odd.status, KVC_E_INTERNAL);  // no table of C functions can do that
  EXPECT_NE(odd.error.find("odd"), std::string::npos);
  what = 0;
  EXPECT_EQ(toy_.process(text_request("a")).status, KVC_OK);
}

TEST_P(RequestFailureTest, RefusesLogitsThatAreNoNumbers) {
  uint64_t calls = 0;
  toy_.model.spoil = [&](float* logits) {
    if (++calls == 3) logits[200] = std::numeric_limits<float>::quiet_NaN();
  };
  const Answer a = toy_.process(text_request("a"));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_EQ(a.tokens.size(), 2u);
  EXPECT_NE(a.error.find("200"), std::string::npos) << a.error;
}

TEST_P(RequestFailureTest, NoticesAModelThatWritesNoLogits) {
  EXPECT_EQ(toy_.process(text_request("a")).status, KVC_OK);
  toy_.model.forgets_logits = true;
  const Answer a = toy_.process(text_request("a"));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_TRUE(a.tokens.empty());
}

TEST_P(RequestFailureTest, FollowsAFailedLeader) {
  toy_.options.prefill_chunk = 8;
  bool failed = false;
  toy_.model.before = [&](std::span<const ForwardItem> items) {
    if (failed || items[0].position != 16) return Status::ok();
    failed = true;
    return error(KVC_E_BACKEND, "the leader breaks");
  };
  const Request r = token_request(random_tokens(5, 64), 3);
  const kvc_ticket_t first = toy_.submit(r), second = toy_.submit(r);
  EXPECT_EQ(toy_.wait(first).status, KVC_E_BACKEND);
  const Answer a = toy_.wait(second);
  EXPECT_EQ(a.cached_tokens, 16u);
  EXPECT_EQ(a.tokens, control(r).tokens);
}

// The allocator of a cache, which fails once: after `left` more calls; or as long as `empty`.
struct FailingAllocator {
  uint64_t left = UINT64_MAX;
  bool empty = false;
  kvc_allocator_t table{};

  FailingAllocator() {
    table.struct_size = sizeof table;
    table.user_data = this;
    table.allocate = [](void* user_data, size_t size, size_t alignment) -> void* {
      auto* f = static_cast<FailingAllocator*>(user_data);
      return f->empty || f->left-- == 0 ? nullptr : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    };
    table.release = [](void*, void* pointer, size_t, size_t) { std::free(pointer); };
  }
};

TEST_P(RequestFailureTest, WithoutMemoryToBeginWaitsForThoseWhoHaveBegun) {
  FailingAllocator failing;
  toy_.allocator = &failing.table;
  const Request r = token_request(random_tokens(1, 42), 12), other = token_request(random_tokens(2, 42), 12);
  const kvc_ticket_t first = toy_.submit(r);
  bool busy = false;
  ASSERT_TRUE(toy_.open().step(&busy).is_ok());
  const kvc_ticket_t second = toy_.submit(other);
  failing.empty = true;  // the first goes on in the room that it has, the second finds none for its session
  ASSERT_TRUE(toy_.open().step(&busy).is_ok());
  failing.empty = false;
  EXPECT_EQ(toy_.wait(first).tokens, control(r).tokens);
  const Answer a = toy_.wait(second);
  EXPECT_EQ(a.status, KVC_OK) << a.error;
  EXPECT_EQ(a.tokens, control(other).tokens);
}

TEST_P(RequestFailureTest, SurvivesEveryAllocationThatFails) {
  // For all n that a request and its successor make.
  FailingAllocator failing;
  toy_.allocator = &failing.table;
  toy_.open();
  const Answer expected = control(token_request(random_tokens(1, 40), 12));
  uint64_t failures = 0, n = 0;
  for (bool failed = true; failed; ++n) {
    ASSERT_LT(n, 1000u);
    toy_.cache->trim(0);
    failing.left = n;
    const kvc_ticket_t a = toy_.submit(token_request(random_tokens(1, 40), 12));
    const kvc_ticket_t b = toy_.submit(token_request(random_tokens(1, 40), 12));
    for (const kvc_ticket_t ticket : {a, b}) {
      const Answer answer = toy_.wait(ticket);
      if (answer.status == KVC_OK) {
        EXPECT_EQ(answer.tokens, expected.tokens) << n;
      } else {
        EXPECT_EQ(answer.status, KVC_E_NO_MEMORY) << n << ": " << answer.error;
        ++failures;
      }
    }
    failed = failing.left > UINT64_MAX / 2;  // it came to the n-th call
    failing.left = UINT64_MAX;
    EXPECT_EQ(toy_.process(token_request(random_tokens(1, 40), 12)).tokens, expected.tokens) << n;
  }
  EXPECT_GT(n, 10u);
  if (GetParam()) {
    EXPECT_GT(failures, 0u);
  }
}

TEST_P(RequestFailureTest, LivesWithLittleMemory) {
  // Room for about one prompt: eight at a time cannot all be computed, but none of them does harm.
  toy_.cache_options.memory_limit = 48 << 10;
  std::vector<Request> requests;
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 8; ++i) {
    requests.push_back(token_request(random_tokens(i, 120), 4));
    tickets.push_back(toy_.submit(requests.back()));
  }
  size_t answered = 0;
  for (size_t i = 0; i < requests.size(); ++i) {
    const Answer a = toy_.wait(tickets[i]);
    if (a.status == KVC_OK) {
      ++answered;
      EXPECT_EQ(a.tokens, control(requests[i]).tokens);
    } else {
      EXPECT_EQ(a.status, KVC_E_NO_MEMORY) << a.error;
      EXPECT_EQ(a.finish_reason, KVC_FINISH_ERROR);
    }
  }
  EXPECT_GE(answered, 1u);
  // A model with K/V of its own goes on, and stores less.
  EXPECT_EQ(answered < 8, GetParam());
  // Alone each of them fits.
  for (const Request& r : requests) EXPECT_EQ(toy_.process(r).tokens, control(r).tokens);
}

using RequestOwnKvTest = RequestFailureTest;
INSTANTIATE_TEST_SUITE_P(Kinds, RequestOwnKvTest, ::testing::Values(false), [](const auto&) { return "OwnKv"; });

TEST_P(RequestOwnKvTest, FailsARequestWhoseKvCannotBeExported) {
  toy_.model.script = "abcdefgh";
  toy_.model.on_export = [](uint32_t from, uint32_t) {
    return from == 0 ? error(KVC_E_BACKEND, "export refused") : Status::ok();
  };
  // bos and '>', then six letters: with them a page is full, and is to be stored.
  const Answer a = toy_.process(text_request(">", 8));
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_EQ(a.error, "export refused");
  EXPECT_EQ(a.text, "abcdef");
}

TEST_P(RequestOwnKvTest, ExportsWholePagesAndTheRestAtTheEnd) {
  std::vector<std::pair<uint32_t, uint32_t>> exports;
  toy_.model.on_export = [&](uint32_t from, uint32_t n) {
    exports.emplace_back(from, n);
    return Status::ok();
  };
  const Request r = token_request(random_tokens(1, 20), 8);  // 20 + 7 tokens are computed
  const Answer cold = toy_.process(r);
  EXPECT_EQ(exports, (std::vector<std::pair<uint32_t, uint32_t>>{{0, 16}, {16, 8}, {24, 3}}));
  std::vector<int32_t> more = r.tokens;
  more.insert(more.end(), cold.tokens.begin(), cold.tokens.end());
  EXPECT_EQ(toy_.process(token_request(more, 1)).cached_tokens, 27u);
  EXPECT_FALSE(toy_.model.wrong);
}

TEST_P(RequestOwnKvTest, ExportsNothingOfARequestWithoutCache) {
  bool exported = false;
  toy_.model.on_export = [&](uint32_t, uint32_t) {
    exported = true;
    return Status::ok();
  };
  Request r = token_request(random_tokens(1, 40), 4);
  r.no_cache = true;
  EXPECT_EQ(toy_.process(r).status, KVC_OK);
  EXPECT_FALSE(exported);
}

TEST_P(RequestOwnKvTest, RequestsWaitUntilTheModelHasRoom) {
  toy_.model.info_.total_tokens = 100;
  std::vector<kvc_ticket_t> tickets;
  std::vector<Request> requests;
  for (uint64_t i = 0; i < 6; ++i) {
    requests.push_back(token_request(random_tokens(i, 36), 4));  // 40 each: two at a time
    tickets.push_back(toy_.submit(requests.back()));
  }
  for (size_t i = 0; i < tickets.size(); ++i) {
    const Answer a = toy_.wait(tickets[i]);
    EXPECT_EQ(a.status, KVC_OK) << a.error;
    EXPECT_EQ(a.tokens, control(requests[i]).tokens);
  }
  EXPECT_LE(toy_.model.largest_batch, 2u);
}

// --- sequences that are kept as states ---

TEST_P(RequestOwnKvTest, RestoresTheDeepestState) {
  toy_.model.info_.state_tokens = 16;
  const std::vector<int32_t> prompt = random_tokens(1, 60);
  const Answer cold = toy_.process(token_request(prompt, 6));
  EXPECT_EQ(cold.computed_tokens, 60u);
  EXPECT_EQ(toy_.model.saved, (std::vector<size_t>{16, 32, 48, 56, 65}));

  std::vector<int32_t> next = prompt;
  next.insert(next.end(), cold.tokens.begin(), cold.tokens.end());
  next.push_back(7);
  const Answer continued = toy_.process(token_request(next, 1));
  EXPECT_EQ(continued.cached_tokens, 65u);  // where the conversation ended, in the middle of a page
  EXPECT_EQ(continued.tokens, control(token_request(next, 1)).tokens);

  const Answer again = toy_.process(token_request(prompt, 6));
  EXPECT_EQ(again.cached_tokens, 56u);
  EXPECT_EQ(again.tokens, cold.tokens);
  EXPECT_EQ(again.miss_reason, KVC_MISS_PARTIAL);

  std::vector<int32_t> other(prompt.begin(), prompt.begin() + 40);
  other.push_back(3);
  const Answer forked = toy_.process(token_request(other, 3));
  EXPECT_EQ(forked.cached_tokens, 32u);
  EXPECT_EQ(forked.miss_text, "miss: of 40 stored tokens a state is kept for the first 32");
  EXPECT_EQ(forked.tokens, control(token_request(other, 3)).tokens);
  EXPECT_FALSE(toy_.model.wrong);

  Request ask = token_request(other, 1);
  ask.action = KVC_ACTION_RETRIEVE;
  EXPECT_EQ(toy_.process(ask).cached_tokens, 40u);  // the end of what was just computed, whose states are kept now
}

TEST_P(RequestOwnKvTest, AStateThatTheModelDoesNotTakeIsDropped) {
  toy_.model.info_.state_tokens = 16;
  const std::vector<int32_t> prompt = random_tokens(1, 60);
  const Answer cold = toy_.process(token_request(prompt, 6));
  toy_.model.refuses_states_of = 56;
  const Answer a = toy_.process(token_request(prompt, 6));
  EXPECT_EQ(a.status, KVC_OK) << a.error;
  EXPECT_EQ(a.cached_tokens, 48u);
  EXPECT_EQ(a.tokens, cold.tokens);
  EXPECT_FALSE(toy_.model.wrong);
}

TEST_P(RequestOwnKvTest, StatesAreOfOneTenant) {
  toy_.model.info_.state_tokens = 16;
  Request r = token_request(random_tokens(1, 60), 6);
  r.tenant = "a";
  const Answer cold = toy_.process(r);
  r.tenant = "b";
  const Answer other = toy_.process(r);
  EXPECT_EQ(other.cached_tokens, 0u);
  EXPECT_EQ(other.tokens, cold.tokens);
}

TEST_P(RequestOwnKvTest, EndsAtEveryTokenThatEndsAText) {
  toy_.model.script = "abcdefgh";
  toy_.model.info_.ends = {'d'};
  const Answer a = toy_.process(text_request(">", 8));
  EXPECT_EQ(a.text, "abc");
  EXPECT_EQ(a.finish_reason, KVC_FINISH_EOS);
}

TEST_P(RequestOwnKvTest, FailsARequestWhoseKvCannotBeImported) {
  const Request r = token_request(random_tokens(1, 40), 4);
  const Answer cold = toy_.process(r);
  toy_.model.import_fails = true;
  const Answer a = toy_.process(r);
  EXPECT_EQ(a.status, KVC_E_BACKEND);
  EXPECT_EQ(a.error, "import refused");
  toy_.model.import_fails = false;
  EXPECT_EQ(toy_.process(r).tokens, cold.tokens);
}

}  // namespace
}  // namespace kvc
