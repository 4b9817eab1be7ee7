// Places smaller than a slot, on the fake driver: parts of slots that are cut up and become whole again.
#include <algorithm>
#include <map>
#include <optional>

#include "codec/codec.h"
#include "part_size.h"
#include "session_rig.h"
#include "tier/device_tier.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;
using abi::Stream;
using kvc::DeviceTier;
using kvc::PageRecord;
using kvc::Slot;

constexpr kvc::PageGeometry page_of_a_model(kvc::DType dtype = kvc::DType::f16) {
  kvc::PageGeometry g;
  g.n_layers = 8, g.n_kv_heads = 2, g.k_dim = g.v_dim = 128, g.page_tokens = 16, g.dtype = dtype;
  return g;
}

size_t encoded_bytes(const char* codec, kvc::DType dtype = kvc::DType::f16) {
  return kvc::find_codec(codec)->encoded_bytes(page_of_a_model(dtype), kvc::EncodeOptions());
}

class PartsTest : public testing::Test {
 protected:
  void open(uint64_t limit) { open(limit, kPage); }
  void open(uint64_t limit, size_t page) {
    tier.reset();
    FakeOptions fake;
    fake_reset(&fake);
    kvc::DeviceTierOptions options;
    options.limit = limit;
    ASSERT_OK(DeviceTier::open(fake_api(), options, &tier));
    tier->expect(page);
  }
  void TearDown() override {
    tier.reset();
    expect_clean();
  }
  std::vector<Slot> fill(size_t bytes) {
    std::vector<Slot> slots;
    Slot slot;
    while (tier->reserve(bytes, &slot).is_ok()) slots.push_back(slot);
    EXPECT_LE(tier->used(), tier->limit());
    return slots;
  }
  void release(const std::vector<Slot>& slots) {
    for (const Slot slot : slots) tier->release(slot);
  }

  const size_t kPage = page_of_a_model().page_bytes();
  std::unique_ptr<DeviceTier> tier;
};

TEST(PartSizeTest, CutsUpWhatHoldsMoreParts) {
  constexpr uint64_t kSlot = 1 << 20;
  EXPECT_EQ(cut_for(kSlot, 100, kSlot).slots, 0u) << "a slot holds one";
  EXPECT_EQ(cut_for(kSlot, 100, kSlot / 4).slots, 1u);
  EXPECT_EQ(cut_for(kSlot, 100, kSlot / 4).part, kSlot / 4);
  EXPECT_EQ(cut_for(512, 100, 100).part, 256u);
  for (uint64_t bytes = 1; bytes < kSlot; bytes += 1021) {
    for (const uint32_t count : {1u, 8u, 100u}) {
      const Cut cut = cut_for(kSlot, count, bytes);
      ASSERT_LE(cut.slots, std::max(count / 4, 1u));
      if (cut.slots > 0) {
        ASSERT_GE(cut.part, bytes);
        ASSERT_EQ(cut.part % kSlotUnit, 0u);
        ASSERT_GT(cut.slots * kSlot / cut.part, cut.slots);
      }
      if (count == 100 && bytes > kSlot / 64 && bytes <= kSlot * 3 / 4) {
        ASSERT_GE(cut.slots * kSlot / cut.part * bytes * 100, cut.slots * kSlot * 85) << bytes;
      }
    }
  }
}

// int4 has scales: of 16 bits it makes a third.
TEST_F(PartsTest, EncodedPagesTakeTheRoomThatTheyNeed) {
  constexpr size_t kPages = 32;
  for (const auto& [dtype, times] : {std::pair{kvc::DType::f16, 3.0}, std::pair{kvc::DType::f32, 6.0}}) {
    const size_t page = page_of_a_model(dtype).page_bytes();
    open(kPages * page, page);
    release(fill(page));
    for (const char* codec : {"int4", "int8", "mixed"}) {
      const size_t bytes = encoded_bytes(codec, dtype);
      const std::vector<Slot> slots = fill(bytes);
      EXPECT_GE(slots.size() * bytes * 10, tier->limit() * 9) << codec << " " << slots.size();
      EXPECT_GE(tier->used(), slots.size() * bytes);
      if (std::string_view(codec) == "int4") {
        EXPECT_GE(static_cast<double>(slots.size()), times * kPages);
      }
      release(slots);
      EXPECT_EQ(tier->used(), 0u);
    }
    EXPECT_EQ(fill(page).size(), kPages) << "all slots are whole again";
  }
}

