// What leaves the cache, and what must not, seen from inside.
#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/random.h"
#include "../small_space.h"
#include "cache/cache.h"

namespace kvc {
namespace {

constexpr uint32_t kPageTokens = 4;
constexpr uint32_t kLayers = 2;
constexpr uint32_t kDim = 16;

// One float row per (layer, plane, position, token before and at it): what a wrong reuse would get wrong.
float row_value(uint64_t prefix, uint32_t layer, int plane) {
  return static_cast<float>((prefix * 2654435761u + layer * 97 + static_cast<uint64_t>(plane) * 31) % 65521);
}

class CacheTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  void SetUp() override { make(1 << 20); }

  void make(uint64_t limit) {
    space_.reset();
    cache_.reset();
    CacheOptions options;
    options.memory_limit = limit;
    options.policy = GetParam();
    ASSERT_TRUE(Cache::make(options, nullptr, Clock(), Log(), &cache_).is_ok());
    ASSERT_TRUE(
        cache_->open_space(kvc_test::small_space(kLayers, kDim, KVC_F32, kPageTokens), &space_).is_ok());
  }

  std::unique_ptr<Session> open(SessionOptions options = {}) {
    std::unique_ptr<Session> session;
    EXPECT_TRUE(cache_->open_session(space_, std::move(options), &session).is_ok());
    return session;
  }

  static std::vector<uint64_t> prefixes(const std::vector<int32_t>& tokens) {
    std::vector<uint64_t> out;
    uint64_t h = 1469598103934665603u;
    for (int32_t token : tokens) out.push_back(h = (h ^ static_cast<uint64_t>(token)) * 1099511628211u);
    return out;
  }

  static TensorView rows(std::vector<float>* data, size_t n) {
    TensorView view;
    view.data = reinterpret_cast<std::byte*>(data->data());
    view.size = data->size() * sizeof(float);
    view.dtype = DType::f32;
    view.n_dims = 3;
    view.shape[0] = static_cast<int64_t>(n), view.shape[1] = 1, view.shape[2] = kDim;
    view.strides[0] = kDim, view.strides[1] = kDim, view.strides[2] = 1;
    return view;
  }

  // Extends a session to `tokens`, of which it holds a beginning.
  Status extend(Session* session, const std::vector<int32_t>& tokens) {
    const size_t from = session->length();
    const size_t n = tokens.size() - from;
    if (n == 0) return Status::ok();
    const std::vector<uint64_t> prefix = prefixes(tokens);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      std::vector<float> data[2];
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        for (size_t i = 0; i < n; ++i)
          data[plane].insert(data[plane].end(), kDim, row_value(prefix[from + i], layer, plane));
      }
      KVC_RETURN_IF_ERROR(session->append(layer, rows(&data[0], n), rows(&data[1], n), n));
    }
    return session->commit(std::span(tokens).subspan(from));
  }

  void verify(Session* session, const std::vector<int32_t>& tokens) {
    ASSERT_EQ(session->length(), tokens.size());
    std::vector<int32_t> held(tokens.size());
    ASSERT_TRUE(session->tokens(0, held.size(), held.data()).is_ok());
    ASSERT_EQ(held, tokens);
    if (tokens.empty()) return;
    const std::vector<uint64_t> prefix = prefixes(tokens);
    std::vector<float> data(tokens.size() * kDim);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        ASSERT_TRUE(session->read(layer, plane, 0, tokens.size(), rows(&data, tokens.size())).is_ok());
        for (size_t i = 0; i < tokens.size(); ++i) {
          ASSERT_EQ(data[i * kDim], row_value(prefix[i], layer, plane)) << "token " << i;
          ASSERT_EQ(data[i * kDim + kDim - 1], row_value(prefix[i], layer, plane)) << "token " << i;
        }
      }
    }
  }

  static std::vector<int32_t> prompt(int32_t first, size_t n) {
    std::vector<int32_t> tokens(n);
    for (size_t i = 0; i < n; ++i) tokens[i] = first + static_cast<int32_t>(i);
    return tokens;
  }

  size_t stored(const std::vector<int32_t>& tokens) { return cache_->probe(*space_, "", tokens); }

  // The least that makes room: one page.
  void evict_some() {
    const CacheStats stats = cache_->stats();
    cache_->trim(stats.memory_used - stats.memory_pooled - 1);
  }

  std::shared_ptr<const Space> space_;
  std::unique_ptr<Cache> cache_;
};

