// What goes to disk and comes back, seen from inside: a disk that hangs, that is slow, that fails, that lies.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "../small_space.h"
#include "../temporary_directory.h"
#include "cache/cache.h"
#include "cache/disk_fetch.h"
#include "rows.h"

namespace kvc {
namespace {

constexpr uint32_t kPageTokens = 4;
constexpr uint32_t kLayers = 2;
constexpr uint32_t kDim = 64;

// The machine's files behind gates: while one is shut, reads or writes wait; while they fail, they are refused.
class GateVfs final : public Vfs {
 public:
  void shut_reads(bool shut) { set(&reads_shut_, shut); }
  void shut_writes(bool shut) { set(&writes_shut_, shut); }
  void fail_writes(int code) { write_error_.store(code); }
  void fail_reads(int code) { read_error_.store(code); }
  void flip_reads(bool flip) { flip_.store(flip); }

  int open(const std::string& path, uint32_t flags, std::unique_ptr<VfsFile>* out) override {
    std::unique_ptr<VfsFile> file;
    const int status = posix_vfs().open(path, flags, &file);
    if (status == 0) *out = std::make_unique<File>(this, std::move(file));
    return status;
  }
  int list(const std::string& directory, std::vector<std::string>* names) override {
    return posix_vfs().list(directory, names);
  }
  int make_directory(const std::string& path) override { return posix_vfs().make_directory(path); }
  int rename(const std::string& from, const std::string& to) override { return posix_vfs().rename(from, to); }
  int remove(const std::string& path) override { return posix_vfs().remove(path); }
  int sync_directory(const std::string& path) override { return posix_vfs().sync_directory(path); }

 private:
  class File final : public VfsFile {
   public:
    File(GateVfs* vfs, std::unique_ptr<VfsFile> file) : vfs_(vfs), file_(std::move(file)) {}
    ssize_t read(const iovec* parts, int n, uint64_t offset) override {
      vfs_->pass(&vfs_->reads_shut_);
      if (const int code = vfs_->read_error_.load(); code != 0) return -code;
      const ssize_t got = file_->read(parts, n, offset);
      // A bit of every block.
      if (vfs_->flip_.load() && got > 0) {
        for (int i = 0; i < n; ++i) {
          auto* bytes = static_cast<unsigned char*>(parts[i].iov_base);
          for (size_t at = 100; at < parts[i].iov_len; at += 4096) bytes[at] ^= 1;
        }
      }
      return got;
    }
    ssize_t write(const iovec* parts, int n, uint64_t offset) override {
      vfs_->pass(&vfs_->writes_shut_);
      const int code = vfs_->write_error_.load();
      return code != 0 ? -code : file_->write(parts, n, offset);
    }
    int sync() override { return file_->sync(); }
    int allocate(uint64_t bytes) override { return file_->allocate(bytes); }
    int64_t size() override { return file_->size(); }
    uint64_t allocated() override { return file_->allocated(); }
    int lock_exclusive() override { return file_->lock_exclusive(); }

   private:
    GateVfs* const vfs_;
    const std::unique_ptr<VfsFile> file_;
  };

  void set(bool* gate, bool shut) {
    const std::lock_guard lock(mutex_);
    *gate = shut;
    changed_.notify_all();
  }
  void pass(const bool* gate) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !*gate; });
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool reads_shut_ = false, writes_shut_ = false;
  std::atomic<int> write_error_{0}, read_error_{0};
  std::atomic<bool> flip_{false};
};

