// A forked child: handles of the parent are refused without touching anything, and a new engine works.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "api_calls.h"
#include "api_toy_backend.h"

namespace kvc_test {
namespace {

// Runs body in a child; its result is the child's exit status. A child that hangs is ended by its alarm.
template <typename Body>
int in_child(Body body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(quick() ? 60 : 10);
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(pid, waitpid(pid, &status, 0));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

class ForkTest : public testing::Test {
 protected:
  ForkTest() : engine_(&toy_) {
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config_));
    EXPECT_EQ(KVC_OK, kvc_engine_space(engine_, &space_));
    EXPECT_EQ(KVC_OK, kvc_session_open(space_, nullptr, &session_));
    EXPECT_EQ(KVC_OK, kvc_page_iter_open(engine_, nullptr, &iter_));
  }
  ~ForkTest() override { kvc_config_destroy(config_); }

  // In the child: 0, or the number of the call that did not say KVC_E_FORKED.
  int all_refused() {
    int number = 0;
    const auto refused = [&](const std::vector<Call>& calls, void* handle) {
      for (const Call& call : calls) {
        ++number;
        if (call.call(handle) != KVC_E_FORKED) return false;
      }
      return true;
    };
    if (!refused(config_calls(), config_) || !refused(engine_calls(), static_cast<kvc_engine_t*>(engine_)) ||
        !refused(space_calls(), space_) || !refused(session_calls(), session_) || !refused(iter_calls(), iter_)) {
      return number;
    }
    kvc_engine_t* made = nullptr;
    kvc_error_t error{};
    error.struct_size = sizeof error;
    if (kvc_engine_create_with_error(config_, &made, &error) != KVC_E_FORKED || error.status != KVC_E_FORKED)
      return 101;
    char text[256];
    kvc_engine_last_error(engine_, text, sizeof text);
    if (std::strcmp(text, kvc_status_text(KVC_E_FORKED)) != 0) return 102;
    kvc_page_iter_close(iter_);
    kvc_space_close(space_);
    kvc_config_destroy(config_);
    kvc_engine_destroy(engine_);
    return kvc_trim(engine_, 0, nullptr) == KVC_E_FORKED ? 0 : 103;
  }
  // In the child: a new engine of its own.
  static int new_engine_works() {
    ToyBackend toy;
    kvc_config_t* config = nullptr;
    kvc_engine_t* engine = nullptr;
    const kvc_backend_t table = toy.table();
    if (kvc_config_create(nullptr, &config) != KVC_OK) return 110;
    if (kvc_config_set_backend(config, &table) != KVC_OK) return 111;
#ifdef __SANITIZE_THREAD__
    // ThreadSanitizer itself refuses new threads in the child of a process with several.
    if (kvc_config_set(config, "threads", "0") != KVC_OK) return 115;
#endif
    if (kvc_engine_create(config, &engine) != KVC_OK) return 112;
    kvc_request_t request;
    kvc_request_init(&request, sizeof request);
    request.prompt = "a";
    request.max_tokens = 3;
    kvc_response_t* response = nullptr;
    if (kvc_process(engine, &request, &response) != KVC_OK) return 113;
    const bool right = std::strcmp(response->text, "bcd") == 0;
    kvc_response_free(response);
    kvc_engine_destroy(engine);
    kvc_config_destroy(config);
    return right && toy.destroyed == 1 ? 0 : 114;
  }

  void parent_still_works() {
    const kvc_request_t request = toy_request("k", 3);
    kvc_response_t* response = nullptr;
    ASSERT_EQ(KVC_OK, kvc_process(engine_, &request, &response)) << words(static_cast<kvc_engine_t*>(engine_));
    EXPECT_STREQ("lmn", response->text);
    kvc_response_free(response);
  }

  ToyBackend toy_;
  ToyEngine engine_;
  kvc_config_t* config_ = nullptr;
  kvc_space_t* space_ = nullptr;
  kvc_session_t* session_ = nullptr;
  kvc_page_iter_t* iter_ = nullptr;
};

TEST_F(ForkTest, EveryCallInTheChildIsRefused) {
  EXPECT_EQ(0, in_child([this] { return all_refused(); }));
  parent_still_works();
}

TEST_F(ForkTest, ANewEngineWorksInTheChild) {
  EXPECT_EQ(0, in_child([] { return new_engine_works(); }));
  parent_still_works();
}

TEST_F(ForkTest, ResponsesOfTheParentCanBeReadAndFreed) {
  const kvc_request_t request = toy_request("a", 2);
  kvc_response_t* response = nullptr;
  ASSERT_EQ(KVC_OK, kvc_process(engine_, &request, &response));
  EXPECT_EQ(0, in_child([response] {
              const bool right = std::strcmp(response->text, "bc") == 0;
              kvc_response_free(response);
              return right ? 0 : 1;
            }));
  kvc_response_free(response);
}

TEST_F(ForkTest, GrandchildrenAreChildren) {
  EXPECT_EQ(0, in_child([this] {
              kvc_config_t* of_child = nullptr;
              if (kvc_config_create(nullptr, &of_child) != KVC_OK) return 1;
              const int grandchild = in_child([this, of_child] {
                if (config_calls()[0].call(of_child) != KVC_E_FORKED) return 2;
                if (config_calls()[0].call(config_) != KVC_E_FORKED) return 3;
                return new_engine_works();
              });
              if (grandchild != 0) return grandchild;
              // The child's own handle was not touched.
              if (config_calls()[0].call(of_child) != KVC_OK) return 4;
              kvc_config_destroy(of_child);
              return config_calls()[0].call(of_child) == KVC_E_CLOSED ? 0 : 5;
            }));
}

TEST_F(ForkTest, ForkWhileOtherThreadsCall) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer's own allocator can be left locked in the child of a process with several threads";
#endif
  std::atomic<bool> running{true};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      while (running) {
        kvc_session_t* session = nullptr;
        if (kvc_session_open(space_, nullptr, &session) != KVC_OK) continue;
        kvc_session_info_t info{};
        info.struct_size = sizeof info;
        EXPECT_EQ(KVC_OK, kvc_session_info(session, &info));
        EXPECT_EQ(KVC_OK, kvc_session_close(session, KVC_CLOSE_KEEP, 0));
        kvc_config_t* config = nullptr;
        EXPECT_EQ(KVC_OK, kvc_config_create("memory_efficient", &config));
        kvc_config_destroy(config);
      }
    });
  }
  for (int i = 0; i < (quick() ? 3 : 20); ++i) {
    EXPECT_EQ(0, in_child([this] {
                const int refused = all_refused();
                return refused != 0 ? refused : new_engine_works();
              }));
  }
  running = false;
  for (std::thread& thread : threads) thread.join();
  parent_still_works();
}

}  // namespace
}  // namespace kvc_test
