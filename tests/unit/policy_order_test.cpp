// The order that makes each policy what it is.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <list>
#include <vector>

#include "base/random.h"
#include "policy/policy.h"

namespace kvc {
namespace {

class PolicyOrderTest : public testing::Test {
 protected:
  void use(std::string_view name, size_t n) {
    policy_ = make_policy(name, &memory_);
    entries_.resize(n);
    for (auto& entry : entries_) {
      ASSERT_TRUE(policy_->reserve());
      policy_->inserted(entry);
      policy_->evictable(entry, true);
    }
  }
  void hit(size_t i) { policy_->hit(entries_[i]); }
  std::vector<size_t> drain() {
    std::vector<size_t> order;
    while (PolicyEntry* victim = policy_->victim()) {
      for (size_t i = 0; i < entries_.size(); ++i) {
        if (&entries_[i] == victim) order.push_back(i);
      }
      policy_->removed(*victim);
    }
    return order;
  }

  Memory memory_{nullptr, 1 << 20};
  std::deque<PolicyEntry> entries_;
  std::unique_ptr<Policy> policy_;
};

using Order = std::vector<size_t>;

TEST_F(PolicyOrderTest, LruLetsTheLongestUnusedGo) {
  use("lru", 5);
  hit(1);
  hit(0);
  hit(1);
  EXPECT_EQ(drain(), (Order{2, 3, 4, 0, 1}));
}

TEST_F(PolicyOrderTest, LruCountsUsesOfWhatIsNotEvictable) {
  use("lru", 3);
  policy_->evictable(entries_[0], false);
  hit(0);
  policy_->evictable(entries_[0], true);
  EXPECT_EQ(drain(), (Order{1, 2, 0}));
}

TEST_F(PolicyOrderTest, LruKeepsParentsLongerThanTheirChildren) {
  use("lru", 4);
  for (const size_t i : {3, 2, 1, 0}) hit(i);  // a chain 0 <- 1 <- 2 <- 3, reported from its end
  EXPECT_EQ(drain(), (Order{3, 2, 1, 0}));
}

TEST_F(PolicyOrderTest, LruAgainstAList) {
  use("lru", 100);
  std::list<size_t> model;
  for (size_t i = 0; i < 100; ++i) model.push_back(i);
  Random random(5);
  for (int step = 0; step < 2000; ++step) {
    const size_t i = random.next() % 100;
    hit(i);
    model.remove(i);
    model.push_back(i);
  }
  EXPECT_EQ(drain(), Order(model.begin(), model.end()));
}

TEST_F(PolicyOrderTest, FifoIgnoresHits) {
  use("fifo", 5);
  for (int i = 0; i < 10; ++i) hit(0);
  hit(2);
  EXPECT_EQ(drain(), (Order{0, 1, 2, 3, 4}));
}

TEST_F(PolicyOrderTest, FifoCountsFromTheLatestInsertion) {
  use("fifo", 3);
  policy_->removed(entries_[0]);
  ASSERT_TRUE(policy_->reserve());
  policy_->inserted(entries_[0]);
  policy_->evictable(entries_[0], true);
  EXPECT_EQ(drain(), (Order{1, 2, 0}));
}

TEST_F(PolicyOrderTest, LfuLetsTheLeastUsedGo) {
  use("lfu", 4);
  for (int i = 0; i < 3; ++i) hit(0);
  for (int i = 0; i < 2; ++i) hit(2);
  hit(3);
  EXPECT_EQ(drain(), (Order{1, 3, 2, 0}));
}

TEST_F(PolicyOrderTest, LfuBreaksTiesByRecency) {
  use("lfu", 4);
  for (const size_t i : {2, 0, 3, 1}) hit(i);
  EXPECT_EQ(drain(), (Order{2, 0, 3, 1}));
}

TEST_F(PolicyOrderTest, LfuForgetsTheHitsOfAnEarlierLife) {
  use("lfu", 2);
  for (int i = 0; i < 5; ++i) hit(0);
  hit(1);
  policy_->removed(entries_[0]);
  ASSERT_TRUE(policy_->reserve());
  policy_->inserted(entries_[0]);
  policy_->evictable(entries_[0], true);
  EXPECT_EQ(drain(), (Order{0, 1}));
}

TEST_F(PolicyOrderTest, LfuKeepsCountingWhereItsScoreIsFull) {
  use("lfu", 2);
  entries_[0].hits = entries_[1].hits = 2'000'000;
  hit(1);
  hit(0);
  EXPECT_EQ(drain(), (Order{1, 0}));
}

// Keys as pages have them: all bits differ.
uint64_t key_of(uint64_t i) { return (i + 1) * 0x9e3779b97f4a7c15; }

class PolicyScanTest : public PolicyOrderTest {
 protected:
  // A cache of 20 entries, one new one after the other; true: it was held.
  bool access(uint64_t i) {
    for (PolicyEntry* entry : held_) {
      if (entry->key != key_of(i)) continue;
      policy_->hit(*entry);
      return true;
    }
    entries_.emplace_back();
    entries_.back().key = key_of(i);
    EXPECT_TRUE(policy_->reserve());
    policy_->inserted(entries_.back());
    policy_->evictable(entries_.back(), true);
    held_.push_back(&entries_.back());
    if (held_.size() <= 20) return false;
    PolicyEntry* victim = policy_->victim();
    policy_->removed(*victim);
    held_.remove(victim);
    return false;
  }
  int held_of_first(uint64_t n) {
    int count = 0;
    for (const PolicyEntry* entry : held_) {
      for (uint64_t i = 0; i < n; ++i) count += entry->key == key_of(i) ? 1 : 0;
    }
    return count;
  }
  std::list<PolicyEntry*> held_;
};

TEST_F(PolicyScanTest, WhatIsUsedTwiceSurvivesAScanExceptUnderLru) {
  for (const char* name : {"arc", "s3fifo", "wtinylfu", "lru"}) {
    held_.clear();
    entries_.clear();
    policy_ = make_policy(name, &memory_);
    for (int round = 0; round < 3; ++round) {
      for (uint64_t i = 0; i < 8; ++i) access(i);
    }
    for (uint64_t i = 100; i < 200; ++i) access(i);
    if (std::string_view(name) == "lru") {
      EXPECT_EQ(held_of_first(8), 0);
    } else {
      EXPECT_GE(held_of_first(8), 7) << name;
    }
    for (PolicyEntry* entry : held_) policy_->removed(*entry);
  }
}

TEST_F(PolicyScanTest, S3FifoPromotesWhatMayNotLeaveAsThePublishedOneDoes) {
  policy_ = make_policy("s3fifo", &memory_);
  access(0);
  policy_->evictable(entries_[0], false);  // others continue it
  for (int i = 0; i < 2; ++i) access(0);
  for (uint64_t i = 100; i < 140; ++i) access(i);
  policy_->evictable(entries_[0], true);
  for (uint64_t i = 140; i < 180; ++i) access(i);
  EXPECT_EQ(held_of_first(1), 1);
  for (PolicyEntry* entry : held_) policy_->removed(*entry);
}

TEST_F(PolicyScanTest, LeCaRLearnsWhichExpertIsWrong) {
  // Eight that are used now and then among many that are used once: LFU keeps them, LRU does not.
  const auto hits = [&](const char* name) {
    held_.clear();
    entries_.clear();
    policy_ = make_policy(name, &memory_);
    int n = 0;
    for (uint64_t round = 0; round < 300; ++round) {
      n += access(round % 8) ? 1 : 0;
      for (uint64_t i = 0; i < 2; ++i) access(1000 + round * 2 + i);
    }
    for (PolicyEntry* entry : held_) policy_->removed(*entry);
    return n;
  };
  EXPECT_EQ(hits("lru"), 0);
  EXPECT_GT(hits("lecar"), 50);
}

}  // namespace
}  // namespace kvc
