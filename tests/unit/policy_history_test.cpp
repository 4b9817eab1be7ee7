// What what-if questions look back on: exact while all of it fits, near the truth when it is a sample, bounded always.
#include "policy/history.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/random.h"
#include "policy/simulator.h"

namespace kvc {
namespace {

struct Chain {
  uint64_t id, pages, time_ns;
  uint32_t last_tokens;
  uint32_t generated = 0;
};

// Conversations that grow by two pages at each turn, every one behind the same first page.
std::vector<Chain> conversations(size_t requests) {
  Random random(5);
  std::vector<Chain> chains;
  std::vector<Chain> open;
  for (size_t i = 0; i < requests; ++i) {
    if (open.size() < 200) open.push_back(Chain{i + 1, 3 + random.next() % 12, 0, 0});
    const size_t which = random.next() % open.size();
    Chain& chain = open[which];
    chain.pages += 2;
    chain.time_ns = (i + 1) * 400'000'000;
    chain.last_tokens = random.next() % 3 == 0 ? 64 : 17;
    chains.push_back(chain);
    if (chain.pages > 40) open.erase(open.begin() + static_cast<ptrdiff_t>(which));
  }
  return chains;
}

uint64_t key_of(const Chain& chain, uint64_t depth) {
  // An unfinished last page is another page when it is finished.
  const bool unfinished = depth + 1 == chain.pages && chain.last_tokens != 64;
  uint64_t key = (depth == 0 ? 0 : chain.id) * 0x9e3779b97f4a7c15 + depth * 0xbf58476d1ce4e5b9 + (unfinished ? 77 : 1);
  key = (key ^ key >> 31) * 0x94d049bb133111eb;
  return key ^ key >> 29;
}

History::Sample sample_of(const std::vector<Chain>& chains, uint64_t bytes, uint64_t held, uint64_t* used) {
  Memory memory(nullptr, std::numeric_limits<uint64_t>::max() / 2);
  History history(&memory, bytes);
  struct Node : PolicyEntry {
    Node* parent = nullptr;
  };
  const auto up = [](PolicyEntry& entry) noexcept -> PolicyEntry* { return static_cast<Node&>(entry).parent; };
  *used = 0;
  for (const Chain& chain : chains) {
    std::vector<Node> nodes(chain.pages);
    for (uint64_t d = 0; d < chain.pages; ++d) {
      nodes[d].key = key_of(chain, d);
      nodes[d].depth = static_cast<uint32_t>(d);
      nodes[d].tokens = d + 1 == chain.pages ? chain.last_tokens : 64;
      nodes[d].parent = d == 0 ? nullptr : &nodes[d - 1];
    }
    history.add(chain.time_ns, nodes.back(), up, SessionEnd{SessionHint::none, 0, chain.generated}, held);
    *used = std::max(*used, memory.used());
  }
  return history.sample();
}

double token_hits(const std::vector<Chain>& chains, std::string_view policy, uint64_t pages) {
  PrefixSimulator simulator(policy, pages);
  double hit = 0, all = 0;
  std::vector<uint64_t> keys;
  for (const Chain& chain : chains) {
    keys.clear();
    for (uint64_t d = 0; d < chain.pages; ++d) keys.push_back(key_of(chain, d));
    const size_t n = simulator.request({keys, chain.time_ns, 64, chain.last_tokens, {}});
    const uint64_t tokens = (chain.pages - 1) * 64 + chain.last_tokens;
    hit += static_cast<double>(n == chain.pages ? tokens : n * 64);
    all += static_cast<double>(tokens);
  }
  return hit / all;
}

TEST(HistoryTest, WhatFitsIsAnsweredAsItWas) {
  const std::vector<Chain> chains = conversations(3000);
  uint64_t used = 0;
  const History::Sample sample = sample_of(chains, 4 << 20, 500, &used);
  EXPECT_TRUE(sample.whole);
  EXPECT_EQ(sample.share, 1);
  for (const char* policy : {"lru", "lfu", "sieve", "s3fifo", "arc", "wtinylfu", "lecar", "gdsf"}) {
    for (uint64_t pages : {100, 500, 1500}) {
      const WhatIf found = what_if(sample, policy, pages, {});
      EXPECT_EQ(found.sessions, chains.size());
      EXPECT_NEAR(found.token_hit_rate, token_hits(chains, policy, pages), 0.001) << policy << ' ' << pages;
    }
  }
}

// Conversations of which two thirds end after a turn: with a long answer, the others with a short one.
TEST(HistoryTest, RemembersHowLongAnswersWere) {
  std::vector<Chain> chains;
  for (uint64_t i = 0; i < 4000; ++i) {
    const bool on = i % 3 == 0;
    chains.push_back(Chain{i + 1, 9, i * 400'000'000, 64, on ? 4u : 400u});
    if (i >= 150 && (i - 150) % 3 == 0) chains.push_back(Chain{i - 149, 11, i * 400'000'000, 64, 400});
  }
  const auto asked = [&] {
    uint64_t used = 0;
    return what_if(sample_of(chains, 4 << 20, 500, &used), "adaptive", 700, {}).token_hit_rate;
  };
  const double told = asked();
  for (Chain& chain : chains) chain.generated = 0;
  EXPECT_GT(told, 1.2 * asked());
}

TEST(HistoryTest, WhatRequestsRepeatTakesNoRoom) {
  const std::vector<Chain> chains = conversations(3000);
  uint64_t pages = 0, used = 0;
  for (const Chain& chain : chains) pages += chain.pages;
  const History::Sample sample = sample_of(chains, 4 << 20, 500, &used);
  EXPECT_LT(sample.words.size(), pages / 2 + 8 * chains.size());
}

TEST(HistoryTest, ASampleIsNearTheTruthAndBounded) {
  const std::vector<Chain> chains = conversations(20'000);
  constexpr uint64_t kBytes = 512 << 10;
  uint64_t used = 0;
  const History::Sample sample = sample_of(chains, kBytes, 8000, &used);
  EXPECT_LT(sample.share, 1);
  EXPECT_LE(used, kBytes);
  for (const char* policy : {"lru", "arc", "adaptive"}) {
    for (uint64_t pages : {1500, 4000}) {
      EXPECT_NEAR(what_if(sample, policy, pages, {}).token_hit_rate, token_hits(chains, policy, pages), 0.04)
          << policy << ' ' << pages;
    }
  }
}

TEST(HistoryTest, ASmallCacheKeepsAllPagesOfALaterPart) {
  const std::vector<Chain> chains = conversations(20'000);
  constexpr uint64_t kBytes = 128 << 10;
  uint64_t used = 0;
  const History::Sample sample = sample_of(chains, kBytes, 700, &used);
  EXPECT_EQ(sample.share, 1);
  EXPECT_FALSE(sample.whole);
  EXPECT_LE(used, kBytes);
  for (const char* policy : {"lru", "arc"}) {
    EXPECT_NEAR(what_if(sample, policy, 900, {}).token_hit_rate, token_hits(chains, policy, 900), 0.03) << policy;
  }
}

}  // namespace
}  // namespace kvc
