// Three races that were in public products, planted: the fake driver finds each in every schedule. The same work
// through the module: in none. (vLLM 45704: stored before written; vLLM 47282: loaded over what is still read;
// TensorRT-LLM 15546: a pinned source written again while it is read.)
#include "base/random.h"
#include "fake_rig.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;
using abi::Event;
using abi::Stream;

constexpr uint64_t kBytes = 256;

// An application that calls the driver itself.
struct RawRig {
  explicit RawRig(uint64_t seed) {
    FakeOptions fake;
    fake.seed = seed;
    fake_reset(&fake);
    EXPECT_TRUE(Driver::open(KVC_TEST_FAKE_DRIVER, &driver).is_ok());
    abi::Context context = nullptr;
    EXPECT_EQ(call().cuDevicePrimaryCtxRetain(&context, 0), 0);
    EXPECT_EQ(call().cuCtxPushCurrent(context), 0);
    EXPECT_EQ(call().cuMemAlloc(&page, kBytes), 0);
    EXPECT_EQ(call().cuMemHostRegister(host, sizeof host, 3), 0);
    model = fake_stream(0), copies = fake_stream(0);
    EXPECT_EQ(call().cuEventCreate(&event, 2), 0);
  }
  const DriverTable& call() const { return driver->call(); }
  // What is issued on `after` from now on comes after what was issued on `before`.
  void edge(Stream before, Stream after) {
    EXPECT_EQ(call().cuEventRecord(event, before), 0);
    EXPECT_EQ(call().cuStreamWaitEvent(after, event, 0), 0);
  }
  std::shared_ptr<const Driver> driver;
  DevicePtr page = 0;
  alignas(64) unsigned char host[kBytes] = {};
  Stream model = nullptr, copies = nullptr;
  Event event = nullptr;
};

DevicePtr address(void* p) { return reinterpret_cast<DevicePtr>(p); }

uint64_t stored_before_written(uint64_t seed, bool fixed, bool* wrong) {
  RawRig rig(seed);
  fake_touch(rig.model, rig.page, kBytes, 1, 7);
  if (fixed) rig.edge(rig.model, rig.copies);
  EXPECT_EQ(rig.call().cuMemcpyAsync(address(rig.host), rig.page, kBytes, rig.copies), 0);
  fake_drain();
  *wrong = rig.host[0] != 7;
  return fake_races();
}

uint64_t loaded_over_readers(uint64_t seed, bool fixed) {
  RawRig rig(seed);
  fake_touch(rig.model, rig.page, kBytes, 0, 0);
  if (fixed) rig.edge(rig.model, rig.copies);
  EXPECT_EQ(rig.call().cuMemcpyAsync(rig.page, address(rig.host), kBytes, rig.copies), 0);
  fake_drain();
  return fake_races();
}

uint64_t pinned_source_reused(uint64_t seed, bool fixed, bool* wrong) {
  RawRig rig(seed);
  std::memset(rig.host, 1, kBytes);
  kvc_fake_note_host_access(rig.host, kBytes, 1);
  EXPECT_EQ(rig.call().cuMemcpyAsync(rig.page, address(rig.host), kBytes, rig.copies), 0);
  if (fixed) {
    EXPECT_EQ(rig.call().cuEventRecord(rig.event, rig.copies), 0);
    EXPECT_EQ(rig.call().cuEventSynchronize(rig.event), 0);
  }
  std::memset(rig.host, 2, kBytes);
  kvc_fake_note_host_access(rig.host, kBytes, 1);
  fake_drain();
  *wrong = *reinterpret_cast<unsigned char*>(rig.page) != 1;
  return fake_races();
}

TEST(PlantedRaceTest, AreFoundInEverySchedule) {
  uint64_t found[3] = {}, fixed[3] = {}, wrong = 0;
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    bool bytes_differ = false, ignored = false;
    found[0] += stored_before_written(seed, false, &bytes_differ) != 0;
    wrong += bytes_differ;
    found[1] += loaded_over_readers(seed, false) != 0;
    found[2] += pinned_source_reused(seed, false, &ignored) != 0;
    fixed[0] += stored_before_written(seed, true, &bytes_differ) != 0 || bytes_differ;
    fixed[1] += loaded_over_readers(seed, true) != 0;
    fixed[2] += pinned_source_reused(seed, true, &bytes_differ) != 0 || bytes_differ;
  }
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(found[i], schedules()) << i;
    EXPECT_EQ(fixed[i], 0u) << i;
  }
  // A test that looked at bytes alone would have missed some.
  EXPECT_GT(wrong, 0u);
  EXPECT_LT(wrong, schedules());
}

