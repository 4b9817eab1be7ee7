// What goes wrong around a disk store: damage, a disk that does not answer, limits, a directory or clock that somebody
// changes, a version from the future.
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>

#include "disk_fixture.h"
#include "disk_simulated.h"

namespace kvc {
namespace {

using disk_test::get;
using disk_test::open_store;
using disk_test::SimulatedDisk;
using disk_test::TestPage;

constexpr uint64_t kMiB = 1 << 20;

class DiskTroubleTest : public disk_test::DiskTest {};

TEST_F(DiskTroubleTest, ADamagedPageIsDroppedAndCounted) {
  options_.zstd_level = 0;
  auto store = open_store(options_);
  const TestPage page(1, 9000), other(2, 9000);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  ASSERT_TRUE(store->put(other.put()).is_ok());
  std::fstream file(options_.directory + "/seg-00000", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 + 5000);
  file.put('\x11').put('\x22').put('\x33').flush();
  VerifyReport report;
  ASSERT_TRUE(store->verify(nullptr, &report).is_ok());
  EXPECT_EQ(report.damaged, 1u);
  ASSERT_EQ(report.damaged_ids.size(), 1u);
  EXPECT_EQ(report.damaged_ids[0], page.id);
  EXPECT_EQ(get(*store, page), DiskMiss::absent);
  EXPECT_EQ(get(*store, other), DiskMiss::none);
  EXPECT_GE(misses(*store, DiskMiss::damaged), 1u);
}

// A disk whose reads wait until they are let go.
class FrozenDisk final : public Vfs {
 public:
  int open(const std::string& path, uint32_t flags, std::unique_ptr<VfsFile>* out) override {
    std::unique_ptr<VfsFile> file;
    if (const int status = disk_.open(path, flags, &file); status != 0) return status;
    *out = std::make_unique<File>(this, std::move(file));
    return 0;
  }
  int list(const std::string& directory, std::vector<std::string>* names) override {
    return disk_.list(directory, names);
  }
  int make_directory(const std::string& path) override { return disk_.make_directory(path); }
  int rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  int remove(const std::string& path) override { return disk_.remove(path); }
  int sync_directory(const std::string& path) override { return disk_.sync_directory(path); }
  void freeze(bool frozen) {
    const std::lock_guard lock(mutex_);
    frozen_ = frozen;
    changed_.notify_all();
  }

 private:
  struct File final : VfsFile {
    File(FrozenDisk* d, std::unique_ptr<VfsFile> f) : disk(d), file(std::move(f)) {}
    ssize_t read(const iovec* parts, int n, uint64_t offset) override {
      std::unique_lock lock(disk->mutex_);
      disk->changed_.wait(lock, [&] { return !disk->frozen_; });
      lock.unlock();
      return file->read(parts, n, offset);
    }
    ssize_t write(const iovec* parts, int n, uint64_t offset) override { return file->write(parts, n, offset); }
    int sync() override { return file->sync(); }
    int allocate(uint64_t bytes) override { return file->allocate(bytes); }
    int64_t size() override { return file->size(); }
    uint64_t allocated() override { return file->allocated(); }
    int lock_exclusive() override { return file->lock_exclusive(); }
    FrozenDisk* disk;
    std::unique_ptr<VfsFile> file;
  };
  SimulatedDisk disk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool frozen_ = false;
};

TEST_F(DiskTroubleTest, AFrozenDiskIsAMissAndAGetCanBeCancelled) {
  FrozenDisk disk;
  options_.vfs = &disk;
  options_.io = StoreOptions::Io::threads;
  auto store = open_store(options_);
  const TestPage page(1);
  ASSERT_TRUE(store->put(page.put()).is_ok());
  disk.freeze(true);
  {
    std::vector<std::byte> out(page.payload.size());
    EXPECT_EQ(store->get(page.get(out), 1'000'000), DiskMiss::slow);
  }  // `out` is gone: a late read must not touch it
  std::atomic<int> results{0};
  std::vector<std::byte> out(page.payload.size());
  const uint64_t ticket = store->get(page.get(out), [&](DiskMiss miss) {
    EXPECT_EQ(miss, DiskMiss::cancelled);
    ++results;
  });
  store->cancel(ticket);
  EXPECT_EQ(results, 1);
  store->cancel(ticket);
  store->cancel(12345);
  EXPECT_EQ(results, 1);
  disk.freeze(false);
  EXPECT_EQ(get(*store, page), DiskMiss::none);
  EXPECT_EQ(misses(*store, DiskMiss::slow), 1u);
  EXPECT_EQ(misses(*store, DiskMiss::cancelled), 1u);
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  store->get(page.get(out), [&](DiskMiss miss) {
    EXPECT_EQ(miss, DiskMiss::none);
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return done; });
  EXPECT_EQ(out, page.payload);
}

TEST_F(DiskTroubleTest, LimitsAreChecked) {
  std::unique_ptr<DiskStore> store;
  StoreOptions options = options_;
  options.budget = 1000;
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_OUT_OF_RANGE);
  options = options_;
  options.segment_bytes = 4 * kMiB;
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_OUT_OF_RANGE);
  options = options_;
  options.directory = directory_.path() + "/none";
  options.create = false;
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_NOT_FOUND);
  options.read_only = true;
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_NOT_FOUND);
  options = options_;
  options.directory = "/proc/none/here";
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_IO);
  std::ofstream(directory_.path() + "/file") << "x";
  options.directory = directory_.path() + "/file";
  EXPECT_EQ(DiskStore::open(options, &store).code(), KVC_E_IO);
  Memory memory(nullptr, 3000);  // no room for an index
  options = options_;
  options.memory = &memory;
  auto tight = open_store(options);
  Status status;
  uint64_t stored = 0;
  for (uint64_t n = 0; n < 500 && status.is_ok(); ++n) {
    status = tight->put(TestPage(n, 100).put());
    stored += status.is_ok();
  }
  EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
  EXPECT_GT(stored, 10u);
  EXPECT_EQ(get(*tight, TestPage(1, 100)), DiskMiss::none);
  EXPECT_LE(memory.used(), 3000u);
}

