// Many threads, one engine, a small budget: everything at once, and every number that is read must be right.
// Meant for ThreadSanitizer and AddressSanitizer as much as for a plain run.
#include <mutex>
#include <thread>

#include "core_support.h"

namespace kvc_test {
namespace {

class Problems {
 public:
  void add(const std::string& text) {
    if (text.empty()) return;
    std::lock_guard<std::mutex> lock(mutex_);
    if (list_.size() < 10) list_.push_back(text);
    failed_ = true;
  }
  bool failed() const { return failed_; }
  void report() {
    for (const std::string& text : list_) ADD_FAILURE() << text;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> list_;
  std::atomic<bool> failed_{false};
};

std::string expect(const char* what, kvc_status_t status, std::initializer_list<kvc_status_t> allowed) {
  for (kvc_status_t a : allowed)
    if (status == a) return "";
  return std::string(what) + " gave " + kvc_status_name(status);
}

// The beginnings that threads share: a few trunks with many branches.
Tokens some_prompt(std::mt19937_64& random) {
  Tokens t = iota_tokens(random() % 30, static_cast<int32_t>(1000 * (random() % 3)));
  return concat(t, iota_tokens(random() % 12, static_cast<int32_t>(100 * (random() % 4))));
}

void work_on_sessions(const Space& space, uint64_t seed, int rounds, Problems* problems) {
  std::mt19937_64 random(seed);
  const char* tenants[] = {nullptr, "a"};
  const std::initializer_list<kvc_status_t> room = {KVC_OK, KVC_E_NO_MEMORY};
  std::vector<Session> mine;
  for (int i = 0; i < rounds && !problems->failed(); ++i) {
    if (mine.size() < 3) {
      Session s(space, tenants[random() % 2], 0, random() % 8 != 0);
      problems->add(expect("open", s.opened(), room));
      if (s.opened() != KVC_OK) continue;
      mine.push_back(std::move(s));
    }
    const size_t at = random() % mine.size();
    Session& s = mine[at];
    switch (random() % 10) {
      case 0:
      case 1:
      case 2:
        problems->add(expect("prompt", s.prompt(concat(s.seq.tokens, some_prompt(random))), room));
        break;
      case 3:
      case 4:
        problems->add(expect("add", s.add(some_prompt(random), static_cast<Layout>(random() % 3)), room));
        break;
      case 5:
        problems->add(expect("truncate", s.truncate(random() % (s.seq.size() + 1)), {KVC_OK}));
        break;
      case 6: {
        if (mine.size() > 5) break;
        Session f = s.fork();
        problems->add(expect("fork", f.opened(), room));
        if (f.opened() != KVC_OK) break;
        problems->add(f.check());
        problems->add(expect("add to a fork", f.add(some_prompt(random)), room));
        problems->add(f.check());
        mine.push_back(std::move(f));
        break;
      }
      case 7:
        problems->add(expect("pin", kvc_session_pin(s, 1), {KVC_OK}));
        problems->add(s.check());
        problems->add(expect("unpin", kvc_session_pin(s, 0), {KVC_OK}));
        break;
      case 8:
        problems->add(expect("priority", kvc_session_set_priority(s, static_cast<int32_t>(random() % 200)), {KVC_OK}));
        break;
      default:
        problems->add(s.check());
        s.close(static_cast<int32_t>(random() % 3));
        mine.erase(mine.begin() + static_cast<ptrdiff_t>(at));
        continue;
    }
    problems->add(mine[std::min(at, mine.size() - 1)].check());
  }
  for (Session& s : mine) problems->add(s.check());
}

void work_on_tensors(kvc_engine_t* engine, uint64_t seed, int rounds, Problems* problems) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < rounds && !problems->failed(); ++i) {
    const uint32_t key = static_cast<uint32_t>(random() % 12);
    // Whoever puts under a key puts a length and numbers that the first number tells.
    float data[256];
    kvc_tensor_t t{};
    t.struct_size = sizeof t;
    t.data = data;
    t.dtype = KVC_F32;
    t.n_dims = 1;
    int32_t flag = -1;
    if (random() % 3 == 0) {
      const size_t n = 64;
      const float first = static_cast<float>(random() % 1000);
      for (size_t d = 0; d < n; ++d) data[d] = first + static_cast<float>(d);
      t.shape[0] = static_cast<int64_t>(n);
      t.size = n * 4;
      problems->add(expect("put", kvc_put(engine, nullptr, &key, sizeof key, &t), {KVC_OK, KVC_E_NO_MEMORY}));
    } else if (random() % 8 == 0) {
      problems->add(expect("remove", kvc_remove(engine, nullptr, &key, sizeof key, &flag), {KVC_OK}));
    } else if (random() % 8 == 0) {
      problems->add(expect("contains", kvc_contains(engine, nullptr, &key, sizeof key, &flag), {KVC_OK}));
    } else {
      t.shape[0] = 64;
      t.size = 64 * 4;
      problems->add(expect("get", kvc_get(engine, nullptr, &key, sizeof key, &t, &flag), {KVC_OK}));
      for (int d = 0; flag == 1 && d < 64; ++d)
        if (data[d] != data[0] + static_cast<float>(d)) problems->add("a tensor with wrong numbers");
    }
  }
}

void look_around(const Engine& engine, uint64_t seed, int rounds, Problems* problems) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < rounds && !problems->failed(); ++i) {
    const kvc_stats_t s = engine.stats();
    if (s.memory_used > s.memory_budget || s.memory_peak > s.memory_budget) problems->add("over the budget");
    switch (random() % 4) {
      case 0:
        problems->add(expect("trim", kvc_trim(engine, random() % s.memory_budget, nullptr), {KVC_OK}));
        break;
      case 1: {
        std::vector<std::string> seen;
        for (const kvc_page_info_t& p : engine.pages()) {
          kvc_page_info_t info{};
          info.struct_size = sizeof info;
          problems->add(expect("page_info", kvc_page_info(engine, p.id, &info), {KVC_OK, KVC_E_NOT_FOUND}));
          Tokens tokens(64);
          size_t n = 0;
          problems->add(
              expect("page_tokens", kvc_page_tokens(engine, p.id, tokens.data(), 64, &n), {KVC_OK, KVC_E_NOT_FOUND}));
        }
        break;
      }
      default: {
        char text[4096];
        size_t length = 0;
        problems->add(expect("info", kvc_engine_info(engine, text, sizeof text, &length), {KVC_OK}));
      }
    }
  }
}

