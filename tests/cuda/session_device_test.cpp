// Sessions on devices, through the cache, on the fake driver: rows that were appended on a device or on the host, read
// on either, under a device budget of a few pages, on several streams; every schedule looked at for races.
#include "cache/session_device.h"

#include <cmath>

#include "../small_space.h"
#include "base/random.h"
#include "codec/codec.h"
#include "tier_rig.h"

namespace kvc_cuda {
namespace {

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

constexpr uint32_t kPageTokens = 4, kLayers = 2, kHeads = 2, kDim = 16;
constexpr size_t kPageBytes = kPageTokens * kLayers * 2 * kHeads * kDim * sizeof(float);

struct BenchOptions {
  uint64_t device_memory = 6 * kPageBytes, pinned = 1 << 20;
  uint64_t memory = 1 << 20;
  const char* codec = "identity";
  uint32_t window = 0;
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
    options.devices = fake_devices(setup.device_memory, setup.pinned);
    set = options.devices;
    const Status made = Cache::make(options, nullptr, kvc::Clock(), kvc::Log(), &cache);
    EXPECT_TRUE(made.is_ok()) << made.message();
    kvc_space_desc_t desc = kvc_test::small_space(kLayers, kDim, KVC_F32, kPageTokens);
    desc.n_kv_heads = kHeads;
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
        for (uint32_t d = 0; d < kDim; ++d) out.push_back(value(prefix, layer, plane, head, d));
    }
    return out;
  }
};

TensorView tensor(std::vector<float>& data, size_t n) {
  TensorView view;
  view.data = reinterpret_cast<std::byte*>(data.data());
  view.size = data.size() * sizeof(float);
  view.dtype = kvc::DType::f32;
  view.n_dims = 3;
  view.shape[0] = static_cast<int64_t>(n), view.shape[1] = kHeads, view.shape[2] = kDim;
  view.strides[0] = kHeads * kDim, view.strides[1] = kDim, view.strides[2] = 1;
  return view;
}

DeviceRows device_rows(uint64_t at) { return {at, kHeads * kDim * sizeof(float), kDim * sizeof(float)}; }

Status append_on_device(Bench& bench, Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n,
                        const DeviceCall& call) {
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

Status append_on_host(Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    std::vector<float> k = Content::rows(tokens, from, n, layer, KVC_KEY),
                       v = Content::rows(tokens, from, n, layer, KVC_VALUE);
    KVC_RETURN_IF_ERROR(session.append(layer, tensor(k, n), tensor(v, n), n));
  }
  return Status::ok();
}

void expect_on_device(Bench& bench, Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n,
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

void expect_on_host(Session& session, const std::vector<int32_t>& tokens, size_t from, size_t n) {
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const std::vector<float> expected = Content::rows(tokens, from, n, layer, plane);
      std::vector<float> got(expected.size());
      ASSERT_OK(session.read(layer, plane, from, n, tensor(got, n)));
      ASSERT_EQ(got, expected) << "layer " << layer << " plane " << plane;
    }
  }
}

std::vector<int32_t> counting(int32_t from, size_t n) {
  std::vector<int32_t> tokens(n);
  for (size_t i = 0; i < n; ++i) tokens[i] = from + static_cast<int32_t>(i);
  return tokens;
}

void expect_clean(uint64_t seed = 0) {
  ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
  ASSERT_EQ(fake_violations(), 0u) << "seed " << seed << ": " << fake_first_violation();
  ASSERT_EQ(fake_live(), 0u) << "seed " << seed;
}

TEST(SessionDeviceTest, ReadsOnADeviceWhatWasAppendedOnTheHost) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 14);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 14));
    ASSERT_OK(session->commit(tokens));
    expect_on_device(bench, *session, tokens, 0, 14, bench.on(0));
    expect_on_device(bench, *session, tokens, 3, 7, bench.on(1));
    const kvc::DeviceStats stats = bench.stats();
    EXPECT_EQ(stats.promoted, 3u) << "three whole pages";
    EXPECT_GT(stats.hits, 0u);
    EXPECT_EQ(stats.devices, 1u);
    EXPECT_EQ(stats.pages, 3u);
    // Another session that begins alike finds the copies.
    auto other = bench.open();
    size_t reused = 0;
    ASSERT_OK(other->match(tokens, &reused));
    expect_on_device(bench, *other, tokens, 0, 12, bench.on(2));
    EXPECT_EQ(bench.stats().promoted, 3u);
  }
  expect_clean();
}

