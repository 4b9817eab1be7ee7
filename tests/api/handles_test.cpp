// What a handle can be besides valid: NULL, closed, of another kind, never one at all. Every function must say so, none
// may crash.
#include <thread>

#include "api_calls.h"
#include "api_toy_backend.h"

namespace kvc_test {
namespace {

struct Kind {
  const char* name;
  std::vector<Call> calls;
  void* open = nullptr;
  void* closed = nullptr;
};

class HandlesTest : public testing::Test {
 protected:
  HandlesTest() : engine_(&toy_) {
    kinds_ = {{"config", config_calls()},
              {"engine", engine_calls()},
              {"space", space_calls()},
              {"session", session_calls()},
              {"iter", iter_calls()}};
    kinds_[0].open = config();
    kinds_[0].closed = config();
    kvc_config_destroy(static_cast<kvc_config_t*>(kinds_[0].closed));
    {
      ToyEngine other(&other_toy_);
      kinds_[1].closed = static_cast<kvc_engine_t*>(other);
    }
    kinds_[1].open = static_cast<kvc_engine_t*>(engine_);
    kinds_[2].open = space();
    kinds_[2].closed = space();
    kvc_space_close(static_cast<kvc_space_t*>(kinds_[2].closed));
    kinds_[3].open = session();
    kinds_[3].closed = session();
    EXPECT_EQ(KVC_OK, kvc_session_close(static_cast<kvc_session_t*>(kinds_[3].closed), KVC_CLOSE_KEEP, 0));
    kinds_[4].open = iter();
    kinds_[4].closed = iter();
    kvc_page_iter_close(static_cast<kvc_page_iter_t*>(kinds_[4].closed));
  }
  ~HandlesTest() override { kvc_config_destroy(static_cast<kvc_config_t*>(kinds_[0].open)); }

  static kvc_config_t* config() {
    kvc_config_t* config = nullptr;
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    return config;
  }
  kvc_space_t* space() {
    const kvc_space_desc_t d = small_space(1, 4, KVC_F32, 4);
    kvc_space_t* space = nullptr;
    EXPECT_EQ(KVC_OK, kvc_space_open(engine_, &d, &space));
    return space;
  }
  kvc_session_t* session() {
    kvc_session_t* session = nullptr;
    EXPECT_EQ(KVC_OK, kvc_session_open(static_cast<kvc_space_t*>(kinds_[2].open), nullptr, &session));
    return session;
  }
  kvc_page_iter_t* iter() {
    kvc_page_iter_t* iter = nullptr;
    EXPECT_EQ(KVC_OK, kvc_page_iter_open(engine_, nullptr, &iter));
    return iter;
  }
  // Functions without a status: they must survive anything.
  static void endings(void* handle) {
    kvc_config_destroy(static_cast<kvc_config_t*>(handle));
    kvc_engine_destroy(static_cast<kvc_engine_t*>(handle));
    kvc_space_close(static_cast<kvc_space_t*>(handle));
    kvc_page_iter_close(static_cast<kvc_page_iter_t*>(handle));
  }