TEST_F(PartsTest, WhatIsFullGetsTheRoomThatOthersLeave) {
  open(16 * kPage);
  const std::vector<Slot> small = fill(encoded_bytes("int4"));
  Slot slot;
  EXPECT_EQ(tier->reserve(kPage, &slot).code(), KVC_E_NO_MEMORY);
  EXPECT_EQ(tier->reserve(encoded_bytes("int8"), &slot).code(), KVC_E_NO_MEMORY);
  // Those of the last quarter, one after the other: what was cut up together becomes whole together.
  std::vector<Slot> left;
  for (const Slot one : small) {
    if (tier->address(one) < tier->base() + 12 * kPage) {
      left.push_back(one);
    } else {
      tier->release(one);
    }
  }
  const std::vector<Slot> large = fill(kPage);
  EXPECT_GE(large.size(), 3u);
  // And back.
  release({large.begin(), large.begin() + 2});
  EXPECT_GE(fill(encoded_bytes("int8")).size(), 2u);
  EXPECT_EQ(tier->reserve(kPage, &slot).code(), KVC_E_NO_MEMORY);
  EXPECT_LE(tier->used(), tier->limit());
}

TEST_F(PartsTest, AMixNeverExceedsTheBudgetAndKeepsEveryByte) {
  open(12 * kPage + 100);
  const size_t sizes[] = {kPage, encoded_bytes("int8"), encoded_bytes("int4"), 3 * kPage, 200,
                          kPage / 3, kPage / 2 + 1};
  struct Taken {
    Slot slot;
    std::byte fill;
  };
  std::map<uint64_t, Taken> taken;  // by address
  Random random(7);
  uint64_t refused = 0, used = 0;
  for (int step = 0; step < (quick() ? 500 : 3000); ++step) {
    // Full and nearly empty by turns.
    if (taken.empty() || random.next() % 100 < (step / 100 % 2 == 0 ? 80u : 30u)) {
      Slot slot;
      const size_t bytes = sizes[random.next() % std::size(sizes)];
      const Status status = tier->reserve(bytes, &slot);
      if (status.code() == KVC_E_NO_MEMORY) {
        ++refused;
        ASSERT_EQ(tier->used(), used);
        continue;
      }
      ASSERT_OK(status);
      const uint64_t at = tier->address(slot);
      ASSERT_GE(at, tier->base());
      ASSERT_LE(at + bytes, tier->base() + tier->limit());
      ASSERT_EQ(tier->base() + static_cast<uint64_t>(tier->page(slot)) * DeviceTier::kPageStride, at);
      const auto after = taken.lower_bound(at);
      if (after != taken.end()) {
        ASSERT_LE(at + bytes, after->first);
      }
      if (after != taken.begin()) {
        const auto before = std::prev(after);
        ASSERT_LE(before->first + DeviceTier::bytes_of(before->second.slot), at);
      }
      const auto fill = static_cast<std::byte>(random.next());
      const std::vector<std::byte> payload(bytes, fill);
      PageRecord record;
      record.payload = payload;
      ASSERT_OK(tier->write(slot, record));
      taken[at] = {slot, fill};
    } else {
      const auto at = std::next(taken.begin(), static_cast<ptrdiff_t>(random.next() % taken.size()));
      std::vector<std::byte> got(DeviceTier::bytes_of(at->second.slot));
      ASSERT_OK(tier->read(at->second.slot, got));
      ASSERT_TRUE(std::ranges::all_of(got, [&](std::byte byte) { return byte == at->second.fill; }));
      tier->release(at->second.slot);
      taken.erase(at);
    }
    used = tier->used();
    ASSERT_LE(used, tier->limit());
    ASSERT_GE(used, tier->stats().bytes);
    ASSERT_EQ(tier->stats().pages, taken.size());
  }
  EXPECT_GT(refused, 20u);
  for (const auto& [at, one] : taken) tier->release(one.slot);
  EXPECT_EQ(tier->used(), 0u);
  EXPECT_EQ(fill(kPage).size(), 12u);
}

