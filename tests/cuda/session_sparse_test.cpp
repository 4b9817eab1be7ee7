// Pages of codec sparse on devices: attended to as they lie there, over the rows that were kept.
#include "session_coded_rig.h"

namespace kvc_cuda {
namespace {

class SessionSparseTest : public SessionCodedTest {
 protected:
  static BenchOptions kept(double keep) {
    BenchOptions setup;
    setup.codec = "sparse";
    setup.keep = keep;
    setup.restore = false;
    setup.memory = 4 << 20;
    setup.device_memory = 32 * shape.bytes();
    return setup;
  }
  // The first page, and queries: what follows keeps the rows that these look at.
  void append_first() {
    append_here(0, shape.tokens);
    for (uint64_t query = 0; query < 32; ++query) show_query(query % kLayers, query);
  }
  static void expect_near(const std::vector<float>& expected, const DeviceAttend& attend) {
    const auto* got = static_cast<const float*>(attend.out);
    for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(got[i], expected[i], 5e-6) << attend.layer << " " << i;
  }
};

// What codec sparse left out of pages is left out there too, as on the host: nothing of it is brought back.
TEST_F(SessionSparseTest, AttendsToWhatWasKept) {
  for (const double keep : {.5, .2, .1}) {
    SCOPED_TRACE(keep);
    const size_t each = shape.tokens, all = 6 * each + 7;
    start(all, kept(keep));
    append_first();
    append_here(each, 5 * each);
    append_there(6 * each, 7, 0);
    ASSERT_EQ(bench().cache->stats().pages_sparse, 6u);
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      const std::vector<float> expected = show_query(layer, kQuery);
      DeviceAttend attend = any_attend(layer);
      uint64_t fence = 0;
      ASSERT_OK(session->device_attend(attend, bench().on(layer), &fence));
      ASSERT_OK(bench().pages().wait(fence));
      ASSERT_NO_FATAL_FAILURE(expect_near(expected, attend));
      attend.room_bytes -= 1;
      EXPECT_EQ(session->device_attend(attend, bench().on(1), &fence).code(), KVC_E_INVALID);
    }
    EXPECT_LT(bench().stats().in_bytes, (keep + .3) * 6 * static_cast<double>(shape.bytes())) << "what is kept alone";
    EXPECT_EQ(bench().cache->stats().sparse_restored, 0u);
    // To be read all rows are needed.
    const DeviceRows room = device_rows(bench().application->take(each * kHeads * shape.dim * sizeof(float)));
    uint64_t fence = 0;
    EXPECT_EQ(session->device_read(0, KVC_KEY, each, each, room, bench().on(0), &fence).code(), KVC_E_NOT_FOUND);
  }
}

// Wherever a call of the driver fails, the host attends to the same afterwards, and nothing is left over.
TEST_F(SessionSparseTest, AnyFailingCallLeavesWhatTheHostAttendsTo) {
  const size_t each = shape.tokens, before = 3 * each, all = before + 5;
  uint64_t calls = 1, tried = 0, refused = 0;
  for (uint64_t k = 0; k <= calls; k += quick() ? 5 : 1) {
    for (const int code : {abi::kOutOfMemory, abi::kInvalidValue, abi::kIllegalAddress}) {
      SCOPED_TRACE("call " + std::to_string(k) + ", code " + std::to_string(code));
      lost = false;
      start(all, kept(.3));
      append_first();
      append_here(each, before - each);
      const std::vector<float> expected = show_query(1, 9);
      DeviceAttend attend[kLayers];
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        attend[layer] = any_attend(layer);
        ASSERT_OK(session->device_attend_bytes(attend[layer], all, &attend[layer].room_bytes));
        attend[layer].room = bench().application->take(attend[layer].room_bytes);
      }
      DeviceRows rows[kLayers][2];
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          const std::vector<float> data = Content::rows(tokens, before, all - before, layer, plane);
          rows[layer][plane] = device_rows(bench().application->put(data.data(), data.size() * sizeof(float)));
        }
      }
      const auto scenario = [&]() -> Status {
        uint64_t fence = 0;
        for (uint32_t layer = 0; layer < kLayers; ++layer) {
          KVC_RETURN_IF_ERROR(session->device_append(layer, rows[layer][KVC_KEY], rows[layer][KVC_VALUE],
                                                     all - before, bench().on(0), &fence));
        }
        KVC_RETURN_IF_ERROR(session->commit(std::span(tokens).subspan(before)));
        for (uint32_t layer = 0; layer < kLayers; ++layer)
          KVC_RETURN_IF_ERROR(session->device_attend(attend[layer], bench().on(layer + 1), &fence));
        return bench().pages().wait(fence);
      };
      const uint64_t first = fake_calls();
      fake_fail_call(k, code);
      const Status status = scenario();
      fake_fail_call(0, 0);
      if (k == 0) {
        ASSERT_OK(status);
        calls = fake_calls() - first;
        expect_near(show_query(kLayers - 1, kQuery), attend[kLayers - 1]);
      }
      ++tried;
      refused += status.is_ok() ? 0 : 1;
      // The engine need not have heard of it: the last call may be the one that failed.
      lost = (k > 0 && is_sticky(code)) || bench().pages().tier().is_lost();
      ASSERT_OK(session->truncate(before));
      EXPECT_EQ(show_query(1, 9), expected);
      // The application's memory goes when nothing uses it any more.
      fake_synchronize();
      end();
      if (k == 0) break;
    }
  }
  EXPECT_GT(calls, 30u);
  EXPECT_GT(refused, tried / 3);
}

