// A cache, the built-in model and sessions on it, without the request engine in between.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "cache/cache.h"
#include "model/backend.h"

namespace kvc::test {

using Tokens = std::vector<int32_t>;
using Logits = std::vector<float>;

inline int32_t argmax(const Logits& logits) {
  return static_cast<int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// Sanitized builds do less.
inline bool quick() { return std::getenv("KVC_TEST_QUICK") != nullptr; }

inline Tokens tokens_of(std::string_view text) {
  Tokens tokens{256};
  for (char c : text) tokens.push_back(static_cast<uint8_t>(c));
  return tokens;
}

class BuiltinTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(check(make_builtin_backend(&backend_)));
    cache_ = new_cache(true);
    ASSERT_NE(cache_, nullptr);
  }

  static void check(const Status& status) { ASSERT_TRUE(status.is_ok()) << status.message(); }

  std::unique_ptr<Cache> new_cache(bool reuse, uint64_t limit = 256u << 20) {
    CacheOptions options;
    options.memory_limit = limit;
    options.reuse = reuse;
    std::unique_ptr<Cache> cache;
    check(Cache::make(options, nullptr, Clock(), Log(), &cache));
    return cache;
  }

  std::unique_ptr<Session> open(Cache* cache = nullptr) {
    if (cache == nullptr) cache = cache_.get();
    std::shared_ptr<const Space> space;
    std::unique_ptr<Session> session;
    check(cache->open_space(backend_->space_desc(), &space));
    check(cache->open_session(space, {}, &session));
    return session;
  }

  ForwardItem item(Session* session, std::span<const int32_t> tokens, float* logits) {
    return {1, session, tokens, static_cast<uint32_t>(session->length()), logits};
  }

  // The next tokens of one session, in one call; commits them.
  Logits step(Session* session, std::span<const int32_t> tokens) {
    Logits logits(backend_->info().vocab_size);
    const ForwardItem one = item(session, tokens, logits.data());
    check(backend_->forward({&one, 1}));
    check(session->commit(tokens));
    return logits;
  }

  // The same in chunks; logits of the last one.
  Logits steps(Session* session, std::span<const int32_t> tokens, const std::vector<size_t>& chunks) {
    Logits logits;
    size_t at = 0;
    for (size_t n : chunks) {
      logits = step(session, tokens.subspan(at, n));
      at += n;
    }
    EXPECT_EQ(at, tokens.size());
    return logits;
  }

  // Sizes that sum up to n, some tiny, some large.
  static std::vector<size_t> random_chunks(Random& random, size_t n) {
    std::vector<size_t> chunks;
    while (n > 0) {
      const size_t most = std::min<size_t>(n, size_t{1} << random.next() % 9);
      chunks.push_back(1 + random.next() % most);
      n -= chunks.back();
    }
    return chunks;
  }

  // K and V of everything, as bytes.
  std::vector<std::byte> kv(Session* session) {
    const PageGeometry& g = session->space().geometry();
    const size_t n = session->length();
    std::vector<std::byte> bytes(n * g.n_kv_heads * (g.k_dim + g.v_dim) * 2 * g.n_layers);
    std::byte* at = bytes.data();
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (int plane : {KVC_KEY, KVC_VALUE}) {
        kvc_tensor_t tensor{};
        tensor.struct_size = sizeof tensor;
        tensor.data = at;
        tensor.size = n * g.n_kv_heads * g.dim(plane) * 2;
        tensor.dtype = KVC_F16;
        tensor.n_dims = 3;
        tensor.shape[0] = static_cast<int64_t>(n);
        tensor.shape[1] = g.n_kv_heads;
        tensor.shape[2] = g.dim(plane);
        TensorView view;
        check(view_of(tensor, "kv", &view));
        check(session->read(layer, plane, 0, n, view));
        at += tensor.size;
      }
    }
    return bytes;
  }

  // Greedy continuation.
  Tokens continue_with(Session* session, Logits logits, size_t n) {
    Tokens out;
    while (out.size() < n) {
      out.push_back(argmax(logits));
      logits = step(session, std::span(out).last(1));
    }
    return out;
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace kvc::test