TEST(PartTest, IsNamedLikeASlot) {
  Rig rig({}, with_slots(8, 4096));
  ASSERT_OK(rig.status);
  Slots& slots = rig.gpu->slots();
  uint32_t whole = 0, part[3] = {};
  DevicePtr at[3] = {};
  ASSERT_OK(slots.acquire_place(4000, &whole));
  EXPECT_LT(whole, 8u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK(slots.acquire_place(1000, &part[i]));
    EXPECT_GE(part[i], 8u);
    ASSERT_OK(slots.address(part[i], &at[i]));
  }
  EXPECT_EQ(at[1], at[0] + 1024);
  EXPECT_EQ(slots.in_use(), 2u);
  // Neither the slot beneath, nor what lies between parts, nor a part that is free.
  for (const uint32_t none : {whole + 1, part[0] + 1, part[2] + 4, part[2] + 8, 8u + 8 * 16, UINT32_MAX}) {
    EXPECT_EQ(slots.release(1, &none).code(), KVC_E_INVALID) << none;
    EXPECT_EQ(rig.gpu->use({fake_stream(0), {}, {none}, {}}).code(), KVC_E_INVALID) << none;
    EXPECT_EQ(rig.gpu->copy(Direction::to_host, {}, {fake_stream(0), {}, {}, {none}}, nullptr).code(), KVC_E_INVALID);
  }
  const uint32_t twice[] = {part[0], part[1], part[0]};
  EXPECT_EQ(slots.release(3, twice).code(), KVC_E_INVALID);
  EXPECT_OK(slots.address(part[1], &at[1]));  // none was given back
  // A part that goes between use() and used(): the stream is waited for, and its memory may be another's.
  const Stream stream = fake_stream(0);
  ASSERT_OK(rig.gpu->use({stream, {}, {}, {part[0]}}));
  fake_touch(stream, at[0], 1024, 1, 3);
  const uint32_t all[] = {part[0], part[1], part[2], whole};
  EXPECT_OK(slots.release(4, all));
  EXPECT_EQ(slots.in_use(), 0u);
  EXPECT_EQ(rig.gpu->used({stream, {}, {}, {part[0]}}, nullptr).code(), KVC_E_INVALID);
  EXPECT_EQ(*reinterpret_cast<unsigned char*>(at[0]), 3);
  uint32_t run = 0;
  EXPECT_OK(slots.acquire_run(8, &run));
  EXPECT_EQ(slots.acquire_place(1, &run).code(), KVC_E_NO_MEMORY);
  EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
}

