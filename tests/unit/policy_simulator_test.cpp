// The cache without bytes that what-if questions run on.
#include "policy/simulator.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace kvc {
namespace {

// A history knows half of a page's key: pages of two chains, or of one, may have the same.
TEST(PrefixSimulatorTest, SurvivesPagesThatShareAKey) {
  for (const std::string_view policy : policy_names()) {
    PrefixSimulator simulator(policy, 10);
    std::mt19937_64 random(7);
    size_t hits = 0;
    for (uint64_t i = 0; i < 3000; ++i) {
      std::vector<uint64_t> keys(1 + random() % 6);
      for (uint64_t& key : keys) key = random() % 24;
      const size_t found = simulator.request({keys, i * 1000, 64, 64, {}});
      ASSERT_LE(found, keys.size()) << policy;
      ASSERT_LE(simulator.size(), 10u) << policy;
      hits += found;
    }
    EXPECT_GT(hits, 0u) << policy;
  }
}

// What a page costs to compute again counts here as it does in the cache, where pages have a size.
TEST(PrefixSimulatorTest, WeighsWhatPagesCost) {
  PrefixSimulator simulator("gdsf", 41);
  std::vector<uint64_t> deep(40);
  for (size_t i = 0; i < deep.size(); ++i) deep[i] = i + 1;
  const std::vector<uint64_t> shallow = {100}, other = {200};
  EXPECT_EQ(0u, simulator.request({deep, 1000, 512, 512, {}}));
  EXPECT_EQ(0u, simulator.request({shallow, 2000, 512, 512, {}}));
  EXPECT_EQ(0u, simulator.request({other, 3000, 512, 512, {}}));
  EXPECT_EQ(40u, simulator.request({deep, 4000, 512, 512, {}})) << "the older pages cost more";
}

}  // namespace
}  // namespace kvc
