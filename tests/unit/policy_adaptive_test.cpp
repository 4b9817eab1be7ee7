// What the adaptive policy promises: never far below LRU, better where there is something to learn, hints worth their
// truth, the same results every time, and a state that survives a restart and refuses damage.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <queue>
#include <vector>

#include "base/random.h"
#include "policy/reuse_model.h"
#include "policy/simulator.h"

namespace kvc {
namespace {

struct Workload {
  struct Item {
    std::vector<uint64_t> pages;
    uint64_t time_ns;
    SessionEnd end;
  };
  std::vector<Item> items;
  double accesses() const {
    double sum = 0;
    for (const Item& item : items) sum += static_cast<double>(item.pages.size());
    return sum;
  }
};

uint64_t page_of(uint64_t chain, uint64_t depth) {
  uint64_t key = chain * 0x9e3779b97f4a7c15 + depth * 0xbf58476d1ce4e5b9 + 1;
  key ^= key >> 31;
  return key * 0x94d049bb133111eb | 1;
}

// Conversations: a third of the new ones go on, most of those that did go on again. `recall` of the ends are told,
// `wrong` of those that go on are told to be over.
Workload chat(size_t requests, uint64_t seed, double recall = 0, double wrong = 0) {
  struct Chat {
    uint64_t id, pages, due_ns;
    bool tried;
  };
  Random random(seed);
  const auto draw = [&] { return static_cast<double>(random.next() >> 11) * 0x1p-53; };
  Workload load;
  std::vector<Chat> waiting;
  uint64_t next_id = seed << 32, now = 0;
  while (load.items.size() < requests) {
    now += 300'000'000;
    Chat chat{};
    size_t due = waiting.size();
    for (size_t i = 0; i < waiting.size(); ++i) {
      if (waiting[i].due_ns <= now) due = i;
    }
    if (due < waiting.size()) {
      chat = waiting[due];
      waiting.erase(waiting.begin() + static_cast<ptrdiff_t>(due));
      chat.pages += 2;
      chat.tried = true;
    } else {
      chat = Chat{next_id++, 4 + random.next() % 20, 0, false};
    }
    Workload::Item item;
    for (uint64_t d = 0; d < chat.pages; ++d) item.pages.push_back(page_of(chat.id, d));
    item.time_ns = now;
    const bool on = draw() < (chat.tried ? 0.8 : 0.3);
    if (draw() < (on ? wrong : recall)) item.end.hint = SessionHint::finished;
    if (on) {
      chat.due_ns = now + static_cast<uint64_t>((20 + 200 * draw()) * 1e9);
      waiting.push_back(chat);
    }
    load.items.push_back(std::move(item));
  }
  return load;
}

// Documents of different popularity, each with a question of its own.
Workload documents(size_t requests, uint64_t seed) {
  Random random(seed);
  Workload load;
  for (size_t i = 0; i < requests; ++i) {
    const double u = static_cast<double>(random.next() >> 11) * 0x1p-53;
    const auto document = static_cast<uint64_t>(400 * u * u * u);
    Workload::Item item;
    for (uint64_t d = 0; d < 10 + document % 17; ++d) item.pages.push_back(page_of(document + (seed << 40), d));
    item.pages.push_back(page_of((seed << 40) + 1'000'000 + i, 99));
    item.time_ns = i * 200'000'000;
    load.items.push_back(std::move(item));
  }
  return load;
}

// Agents in turn, each with a context that grows; together more than the cache: LRU finds nothing.
Workload loop(size_t requests, size_t agents) {
  Workload load;
  std::vector<uint64_t> pages(agents, 20);
  for (size_t i = 0; i < requests; ++i) {
    Workload::Item item;
    const size_t agent = i % agents;
    for (uint64_t d = 0; d < pages[agent]; ++d) item.pages.push_back(page_of(7000 + agent, d));
    pages[agent] += i / agents % 2;
    item.time_ns = i * 500'000'000;
    load.items.push_back(std::move(item));
  }
  return load;
}

// Prompts that nobody asks again.
Workload scan(size_t requests) {
  Workload load;
  for (size_t i = 0; i < requests; ++i) {
    Workload::Item item;
    for (uint64_t d = 0; d < 15; ++d) item.pages.push_back(page_of(50'000'000 + i, d));
    item.time_ns = i * 100'000'000;
    load.items.push_back(std::move(item));
  }
  return load;
}

Workload operator+(Workload first, const Workload& second) {
  const uint64_t start = first.items.empty() ? 0 : first.items.back().time_ns;
  for (Workload::Item item : second.items) {
    item.time_ns += start;
    first.items.push_back(std::move(item));
  }
  return first;
}

double hits(const Workload& load, std::string_view policy, uint64_t pages) {
  PrefixSimulator simulator(policy, pages);
  double sum = 0;
  for (const Workload::Item& item : load.items) {
    sum += static_cast<double>(simulator.request({item.pages, item.time_ns, 64, 64, item.end}));
    EXPECT_LE(simulator.size(), pages);
  }
  return sum / load.accesses();
}

TEST(AdaptiveTest, IsNeverFarBelowRecency) {
  struct {
    const char* name;
    Workload load;
    double loss;  // where everything changes several times, what each change costs adds up
  } loads[] = {
      {"chat", chat(4000, 1), 0.003},
      {"documents", documents(4000, 2), 0.003},
      {"loop", loop(2000, 30), 0.003},
      {"scan", scan(500), 0},
      {"phases", chat(1500, 3) + scan(300) + documents(1500, 4) + loop(900, 30) + chat(1500, 5), 0.015},
  };
  for (const auto& [name, load, loss] : loads) {
    for (uint64_t pages : {100, 400, 1500, 6000}) {
      EXPECT_GE(hits(load, "adaptive", pages), hits(load, "lru", pages) - loss) << name << ", " << pages << " pages";
    }
  }
}

TEST(AdaptiveTest, LearnsWhoComesBack) {
  const Workload load = chat(6000, 6);
  EXPECT_GT(hits(load, "adaptive", 500), 1.3 * hits(load, "lru", 500));
}

TEST(AdaptiveTest, KeepsAPartOfALoopThatDoesNotFit) {
  const Workload load = loop(3000, 40);
  EXPECT_LT(hits(load, "lru", 500), 0.05);
  EXPECT_GT(hits(load, "adaptive", 500), 0.2);
}

TEST(AdaptiveTest, HintsAreWorthMuchAndWrongOnesCostLittle) {
  const double none = hits(chat(5000, 7), "adaptive", 1500);
  const double half = hits(chat(5000, 7, 0.5), "adaptive", 1500);
  const double partly_wrong = hits(chat(5000, 7, 0.5, 0.1), "adaptive", 1500);
  EXPECT_GT(half, 1.12 * none);
  EXPECT_GT(partly_wrong, none - 0.002);
  // Where hints are noise they are learned to be.
  EXPECT_GT(hits(chat(5000, 7, 0.5, 0.5), "adaptive", 1500), none - 0.02);
}

// What a page costs beside these tables is PolicyEntry: 64 bytes, asserted where it is declared.
TEST(AdaptiveTest, TakesLessThanAMebibyteOfItsOwn) {
  const auto allocated = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  Memory memory(nullptr, 1 << 20);
  const size_t before = allocated();
  const auto policy = make_policy("adaptive", &memory);
  const size_t taken = allocated() - before;
  if (taken == 0) GTEST_SKIP() << "another allocator serves this build";
  EXPECT_LE(taken, size_t{1} << 20);
  EXPECT_EQ(memory.used(), 0u);
}

TEST(AdaptiveTest, GivesTheSameResultEveryTime) {
  const Workload load = chat(2000, 8) + documents(500, 9);
  EXPECT_EQ(hits(load, "adaptive", 700), hits(load, "adaptive", 700));
}

TEST(AdaptiveTest, WhatIsExpectedSoonIsKeptAndWhatIsExpectedLateIsNot) {
  Memory memory(nullptr, 1 << 20);
  const auto policy = make_policy("adaptive", &memory);
  PolicyEntry soon, late;
  soon.key = 1;
  late.key = 2;
  const auto up = [](PolicyEntry&) noexcept -> PolicyEntry* { return nullptr; };
  policy->set_time(1'000'000'000);
  for (PolicyEntry* entry : {&soon, &late}) {
    ASSERT_TRUE(policy->reserve());
    policy->inserted(*entry);
    policy->closed(*entry, up, {SessionHint::expected, entry == &soon ? 2'000'000'000u : 3'600'000'000'000u});
    policy->evictable(*entry, true);
  }
  policy->set_time(2'000'000'000);
  EXPECT_EQ(policy->victim(), &late);
  policy->removed(late);
  policy->removed(soon);
}

TEST(ReuseModelTest, LateReturnsCountMoreWhileFewCouldHaveBeenSeen) {
  const auto late_worth = [](uint32_t observed) {
    ReuseModel model;
    model.observe(observed);
    for (int i = 0; i < 100; ++i) {
      model.learn_gap({}, kFirst, 100);
      model.learn_gap({}, kFirst, 8000);
    }
    model.refresh(kFirst, 1);
    return model.worth(ReuseModel::cell_of(kFirst, ReuseModel::level_of(0), slice_of(4000)));
  };
  EXPECT_GT(late_worth(12'000), 1.1F * late_worth(1'000'000));
}

TEST(ReuseModelTest, NoticesWhetherConversationsHaveTheirOwnPace) {
  constexpr uint32_t kFast = 2000, kSlow = 50'000;  // ticks
  const auto tell = [](bool own_pace) {
    ReuseModel model;
    model.observe(10'000'000);
    for (int i = 0; i < 400; ++i) {
      const bool slow = i % 2 == 0;
      const bool late = own_pace ? slow : i % 4 < 2;
      model.learn_gap({}, slow ? kPaceLatest : kPaceSooner, late ? kSlow : kFast);
    }
    model.refresh_all(1);
    return model.paces_tell();
  };
  EXPECT_TRUE(tell(true));
  EXPECT_FALSE(tell(false));
  // A few returns tell nothing yet.
  ReuseModel model;
  model.learn_gap({}, kPaceLatest, kSlow);
  model.learn_gap({}, kPaceSooner, kFast);
  model.refresh_all(1);
  EXPECT_FALSE(model.paces_tell());
}

// Agents that call tools every few seconds beside people who answer after minutes: whose pages to keep shows in when
// each of them came before.
TEST(AdaptiveTest, KeepsWhatComesBackAtItsOwnPace) {
  Workload load;
  Random random(3);
  constexpr uint64_t kSecond = 1'000'000'000;
  struct Next {
    uint64_t time, agent;
    bool operator>(const Next& other) const { return time > other.time; }
  };
  std::priority_queue<Next, std::vector<Next>, std::greater<>> next;
  std::vector<std::vector<uint64_t>> chains(64);
  for (uint64_t a = 0; a < chains.size(); ++a) next.push({random.next() % (200 * kSecond), a});
  uint64_t key = 1;
  for (int i = 0; i < 6000; ++i) {
    const Next now = next.top();
    next.pop();
    std::vector<uint64_t>& chain = chains[now.agent];
    if (chain.size() > 40) chain.clear();
    for (int n = 0; n < 2; ++n) chain.push_back(key++ * 0x9e3779b97f4a7c15u);
    load.items.push_back({chain, now.time, {}});
    const uint64_t mean = now.agent % 8 == 0 ? 300 : 6;  // seconds
    next.push({now.time + (mean / 2) * kSecond + random.next() % (mean * kSecond), now.agent});
  }
  EXPECT_GT(hits(load, "adaptive", 700), 1.05 * hits(load, "lru", 700));
}

// Prompts of which half are answered in a few words, and gone on from in four of five cases; the others get long answers
// and are gone on from in one of ten.
Workload answers(size_t requests, uint64_t seed, bool told) {
  struct Chat {
    uint64_t id, pages, due_ns;
  };
  Random random(seed);
  const auto draw = [&] { return static_cast<double>(random.next() >> 11) * 0x1p-53; };
  Workload load;
  std::vector<Chat> waiting;
  uint64_t next_id = seed << 32;
  for (uint64_t now = 0; load.items.size() < requests; now += 300'000'000) {
    Chat chat{next_id, 8, 0};
    const auto due = std::find_if(waiting.begin(), waiting.end(), [&](const Chat& c) { return c.due_ns <= now; });
    if (due != waiting.end()) {
      chat = *due;
      waiting.erase(due);
      chat.pages += 2;
    } else {
      ++next_id;
    }
    const bool brief = draw() < 0.5;
    Workload::Item item;
    for (uint64_t d = 0; d < chat.pages; ++d) item.pages.push_back(page_of(chat.id, d));
    item.time_ns = now;
    if (told) item.end.generated = static_cast<uint32_t>((brief ? 10 : 400) * (1 + draw()));
    if (draw() < (brief ? 0.8 : 0.1)) {
      chat.due_ns = now + static_cast<uint64_t>((20 + 200 * draw()) * 1e9);
      waiting.push_back(chat);
    }
    load.items.push_back(std::move(item));
  }
  return load;
}

TEST(AdaptiveTest, LearnsWhatTheLengthOfAnAnswerSays) {
  EXPECT_GT(hits(answers(5000, 11, true), "adaptive", 800), 1.2 * hits(answers(5000, 11, false), "adaptive", 800));
}

TEST(PaceModelTest, TellsSoonFromLateByWhatGoesWithThem) {
  PaceModel paces;
  Features soon, late;
  soon.set(kAnswerFeature, 3);
  late.set(kAnswerFeature, 9);
  for (int i = 0; i < 500; ++i) {
    paces.learn(soon, 1000);
    paces.learn(late, 100'000);
    (void)paces.class_of(soon);
    (void)paces.class_of(late);
  }
  EXPECT_LT(paces.class_of(soon), 2u);
  EXPECT_GE(paces.class_of(late), 3u);
}

TEST(PaceModelTest, RefusesNumbersThatCannotBe) {
  PaceModel paces;
  const PaceModel::State sound = paces.state();
  EXPECT_TRUE(paces.set_state(sound));
  const auto refuses = [&](auto change) {
    PaceModel::State state = sound;
    change(state);
    return !paces.set_state(state);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(refuses([&](PaceModel::State& state) { state.bias_mean = nan; }));
  EXPECT_TRUE(refuses([&](PaceModel::State& state) { state.mean[3][5] = 1e9F; }));
  EXPECT_TRUE(refuses([&](PaceModel::State& state) { state.variance[13][15] = -1; }));
  EXPECT_TRUE(refuses([&](PaceModel::State& state) { state.middle = nan; }));
  EXPECT_TRUE(refuses([&](PaceModel::State& state) { state.square = -1; }));
}

TEST(ReuseModelTest, LearnsAProbability) {
  ReuseModel model;
  Features likely, unlikely;
  likely.set(5, 1);
  unlikely.set(5, 2);
  for (int i = 0; i < 2000; ++i) {
    for (uint32_t m = 0; m < ReuseModel::kModels; ++m) {
      model.learn(m, likely, kFirst, i % 10 != 0);
      model.learn(m, unlikely, kFirst, i % 10 == 0);
    }
  }
  EXPECT_NEAR(ReuseModel::probability_of(ReuseModel::level_of(model.logit(likely))), 0.9, 0.04);
  EXPECT_NEAR(ReuseModel::probability_of(ReuseModel::level_of(model.logit(unlikely))), 0.1, 0.04);
}

// Against the definition, by all ends there are.
TEST(ReuseModelTest, WorthIsTheBestRatioOfHitsToTime) {
  ReuseModel model;
  model.observe(1e9);
  const auto learn = [&](uint32_t ticks, int times) {
    for (int i = 0; i < times; ++i) model.learn_gap({}, kFirst, ticks);
  };
  learn(50, 300);
  learn(5000, 200);
  learn(40'000, 500);
  const double quantum = 3;
  model.refresh(kFirst, quantum);
  const auto share = [](uint32_t slice) {  // of the returns
    constexpr double kReturns = 1000;
    double found = 0;
    for (const auto& [ticks, n] : {std::pair{50, 300}, {5000, 200}, {40'000, 500}}) {
      if (slice_of(static_cast<uint32_t>(ticks)) == slice) found += n / kReturns;
    }
    return found;
  };
  for (uint32_t level : {3u, 16u, 30u}) {
    const double p = ReuseModel::probability_of(level);
    for (uint32_t from = 0; from < slice_of(40'000); ++from) {
      double best = 0, hits = 0, held = quantum, after = 0;
      for (uint32_t s = from; s < kSlices; ++s) after += share(s);
      for (uint32_t s = from; s < kSlices; ++s) {
        hits += share(s);
        after -= share(s);
        held += ((1 - p) + p * (after + share(s) / 2)) * (slice_begin(s + 1) - slice_begin(s));
        best = std::max(best, p * hits / held);
      }
      // What is common to all classes has a small share in it.
      EXPECT_NEAR(model.worth(ReuseModel::cell_of(kFirst, level, from)) / best, 1, 0.06) << level << ' ' << from;
    }
  }
}

TEST(ReuseModelTest, AStateComesBackWholeOrNotAtAll) {
  ReuseModel model;
  Features features;
  for (int i = 0; i < 100; ++i) model.learn(0, features, kFirst, true);
  for (int i = 0; i < 100; ++i) model.learn_gap({}, kFirst, 1000);
  std::vector<std::byte> state(ReuseModel::state_size());
  model.save(state.data());
  ReuseModel other;
  ASSERT_TRUE(other.load(state.data(), state.size()));
  EXPECT_EQ(other.logit(features), model.logit(features));
  const float before = other.logit(features);
  EXPECT_FALSE(other.load(state.data(), state.size() - 1));
  for (size_t at = 0; at < state.size(); at += 4) {
    std::vector<std::byte> damaged = state;
    const uint32_t nan = 0x7fc00000;
    std::memcpy(damaged.data() + at, &nan, 4);
    ASSERT_FALSE(other.load(damaged.data(), damaged.size())) << at;
  }
  EXPECT_EQ(other.logit(features), before);
}

TEST(AdaptiveTest, RepeatsWithinATickTeachNothing) {
  const Workload load = chat(500, 12);
  const auto learned = [&](int repeats) {
    PrefixSimulator simulator("adaptive", 20'000);  // all stays
    for (const Workload::Item& item : load.items) {
      simulator.request({item.pages, item.time_ns, 64, 64, item.end});
      for (int i = 0; i < repeats; ++i) simulator.request({item.pages, item.time_ns, 64, 64, {}});
    }
    std::vector<std::byte> state(simulator.policy().state_size());
    simulator.policy().save(state.data());
    return state;
  };
  EXPECT_NE(learned(0), std::vector<std::byte>(learned(0).size()));
  EXPECT_EQ(learned(0), learned(20));
}

TEST(AdaptiveTest, WhatWasLearnedSurvivesARestart) {
  const Workload load = chat(3000, 10);
  PrefixSimulator simulator("adaptive", 400);
  for (const Workload::Item& item : load.items) simulator.request({item.pages, item.time_ns, 64, 64, item.end});
  std::vector<std::byte> state(simulator.policy().state_size());
  simulator.policy().save(state.data());

  const Workload later = chat(600, 11);
  const auto run = [&](std::span<const std::byte> warm) {
    PrefixSimulator fresh("adaptive", 400);
    EXPECT_EQ(fresh.policy().load(warm), !warm.empty());
    double sum = 0;
    for (const Workload::Item& item : later.items) {
      sum += static_cast<double>(fresh.request({item.pages, item.time_ns, 64, 64, item.end}));
    }
    return sum;
  };
  EXPECT_GT(run(state), run({}));
  PrefixSimulator other("adaptive", 400);
  EXPECT_FALSE(other.policy().load({state.data(), state.size() - 1}));
  state[0] ^= std::byte{1};
  EXPECT_FALSE(other.policy().load(state));
}

TEST(PrefixSimulatorTest, CountsLeadingPagesAndKeepsToItsCapacity) {
  PrefixSimulator simulator("lru", 4);
  const std::vector<uint64_t> a = {1, 2, 3}, b = {1, 2, 4}, c = {7, 8, 9};
  EXPECT_EQ(simulator.request({a, 0, 64, 64, {}}), 0u);
  EXPECT_EQ(simulator.request({b, 0, 64, 64, {}}), 2u);
  EXPECT_EQ(simulator.request({a, 0, 64, 64, {}}), 3u);
  EXPECT_EQ(simulator.request({c, 0, 64, 64, {}}), 0u);  // leaves 1 and c
  EXPECT_EQ(simulator.size(), 4u);
  EXPECT_EQ(simulator.request({b, 0, 64, 64, {}}), 1u);
}

}  // namespace
}  // namespace kvc
