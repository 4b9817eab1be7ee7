// What the module does with a device, on the fake driver: copies, captures, lost devices, kernels.
#include "gpu.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "fake_rig.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;
using abi::Stream;

TEST(GpuTest, CopiesByBothEnginesAndAnyAlias) {
  for (const uint64_t alias : {uint64_t{0}, uint64_t{1} << 40}) {
    FakeOptions fake;
    fake.alias_offset = alias;
    Rig rig(fake, with_slots(1, 1 << 20));
    ASSERT_OK(rig.status);
    {
      PinnedBytes host(*rig.gpu, 1 << 20);
      for (size_t i = 0; i < host.bytes.size(); ++i) host.bytes[i] = static_cast<unsigned char>(i / 7);
      uint32_t slot = 0;
      DevicePtr at = 0;
      ASSERT_OK(rig.gpu->slots().acquire(1, &slot));
      ASSERT_OK(rig.gpu->slots().address(slot, &at));
      const Stream stream = fake_stream(0);
      std::vector<CopyRun> pieces;
      for (uint64_t i = 0; i < 200; ++i) pieces.push_back({at + i * 4096, host.at(i * 4100), 4096});
      // Kernels cannot follow an address that only this driver knows.
      if (alias != 0) {
        for (int i = 0; i < CopyTable::kByteSteps; ++i)
          for (int j = 0; j < CopyTable::kCountSteps; ++j) rig.gpu->table().set(Direction::to_device, i, j, 1, 2);
      }
      ASSERT_OK(rig.gpu->copy(Direction::to_device, pieces, {stream, {}, {}, {slot}}, nullptr));
      fake_drain();
      for (uint64_t i = 0; i < 200; ++i) {
        ASSERT_EQ(std::memcmp(reinterpret_cast<void*>(at + i * 4096), &host.bytes[i * 4100], 4096), 0) << i;
      }
      const GpuStats stats = rig.gpu->stats();
      EXPECT_EQ(stats.to_device_bytes, 200u * 4096);
      EXPECT_EQ(alias == 0 ? stats.by_processors : stats.by_copy_engine, 200u);
      EXPECT_EQ(stats.driver_copies, alias != 0 ? 1u : 0u) << "one call for all";
      unsigned char loose[64];
      const Status status = rig.gpu->copy(Direction::to_device, {{at, reinterpret_cast<uint64_t>(loose), 64}},
                                          {stream, {}, {}, {}}, nullptr);
      EXPECT_EQ(status.code(), KVC_E_INVALID);
      EXPECT_NE(status.message().find("not pinned"), std::string::npos) << status.message();
    }
    rig.gpu.reset();
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
}

TEST(GpuTest, RefusesWhatACaptureWouldLose) {
  Rig rig({}, with_slots(2));
  ASSERT_OK(rig.status);
  Gpu& gpu = *rig.gpu;
  PinnedBytes host(gpu, 4096);
  uint32_t slots[2] = {};
  DevicePtr from = 0, to = 0;
  ASSERT_OK(gpu.slots().acquire(2, slots));
  ASSERT_OK(gpu.slots().address(slots[0], &from));
  ASSERT_OK(gpu.slots().address(slots[1], &to));
  const Stream captured = fake_stream(0), other = fake_stream(0);
  Fence before = 0;
  ASSERT_OK(gpu.copy(Direction::to_device, {{from, host.at(), 4096}}, {other, {}, {}, {slots[0]}}, &before));
  fake_begin_capture(captured, 0);
  EXPECT_EQ(gpu.copy(Direction::to_device, {{to, host.at(), 64}}, {captured, {}, {}, {}}, nullptr).code(), KVC_E_ORDER);
  EXPECT_EQ(gpu.use({captured, {}, {slots[0]}, {}}).code(), KVC_E_ORDER);
  MoveArgs move;
  move.from.base = from, move.to.base = to;
  move.from.token = move.to.token = 16;
  move.from_page_tokens = move.to_page_tokens = 4, move.tokens = 4;
  move.layers = move.planes = move.heads = 1, move.row_bytes = 16;
  EXPECT_EQ(gpu.move(move, {captured, {before}, {}, {}}, nullptr).code(), KVC_E_ORDER);
  // Without anything to wait for a kernel becomes part of the graph; and work elsewhere goes on.
  EXPECT_OK(gpu.move(move, {captured, {}, {}, {}}, nullptr));
  bool done = false;
  EXPECT_OK(gpu.query(before, &done));
  EXPECT_OK(gpu.wait(before));
  std::vector<unsigned char> more(4096);
  EXPECT_OK(gpu.pinned().pin(more.data(), more.size()));
  EXPECT_OK(gpu.pinned().unpin(more.data()));
  EXPECT_EQ(fake_end_capture(captured), 1) << "one node, and still valid";
  EXPECT_EQ(gpu.stats().refused_captures, 3u);
}

TEST(GpuTest, ALostDeviceIsToldAndNeverCalledAgain) {
  for (const bool late : {false, true}) {
    Rig rig({}, with_slots(2));
    ASSERT_OK(rig.status);
    {
      std::vector<unsigned char> bytes(20000);
      uint32_t slot = 0;
      DevicePtr at = 0;
      ASSERT_OK(rig.gpu->slots().acquire(1, &slot));
      ASSERT_OK(rig.gpu->slots().address(slot, &at));
      // At once, or by what is under way: then a later call says it.
      if (late) {
        fake_fail_operation(1, abi::kIllegalAddress);
      } else {
        fake_fail_call(8, abi::kEccUncorrectable);
      }
      const Status status = rig.gpu->upload(at, bytes.data(), 4096, {nullptr, {}, {}, {slot}});
      EXPECT_EQ(status.code(), KVC_E_DEVICE) << status.message();
      EXPECT_NE(status.message().find("lost"), std::string::npos) << status.message();
      const uint64_t calls = fake_calls();
      EXPECT_EQ(rig.gpu->download(bytes.data(), at, 4096, {nullptr, {}, {slot}, {}}).code(), KVC_E_DEVICE);
      EXPECT_EQ(rig.gpu->slots().acquire(1, &slot).code(), KVC_E_DEVICE);
      EXPECT_EQ(rig.gpu->use({fake_stream(0), {}, {}, {}}).code(), KVC_E_DEVICE);
      EXPECT_EQ(rig.gpu->pinned().pin(bytes.data(), 4096).code(), KVC_E_DEVICE);
      EXPECT_EQ(fake_calls(), calls);
    }
    rig.gpu.reset();
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
}

// Everything once, with the k-th call failing: an answer, no hang, nothing left, and what was stored before is as it
// was.
Status everything(Gpu& gpu, std::vector<unsigned char>* out) {
  uint32_t slots[2] = {};
  DevicePtr a = 0, b = 0;
  KVC_RETURN_IF_ERROR(gpu.slots().acquire(2, slots));
  KVC_RETURN_IF_ERROR(gpu.slots().address(slots[0], &a));
  KVC_RETURN_IF_ERROR(gpu.slots().address(slots[1], &b));
  std::vector<unsigned char> host(8192, 3);
  KVC_RETURN_IF_ERROR(gpu.pinned().pin(host.data(), host.size()));
  const auto work = [&]() -> Status {
    const Stream stream = fake_stream(0);
    KVC_RETURN_IF_ERROR(gpu.copy(
        Direction::to_device,
        {{a, reinterpret_cast<uint64_t>(&host[0]), 1000}, {a + 2000, reinterpret_cast<uint64_t>(&host[4000]), 1000}},
        {stream, {}, {}, {slots[0]}}, nullptr));
    MoveArgs move;
    move.from.base = a, move.to.base = b;
    move.from.token = move.to.token = 16;
    move.from_page_tokens = move.to_page_tokens = 4, move.tokens = 4;
    move.layers = move.planes = move.heads = 1, move.row_bytes = 16;
    Fence done = 0;
    KVC_RETURN_IF_ERROR(gpu.move(move, {stream, {}, {slots[0]}, {slots[1]}}, &done));
    KVC_RETURN_IF_ERROR(gpu.wait(done));
    return gpu.download(out->data(), b, 64, {nullptr, {}, {slots[1]}, {}});
  };
  Status status = work();
  fake_synchronize();  // as an application does that gives up
  // Memory that a device may reach is not given back before it is unregistered; a lost device reaches nothing.
  const Status unpinned = gpu.pinned().unpin(host.data());
  if (!unpinned.is_ok() && !gpu.device().is_lost()) (void)gpu.pinned().unpin(host.data());
  return status.is_ok() ? unpinned : status;
}

TEST(GpuTest, AnyFailingCallLeavesAnAnswerAndNothingElse) {
  FakeOptions fake;
  uint64_t calls = 0;
  {
    Rig rig(fake, with_slots(2));
    ASSERT_OK(rig.status);
    const uint64_t before = fake_calls();
    std::vector<unsigned char> out(64);
    ASSERT_OK(everything(*rig.gpu, &out));
    EXPECT_EQ(out, std::vector<unsigned char>(64, 3));
    calls = fake_calls() - before;
  }
  ASSERT_GT(calls, 20u);
  uint64_t refused = 0;
  for (uint64_t k = 1; k <= calls; ++k) {
    for (const int code : {abi::kOutOfMemory, abi::kInvalidValue, abi::kInvalidContext, abi::kIllegalAddress,
                           abi::kLaunchFailed, abi::kDeinitialized, abi::kUnknown}) {
      Rig rig(fake, with_slots(2));
      ASSERT_OK(rig.status);
      fake_fail_call(k, code);
      std::vector<unsigned char> out(64);
      const Status status = everything(*rig.gpu, &out);
      fake_fail_call(0, 0);
      if (status.is_ok()) {
        EXPECT_EQ(out, std::vector<unsigned char>(64, 3));
      } else {
        ++refused;
        const kvc_status_t expected = rig.gpu->device().is_lost() ? KVC_E_DEVICE
                                      : code == abi::kOutOfMemory ? KVC_E_NO_MEMORY
                                                                  : KVC_E_DEVICE;
        EXPECT_EQ(status.code(), expected) << "call " << k << ", code " << code << ": " << status.message();
      }
      if (!rig.gpu->device().is_lost()) {
        // The device is as good as before.
        uint32_t left[2];
        EXPECT_EQ(rig.gpu->slots().in_use(), 2u);
        const uint32_t both[] = {0, 1};
        EXPECT_OK(rig.gpu->slots().release(2, both));
        EXPECT_OK(rig.gpu->slots().acquire(2, left));
        EXPECT_OK(rig.gpu->slots().release(2, both));
        EXPECT_OK(everything(*rig.gpu, &out));
      }
      rig.gpu.reset();
      EXPECT_EQ(fake_live(), 0u) << "call " << k << ", code " << code;
      EXPECT_EQ(fake_violations(), 0u) << "call " << k << ", code " << code << ": " << fake_first_violation();
      EXPECT_EQ(fake_races(), 0u) << "call " << k << ", code " << code << ": " << fake_first_race();
    }
  }
  EXPECT_GT(refused, calls * 3);
}

TEST(GpuTest, AChildProcessIsRefused) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "threads are not followed through fork";
#endif
  Rig rig({}, with_slots(1));
  ASSERT_OK(rig.status);
  const pid_t child = fork();
  if (child == 0) {
    uint32_t slot = 0;
    bool done = false;
    const bool refused =
        rig.gpu->slots().acquire(1, &slot).code() == KVC_E_FORKED && rig.gpu->query(1, &done).code() == KVC_E_FORKED;
    const uint64_t calls = fake_calls();
    rig.gpu.reset();
    _exit(refused && fake_calls() == calls ? 0 : 1);
  }
  int state = 0;
  ASSERT_EQ(waitpid(child, &state, 0), child);
  EXPECT_EQ(state, 0);
}

TEST(GpuTest, SeveralDevicesKeepApart) {
  FakeOptions fake;
  fake.devices = 8;
  fake_reset(&fake);
  std::shared_ptr<const Driver> driver;
  ASSERT_OK(Driver::open(KVC_TEST_FAKE_DRIVER, &driver));
  std::vector<std::unique_ptr<Gpu>> gpus(8);
  std::vector<DevicePtr> at(8);
  for (int i = 0; i < 8; ++i) {
    GpuOptions options = with_slots(1);
    options.device = i;
    const auto index = static_cast<size_t>(i);
    ASSERT_OK(Gpu::open(driver, kNoKernels, std::move(options), &gpus[index]));
    uint32_t slot = 0;
    ASSERT_OK(gpus[index]->slots().acquire(1, &slot));
    ASSERT_OK(gpus[index]->slots().address(slot, &at[index]));
  }
  fake_fail_operation(1, abi::kIllegalAddress);
  std::vector<unsigned char> bytes(4096, 1);
  EXPECT_EQ(gpus[3]->upload(at[3], bytes.data(), 4096, {nullptr, {}, {}, {0}}).code(), KVC_E_DEVICE);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(gpus[i]->device().is_lost(), i == 3);
    if (i != 3) EXPECT_OK(gpus[i]->upload(at[i], bytes.data(), 4096, {nullptr, {}, {}, {0}}));
  }
  gpus.clear();
  EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
}

