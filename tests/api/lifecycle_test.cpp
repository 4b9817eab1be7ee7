// How things end: engines with work in flight, sessions with their engine, backends exactly once.
#include <chrono>
#include <condition_variable>
#include <thread>

#include "../small_space.h"
#include "api_toy_backend.h"
#include "core_support.h"

namespace kvc_test {
namespace {

// A gate in a backend's forward: the test waits until a step is in it, and lets it go.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
  }
  void wait_until_reached() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return waiting_ > 0; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  int waiting_ = 0;
};

kvc_engine_t* make_engine(ToyBackend* toy, const char* threads = "1") {
  kvc_config_t* config = nullptr;
  EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
  EXPECT_EQ(KVC_OK, kvc_config_set(config, "threads", threads));
  const kvc_backend_t table = toy->table();
  EXPECT_EQ(KVC_OK, kvc_config_set_backend(config, &table));
  kvc_engine_t* engine = nullptr;
  EXPECT_EQ(KVC_OK, kvc_engine_create(config, &engine));
  kvc_config_destroy(config);
  return engine;
}

// In a backend's forward: returns when another thread has begun to destroy the engine, which then takes no more
// requests.
void wait_until_ending(kvc_engine_t* engine) {
  const kvc_request_t probe = toy_request("x", 1);
  kvc_ticket_t ticket = 0;
  for (;;) {
    const kvc_status_t status = kvc_submit(engine, &probe, &ticket);
    if (status == KVC_E_CLOSED) return;
    if (status == KVC_OK) {
      EXPECT_EQ(KVC_OK, kvc_ticket_free(engine, ticket));
    }
    std::this_thread::yield();
  }
}

// Lets the model's forward wait at the gate, and then until its engine is being destroyed.
void hold_until_ending(ToyBackend* toy, Gate* gate, kvc_engine_t* const* engine) {
  toy->before_forward = [gate, engine](const kvc_forward_t*, uint32_t, char*, size_t) -> kvc_status_t {
    gate->pass();
    wait_until_ending(*engine);
    return KVC_OK;
  };
}

TEST(LifecycleTest, AnEngineWithoutUseMakesNoThreadAndNoSound) {
  kvc_engine_t* engine = nullptr;
  ASSERT_EQ(KVC_OK, kvc_engine_create(nullptr, &engine));
  kvc_engine_destroy(engine);
  kvc_engine_destroy(engine);
}

TEST(LifecycleTest, DestroyClosesEverythingOfTheEngine) {
  kvc_engine_t* handle = nullptr;
  kvc_space_t* space_handle = nullptr;
  kvc_session_t* session_handle = nullptr;
  kvc_page_iter_t* iter = nullptr;
  {
    Engine engine;
    handle = engine;
    const kvc_space_desc_t d = small_space(1, 4, KVC_F16, 4);
    ASSERT_EQ(KVC_OK, kvc_space_open(handle, &d, &space_handle));
    ASSERT_EQ(KVC_OK, kvc_session_open(space_handle, nullptr, &session_handle));
    ASSERT_EQ(KVC_OK, kvc_page_iter_open(handle, nullptr, &iter));
  }
  kvc_space_info_t space{};
  space.struct_size = sizeof space;
  EXPECT_EQ(KVC_E_CLOSED, kvc_space_info(space_handle, &space));
  kvc_session_info_t session{};
  session.struct_size = sizeof session;
  EXPECT_EQ(KVC_E_CLOSED, kvc_session_info(session_handle, &session));
  EXPECT_EQ(KVC_E_CLOSED, kvc_session_close(session_handle, KVC_CLOSE_KEEP, 0));
  kvc_page_info_t page{};
  page.struct_size = sizeof page;
  EXPECT_EQ(KVC_E_CLOSED, kvc_page_iter_next(iter, &page));
  kvc_space_close(space_handle);
  kvc_page_iter_close(iter);
  EXPECT_EQ(KVC_E_CLOSED, kvc_trim(handle, 0, nullptr));
}

TEST(LifecycleTest, AllMemoryIsGivenBack) {
  CountingAllocator allocator;
  const kvc_allocator_t table = allocator.table();
  {
    Engine engine({}, &table);
    Space space(engine, Geometry{});
    kvc_session_t* fork = nullptr;
    {
      Session session(space);
      EXPECT_EQ(KVC_OK, session.add(iota_tokens(50)));
      ASSERT_EQ(KVC_OK, kvc_session_fork(session, &fork));
    }
    kvc_session_t* empty = nullptr;
    ASSERT_EQ(KVC_OK, kvc_session_open(space, nullptr, &empty));
    float number = 1;
    kvc_tensor_t tensor;
    ASSERT_EQ(KVC_OK, kvc_tensor_thd(&tensor, &number, KVC_F32, 1, 1, 1));
    ASSERT_EQ(KVC_OK, kvc_put(engine, nullptr, "k", 1, &tensor));
    EXPECT_GT(allocator.used(), 0u);
    kvc_engine_destroy(engine);
    EXPECT_EQ(0u, allocator.used()) << "destroyed with two sessions and a space open";
  }
}