// Slots are cut up and whole by turns while copies of those before are under way: nobody names them.
TEST(PartTest, NextOwnersComeAfterAllWhoUsedTheMemory) {
  constexpr uint32_t kPages = 14;
  constexpr uint64_t kSizes[] = {512, 4096, 1000, 1024, 300, 8192, 1500};
  constexpr uint64_t kMost = 8192;
  for (uint64_t seed = 1; seed <= schedules(); ++seed) {
    FakeOptions fake;
    fake.seed = seed;
    fake.batch = seed % 2 == 0;
    Rig rig(fake, with_slots(seed % 3 == 0 ? 8 : 3, 4096));
    ASSERT_OK(rig.status);
    Gpu& gpu = *rig.gpu;
    {
      PinnedBytes host(gpu, kPages * kMost);
      const Stream streams[3] = {fake_stream(0), fake_stream(0), fake_stream(0)};
      Random random(seed);
      std::vector<int> expected(kPages, 0);
      std::vector<std::optional<uint32_t>> where(kPages);
      std::vector<Fence> stored(kPages, 0);
      const auto size = [&](uint32_t page) { return kSizes[page % std::size(kSizes)]; };
      const auto slots = [&](uint32_t page) {
        std::vector<uint32_t> all{*where[page]};
        if (size(page) > 4096) all.push_back(all[0] + 1);
        return all;
      };
      const auto store = [&](uint32_t page) {
        DevicePtr at = 0;
        ASSERT_OK(gpu.slots().address(*where[page], &at));
        ASSERT_OK(gpu.copy(Direction::to_host, {{host.at(page * kMost), at, size(page)}},
                           {streams[random.next() % 3], {stored[page]}, slots(page), {}}, &stored[page]));
        ASSERT_OK(gpu.slots().release(static_cast<uint32_t>(slots(page).size()), slots(page).data()));
        where[page].reset();
      };
      for (int i = 0; i < 40; ++i) {
        const auto page = static_cast<uint32_t>(random.next() % kPages);
        const auto stream = [&] { return streams[random.next() % 3]; };
        DevicePtr at = 0;
        if (!where[page]) {
          uint32_t slot = 0;
          while (!gpu.slots().acquire_place(size(page), &slot).is_ok()) {
            const auto victim = static_cast<uint32_t>(random.next() % kPages);
            if (where[victim]) store(victim);
          }
          where[page] = slot;
          ASSERT_OK(gpu.slots().address(slot, &at));
          ASSERT_OK(gpu.copy(Direction::to_device, {{at, host.at(page * kMost), size(page)}},
                             {stream(), {stored[page]}, {}, slots(page)}, &stored[page]));
        }
        ASSERT_OK(gpu.slots().address(*where[page], &at));
        const Order order{stream(), {}, {}, slots(page)};
        ASSERT_OK(gpu.use(order));
        expected[page] = i + 1;
        fake_touch(order.stream, at, size(page), 1, static_cast<uint8_t>(i + 1));
        ASSERT_OK(gpu.used(order, nullptr));
      }
      for (uint32_t page = 0; page < kPages; ++page) {
        if (where[page]) store(page);
        ASSERT_OK(gpu.wait(stored[page]));
        for (uint64_t b = 0; b < size(page); ++b)
          ASSERT_EQ(host.bytes[page * kMost + b], expected[page]) << "seed " << seed;
      }
      EXPECT_EQ(gpu.slots().in_use(), 0u) << "all are whole";
    }
    rig.gpu.reset();
    ASSERT_EQ(fake_races(), 0u) << "seed " << seed << ": " << fake_first_race();
    ASSERT_EQ(fake_violations(), 0u) << fake_first_violation();
    ASSERT_EQ(fake_live(), 0u) << seed;
  }
}

class SessionPartsTest : public SessionDeviceTest {
 protected:
  SessionPartsTest() { shape = {16, 32}; }
  ~SessionPartsTest() override { shape = {}; }
};

// All pages of a sequence at once, of which a third would fill the device in the clear.
TEST_F(SessionPartsTest, ThreeTimesAsManyEncodedPagesAreThere) {
  constexpr size_t kBudget = 16, kPages = 3 * kBudget;
  BenchOptions setup;
  setup.codec = "int4";
  setup.device_memory = kBudget * shape.bytes();
  setup.memory = 8 << 20;
  start(kPages * shape.tokens, setup);
  append_here(0, kPages * shape.tokens);
  constexpr uint32_t kGroup = 2;
  const std::vector<float> query(kHeads * kGroup * shape.dim, 0.25f);
  kvc::DeviceAttend attend;
  attend.query = reinterpret_cast<const void*>(bench().application->put(query.data(), query.size() * sizeof(float)));
  attend.out = reinterpret_cast<void*>(bench().application->take(query.size() * sizeof(float)));
  attend.group = kGroup, attend.splits = 2, attend.layer = 0;
  attend.query_dtype = attend.out_dtype = KVC_F32;
  ASSERT_OK(session->device_attend_bytes(attend, kPages * shape.tokens, &attend.room_bytes));
  attend.room = bench().application->take(attend.room_bytes);
  uint64_t fence = 0;
  ASSERT_OK(session->device_attend(attend, bench().on(0), &fence));
  ASSERT_OK(bench().pages().wait(fence));
  EXPECT_GE(bench().stats().pages, kPages);
  EXPECT_EQ(bench().stats().demoted, 0u);
  EXPECT_LE(bench().set->tiers[0]->used(), bench().set->tiers[0]->limit());
  expect_the_hosts_bits(0, 4 * shape.tokens);
}

}  // namespace
}  // namespace kvc_cuda