TEST_P(CacheTest, ParentsStayUntilTheirChildrenAreGone) {
  const auto tokens = prompt(0, 10 * kPageTokens);
  ASSERT_TRUE(extend(open().get(), tokens).is_ok());
  size_t pages = 10;
  // Every step of trimming leaves a beginning of the chain, never a hole.
  while (pages > 0) {
    evict_some();
    const size_t left = cache_->pages(nullptr).size();
    ASSERT_LT(left, pages);
    ASSERT_EQ(stored(tokens), left * kPageTokens);
    pages = left;
  }
}

TEST_P(CacheTest, PagesOfOpenSessionsStay) {
  const auto tokens = prompt(0, 5 * kPageTokens + 2);
  auto session = open();
  ASSERT_TRUE(extend(session.get(), tokens).is_ok());
  cache_->trim(0);
  verify(session.get(), tokens);
  EXPECT_EQ(stored(tokens), 5 * kPageTokens);
  session.reset();
  cache_->trim(0);
  EXPECT_EQ(stored(tokens), 0u);
  const CacheStats stats = cache_->stats();
  EXPECT_EQ(stats.memory_payload, 0u);
  EXPECT_EQ(stats.memory_metadata, 0u);
  EXPECT_EQ(stats.memory_pooled, 0u);
}

TEST_P(CacheTest, ABorrowedPageStays) {
  const auto tokens = prompt(0, 2 * kPageTokens);
  ASSERT_TRUE(extend(open().get(), tokens).is_ok());
  auto borrower = open();
  size_t reused = 0;
  ASSERT_TRUE(borrower->match(std::span(tokens).first(kPageTokens + 3), &reused).is_ok());
  ASSERT_EQ(reused, kPageTokens + 3);
  cache_->trim(0);
  verify(borrower.get(), prompt(0, kPageTokens + 3));
  // It writes into a copy: the shared page keeps its last token.
  auto other = prompt(0, kPageTokens + 3);
  other.push_back(999);
  ASSERT_TRUE(extend(borrower.get(), other).is_ok());
  verify(borrower.get(), other);
  EXPECT_EQ(stored(tokens), 2 * kPageTokens);
}

TEST_P(CacheTest, FinishedSessionsGoFirst) {
  const auto system = prompt(0, 2 * kPageTokens);
  auto a = system, b = system, c = system;
  for (int32_t i = 0; i < 8; ++i) a.push_back(100 + i), b.push_back(200 + i), c.push_back(300 + i);
  // The finished one is the most recent and most used: no policy would choose it by itself.
  for (auto* tokens : {&a, &b, &c}) {
    auto session = open();
    ASSERT_TRUE(extend(session.get(), *tokens).is_ok());
    if (tokens == &c) session->close(KVC_CLOSE_FINISHED, 0);
  }
  for (int i = 0; i < 2; ++i) {
    evict_some();
  }
  EXPECT_EQ(stored(c), system.size());
  EXPECT_EQ(stored(a), a.size());
  EXPECT_EQ(stored(b), b.size());
}

TEST_P(CacheTest, AFinishedSessionThatComesBackIsKeptAgain) {
  const auto a = prompt(100, 2 * kPageTokens), b = prompt(200, 2 * kPageTokens);
  ASSERT_TRUE(extend(open().get(), b).is_ok());
  auto session = open();
  ASSERT_TRUE(extend(session.get(), a).is_ok());
  session->close(KVC_CLOSE_FINISHED, 0);
  size_t reused = 0;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(open()->match(a, &reused).is_ok());
  ASSERT_EQ(reused, a.size());
  for (const PageInfo& page : cache_->pages(nullptr)) {
    if (page.hits > 0) {
      EXPECT_EQ(page.hits, 3u);
    }
  }
  if (GetParam() == "fifo") return;  // looks at neither use nor return
  evict_some();
  EXPECT_EQ(stored(a), a.size());
  EXPECT_LT(stored(b), b.size());
}