// A program may have contexts of its own on the same device, and parts of the primary one (green contexts).
TEST(GpuTest, TakesStreamsOfGreenContextsAndRefusesThoseOfOthers) {
  FakeOptions fake;
  fake.devices = 2;
  Rig rig(fake, with_slots(1));
  ASSERT_OK(rig.status);
  Gpu& gpu = *rig.gpu;
  PinnedBytes host(gpu, 4096);
  uint32_t slot = 0;
  DevicePtr at = 0;
  ASSERT_OK(gpu.slots().acquire(1, &slot));
  ASSERT_OK(gpu.slots().address(slot, &at));
  MoveArgs move;
  move.from.base = at, move.to.base = at + 2048;
  move.from.token = move.to.token = 16;
  move.from_page_tokens = move.to_page_tokens = 4, move.tokens = 4;
  move.layers = move.planes = move.heads = 1, move.row_bytes = 16;
  Fence fence = 0;
  const Stream green = fake_stream(0, FakeContext::green);
  ASSERT_OK(gpu.copy(Direction::to_device, {{at, host.at(), 1024}}, {green, {}, {}, {slot}}, &fence));
  ASSERT_OK(gpu.move(move, {green, {}, {}, {slot}}, &fence));
  EXPECT_OK(gpu.wait(fence));
  const uint64_t launches = gpu.stats().launches;
  for (const Stream stream : {fake_stream(0, FakeContext::other), fake_stream(1), fake_stream(1, FakeContext::green)}) {
    const Order order{stream, {}, {}, {slot}};
    const Status status = gpu.move(move, order, &fence);
    EXPECT_EQ(status.code(), KVC_E_INVALID);
    EXPECT_NE(status.message().find("context"), std::string::npos) << status.message();
    EXPECT_EQ(gpu.copy(Direction::to_device, {{at, host.at(), 64}}, order, &fence).code(), KVC_E_INVALID);
    EXPECT_EQ(gpu.use(order).code(), KVC_E_INVALID);
  }
  EXPECT_EQ(gpu.stats().launches, launches) << "nothing was issued";
  EXPECT_FALSE(gpu.device().is_lost());
  EXPECT_EQ(fake_races(), 0u) << fake_first_race();
  EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
}

