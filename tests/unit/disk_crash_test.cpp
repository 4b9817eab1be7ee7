// Power cuts and failing system calls, on a simulated disk: no wrong page, no page lost that was called durable.
#include <cstdlib>

#include <fstream>
#include <set>

#include "disk_fixture.h"
#include "disk_simulated.h"
#include "tier/disk/format.h"

namespace kvc {
namespace {

using disk_test::get;
using disk_test::open_store;
using disk_test::SimulatedDisk;
using disk_test::TemporaryDirectory;
using disk_test::TestPage;

// Sweeps are longer with KVC_TEST_LONG, shorter in sanitized builds.
uint64_t scaled(uint64_t n) {
  if (std::getenv("KVC_TEST_LONG") != nullptr) return n * 20;
  return std::getenv("KVC_TEST_QUICK") != nullptr ? n / 20 : n;
}

const TestPage& page_of(uint64_t number) {
  static std::vector<std::unique_ptr<TestPage>> pages(400);  // made once: the sweeps look at them all the time
  auto& page = pages[number];
  if (!page) page = std::make_unique<TestPage>(number, 500 + number % 7 * 1500, number % 5, number % 2 == 0);
  return *page;
}

StoreOptions tiny(SimulatedDisk* disk) {
  StoreOptions options;
  options.directory = "/store";
  options.budget = StoreOptions::kMinBudget;
  options.segment_bytes = 64 << 10;
  options.io = StoreOptions::Io::sync;
  options.vfs = disk;
  options.checkpoint_ns = 0;
  return options;
}

// Opens what a cut left, and checks it against what must be there.
void check_after_cut(std::unique_ptr<SimulatedDisk> disk, const std::set<uint64_t>& durable, uint64_t newest,
                     const std::vector<std::byte>& key) {
  StoreOptions options = tiny(disk.get());
  options.key = key;
  auto store = open_store(options);
  ASSERT_TRUE(store);
  ASSERT_EQ(store->stats().cold_reason, "");
  for (const uint64_t number : durable) ASSERT_EQ(get(*store, page_of(number)), DiskMiss::none) << number;
  for (uint64_t number = newest > 24 ? newest - 24 : 0; number <= newest; ++number) get(*store, page_of(number));
  ASSERT_TRUE(store->put(page_of(300).put()).is_ok());  // it goes on working
  ASSERT_EQ(get(*store, page_of(300)), DiskMiss::none);
}

void power_cuts(uint64_t cuts, const std::vector<std::byte>& key) {
  Random random(42 + key.size());
  uint64_t done = 0, durable_checked = 0;
  while (done < cuts) {
    auto disk = std::make_unique<SimulatedDisk>();
    StoreOptions options = tiny(disk.get());
    options.key = key;
    auto store = open_store(options);
    std::set<uint64_t> durable;
    uint64_t newest = 0;
    for (int step = 0; step < 60 && done < cuts; ++step) {
      switch (random.next() % 8) {
        case 0: {
          std::set<uint64_t> present;
          for (uint64_t n = newest > 60 ? newest - 60 : 0; n <= newest; ++n) {
            if (store->contains(page_of(n).id)) present.insert(n);
          }
          ASSERT_TRUE(store->persist().is_ok());
          durable = present;
          break;
        }
        case 1:
          get(*store, page_of(random.next() % (newest + 1)));
          break;
        case 2: {
          const uint64_t n = random.next() % (newest + 1);
          store->erase(page_of(n).id);
          break;
        }
        case 3:
          store.reset();
          options.vfs = disk.get();
          store = open_store(options);
          break;
        default:
          ASSERT_TRUE(store->put(page_of(++newest).put()).is_ok());
      }
      std::erase_if(durable, [&](uint64_t n) { return !store->contains(page_of(n).id); });
      for (int i = 0; i < 8; ++i, ++done) {
        durable_checked += durable.size();
        check_after_cut(disk->cut(&random), durable, newest, key);
        if (testing::Test::HasFailure()) return;
      }
      ASSERT_LE(disk->room() + SimulatedDisk::kBlock, options.budget);
    }
  }
  EXPECT_GT(durable_checked, cuts);
}

TEST(DiskCrashTest, APowerCutLosesNothingDurableAndNothingComesBackWrong) { power_cuts(scaled(90'000), {}); }

TEST(DiskCrashTest, APowerCutOfAnEncryptedStore) {
  power_cuts(scaled(10'000), std::vector<std::byte>(32, std::byte{9}));
}

// What a session with the store does; pages that were called durable are added.
void scenario(SimulatedDisk* disk, std::set<uint64_t>* durable) {
  std::unique_ptr<DiskStore> store;
  if (!DiskStore::open(tiny(disk), &store).is_ok()) return;
  for (uint64_t n = 1; n <= 40; ++n) {
    const Status status = store->put(page_of(n).put());
    EXPECT_EQ(status.is_ok(), status.message().empty());
    get(*store, page_of(n / 2));
    if (n % 9 == 0) {
      std::set<uint64_t> present;
      for (uint64_t m = 1; m <= n; ++m) {
        if (store->contains(page_of(m).id)) present.insert(m);
      }
      if (store->persist().is_ok()) *durable = present;
    }
    if (n % 11 == 0) store->erase(page_of(n - 1).id);
    if (n == 20) (void)store->put_blob("settings", std::as_bytes(std::span("abc", 3)));
  }
  VerifyReport report;
  (void)store->verify(nullptr, &report);
  (void)store->compact(nullptr);
  std::erase_if(*durable, [&](uint64_t n) { return !store->contains(page_of(n).id); });
}

TEST(DiskCrashTest, EveryCallMayFailOnceOrFromThenOn) {
  using Call = SimulatedDisk::Call;
  const bool quick = std::getenv("KVC_TEST_QUICK") != nullptr;
  uint64_t injected = 0;
  for (const int code : {-EIO, -ENOSPC, -EINTR, 512, 100}) {  // positive: short transfers
    for (const bool for_ever : {false, true}) {
      if (for_ever && code == -EINTR) continue;  // that would be no interruption
      for (uint64_t nth = 1;; nth += quick ? 7 : 1) {
        SimulatedDisk disk;
        uint64_t calls = 0;
        bool hit = false;
        disk.fault = [&](Call call) {
          const bool transfer = call == Call::read || call == Call::write;
          if (code > 0 && !transfer) return 0;
          ++calls;
          if (for_ever ? calls < nth : calls != nth) return 0;
          hit = true;
          return code;
        };
        std::set<uint64_t> durable;
        scenario(&disk, &durable);
        if (!hit) break;
        ++injected;
        // The fault is gone: the store opens, and what it gives is right. What was durable and not given up is there.
        disk.fault = nullptr;
        Random random(nth);
        auto after = disk.cut(&random);
        std::unique_ptr<DiskStore> store;
        const Status status = DiskStore::open(tiny(after.get()), &store);
        ASSERT_TRUE(status.is_ok()) << status.message();
        for (uint64_t n = 1; n <= 40; ++n) {
          const DiskMiss miss = get(*store, page_of(n));
          ASSERT_TRUE(miss == DiskMiss::none || !durable.contains(n))
              << "page " << n << " was durable; fault " << code << " at call " << nth << (for_ever ? " and on" : "");
        }
        if (HasFailure()) return;
      }
    }
  }
  EXPECT_GT(injected, quick ? 100u : 1000u);
}

TEST(DiskCrashTest, ASegmentThatDoesNotSyncIsRetiredForGood) {
  SimulatedDisk disk;
  bool failing = false;
  disk.fault = [&](SimulatedDisk::Call call) { return failing && call == SimulatedDisk::Call::sync ? -EIO : 0; };
  auto store = open_store(tiny(&disk));
  for (uint64_t n = 1; n < 5; ++n) ASSERT_TRUE(store->put(page_of(n).put()).is_ok());
  failing = true;
  EXPECT_EQ(store->persist().code(), KVC_E_IO);
  failing = false;
  EXPECT_GT(store->stats().segments_retired, 0u);
  for (uint64_t n = 1; n < 5; ++n) EXPECT_EQ(get(*store, page_of(n)), DiskMiss::absent);
  EXPECT_TRUE(store->persist().is_ok());
  for (uint64_t n = 1; n < 5; ++n) ASSERT_TRUE(store->put(page_of(n).put()).is_ok());
  EXPECT_TRUE(store->persist().is_ok());
  Random random(1);
  auto after = disk.cut(&random);
  auto again = open_store(tiny(after.get()));
  for (uint64_t n = 1; n < 5; ++n) EXPECT_EQ(get(*again, page_of(n)), DiskMiss::none);
}

TEST(DiskReopenTest, ASegmentIsFilledWhateverTheNumberOfOpenings) {
  const TemporaryDirectory directory;
  StoreOptions options;
  options.directory = directory.path() + "/store";
  options.budget = 4 << 20;
  options.segment_bytes = 1 << 20;
  constexpr uint64_t kOpenings = 60;  // two pages each: less than half a segment
  for (uint64_t n = 0; n < kOpenings; ++n) {
    auto store = open_store(options);
    ASSERT_TRUE(store->put(page_of(2 * n).put()).is_ok());
    ASSERT_TRUE(store->put(page_of(2 * n + 1).put()).is_ok());
  }
  auto store = open_store(options);
  for (uint64_t n = 0; n < 2 * kOpenings; ++n) ASSERT_EQ(get(*store, page_of(n)), DiskMiss::none) << n;
  EXPECT_LE(store->stats().segments, 2u);
}

// Leaves only the beginning of the record of `id`, as a write does that a kill interrupts.
void halve_record(const std::string& segment, const PageId& id) {
  std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
  disk::RecordHeader header;
  for (uint64_t block = 1;; ++block) {
    file.seekg(static_cast<std::streamoff>(block * disk::kBlock));
    ASSERT_TRUE(file.read(reinterpret_cast<char*>(&header), sizeof header));
    if (header.magic == disk::kRecordMagic && header.descriptor.id == id) {
      ASSERT_GT(header.descriptor.blocks, 1u);
      const std::string nothing((header.descriptor.blocks - 1) * disk::kBlock, '\0');
      file.seekp(static_cast<std::streamoff>((block + 1) * disk::kBlock));
      ASSERT_TRUE(file.write(nothing.data(), static_cast<std::streamsize>(nothing.size())));
      return;
    }
  }
}

class DiskKillTest : public testing::TestWithParam<bool> {};  // encrypted

TEST_P(DiskKillTest, WhatWasHalfWrittenOrErasedIsGoneAndNotDamaged) {
  const TemporaryDirectory directory;
  const std::vector<std::byte> key(GetParam() ? 32 : 0, std::byte{5});
  StoreOptions options;
  options.directory = directory.path() + "/store";
  options.budget = 4 << 20;
  options.segment_bytes = 1 << 20;
  options.io = StoreOptions::Io::sync;
  options.key = key;
  const auto page = [](uint64_t n) { return TestPage(n, 9000); };
  {
    auto store = open_store(options);
    for (uint64_t n = 0; n < 40; ++n) ASSERT_TRUE(store->put(page(n).put()).is_ok());
  }
  auto store = open_store(options);  // its table on disk is right, and has all 40
  ASSERT_TRUE(store->erase(page(35).id));
  for (uint64_t n = 50; n < 53; ++n) ASSERT_TRUE(store->put(page(n).put()).is_ok());
  // The process ends here; of record 51 half is there.
  StoreOptions after = options;
  after.directory = directory.path() + "/after";
  std::filesystem::copy(options.directory, after.directory, std::filesystem::copy_options::recursive);
  halve_record(after.directory + "/seg-00000", page(51).id);
  for (const bool read_only : {true, false, true}) {
    after.read_only = read_only;
    auto again = open_store(after);
    ASSERT_TRUE(again);
    VerifyReport report;
    ASSERT_TRUE(again->verify(nullptr, &report).is_ok());
    EXPECT_EQ(report.damaged, 0u);
    EXPECT_EQ(report.pages, 41u);
    for (uint64_t n = 0; n < 53; ++n) {
      const bool there = (n < 40 && n != 35) || n == 50 || n == 52;
      EXPECT_EQ(get(*again, page(n)), there ? DiskMiss::none : DiskMiss::absent) << n;
    }
  }
  // A record that the table has was whole: to lose half of it is damage.
  halve_record(after.directory + "/seg-00000", page(20).id);
  auto again = open_store(after);
  VerifyReport report;
  ASSERT_TRUE(again->verify(nullptr, &report).is_ok());
  EXPECT_EQ(report.damaged, 1u);
}

INSTANTIATE_TEST_SUITE_P(Stores, DiskKillTest, testing::Bool());

}  // namespace
}  // namespace kvc
