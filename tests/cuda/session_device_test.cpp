// Sessions on devices, through the cache, on the fake driver: rows that were appended on a device or on the host, read
// on either, under a device budget of a few pages, on several streams; every schedule looked at for races.
#include "session_rig.h"

namespace kvc_cuda {
namespace {

TEST_F(SessionDeviceTest, ReadsOnADeviceWhatWasAppendedOnTheHost) {
  start(14);
  append_here(0, 14);
  expect_on_device(bench(), *session, tokens, 0, 14, bench().on(0));
  expect_on_device(bench(), *session, tokens, 3, 7, bench().on(1));
  const kvc::DeviceStats stats = bench().stats();
  EXPECT_EQ(stats.promoted, 3u) << "three whole pages";
  EXPECT_GT(stats.hits, 0u);
  EXPECT_EQ(stats.devices, 1u);
  EXPECT_EQ(stats.pages, 3u);
  // Another session that begins alike finds the copies.
  auto other = matching(12);
  expect_on_device(bench(), *other, tokens, 0, 12, bench().on(2));
  EXPECT_EQ(bench().stats().promoted, 3u);
}

TEST_F(SessionDeviceTest, ReadsOnTheHostWhatWasAppendedOnADevice) {
  start(14);
  append_there(0, 9, 0);
  append_there(9, 5, 1);
  expect_on_device(bench(), *session, tokens, 0, 14, bench().on(2));
  expect_on_host(*session, tokens, 0, 14);
  ASSERT_OK(session->commit({}));
  session.reset();
  // What the device wrote was sealed, and stays in host memory.
  auto other = matching(14);
  expect_on_host(*other, tokens, 0, 14);
  EXPECT_EQ(bench().cache->stats().device.in_bytes, 0u) << "nothing had to go there: it was there";
}

TEST_F(SessionDeviceTest, CommitWaitsForNothing) {
  start(8);
  // The caller's stream stands still: it waits for work that has not begun.
  append_there(0, 8, 0);
  EXPECT_EQ(session->info().length, 8u);
  fake_synchronize();
  const std::vector<int32_t> more = counting(1, 9);
  ASSERT_OK(append_on_device(bench(), *session, more, 8, 1, bench().on(0)));
  ASSERT_OK(session->commit(std::span(more).subspan(8)));
  EXPECT_EQ(session->info().pages, 2u) << "sealed when they had arrived";
  EXPECT_EQ(bench().stats().pages, 2u) << "and found on the device from then on";
}

TEST_F(SessionDeviceTest, CopiesLeaveInTheOrderOfThePolicyAndComeBack) {
  BenchOptions setup;
  setup.device_memory = 3 * shape.bytes();
  start(24, setup);
  append_here(0, 24);
  for (int round = 0; round < 3; ++round) expect_on_device(bench(), *session, tokens, 0, 24, bench().on(round));
  const kvc::DeviceStats stats = bench().stats();
  EXPECT_EQ(stats.pages, 3u);
  EXPECT_LE(stats.bytes, stats.limit);
  EXPECT_GE(stats.demoted, 3u);
  EXPECT_EQ(stats.promoted, stats.demoted + stats.pages);
  expect_on_host(*session, tokens, 0, 24);
}

TEST_F(SessionDeviceTest, SaysWhenADeviceHasNoRoom) {
  BenchOptions setup;
  setup.device_memory = 2 * shape.bytes();
  start(12, setup);
  // An open end holds its places: there is no room for a third.
  const Status status = append_on_device(bench(), *session, tokens, 0, 12, bench().on(0));
  EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
  EXPECT_NE(status.message().find("device_memory"), std::string::npos) << status.message();
  // The session is as it was.
  append_here(0, 12);
  expect_on_host(*session, tokens, 0, 12);
  expect_on_device(bench(), *session, tokens, 0, 12, bench().on(0));
}

TEST_F(SessionDeviceTest, LayersComeOneByOne) {
  start(8);
  append_here(0, 8);
  uint64_t fence = 0;
  ASSERT_OK(session->device_load(0, 1, bench().on(0), &fence));
  EXPECT_EQ(bench().stats().in_bytes, 2 * shape.bytes() / kLayers);
  ASSERT_OK(session->device_load(0, 1, bench().on(0), &fence));
  EXPECT_EQ(bench().stats().in_bytes, 2 * shape.bytes() / kLayers) << "it is there";
  ASSERT_OK(session->device_load(0, kLayers, bench().on(1), &fence));
  EXPECT_EQ(bench().stats().in_bytes, 2 * shape.bytes());
  ASSERT_OK(bench().pages().wait(fence));
  EXPECT_EQ(session->device_load(1, kLayers + 1, bench().on(1), &fence).code(), KVC_E_OUT_OF_RANGE);
  expect_on_device(bench(), *session, tokens, 0, 8, bench().on(2));
  EXPECT_EQ(bench().stats().in_bytes, 2 * shape.bytes());
}

TEST_F(SessionDeviceTest, MemoryThatIsNotPinnedBlocksAndIsRight) {
  BenchOptions setup;
  setup.pinned = 0;
  start(14, setup);
  append_there(0, 14, 0);
  EXPECT_EQ(session->info().pages, 3u) << "commit waited";
  expect_on_host(*session, tokens, 0, 14);
  expect_on_device(bench(), *session, tokens, 0, 14, bench().on(1));
}

TEST_F(SessionDeviceTest, ALostDeviceTakesNothingThatHadArrived) {
  lost = true;
  start(14);
  append_there(0, 8, 0);
  expect_on_host(*session, tokens, 0, 8);
  append_here(8, 2);
  append_there(10, 1, 0);
  fake_touch(bench().streams[0], bench().application->take(256), 256, 1, 1);
  fake_fail_operation(1, 700);
  std::vector<float> row(11 * kHeads * shape.dim);
  const Status status = session->read(0, KVC_KEY, 0, 11, tensor(row, 11));
  ASSERT_EQ(status.code(), KVC_E_DEVICE);
  EXPECT_NE(status.message().find("tokens from 10 on"), std::string::npos) << status.message();
  EXPECT_EQ(session->truncate(11).code(), KVC_E_DEVICE);
  ASSERT_OK(session->truncate(10));
  expect_on_host(*session, tokens, 0, 10);
  EXPECT_EQ(bench().stats().lost, 1u);
  EXPECT_EQ(bench().stats().devices, 0u);
  // Everything else goes on, without the device.
  uint64_t fence = 0;
  EXPECT_EQ(session->device_load(0, 1, bench().on(0), &fence).code(), KVC_E_DEVICE);
  append_here(10, 4);
  session.reset();
  auto other = matching(14);
  expect_on_host(*other, tokens, 0, 14);
}

TEST_F(SessionDeviceTest, ClosingAfterALossKeepsWhatHadArrived) {
  lost = true;
  start(12);
  append_here(0, 6);
  append_there(6, 1, 0);
  fake_touch(bench().streams[0], bench().application->take(256), 256, 1, 1);
  fake_fail_operation(1, 719);
  session.reset();
  auto other = matching(6);
  expect_on_host(*other, tokens, 0, 6);
}

TEST_F(SessionDeviceTest, GoesWhereItsPrefixIs) {
  BenchOptions setup;
  setup.fake.devices = 3;
  start(16, setup);
  ASSERT_EQ(bench().cache->devices()->size(), 3u);
  append_here(0, 16);
  kvc_cuda_t* handle = nullptr;
  ASSERT_OK(session->device(2, &handle));
  EXPECT_EQ(handle, bench().cache->devices()->find(2)->tier().handle());
  uint64_t fence = 0;
  ASSERT_OK(session->device_load(0, kLayers, {fake_stream(2), {}}, &fence));
  ASSERT_OK(bench().cache->devices()->find(2)->wait(fence));
  auto other = bench().open();
  size_t reused = 0;
  ASSERT_OK(other->match(tokens, &reused));
  ASSERT_OK(other->device(-1, &handle));
  EXPECT_EQ(handle, bench().cache->devices()->find(2)->tier().handle());
  auto stranger = bench().open();
  ASSERT_OK(stranger->device(-1, &handle));
  EXPECT_EQ(handle, bench().cache->devices()->find(0)->tier().handle()) << "of equals the first";
  EXPECT_EQ(stranger->device(3, &handle).code(), KVC_E_UNSUPPORTED);
}

TEST_F(SessionDeviceTest, CapturesAreRefusedAndLeftAlone) {
  start(8);
  append_here(0, 8);
  fake_begin_capture(bench().streams[0], 0);
  uint64_t fence = 0;
  EXPECT_EQ(session->device_load(0, 1, bench().on(0), &fence).code(), KVC_E_ORDER);
  EXPECT_EQ(session->device_read(0, KVC_KEY, 0, 8, device_rows(bench().application->take(4096)), bench().on(0), &fence)
                .code(),
            KVC_E_ORDER);
  EXPECT_EQ(fake_end_capture(bench().streams[0]), 0) << "nothing is in the graph, and it is whole";
  expect_on_device(bench(), *session, tokens, 0, 8, bench().on(0));
}

// Everything at once, in every schedule: nothing wrong is read, and no two accesses are without order.
TEST(SessionScheduleTest, ManySchedulesWithoutARace) {
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    BenchOptions setup;
    setup.fake.seed = seed;
    setup.fake.batch = seed % 2 == 0;
    setup.device_memory = (5 + seed % 4) * shape.bytes();
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
            bool appended = false;
            ASSERT_NO_FATAL_FAILURE(append_if_room(bench, *one.session, longer, length, n, there, call, &appended));
            if (appended) one.tokens = longer;
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
    ASSERT_NO_FATAL_FAILURE(expect_clean(seed));
  }
}

}  // namespace
}  // namespace kvc_cuda