// A page that is encoded, decoded and attended over by kernels on streams that wait for each other.
TEST(GpuTest, KernelsFollowEachOtherOnSlots) {
  for (uint64_t seed = 1; seed <= schedules() / 20; ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    Rig rig(fake, with_slots(6, 16384));
    ASSERT_OK(rig.status);
    Gpu& gpu = *rig.gpu;
    uint32_t slots[6];
    DevicePtr at[6];
    ASSERT_OK(gpu.slots().acquire(6, slots));
    for (int i = 0; i < 6; ++i) ASSERT_OK(gpu.slots().address(slots[i], &at[i]));
    // Slot 0: pages in the clear; 1: encoded; 2: decoded; 3: tables; 4: query, result; 5: room.
    CodeArgs code;
    code.pages = 1, code.n_layers = 1, code.n_heads = 1, code.dim[0] = code.dim[1] = 32, code.page_tokens = 64;
    code.number = Number::f32, code.codec = 2, code.norm = 1 / std::sqrt(32.0f);
    code.clear.token = 128, code.clear.head = code.clear.plane = 8192;
    code.clear.base = at[0];
    struct Tables {
      uint64_t coded;
      uint32_t count, length, failed;
      int32_t page;
    } tables = {at[1], 1, 64, 0, 0};
    code.coded_pages = reinterpret_cast<const uint64_t*>(at[3]);
    code.failed = reinterpret_cast<uint32_t*>(at[3] + offsetof(Tables, failed));
    kvc::Random random(seed);
    std::vector<float> page(4096), query(32), result(32), decoded(4096);
    for (float& x : page) x = static_cast<float>(random.unit() * 2 - 1);
    for (float& x : query) x = static_cast<float>(random.unit() * 2 - 1);
    ASSERT_OK(gpu.upload(at[0], page.data(), 16384, {nullptr, {}, {}, {slots[0]}}));
    ASSERT_OK(gpu.upload(at[3], &tables, sizeof tables, {nullptr, {}, {}, {slots[3]}}));
    ASSERT_OK(gpu.upload(at[4], query.data(), 128, {nullptr, {}, {}, {slots[4]}}));
    const Stream one = fake_stream(0), two = fake_stream(0), three = fake_stream(0);
    ASSERT_OK(gpu.encode(code, {one, {}, {slots[0]}, {slots[1], slots[3]}}, nullptr));
    CodeArgs back = code;
    back.clear.base = at[2];
    ASSERT_OK(gpu.decode(back, {two, {}, {slots[1], slots[3]}, {slots[2]}}, nullptr));
    AttendArgs attend;
    attend.page = code;
    attend.query = reinterpret_cast<unsigned char*>(at[4]);
    attend.out = reinterpret_cast<unsigned char*>(at[4] + 1024);
    attend.partial = reinterpret_cast<float*>(at[5]);
    attend.lengths = reinterpret_cast<uint32_t*>(at[3] + offsetof(Tables, length));
    attend.coded_counts = reinterpret_cast<uint32_t*>(at[3] + offsetof(Tables, count));
    attend.coded_pages = code.coded_pages, attend.coded_stride = 1;
    attend.sequences = attend.kv_heads = 1, attend.splits = 2;
    ASSERT_OK(gpu.attend(attend, {three, {}, {slots[1], slots[3]}, {slots[4], slots[5]}}, nullptr));
    ASSERT_OK(gpu.download(result.data(), at[4] + 1024, 128, {nullptr, {}, {slots[4]}, {}}));
    ASSERT_OK(gpu.download(decoded.data(), at[2], 16384, {nullptr, {}, {slots[2]}, {}}));
    std::vector<double> sum(32, 0.0);
    double total = 0;
    for (int t = 0; t < 64; ++t) {
      double score = 0;
      for (int d = 0; d < 32; ++d) score += query[static_cast<size_t>(d)] * decoded[static_cast<size_t>(t * 32 + d)];
      total += std::exp2(score);
      for (int d = 0; d < 32; ++d)
        sum[static_cast<size_t>(d)] += std::exp2(score) * decoded[static_cast<size_t>(2048 + t * 32 + d)];
    }
    for (size_t d = 0; d < 32; ++d) ASSERT_NEAR(result[d], sum[d] / total, 1e-5);
    for (size_t i = 0; i < 4096; ++i) ASSERT_NEAR(decoded[i], page[i], 0.05);
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
}

TEST(GpuTest, MeasuresWhichEngineIsQuicker) {
  for (const double copy_us : {2.0, 0.001}) {
    FakeOptions fake;
    fake.copy_us = copy_us;
    Rig rig(fake);
    ASSERT_OK(rig.status);
    EXPECT_FALSE(rig.gpu->table().is_measured());
    ASSERT_OK(rig.gpu->measure(1 << 20));
    const CopyTable& table = rig.gpu->table();
    EXPECT_TRUE(table.is_measured());
    // A launch takes 10 us here and does 128 pieces, a copy is one piece.
    for (const Direction direction : {Direction::to_device, Direction::to_host}) {
      EXPECT_EQ(table.choose(direction, 4096, 1), Engine::copy_engine);
      EXPECT_EQ(table.choose(direction, 1024, 1024), copy_us > 1 ? Engine::processors : Engine::copy_engine);
    }
    EXPECT_EQ(rig.gpu->stats().driver_copies, 0u);
    rig.gpu.reset();
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
  FakeOptions small;
  small.device_bytes = 1 << 20;
  Rig rig(small);
  EXPECT_EQ(rig.gpu->measure().code(), KVC_E_NO_MEMORY);
  EXPECT_FALSE(rig.gpu->table().is_measured());
}

TEST(GpuTest, RefusesPagesThatKernelsCannotTake) {
  Rig rig;
  CodeArgs code;
  EXPECT_EQ(rig.gpu->encode(code, {fake_stream(0), {}, {}, {}}, nullptr).code(), KVC_E_INVALID);
  code.pages = code.n_layers = code.n_heads = 1, code.dim[0] = code.dim[1] = 1024, code.page_tokens = 64;
  EXPECT_EQ(rig.gpu->decode(code, {fake_stream(0), {}, {}, {}}, nullptr).code(), KVC_E_UNSUPPORTED);
  code.dim[0] = code.dim[1] = 64, code.bits[0] = 3;
  EXPECT_EQ(rig.gpu->decode(code, {fake_stream(0), {}, {}, {}}, nullptr).code(), KVC_E_INVALID);
  code.bits[0] = 8, code.number = Number::e4m3;
  EXPECT_EQ(rig.gpu->encode(code, {fake_stream(0), {}, {}, {}}, nullptr).code(), KVC_E_DTYPE);
}

}  // namespace
}  // namespace kvc_cuda
