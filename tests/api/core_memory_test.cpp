// The budget is hard, what is in use stays, and what leaves first is what was asked to.
#include <optional>
#include <utility>

#include "core_support.h"
#include "plain_tensor.h"

namespace kvc_test {
namespace {

// 8 KiB a page, so that metadata is small beside it.
Geometry big_pages() {
  Geometry g;
  g.layers = 2;
  g.heads = 2;
  g.k_dim = g.v_dim = 64;
  g.page_tokens = 8;
  return g;
}

const Options kNoEarlyCollection = {{"gc_threshold", "1"}, {"gc_target", "1"}};

Options budget(uint64_t bytes, Options more = kNoEarlyCollection) {
  more["memory"] = std::to_string(bytes) + "B";
  return more;
}

// Two pages of their own for each number.
Tokens chain(int number, size_t n = 16) { return iota_tokens(n, 1000 * (number + 1)); }

bool held(const Space& space, int number, const char* tenant = nullptr) {
  Session s(space, tenant);
  const size_t reused = s.match(chain(number));
  EXPECT_EQ("", s.check());
  return reused == 16;
}

void expect_within_budget(const Engine& engine, const CountingAllocator& allocator) {
  const kvc_stats_t stats = engine.stats();
  EXPECT_LE(stats.memory_used, stats.memory_budget);
  EXPECT_LE(stats.memory_peak, stats.memory_budget);
  EXPECT_LE(allocator.peak(), stats.memory_budget);
  EXPECT_EQ(allocator.used(), stats.memory_used);
  EXPECT_EQ(stats.memory_used, stats.memory_payload + stats.memory_metadata + stats.memory_pooled);
}

class CoreMemoryTest : public ::testing::TestWithParam<const char*> {
 protected:
  // An engine of the policy with room for so many pages, and a space on it.
  void open(uint64_t pages, Options more = kNoEarlyCollection) {
    Options options = budget(pages * g.page_bytes(), std::move(more));
    options["policy"] = GetParam();
    engine.emplace(options, &table);
    space.emplace(*engine, g);
  }

  const Geometry g = big_pages();
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  std::optional<Engine> engine;
  std::optional<Space> space;
};

TEST_P(CoreMemoryTest, NeverUsesMoreThanTheBudget) {
  open(30, {});
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) {
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.prompt(chain(static_cast<int>(random() % 40), 16 + random() % 30)), s);
    expect_within_budget(*engine, allocator);
    ASSERT_EQ("", s.check());
    ASSERT_FALSE(::testing::Test::HasFailure()) << "round " << i;
  }
  EXPECT_GT(engine->stats().pages_evicted, 0u);
}

TEST_P(CoreMemoryTest, KeepsThePagesOfOpenSessions) {
  open(20);
  Session kept(*space);
  ASSERT_STATUS(KVC_OK, kept.add(chain(0, 40)), kept);
  for (int i = 1; i < 60; ++i) {
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.prompt(chain(i)), s);
  }
  EXPECT_EQ("", kept.check());
  Session again(*space);
  EXPECT_EQ(40u, again.match(chain(0, 40)));
  EXPECT_EQ("", again.check());
}

TEST_P(CoreMemoryTest, NeverEvictsAPageBeforeThePagesThatContinueIt) {
  open(24);
  std::mt19937_64 random(11);
  for (int i = 0; i < 200; ++i) {
    // Trees: a shared trunk of up to 3 pages and a branch of its own.
    Tokens t = prefix(chain(static_cast<int>(random() % 3), 24), 8 * (1 + random() % 3));
    t = concat(t, chain(static_cast<int>(10 + random() % 30), 8 * (1 + random() % 3)));
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.prompt(t), s);
    ASSERT_EQ("", s.check());
    s.close();
    std::map<std::string, int> seen;
    for (const kvc_page_info_t& p : engine->pages()) {
      const std::string parent(reinterpret_cast<const char*>(p.parent), 32);
      ASSERT_TRUE(p.position == 0 || seen.count(parent) == 1) << "a page without its parent";
      seen[std::string(reinterpret_cast<const char*>(p.id), 32)] = 1;
    }
  }
  EXPECT_GT(engine->stats().pages_evicted, 50u);
}