// What the module makes of the same: the application names slots, and nothing else.
TEST(RaceTest, StoresComeAfterWritersAndLoadsAfterReaders) {
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    Rig rig(fake, with_slots(2));
    ASSERT_OK(rig.status);
    Gpu& gpu = *rig.gpu;
    {
      PinnedBytes host(gpu, 8192);
      const Stream model = fake_stream(0), copies = fake_stream(0);
      uint32_t slot = 0;
      DevicePtr at = 0;
      ASSERT_OK(gpu.slots().acquire(1, &slot));
      ASSERT_OK(gpu.slots().address(slot, &at));
      Fence stored = 0, loaded = 0, read = 0;
      ASSERT_OK(gpu.use({model, {}, {}, {slot}}));
      fake_touch(model, at, 4096, 1, 9);
      ASSERT_OK(gpu.used({model, {}, {}, {slot}}, nullptr));
      ASSERT_OK(gpu.copy(Direction::to_host, {{host.at(), at, 4096}}, {copies, {}, {slot}, {}}, &stored));
      // The slot is given back and taken again at once; its next owner knows of nothing.
      ASSERT_OK(gpu.slots().release(1, &slot));
      ASSERT_OK(gpu.slots().acquire(1, &slot));
      std::memset(&host.bytes[4096], 5, 4096);
      kvc_fake_note_host_access(&host.bytes[4096], 4096, 1);
      const Stream other = fake_stream(0);
      ASSERT_OK(gpu.copy(Direction::to_device, {{at, host.at(4096), 4096}}, {other, {}, {}, {slot}}, &loaded));
      ASSERT_OK(gpu.use({model, {}, {slot}, {}}));
      fake_touch(model, at, 4096, 0, 0);
      ASSERT_OK(gpu.used({model, {}, {slot}, {}}, &read));
      ASSERT_OK(gpu.wait(stored));
      kvc_fake_note_host_access(host.bytes.data(), 4096, 0);
      EXPECT_EQ(host.bytes[0], 9);
      EXPECT_EQ(host.bytes[4095], 9);
      ASSERT_OK(gpu.wait(read));
      EXPECT_EQ(*reinterpret_cast<unsigned char*>(at), 5);
    }
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
    ASSERT_EQ(fake_live(), 0u) << seed;
  }
}

TEST(RaceTest, StagedCopiesNeverWriteWhatIsStillRead) {
  std::vector<unsigned char> in(50000), out(50000);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<unsigned char>(i * 31 >> 3);
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    fake.batch = seed % 2 == 0;
    Rig rig(fake, with_slots(1, in.size()));
    ASSERT_OK(rig.status);
    uint32_t slot = 0;
    DevicePtr at = 0;
    ASSERT_OK(rig.gpu->slots().acquire(1, &slot));
    ASSERT_OK(rig.gpu->slots().address(slot, &at));
    std::fill(out.begin(), out.end(), 0);
    ASSERT_OK(rig.gpu->upload(at, in.data(), in.size(), {nullptr, {}, {}, {slot}}));
    ASSERT_OK(rig.gpu->download(out.data(), at, out.size(), {nullptr, {}, {slot}, {}}));
    EXPECT_EQ(in, out);
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
    ASSERT_EQ(fake_live(), 0u);
  }
}

