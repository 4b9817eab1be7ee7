// Encoded pages of sessions on devices: read there as the host reads them, attended to, and made there of what was
// appended there.
#include <limits>

#include "session_coded_rig.h"

namespace kvc_cuda {
namespace {

TEST_F(SessionCodedTest, EveryCodecIsServed) {
  for (const kvc::Codec* codec : kvc::codecs()) {
    SCOPED_TRACE(std::string(codec->name()));
    BenchOptions setup;
    setup.codec = std::string_view(codec->name()).data();
    setup.device_memory = 64 * shape.bytes();
    start(70, setup);
    append_here(0, 70);
    expect_the_hosts_bits(0, 70);
    if (codec->name() == "svd") {
      EXPECT_LT(bench().stats().in_bytes, 4 * shape.bytes()) << "as they are encoded";
    }
  }
}

TEST_F(SessionCodedTest, AttendsToWhatTheHostReads) {
  for (const char* codec : {"identity", "int8", "int4", "mixed"}) {
    SCOPED_TRACE(codec);
    BenchOptions setup;
    setup.codec = codec;
    setup.device_memory = 16 * shape.bytes();
    start(110, setup);
    append_here(0, 83);
    append_there(83, 27, 0);
    expect_attention(1);
  }
}

// Full pages are encoded where they were appended: the bytes of the library's encoder arrive, and nothing else does.
TEST_F(SessionCodedTest, FullPagesAreEncodedThere) {
  for (const char* codec : {"int8", "int4", "mixed"}) {
    for (const uint64_t pinned : {uint64_t{1} << 20, uint64_t{0}}) {
      SCOPED_TRACE(std::string(codec) + (pinned > 0 ? ", pinned" : ", not pinned"));
      BenchOptions setup;
      setup.codec = codec;
      setup.device_memory = 32 * shape.bytes();
      setup.pinned = pinned;
      const size_t tokens_each = shape.tokens;
      start(4 * tokens_each + 2, setup);
      std::vector<std::vector<std::byte>> arrived;
      const size_t size = encoded(codec, tokens_each).size(), first = encoded(codec, 0).size();
      ASSERT_LT(size, first) << "the first page has exact tokens";
      on_host_access = [&](const void* at, size_t bytes, int write) {
        const auto* from = static_cast<const std::byte*>(at);
        if ((bytes == size || bytes == first) && write == 0) arrived.emplace_back(from, from + bytes);
      };
      append_there(0, 4 * tokens_each, 0);
      fake_synchronize();
      append_there(4 * tokens_each, 2, 1);
      on_host_access = nullptr;
      EXPECT_EQ(session->info().pages, 4u);
      ASSERT_EQ(arrived.size(), 4u);
      for (size_t page = 0; page < 4; ++page) EXPECT_EQ(arrived[page], encoded(codec, page * tokens_each)) << page;
      EXPECT_EQ(bench().stats().out_bytes, first + 3 * size);
      EXPECT_EQ(bench().cache->stats().pages_encoded, 4u);
      // The device has them as they are: nothing goes back there to be read, decoded or attended to.
      const uint64_t before = bench().stats().in_bytes;
      expect_the_hosts_bits(tokens_each, 3 * tokens_each + 2);
      EXPECT_EQ(bench().stats().in_bytes, before);
      expect_attention(0);
    }
  }
}

// With what was learned from pages before, klt and lowrank encode there too.
TEST_F(SessionCodedTest, FullPagesAreEncodedThereOnceTheirCodecHasLearned) {
  for (const char* codec : {"klt", "lowrank"}) {
    for (const uint64_t pinned : {uint64_t{1} << 20, uint64_t{0}}) {
      SCOPED_TRACE(std::string(codec) + (pinned > 0 ? ", pinned" : ", not pinned"));
      BenchOptions setup;
      setup.codec = codec;
      setup.device_memory = 96 * shape.bytes();
      setup.learn = 64;
      setup.pinned = pinned;
      const size_t each = shape.tokens, learned = 5 * each, all = learned + 4 * each + 2;
      start(all, setup);
      append_there(0, each, 0);
      EXPECT_EQ(bench().stats().out_bytes, pinned > 0 ? shape.bytes() : 0) << "learned from on the processor";
      fake_synchronize();
      append_here(each, learned - each);
      ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned");
      const uint64_t before = bench().stats().out_bytes;
      std::vector<std::vector<std::byte>> arrived;
      on_host_access = [&](const void* at, size_t bytes, int write) {
        const auto* from = static_cast<const std::byte*>(at);
        uint32_t magic = 0;
        std::memcpy(&magic, from, sizeof magic);
        if (write == 0 && bytes > 64 && magic == 0x314b564b) arrived.emplace_back(from, from + bytes);
      };
      append_there(learned, 4 * each, 0);
      fake_synchronize();
      append_there(learned + 4 * each, 2, 1);
      on_host_access = nullptr;
      EXPECT_EQ(session->info().pages, 9u);
      ASSERT_EQ(arrived.size(), 4u);
      const auto calibration = kvc::find_calibration(kvc::find_codec(codec)->calibration_of(arrived[0]));
      ASSERT_NE(calibration, nullptr);
      for (size_t page = 0; page < 4; ++page)
        EXPECT_EQ(arrived[page], encoded(codec, learned + page * each, calibration.get())) << page;
      EXPECT_EQ(bench().stats().out_bytes - before, 4 * arrived[0].size()) << "nothing else was copied";
      const uint64_t in_bytes = bench().stats().in_bytes;
      expect_the_hosts_bits(learned, 4 * each + 2);
      EXPECT_EQ(bench().stats().in_bytes, in_bytes) << "the device has them as it encoded them";
      expect_attention(0);
    }
  }
}

// Codec svd decomposes there: not the library's bytes, but pages that it reads, with the error of its own.
TEST_F(SessionCodedTest, FullPagesAreTruncatedThere) {
  for (const uint64_t pinned : {uint64_t{1} << 20, uint64_t{0}}) {
    SCOPED_TRACE(pinned > 0 ? "pinned" : "not pinned");
    BenchOptions setup;
    setup.codec = "svd";
    setup.device_memory = 32 * shape.bytes();
    setup.pinned = pinned;
    const size_t each = shape.tokens, all = 4 * each + 2;
    start(all, setup);
    append_there(0, 4 * each, 0);
    fake_synchronize();
    append_there(4 * each, 2, 1);
    EXPECT_EQ(session->info().pages, 4u);
    EXPECT_EQ(bench().cache->stats().pages_encoded, 4u);
    EXPECT_LT(bench().stats().out_bytes, 4 * shape.bytes()) << "their codes alone were copied";
    const uint64_t before = bench().stats().in_bytes;
    expect_the_hosts_bits(0, all);
    EXPECT_EQ(bench().stats().in_bytes, before) << "the device has them as it made them";
    expect_attention(0);
    // What the processor makes of the same rows.
    std::vector<float> there[kLayers][2], here[kLayers][2];
    const auto read = [&](std::vector<float> (*to)[2]) {
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          to[layer][plane].resize(4 * each * kHeads * shape.dim);
          ASSERT_OK(session->read(layer, plane, 0, 4 * each, tensor(to[layer][plane], 4 * each)));
        }
      }
    };
    read(there);
    start(all, setup);
    append_here(0, all);
    read(here);
    double errors[2] = {};
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const std::vector<float> rows = Content::rows(tokens, 0, 4 * each, layer, plane);
        for (size_t i = 0; i < rows.size(); ++i) {
          errors[0] += std::pow(double{there[layer][plane][i]} - double{rows[i]}, 2);
          errors[1] += std::pow(double{here[layer][plane][i]} - double{rows[i]}, 2);
        }
      }
    }
    EXPECT_GT(errors[1], 0);
    EXPECT_NEAR(errors[0], errors[1], errors[1] * .001);
  }
}