TEST(LifecycleTest, ResponsesOutliveTheEngine) {
  ToyBackend toy;
  kvc_engine_t* engine = make_engine(&toy);
  const kvc_request_t request = toy_request("a", 5);
  kvc_response_t* response = nullptr;
  ASSERT_EQ(KVC_OK, kvc_process(engine, &request, &response));
  kvc_engine_destroy(engine);
  EXPECT_STREQ("bcdef", response->text);
  EXPECT_EQ(5u, response->n_tokens);
  EXPECT_EQ('f', response->tokens[4]);
  EXPECT_EQ(0, response->text[response->text_size]);
  std::thread([response] { kvc_response_free(response); }).join();
}

TEST(LifecycleTest, DestroyCancelsWhatWaitsAndRuns) {
  for (const char* threads : {"1", "0"}) {
    Gate gate;
    ToyBackend toy;
    kvc_engine_t* engine = nullptr;
    hold_until_ending(&toy, &gate, &engine);
    engine = make_engine(&toy, threads);
    std::vector<std::thread> callers;
    std::atomic<int> cancelled{0};
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        const kvc_request_t request = toy_request("a", 400);
        kvc_response_t* response = nullptr;
        const kvc_status_t status = kvc_process(engine, &request, &response);
        if (status == KVC_E_CANCELLED || status == KVC_E_CLOSED) ++cancelled;
        if (response != nullptr) {
          EXPECT_EQ(status, response->status);
        }
        kvc_response_free(response);
      });
    }
    gate.wait_until_reached();
    std::thread destroyer([&] { kvc_engine_destroy(engine); });
    gate.open();
    destroyer.join();
    EXPECT_EQ(1, toy.destroyed);
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(4, cancelled.load()) << "threads=" << threads;
    EXPECT_EQ(KVC_E_CLOSED, kvc_trim(engine, 0, nullptr));
  }
}

TEST(LifecycleTest, WaitersWakeWhenTheEngineGoes) {
  Gate gate;
  ToyBackend toy;
  kvc_engine_t* engine = nullptr;
  hold_until_ending(&toy, &gate, &engine);
  engine = make_engine(&toy);
  const kvc_request_t request = toy_request("a", 400);
  kvc_ticket_t ticket = 0;
  ASSERT_EQ(KVC_OK, kvc_submit(engine, &request, &ticket));
  gate.wait_until_reached();
  std::atomic<kvc_status_t> waited{1}, streamed{KVC_OK};
  std::thread waiter([&] {
    kvc_response_t* response = nullptr;
    waited = kvc_wait(engine, ticket, UINT64_MAX, &response);
    kvc_response_free(response);
  });
  std::thread streamer([&] {
    char text[64];
    size_t n = 0;
    kvc_status_t status = KVC_OK;
    while (status == KVC_OK) status = kvc_next(engine, ticket, UINT64_MAX, text, sizeof text, &n);
    streamed = status;
  });
  std::thread destroyer([&] { kvc_engine_destroy(engine); });
  gate.open();
  waiter.join();
  streamer.join();
  destroyer.join();
  EXPECT_TRUE(waited == KVC_E_CANCELLED || waited == KVC_E_CLOSED) << waited;
  EXPECT_TRUE(streamed == KVC_END || streamed == KVC_E_NOT_FOUND || streamed == KVC_E_CLOSED) << streamed;
}

TEST(LifecycleTest, OfManyThreadsThatDestroyOneDoes) {
  for (int round = 0; round < 20; ++round) {
    ToyBackend toy;
    kvc_engine_t* engine = make_engine(&toy);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const kvc_request_t request = toy_request("a", 3);
        kvc_response_t* response = nullptr;
        if (i % 2 == 0) {
          const kvc_status_t status = kvc_process(engine, &request, &response);
          EXPECT_TRUE(status == KVC_OK || status == KVC_E_CANCELLED || status == KVC_E_CLOSED) << status;
          kvc_response_free(response);
        }
        kvc_engine_destroy(engine);
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(1, toy.destroyed.load());
  }
}

