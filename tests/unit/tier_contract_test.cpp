// What src/tier/tier.h promises, held over every tier. A new tier adds its line to kTiers.
//
// The disk store is a ring: it never says that it is full, it forgets its oldest pages. That is its one difference, and
// every test says what it means there: a page that was forgotten is no answer, never another one.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "disk_fixture.h"
#include "tier/disk/store.h"
#include "tier/host_tier.h"

namespace kvc {
namespace {

// A tier with everything that it stands on.
struct Place {
  virtual ~Place() = default;
  virtual Tier& tier() = 0;
  virtual uint64_t used() const = 0;  // bytes that count against the limit
  virtual uint64_t limit() const = 0;
};

struct HostPlace final : Place {
  explicit HostPlace(uint64_t limit) : memory(nullptr, limit), pool(&memory), host(&memory, &pool) {}
  Tier& tier() override { return host; }
  uint64_t used() const override { return memory.used(); }
  uint64_t limit() const override { return memory.limit(); }
  Memory memory;
  PagePool pool;
  HostTier host;
};

// The disk store by slots: a slot's number is its page's identity.
class StoreTier final : public Tier {
 public:
  explicit StoreTier(uint64_t limit) {
    StoreOptions options;
    options.directory = directory_.path();
    options.budget = limit;
    options.segment_bytes = limit / 4;
    const Status status = DiskStore::open(options, &store_);
    EXPECT_TRUE(status.is_ok()) << status.message();
  }
  std::string_view name() const noexcept override { return "disk"; }
  int32_t kind() const noexcept override { return KVC_TIER_DISK; }
  Status reserve(size_t bytes, Slot* slot) override {
    if (bytes == 0) return error(KVC_E_INVALID, "a slot of 0 bytes");
    const std::lock_guard lock(mutex_);
    slot->value = ++last_;
    sizes_[last_] = bytes;
    return Status::ok();
  }
  Status write(Slot slot, const PageRecord& record) override {
    if (record.payload.size() != size_of(slot)) return error(KVC_E_INVALID, "another size than was reserved");
    PutPage page;
    page.record = record;
    page.record.id = id_of(slot);
    return store_->put(page);
  }
  Status read(Slot slot, std::span<std::byte> out) const override {
    const size_t size = size_of(slot);
    if (size == 0 || out.size() != size) return error(KVC_E_INVALID, "another size than was reserved");
    GetPage page;
    page.id = id_of(slot);
    page.tokens = kTokens;
    page.codec = 1;
    page.payload_bytes = out.size();
    page.out = out;
    const DiskMiss miss = store_->get(page);
    return miss == DiskMiss::none ? Status::ok() : error(KVC_E_NOT_FOUND, "%s", disk_miss_name(miss));
  }
  void release(Slot slot) noexcept override {
    if (size_of(slot) == 0) return;
    (void)store_->erase(id_of(slot));
    const std::lock_guard lock(mutex_);
    sizes_.erase(slot.value);
  }
  std::byte* map(Slot) const noexcept override { return nullptr; }
  TierStats stats() const noexcept override {
    const StoreStats stats = store_->stats();
    return {stats.pages, stats.payload_bytes};
  }
  DiskStore& store() { return *store_; }
  static inline const std::vector<int32_t> kTokens = {1, 2, 3};

 private:
  static PageId id_of(Slot slot) {
    PageId id;
    Random random(slot.value);
    for (auto& byte : id.bytes) byte = static_cast<uint8_t>(random.next());
    return id;
  }
  size_t size_of(Slot slot) const {
    const std::lock_guard lock(mutex_);
    const auto at = sizes_.find(slot.value);
    return at != sizes_.end() ? at->second : 0;
  }
  disk_test::TemporaryDirectory directory_;
  std::unique_ptr<DiskStore> store_;
  mutable std::mutex mutex_;
  std::map<uint64_t, size_t> sizes_;
  uint64_t last_ = 0;
};

struct DiskPlace final : Place {
  // Records are whole blocks, and a segment must hold the largest page of these tests.
  explicit DiskPlace(uint64_t limit) : budget(limit * 8), disk(budget) {}
  Tier& tier() override { return disk; }
  uint64_t used() const override { return const_cast<StoreTier&>(disk).store().stats().disk_bytes; }
  uint64_t limit() const override { return budget; }
  const uint64_t budget;
  StoreTier disk;
};

struct TierCase {
  const char* name;
  int32_t kind;
  bool forgets;
  std::function<std::unique_ptr<Place>(uint64_t limit)> make;
};

const TierCase kTiers[] = {
    {"host", KVC_TIER_HOST, false, [](uint64_t limit) { return std::make_unique<HostPlace>(limit); }},
    {"disk", KVC_TIER_DISK, true, [](uint64_t limit) { return std::make_unique<DiskPlace>(limit); }},
};

class TierContractTest : public testing::TestWithParam<TierCase> {
 protected:
  static constexpr uint64_t kLimit = 1 << 20;

