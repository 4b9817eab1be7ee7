// Pages that come from disk layer by layer: what may be read when, that it is always the same bytes, and that nothing which
// was found is taken back.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "../small_space.h"
#include "../temporary_directory.h"
#include "cache/cache.h"
#include "rows.h"
#include "tier/disk/format.h"

namespace kvc {
namespace {

constexpr uint32_t kPageTokens = 16, kLayers = 5, kDim = 32;

class PromotionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.memory_limit = 32 << 20;
    options_.disk.path = directory_.at("store");
    options_.disk.limit = 64 << 20;
    options_.disk.timeout_ns = 60'000'000'000;
    options_.disk.layerwise_bytes = 0;
    options_.disk.promotion_thread = false;  // nothing is decoded but by who reads
    make();
  }
  void TearDown() override {
    space_.reset();
    cache_.reset();
  }
  void make() {
    space_.reset();
    cache_.reset();
    const Status made = Cache::make(options_, nullptr, Clock(), Log(), &cache_);
    ASSERT_TRUE(made.is_ok()) << made.message();
    ASSERT_TRUE(cache_->open_space(kvc_test::small_space(kLayers, kDim, KVC_F32, kPageTokens), &space_).is_ok());
  }
  std::unique_ptr<Session> open() {
    std::unique_ptr<Session> session;
    EXPECT_TRUE(cache_->open_session(space_, {}, &session).is_ok());
    return session;
  }
  std::unique_ptr<Session> matched(const std::vector<int32_t>& tokens, size_t expected) {
    auto session = open();
    size_t reused = 0;
    EXPECT_TRUE(session->match(tokens, &reused).is_ok());
    EXPECT_EQ(expected, reused);
    return session;
  }
  static std::vector<int32_t> prompt(int32_t first, size_t n) {
    std::vector<int32_t> tokens(n);
    for (size_t i = 0; i < n; ++i) tokens[i] = first + static_cast<int32_t>(i);
    return tokens;
  }
  // Numbers that tell token, layer and plane, and that compress.
  static std::vector<float> rows_of(std::span<const int32_t> tokens, uint32_t layer, int plane) {
    std::vector<float> rows(tokens.size() * kDim);
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i] = static_cast<float>(tokens[i / kDim]) + static_cast<float>(layer) * 0.125f +
                static_cast<float>(plane) * 0.0625f + static_cast<float>(i % 4) * 1024;
    }
    return rows;
  }
  static TensorView tensor(std::vector<float>* rows, size_t n) { return kvc_test::rows_view(rows, n, kDim); }
  void append(Session* session, std::span<const int32_t> tokens) {
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      std::vector<float> k = rows_of(tokens, layer, KVC_KEY), v = rows_of(tokens, layer, KVC_VALUE);
      const Status status =
          session->append(layer, tensor(&k, tokens.size()), tensor(&v, tokens.size()), tokens.size());
      ASSERT_TRUE(status.is_ok()) << status.message();
    }
    const Status status = session->commit(tokens);
    ASSERT_TRUE(status.is_ok()) << status.message();
  }
  void store(const std::vector<int32_t>& tokens) { append(open().get(), tokens); }
  void on_disk_alone() {
    const Status status = cache_->disk().persist(UINT64_MAX);
    ASSERT_TRUE(status.is_ok()) << status.message();
    cache_->trim(0);
    ASSERT_EQ(0u, cache_->stats().pages);
  }
  static void expect_layer(Session* session, uint32_t layer, const std::vector<int32_t>& tokens) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      std::vector<float> got(tokens.size() * kDim);
      const Status status = session->read(layer, plane, 0, tokens.size(), tensor(&got, tokens.size()));
      ASSERT_TRUE(status.is_ok()) << status.message();
      ASSERT_EQ(rows_of(tokens, layer, plane), got) << "layer " << layer;
    }
  }
  static void expect_all(Session* session, const std::vector<int32_t>& tokens) {
    for (uint32_t layer = 0; layer < kLayers; ++layer) expect_layer(session, layer, tokens);
  }
  static std::vector<float> attend(Session* session, uint32_t layer) {
    std::vector<float> query(kDim), out(kDim);
    for (uint32_t i = 0; i < kDim; ++i) query[i] = 1e-4f * static_cast<float>(i % 7);
    AttendCall call;
    call.position = session->length() - 1;
    const Status status = session->attend(layer, call, tensor(&query, 1), tensor(&out, 1));
    EXPECT_TRUE(status.is_ok()) << status.message();
    return out;
  }

  // The records of whole pages in the first segment, in the order in which they were written: calls change(file's bytes
  // of the record, header, frames), which may write to them, and keeps what it did.
  using Change = std::function<void(uint32_t page, std::byte* record, const disk::RecordHeader&,
                                    std::vector<disk::Frame>*)>;
  void change_records(const Change& change) {
    space_.reset();
    cache_.reset();
    const std::string name = options_.disk.path + "/seg-00000";
    std::vector<char> bytes(std::min<size_t>(std::filesystem::file_size(name), 1 << 20));  // no test writes more
    std::fstream file(name, std::ios::binary | std::ios::in | std::ios::out);
    ASSERT_TRUE(file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())));
    uint32_t page = 0;
    for (size_t at = disk::kBlock; at + disk::kBlock <= bytes.size(); at += disk::kBlock) {
      auto* record = reinterpret_cast<std::byte*>(bytes.data() + at);
      disk::RecordHeader header;
      std::memcpy(&header, record, sizeof header);
      std::vector<disk::Frame> frames;
      if (header.magic != disk::kRecordMagic || header.descriptor.groups != kLayers) continue;
      ASSERT_TRUE(disk::read_frames(record, header, &frames));
      change(page++, record, header, &frames);
    }
    ASSERT_GT(page, 0u);
    file.seekp(0);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    make();
  }

  kvc_test::TemporaryDirectory directory_;
  CacheOptions options_;
  std::unique_ptr<Cache> cache_;
  std::shared_ptr<const Space> space_;
};

