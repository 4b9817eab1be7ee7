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

}  // namespace
}  // namespace kvc