TEST_P(CacheTest, IdleSessionsGoBeforeTheirEqualsAndAfterLowerOnes) {
  Memory memory(nullptr, 1 << 20);
  if (make_policy(GetParam(), &memory)->weighs_hints()) GTEST_SKIP() << "learns what the hint is worth";
  const auto idle = prompt(100, kPageTokens), normal = prompt(200, kPageTokens), low = prompt(300, kPageTokens);
  SessionOptions low_options;
  low_options.priority = KVC_PRIORITY_LOW;
  ASSERT_TRUE(extend(open().get(), normal).is_ok());
  ASSERT_TRUE(extend(open(low_options).get(), low).is_ok());
  auto session = open();
  ASSERT_TRUE(extend(session.get(), idle).is_ok());
  session->close(KVC_CLOSE_IDLE, 1000);
  evict_some();
  EXPECT_EQ(stored(low), 0u);
  evict_some();
  EXPECT_EQ(stored(idle), 0u);
  EXPECT_EQ(stored(normal), normal.size());
}

TEST_P(CacheTest, PrivatePagesAreFoundByNobodyAndGoWithTheirSession) {
  const auto shared = prompt(0, kPageTokens);
  ASSERT_TRUE(extend(open().get(), shared).is_ok());
  auto tokens = shared;
  for (int32_t i = 0; i < 9; ++i) tokens.push_back(50 + i);
  SessionOptions options;
  options.publish = false;
  auto session = open(options);
  size_t reused = 0;
  ASSERT_TRUE(session->match(tokens, &reused).is_ok());
  EXPECT_EQ(reused, shared.size());
  ASSERT_TRUE(extend(session.get(), tokens).is_ok());
  std::unique_ptr<Session> fork;
  ASSERT_TRUE(session->fork(&fork).is_ok());
  session.reset();
  verify(fork.get(), tokens);
  EXPECT_EQ(stored(tokens), shared.size());
  fork.reset();
  cache_->trim(0);
  EXPECT_EQ(cache_->stats().memory_metadata, 0u);
}

TEST_P(CacheTest, AClosedSessionLeavesItsUnfinishedPage) {
  const auto tokens = prompt(0, 2 * kPageTokens + 3);
  ASSERT_TRUE(extend(open().get(), tokens).is_ok());
  EXPECT_EQ(stored(tokens), tokens.size());
  auto session = open();
  size_t reused = 0;
  ASSERT_TRUE(session->match(tokens, &reused).is_ok());
  ASSERT_EQ(reused, tokens.size());
  verify(session.get(), tokens);
  // Going on from it makes the whole page, and the short one goes first.
  auto longer = tokens;
  longer.push_back(7);
  longer.push_back(8);
  ASSERT_TRUE(extend(session.get(), longer).is_ok());
  session.reset();
  EXPECT_EQ(cache_->stats().pages, 5u);  // two whole ones, the short one, the one it became, the new short one
  EXPECT_EQ(stored(longer), longer.size());
  evict_some();
  EXPECT_EQ(cache_->stats().pages, 4u);
  EXPECT_EQ(stored(longer), longer.size());
  // The same end again, or a beginning of it, is stored once.
  ASSERT_TRUE(extend(open().get(), longer).is_ok());
  ASSERT_TRUE(extend(open().get(), tokens).is_ok());
  EXPECT_EQ(cache_->stats().pages, 4u);
}

TEST_P(CacheTest, FinishedAndPrivateSessionsLeaveNoUnfinishedPage) {
  const auto tokens = prompt(0, kPageTokens + 2);
  auto session = open();
  ASSERT_TRUE(extend(session.get(), tokens).is_ok());
  session->close(KVC_CLOSE_FINISHED, 0);
  EXPECT_EQ(stored(tokens), kPageTokens);
  SessionOptions options;
  options.publish = false;
  ASSERT_TRUE(extend(open(options).get(), tokens).is_ok());
  EXPECT_EQ(stored(tokens), kPageTokens);
}

TEST_P(CacheTest, PinnedPagesStayUntilUnpinned) {
  const auto tokens = prompt(0, 3 * kPageTokens);
  auto session = open();
  ASSERT_TRUE(extend(session.get(), tokens).is_ok());
  ASSERT_TRUE(session->pin(true).is_ok());
  session.reset();
  cache_->trim(0);
  EXPECT_EQ(stored(tokens), tokens.size());
  EXPECT_EQ(cache_->stats().pages_pinned, 3u);
  session = open();
  size_t reused = 0;
  ASSERT_TRUE(session->match(tokens, &reused).is_ok());
  ASSERT_TRUE(session->pin(false).is_ok());
  session.reset();
  EXPECT_EQ(cache_->stats().pages_pinned, 0u);
  cache_->trim(0);
  EXPECT_EQ(stored(tokens), 0u);
}

