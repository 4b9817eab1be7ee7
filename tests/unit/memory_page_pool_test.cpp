#include "memory/page_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/random.h"

namespace kvc {
namespace {

class PagePoolTest : public testing::Test {
 protected:
  static constexpr uint64_t kLimit = 100'000;
  uint64_t payload() const { return memory_.used(MemoryUse::payload); }
  uint64_t pooled() const { return memory_.used(MemoryUse::pooled); }

  Memory memory_{nullptr, kLimit};
  PagePool pool_{&memory_};
};

TEST_F(PagePoolTest, LargePagesOfWholeBlocksBeginOnABlock) {
  Memory memory(nullptr, 8 << 20);
  PagePool pool(&memory);
  for (const size_t size : {size_t{256} << 10, (size_t{360} << 10) + 4096, size_t{1} << 20}) {
    for (int i = 0; i < 3; ++i) {
      std::byte* page = pool.allocate(size);
      ASSERT_NE(page, nullptr);
      EXPECT_EQ(reinterpret_cast<uintptr_t>(page) % 4096, 0u) << size;
      EXPECT_EQ(memory.used(MemoryUse::payload), size);
      pool.release(page, size);
      pool.trim(UINT64_MAX);
    }
  }
}

TEST_F(PagePoolTest, PagesAreAlignedAndCounted) {
  std::byte* page = pool_.allocate(1000);
  ASSERT_NE(page, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(page) % 64, 0u);
  std::memset(page, 0x5a, 1000);
  EXPECT_EQ(payload(), 1000u);
  EXPECT_EQ(pooled(), 0u);
  pool_.release(page, 1000);
  EXPECT_EQ(payload(), 0u);
  EXPECT_EQ(pooled(), 1000u);
  EXPECT_EQ(memory_.used(), 1000u);
}

TEST_F(PagePoolTest, ReusesFreedPages) {
  std::byte* first = pool_.allocate(1000);
  std::byte* second = pool_.allocate(1000);
  pool_.release(first, 1000);
  pool_.release(second, 1000);
  EXPECT_EQ(pool_.allocate(1000), second);  // the last one freed is the warmest
  EXPECT_EQ(pool_.allocate(1000), first);
  EXPECT_EQ(memory_.used(), 2000u);
  EXPECT_EQ(pooled(), 0u);
  std::memset(first, 1, 1000);
  pool_.release(first, 1000);
  pool_.release(second, 1000);
}

TEST_F(PagePoolTest, DoesNotMixSizes) {
  std::byte* small = pool_.allocate(1000);
  pool_.release(small, 1000);
  std::byte* large = pool_.allocate(1064);
  EXPECT_NE(large, nullptr);
  EXPECT_EQ(payload(), 1064u);
  EXPECT_EQ(pooled(), 1000u);
  pool_.release(large, 1064);
}

TEST_F(PagePoolTest, TrimsOtherSizesUnderPressure) {
  std::vector<std::byte*> small;
  for (int i = 0; i < 90; ++i) small.push_back(pool_.allocate(1000));
  for (std::byte* page : small) pool_.release(page, 1000);
  EXPECT_EQ(pooled(), 90'000u);
  std::byte* large = pool_.allocate(50'000);
  ASSERT_NE(large, nullptr);
  EXPECT_LE(memory_.used(), kLimit);
  EXPECT_EQ(pooled(), 40'000u);
  std::memset(large, 1, 50'000);
  std::byte* larger = pool_.allocate(50'000);
  ASSERT_NE(larger, nullptr);
  EXPECT_EQ(pooled(), 0u);
  EXPECT_EQ(pool_.allocate(64), nullptr);
  pool_.release(large, 50'000);
  pool_.release(larger, 50'000);
}

TEST_F(PagePoolTest, NeverAsksTheReclaimer) {
  static bool asked;
  asked = false;
  memory_.set_reclaim([](void*, size_t) noexcept { return asked = true; }, nullptr);
  std::byte* all = pool_.allocate(kLimit);
  ASSERT_NE(all, nullptr);
  EXPECT_EQ(pool_.allocate(64), nullptr);
  EXPECT_EQ(pool_.allocate(kLimit + 1), nullptr);
  EXPECT_FALSE(asked);
  pool_.release(all, kLimit);
}

TEST_F(PagePoolTest, ImpossibleSizesLoseNothing) {
  pool_.release(pool_.allocate(1000), 1000);
  EXPECT_EQ(pool_.allocate(kLimit + 1), nullptr);
  EXPECT_EQ(payload(), 0u);
  EXPECT_EQ(pooled(), 1000u);
}

TEST_F(PagePoolTest, TrimReturnsWhatItSays) {
  std::vector<std::byte*> pages;
  for (int i = 0; i < 10; ++i) pages.push_back(pool_.allocate(1000));
  for (std::byte* page : pages) pool_.release(page, 1000);
  EXPECT_EQ(pool_.trim(0), 0u);
  EXPECT_EQ(pool_.trim(2500), 3000u);
  EXPECT_EQ(pooled(), 7000u);
  EXPECT_EQ(pool_.trim(std::numeric_limits<uint64_t>::max()), 7000u);
  EXPECT_EQ(pool_.trim(1), 0u);
  EXPECT_EQ(memory_.used(), 0u);
}

TEST_F(PagePoolTest, TooManySizesAreNotKept) {
  std::vector<std::pair<std::byte*, size_t>> pages;
  for (size_t size = 64; size < 64 + 20; ++size) pages.emplace_back(pool_.allocate(size), size);
  for (const auto& [page, size] : pages) pool_.release(page, size);
  EXPECT_EQ(payload(), 0u);
  EXPECT_GT(pooled(), 0u);
  EXPECT_EQ(memory_.used(), pooled());
  // Lists that ran empty serve new sizes.
  pool_.trim(std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(memory_.used(), 0u);
  std::byte* page = pool_.allocate(5000);
  pool_.release(page, 5000);
  EXPECT_EQ(pooled(), 5000u);
  EXPECT_EQ(pool_.allocate(5000), page);
  pool_.release(page, 5000);
}

TEST_F(PagePoolTest, PagesTooSmallForALinkAreReturned) {
  std::byte* page = pool_.allocate(1);
  ASSERT_NE(page, nullptr);
  pool_.release(page, 1);
  EXPECT_EQ(memory_.used(), 0u);
  pool_.release(nullptr, 100);
}

TEST(PagePoolLifeTest, ReturnsEverythingAtItsEnd) {
  Memory memory(nullptr, 100'000);
  {
    PagePool pool(&memory);
    std::byte* a = pool.allocate(1000);
    std::byte* b = pool.allocate(2000);
    pool.release(a, 1000);
    pool.release(b, 2000);
    EXPECT_EQ(memory.used(), 3000u);
  }
  EXPECT_EQ(memory.used(), 0u);
}

TEST(PagePoolThreadsTest, NoPageHasTwoOwners) {
  constexpr uint64_t kLimit = 64 * 1024;
  Memory memory(nullptr, kLimit);
  {
    PagePool pool(&memory);
    std::vector<std::thread> threads;
    std::atomic<bool> damaged{false};
    std::atomic<bool> exceeded{false};
    for (uint64_t seed = 0; seed < 4; ++seed) {
      threads.emplace_back([&, seed] {
        Random random(seed);
        struct Mine {
          std::byte* page;
          size_t size;
        };
        std::vector<Mine> mine;
        const auto mark = static_cast<std::byte>(seed + 1);
        const auto give_back = [&] {
          const Mine last = mine.back();
          mine.pop_back();
          for (size_t i = 0; i < last.size; ++i) {
            if (last.page[i] != mark) damaged = true;
          }
          pool.release(last.page, last.size);
        };
        for (int i = 0; i < 3000; ++i) {
          const uint64_t what = random.next() % 100;
          if (what < 50) {
            const size_t size = 512 << (random.next() % 3);
            std::byte* page = pool.allocate(size);
            if (page != nullptr) {
              std::memset(page, static_cast<int>(mark), size);
              mine.push_back({page, size});
            }
          } else if (what < 98) {
            if (!mine.empty()) give_back();
          } else {
            pool.trim(random.next() % 4096);
          }
          if (memory.used() > kLimit) exceeded = true;
        }
        while (!mine.empty()) give_back();
      });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(damaged);
    EXPECT_FALSE(exceeded);
    EXPECT_EQ(memory.used(MemoryUse::payload), 0u);
    EXPECT_EQ(memory.used(MemoryUse::pooled), memory.used());
  }
  EXPECT_EQ(memory.used(), 0u);
}

}  // namespace
}  // namespace kvc
