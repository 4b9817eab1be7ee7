// Pages of codecs that learn on devices: decoded there as the host reads them, attended to from their codes.
#include "session_coded_rig.h"

namespace kvc_cuda {
namespace {

class SessionKltTest : public SessionCodedTest {
 protected:
  static uint64_t attended() { return fake_launches("kvc_attend_klt") + fake_launches("kvc_attend_klt_mma"); }
  // Values are 1 at most, so within so much of the largest one.
  static constexpr double kByTensorCores = 0x1p-10;
};

// Their pages go to the device as they are, and its kernels decode them.
TEST_F(SessionKltTest, LearnedPagesAreDecodedThere) {
  for (const char* codec : {"klt", "lowrank", "auto"}) {
    SCOPED_TRACE(codec);
    BenchOptions setup;
    setup.codec = codec;
    setup.turn = std::string_view(codec) == "lowrank";
    setup.device_memory = 96 * shape.bytes();
    setup.learn = 64;
    setup.bound = std::string_view(codec) == "auto" ? 0.2 : 0;
    constexpr size_t kTokens = 256;
    start(kTokens, setup);
    for (size_t i = 0; i < kTokens; i += shape.tokens) {
      append_here(i, shape.tokens);
      for (uint64_t query = 0; query < 2 * kLayers * shape.tokens; ++query) show_query(query % kLayers, i + query);
    }
    ASSERT_EQ(bench().cache->calibrations().size(), 1u);
    ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned") << bench().cache->calibrations()[0].why;
    if (setup.bound > 0) {
      EXPECT_GT(bench().cache->stats().pages_checked, 0u);
    }
    // The last ones were made with what was learned.
    expect_the_hosts_bits(kTokens - 8 * shape.tokens, 8 * shape.tokens);
    EXPECT_LT(bench().stats().in_bytes, 6 * shape.bytes()) << "in the clear it would be all of them";
    expect_the_hosts_bits(0, kTokens);
    expect_attention(1, 0x1p-10);
  }
}

// Where the device has no room for what a codec learned, the processor decodes as before.
TEST_F(SessionKltTest, LearnedPagesAreServedWithLittleRoom) {
  BenchOptions setup;
  setup.codec = "klt";
  setup.device_memory = 3 * shape.bytes();
  setup.learn = 64;
  start(160, setup);
  append_here(0, 80);
  append_here(80, 80);
  ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned");
  expect_the_hosts_bits(0, 160);
}

// From the codes, whether keys turn with their positions or not: nothing is decoded to the device's memory.
TEST_F(SessionKltTest, AttentionGoesOverTheCodes) {
  for (const bool turn : {false, true}) {
    SCOPED_TRACE(turn ? "keys turn" : "keys do not turn");
    BenchOptions setup;
    setup.codec = "klt";
    setup.device_memory = 96 * shape.bytes();
    setup.learn = 64;
    setup.turn = turn;
    constexpr size_t kTokens = 253;  // the last page is not full: nothing is encoded there
    start(kTokens, setup);
    append_here(0, 80);
    append_here(80, 163);
    append_there(243, 10, 0);
    ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned");
    expect_attention(0, turn ? kByTensorCores : 5e-6);
    EXPECT_EQ(fake_launches(turn ? "kvc_attend_klt_mma" : "kvc_attend_klt"), 1u);
    EXPECT_EQ(fake_launches("kvc_decode_klt"), 0u);
    const uint64_t used = bench().pages().tier().used(), in = bench().stats().in_bytes;
    expect_attention(0, turn ? kByTensorCores : 5e-6);
    EXPECT_EQ(bench().pages().tier().used(), used);
    EXPECT_EQ(bench().stats().in_bytes, in);
    expect_attention(1, turn ? kByTensorCores : 5e-6);
    EXPECT_EQ(fake_launches("kvc_decode_klt"), 0u);
    // Pages, the calibration, the open end: no table and no page in the clear has a place of its own.
    const uint64_t open = (kTokens + shape.tokens - 1) / shape.tokens - session->info().pages;
    EXPECT_EQ(bench().pages().tier().stats().pages, bench().stats().pages + 1 + open);
    // What is read there is decoded besides.
    expect_the_hosts_bits(0, kTokens);
    EXPECT_GT(fake_launches("kvc_decode_klt"), 0u);
    expect_attention(1, turn ? kByTensorCores : 5e-6);
  }
}

// What a copy remembers is not sent again: later calls ask less of the driver, and no more than each other.
TEST_F(SessionKltTest, ACopyRemembersWhatItsPageIs) {
  BenchOptions setup;
  setup.codec = "klt";
  setup.device_memory = 96 * shape.bytes();
  setup.learn = 64;
  start(240, setup);
  append_here(0, 80);
  append_here(80, 160);
  ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned");
  const DeviceAttend attend = any_attend(1);
  uint64_t calls[3];
  for (uint64_t& each : calls) {
    const uint64_t before = fake_calls();
    uint64_t fence = 0;
    ASSERT_OK(session->device_attend(attend, bench().on(1), &fence));
    each = fake_calls() - before;
    ASSERT_OK(bench().pages().wait(fence));
    ASSERT_NO_FATAL_FAILURE(expect_attended(attend, 5e-6));
  }
  EXPECT_LT(calls[1] + 8, calls[0]) << "a table for each page";
  EXPECT_LE(calls[2], calls[1]);
}

// Every schedule of sessions that append, read and attend on three streams, with room for some of their pages.
TEST_F(SessionKltTest, ManySchedulesWithoutARace) {
  uint64_t over_codes = 0, no_room = 0;
  for (uint64_t seed = 1; seed <= std::max<uint64_t>(schedules() / 12, 8); ++seed) {
    BenchOptions setup;
    setup.fake.seed = seed;
    setup.fake.batch = seed % 2 == 0;
    setup.codec = seed % 3 == 0 ? "lowrank" : "klt";
    setup.turn = seed % 4 < 2;
    setup.learn = 64;
    setup.device_memory = (12 + seed % 7) * shape.bytes();
    setup.pinned = seed % 8 == 0 ? 0 : 128 << 10;
    constexpr size_t kMost = 190;
    start(kMost, setup);
    Random random(seed);
    append_here(0, 80);
    size_t length = 80;
    for (int step = 0; step < 10; ++step) {
      const DeviceCall call = bench().on(random.next());
      uint64_t fence = 0;
      switch (random.next() % 4) {
        case 0: {
          const size_t n = std::min(1 + random.next() % 40, kMost - length);
          if (n == 0) break;
          const bool there = random.next() % 2 == 0;
          bool appended = false;
          ASSERT_NO_FATAL_FAILURE(append_if_room(bench(), *session, tokens, length, n, there, call, &appended));
          length += appended ? n : 0;
          break;
        }
        case 1: {
          const size_t from = random.next() % length, n = 1 + random.next() % std::min<size_t>(length - from, 40);
          const DeviceRows room = device_rows(bench().application->take(n * kHeads * shape.dim * sizeof(float)));
          const Status status = session->device_read(1, KVC_VALUE, from, n, room, call, &fence);
          if (status.code() != KVC_E_NO_MEMORY) ASSERT_OK(status);
          break;
        }
        default: {
          const DeviceAttend attend = any_attend(static_cast<uint32_t>(random.next() % kLayers));
          const uint64_t before = attended();
          const Status status = session->device_attend(attend, call, &fence);
          if (status.code() == KVC_E_NO_MEMORY) {
            ++no_room;
            break;
          }
          ASSERT_OK(status);
          over_codes += attended() - before;
          // Now and then it is still under way when the next call comes.
          if (random.next() % 2 == 0) break;
          ASSERT_OK(bench().pages().wait(fence));
          ASSERT_NO_FATAL_FAILURE(expect_attended(attend, kByTensorCores)) << "seed " << seed << " step " << step;
        }
      }
      EXPECT_LE(bench().set->tiers[0]->used(), bench().set->tiers[0]->limit());
    }
    // The application's memory goes when nothing uses it any more.
    fake_synchronize();
    end();
    if (HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(over_codes, 8u);
}

}  // namespace
}  // namespace kvc_cuda