TEST(LifecycleTest, DestroyWhileThreadsUseSessions) {
  for (int round = 0; round < (quick() ? 5 : 20); ++round) {
    auto engine = std::make_unique<Engine>();
    Space space(*engine, Geometry{});
    kvc_space_t* space_handle = space;
    std::atomic<bool> running{true};
    std::atomic<int> opened{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        kvc_session_t* session = nullptr;
        while (running && kvc_session_open(space_handle, nullptr, &session) == KVC_OK) {
          ++opened;
          kvc_session_t* fork = nullptr;
          kvc_session_info_t info{};
          info.struct_size = sizeof info;
          const kvc_status_t status = kvc_session_fork(session, &fork);
          EXPECT_TRUE(status == KVC_OK || status == KVC_E_CLOSED) << status;
          const kvc_status_t told = kvc_session_info(session, &info);
          EXPECT_TRUE(told == KVC_OK || told == KVC_E_CLOSED) << told;
        }
      });
    }
    while (opened < 50) std::this_thread::yield();
    engine.reset();
    running = false;
    for (std::thread& thread : threads) thread.join();
  }
}

// --- callbacks
// --------------------------------------------------------------------------------------------------------------

TEST(CallbackTest, DestroyFromACallbackDoesNothing) {
  for (const char* threads : {"1", "0"}) {
    ToyBackend toy;
    kvc_engine_t* engine = nullptr;
    toy.in_tokenize = [&] { kvc_engine_destroy(engine); };
    toy.before_forward = [&](const kvc_forward_t*, uint32_t, char*, size_t) -> kvc_status_t {
      kvc_engine_destroy(engine);
      return KVC_OK;
    };
    engine = make_engine(&toy, threads);
    kvc_request_t request = toy_request("a", 3);
    request.user_data = &engine;
    request.on_text = [](void* user, kvc_ticket_t, const char*, size_t) -> kvc_status_t {
      kvc_engine_destroy(*static_cast<kvc_engine_t**>(user));
      return KVC_OK;
    };
    kvc_response_t* response = nullptr;
    ASSERT_EQ(KVC_OK, kvc_process(engine, &request, &response)) << words(engine);
    EXPECT_STREQ("bcd", response->text);
    kvc_response_free(response);
    EXPECT_EQ(0, toy.destroyed);
    kvc_engine_destroy(engine);
    EXPECT_EQ(1, toy.destroyed);
  }
}

TEST(CallbackTest, WaitingFromACallbackIsRefused) {
  for (const char* threads : {"1", "0"}) {
    ToyBackend toy;
    kvc_engine_t* engine = nullptr;
    std::atomic<kvc_status_t> status{KVC_OK}, submitted{-1};
    kvc_ticket_t ticket = 0;
    std::atomic<bool> once{false};
    toy.before_forward = [&](const kvc_forward_t*, uint32_t, char*, size_t) -> kvc_status_t {
      if (once.exchange(true)) return KVC_OK;
      const kvc_request_t inner = toy_request("x", 1);
      kvc_response_t* response = nullptr;
      status = kvc_process(engine, &inner, &response);
      submitted = kvc_submit(engine, &inner, &ticket);
      return KVC_OK;
    };
    engine = make_engine(&toy, threads);
    const kvc_request_t request = toy_request("a", 2);
    kvc_response_t* response = nullptr;
    ASSERT_EQ(KVC_OK, kvc_process(engine, &request, &response)) << words(engine);
    EXPECT_STREQ("bc", response->text);
    kvc_response_free(response);
    EXPECT_EQ(KVC_E_BUSY, status.load()) << "threads=" << threads;
    EXPECT_EQ(KVC_OK, submitted.load());
    ASSERT_EQ(KVC_OK, kvc_wait(engine, ticket, UINT64_MAX, &response)) << words(engine);
    EXPECT_STREQ("y", response->text);
    kvc_response_free(response);
    kvc_engine_destroy(engine);
  }
}

TEST(CallbackTest, LentSessionsEndWithTheCall) {
  ToyBackend toy;
  std::atomic<kvc_status_t> closed{KVC_OK};
  toy.before_forward = [&](const kvc_forward_t* items, uint32_t, char*, size_t) -> kvc_status_t {
    closed = kvc_session_close(items[0].session, KVC_CLOSE_KEEP, 0);
    return KVC_OK;
  };
  ToyEngine engine(&toy);
  const kvc_request_t request = toy_request("a", 2);
  kvc_response_t* response = nullptr;
  ASSERT_EQ(KVC_OK, kvc_process(engine, &request, &response)) << words(static_cast<kvc_engine_t*>(engine));
  kvc_response_free(response);
  EXPECT_EQ(KVC_E_BUSY, closed.load()) << "it is the engine's";
  kvc_session_info_t info{};
  info.struct_size = sizeof info;
  ASSERT_NE(nullptr, toy.last_session);
  EXPECT_EQ(KVC_E_CLOSED, kvc_session_info(toy.last_session, &info));
}