TEST(RaceTest, CopiesBetweenDevicesAreOrderedOnBoth) {
  for (uint64_t seed = 1; seed <= schedules() / 4; ++seed) {
    FakeOptions fake;
    fake.seed = seed, fake.devices = 2;
    Rig rig(fake, with_slots(1));
    ASSERT_OK(rig.status);
    GpuOptions second = with_slots(1);
    second.device = 1;
    std::unique_ptr<Gpu> other;
    ASSERT_OK(Gpu::open(rig.driver, kNoKernels, second, &other));
    Gpu& gpu = *rig.gpu;
    uint32_t from = 0, to = 0;
    DevicePtr at = 0, there = 0;
    ASSERT_OK(gpu.slots().acquire(1, &from));
    ASSERT_OK(gpu.slots().address(from, &at));
    ASSERT_OK(other->slots().acquire(1, &to));
    ASSERT_OK(other->slots().address(to, &there));
    const Stream model = fake_stream(0), copies = fake_stream(0), remote = fake_stream(1);
    // Somebody still reads what is overwritten there, and overwrites here what was copied.
    ASSERT_OK(other->use({remote, {}, {to}, {}}));
    fake_touch(remote, there, 4096, 0, 0);
    ASSERT_OK(other->used({remote, {}, {to}, {}}, nullptr));
    for (const uint8_t value : {3, 4}) {
      ASSERT_OK(gpu.use({model, {}, {}, {from}}));
      fake_touch(model, at, 4096, 1, value);
      ASSERT_OK(gpu.used({model, {}, {}, {from}}, nullptr));
      Fence done = 0;
      ASSERT_OK(gpu.copy_to(*other, {there, at, 4096}, {copies, {}, {from}, {to}}, &done));
      EXPECT_NE(done, 0u);
    }
    Fence read = 0;
    ASSERT_OK(other->use({remote, {}, {to}, {}}));
    fake_touch(remote, there, 4096, 0, 0);
    ASSERT_OK(other->used({remote, {}, {to}, {}}, &read));
    ASSERT_OK(other->wait(read));
    EXPECT_EQ(*reinterpret_cast<unsigned char*>(there + 4095), 4);
    EXPECT_EQ(gpu.stats().peer_bytes, 8192u);
    other.reset();
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
    ASSERT_EQ(fake_live(), 0u);
  }
}

// Few slots, many owners: what is read back is what its owner wrote, whatever the streams do.
TEST(RaceTest, TinyPoolUnderPressureKeepsEveryPage) {
  for (uint64_t seed = 1; seed <= schedules() / 4; ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    Rig rig(fake, with_slots(4, 512));
    ASSERT_OK(rig.status);
    Gpu& gpu = *rig.gpu;
    {
      constexpr uint32_t kPages = 12;
      PinnedBytes host(gpu, kPages * 512);
      const Stream streams[3] = {fake_stream(0), fake_stream(0), fake_stream(0)};
      kvc::Random random(seed);
      std::vector<int> expected(kPages, 0), where(kPages, -1);
      std::vector<Fence> stored(kPages, 0);
      for (int i = 0; i < 60; ++i) {
        const uint32_t page = static_cast<uint32_t>(random.next() % kPages);
        const auto stream = [&] { return streams[random.next() % 3]; };
        if (where[page] < 0) {
          uint32_t slot = 0;
          while (!gpu.slots().acquire(1, &slot).is_ok()) {
            // Somebody's page goes to the host.
            const uint32_t victim = static_cast<uint32_t>(random.next() % kPages);
            if (where[victim] < 0) continue;
            const uint32_t from = static_cast<uint32_t>(where[victim]);
            DevicePtr at = 0;
            ASSERT_OK(gpu.slots().address(from, &at));
            ASSERT_OK(gpu.copy(Direction::to_host, {{host.at(victim * 512), at, 512}}, {stream(), {}, {from}, {}},
                               &stored[victim]));
            ASSERT_OK(gpu.slots().release(1, &from));
            where[victim] = -1;
          }
          where[page] = static_cast<int>(slot);
          DevicePtr at = 0;
          ASSERT_OK(gpu.slots().address(slot, &at));
          // The load waits for the store of the same bytes: that is what its fence is for.
          ASSERT_OK(gpu.copy(Direction::to_device, {{at, host.at(page * 512), 512}},
                             {stream(), {stored[page]}, {}, {slot}}, &stored[page]));
        }
        const uint32_t slot = static_cast<uint32_t>(where[page]);
        DevicePtr at = 0;
        ASSERT_OK(gpu.slots().address(slot, &at));
        const Order order{stream(), {}, {}, {slot}};
        ASSERT_OK(gpu.use(order));
        expected[page] = i + 1;
        fake_touch(order.stream, at, 512, 1, static_cast<uint8_t>(i + 1));
        ASSERT_OK(gpu.used(order, nullptr));
      }
      for (uint32_t page = 0; page < kPages; ++page) {
        if (where[page] >= 0) {
          const uint32_t slot = static_cast<uint32_t>(where[page]);
          DevicePtr at = 0;
          ASSERT_OK(gpu.slots().address(slot, &at));
          ASSERT_OK(gpu.copy(Direction::to_host, {{host.at(page * 512), at, 512}},
                             {streams[0], {stored[page]}, {slot}, {}}, &stored[page]));
        }
        ASSERT_OK(gpu.wait(stored[page]));
        for (int b = 0; b < 512; ++b)
          ASSERT_EQ(host.bytes[page * 512 + static_cast<size_t>(b)], expected[page]) << "seed " << seed;
      }
    }
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
}

}  // namespace
}  // namespace kvc_cuda
