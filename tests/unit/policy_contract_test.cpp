// What src/policy/policy.h promises, held over every registered policy.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "policy/policy.h"

namespace kvc {
namespace {

constexpr int16_t kPriorities[] = {KVC_PRIORITY_BACKGROUND, KVC_PRIORITY_LOW, KVC_PRIORITY_NORMAL, KVC_PRIORITY_HIGH,
                                   KVC_PRIORITY_CRITICAL};

// Counts allocations, and refuses them when told to.
struct Gate {
  int allocations = 0;
  int64_t allow = -1;  // how many more; negative: all
  kvc_allocator_t table{};
  Gate() {
    table.struct_size = sizeof table;
    table.user_data = this;
    table.allocate = [](void* user_data, size_t size, size_t) -> void* {
      auto* gate = static_cast<Gate*>(user_data);
      if (gate->allow == 0) return nullptr;
      if (gate->allow > 0) --gate->allow;
      ++gate->allocations;
      return std::malloc(size);
    };
    table.release = [](void*, void* pointer, size_t, size_t) { std::free(pointer); };
  }
};

class PolicyContractTest : public testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { policy_ = make_policy(GetParam(), &memory_); }

  void insert(PolicyEntry& entry) {
    ASSERT_TRUE(policy_->reserve());
    policy_->inserted(entry);
  }

  // Takes everything out, in the policy's order.
  std::vector<PolicyEntry*> drain() {
    std::vector<PolicyEntry*> order;
    while (PolicyEntry* entry = policy_->victim()) {
      order.push_back(entry);
      policy_->removed(*entry);
    }
    return order;
  }

  Gate gate_;
  Memory memory_{&gate_.table, 1 << 20};
  std::unique_ptr<Policy> policy_;
};

TEST_P(PolicyContractTest, HasTheNameItIsFoundBy) {
  ASSERT_NE(policy_, nullptr);
  EXPECT_EQ(policy_->name(), GetParam());
}

TEST_P(PolicyContractTest, WithoutCandidatesThereIsNoVictim) {
  EXPECT_EQ(policy_->victim(), nullptr);
  PolicyEntry entry;
  insert(entry);
  EXPECT_EQ(policy_->victim(), nullptr);
  EXPECT_FALSE(entry.candidate);
  policy_->hit(entry);
  EXPECT_EQ(policy_->victim(), nullptr);
  policy_->removed(entry);
}

TEST_P(PolicyContractTest, VictimStaysUntilItIsRemoved) {
  PolicyEntry entry;
  insert(entry);
  policy_->evictable(entry, true);
  EXPECT_EQ(policy_->victim(), &entry);
  EXPECT_EQ(policy_->victim(), &entry);
  policy_->removed(entry);
  EXPECT_EQ(policy_->victim(), nullptr);
}

TEST_P(PolicyContractTest, TakingACandidateBackAndRepeatingAreAllowed) {
  PolicyEntry a, b;
  insert(a);
  insert(b);
  policy_->evictable(a, false);
  policy_->evictable(a, true);
  policy_->evictable(a, true);
  EXPECT_EQ(policy_->victim(), &a);
  policy_->evictable(a, false);
  policy_->evictable(a, false);
  EXPECT_EQ(policy_->victim(), nullptr);
  policy_->evictable(b, true);
  EXPECT_EQ(policy_->victim(), &b);
  policy_->removed(a);
  policy_->removed(b);
}

TEST_P(PolicyContractTest, HitsAreCounted) {
  PolicyEntry entry;
  entry.hits = 99;  // left over from an earlier life
  insert(entry);
  EXPECT_EQ(entry.hits, 0u);
  policy_->hit(entry);
  policy_->hit(entry);
  EXPECT_EQ(entry.hits, 2u);
  entry.hits = std::numeric_limits<uint32_t>::max();
  policy_->hit(entry);
  EXPECT_EQ(entry.hits, std::numeric_limits<uint32_t>::max());
  policy_->removed(entry);
}

TEST_P(PolicyContractTest, LowerPrioritiesLeaveFirst) {
  std::deque<PolicyEntry> entries(50);
  Random random(1);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].priority = kPriorities[i * 3 % 5];
    insert(entries[i]);
    policy_->evictable(entries[i], true);
  }
  for (int i = 0; i < 500; ++i) policy_->hit(entries[random.next() % entries.size()]);
  const auto order = drain();
  ASSERT_EQ(order.size(), entries.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [](auto* a, auto* b) { return a->priority < b->priority; }));
}

