// A cache with devices on the fake driver, and what an application does with a session there.
#pragma once

#include <cmath>
#include <optional>

#include "../small_space.h"
#include "base/random.h"
#include "cache/session_device.h"
#include "codec/codec.h"
#include "tier_rig.h"

namespace kvc_cuda {

using kvc::BlobRef;
using kvc::Cache;
using kvc::CacheOptions;
using kvc::DeviceAttend;
using kvc::DeviceCall;
using kvc::DeviceRows;
using kvc::Random;
using kvc::Session;
using kvc::SessionOptions;
using kvc::TensorView;

inline constexpr uint32_t kLayers = 2, kHeads = 2;

// Of the pages under test, f32.
struct PageShape {
  uint32_t tokens = 4, dim = 16;
  size_t bytes() const { return size_t{tokens} * kLayers * 2 * kHeads * dim * sizeof(float); }
};
inline PageShape shape;

struct BenchOptions {
  uint64_t device_memory = 6 * shape.bytes(), pinned = 1 << 20;
  uint64_t memory = 1 << 20;
  const char* codec = "identity";
  uint32_t window = 0;
  uint32_t learn = 1024;  // tokens from which codecs learn
  double bound = 0;       // of codec auto
  double keep = 0.5;      // of codec sparse, and whether it brings the others back
  bool restore = true;
  bool turn = false;      // keys turn with their positions (RoPE)
  FakeOptions fake = {};
};

// A cache with devices, and an application.
struct Bench {
  explicit Bench(const BenchOptions& setup) {
    FakeOptions fake = setup.fake;
    fake_reset(&fake);
    CacheOptions options;
    options.memory_limit = setup.memory;
    options.codec = setup.codec;
    options.codec_window = setup.window;
    options.codec_learn = setup.learn;
    options.codec_target.bound = setup.bound;
    options.sparse_keep = setup.keep, options.sparse_restore = setup.restore;
    options.devices = fake_devices(setup.device_memory, setup.pinned);
    set = options.devices;
    const Status made = Cache::make(options, nullptr, kvc::Clock(), kvc::Log(), &cache);
    EXPECT_TRUE(made.is_ok()) << made.message();
    kvc_space_desc_t desc = kvc_test::small_space(kLayers, shape.dim, KVC_F32, shape.tokens);
    desc.n_kv_heads = kHeads;
    kvc_rope_t rope{};
    rope.struct_size = sizeof rope;
    rope.base = 10000, rope.freq_scale = 1, rope.dims = shape.dim, rope.applied = 1;
    if (setup.turn) desc.rope = &rope, desc.none &= ~KVC_NONE_ROPE;
    EXPECT_OK(cache->open_space(desc, &space));
    application = std::make_unique<Application>(4 << 20);
    for (auto& stream : streams) stream = fake_stream(0);
  }
  ~Bench() {
    space.reset();
    cache.reset();
    application.reset();
    set.reset();
  }
  std::unique_ptr<Session> open(SessionOptions options = {}) {
    std::unique_ptr<Session> session;
    EXPECT_OK(cache->open_session(space, std::move(options), &session));
    return session;
  }
  kvc::DevicePages& pages() { return cache->devices()->at(0); }
  kvc::DeviceStats stats() { return cache->devices()->stats(); }
  DeviceCall on(uint64_t n) { return {streams[n % 3], {}}; }

  std::shared_ptr<kvc::DeviceSet> set;
  std::unique_ptr<Cache> cache;
  std::shared_ptr<const kvc::Space> space;
  std::unique_ptr<Application> application;
  abi::Stream streams[3] = {};
};

// What a row holds follows from the tokens up to it: a wrong reuse shows.
struct Content {
  static uint64_t next(uint64_t prefix, int32_t token) {
    return (prefix ^ static_cast<uint64_t>(token)) * 1099511628211u;
  }
  static float value(uint64_t prefix, uint32_t layer, int plane, uint32_t head, uint32_t dim) {
    const uint64_t mixed =
        prefix * 0x9e3779b97f4a7c15u + layer * 97 + static_cast<uint64_t>(plane) * 31 + head * 7 + dim;
    return static_cast<float>((mixed >> 20) % 2001) / 1000.0f - 1.0f;
  }
  // [token][head][dim]
  static std::vector<float> rows(const std::vector<int32_t>& tokens, size_t from, size_t n, uint32_t layer, int plane) {
    std::vector<float> out;
    uint64_t prefix = 1469598103934665603u;
    for (size_t i = 0; i < from + n; ++i) {
      prefix = next(prefix, tokens[i]);
      if (i < from) continue;
      for (uint32_t head = 0; head < kHeads; ++head)
        for (uint32_t d = 0; d < shape.dim; ++d) out.push_back(value(prefix, layer, plane, head, d));
    }
    return out;
  }
};

inline TensorView tensor(std::vector<float>& data, size_t n) {
  TensorView view;
  view.data = reinterpret_cast<std::byte*>(data.data());
  view.size = data.size() * sizeof(float);
  view.dtype = kvc::DType::f32;
  view.n_dims = 3;
  view.shape[0] = static_cast<int64_t>(n), view.shape[1] = kHeads, view.shape[2] = shape.dim;
  view.strides[0] = kHeads * shape.dim, view.strides[1] = shape.dim, view.strides[2] = 1;
  return view;
}

inline DeviceRows device_rows(uint64_t at) {
  const auto row = static_cast<int64_t>(shape.dim * sizeof(float));
  return {at, kHeads * row, row};
}

inline Status append_on_device(Bench& bench, Session& session, const std::vector<int32_t>& tokens, size_t from,
                               size_t n, const DeviceCall& call) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    DeviceRows rows[2];
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const std::vector<float> data = Content::rows(tokens, from, n, layer, plane);
      rows[plane] = device_rows(bench.application->put(data.data(), data.size() * sizeof(float)));
    }
    uint64_t fence = 0;
    KVC_RETURN_IF_ERROR(session.device_append(layer, rows[KVC_KEY], rows[KVC_VALUE], n, call, &fence));
  }
  return Status::ok();
}