class StressCoreTest : public ::testing::TestWithParam<const char*> {};

TEST_P(StressCoreTest, EverythingAtOnceWithLittleMemory) {
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  const int scale = quick() ? 1 : 4;
  Problems problems;
  {
    Engine engine(Options{{"memory", "64KiB"}, {"policy", GetParam()}}, &table);
    Space space(engine, Geometry{});
    std::vector<std::thread> threads;
    for (uint64_t t = 0; t < 4; ++t)
      threads.emplace_back(work_on_sessions, std::cref(space), 100 + t, 400 * scale, &problems);
    threads.emplace_back(work_on_tensors, static_cast<kvc_engine_t*>(engine), 1, 2000 * scale, &problems);
    threads.emplace_back(work_on_tensors, static_cast<kvc_engine_t*>(engine), 2, 2000 * scale, &problems);
    threads.emplace_back(look_around, std::cref(engine), 3, 200 * scale, &problems);
    for (std::thread& t : threads) t.join();
    problems.report();
    EXPECT_EQ(0u, engine.stats().sessions);
    EXPECT_EQ(0u, engine.stats().pages_pinned);
    EXPECT_GT(engine.stats().pages_evicted, 0u);
    EXPECT_LE(allocator.peak(), engine.stats().memory_budget);
    EXPECT_EQ(KVC_OK, kvc_trim(engine, 0, nullptr));
    EXPECT_EQ(0u, engine.stats().pages);
    EXPECT_EQ(0u, engine.stats().memory_payload);
  }
  EXPECT_EQ(0u, allocator.used());
}

INSTANTIATE_TEST_SUITE_P(Policies, StressCoreTest, ::testing::Values("lru", "lfu", "fifo"),
                         [](const auto& info) { return std::string(info.param); });