TEST_F(PromotionTest, ALayerIsReadBeforeTheNextIsDecoded) {
  const auto tokens = prompt(1, 10 * kPageTokens);
  store(tokens);
  on_disk_alone();
  const auto session = matched(tokens, tokens.size());
  EXPECT_EQ(0u, session->layers_ready());
  EXPECT_EQ(tokens.size(), cache_->stats().disk.hit_tokens);
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    expect_layer(session.get(), layer, tokens);
    EXPECT_EQ(layer + 1, session->layers_ready());
    // With the last layer pages are whole, and others may have them.
    EXPECT_EQ(layer + 1 < kLayers ? 0u : 10u, cache_->stats().pages);
  }
  expect_all(session.get(), tokens);
  const auto other = matched(tokens, tokens.size());
  EXPECT_EQ(kLayers, other->layers_ready());
  EXPECT_EQ(tokens.size(), cache_->stats().disk.hit_tokens);
  expect_all(other.get(), tokens);
}

TEST_F(PromotionTest, AppendingALayerWaitsForNoOther) {
  const auto tokens = prompt(1, 6 * kPageTokens);
  store(tokens);
  on_disk_alone();
  const auto session = matched(tokens, tokens.size());
  const auto more = prompt(5000, 2 * kPageTokens + 3);
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    expect_layer(session.get(), layer, tokens);
    std::vector<float> k = rows_of(more, layer, KVC_KEY), v = rows_of(more, layer, KVC_VALUE);
    ASSERT_TRUE(session->append(layer, tensor(&k, more.size()), tensor(&v, more.size()), more.size()).is_ok());
    EXPECT_EQ(layer + 1, session->layers_ready());
  }
  ASSERT_TRUE(session->commit(more).is_ok());
  auto all = tokens;
  all.insert(all.end(), more.begin(), more.end());
  expect_all(session.get(), all);
  session->close(KVC_CLOSE_KEEP, 0);
  expect_all(matched(all, all.size()).get(), all);
}

