// The disk store as its header promises it.
#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "disk_fixture.h"

namespace kvc {
namespace {

using disk_test::get;
using disk_test::open_store;
using disk_test::TemporaryDirectory;
using disk_test::TestPage;

constexpr uint64_t kMiB = 1 << 20;

class DiskStoreTest : public testing::TestWithParam<StoreOptions::Io> {
 protected:
  void SetUp() override {
    options_.directory = directory_.path() + "/store";
    options_.budget = 8 * kMiB;
    options_.io = GetParam();
    options_.checkpoint_ns = 0;
    if (GetParam() == StoreOptions::Io::uring) {
      std::unique_ptr<DiskStore> probe;
      StoreOptions other = options_;
      other.directory += "-probe";
      if (DiskStore::open(other, &probe).code() == KVC_E_UNSUPPORTED) GTEST_SKIP() << "no io_uring here";
    }
  }

  TemporaryDirectory directory_;
  StoreOptions options_;
};

TEST_P(DiskStoreTest, GivesBackWhatWasPutAlsoAfterReopening) {
  std::vector<TestPage> pages;
  const size_t sizes[] = {1, 100, 4096, 8192, 65536, 100'001};
  for (uint64_t i = 0; i < 36; ++i) pages.emplace_back(i, sizes[i % 6], i % 5 * 17, i % 2 == 0);
  {
    auto store = open_store(options_);
    for (const TestPage& page : pages) {
      EXPECT_FALSE(store->contains(page.id));
      ASSERT_TRUE(store->put(page.put()).is_ok());
      EXPECT_TRUE(store->contains(page.id));
      EXPECT_EQ(get(*store, page), DiskMiss::none);
    }
    EXPECT_EQ(store->stats().pages, pages.size());
  }
  for (int round = 0; round < 3; ++round) {
    auto store = open_store(options_);
    EXPECT_EQ(store->stats().pages_recovered, pages.size());
    EXPECT_EQ(store->stats().cold_reason, "");
    for (const TestPage& page : pages) EXPECT_EQ(get(*store, page), DiskMiss::none);
    pages.emplace_back(1000 + round, 5000);  // appending goes on where it stopped
    ASSERT_TRUE(store->put(pages.back().put()).is_ok());
    EXPECT_LE(store->stats().segments, 4u);
  }
}

TEST_P(DiskStoreTest, ManyThreadsPutAndGet) {
  auto store = open_store(options_);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Random random(seed);
      for (int step = 0; step < 300; ++step) {
        const TestPage page(random.next() % 400, 2000 + random.next() % 2 * 30000);
        const TestPage known(page.id.word() % 2 == 0 ? 1 : 2, 10'000);
        std::vector<std::byte> out(page.payload.size());
        const DiskMiss miss = store->get(page.get(out));
        if (miss == DiskMiss::none && out != page.payload) ++wrong;
        if (miss != DiskMiss::none && miss != DiskMiss::absent && miss != DiskMiss::identity) ++wrong;
        if (!store->put(page.put()).is_ok()) ++wrong;
        if (step % 50 == 0 && !store->persist().is_ok()) ++wrong;
        if (step % 7 == 0) store->erase(page.id);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  // The thread that completed the last one may still be on its way out of it.
  for (int i = 0; i < 10'000 && store->stats().in_flight > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const StoreStats stats = store->stats();
  EXPECT_LE(stats.disk_peak, stats.budget);
  EXPECT_EQ(stats.in_flight, 0u);
  EXPECT_EQ(stats.misses[static_cast<size_t>(DiskMiss::damaged)], 0u);
}

TEST_P(DiskStoreTest, OldPagesMakeRoomAndHitOnesStay) {
  options_.budget = 4 * kMiB;
  auto store = open_store(options_);
  const TestPage hit(1, 20'000);
  ASSERT_TRUE(store->put(hit.put()).is_ok());
  for (uint64_t i = 2; i < 1000; ++i) {
    ASSERT_TRUE(store->put(TestPage(i, 20'000).put()).is_ok());
    if (i % 10 == 0) {
      ASSERT_EQ(get(*store, hit), DiskMiss::none) << i;
    }
  }
  EXPECT_EQ(get(*store, TestPage(2, 20'000)), DiskMiss::absent);
  EXPECT_EQ(get(*store, TestPage(999, 20'000)), DiskMiss::none);
  const StoreStats stats = store->stats();
  EXPECT_GT(stats.pages_evicted, 500u);
  EXPECT_GT(stats.pages_reinserted, 0u);
  EXPECT_LE(stats.disk_peak, stats.budget);
  uint64_t on_disk = 0;
  for (const auto& file : std::filesystem::directory_iterator(options_.directory)) on_disk += file.file_size();
  EXPECT_LE(on_disk, stats.budget);
  EXPECT_LE(static_cast<double>(stats.bytes_written), 1.34 * static_cast<double>(stats.bytes_put));
}

TEST_P(DiskStoreTest, PagesThatAreLikelyToBeUsedStayAroundOnce) {
  options_.budget = 4 * kMiB;
  auto store = open_store(options_);
  // Of every ten pages one is likely to be used again, one is known not to be though it was hit.
  const auto likely = [](uint64_t i) { return i % 10 == 3; };
  const auto useless = [](uint64_t i) { return i % 10 == 7; };
  const auto there = [&](const auto& which, uint64_t first, uint64_t last) {
    double n = 0, of = 0;
    for (uint64_t i = first; i < last; ++i) {
      if (!which(i)) continue;
      ++of;
      n += store->contains(TestPage(i).id) ? 1 : 0;
    }
    return n / of;
  };
  uint64_t put = 0, around = 0;  // pages; pages that the ring holds
  const auto put_until = [&](const auto& done) {
    for (; !done(); ++put) {
      ASSERT_TRUE(store->put(TestPage(put, 20'000).put()).is_ok());
      if (useless(put)) {
        ASSERT_EQ(get(*store, TestPage(put, 20'000)), DiskMiss::none);
        ASSERT_TRUE(store->judge(TestPage(put).id, 0));
      }
      if (likely(put)) {
        ASSERT_TRUE(store->judge(TestPage(put).id, 0.9F));
      }
    }
  };
  put_until([&] { return store->stats().pages_evicted > 0; });
  around = put;
  put_until([&] { return put >= around + around / 2; });
  const auto any = [](uint64_t) { return true; };
  EXPECT_EQ(there(likely, 0, around / 4), 1);
  EXPECT_EQ(there(useless, 0, around / 4), 0);
  EXPECT_LT(there(any, 0, around / 4), 0.2);
  // Nobody used them: the second time they go.
  put_until([&] { return put >= 3 * around; });
  EXPECT_EQ(there(likely, 0, around / 4), 0);
  EXPECT_FALSE(store->judge(TestPage(0).id, 1));
  const StoreStats stats = store->stats();
  EXPECT_LE(static_cast<double>(stats.bytes_written), 1.34 * static_cast<double>(stats.bytes_put));
}

INSTANTIATE_TEST_SUITE_P(Io, DiskStoreTest,
                         testing::Values(StoreOptions::Io::sync, StoreOptions::Io::threads, StoreOptions::Io::uring),
                         [](const auto& test) {
                           return test.param == StoreOptions::Io::sync      ? "sync"
                                  : test.param == StoreOptions::Io::threads ? "threads"
                                                                            : "uring";
                         });

}  // namespace
}  // namespace kvc
