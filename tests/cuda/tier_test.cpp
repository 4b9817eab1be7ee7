// The device tier on the fake driver: the contract of tiers.
#include "tier/device_tier.h"

#include "../unit/tier_contract.h"
#include "tier_rig.h"

namespace kvc {
namespace {

struct DevicePlace final : Place {
  explicit DevicePlace(uint64_t limit) : bytes(limit) {
    FakeOptions fake;
    fake_reset(&fake);
    DeviceTierOptions options;
    options.limit = limit;
    const Status status = DeviceTier::open(kvc_cuda::fake_api(), options, &device);
    EXPECT_TRUE(status.is_ok()) << status.message();
  }
  ~DevicePlace() override {
    device.reset();
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
  Tier& tier() override { return *device; }
  uint64_t used() const override { return device->used(); }
  uint64_t limit() const override { return bytes; }
  const uint64_t bytes;
  std::unique_ptr<DeviceTier> device;
};

const TierCase kDevice[] = {
    {"device", KVC_TIER_DEVICE, false, [](uint64_t limit) { return std::make_unique<DevicePlace>(limit); }}};

INSTANTIATE_TEST_SUITE_P(Device, TierContractTest, testing::ValuesIn(kDevice),
                         [](const auto& test) { return test.param.name; });

DeviceTierOptions limited(uint64_t bytes) {
  DeviceTierOptions options;
  options.limit = bytes;
  return options;
}

TEST(DeviceTierTest, TakesLessWhereTheDeviceHasLess) {
  FakeOptions fake;
  fake.device_bytes = 3 << 20;
  fake_reset(&fake);
  std::unique_ptr<DeviceTier> tier;
  ASSERT_OK(DeviceTier::open(kvc_cuda::fake_api(), limited(8 << 20), &tier));
  Slot slot;
  ASSERT_OK(tier->reserve(4096, &slot));
  std::vector<Slot> all{slot};
  while (tier->reserve(4096, &slot).is_ok()) all.push_back(slot);
  EXPECT_EQ(all.size(), (size_t{2} << 20) / 4096) << "a quarter of 8 MiB";
  for (const Slot one : all) tier->release(one);
}

TEST(DeviceTierTest, SaysWhatDoesNotFit) {
  FakeOptions fake;
  fake.device_bytes = 1 << 16;
  fake_reset(&fake);
  std::unique_ptr<DeviceTier> tier;
  ASSERT_OK(DeviceTier::open(kvc_cuda::fake_api(), limited(4 << 20), &tier));
  Slot slot;
  const Status more = tier->reserve(5 << 20, &slot);
  EXPECT_EQ(more.code(), KVC_E_NO_MEMORY);
  EXPECT_NE(more.message().find("5242880"), std::string::npos) << more.message();
  EXPECT_EQ(tier->reserve(4096, &slot).code(), KVC_E_NO_MEMORY) << "after three tries, of the whole, a half, a quarter";
  EXPECT_FALSE(slot);
}

TEST(DeviceTierTest, IsLostAfterAStickyError) {
  FakeOptions fake;
  fake_reset(&fake);
  std::unique_ptr<DeviceTier> tier;
  ASSERT_OK(DeviceTier::open(kvc_cuda::fake_api(), limited(1 << 20), &tier));
  Slot slot;
  ASSERT_OK(tier->reserve(4096, &slot));
  std::vector<std::byte> page(4096);
  PageRecord record;
  record.payload = page;
  fake_fail_operation(1, 700);
  Status status = tier->write(slot, record);
  if (status.is_ok()) status = tier->read(slot, page);  // where the error shows later
  EXPECT_EQ(status.code(), KVC_E_DEVICE) << status.message();
  EXPECT_TRUE(tier->is_lost());
  const uint64_t calls = fake_calls();
  EXPECT_EQ(tier->reserve(4096, &slot).code(), KVC_E_DEVICE);
  tier->release(slot);
  EXPECT_EQ(fake_calls(), calls) << "the driver is not asked again";
}

}  // namespace
}  // namespace kvc