TEST_P(PolicyContractTest, FinishedOnesLeaveFirstOfAll) {
  std::deque<PolicyEntry> entries(40);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].priority = kPriorities[i % 5];
    entries[i].finished = i % 3 == 0;
    insert(entries[i]);
    policy_->evictable(entries[i], true);
  }
  const auto order = drain();
  ASSERT_EQ(order.size(), entries.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [](auto* a, auto* b) { return a->finished > b->finished; }));
}

TEST_P(PolicyContractTest, ChangesOfCandidatesCount) {
  std::deque<PolicyEntry> entries(20);
  for (auto& entry : entries) {
    insert(entry);
    policy_->evictable(entry, true);
  }
  PolicyEntry* first = policy_->victim();
  first->priority = KVC_PRIORITY_HIGH;
  policy_->evictable(*first, true);
  EXPECT_NE(policy_->victim(), first);
  PolicyEntry& last = &entries[10] == first ? entries[3] : entries[10];
  last.finished = true;
  policy_->evictable(last, true);
  EXPECT_EQ(policy_->victim(), &last);
  last.finished = false;
  policy_->evictable(last, true);
  EXPECT_NE(policy_->victim(), first);
  const auto order = drain();
  EXPECT_EQ(order.back(), first);
}

TEST_P(PolicyContractTest, EventsDoNotAllocate) {
  std::deque<PolicyEntry> entries(300);
  for (auto& entry : entries) {
    ASSERT_TRUE(policy_->reserve());
    const int before = gate_.allocations;
    gate_.allow = 0;
    policy_->inserted(entry);
    policy_->evictable(entry, true);
    policy_->hit(entry);
    policy_->victim();
    EXPECT_EQ(gate_.allocations, before);
    gate_.allow = -1;
  }
  gate_.allow = 0;
  EXPECT_EQ(drain().size(), entries.size());
}

TEST_P(PolicyContractTest, RefusedMemoryIsReportedAndHarmless) {
  std::deque<PolicyEntry> entries;
  size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    gate_.allow = i % 3 == 0 ? -1 : i % 2;
    if (policy_->reserve()) {
      entries.emplace_back();
      policy_->inserted(entries.back());
      policy_->evictable(entries.back(), true);
    } else {
      ++refused;
    }
  }
  EXPECT_EQ(refused > 0, gate_.allocations > 0);  // what a policy keeps may also all be in its entries
  EXPECT_EQ(drain().size(), entries.size());
}

TEST_P(PolicyContractTest, AFullBudgetIsReportedAndHarmless) {
  Memory memory(nullptr, 4096);
  static bool asked;
  asked = false;
  memory.set_reclaim([](void*, size_t) noexcept { return asked = true; }, nullptr);
  policy_ = make_policy(GetParam(), &memory);
  std::deque<PolicyEntry> entries;
  while (policy_->reserve() && (memory.used() > 0 || entries.size() < 1000)) {
    entries.emplace_back();
    policy_->inserted(entries.back());
    policy_->evictable(entries.back(), true);
    ASSERT_LT(entries.size(), 10'000u);
  }
  EXPECT_FALSE(asked) << "the reclaimer was asked with locks held";
  EXPECT_GT(entries.size(), 40u);
  EXPECT_EQ(drain().size(), entries.size());
  EXPECT_TRUE(policy_->reserve());
  policy_.reset();
  EXPECT_EQ(memory.used(), 0u);
}

TEST_P(PolicyContractTest, MemoryIsCountedAndGivenBack) {
  std::deque<PolicyEntry> entries(1000);
  for (auto& entry : entries) insert(entry);
  EXPECT_EQ(memory_.used(), memory_.used(MemoryUse::metadata));
  // 64 bytes a page is what a policy may take, its fields in the entry among them.
  EXPECT_LE(memory_.used(MemoryUse::metadata), 48 * entries.size());
  for (auto& entry : entries) policy_->removed(entry);
  policy_.reset();
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_P(PolicyContractTest, SupersededOnesLeaveFirstOfAll) {
  std::deque<PolicyEntry> entries(40);
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i].priority = kPriorities[i % 5];
    entries[i].finished = i % 4 == 0;
    entries[i].superseded = i % 3 == 0;
    insert(entries[i]);
    policy_->evictable(entries[i], true);
  }
  const auto order = drain();
  ASSERT_EQ(order.size(), entries.size());
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [](auto* a, auto* b) { return a->superseded > b->superseded; }));
}

