// States of a model that cannot be cut, on disk: found by the next engine on the directory, and never wrong.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "../temporary_directory.h"
#include "request_toy.h"

namespace kvc {
namespace {

class StateDiskTest : public testing::Test {
 protected:
  StateDiskTest() { EXPECT_TRUE(hash_init()); }
  std::unique_ptr<Toy> life() const {
    auto toy = std::make_unique<Toy>(false);
    toy->model.info_.state_tokens = 16;
    toy->cache_options.disk.path = directory_.path();
    toy->cache_options.disk.limit = 64 << 20;
    return toy;
  }
  static void end(std::unique_ptr<Toy> toy) {
    EXPECT_FALSE(toy->model.wrong);
    EXPECT_TRUE(toy->cache->disk().persist(UINT64_MAX).is_ok());
  }
  const std::vector<int32_t> prompt_ = random_tokens(1, 60);
  kvc_test::TemporaryDirectory directory_;
};

TEST_F(StateDiskTest, ARestartFindsTheDeepestState) {
  auto toy = life();
  const Answer cold = toy->process(token_request(prompt_, 6));
  EXPECT_EQ(cold.cached_tokens, 0u);
  end(std::move(toy));

  toy = life();
  std::vector<int32_t> next = prompt_;
  next.insert(next.end(), cold.tokens.begin(), cold.tokens.end());
  next.push_back(7);
  EXPECT_EQ(toy->process(token_request(next, 1)).cached_tokens, 65u);  // where the conversation ended
  const Answer again = toy->process(token_request(prompt_, 6));
  EXPECT_EQ(again.cached_tokens, 56u);
  EXPECT_EQ(again.tokens, cold.tokens);
  std::vector<int32_t> fork(prompt_.begin(), prompt_.begin() + 40);
  fork.push_back(3);
  EXPECT_EQ(toy->process(token_request(fork, 3)).cached_tokens, 32u);
  end(std::move(toy));
}

TEST_F(StateDiskTest, AnotherTenantFindsNothing) {
  auto toy = life();
  Request r = token_request(prompt_, 6);
  r.tenant = "a";
  const Answer cold = toy->process(r);
  end(std::move(toy));
  toy = life();
  r.tenant = "b";
  const Answer other = toy->process(r);
  EXPECT_EQ(other.cached_tokens, 0u);
  EXPECT_EQ(other.tokens, cold.tokens);
  r.tenant = "a";
  EXPECT_EQ(toy->process(r).cached_tokens, 56u);
  end(std::move(toy));
}

TEST_F(StateDiskTest, APurgeOfTheTenantLeavesNone) {
  auto toy = life();
  Request r = token_request(prompt_, 6);
  r.tenant = "a";
  toy->process(r);
  ASSERT_TRUE(toy->cache->purge("a", nullptr).is_ok());
  EXPECT_EQ(toy->cache->stats().tensors, 0u);
  EXPECT_EQ(toy->process(r).cached_tokens, 0u);
  ASSERT_TRUE(toy->cache->purge("a", nullptr).is_ok());
  end(std::move(toy));
  toy = life();
  EXPECT_EQ(toy->process(r).cached_tokens, 0u);
  end(std::move(toy));
}

TEST_F(StateDiskTest, ADamagedStateIsAMissAndTheNextOneDownIsTaken) {
  auto toy = life();
  const Answer cold = toy->process(token_request(prompt_, 6));
  end(std::move(toy));
  // The state of 56 tokens: its bytes are those tokens, once as they are in the only file that has them.
  const auto bytes = std::as_bytes(std::span(prompt_).first(56));
  const std::string needle(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  size_t damaged = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory_.path())) {
    if (!file.is_regular_file()) continue;
    std::fstream stream(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    std::string all((std::istreambuf_iterator<char>(stream)), {});
    for (size_t at = all.find(needle); at != std::string::npos; at = all.find(needle, at + 1)) {
      stream.clear();
      stream.seekp(static_cast<std::streamoff>(at + 100));
      stream.put(static_cast<char>(all[at + 100] ^ 1));
      ++damaged;
    }
  }
  ASSERT_GT(damaged, 0u);
  toy = life();
  const Answer again = toy->process(token_request(prompt_, 6));
  EXPECT_LT(again.cached_tokens, 56u);
  EXPECT_EQ(again.tokens, cold.tokens);
  EXPECT_FALSE(toy->model.wrong);
}

TEST_F(StateDiskTest, AStateThatTheModelDoesNotTakeIsForgotten) {
  auto toy = life();
  const Answer cold = toy->process(token_request(prompt_, 6));
  end(std::move(toy));
  toy = life();
  toy->model.refuses_states_of = 56;
  const Answer a = toy->process(token_request(prompt_, 1));
  EXPECT_EQ(a.cached_tokens, 48u);
  EXPECT_EQ(a.tokens[0], cold.tokens[0]);
  end(std::move(toy));
}

}  // namespace
}  // namespace kvc