// Every schedule of sessions that append, find what others left, and attend on three streams, with room for some of
// their pages.
TEST_F(SessionSparseTest, ManySchedulesWithoutARace) {
  uint64_t attended = 0, compared = 0, found = 0, sparse = 0;
  for (uint64_t seed = 1; seed <= schedules() / 4; ++seed) {
    BenchOptions setup = kept(seed % 3 == 0 ? .5 : .2);
    setup.fake.seed = seed;
    setup.fake.batch = seed % 2 == 0;
    setup.device_memory = (5 + seed % 9) * shape.bytes();
    setup.pinned = seed % 8 == 0 ? 0 : 128 << 10;
    constexpr size_t kMost = 190;
    start(kMost, setup);
    Random random(seed);
    append_first();
    append_here(shape.tokens, 3 * shape.tokens);
    size_t length = 4 * shape.tokens;
    for (int step = 0; step < 12; ++step) {
      const DeviceCall call = bench().on(random.next());
      switch (random.next() % 8) {
        case 0:
        case 1: {
          const size_t n = std::min(1 + random.next() % 40, kMost - length);
          if (n == 0) break;
          const bool there = random.next() % 2 == 0;
          bool appended = false;
          ASSERT_NO_FATAL_FAILURE(append_if_room(bench(), *session, tokens, length, n, there, call, &appended));
          length += appended ? n : 0;
          break;
        }
        case 2: {
          auto other = bench().open();
          size_t reused = 0;
          ASSERT_OK(other->match(std::span(tokens).first(length), &reused));
          if (reused == 0) break;
          session = std::move(other);
          length = reused;
          ++found;
          break;
        }
        default: {
          const auto layer = static_cast<uint32_t>(random.next() % kLayers);
          // Now and then what was appended there is still on its way to the host.
          const bool compare = random.next() % 2 == 0;
          std::vector<float> expected;
          if (compare) expected = show_query(layer, kQuery);
          const DeviceAttend attend = any_attend(layer);
          uint64_t fence = 0;
          const Status status = session->device_attend(attend, call, &fence);
          if (status.code() == KVC_E_NO_MEMORY) break;
          ASSERT_OK(status);
          ++attended;
          if (!compare) break;
          ASSERT_OK(bench().pages().wait(fence));
          ASSERT_NO_FATAL_FAILURE(expect_near(expected, attend)) << "seed " << seed << " step " << step;
          ++compared;
        }
      }
      EXPECT_LE(bench().set->tiers[0]->used(), bench().set->tiers[0]->limit());
    }
    sparse += bench().cache->stats().pages_sparse;
    // The application's memory goes when nothing uses it any more.
    fake_synchronize();
    end();
    if (HasFailure()) FAIL() << "seed " << seed;
  }
  EXPECT_GT(attended, schedules() / 4);
  EXPECT_GT(compared, attended / 4);
  EXPECT_GT(found, schedules() / 20);
  EXPECT_GT(sparse, schedules()) << "pages";
}

}  // namespace
}  // namespace kvc_cuda