// One session, several threads: calls follow one another, so whatever is committed is whole.
TEST(StressSessionTest, OneSessionHammeredFromSeveralThreads) {
  Engine engine;
  const Geometry g;
  Space space(engine, g);
  kvc_session_options_t options{};
  options.struct_size = sizeof options;
  kvc_session_t* session = nullptr;
  ASSERT_EQ(KVC_OK, kvc_session_open(space, &options, &session));
  Problems problems;
  const int rounds = quick() ? 300 : 2000;
  // All rows of a token are the token's own number, so that any thread can check any row that it reads.
  const auto fill = [&](Block* block, size_t n, uint16_t value) {
    for (size_t t = 0; t < n; ++t)
      for (uint32_t h = 0; h < g.heads; ++h)
        for (uint32_t d = 0; d < g.k_dim; ++d) std::memcpy(block->row(t, h) + 2 * d, &value, 2);
  };
  const auto writer = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < rounds && !problems.failed(); ++i) {
      const size_t n = 1 + random() % 6;
      const uint16_t value = static_cast<uint16_t>(random() % 1000);
      Block rows(g, KVC_KEY, n, Layout::thd);
      fill(&rows, n, value);
      kvc_tensor_t both[2] = {rows.tensor, rows.tensor};
      const Tokens tokens(n, value);
      problems.add(expect("append_all", kvc_session_append_all(session, both, both, 2, n), {KVC_OK}));
      // Another writer may have appended between the two calls: then this commit is refused and somebody truncates.
      const kvc_status_t status = kvc_session_commit(session, tokens.data(), n);
      problems.add(expect("commit", status, {KVC_OK, KVC_E_MISSING_LAYERS}));
      if (status != KVC_OK || random() % 4 == 0) {
        kvc_session_info_t info{};
        info.struct_size = sizeof info;
        kvc_session_info(session, &info);
        problems.add(expect("truncate", kvc_session_truncate(session, random() % (info.length + 1)),
                            {KVC_OK, KVC_E_OUT_OF_RANGE}));
      }
    }
  };
  const auto reader = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < rounds && !problems.failed(); ++i) {
      kvc_session_info_t info{};
      info.struct_size = sizeof info;
      problems.add(expect("info", kvc_session_info(session, &info), {KVC_OK}));
      const size_t n = 1 + random() % 5;
      Block out(g, KVC_KEY, n, Layout::htd);
      const size_t from = random() % (info.length + 1);
      const kvc_status_t status = kvc_session_read(session, 0, KVC_KEY, from, n, &out.tensor);
      problems.add(expect("read", status, {KVC_OK, KVC_E_OUT_OF_RANGE}));
      for (size_t t = 0; status == KVC_OK && t < n; ++t)
        for (uint32_t h = 0; h < g.heads; ++h)  // one value in a whole row: never half of two tokens
          if (std::memcmp(out.row(t, h), out.row(t, h) + 2, 2 * (g.k_dim - 1)) != 0 ||
              std::memcmp(out.row(t, h), out.row(t, 0), 2) != 0)
            problems.add("a torn row");
      kvc_session_t* fork = nullptr;
      const kvc_status_t forked = kvc_session_fork(session, &fork);
      problems.add(expect("fork", forked, {KVC_OK, KVC_E_ORDER}));
      if (forked == KVC_OK) {
        problems.add(expect("close of a fork", kvc_session_close(fork, KVC_CLOSE_KEEP, 0), {KVC_OK}));
      }
      char text[256];
      kvc_session_last_error(session, text, sizeof text);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; ++t) threads.emplace_back(writer, t);
  for (uint64_t t = 0; t < 3; ++t) threads.emplace_back(reader, 10 + t);
  for (std::thread& t : threads) t.join();
  problems.report();
  EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_KEEP, 0));
  EXPECT_EQ(KVC_E_CLOSED, kvc_session_close(session, KVC_CLOSE_KEEP, 0));
}

// Handles are closed under the feet of those who use them: KVC_E_CLOSED, nothing worse.
TEST(StressSessionTest, ClosingWhileOthersUseIt) {
  Engine engine;
  const Geometry g;
  Space space(engine, g);
  Problems problems;
  for (int round = 0; round < (quick() ? 30 : 200); ++round) {
    kvc_session_t* session = nullptr;
    ASSERT_EQ(KVC_OK, kvc_session_open(space, nullptr, &session));
    std::atomic<bool> go{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        while (!go) std::this_thread::yield();
        Sequence seq(1, iota_tokens(5));
        for (int i = 0; i < 20; ++i) {
          Block k = rows_of(g, seq, 0, KVC_KEY, 0, 5), v = rows_of(g, seq, 0, KVC_VALUE, 0, 5);
          problems.add(expect("append",
                              kvc_session_append(session, static_cast<uint32_t>(t % 2), &k.tensor, &v.tensor, 5),
                              {KVC_OK, KVC_E_CLOSED}));
          problems.add(expect("truncate", kvc_session_truncate(session, 0), {KVC_OK, KVC_E_CLOSED}));
        }
      });
    threads.emplace_back([&] {
      while (!go) std::this_thread::yield();
      problems.add(expect("close", kvc_session_close(session, KVC_CLOSE_FINISHED, 0), {KVC_OK}));
    });
    go = true;
    for (std::thread& t : threads) t.join();
  }
  problems.report();
  EXPECT_EQ(0u, engine.stats().sessions);
  EXPECT_EQ(0u, engine.stats().memory_payload);
}

}  // namespace
}  // namespace kvc_test