  void SetUp() override {
    place_ = GetParam().make(kLimit);
    tier_ = &place_->tier();
  }

  static std::vector<std::byte> bytes(size_t n, uint64_t seed) {
    Random random(seed);
    std::vector<std::byte> out(n);
    for (auto& byte : out) byte = static_cast<std::byte>(random.next());
    return out;
  }

  Status write(Slot slot, std::span<const std::byte> payload) {
    PageRecord record;
    record.codec = 1;
    record.tokens = tokens_;
    record.payload = payload;
    return tier_->write(slot, record);
  }

  Slot store(std::span<const std::byte> payload) {
    Slot slot;
    const Status reserved = tier_->reserve(payload.size(), &slot);
    EXPECT_TRUE(reserved.is_ok()) << reserved.message();
    const Status written = write(slot, payload);
    EXPECT_TRUE(written.is_ok()) << written.message();
    return slot;
  }

  // A tier that forgets has the newest, and nothing wrong.
  void overflow() {
    constexpr size_t kBytes = 10'000;
    std::vector<Slot> slots;
    for (size_t i = 0; i < 2 * place_->limit() / kBytes; ++i) {
      slots.push_back(store(bytes(kBytes, i)));
      ASSERT_LE(place_->used(), place_->limit());
    }
    size_t found = 0;
    std::vector<std::byte> out(kBytes);
    for (size_t i = 0; i < slots.size(); ++i) {
      if (!tier_->read(slots[i], out).is_ok()) continue;
      ++found;
      ASSERT_EQ(out, bytes(kBytes, i)) << i;
    }
    EXPECT_EQ(found, tier_->stats().pages);
    EXPECT_GT(found, slots.size() / 8);
    EXPECT_LT(found, slots.size());
    for (size_t i = slots.size() - slots.size() / 10; i < slots.size(); ++i) {
      EXPECT_TRUE(tier_->read(slots[i], out).is_ok()) << "of the newest, " << i;
    }
    for (const Slot slot : slots) tier_->release(slot);
    EXPECT_EQ(tier_->stats().pages, 0u);
    tier_->release(store(bytes(kLimit / 10 * 9, 9)));
  }

  // Any other says that it is full, and keeps serving.
  void fill() {
    constexpr size_t kBytes = 10'000;
    std::vector<Slot> slots;
    Status status;
    for (;;) {
      Slot slot;
      status = tier_->reserve(kBytes, &slot);
      if (!status.is_ok()) {
        EXPECT_FALSE(slot);
        break;
      }
      ASSERT_TRUE(write(slot, bytes(kBytes, slots.size())).is_ok());
      slots.push_back(slot);
      ASSERT_LE(place_->used(), place_->limit());
      ASSERT_LT(slots.size(), 1000u);
    }
    EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
    EXPECT_NE(status.message().find("10000"), std::string::npos) << status.message();
    EXPECT_GE(slots.size(), kLimit / kBytes * 9 / 10);
    const uint64_t used = place_->used();
    for (int i = 0; i < 5; ++i) {
      Slot slot;
      EXPECT_EQ(tier_->reserve(kBytes, &slot).code(), KVC_E_NO_MEMORY);
    }
    EXPECT_EQ(place_->used(), used) << "refusals cost room";
    std::vector<std::byte> out(kBytes);
    for (size_t i = 0; i < slots.size(); ++i) {
      ASSERT_TRUE(tier_->read(slots[i], out).is_ok());
      EXPECT_EQ(out, bytes(kBytes, i));
    }
    // The room of one that leaves is room for the next, of another size too.
    tier_->release(slots.back());
    slots.back() = store(bytes(kBytes - 100, 1));
    tier_->release(slots.back());
    slots.pop_back();
    for (const Slot slot : slots) tier_->release(slot);
    const auto large = bytes(kLimit / 10 * 9, 9);
    tier_->release(store(large));
  }

