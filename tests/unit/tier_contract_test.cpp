// The contract of tiers (tier_contract.h) over host and disk. A new tier adds its line to kTiers.
#include "tier_contract.h"

#include <map>
#include <mutex>
#include <string>

#include "disk_fixture.h"
#include "tier/disk/store.h"
#include "tier/host_tier.h"

namespace kvc {
namespace {

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

const TierCase kTiers[] = {
    {"host", KVC_TIER_HOST, false, [](uint64_t limit) { return std::make_unique<HostPlace>(limit); }},
    {"disk", KVC_TIER_DISK, true, [](uint64_t limit) { return std::make_unique<DiskPlace>(limit); }},
};

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
