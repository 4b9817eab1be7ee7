// Option reproducible: which batches a model with K/V of its own gets to compute, whatever is stored and whatever else waits.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "request_toy.h"

namespace kvc {
namespace {

class ReproducibleTest : public testing::Test {
 protected:
  static constexpr uint32_t kBatch = 24;  // three pages

  ReproducibleTest() {
    toy_.options.reproducible = true;
    toy_.options.prefill_chunk = kBatch + 1;  // rounded down to whole pages
    toy_.options.max_batch = 4;
    toy_.model.before = [this](std::span<const ForwardItem> items) {
      EXPECT_EQ(1u, items.size());
      const ForwardItem& item = items[0];
      batches_[item.sequence].emplace_back(item.position, item.tokens.size());
      return Status::ok();
    };
  }

  // The batches of a prompt are those of a fresh engine, from where it was restored.
  void expect_fixed(kvc_ticket_t ticket, size_t prompt, size_t cached) {
    EXPECT_EQ(0u, cached % kBatch);
    size_t at = cached;
    for (const auto& [position, n] : batches_.at(ticket)) {
      if (position >= prompt) break;
      EXPECT_EQ(at, position);
      EXPECT_EQ(std::min<size_t>(prompt - at, kBatch), n);
      at += n;
    }
    EXPECT_EQ(prompt, at);
  }

  std::map<uint64_t, std::vector<std::pair<uint32_t, size_t>>> batches_;
  Toy toy_{false};
};

TEST_F(ReproducibleTest, PromptsAreComputedInTheSameBatchesWhateverIsStored) {
  std::vector<int32_t> prompt = random_tokens(1, 60);
  for (const size_t length : {60u, 60u, 61u, 72u, 73u, 97u, 49u, 48u}) {
    const std::vector<int32_t> more = random_tokens(2, 100);
    prompt.resize(std::min(prompt.size(), length));
    prompt.insert(prompt.end(), more.begin(), more.begin() + static_cast<std::ptrdiff_t>(length - prompt.size()));
    const kvc_ticket_t ticket = toy_.submit(token_request(prompt, 5));
    const Answer a = toy_.wait(ticket);
    ASSERT_EQ(KVC_OK, a.status) << a.error;
    expect_fixed(ticket, length, a.cached_tokens);
    prompt.insert(prompt.end(), a.tokens.begin(), a.tokens.end());
  }
  const Answer again = toy_.process(token_request(random_tokens(1, 60), 5));
  EXPECT_EQ(48u, again.cached_tokens);
  EXPECT_NE(again.miss_text.find("whole batches"), std::string::npos) << again.miss_text;
}

TEST_F(ReproducibleTest, RequestsThatWaitTogetherAreComputedOneAfterTheOther) {
  std::vector<kvc_ticket_t> tickets;
  for (uint64_t i = 0; i < 4; ++i) tickets.push_back(toy_.submit(token_request(random_tokens(i % 2, 50 + i), 5)));
  for (uint64_t i = 0; i < 4; ++i) {
    const Answer a = toy_.wait(tickets[i]);
    ASSERT_EQ(KVC_OK, a.status) << a.error;
    expect_fixed(tickets[i], 50 + i, a.cached_tokens);
    EXPECT_EQ(i < 2 ? 0u : 48u, a.cached_tokens);
  }
}

TEST_F(ReproducibleTest, StatesAreTakenWhereEveryPromptHasABatchEnd) {
  toy_.model.info_.state_tokens = 16;
  const std::vector<int32_t> prompt = random_tokens(1, 90);
  for (const size_t length : {70u, 90u, 80u}) {
    const kvc_ticket_t ticket =
        toy_.submit(token_request({prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(length)}, 5));
    const Answer a = toy_.wait(ticket);
    ASSERT_EQ(KVC_OK, a.status) << a.error;
    expect_fixed(ticket, length, a.cached_tokens);
    EXPECT_EQ(length == 70 ? 0u : length == 90 ? 48u : 72u, a.cached_tokens);
  }
  EXPECT_EQ((std::vector<size_t>{24, 48, 72}), toy_.model.saved);
}

}  // namespace
}  // namespace kvc