// What codec auto weighs with queries first comes to the processor.
TEST_F(SessionCodedTest, PagesUnderABoundAreEncodedByTheProcessor) {
  BenchOptions setup;
  setup.codec = "auto";
  setup.bound = 0.2;
  setup.learn = 64;
  setup.device_memory = 96 * shape.bytes();
  start(12 * shape.tokens, setup);
  for (size_t i = 0; i < 8 * shape.tokens; i += shape.tokens) {
    append_here(i, shape.tokens);
    for (uint64_t query = 0; query < 2 * kLayers * shape.tokens; ++query) show_query(query % kLayers, i + query);
  }
  ASSERT_STREQ(bench().cache->calibrations()[0].state, "learned");
  append_there(8 * shape.tokens, 4 * shape.tokens, 0);
  EXPECT_EQ(bench().stats().out_bytes, 4 * shape.bytes());
}

// What was encoded there gives way to rows that have no other place.
TEST_F(SessionCodedTest, CodesMakeRoomForRowsThatFollow) {
  BenchOptions setup;
  setup.codec = "int8";
  setup.device_memory = 5 * shape.bytes();
  start(6 * shape.tokens, setup);
  ASSERT_OK(append_on_device(bench(), *session, tokens, 0, 4 * shape.tokens, bench().on(0)));
  EXPECT_GT(bench().stats().bytes, 4 * shape.bytes()) << "codes of the first are there";
  ASSERT_OK(append_on_device(bench(), *session, tokens, 4 * shape.tokens, shape.tokens, bench().on(0)));
  EXPECT_EQ(bench().stats().bytes, 5 * shape.bytes());
  fake_synchronize();
  ASSERT_OK(session->commit(std::span(tokens).first(5 * shape.tokens)));
  append_there(5 * shape.tokens, 1, 0);
  EXPECT_EQ(session->info().pages, 5u);
  EXPECT_GT(bench().cache->stats().pages_encoded, 0u);
  expect_the_hosts_bits(0, 5 * shape.tokens + 1);
}

