// Which pieces of memory are copied together, by which engine, in which launches.
#include <gtest/gtest.h>

#include "copy_plan.h"

namespace kvc_cuda {
namespace {

TEST(CopyPlanTest, PutsNeighboursTogether) {
  const std::vector<CopyRun> runs = coalesce({{100, 10, 10}, {110, 20, 5}, {115, 26, 5}, {0, 0, 0}, {120, 31, 5}});
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].bytes, 15u);
  EXPECT_EQ(runs[1].to, 115u);
  EXPECT_EQ(runs[1].bytes, 10u);
}

TEST(CopyPlanTest, ChoosesByLengthNumberAndDirection) {
  CopyTable table;
  EXPECT_EQ(table.choose(Direction::to_device, 4096, 500), Engine::processors);
  EXPECT_EQ(table.choose(Direction::to_device, 4096, 1), Engine::copy_engine);
  EXPECT_EQ(table.choose(Direction::to_device, 1 << 20, 500), Engine::copy_engine);
  EXPECT_EQ(table.choose(Direction::to_host, 4096, 500), Engine::copy_engine);
  EXPECT_FALSE(table.is_measured());
  table.set(Direction::to_device, 1, 2, 1.0, 0.95);  // hardly faster: not worth the processors
  EXPECT_EQ(table.choose(Direction::to_device, 4096, 128), Engine::copy_engine);
  table.set(Direction::to_host, 1, 2, 1.0, 0.5);
  EXPECT_EQ(table.choose(Direction::to_host, 5000, 100), Engine::processors);
  EXPECT_TRUE(table.is_measured());
}

TEST(CopyPlanTest, LaunchesHoldEveryByteOnce) {
  std::vector<CopyRun> runs;
  for (uint64_t i = 0; i < 300; ++i) runs.push_back({i << 30, i << 40, 1 + i * 1000});
  runs.push_back({1ull << 45, 1ull << 46, 40ull << 30});
  uint64_t bytes = 0, expected = 0;
  for (const CopyRun& run : runs) expected += run.bytes;
  for (const CopyArgs& launch : copy_launches(runs)) {
    ASSERT_LE(launch.runs, kCopyRuns);
    uint32_t chunks = 0;
    for (uint32_t i = 0; i < launch.runs; ++i) {
      ASSERT_EQ(launch.first_chunk[i], chunks);
      chunks += static_cast<uint32_t>((launch.run[i].bytes + kCopyChunk - 1) / kCopyChunk);
      bytes += launch.run[i].bytes;
    }
    ASSERT_EQ(launch.chunks, chunks);
  }
  EXPECT_EQ(bytes, expected);
}

}  // namespace
}  // namespace kvc_cuda