TEST_P(CoreMemoryTest, PinnedPagesStayUntilUnpinned) {
  open(12);
  {
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.add(chain(0)), s);
    ASSERT_STATUS(KVC_OK, kvc_session_pin(s, 1), s);
    EXPECT_EQ(1u, s.info().pinned);
  }
  EXPECT_EQ(2u, engine->stats().pages_pinned);
  for (int i = 1; i < 31; ++i) {
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.prompt(chain(i)), s);
  }
  EXPECT_TRUE(held(*space, 0));
  uint64_t freed = 0;
  EXPECT_EQ(KVC_OK, kvc_trim(*engine, 0, &freed));
  EXPECT_TRUE(held(*space, 0));
  EXPECT_EQ(2u, engine->stats().pages);
  {
    Session s(*space);
    EXPECT_EQ(16u, s.match(chain(0)));
    ASSERT_STATUS(KVC_OK, kvc_session_pin(s, 0), s);
  }
  EXPECT_EQ(0u, engine->stats().pages_pinned);
  EXPECT_EQ(KVC_OK, kvc_trim(*engine, 0, nullptr));
  EXPECT_FALSE(held(*space, 0));
}

TEST_P(CoreMemoryTest, LowPrioritiesLeaveFirst) {
  open(40);
  const int32_t priorities[] = {KVC_PRIORITY_HIGH, KVC_PRIORITY_LOW, KVC_PRIORITY_NORMAL, KVC_PRIORITY_BACKGROUND};
  for (int i = 0; i < 4; ++i) {
    Session s(*space, nullptr, priorities[i]);
    ASSERT_STATUS(KVC_OK, s.add(chain(i)), s);
  }
  // Two pages at a time: background, low, normal, high.
  const int order[] = {3, 1, 2, 0};
  for (int step = 0; step < 4; ++step) {
    for (int i = 0; i < 2; ++i) {
      const uint64_t pages = engine->stats().pages;
      // Down in small steps until one page has left.
      for (uint64_t target = engine->stats().memory_used; engine->stats().pages == pages && target > 0;) {
        target = target > 1024 ? target - 1024 : 0;
        ASSERT_EQ(KVC_OK, kvc_trim(*engine, target, nullptr));
      }
      ASSERT_EQ(pages - 1, engine->stats().pages);
    }
    const std::vector<kvc_page_info_t> left = engine->pages();
    for (const kvc_page_info_t& p : left) {
      for (int gone = 0; gone <= step; ++gone) EXPECT_NE(priorities[order[gone]], p.priority) << "step " << step;
    }
  }
}

TEST_P(CoreMemoryTest, ASharedPageHasTheHighestPriority) {
  open(40);
  {
    Session s(*space, nullptr, KVC_PRIORITY_LOW);
    ASSERT_STATUS(KVC_OK, s.add(chain(0)), s);
    Session h(*space, nullptr, KVC_PRIORITY_HIGH);
    EXPECT_EQ(8u, h.match(prefix(chain(0), 8)));
  }
  const std::vector<kvc_page_info_t> pages = engine->pages();
  ASSERT_EQ(2u, pages.size());
  EXPECT_EQ(KVC_PRIORITY_HIGH, pages[0].priority);
  EXPECT_EQ(KVC_PRIORITY_LOW, pages[1].priority);
  Session s(*space, nullptr, KVC_PRIORITY_LOW);
  EXPECT_EQ(16u, s.match(chain(0)));
  ASSERT_STATUS(KVC_OK, kvc_session_set_priority(s, KVC_PRIORITY_CRITICAL), s);
  for (const kvc_page_info_t& p : engine->pages()) EXPECT_EQ(KVC_PRIORITY_CRITICAL, p.priority);
  // Also where the second one did not look before it computed.
  {
    Session low(*space, nullptr, KVC_PRIORITY_LOW), high(*space, nullptr, KVC_PRIORITY_HIGH);
    ASSERT_STATUS(KVC_OK, low.add(chain(1)), low);
    ASSERT_STATUS(KVC_OK, high.add(chain(1)), high);
  }
  int raised = 0;
  for (const kvc_page_info_t& p : engine->pages()) raised += p.priority == KVC_PRIORITY_HIGH;
  EXPECT_EQ(2, raised);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_set_priority(s, 201), s);
  EXPECT_STATUS(KVC_E_OUT_OF_RANGE, kvc_session_set_priority(s, -201), s);
}

TEST_P(CoreMemoryTest, FinishedSessionsLeaveFirst) {
  open(24);
  const Tokens trunk = iota_tokens(8);
  for (int i = 0; i < 8; ++i) {  // a shared trunk and two pages each: 17 pages; the odd ones are finished
    Session s(*space);
    ASSERT_STATUS(KVC_OK, s.prompt(concat(trunk, chain(i))), s);
    s.close(i % 2 == 1 ? KVC_CLOSE_FINISHED : KVC_CLOSE_KEEP);
  }
  // Down to nine pages: exactly the finished ones' own pages go, though half of them are the most recent.
  for (uint64_t target = engine->stats().memory_used; engine->stats().pages > 9;) {
    target -= 1024;
    ASSERT_EQ(KVC_OK, kvc_trim(*engine, target, nullptr));
  }
  for (int i = 0; i < 8; ++i) {
    Session s(*space);
    EXPECT_EQ(i % 2 == 1 ? 8u : 24u, s.match(concat(trunk, chain(i)))) << i;
    EXPECT_EQ("", s.check());
  }
}