TEST(CallbackTest, ABackendIsDestroyedOnceHoweverCreationEnds) {
  struct Case {
    const char* key;
    const char* value;
    kvc_status_t status;
  };
  for (const Case& c : {Case{"memory", "0", KVC_E_BUDGET}, Case{"memory", "16B", KVC_E_BUDGET},
                        Case{"gc_target", "1", KVC_E_OUT_OF_RANGE}, Case{"memory", "1MiB", KVC_OK}}) {
    ToyBackend toy;
    kvc_config_t* config = nullptr;
    ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    ASSERT_EQ(KVC_OK, kvc_config_set(config, c.key, c.value));
    const kvc_backend_t table = toy.table();
    ASSERT_EQ(KVC_OK, kvc_config_set_backend(config, &table));
    kvc_engine_t* engine = nullptr;
    EXPECT_EQ(c.status, kvc_engine_create(config, &engine)) << c.key << "=" << c.value;
    kvc_engine_destroy(engine);
    EXPECT_EQ(1, toy.destroyed) << c.key << "=" << c.value;
    // NULL takes it back: the next engine has nothing of it.
    ASSERT_EQ(KVC_OK, kvc_config_set(config, "memory", "1MiB"));
    ASSERT_EQ(KVC_OK, kvc_config_set(config, "gc_target", "0.5"));
    ASSERT_EQ(KVC_OK, kvc_config_set(config, "model", "none"));
    ASSERT_EQ(KVC_OK, kvc_config_set_backend(config, nullptr));
    ASSERT_EQ(KVC_OK, kvc_engine_create(config, &engine));
    kvc_engine_destroy(engine);
    EXPECT_EQ(1, toy.destroyed);
    kvc_config_destroy(config);
  }
}

TEST(CallbackTest, ExceptionsStopAtTheWall) {
  ToyBackend toy;
  ToyEngine engine(&toy);
  auto* handle = static_cast<kvc_engine_t*>(engine);
  int32_t token = 0;
  size_t n = 0;
  toy.in_tokenize = [] { throw std::runtime_error("thrown by the program's own tokenizer"); };
  EXPECT_EQ(KVC_E_INTERNAL, kvc_tokenize(handle, "a", 1, &token, 1, &n));
  EXPECT_NE(std::string::npos, words(handle).find("own tokenizer")) << words(handle);
  toy.in_tokenize = [] { throw 42; };
  EXPECT_EQ(KVC_E_INTERNAL, kvc_tokenize(handle, "a", 1, &token, 1, &n));
  toy.in_tokenize = [] { throw std::bad_alloc(); };
  EXPECT_EQ(KVC_E_NO_MEMORY, kvc_tokenize(handle, "a", 1, &token, 1, &n));
  toy.in_tokenize = nullptr;
  EXPECT_EQ(KVC_OK, kvc_tokenize(handle, "a", 1, &token, 1, &n));
}

TEST(LoggerTest, GetsLinesUpToItsLevel) {
  std::vector<std::pair<int32_t, std::string>> lines;
  std::mutex mutex;
  struct Sink {
    std::vector<std::pair<int32_t, std::string>>* lines;
    std::mutex* mutex;
  } sink{&lines, &mutex};
  for (const int32_t level : {KVC_LOG_ERROR, KVC_LOG_INFO}) {
    lines.clear();
    kvc_config_t* config = nullptr;
    ASSERT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    ASSERT_EQ(KVC_OK, kvc_config_set(config, "model", "none"));
    kvc_logger_t logger{};
    logger.struct_size = sizeof logger;
    logger.user_data = &sink;
    logger.level = level;
    logger.log = [](void* user, int32_t of, const char* message) {
      auto* to = static_cast<Sink*>(user);
      const std::lock_guard lock(*to->mutex);
      to->lines->emplace_back(of, message);
    };
    ASSERT_EQ(KVC_OK, kvc_config_set_logger(config, &logger));
    kvc_engine_t* engine = nullptr;
    ASSERT_EQ(KVC_OK, kvc_engine_create(config, &engine));
    kvc_engine_destroy(engine);
    kvc_config_destroy(config);
    for (const auto& [of, line] : lines) EXPECT_LE(of, level) << line;
    EXPECT_EQ(level >= KVC_LOG_INFO, !lines.empty());
  }
}

}  // namespace
}  // namespace kvc_test