TEST(SessionDeviceTest, ReadsOnTheHostWhatWasAppendedOnADevice) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 14);
    auto session = bench.open();
    ASSERT_OK(append_on_device(bench, *session, tokens, 0, 9, bench.on(0)));
    ASSERT_OK(session->commit(std::span(tokens).first(9)));
    ASSERT_OK(append_on_device(bench, *session, tokens, 9, 5, bench.on(1)));
    ASSERT_OK(session->commit(std::span(tokens).subspan(9)));
    expect_on_device(bench, *session, tokens, 0, 14, bench.on(2));
    expect_on_host(*session, tokens, 0, 14);
    ASSERT_OK(session->commit({}));
    session.reset();
    // What the device wrote was sealed, and stays in host memory.
    auto other = bench.open();
    size_t reused = 0;
    ASSERT_OK(other->match(tokens, &reused));
    EXPECT_EQ(reused, 14u);
    expect_on_host(*other, tokens, 0, 14);
    EXPECT_EQ(bench.cache->stats().device.in_bytes, 0u) << "nothing had to go there: it was there";
  }
  expect_clean();
}

TEST(SessionDeviceTest, CommitWaitsForNothing) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 8);
    auto session = bench.open();
    // The caller's stream stands still: it waits for work that has not begun.
    ASSERT_OK(append_on_device(bench, *session, tokens, 0, 8, bench.on(0)));
    ASSERT_OK(session->commit(tokens));
    EXPECT_EQ(session->info().length, 8u);
    fake_synchronize();
    const std::vector<int32_t> more = counting(1, 9);
    ASSERT_OK(append_on_device(bench, *session, more, 8, 1, bench.on(0)));
    ASSERT_OK(session->commit(std::span(more).subspan(8)));
    EXPECT_EQ(session->info().pages, 2u) << "sealed when they had arrived";
    EXPECT_EQ(bench.stats().pages, 2u) << "and found on the device from then on";
  }
  expect_clean();
}

TEST(SessionDeviceTest, CopiesLeaveInTheOrderOfThePolicyAndComeBack) {
  {
    BenchOptions setup;
    setup.device_memory = 3 * kPageBytes;
    Bench bench(setup);
    const std::vector<int32_t> tokens = counting(1, 24);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 24));
    ASSERT_OK(session->commit(tokens));
    for (int round = 0; round < 3; ++round) expect_on_device(bench, *session, tokens, 0, 24, bench.on(round));
    const kvc::DeviceStats stats = bench.stats();
    EXPECT_EQ(stats.pages, 3u);
    EXPECT_LE(stats.bytes, stats.limit);
    EXPECT_GE(stats.demoted, 3u);
    EXPECT_EQ(stats.promoted, stats.demoted + stats.pages);
    expect_on_host(*session, tokens, 0, 24);
  }
  expect_clean();
}

TEST(SessionDeviceTest, SaysWhenADeviceHasNoRoom) {
  {
    BenchOptions setup;
    setup.device_memory = 2 * kPageBytes;
    Bench bench(setup);
    const std::vector<int32_t> tokens = counting(1, 12);
    auto session = bench.open();
    // An open end holds its places: there is no room for a third.
    const Status status = append_on_device(bench, *session, tokens, 0, 12, bench.on(0));
    EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
    EXPECT_NE(status.message().find("device_memory"), std::string::npos) << status.message();
    // The session is as it was.
    ASSERT_OK(append_on_host(*session, tokens, 0, 12));
    ASSERT_OK(session->commit(tokens));
    expect_on_host(*session, tokens, 0, 12);
    expect_on_device(bench, *session, tokens, 0, 12, bench.on(0));
  }
  expect_clean();
}

TEST(SessionDeviceTest, LayersComeOneByOne) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 8);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 8));
    ASSERT_OK(session->commit(tokens));
    uint64_t fence = 0;
    ASSERT_OK(session->device_load(0, 1, bench.on(0), &fence));
    EXPECT_EQ(bench.stats().in_bytes, 2 * kPageBytes / kLayers);
    ASSERT_OK(session->device_load(0, 1, bench.on(0), &fence));
    EXPECT_EQ(bench.stats().in_bytes, 2 * kPageBytes / kLayers) << "it is there";
    ASSERT_OK(session->device_load(0, kLayers, bench.on(1), &fence));
    EXPECT_EQ(bench.stats().in_bytes, 2 * kPageBytes);
    ASSERT_OK(bench.pages().wait(fence));
    EXPECT_EQ(session->device_load(1, kLayers + 1, bench.on(1), &fence).code(), KVC_E_OUT_OF_RANGE);
    expect_on_device(bench, *session, tokens, 0, 8, bench.on(2));
    EXPECT_EQ(bench.stats().in_bytes, 2 * kPageBytes);
  }
  expect_clean();
}