// Every way to use a session, as the first one after the match, with and without a thread that decodes beside it.
TEST_F(PromotionTest, EveryUseSeesTheSameBytes) {
  const auto stored = prompt(1, 7 * kPageTokens + 5);
  const std::vector<int32_t> whole(stored.begin(), stored.begin() + 7 * kPageTokens);
  // Ends inside the last page, and goes on with other tokens.
  auto tokens = std::vector<int32_t>(stored.begin(), stored.end() - 2);
  store(stored);
  std::vector<std::vector<float>> attended;
  {
    const auto session = matched(tokens, tokens.size());
    for (uint32_t layer = 0; layer < kLayers; ++layer) attended.push_back(attend(session.get(), layer));
  }
  const auto use = [&](int how) {
    const auto session = matched(tokens, tokens.size());
    switch (how) {
      case 0: {
        for (uint32_t layer = kLayers; layer-- > 0;) expect_layer(session.get(), layer, tokens);
        break;
      }
      case 1: {
        std::vector<std::vector<float>> k(kLayers), v(kLayers);
        std::vector<TensorView> ks, vs;
        for (uint32_t layer = 0; layer < kLayers; ++layer) {
          k[layer].resize(tokens.size() * kDim);
          v[layer].resize(tokens.size() * kDim);
          ks.push_back(tensor(&k[layer], tokens.size()));
          vs.push_back(tensor(&v[layer], tokens.size()));
        }
        ASSERT_TRUE(session->read_all(0, tokens.size(), ks, vs).is_ok());
        for (uint32_t layer = 0; layer < kLayers; ++layer) {
          ASSERT_EQ(rows_of(tokens, layer, KVC_KEY), k[layer]);
          ASSERT_EQ(rows_of(tokens, layer, KVC_VALUE), v[layer]);
        }
        break;
      }
      case 2:
        for (uint32_t layer = 0; layer < kLayers; ++layer) ASSERT_EQ(attended[layer], attend(session.get(), layer));
        break;
      case 3: {
        PlaneView view;
        const auto rows = rows_of(tokens, 3, KVC_VALUE);
        for (size_t page = 0; page < 8; ++page) {
          ASSERT_TRUE(session->view(3, KVC_VALUE, page, &view).is_ok());
          for (uint32_t t = 0; t < view.tokens; ++t) {
            ASSERT_EQ(0, std::memcmp(view.data + t * view.token_stride, &rows[(page * kPageTokens + t) * kDim],
                                     kDim * sizeof(float)));
          }
        }
        break;
      }
      case 4: {
        ASSERT_TRUE(session->truncate(3 * kPageTokens + 7).is_ok());
        expect_all(session.get(), prompt(1, 3 * kPageTokens + 7));
        break;
      }
      case 5: {
        std::unique_ptr<Session> twin;
        ASSERT_TRUE(session->fork(&twin).is_ok());
        session->close(KVC_CLOSE_KEEP, 0);
        expect_all(twin.get(), tokens);
        break;
      }
      case 6: {
        const auto more = prompt(9000, 40);
        append(session.get(), more);
        auto all = tokens;
        all.insert(all.end(), more.begin(), more.end());
        expect_all(session.get(), all);
        break;
      }
      case 7: {
        size_t reused = 0;
        ASSERT_TRUE(session->match(stored, &reused).is_ok());
        ASSERT_EQ(stored.size(), reused);
        expect_all(session.get(), stored);
        break;
      }
      case 8: {
        ASSERT_TRUE(session->pin(true).is_ok());
        ASSERT_GE(cache_->stats().pages_pinned, 7u);
        expect_all(session.get(), tokens);
        ASSERT_TRUE(session->pin(false).is_ok());
        break;
      }
      case 9: {
        std::vector<int32_t> got(tokens.size());
        ASSERT_TRUE(session->tokens(0, got.size(), got.data()).is_ok());
        ASSERT_EQ(tokens, got);
        ASSERT_EQ(tokens.size(), session->info().length);
        ASSERT_TRUE(session->set_priority(KVC_PRIORITY_HIGH).is_ok());
        expect_all(session.get(), tokens);
        break;
      }
      default: {
        // Another session over the same tokens, at the same time: twins.
        const auto other = matched(whole, whole.size());
        expect_layer(session.get(), 0, tokens);
        expect_all(other.get(), whole);
        expect_all(session.get(), tokens);
        expect_all(other.get(), whole);
        ASSERT_EQ(8u, cache_->stats().pages);
      }
    }
  };
  for (const bool thread : {false, true}) {
    options_.disk.promotion_thread = thread;
    for (int how = 0; how <= 10; ++how) {
      on_disk_alone();
      make();  // as after a restart
      use(how);
      if (how == 6) {  // it wrote a longer page in place of the last one
        space_.reset();
        cache_.reset();
        std::filesystem::remove_all(options_.disk.path);
        make();
        store(stored);
      }
      if (HasFatalFailure()) FAIL() << "use " << how << (thread ? ", with a thread" : "");
    }
  }
}