  const std::vector<int32_t> tokens_ = {1, 2, 3};
  std::unique_ptr<Place> place_;
  Tier* tier_ = nullptr;
};

TEST_P(TierContractTest, SaysWhatItIs) {
  EXPECT_EQ(tier_->name(), GetParam().name);
  EXPECT_EQ(tier_->kind(), GetParam().kind);
}

TEST_P(TierContractTest, ReadsBackWhatWasWritten) {
  std::vector<std::pair<Slot, std::vector<std::byte>>> stored;
  for (const size_t n : {size_t{1}, size_t{63}, size_t{64}, size_t{4096}, size_t{100'001}}) {
    auto payload = bytes(n, n);
    stored.emplace_back(store(payload), payload);
  }
  for (const auto& [slot, payload] : stored) {
    std::vector<std::byte> out(payload.size());
    ASSERT_TRUE(tier_->read(slot, out).is_ok());
    EXPECT_EQ(out, payload);
    const std::byte* mapped = tier_->map(slot);
    EXPECT_TRUE(mapped == nullptr || std::memcmp(mapped, payload.data(), payload.size()) == 0);
  }
  EXPECT_EQ(tier_->stats().pages, 5u);
  EXPECT_EQ(tier_->stats().bytes, 1u + 63 + 64 + 4096 + 100'001);
  for (const auto& [slot, payload] : stored) tier_->release(slot);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

TEST_P(TierContractTest, SlotsAreDistinctAndNeverNone) {
  const auto payload = bytes(1000, 1);
  const Slot a = store(payload), b = store(payload);
  EXPECT_TRUE(a);
  EXPECT_TRUE(b);
  EXPECT_NE(a.value, b.value);
  tier_->release(a);
  tier_->release(b);
}

TEST_P(TierContractTest, WrongSizesAreRefused) {
  Slot slot;
  EXPECT_EQ(tier_->reserve(0, &slot).code(), KVC_E_INVALID);
  EXPECT_FALSE(slot);
  const auto payload = bytes(1000, 1);
  slot = store(payload);
  EXPECT_EQ(write(slot, std::span(payload).first(999)).code(), KVC_E_INVALID);
  std::vector<std::byte> out(1001);
  EXPECT_EQ(tier_->read(slot, out).code(), KVC_E_INVALID);
  EXPECT_EQ(tier_->read(slot, std::span(out).first(999)).code(), KVC_E_INVALID);
  EXPECT_TRUE(tier_->read(slot, std::span(out).first(1000)).is_ok());
  tier_->release(slot);
}

TEST_P(TierContractTest, NoSlotIsHarmless) {
  std::vector<std::byte> out(10);
  EXPECT_EQ(tier_->read(Slot{}, out).code(), KVC_E_INVALID);
  EXPECT_EQ(write(Slot{}, out).code(), KVC_E_INVALID);
  EXPECT_EQ(tier_->map(Slot{}), nullptr);
  tier_->release(Slot{});
  EXPECT_EQ(tier_->stats().pages, 0u);
}

TEST_P(TierContractTest, WritingInPlaceIsAllowed) {
  const auto payload = bytes(5000, 3);
  Slot slot;
  ASSERT_TRUE(tier_->reserve(payload.size(), &slot).is_ok());
  std::byte* mapped = tier_->map(slot);
  EXPECT_EQ(mapped == nullptr, GetParam().kind == KVC_TIER_DISK);
  if (mapped != nullptr) std::memcpy(mapped, payload.data(), payload.size());
  ASSERT_TRUE(write(slot, {mapped != nullptr ? mapped : payload.data(), payload.size()}).is_ok());
  std::vector<std::byte> out(payload.size());
  ASSERT_TRUE(tier_->read(slot, out).is_ok());
  EXPECT_EQ(out, payload);
  tier_->release(slot);
}

TEST_P(TierContractTest, AFullTierKeepsServing) {
  if (GetParam().forgets) {
    overflow();
  } else {
    fill();
  }
}

TEST_P(TierContractTest, EndsWithNothingInUse) {
  Random random(11);
  std::vector<std::pair<Slot, uint64_t>> live;
  for (int step = 0; step < 500; ++step) {
    if (random.next() % 2 == 0 && live.size() < 30) {
      live.emplace_back(store(bytes(1000 + random.next() % 3 * 1000, step)), step);
    } else if (!live.empty()) {
      const size_t i = random.next() % live.size();
      tier_->release(live[i].first);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(i));
    }
    EXPECT_EQ(tier_->stats().pages, live.size());
    EXPECT_LE(place_->used(), place_->limit());
  }
  for (const auto& [slot, seed] : live) tier_->release(slot);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

TEST_P(TierContractTest, ManyThreads) {
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  std::atomic<int> full{0};
  for (uint64_t seed = 0; seed < 4; ++seed) {
    threads.emplace_back([&, seed] {
      Random random(seed);
      struct Mine {
        Slot slot;
        std::vector<std::byte> payload;
      };
      std::vector<Mine> mine;
      for (int step = 0; step < 400; ++step) {
        if (random.next() % 3 != 0) {
          Slot slot;
          const size_t n = 4096 << random.next() % 4;
          const Status status = tier_->reserve(n, &slot);
          if (status.is_ok()) {
            mine.push_back({slot, bytes(n, seed * 1000 + static_cast<uint64_t>(step))});
            if (!write(slot, mine.back().payload).is_ok()) ++wrong;
          } else {
            if (status.code() != KVC_E_NO_MEMORY) ++wrong;
            ++full;
          }
        } else if (!mine.empty()) {
          std::vector<std::byte> out(mine.back().payload.size());
          const bool read = tier_->read(mine.back().slot, out).is_ok();
          if (read ? out != mine.back().payload : !GetParam().forgets) ++wrong;
          tier_->release(mine.back().slot);
          mine.pop_back();
        }
        if (place_->used() > place_->limit()) ++wrong;
      }
      for (const Mine& one : mine) tier_->release(one.slot);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(full > 0, !GetParam().forgets);
  EXPECT_EQ(tier_->stats().pages, 0u);
  EXPECT_EQ(tier_->stats().bytes, 0u);
}

INSTANTIATE_TEST_SUITE_P(Tiers, TierContractTest, testing::ValuesIn(kTiers),
                         [](const auto& test) { return test.param.name; });

TEST(HostTierTest, HeadersAreMetadataAndPagesAreMappedAligned) {
  HostPlace place(1 << 20);
  Slot slot;
  ASSERT_TRUE(place.host.reserve(4096, &slot).is_ok());
  EXPECT_EQ(place.memory.used(MemoryUse::payload), 4096u);
  EXPECT_GT(place.memory.used(MemoryUse::metadata), 0u);
  EXPECT_LE(place.memory.used(MemoryUse::metadata), 16u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(place.host.map(slot)) % PagePool::alignment_of(4096), 0u);
  place.host.release(slot);
  EXPECT_EQ(place.memory.used(MemoryUse::payload), 0u);
  EXPECT_EQ(place.memory.used(MemoryUse::metadata), 0u);
}

// A budget that is full of kept pages has room for another slot: of their size at once, of others after trimming.
TEST(HostTierTest, KeptPagesMakeWay) {
  HostPlace place(100'000);
  std::vector<Slot> slots;
  for (Slot slot; place.host.reserve(9000, &slot).is_ok();) slots.push_back(slot);
  for (const Slot slot : slots) place.host.release(slot);
  EXPECT_GT(place.memory.used(MemoryUse::pooled), 90'000u);
  void* rest = place.memory.allocate(place.memory.limit() - place.memory.used(), 8, MemoryUse::metadata);
  const uint64_t rest_bytes = place.memory.used(MemoryUse::metadata);
  Slot slot;
  EXPECT_TRUE(place.host.reserve(9000, &slot).is_ok());
  place.host.release(slot);
  EXPECT_TRUE(place.host.reserve(50'000, &slot).is_ok());
  place.host.release(slot);
  place.memory.release(rest, rest_bytes, 8, MemoryUse::metadata);
}

}  // namespace
}  // namespace kvc