// An entry that comes in between a promise and its use is what the cache does when it evicts for the newcomer.
TEST_P(PolicyContractTest, APromiseSurvivesRemovals) {
  PolicyEntry a, b;
  insert(a);
  policy_->evictable(a, true);
  ASSERT_TRUE(policy_->reserve());
  policy_->removed(a);
  gate_.allow = 0;
  policy_->inserted(b);
  policy_->evictable(b, true);
  EXPECT_EQ(policy_->victim(), &b);
  policy_->removed(b);
}

// Against a plain set: random events, all rules that hold for every policy.
TEST_P(PolicyContractTest, RandomEventsAgainstAModel) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    policy_ = make_policy(GetParam(), &memory_);
    std::vector<std::unique_ptr<PolicyEntry>> entries;
    std::set<PolicyEntry*> candidates;
    const auto check = [&] {
      PolicyEntry* victim = policy_->victim();
      ASSERT_EQ(victim == nullptr, candidates.empty());
      if (victim == nullptr) return;
      ASSERT_EQ(candidates.count(victim), 1u);
      for (const PolicyEntry* other : candidates) {
        if (victim->finished) break;
        ASSERT_FALSE(other->finished);
        ASSERT_LE(victim->priority, other->priority);
      }
    };
    for (int step = 0; step < 3000; ++step) {
      const uint64_t what = random.next() % 100;
      if (what < 25 || entries.empty()) {
        entries.push_back(std::make_unique<PolicyEntry>());
        PolicyEntry& entry = *entries.back();
        entry.key = random.next();
        entry.bytes = static_cast<uint32_t>(random.next() % 100'000);
        entry.priority = kPriorities[random.next() % 5];
        ASSERT_TRUE(policy_->reserve());
        policy_->inserted(entry);
        continue;
      }
      const size_t i = random.next() % entries.size();
      PolicyEntry& entry = *entries[i];
      if (what < 45) {
        policy_->hit(entry);
      } else if (what < 65) {
        policy_->evictable(entry, true);
        candidates.insert(&entry);
      } else if (what < 75) {
        policy_->evictable(entry, false);
        candidates.erase(&entry);
      } else if (what < 80) {
        entry.priority = kPriorities[random.next() % 5];
        if (candidates.count(&entry) != 0) policy_->evictable(entry, true);
      } else if (what < 85) {
        entry.finished = !entry.finished;
        if (candidates.count(&entry) != 0) policy_->evictable(entry, true);
      } else if (what < 95) {
        if (PolicyEntry* victim = policy_->victim()) {
          policy_->removed(*victim);
          candidates.erase(victim);
          std::erase_if(entries,
                        [&](const auto& e) { return e.get() == victim; });  // ASan sees a policy that held on to it
        }
      } else {
        policy_->removed(entry);
        candidates.erase(&entry);
        entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
      }
      ASSERT_NO_FATAL_FAILURE(check()) << "seed " << seed << " step " << step;
    }
    while (!candidates.empty()) {
      ASSERT_NO_FATAL_FAILURE(check());
      PolicyEntry* victim = policy_->victim();
      policy_->removed(*victim);
      candidates.erase(victim);
    }
    EXPECT_EQ(policy_->victim(), nullptr);
    policy_.reset();
    EXPECT_EQ(memory_.used(), 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Registered, PolicyContractTest,
                         testing::ValuesIn(policy_names().begin(), policy_names().end()),
                         [](const auto& name) { return std::string(name.param); });

TEST(PolicyRegistryTest, NamesAreUniqueAndKnown) {
  Memory memory(nullptr, 1 << 20);
  std::set<std::string_view> names(policy_names().begin(), policy_names().end());
  EXPECT_EQ(names.size(), policy_names().size());
  for (const char* name : {"lru", "lfu", "fifo"}) EXPECT_EQ(names.count(name), 1u) << name;
}

TEST(PolicyRegistryTest, UnknownNamesGiveNothing) {
  Memory memory(nullptr, 1 << 20);
  for (const char* name : {"", "LRU", "lr", "lruu", "random"}) EXPECT_EQ(make_policy(name, &memory), nullptr) << name;
  EXPECT_EQ(memory.used(), 0u);
}

}  // namespace
}  // namespace kvc
