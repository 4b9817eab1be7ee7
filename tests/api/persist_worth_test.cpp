// disk_admission=worth: a full disk keeps what comes back rather than what does not.
#include <chrono>
#include <thread>

#include "persist_support.h"

namespace kvc_test {
namespace {

struct Worn {
  uint64_t written = 0, found_tokens = 0;
};

class AdmissionTest : public PersistTest {
 protected:
  // Conversations that come round by turns, and after each visit a prompt that says of itself that it is one-off.
  Worn rounds(const char* admission, int n) {
    Geometry geometry = geometry_;
    geometry.k_dim = geometry.v_dim = 64;
    geometry.page_tokens = 16;
    TestClock clock;
    const kvc_clock_t table = clock.table();
    const TemporaryDirectory place;
    Engine engine({{"disk_path", place.at("store")},
                   {"disk_limit", "16MiB"},
                   {"disk_admission", admission},
                   {"disk_compression", "0"},
                   {"memory", "64MiB"},
                   {"page_limit", "60"}},
                  nullptr, &table);
    Space space(engine, geometry);
    std::mt19937_64 random(7);
    std::vector<Tokens> conversations;
    for (int i = 0; i < 40; ++i) conversations.push_back(random_tokens(random, 8 * 16));
    Worn worn;
    const auto use = [&](const Tokens& tokens, int32_t hint) {
      clock.advance(500'000'000);
      size_t reused = 0;
      {
        Session session(space);
        reused = session.match(tokens);
        EXPECT_EQ("", session.check());
        session.add(Tokens(tokens.begin() + static_cast<ptrdiff_t>(reused), tokens.end()));
        EXPECT_STATUS(KVC_OK, kvc_session_hint(session, hint), session);
      }
      while (engine.stats().disk_waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
      return reused;
    };
    for (int round = 0; round < n; ++round) {
      for (const Tokens& tokens : conversations) {
        worn.found_tokens += use(tokens, KVC_HINT_NONE);
        use(random_tokens(random, 16 * 16), KVC_HINT_ONE_OFF);
      }
    }
    worn.written = engine.stats().disk_written;
    return worn;
  }
};

TEST_F(AdmissionTest, WhatIsNotExpectedBackDoesNotWearAFullDisk) {
  const Worn always = rounds("always", 5), worth = rounds("worth", 5);
  EXPECT_LT(worth.written, always.written * 7 / 10);
  EXPECT_GE(worth.found_tokens, always.found_tokens);
  EXPECT_GT(worth.found_tokens, 0u);
}

TEST_F(AdmissionTest, ADiskWithRoomTakesAllThatLeavesMemory) {
  const Tokens once = random_tokens(random_, 80);
  Engine engine(options({{"disk_admission", "worth"}}));
  Space space(engine, geometry_);
  visit(space, once);
  while (engine.stats().disk_waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  EXPECT_EQ(0u, engine.stats().disk_written);
  kvc_trim(engine, 0, nullptr);
  while (engine.stats().disk_waiting > 0) std::this_thread::sleep_for(std::chrono::microseconds(50));
  EXPECT_EQ(20u, engine.stats().disk_demoted);
  EXPECT_EQ(80u, found(space, once));
}

TEST_F(AdmissionTest, APersistWritesWhatIsStillInMemory) {
  const Tokens once = random_tokens(random_, 80);
  {
    Engine engine(options({{"disk_admission", "worth"}}));
    Space space(engine, geometry_);
    visit(space, once);
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
  }
  Engine engine(options());
  Space space(engine, geometry_);
  EXPECT_EQ(80u, found(space, once));
}

}  // namespace
}  // namespace kvc_test