TEST(SessionDeviceTest, EveryCodecIsServed) {
  for (const kvc::Codec* codec : kvc::codecs()) {
    SCOPED_TRACE(std::string(codec->name()));
    BenchOptions setup;
    setup.codec = std::string_view(codec->name()).data();
    setup.device_memory = 64 * kPageBytes;
    {
      Bench bench(setup);
      const std::vector<int32_t> tokens = counting(1, 20);
      auto session = bench.open();
      ASSERT_OK(append_on_host(*session, tokens, 0, 20));
      ASSERT_OK(session->commit(tokens));
      // What the host decodes, bit for bit.
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          std::vector<float> expected(20 * kHeads * kDim);
          ASSERT_OK(session->read(layer, plane, 0, 20, tensor(expected, 20)));
          const uint64_t at = bench.application->take(expected.size() * sizeof(float));
          uint64_t fence = 0;
          ASSERT_OK(session->device_read(layer, plane, 0, 20, device_rows(at), bench.on(layer), &fence));
          ASSERT_OK(bench.pages().wait(fence));
          EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(at), expected.data(), expected.size() * sizeof(float)), 0)
              << "layer " << layer << " plane " << plane;
        }
      }
    }
    expect_clean();
  }
}

TEST(SessionDeviceTest, AttendsAsTheHostDoes) {
  for (const char* codec : {"identity", "int8", "int4"}) {
    SCOPED_TRACE(codec);
    BenchOptions setup;
    setup.codec = codec;
    setup.device_memory = 16 * kPageBytes;
    {
      Bench bench(setup);
      const std::vector<int32_t> tokens = counting(1, 30);
      auto session = bench.open();
      ASSERT_OK(append_on_host(*session, tokens, 0, 23));
      ASSERT_OK(session->commit(std::span(tokens).first(23)));
      ASSERT_OK(append_on_device(bench, *session, tokens, 23, 7, bench.on(0)));
      ASSERT_OK(session->commit(std::span(tokens).subspan(23)));
      constexpr uint32_t kGroup = 2;
      std::vector<float> query(kHeads * kGroup * kDim), expected(query.size());
      Random random(5);
      for (float& x : query) x = static_cast<float>(random.next() % 2000) / 1000.0f - 1;
      DeviceAttend attend;
      attend.query = reinterpret_cast<const void*>(bench.application->put(query.data(), query.size() * sizeof(float)));
      attend.out = reinterpret_cast<void*>(bench.application->take(query.size() * sizeof(float)));
      attend.group = kGroup, attend.splits = 2, attend.layer = 1;
      attend.query_dtype = attend.out_dtype = KVC_F32;
      ASSERT_OK(session->device_attend_bytes(attend, 64, &attend.room_bytes));
      attend.room = bench.application->take(attend.room_bytes);
      uint64_t fence = 0;
      ASSERT_OK(session->device_attend(attend, bench.on(1), &fence));
      ASSERT_OK(bench.pages().wait(fence));
      TensorView q = tensor(query, 1), out = tensor(expected, 1);
      q.shape[1] = out.shape[1] = kHeads * kGroup;
      q.strides[0] = out.strides[0] = kHeads * kGroup * kDim;
      kvc::AttendCall call;
      call.position = 29;
      ASSERT_OK(session->attend(1, call, q, out));
      const auto* got = static_cast<const float*>(attend.out);
      for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-5) << i;
      attend.room_bytes = 16;
      EXPECT_EQ(session->device_attend(attend, bench.on(1), &fence).code(), KVC_E_INVALID);
    }
    expect_clean();
  }
}

TEST(SessionDeviceTest, MemoryThatIsNotPinnedBlocksAndIsRight) {
  {
    BenchOptions setup;
    setup.pinned = 0;
    Bench bench(setup);
    const std::vector<int32_t> tokens = counting(1, 14);
    auto session = bench.open();
    ASSERT_OK(append_on_device(bench, *session, tokens, 0, 14, bench.on(0)));
    ASSERT_OK(session->commit(tokens));
    EXPECT_EQ(session->info().pages, 3u) << "commit waited";
    expect_on_host(*session, tokens, 0, 14);
    expect_on_device(bench, *session, tokens, 0, 14, bench.on(1));
  }
  expect_clean();
}