TEST_F(SessionCodedTest, WhatIsReadBeforeItArrivesIsInTheClear) {
  BenchOptions setup;
  setup.codec = "int8";
  setup.device_memory = 32 * shape.bytes();
  start(60, setup);
  append_there(0, 40, 0);
  expect_on_host(*session, tokens, 33, 7);
  append_there(40, 20, 1);
  expect_the_hosts_bits(0, 60);
  session.reset();
  auto other = matching(60);
  EXPECT_GT(bench().cache->stats().pages_encoded, 0u);
}

// The host has pages of the window in the clear; when they leave it they are what the device made of them.
TEST_F(SessionCodedTest, AWindowKeepsPagesInTheClear) {
  BenchOptions setup;
  setup.codec = "int8";
  setup.window = 32;
  setup.device_memory = 32 * shape.bytes();
  start(70, setup);
  append_there(0, 64, 0);
  fake_synchronize();
  append_there(64, 2, 1);
  EXPECT_EQ(session->info().pages, 2u);
  EXPECT_EQ(bench().cache->stats().pages_encoded, 2u);
  expect_on_host(*session, tokens, 32, 34);
  expect_the_hosts_bits(0, 66);
}

TEST_F(SessionCodedTest, APageWithANumberThatIsNotFiniteStaysInTheClear) {
  BenchOptions setup;
  setup.codec = "int8";
  setup.device_memory = 32 * shape.bytes();
  start(3 * shape.tokens, setup);
  append_here(0, shape.tokens);
  for (uint32_t layer = 0; layer < kLayers; ++layer) {
    std::vector<float> rows = Content::rows(tokens, shape.tokens, shape.tokens, layer, KVC_KEY);
    const DeviceRows v = device_rows(bench().application->put(rows.data(), rows.size() * sizeof(float)));
    rows[5] = std::numeric_limits<float>::infinity();
    const DeviceRows k = device_rows(bench().application->put(rows.data(), rows.size() * sizeof(float)));
    uint64_t fence = 0;
    ASSERT_OK(session->device_append(layer, k, v, shape.tokens, bench().on(0), &fence));
  }
  fake_synchronize();
  ASSERT_OK(session->commit(std::span(tokens).subspan(shape.tokens, shape.tokens)));
  EXPECT_EQ(session->info().pages, 2u);
  EXPECT_EQ(bench().cache->stats().pages_encoded, 1u) << "the first";
  std::vector<float> got(kHeads * shape.dim);
  ASSERT_OK(session->read(1, KVC_KEY, shape.tokens, 1, tensor(got, 1)));
  EXPECT_EQ(got[5], std::numeric_limits<float>::infinity());
}