// GetParam(): matches get their layers decoded behind them, however small they are.
class CacheDiskTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    make();
  }
  void TearDown() override {
    vfs_.shut_reads(false);
    vfs_.shut_writes(false);
    space_.reset();
    cache_.reset();
  }
  void make(uint64_t memory = 8 << 20) {
    space_.reset();
    cache_.reset();
    CacheOptions options = options_;
    options.memory_limit = memory;
    options.disk.path = directory_.at("store");
    options.disk.limit = 64 << 20;
    options.disk.timeout_ns = timeout_ns_;
    options.disk.vfs = &vfs_;
    if (GetParam()) options.disk.layerwise_bytes = 0;
    const Status made = Cache::make(options, nullptr, Clock(), Log(), &cache_);
    ASSERT_TRUE(made.is_ok()) << made.message();
    ASSERT_TRUE(cache_->open_space(kvc_test::small_space(kLayers, kDim, KVC_F32, page_tokens_), &space_).is_ok());
  }

  static std::vector<int32_t> prompt(int32_t first, size_t n) {
    std::vector<int32_t> tokens(n);
    for (size_t i = 0; i < n; ++i) tokens[i] = first + static_cast<int32_t>(i);
    return tokens;
  }
  std::unique_ptr<Session> open() {
    std::unique_ptr<Session> session;
    EXPECT_TRUE(cache_->open_session(space_, {}, &session).is_ok());
    return session;
  }
  // Every number of a row is its token.
  void store(const std::vector<int32_t>& tokens) {
    const auto session = open();
    std::vector<float> rows(tokens.size() * kDim);
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(tokens[i / kDim]);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const TensorView view = tensor(&rows, tokens.size());
      ASSERT_TRUE(session->append(layer, view, view, tokens.size()).is_ok());
    }
    ASSERT_TRUE(session->commit(tokens).is_ok());
  }
  static TensorView tensor(std::vector<float>* rows, size_t n) { return kvc_test::rows_view(rows, n, kDim); }
  // Tokens that a match finds, with their numbers checked, and why there are no more.
  size_t found(const std::vector<int32_t>& tokens, int32_t* reason = nullptr) {
    const auto session = open();
    size_t reused = 0;
    EXPECT_TRUE(session->match(tokens, &reused).is_ok());
    std::string text;
    if (reason != nullptr) *reason = session->miss(&text);
    std::vector<float> rows(std::max<size_t>(reused, 1) * kDim);
    for (uint32_t layer = 0; layer < kLayers && reused > 0; ++layer) {
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        EXPECT_TRUE(session->read(layer, plane, 0, reused, tensor(&rows, reused)).is_ok());
        for (size_t i = 0; i < reused * kDim; ++i) {
          EXPECT_EQ(static_cast<float>(tokens[i / kDim]), rows[i]);
          if (rows[i] != static_cast<float>(tokens[i / kDim])) return reused;
        }
      }
    }
    return reused;
  }
  void on_disk_alone() {
    const Status status = cache_->disk().persist(UINT64_MAX);
    ASSERT_TRUE(status.is_ok()) << status.message();
    cache_->trim(0);
    ASSERT_EQ(0u, cache_->stats().pages);
  }

  kvc_test::TemporaryDirectory directory_;
  GateVfs vfs_;
  CacheOptions options_;
  uint32_t page_tokens_ = kPageTokens;
  uint64_t timeout_ns_ = 20'000'000'000;  // longer than a busy machine takes
  std::unique_ptr<Cache> cache_;
  std::shared_ptr<const Space> space_;
};

TEST_P(CacheDiskTest, ADiskThatHangsIsAMissAndIsNotWaitedForAgain) {
  const auto tokens = prompt(1, 200);
  store(tokens);
  on_disk_alone();
  timeout_ns_ = 50'000'000;
  make();
  vfs_.shut_reads(true);
  int32_t reason = 0;
  EXPECT_EQ(0u, found(tokens, &reason));
  EXPECT_EQ(KVC_MISS_TIMEOUT, reason);
  EXPECT_EQ(1u, cache_->stats().misses_by_reason[KVC_MISS_TIMEOUT]);
  // While those reads have not come back nobody waits: with an endless time-out this would never end.
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(0u, found(tokens, &reason));
  EXPECT_EQ(KVC_MISS_TIMEOUT, reason);
  EXPECT_EQ(1001u, cache_->stats().disk.timeouts);
  // What is computed in the meantime is used as ever.
  const auto other = prompt(1000, 40);
  store(other);
  EXPECT_EQ(40u, found(other));
  // The disk comes back.
  vfs_.shut_reads(false);
  size_t reused = 0;
  for (int i = 0; i < 2000 && reused < 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    reused = found(tokens);
  }
  EXPECT_EQ(200u, reused);
}