TEST(SessionDeviceTest, ALostDeviceTakesNothingThatHadArrived) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 14);
    auto session = bench.open();
    ASSERT_OK(append_on_device(bench, *session, tokens, 0, 8, bench.on(0)));
    ASSERT_OK(session->commit(std::span(tokens).first(8)));
    expect_on_host(*session, tokens, 0, 8);
    ASSERT_OK(append_on_host(*session, tokens, 8, 2));
    ASSERT_OK(session->commit(std::span(tokens).subspan(8, 2)));
    ASSERT_OK(append_on_device(bench, *session, tokens, 10, 1, bench.on(0)));
    ASSERT_OK(session->commit(std::span(tokens).subspan(10, 1)));
    fake_touch(bench.streams[0], bench.application->take(256), 256, 1, 1);
    fake_fail_operation(1, 700);
    std::vector<float> row(11 * kHeads * kDim);
    const Status status = session->read(0, KVC_KEY, 0, 11, tensor(row, 11));
    ASSERT_EQ(status.code(), KVC_E_DEVICE);
    EXPECT_NE(status.message().find("tokens from 10 on"), std::string::npos) << status.message();
    EXPECT_EQ(session->truncate(11).code(), KVC_E_DEVICE);
    ASSERT_OK(session->truncate(10));
    expect_on_host(*session, tokens, 0, 10);
    EXPECT_EQ(bench.stats().lost, 1u);
    EXPECT_EQ(bench.stats().devices, 0u);
    // Everything else goes on, without the device.
    uint64_t fence = 0;
    EXPECT_EQ(session->device_load(0, 1, bench.on(0), &fence).code(), KVC_E_DEVICE);
    ASSERT_OK(append_on_host(*session, tokens, 10, 4));
    ASSERT_OK(session->commit(std::span(tokens).subspan(10)));
    session.reset();
    auto other = bench.open();
    size_t reused = 0;
    ASSERT_OK(other->match(tokens, &reused));
    EXPECT_EQ(reused, 14u);
    expect_on_host(*other, tokens, 0, 14);
  }
}

TEST(SessionDeviceTest, ClosingAfterALossKeepsWhatHadArrived) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 12);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 6));
    ASSERT_OK(session->commit(std::span(tokens).first(6)));
    ASSERT_OK(append_on_device(bench, *session, tokens, 6, 1, bench.on(0)));
    ASSERT_OK(session->commit(std::span(tokens).subspan(6, 1)));
    fake_touch(bench.streams[0], bench.application->take(256), 256, 1, 1);
    fake_fail_operation(1, 719);
    session.reset();
    auto other = bench.open();
    size_t reused = 0;
    ASSERT_OK(other->match(tokens, &reused));
    EXPECT_EQ(reused, 6u);
    expect_on_host(*other, tokens, 0, 6);
  }
}

TEST(SessionDeviceTest, GoesWhereItsPrefixIs) {
  {
    BenchOptions setup;
    setup.fake.devices = 3;
    Bench bench(setup);
    ASSERT_EQ(bench.cache->devices()->size(), 3u);
    const std::vector<int32_t> tokens = counting(1, 16);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 16));
    ASSERT_OK(session->commit(tokens));
    kvc_cuda_t* handle = nullptr;
    ASSERT_OK(session->device(2, &handle));
    EXPECT_EQ(handle, bench.cache->devices()->find(2)->tier().handle());
    uint64_t fence = 0;
    ASSERT_OK(session->device_load(0, kLayers, {fake_stream(2), {}}, &fence));
    ASSERT_OK(bench.cache->devices()->find(2)->wait(fence));
    auto other = bench.open();
    size_t reused = 0;
    ASSERT_OK(other->match(tokens, &reused));
    ASSERT_OK(other->device(-1, &handle));
    EXPECT_EQ(handle, bench.cache->devices()->find(2)->tier().handle());
    auto stranger = bench.open();
    ASSERT_OK(stranger->device(-1, &handle));
    EXPECT_EQ(handle, bench.cache->devices()->find(0)->tier().handle()) << "of equals the first";
    EXPECT_EQ(stranger->device(3, &handle).code(), KVC_E_UNSUPPORTED);
  }
  expect_clean();
}