TEST_P(CoreMemoryTest, NoRoomLeavesEverythingUsable) {
  open(10);
  {
    std::vector<Session> sessions;
    kvc_status_t status = KVC_OK;
    for (int i = 0; status == KVC_OK && i < 20; ++i) {
      sessions.emplace_back(*space);
      ASSERT_EQ(KVC_OK, sessions.back().opened());
      status = sessions.back().add(chain(i));
    }
    ASSERT_EQ(KVC_E_NO_MEMORY, status);
    EXPECT_NE("", words(sessions.back()));
    for (Session& s : sessions) EXPECT_EQ("", s.check());
    expect_within_budget(*engine, allocator);
    EXPECT_EQ(KVC_E_NO_MEMORY, sessions.back().add(chain(90)));
    // A tensor finds no room either, and takes nothing away.
    std::vector<float> numbers(4 * g.page_bytes() / 4);
    const kvc_tensor_t tensor = plain_tensor(numbers, {static_cast<int64_t>(numbers.size())});
    EXPECT_EQ(KVC_E_NO_MEMORY, kvc_put(*engine, nullptr, "k", 1, &tensor));
    for (Session& s : sessions) EXPECT_EQ("", s.check());
    // With one session closed there is room again.
    sessions.front().close();
    sessions.erase(sessions.begin());
    EXPECT_STATUS(KVC_OK, sessions.back().add(prefix(chain(91), 8)), sessions.back());
    for (Session& s : sessions) EXPECT_EQ("", s.check());
    expect_within_budget(*engine, allocator);
  }
  space.reset();
  engine.reset();
  EXPECT_EQ(0u, allocator.used()) << "everything is given back";
}

INSTANTIATE_TEST_SUITE_P(Policies, CoreMemoryTest, ::testing::Values("lru", "lfu", "fifo"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CoreWatermarkTest, CollectsFromTheHighMarkToTheLow) {
  const Geometry g = big_pages();
  Engine engine(budget(50 * g.page_bytes(), {{"gc_threshold", "0.8"}, {"gc_target", "0.5"}}));
  Space space(engine, g);
  const uint64_t high = 40 * g.page_bytes();
  bool collected = false;
  for (int i = 0; i < 60; ++i) {
    const kvc_stats_t before = engine.stats();
    {
      Session s(space);
      ASSERT_STATUS(KVC_OK, s.prompt(chain(i)), s);
    }
    const kvc_stats_t after = engine.stats();
    EXPECT_LE(after.memory_payload + after.memory_metadata, high + 4096);
    if (after.pages_evicted > before.pages_evicted) {
      EXPECT_LE(after.memory_payload + after.memory_metadata, 25 * g.page_bytes());
      EXPECT_GE(after.memory_payload + after.memory_metadata, 22 * g.page_bytes()) << "and no further";
      collected = true;
    }
  }
  EXPECT_TRUE(collected);
}

TEST(CoreWatermarkTest, TrimToZeroEmptiesTheCache) {
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  const Geometry g = big_pages();
  Engine engine({}, &table);
  Space space(engine, g);
  const uint64_t empty = allocator.used();
  for (int i = 0; i < 20; ++i) {
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.prompt(chain(i)), s);
  }
  const uint64_t full = allocator.used();
  uint64_t freed = 0;
  ASSERT_EQ(KVC_OK, kvc_trim(engine, 0, &freed));
  EXPECT_EQ(full - allocator.used(), freed);
  const kvc_stats_t stats = engine.stats();
  EXPECT_EQ(0u, stats.pages);
  EXPECT_EQ(0u, stats.memory_payload);
  EXPECT_EQ(0u, stats.memory_pooled);
  EXPECT_EQ(0u, stats.host_bytes);
  EXPECT_LE(allocator.used(), empty + 4096) << "little but fixed structures is left";
  Session s(space);
  EXPECT_EQ(0u, s.match(chain(0)));
  ASSERT_STATUS(KVC_OK, s.add(chain(0)), s);
  EXPECT_EQ("", s.check());
}