TEST_F(PromotionTest, DamageInAnyLayerIsAMissBeforeAnythingIsGiven) {
  const auto tokens = prompt(1, 4 * kPageTokens);
  for (const uint32_t page : {0u, 3u}) {
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      store(tokens);
      ASSERT_TRUE(cache_->disk().persist(UINT64_MAX).is_ok());
      change_records([&](uint32_t i, std::byte* record, const disk::RecordHeader& header,
                         std::vector<disk::Frame>* frames) {
        if (i != page) return;
        uint64_t end = header.descriptor.payload_start;
        for (uint32_t l = 0; l <= layer; ++l) end += (*frames)[l].bytes;
        record[end - 1] ^= std::byte{1};
      });
      const std::vector<int32_t> before(tokens.begin(), tokens.begin() + page * kPageTokens);
      auto session = matched(tokens, before.size());
      std::string text;
      EXPECT_EQ(KVC_MISS_DAMAGED, session->miss(&text));
      EXPECT_EQ(1u, cache_->stats().disk.damaged);
      if (page > 0) expect_all(session.get(), before);
      session.reset();
      space_.reset();
      cache_.reset();
      std::filesystem::remove_all(options_.disk.path);
      make();
    }
  }
}

// What no disk does and somebody may: checksums that are right over bytes that are none of ours.
TEST_F(PromotionTest, AFileMadeByHandGivesAnErrorAndThenAMiss) {
  const auto tokens = prompt(1, 4 * kPageTokens), others = prompt(5000, 4 * kPageTokens);
  store(tokens);
  store(others);
  ASSERT_TRUE(cache_->disk().persist(UINT64_MAX).is_ok());
  for (const bool thread : {false, true}) {
    options_.disk.promotion_thread = thread;
    change_records(
        [&](uint32_t i, std::byte* record, const disk::RecordHeader& header, std::vector<disk::Frame>* frames) {
          if (i != 2) return;
          uint64_t at = header.descriptor.payload_start;
          for (uint32_t layer = 0; layer < 3; ++layer) at += (*frames)[layer].bytes;
          disk::Frame& frame = (*frames)[3];
          ASSERT_NE(disk::FrameKind::raw, frame.kind);
          std::memset(record + at, 0x5a, frame.bytes);
          frame.check = disk::checksum(record + at, frame.bytes);
          std::memcpy(record + disk::header_bytes(header.descriptor.n_tokens, 0), frames->data(),
                      frames->size() * sizeof(disk::Frame));
          disk::seal_record_header(record);
        });
    const auto session = matched(tokens, tokens.size());
    for (uint32_t layer = 0; layer < 3; ++layer) {
      if (!thread) expect_layer(session.get(), layer, tokens);
    }
    std::vector<float> got(tokens.size() * kDim);
    for (int again = 0; again < 2; ++again) {
      const Status status = session->read(3, KVC_KEY, 0, tokens.size(), tensor(&got, tokens.size()));
      EXPECT_EQ(KVC_E_CORRUPT, status.code()) << status.message();
      EXPECT_EQ(KVC_E_CORRUPT, session->truncate(0).code());
    }
    EXPECT_EQ(1u, cache_->stats().disk.damaged);
    EXPECT_EQ(0u, cache_->stats().pages);
    // Everybody else goes on, and who asks again is told before a hit is given.
    expect_all(matched(others, others.size()).get(), others);
    const auto again = matched(tokens, 2 * kPageTokens);
    std::string text;
    EXPECT_EQ(KVC_MISS_DAMAGED, again->miss(&text));
    expect_all(again.get(), prompt(1, 2 * kPageTokens));
    session->close(KVC_CLOSE_KEEP, 0);
    again->close(KVC_CLOSE_KEEP, 0);
  }
}