TEST(SessionDeviceTest, CapturesAreRefusedAndLeftAlone) {
  {
    Bench bench({});
    const std::vector<int32_t> tokens = counting(1, 8);
    auto session = bench.open();
    ASSERT_OK(append_on_host(*session, tokens, 0, 8));
    ASSERT_OK(session->commit(tokens));
    fake_begin_capture(bench.streams[0], 0);
    uint64_t fence = 0;
    EXPECT_EQ(session->device_load(0, 1, bench.on(0), &fence).code(), KVC_E_ORDER);
    EXPECT_EQ(
        session->device_read(0, KVC_KEY, 0, 8, device_rows(bench.application->take(4096)), bench.on(0), &fence).code(),
        KVC_E_ORDER);
    EXPECT_EQ(fake_end_capture(bench.streams[0]), 0) << "nothing is in the graph, and it is whole";
    expect_on_device(bench, *session, tokens, 0, 8, bench.on(0));
  }
  expect_clean();
}

// Everything at once, in every schedule: nothing wrong is read, and no two accesses are without order.
TEST(SessionDeviceTest, ManySchedulesWithoutARace) {
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    BenchOptions setup;
    setup.fake.seed = seed;
    setup.fake.batch = seed % 2 == 0;
    setup.device_memory = (5 + seed % 4) * kPageBytes;
    setup.memory = 64 << 10;
    setup.pinned = seed % 8 == 0 ? 0 : 128 << 10;
    {
      Bench bench(setup);
      Random random(seed);
      struct Open {
        std::unique_ptr<Session> session;
        std::vector<int32_t> tokens;
      };
      std::vector<Open> open;
      for (int step = 0; step < 24; ++step) {
        if (open.empty() || (open.size() < 2 && random.next() % 4 == 0)) {
          Open fresh{bench.open(), {}};
          std::vector<int32_t> prompt = counting(1 + static_cast<int32_t>(random.next() % 3), 1 + random.next() % 14);
          size_t reused = 0;
          ASSERT_OK(fresh.session->match(prompt, &reused));
          fresh.tokens.assign(prompt.begin(), prompt.begin() + static_cast<ptrdiff_t>(reused));
          open.push_back(std::move(fresh));
          continue;
        }
        Open& one = open[random.next() % open.size()];
        const size_t length = one.tokens.size();
        const DeviceCall call = bench.on(random.next());
        switch (random.next() % 8) {
          case 0:
          case 1:
          case 2: {
            const size_t n = 1 + random.next() % 5;
            if (length + n > 14) break;
            std::vector<int32_t> longer = one.tokens;
            for (size_t i = 0; i < n; ++i) longer.push_back(longer.empty() ? 1 : longer.back() + 1);
            const bool there = random.next() % 3 != 0;
            const Status status = there ? append_on_device(bench, *one.session, longer, length, n, call)
                                        : append_on_host(*one.session, longer, length, n);
            if (status.code() == KVC_E_NO_MEMORY) {
              ASSERT_OK(one.session->truncate(length));
              break;
            }
            ASSERT_OK(status);
            ASSERT_OK(one.session->commit(std::span(longer).subspan(length)));
            one.tokens = longer;
            break;
          }
          case 3:
          case 4: {
            if (length == 0) break;
            const size_t from = random.next() % length, n = 1 + random.next() % (length - from);
            expect_on_device(bench, *one.session, one.tokens, from, n, call);
            break;
          }
          case 5:
            if (length > 0) expect_on_host(*one.session, one.tokens, 0, length);
            break;
          case 6:
            if (length > 0) {
              const size_t n = random.next() % length;
              ASSERT_OK(one.session->truncate(n));
              one.tokens.resize(n);
            }
            break;
          default: {
            std::unique_ptr<Session> twin;
            if (random.next() % 2 == 0 && one.session->fork(&twin).is_ok()) one.session = std::move(twin);
            one.session->close(KVC_CLOSE_KEEP, 0);
            open.erase(open.begin() + (&one - open.data()));
          }
        }
        if (testing::Test::HasFatalFailure()) FAIL() << "seed " << seed << " step " << step;
      }
      EXPECT_LE(bench.set->tiers[0]->used(), bench.set->tiers[0]->limit());
    }
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << "seed " << seed << ": " << fake_first_violation();
    ASSERT_EQ(fake_live(), 0u) << seed;
  }
}

}  // namespace
}  // namespace kvc_cuda