TEST_P(CacheTest, CollectionKeepsBelowTheThreshold) {
  make(256 << 10);
  for (int32_t i = 0; i < 400; ++i) {
    ASSERT_TRUE(extend(open().get(), prompt(i * 1000, 3 * kPageTokens)).is_ok());
    const CacheStats stats = cache_->stats();
    ASSERT_LE(stats.memory_used, stats.memory_limit);
    ASSERT_LE(static_cast<double>(stats.memory_used - stats.memory_pooled),
              0.8 * static_cast<double>(stats.memory_limit));
  }
  EXPECT_GT(cache_->stats().pages_evicted, 0u);
}

TEST_P(CacheTest, WhenNothingCanGoTheSessionStaysAsItWas) {
  make(64 << 10);
  const auto tokens = prompt(0, 4 * kPageTokens);
  auto session = open();
  ASSERT_TRUE(extend(session.get(), tokens).is_ok());
  auto more = prompt(0, 1000 * kPageTokens);
  const Status status = extend(session.get(), more);
  EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
  ASSERT_TRUE(session->truncate(tokens.size()).is_ok());
  verify(session.get(), tokens);
  more.resize(6 * kPageTokens + 1);
  ASSERT_TRUE(extend(session.get(), more).is_ok());
  verify(session.get(), more);
}

TEST_P(CacheTest, RandomOperationsFromThreadsNeverShowWrongRows) {
  make(192 << 10);
  const auto work = [&](uint64_t seed) {
    Random random(seed);
    std::vector<std::pair<std::unique_ptr<Session>, std::vector<int32_t>>> sessions;
    for (int step = 0; step < 1500; ++step) {
      if (sessions.size() < 3 || random.next() % 8 == 0) {
        auto session = open();
        // Few different tokens: prefixes meet all the time.
        std::vector<int32_t> tokens(random.next() % 30);
        for (int32_t& token : tokens) token = static_cast<int32_t>(random.next() % 2);
        size_t reused = 0;
        ASSERT_TRUE(session->match(tokens, &reused).is_ok());
        tokens.resize(reused);
        sessions.emplace_back(std::move(session), tokens);
      }
      const size_t i = random.next() % sessions.size();
      auto& [session, tokens] = sessions[i];
      switch (random.next() % 6) {
        case 0:
        case 1: {
          auto longer = tokens;
          for (size_t n = random.next() % 10; n > 0; --n) longer.push_back(static_cast<int32_t>(random.next() % 2));
          if (extend(session.get(), longer).is_ok()) {
            tokens = longer;
          } else {
            ASSERT_TRUE(session->truncate(tokens.size()).is_ok());
          }
          break;
        }
        case 2:
          tokens.resize(random.next() % (tokens.size() + 1));
          ASSERT_TRUE(session->truncate(tokens.size()).is_ok());
          break;
        case 3: {
          std::unique_ptr<Session> fork;
          ASSERT_TRUE(session->fork(&fork).is_ok());
          auto copy = tokens;
          sessions.emplace_back(std::move(fork), std::move(copy));
          break;
        }
        case 4:
          session->close(static_cast<int32_t>(random.next() % 3), 0);
          sessions.erase(sessions.begin() + static_cast<ptrdiff_t>(i));
          break;
        default:
          if (random.next() % 50 == 0) cache_->trim(random.next() % 100000);
          if (random.next() % 50 == 0) (void)cache_->pages(nullptr);
      }
      if (sessions.size() > 6) sessions.erase(sessions.begin());
      for (auto& [s, t] : sessions) ASSERT_NO_FATAL_FAILURE(verify(s.get(), t));
      ASSERT_LE(cache_->stats().memory_used, uint64_t{192} << 10);
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 1; seed <= 3; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  cache_->trim(0);
  EXPECT_EQ(cache_->stats().memory_payload, 0u);
  EXPECT_EQ(cache_->stats().memory_metadata, 0u);
}

INSTANTIATE_TEST_SUITE_P(Policies, CacheTest, ::testing::ValuesIn(policy_names().begin(), policy_names().end()),
                         [](const auto& param) { return std::string(param.param); });

}  // namespace
}  // namespace kvc