TEST_F(PromotionTest, ASessionThatEndsLetsGoOfWhatIsNotDecoded) {
  const auto tokens = prompt(1, 8 * kPageTokens);
  store(tokens);
  for (const bool thread : {false, true}) {
    options_.disk.promotion_thread = thread;
    on_disk_alone();
    make();
    for (int i = 0; i < 50; ++i) {
      const auto session = matched(tokens, tokens.size());
      if (i % 2 == 1) expect_layer(session.get(), static_cast<uint32_t>(i) % kLayers, tokens);
      session->close(i % 3 == 0 ? KVC_CLOSE_FINISHED : KVC_CLOSE_KEEP, 0);
      cache_->trim(0);
      ASSERT_EQ(0u, cache_->stats().pages);
      ASSERT_EQ(0u, cache_->stats().memory_payload);
    }
  }
}

TEST_F(PromotionTest, APurgedTenantsPagesDoNotComeLater) {
  const auto tokens = prompt(1, 8 * kPageTokens);
  store(tokens);
  on_disk_alone();
  const auto session = matched(tokens, tokens.size());
  EXPECT_EQ(0u, session->layers_ready());
  uint64_t pages = 0;
  EXPECT_EQ(KVC_E_BUSY, cache_->purge("", &pages).code());
  EXPECT_EQ(kLayers, session->layers_ready());
  session->close(KVC_CLOSE_KEEP, 0);
  EXPECT_TRUE(cache_->purge("", &pages).is_ok());
  matched(tokens, 0);
}

TEST_F(PromotionTest, ManyThreadsMatchReadForkAndPersist) {
  options_.disk.promotion_thread = true;
  make();
  const auto tokens = prompt(1, 12 * kPageTokens + 3);
  store(tokens);
  on_disk_alone();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 30; ++i) {
        std::unique_ptr<Session> session, twin;
        if (!cache_->open_session(space_, {}, &session).is_ok()) ++wrong;
        size_t reused = 0;
        if (!session->match(tokens, &reused).is_ok()) ++wrong;
        if (i % 4 == 3 && !session->fork(&twin).is_ok()) ++wrong;
        Session* reader = twin != nullptr ? twin.get() : session.get();
        const std::vector<int32_t> got(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(reused));
        for (uint32_t layer = 0; layer < kLayers && reused > 0; ++layer) {
          std::vector<float> rows(reused * kDim);
          if (!reader->read(layer, KVC_VALUE, 0, reused, tensor(&rows, reused)).is_ok()) ++wrong;
          if (rows != rows_of(got, layer, KVC_VALUE)) ++wrong;
          if (i % 5 == t) break;
        }
        session.reset();
        if (t == 0) cache_->trim(0);
        if (t == 1 && i % 3 == 0 && !cache_->disk().persist(UINT64_MAX).is_ok()) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(0, wrong.load());
  expect_all(matched(tokens, tokens.size()).get(), tokens);
}

}  // namespace
}  // namespace kvc