TEST_F(DiskTroubleTest, ALargerBudgetGrowsAndASmallerOneShrinks) {
  for (const uint64_t budget : {8 * kMiB, 16 * kMiB, 4 * kMiB}) {
    options_.budget = budget;
    options_.segment_bytes = 512 << 10;
    auto store = open_store(options_);
    for (uint64_t n = 0; n < 1000; ++n) ASSERT_TRUE(store->put(TestPage(n + budget, 20'000).put()).is_ok());
    EXPECT_LE(store->stats().disk_peak, budget);
    EXPECT_GT(store->stats().disk_bytes, budget * 8 / 10);
  }
}

TEST_F(DiskTroubleTest, ADirectoryRemovedWhileOpenHarmsNobody) {
  auto store = open_store(options_);
  for (uint64_t n = 0; n < 10; ++n) ASSERT_TRUE(store->put(TestPage(n, 20'000).put()).is_ok());
  std::filesystem::remove_all(options_.directory);
  EXPECT_EQ(get(*store, TestPage(3, 20'000)), DiskMiss::none);
  for (uint64_t n = 10; n < 300; ++n) {
    const Status status = store->put(TestPage(n, 20'000).put());
    EXPECT_TRUE(status.is_ok() || status.code() == KVC_E_IO) << status.message();
  }
  EXPECT_FALSE(store->put_blob("settings", {}).is_ok());
}

TEST_F(DiskTroubleTest, ClocksThatJumpChangeNothing) {
  uint64_t time = 1'000'000'000'000;
  const kvc_clock_t table = {sizeof table, &time, [](void* user_data) { return *static_cast<uint64_t*>(user_data); }};
  options_.clock = Clock(table);
  auto store = open_store(options_);
  Random random(1);
  for (uint64_t n = 0; n < 100; ++n) {
    time = random.next();
    ASSERT_TRUE(store->put(TestPage(n).put()).is_ok());
    time = random.next();
    ASSERT_EQ(get(*store, TestPage(n)), DiskMiss::none);
  }
}

TEST_F(DiskTroubleTest, AnUnknownVersionStartsColdAndSaysSo) {
  {
    ASSERT_TRUE(open_store(options_)->put(TestPage(1).put()).is_ok());
  }
  const std::string super = options_.directory + "/store";
  {
    std::fstream file(super, std::ios::in | std::ios::out | std::ios::binary);
    for (const int at : {0, 4096}) {
      file.seekp(at);
      file.put('X');
    }
  }
  StoreOptions reading = options_;
  reading.read_only = true;
  std::unique_ptr<DiskStore> store;
  EXPECT_EQ(DiskStore::open(reading, &store).code(), KVC_E_CORRUPT);
  store = open_store(options_);
  EXPECT_NE(store->stats().cold_reason, "");
  EXPECT_EQ(get(*store, TestPage(1)), DiskMiss::absent);
  ASSERT_TRUE(store->put(TestPage(1).put()).is_ok());
  EXPECT_EQ(get(*store, TestPage(1)), DiskMiss::none);
}

}  // namespace
}  // namespace kvc