  ToyBackend toy_, other_toy_;
  ToyEngine engine_;
  std::vector<Kind> kinds_;
};

TEST_F(HandlesTest, OpenOnesWork) {
  for (const Kind& kind : kinds_) {
    for (const Call& call : kind.calls) {
      const kvc_status_t status = call.call(kind.open);
      EXPECT_NE(KVC_E_CLOSED, status) << call.name;
      EXPECT_NE(KVC_E_NULL, status) << call.name << " was called with valid arguments";
      EXPECT_NE(KVC_E_INTERNAL, status) << call.name;
    }
  }
}

TEST_F(HandlesTest, NullIsRefused) {
  for (const Kind& kind : kinds_) {
    for (const Call& call : kind.calls) EXPECT_EQ(KVC_E_NULL, call.call(nullptr)) << call.name;
  }
  endings(nullptr);
  kvc_response_free(nullptr);
}

TEST_F(HandlesTest, ClosedOnesAreRefused) {
  for (const Kind& kind : kinds_) {
    for (const Call& call : kind.calls) EXPECT_EQ(KVC_E_CLOSED, call.call(kind.closed)) << call.name;
    endings(kind.closed);
  }
}

TEST_F(HandlesTest, OtherKindsAreRefused) {
  for (const Kind& kind : kinds_) {
    for (const Kind& other : kinds_) {
      if (kind.name == other.name) continue;
      for (const Call& call : kind.calls)
        EXPECT_EQ(KVC_E_CLOSED, call.call(other.open)) << call.name << " of a " << other.name;
    }
  }
  // Ended as what they are not, they live on.
  kvc_engine_destroy(static_cast<kvc_engine_t*>(kinds_[2].open));
  kvc_space_close(static_cast<kvc_space_t*>(kinds_[1].open));
  EXPECT_EQ(KVC_OK, kinds_[2].calls[0].call(kinds_[2].open));
  EXPECT_EQ(KVC_OK, kinds_[1].calls[0].call(kinds_[1].open));
}

TEST_F(HandlesTest, InventedOnesAreRefused) {
  int on_the_stack = 0;
  const auto valid = reinterpret_cast<uintptr_t>(kinds_[1].open);
  std::vector<uintptr_t> invented = {
      1, 2, 8, 4096, reinterpret_cast<uintptr_t>(&on_the_stack), UINTPTR_MAX, UINTPTR_MAX - 7};
  for (int bit = 0; bit < 64; ++bit) {
    invented.push_back(valid ^ uintptr_t{1} << bit);
    invented.push_back(uintptr_t{1} << bit);
  }
  std::mt19937_64 random(7);
  for (int i = 0; i < 1000; ++i) invented.push_back(random());
  for (const uintptr_t value : invented) {
    void* handle = reinterpret_cast<void*>(value);  // NOLINT: that is the point
    bool known = false;
    for (const Kind& kind : kinds_) known = known || kind.open == handle;
    if (known) continue;
    char text[16];
    EXPECT_EQ(KVC_E_CLOSED, kinds_[0].calls[1].call(handle));
    EXPECT_EQ(KVC_E_CLOSED, kinds_[1].calls[0].call(handle)) << std::hex << value;
    EXPECT_EQ(KVC_E_CLOSED, kinds_[2].calls[0].call(handle));
    EXPECT_EQ(KVC_E_CLOSED, kinds_[3].calls[0].call(handle));
    EXPECT_EQ(KVC_E_CLOSED, kinds_[4].calls[0].call(handle));
    endings(handle);
    EXPECT_GT(kvc_engine_last_error(static_cast<kvc_engine_t*>(handle), text, sizeof text), 0u);
  }
  for (const Kind& kind : kinds_)
    EXPECT_NE(KVC_E_CLOSED, kind.calls[0].call(kind.open)) << kind.name << " is still open";
}

TEST_F(HandlesTest, NeverAnAddress) {
  for (const Kind& kind : kinds_) {
    const auto value = reinterpret_cast<uintptr_t>(kind.open);
    EXPECT_EQ(1u, value & 1) << "odd: no pointer to an object";
    EXPECT_NE(0u, value >> 48) << "not canonical: no address";
    EXPECT_NE(0xffffu, value >> 48);
  }
}

TEST_F(HandlesTest, AReusedSlotDoesNotReviveAnOldName) {
  kvc_space_t* const old_name = space();
  kvc_space_close(old_name);
  for (int i = 0; i < 10000; ++i) {
    kvc_space_t* fresh = space();
    ASSERT_NE(old_name, fresh);
    if (i % 1000 == 0) {
      for (const Call& call : kinds_[2].calls) ASSERT_EQ(KVC_E_CLOSED, call.call(old_name)) << call.name;
      kvc_space_close(old_name);
      ASSERT_EQ(KVC_OK, kinds_[2].calls[0].call(fresh));
    }
    kvc_space_close(fresh);
  }
}

TEST_F(HandlesTest, ThousandsAtATime) {
  std::vector<kvc_session_t*> sessions(3000);
  for (kvc_session_t*& s : sessions) s = session();
  std::map<void*, int> distinct;
  for (kvc_session_t* s : sessions) EXPECT_EQ(1, ++distinct[s]);
  for (size_t i = 0; i < sessions.size(); i += 2) EXPECT_EQ(KVC_OK, kvc_session_close(sessions[i], KVC_CLOSE_KEEP, 0));
  for (size_t i = 0; i < sessions.size(); ++i) {
    kvc_session_info_t info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(i % 2 == 0 ? KVC_E_CLOSED : KVC_OK, kvc_session_info(sessions[i], &info));
  }
}

TEST_F(HandlesTest, ClosingTwiceIsRefused) {
  kvc_session_t* s = session();
  EXPECT_EQ(KVC_OK, kvc_session_close(s, KVC_CLOSE_FINISHED, 0));
  EXPECT_EQ(KVC_E_CLOSED, kvc_session_close(s, KVC_CLOSE_FINISHED, 0));
  kvc_config_t* c = config();
  kvc_config_destroy(c);
  kvc_config_destroy(c);
}

TEST_F(HandlesTest, OfManyThreadsThatCloseOneSucceeds) {
  for (int round = 0; round < 100; ++round) {
    kvc_session_t* s = session();
    std::atomic<int> closed{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        kvc_session_info_t info{};
        info.struct_size = sizeof info;
        while (kvc_session_info(s, &info) == KVC_OK) {
          if (kvc_session_close(s, KVC_CLOSE_KEEP, 0) == KVC_OK) ++closed;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(1, closed.load());
  }
}

// --- errors have words
// ------------------------------------------------------------------------------------------------------

TEST_F(HandlesTest, LastErrorOfEachHandleIsItsOwn) {
  auto* e = static_cast<kvc_engine_t*>(kinds_[1].open);
  auto* s = static_cast<kvc_session_t*>(kinds_[3].open);
  EXPECT_EQ("", words(s));
  size_t reused = 0;
  const int32_t bad = -5;
  EXPECT_EQ(KVC_E_TOKEN, kvc_session_match(s, &bad, 1, &reused));
  EXPECT_NE(std::string::npos, words(s).find("-5")) << words(s);
  EXPECT_EQ("", words(e));
  // A failure on a space, or a walk, is told by the engine.
  kvc_space_info_t info{};
  EXPECT_EQ(KVC_E_STRUCT_SIZE, kvc_space_info(static_cast<kvc_space_t*>(kinds_[2].open), &info));
  EXPECT_NE("", words(e));
  // A success leaves the words of the last failure.
  const std::string before = words(e);
  EXPECT_EQ(KVC_OK, kvc_trim(e, 0, nullptr));
  EXPECT_EQ(before, words(e));
  // Shortened to the capacity; the full length comes back.
  char small[8];
  EXPECT_EQ(before.size(), kvc_engine_last_error(e, small, sizeof small));
  EXPECT_EQ(before.substr(0, 7), small);
  EXPECT_EQ(before.size(), kvc_engine_last_error(e, nullptr, 0));
}

TEST_F(HandlesTest, HandlesThatNameNothingSayThat) {
  char text[256];
  EXPECT_GT(kvc_session_last_error(static_cast<kvc_session_t*>(kinds_[3].closed), text, sizeof text), 0u);
  EXPECT_STREQ(kvc_status_text(KVC_E_CLOSED), text);
  EXPECT_GT(kvc_config_last_error(nullptr, text, sizeof text), 0u);
  EXPECT_STREQ(kvc_status_text(KVC_E_NULL), text);
}

TEST(StatusTest, EveryStatusHasAName) {
  for (const kvc_status_t status :
       {0,    1,    2,    -100, -101, -102, -103, -104, -105, -106, -107, -108, -109, -200, -201, -202, -203,
        -204, -205, -206, -207, -300, -301, -302, -303, -304, -400, -500, -600, -650, -700, -701, -900}) {
    EXPECT_STRNE("KVC_E_UNKNOWN", kvc_status_name(status)) << status;
    EXPECT_GT(std::strlen(kvc_status_text(status)), 10u);
  }
  EXPECT_STREQ("KVC_OK", kvc_status_name(KVC_OK));
  EXPECT_STREQ("KVC_E_NO_MEMORY", kvc_status_name(KVC_E_NO_MEMORY));
  for (const kvc_status_t status : {3, -1, -99, -901, INT32_MIN, INT32_MAX}) {
    EXPECT_STREQ("KVC_E_UNKNOWN", kvc_status_name(status));
    EXPECT_NE(nullptr, kvc_status_text(status));
  }
}

TEST(VersionTest, SaysWhatItIs) {
  EXPECT_STREQ("0.1.0", kvc_version_string());
  EXPECT_EQ(uint32_t{KVC_ABI_VERSION}, kvc_abi_version());
  const std::string info = kvc_build_info();
  EXPECT_EQ('{', info.front());
  EXPECT_EQ('}', info.back());
  for (const char* word : {"compiler", "mimalloc", "libsodium", "libkvc"})
    EXPECT_NE(std::string::npos, info.find(word)) << info;
  EXPECT_EQ(kvc_build_info(), kvc_build_info()) << "static text";
  EXPECT_EQ(1, kvc_has_feature("builtin_model"));
  EXPECT_EQ(1, kvc_has_feature("threads"));
  EXPECT_EQ(0, kvc_has_feature("flux capacitor"));
  EXPECT_EQ(0, kvc_has_feature(""));
  EXPECT_EQ(0, kvc_has_feature(nullptr));
}

}  // namespace
}  // namespace kvc_test
