#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

namespace kvc {
namespace {

TEST(ClockTest, MachineClockNeverGoesBack) {
  const Clock clock;
  uint64_t last = clock.now_ns();
  EXPECT_GT(last, 0u);
  for (int i = 0; i < 1000; ++i) {
    const uint64_t now = clock.now_ns();
    EXPECT_GE(now, last);
    last = now;
  }
}

TEST(ClockTest, AsksTheCallersTable) {
  uint64_t time = 41;
  kvc_clock_t table{};
  table.struct_size = sizeof table;
  table.user_data = &time;
  table.now_ns = [](void* user_data) { return ++*static_cast<uint64_t*>(user_data); };
  const Clock clock(table);
  EXPECT_EQ(clock.now_ns(), 42u);
  EXPECT_EQ(clock.now_ns(), 43u);
}

class LogTest : public testing::Test {
 protected:
  LogTest() {
    table_.struct_size = sizeof table_;
    table_.user_data = this;
    table_.level = KVC_LOG_WARN;
    table_.log = [](void* user_data, int32_t level, const char* message) {
      static_cast<LogTest*>(user_data)->lines_.emplace_back(level, message);
    };
  }
  kvc_logger_t table_{};
  std::vector<std::pair<int32_t, std::string>> lines_;
};

TEST_F(LogTest, WithoutLoggerNothingHappens) {
  const Log log;
  EXPECT_FALSE(log.wants(KVC_LOG_ERROR));
  log.write(KVC_LOG_ERROR, "nobody reads %d", 1);
}

TEST_F(LogTest, WritesUpToTheLevel) {
  const Log log(table_);
  EXPECT_TRUE(log.wants(KVC_LOG_ERROR));
  EXPECT_TRUE(log.wants(KVC_LOG_WARN));
  EXPECT_FALSE(log.wants(KVC_LOG_INFO));
  log.write(KVC_LOG_WARN, "%s=%d", "pages", 3);
  log.write(KVC_LOG_INFO, "not wanted");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].first, KVC_LOG_WARN);
  EXPECT_EQ(lines_[0].second, "pages=3");
}

TEST_F(LogTest, ShortensLongLines) {
  const Log log(table_);
  log.write(KVC_LOG_ERROR, "%s", std::string(1023, 'a').c_str());
  log.write(KVC_LOG_ERROR, "%s", std::string(1024, 'a').c_str());
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].second, std::string(1023, 'a'));
  EXPECT_EQ(lines_[1].second, std::string(1020, 'a') + "...");
}

TEST_F(LogTest, DoesNotCutCharactersInHalf) {
  const Log log(table_);
  for (size_t before = 0; before < 4; ++before) {
    std::string text(before, 'a');
    while (text.size() < 2000) text += "\xf0\x9f\x98\x80";  // four bytes
    log.write(KVC_LOG_ERROR, "%s", text.c_str());
    const std::string& line = lines_.back().second;
    ASSERT_GT(line.size(), 1000u);
    EXPECT_EQ((line.size() - 3 - before) % 4, 0u);
    EXPECT_EQ(line.substr(0, line.size() - 3), text.substr(0, line.size() - 3));
    EXPECT_EQ(line.substr(line.size() - 3), "...");
  }
}

// The sequence is part of what a seed promises: the same numbers on every machine.
TEST(RandomTest, IsSplitMix64) {
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(RandomTest, UnitIsBelowOne) {
  Random random(3);
  double sum = 0;
  for (int i = 0; i < 10'000; ++i) {
    const double unit = random.unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    sum += unit;
  }
  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace kvc