TEST_P(CacheDiskTest, ADiskThatTakesNoWritesStopsNothing) {
  const auto before = prompt(1, 100);
  store(before);
  ASSERT_TRUE(cache_->disk().persist(UINT64_MAX).is_ok());
  vfs_.shut_writes(true);
  // Far more than memory and queue hold.
  for (int32_t i = 0; i < 100; ++i) store(prompt(10'000 * (i + 1), 100));
  const CacheStats stats = cache_->stats();
  EXPECT_LE(stats.memory_peak, stats.memory_limit);
  EXPECT_GT(stats.pages_evicted, 0u);
  EXPECT_GT(stats.disk.dropped, 0u);
  EXPECT_GT(stats.disk.waiting, 0u);
  EXPECT_EQ(KVC_PENDING, cache_->disk().persist(1'000'000).code());
  EXPECT_EQ(100u, found(before));
  EXPECT_EQ(100u, found(prompt(10'000 * 100, 100)));
  // The disk comes back; what waited is written, and what is evicted from now on is demoted.
  vfs_.shut_writes(false);
  on_disk_alone();
  EXPECT_EQ(0u, cache_->stats().disk.waiting);
  EXPECT_EQ(100u, found(prompt(10'000 * 100, 100)));
}

TEST_P(CacheDiskTest, PagesThatFoundTheQueueFullGoToDiskWhenTheyAreEvicted) {
  vfs_.shut_writes(true);
  // Fills the queue, an eighth of the memory, and then some.
  for (int32_t i = 0; i < 20; ++i) store(prompt(10'000 * (i + 1), 100));
  EXPECT_EQ(0u, cache_->stats().pages_evicted);
  vfs_.shut_writes(false);
  while (cache_->stats().disk.waiting > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const uint64_t written = cache_->stats().disk.written;
  EXPECT_LT(written, 20u * 25);
  cache_->trim(1 << 19);
  while (cache_->stats().disk.waiting > 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GT(cache_->stats().disk.demoted, 0u);
  EXPECT_GT(cache_->stats().disk.written, written);
}

TEST_P(CacheDiskTest, WritesThatFailAreCountedAndSaidByPersist) {
  vfs_.fail_writes(28);  // ENOSPC
  const auto tokens = prompt(1, 100);
  store(tokens);
  EXPECT_EQ(KVC_E_IO, cache_->disk().persist(UINT64_MAX).code());
  EXPECT_GT(cache_->stats().disk.errors, 0u);
  EXPECT_EQ(100u, found(tokens));
  vfs_.fail_writes(0);
  // A disk with room again takes what comes next.
  const auto next = prompt(5000, 100);
  store(next);
  (void)cache_->disk().persist(UINT64_MAX);
  cache_->trim(0);
  EXPECT_EQ(100u, found(next));
}

TEST_P(CacheDiskTest, ReadsThatFailAreMissesAndNoFailureOfPersist) {
  const auto tokens = prompt(1, 100);
  store(tokens);
  on_disk_alone();
  vfs_.fail_reads(EIO);
  EXPECT_EQ(0u, found(tokens));
  EXPECT_GT(cache_->stats().disk.errors, 0u);
  vfs_.fail_reads(0);
  const Status persisted = cache_->disk().persist(UINT64_MAX);
  EXPECT_TRUE(persisted.is_ok()) << persisted.message();
  EXPECT_EQ(100u, found(tokens));
}

TEST_P(CacheDiskTest, BytesThatChangedOnTheWayAreAMiss) {
  const auto tokens = prompt(1, 200);
  store(tokens);
  on_disk_alone();
  vfs_.flip_reads(true);
  int32_t reason = 0;
  EXPECT_EQ(0u, found(tokens, &reason));
  EXPECT_EQ(KVC_MISS_DAMAGED, reason);
  EXPECT_GT(cache_->stats().disk.damaged, 0u);
  vfs_.flip_reads(false);
  // Computed again, written again.
  store(tokens);
  on_disk_alone();
  EXPECT_EQ(200u, found(tokens));
}

// What a codec that learns has learned is in the store as well. Without it pages are not there; what is computed instead
// is right, and is kept with what is learned then.
TEST_P(CacheDiskTest, PagesWhoseCalibrationIsLostOrDamagedAreMisses) {
  options_.codec = "klt";
  options_.codec_target.bits = 6;
  options_.codec_window = 0;
  options_.codec_learn = 64;
  page_tokens_ = 64;
  for (const bool lost : {true, false}) {
    make();
    const auto tokens = prompt(1, 6 * 64);
    const auto store_random = [&] {  // numbers that can be learned from
      const auto session = open();
      std::vector<float> rows(tokens.size() * kDim);
      for (size_t i = 0; i < rows.size(); ++i) rows[i] = std::sin(static_cast<float>(i * i % 1009));
      const TensorView view = tensor(&rows, tokens.size());
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        ASSERT_TRUE(session->append(layer, view, view, tokens.size()).is_ok());
      }
      ASSERT_TRUE(session->commit(tokens).is_ok());
    };
    const auto reused = [&] {
      size_t n = 0;
      EXPECT_TRUE(open()->match(tokens, &n).is_ok());
      return n;
    };
    store_random();
    on_disk_alone();
    ASSERT_EQ(tokens.size(), reused());
    // The content alone: the notice that names it stays.
    std::vector<PageDescriptor> found;
    ASSERT_TRUE(cache_->disk().store()->for_each([&](const PageDescriptor& page) {
      if (page.codec == kCalibrationCodec) found.push_back(page);
      return true;
    }).is_ok());
    ASSERT_EQ(2u, found.size());
    const PageDescriptor& content = found[found[0].payload_bytes > found[1].payload_bytes ? 0 : 1];
    if (lost) {
      ASSERT_TRUE(cache_->disk().store()->erase(content.id));
      make();
    } else {
      space_.reset();
      cache_.reset();
      // Every byte of it that is stored anywhere, once.
      vfs_.flip_reads(true);
      make();
      vfs_.flip_reads(false);
    }
    const size_t first = reused();
    EXPECT_LT(first, tokens.size()) << "what came before learning is found at most";
    EXPECT_EQ(0u, first % 64);
    EXPECT_STREQ("learning", cache_->calibrations().at(0).state);
    store_random();
    on_disk_alone();
    EXPECT_EQ(tokens.size(), reused());
    make();
    EXPECT_STREQ("learned", cache_->calibrations().at(0).state);
    EXPECT_EQ(tokens.size(), reused());
    space_.reset();
    cache_.reset();
    std::filesystem::remove_all(directory_.at("store"));
  }
}

// Who ends does not wait for ever: what hangs is finished when the disk answers.
TEST_P(CacheDiskTest, ADiskThatHangsIsNotWaitedForAtTheEnd) {
  constexpr uint64_t kPatience = 100'000'000;
  const auto first = prompt(1, 200), second = prompt(1000, 200);
  store(first);
  on_disk_alone();
  const auto reopened = [&] {  // not before the one that hangs has given the directory back
    for (int i = 0; i < 5000; ++i) {
      CacheOptions options = options_;
      options.memory_limit = 8 << 20;
      options.disk.path = directory_.at("store");
      options.disk.limit = 64 << 20;
      std::unique_ptr<Cache> cache;
      const Status status = Cache::make(options, nullptr, Clock(), Log(), &cache);
      if (status.is_ok()) return true;
      EXPECT_EQ(KVC_E_BUSY, status.code()) << status.message();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  };
  for (const bool reads : {true, false}) {
    make();
    if (reads) {
      timeout_ns_ = 50'000'000;
      make();
      vfs_.shut_reads(true);
      EXPECT_EQ(0u, found(first));
    } else {
      vfs_.shut_writes(true);
      store(second);
    }
    EXPECT_FALSE(cache_->disk().close(kPatience));
    space_.reset();
    Cache::end_later(std::move(cache_), nullptr);
    vfs_.shut_reads(false);
    vfs_.shut_writes(false);
    EXPECT_TRUE(reopened());
    timeout_ns_ = 20'000'000'000;
  }
  make();
  EXPECT_EQ(200u, found(first));
  EXPECT_EQ(200u, found(second)) << "what waited was written after all";
}

TEST_P(CacheDiskTest, AFetchIsLetGoHalfway) {
  const auto tokens = prompt(1, 400);
  store(tokens);
  on_disk_alone();
  vfs_.shut_reads(true);
  {
    const auto fetch = cache_->begin_fetch(space_, "", tokens);
    ASSERT_NE(nullptr, fetch);
    EXPECT_EQ(400u, fetch->stored_tokens());
    EXPECT_FALSE(fetch->advance(0));
  }
  vfs_.shut_reads(false);
  EXPECT_EQ(400u, found(tokens));
  const CacheStats stats = cache_->stats();
  EXPECT_EQ(0u, stats.disk.timeouts);
}

TEST_P(CacheDiskTest, ManyThreadsWriteEvictAndFetch) {
  timeout_ns_ = 10'000'000'000;
  make(2 << 20);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> tokens{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int32_t i = 0; i < 60; ++i) {
        const auto own = prompt(100'000 * (1 + (i * 7 + t * 3) % 20), 90);
        tokens += found(own);
        store(own);
        if (i % 20 == t) (void)cache_->disk().persist(t % 2 == 0 ? 0 : UINT64_MAX);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const CacheStats stats = cache_->stats();
  EXPECT_LE(stats.memory_peak, stats.memory_limit);
  EXPECT_EQ(0u, stats.disk.damaged);
  EXPECT_GT(tokens.load(), 0u);
  EXPECT_GT(stats.disk.hits, 0u);
}

INSTANTIATE_TEST_SUITE_P(Delivery, CacheDiskTest, ::testing::Bool(), [](const auto& info) {
  return info.param ? "LayerByLayer" : "AtOnce";
});

}  // namespace
}  // namespace kvc
