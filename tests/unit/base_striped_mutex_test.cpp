#include "base/striped_mutex.h"

#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kvc {
namespace {

TEST(ThreadStripeTest, ThreadsThatBeginAfterOneAnotherShareNone) {
  std::vector<size_t> stripes(8);
  std::vector<std::thread> threads;
  for (size_t& stripe : stripes) {
    // One after another: what is freed by one thread, such as its stack, is not what tells the next one apart.
    threads.emplace_back([&stripe] {
      stripe = thread_stripe(8);
      EXPECT_EQ(thread_stripe(8), stripe);
    });
    threads.back().join();
  }
  EXPECT_EQ(std::set<size_t>(stripes.begin(), stripes.end()).size(), stripes.size());
}

}  // namespace
}  // namespace kvc