inline Status append_on_host(Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    std::vector<float> k = Content::rows(tokens, from, n, layer, KVC_KEY),
                       v = Content::rows(tokens, from, n, layer, KVC_VALUE);
    KVC_RETURN_IF_ERROR(session.append(layer, tensor(k, n), tensor(v, n), n));
  }
  return Status::ok();
}

// Appends tokens [from, from + n), on the device or on the host, and commits them; where there is no room the session stays
// as it was. *appended: whether it took them.
inline void append_if_room(Bench& bench, Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n,
                           bool there, const DeviceCall& call, bool* appended) {
  const Status status = there ? append_on_device(bench, session, tokens, from, n, call)
                              : append_on_host(session, tokens, from, n);
  *appended = status.code() != KVC_E_NO_MEMORY;
  if (!*appended) {
    ASSERT_OK(session.truncate(from));
    return;
  }
  ASSERT_OK(status);
  ASSERT_OK(session.commit(std::span(tokens).subspan(from, n)));
}

inline void expect_on_device(Bench& bench, Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n,
                             const DeviceCall& call, float tolerance = 0) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const std::vector<float> expected = Content::rows(tokens, from, n, layer, plane);
      const uint64_t at = bench.application->take(expected.size() * sizeof(float));
      uint64_t fence = 0;
      ASSERT_OK(session.device_read(layer, plane, from, n, device_rows(at), call, &fence));
      ASSERT_NE(fence, 0u);
      ASSERT_OK(bench.pages().wait(fence));
      const auto* got = reinterpret_cast<const float*>(at);
      for (size_t i = 0; i < expected.size(); ++i) {
        ASSERT_LE(std::abs(got[i] - expected[i]), tolerance)
            << "layer " << layer << " plane " << plane << " number " << i;
      }
    }
  }
}

inline void expect_on_host(Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const std::vector<float> expected = Content::rows(tokens, from, n, layer, plane);
      std::vector<float> got(expected.size());
      ASSERT_OK(session.read(layer, plane, from, n, tensor(got, n)));
      ASSERT_EQ(got, expected) << "layer " << layer << " plane " << plane;
    }
  }
}

inline std::vector<int32_t> counting(int32_t from, size_t n) {
  std::vector<int32_t> tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = from + static_cast<int32_t>(i);
  return tokens;
}

inline void expect_clean(uint64_t seed = 0) {
  ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
  ASSERT_EQ(fake_violations(), 0u) << "seed " << seed << ": " << fake_first_violation();
  ASSERT_EQ(fake_live(), 0u) << "seed " << seed;
}

// A cache with devices, tokens 1, 2, ..., and a session; at the end nothing was without order and nothing is left.
class SessionDeviceTest : public testing::Test {
 protected:
  void start(size_t n, const BenchOptions& setup = {}) {
    end();
    bench_.emplace(setup);
    tokens = counting(1, n);
    session = bench_->open();
  }
  // Tokens [from, from + n), or all.
  void append_there(size_t from, size_t n, uint64_t stream) {
    ASSERT_OK(append_on_device(bench(), *session, tokens, from, n, bench().on(stream)));
    ASSERT_OK(session->commit(std::span(tokens).subspan(from, n)));
  }
  void append_here(size_t from, size_t n) {
    ASSERT_OK(append_on_host(*session, tokens, from, n));
    ASSERT_OK(session->commit(std::span(tokens).subspan(from, n)));
  }
  // A session that finds what the first one left, of which so many tokens.
  std::unique_ptr<Session> matching(size_t expected) {
    auto other = bench().open();
    size_t reused = 0;
    EXPECT_OK(other->match(tokens, &reused));
    EXPECT_EQ(reused, expected);
    return other;
  }
  // What the host decodes of [from, from + n) is on the device, bit for bit.
  void expect_the_hosts_bits(size_t from, size_t n) {
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        std::vector<float> expected(n * kHeads * shape.dim);
        ASSERT_OK(session->read(layer, plane, from, n, tensor(expected, n)));
        const uint64_t at = bench().application->take(expected.size() * sizeof(float));
        uint64_t fence = 0;
        ASSERT_OK(session->device_read(layer, plane, from, n, device_rows(at), bench().on(layer), &fence));
        ASSERT_OK(bench().pages().wait(fence));
        ASSERT_EQ(std::memcmp(reinterpret_cast<const void*>(at), expected.data(), expected.size() * sizeof(float)), 0)
            << "layer " << layer << " plane " << plane;
      }
    }
  }
  void end() {
    session.reset();
    if (!bench_) return;
    bench_.reset();
    if (!lost) expect_clean();
  }
  void TearDown() override { end(); }
  Bench& bench() { return *bench_; }

  std::vector<int32_t> tokens;
  std::unique_ptr<Session> session;
  bool lost = false;  // the device was lost: what was under way has no order

 private:
  std::optional<Bench> bench_;
};

}  // namespace kvc_cuda