TEST(CoreTensorTest, TensorsAndPagesShareOneBudget) {
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  const Geometry g = big_pages();
  auto options = budget(16 * g.page_bytes());
  options["policy"] = "lru";  // whose choice is foreseeable
  Engine engine(options, &table);
  Space space(engine, g);
  const size_t floats = g.page_bytes() / 4;
  const auto number = [](int key, size_t i) { return static_cast<float>(key * 100000 + static_cast<int>(i)); };
  const auto put = [&](int key) {
    std::vector<float> data(floats);
    for (size_t i = 0; i < floats; ++i) data[i] = number(key, i);
    const kvc_tensor_t t = plain_tensor(data, {1, 2, static_cast<int64_t>(floats / 32), 16});
    return kvc_put(engine, nullptr, &key, sizeof key, &t);
  };
  const auto check = [&](int key) {  // found, and right
    kvc_tensor_t t{};
    t.struct_size = sizeof t;
    int32_t found = -1;
    EXPECT_STATUS(KVC_OK, kvc_get(engine, nullptr, &key, sizeof key, &t, &found), static_cast<kvc_engine_t*>(engine));
    if (found != 1) return false;
    EXPECT_EQ(4u, t.n_dims);
    EXPECT_EQ(floats * 4, t.size);
    std::vector<float> data(floats);
    t.data = data.data();
    EXPECT_STATUS(KVC_OK, kvc_get(engine, nullptr, &key, sizeof key, &t, &found), static_cast<kvc_engine_t*>(engine));
    for (size_t i = 0; i < floats; ++i) EXPECT_EQ(number(key, i), data[i]);
    return true;
  };
  for (int i = 0; i < 10; ++i) ASSERT_STATUS(KVC_OK, put(i), static_cast<kvc_engine_t*>(engine));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(check(i)) << i;
  for (int i = 0; i < 20; ++i) {  // pages push tensors out ...
    Session s(space);
    ASSERT_STATUS(KVC_OK, s.prompt(chain(i)), s);
    expect_within_budget(engine, allocator);
  }
  EXPECT_EQ(0u, engine.stats().tensors);
  EXPECT_EQ(10u, engine.stats().tensors_evicted);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(check(i));
  for (int i = 20; i < 50; ++i) {  // ... and tensors pages
    ASSERT_STATUS(KVC_OK, put(i), static_cast<kvc_engine_t*>(engine));
    EXPECT_TRUE(check(i));
    expect_within_budget(engine, allocator);
  }
  EXPECT_EQ(0u, engine.stats().pages);
  int key = 49;
  int32_t answer = -1;
  EXPECT_EQ(KVC_OK, kvc_contains(engine, nullptr, &key, sizeof key, &answer));
  EXPECT_EQ(1, answer);
  EXPECT_EQ(KVC_OK, kvc_contains(engine, "other", &key, sizeof key, &answer));
  EXPECT_EQ(0, answer) << "of another tenant";
  EXPECT_EQ(KVC_OK, kvc_remove(engine, nullptr, &key, sizeof key, &answer));
  EXPECT_EQ(1, answer);
  EXPECT_EQ(KVC_OK, kvc_remove(engine, nullptr, &key, sizeof key, &answer));
  EXPECT_EQ(0, answer);
  EXPECT_FALSE(check(49));
}

TEST(CoreTensorTest, PutReplacesAndGetChecksTheShape) {
  Engine engine;
  float data[6] = {1, 2, 3, 4, 5, 6};
  kvc_tensor_t t = plain_tensor(data, {2, 3});
  ASSERT_EQ(KVC_OK, kvc_put(engine, nullptr, "key", 3, &t));
  t.shape[0] = 3, t.shape[1] = 2, t.strides[0] = 1, t.strides[1] = 3;  // the transposed view of the same memory
  ASSERT_EQ(KVC_OK, kvc_put(engine, nullptr, "key", 3, &t));
  EXPECT_EQ(1u, engine.stats().tensors);
  float out[6] = {};
  kvc_tensor_t o = plain_tensor(out, {3, 2});
  int32_t found = 0;
  ASSERT_EQ(KVC_OK, kvc_get(engine, nullptr, "key", 3, &o, &found));
  EXPECT_EQ(1, found);
  const float want[6] = {1, 4, 2, 5, 3, 6};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(want[i], out[i]);
  o.shape[0] = 2, o.shape[1] = 3;
  EXPECT_EQ(KVC_E_SHAPE, kvc_get(engine, nullptr, "key", 3, &o, &found));
  o.shape[0] = 3, o.shape[1] = 2;
  o.dtype = KVC_F16;
  EXPECT_EQ(KVC_E_DTYPE, kvc_get(engine, nullptr, "key", 3, &o, &found));
  EXPECT_EQ(KVC_OK, kvc_get(engine, nullptr, "kez", 3, &o, &found));
  EXPECT_EQ(0, found);
}

}  // namespace
}  // namespace kvc_test