// Wherever a call of the driver fails, what the host has is read afterwards, and nothing is left over.
TEST_F(SessionCodedTest, AnyFailingCallLeavesWhatTheHostHas) {
  for (const char* codec : {"int8", "klt", "svd"}) {
    const bool learns = std::string_view(codec) == "klt";
    const size_t before = learns ? 6 * shape.tokens : 4, all = before + 2 * shape.tokens;
    BenchOptions setup;
    setup.codec = codec;
    setup.learn = 64;
    setup.device_memory = 40 * shape.bytes();
    DeviceRows rows[kLayers][2], out;
    DeviceAttend attend;
    const auto scenario = [&]() -> Status {
      uint64_t fence = 0;
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        KVC_RETURN_IF_ERROR(session->device_append(layer, rows[layer][KVC_KEY], rows[layer][KVC_VALUE], all - before,
                                                   bench().on(0), &fence));
      }
      KVC_RETURN_IF_ERROR(session->commit(std::span(tokens).subspan(before)));
      KVC_RETURN_IF_ERROR(session->device_attend(attend, bench().on(2), &fence));
      KVC_RETURN_IF_ERROR(session->device_read(1, KVC_KEY, 0, all, out, bench().on(1), &fence));
      return bench().pages().wait(fence);
    };
    uint64_t calls = 1, tried = 0, refused = 0;
    for (uint64_t k = 0; k <= calls; k += std::string_view(codec) != "int8" ? 9 : quick() ? 5 : 1) {
      for (const int code : {abi::kOutOfMemory, abi::kInvalidValue, abi::kIllegalAddress}) {
        SCOPED_TRACE(std::string(codec) + ", call " + std::to_string(k) + ", code " + std::to_string(code));
        lost = false;
        start(all, setup);
        append_here(0, before);
        for (uint32_t layer = 0; layer < kLayers; ++layer) {
          for (const int plane : {KVC_KEY, KVC_VALUE}) {
            const std::vector<float> data = Content::rows(tokens, before, all - before, layer, plane);
            rows[layer][plane] = device_rows(bench().application->put(data.data(), data.size() * sizeof(float)));
          }
        }
        out = device_rows(bench().application->take(all * kHeads * shape.dim * sizeof(float)));
        attend = any_attend(0);
        ASSERT_OK(session->device_attend_bytes(attend, all, &attend.room_bytes));
        attend.room = bench().application->take(attend.room_bytes);
        const uint64_t first = fake_calls();
        fake_fail_call(k, code);
        const Status status = scenario();
        fake_fail_call(0, 0);
        if (k == 0) {
          ASSERT_OK(status);
          calls = fake_calls() - first;
        }
        ++tried;
        refused += status.is_ok() ? 0 : 1;
        if (!status.is_ok()) ASSERT_OK(session->truncate(before));
        std::vector<float> got(before * kHeads * shape.dim);
        const auto read = [&] { return session->read(1, KVC_VALUE, 0, before, tensor(got, before)); };
        Status there = read();
        // The engine need not have heard of it: the last call may be the one that failed.
        lost = (k > 0 && is_sticky(code)) || bench().pages().tier().is_lost();
        if (there.code() == KVC_E_DEVICE) {
          // What was on the device alone is gone with it.
          ASSERT_OK(session->truncate(before));
          there = read();
        }
        ASSERT_OK(there);
        // The application's memory goes when nothing uses it any more.
        fake_synchronize();
        end();
        if (k == 0) break;
      }
    }
    EXPECT_GT(calls, 30u);
    EXPECT_GT(refused, tried / 3);
  }
}

// Every schedule of a session whose pages the device encodes, with little room there.
TEST_F(SessionCodedTest, ManySchedulesWithoutARace) {
  for (uint64_t seed = 1; seed <= schedules() / 4; ++seed) {
    BenchOptions setup;
    setup.fake.seed = seed;
    setup.fake.batch = seed % 2 == 0;
    const bool learns = seed % 3 == 1;
    setup.codec = learns ? "klt" : seed % 6 == 0 ? "svd" : seed % 3 == 0 ? "int4" : "int8";
    setup.learn = 32;
    setup.window = seed % 5 == 0 ? 16 : 0;
    // What is learned takes a quarter at most.
    setup.device_memory = ((learns ? 11 : 5) + seed % 4) * shape.bytes();
    setup.pinned = seed % 8 == 0 ? 0 : 128 << 10;
    {
      Bench bench(setup);
      Random random(seed);
      constexpr size_t kMost = 150;
      tokens = counting(1, kMost);
      auto session = bench.open();
      size_t length = 0;
      for (int step = 0; step < 16; ++step) {
        const DeviceCall call = bench.on(random.next());
        if (random.next() % 3 != 0 && length < kMost) {
          const size_t n = std::min(1 + random.next() % 30, kMost - length);
          const bool there = random.next() % 4 != 0;
          bool appended = false;
          ASSERT_NO_FATAL_FAILURE(append_if_room(bench, *session, tokens, length, n, there, call, &appended));
          length += appended ? n : 0;
        } else if (length > 0) {
          const size_t from = random.next() % length, n = 1 + random.next() % (length - from);
          // What has not arrived in host memory holds its places: there may be no room to read.
          const DeviceRows room = device_rows(bench.application->take(n * kHeads * shape.dim * sizeof(float)));
          uint64_t fence = 0;
          const Status status = session->device_read(0, KVC_KEY, from, n, room, call, &fence);
          if (status.code() == KVC_E_NO_MEMORY) continue;
          ASSERT_OK(status);
          expect_on_device(bench, *session, tokens, from, n, call, learns ? 0.5f : seed % 6 == 0 ? 2 : 0.2f);
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
