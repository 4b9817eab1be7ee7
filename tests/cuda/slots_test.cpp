// Slots of device memory: their budget, and who asks for them.
#include "fake_rig.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;

TEST(SlotsTest, HoldTheirBudgetAndAskForRoomThreeTimes) {
  int asked = 0;
  Gpu* gpu = nullptr;
  std::vector<uint32_t> mine(3);
  GpuOptions options = with_slots(3);
  options.reclaim = [&](uint64_t bytes) {
    EXPECT_EQ(bytes, 4096u);
    // The third time something is given back.
    if (++asked % 3 != 0) return true;
    EXPECT_OK(gpu->slots().release(1, mine.data()));
    return true;
  };
  FakeOptions fake;
  Rig rig(fake, std::move(options));
  ASSERT_OK(rig.status);
  gpu = rig.gpu.get();
  ASSERT_OK(gpu->slots().acquire(3, mine.data()));
  EXPECT_EQ(gpu->slots().in_use(), 3u);
  uint32_t more = 0;
  ASSERT_OK(gpu->slots().acquire(1, &more));
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(more, mine[0]);
  EXPECT_EQ(gpu->slots().acquire(4, mine.data()).code(), KVC_E_NO_MEMORY);
  EXPECT_EQ(asked, 3) << "more than there is: nothing that is given back would help";
}

TEST(SlotsTest, SayThatThereIsNoRoom) {
  int asked = 0;
  GpuOptions options = with_slots(1);
  options.reclaim = [&](uint64_t) { return ++asked > 0; };
  Rig rig({}, std::move(options));
  uint32_t slot = 0;
  ASSERT_OK(rig.gpu->slots().acquire(1, &slot));
  const Status status = rig.gpu->slots().acquire(1, &slot);
  EXPECT_EQ(status.code(), KVC_E_NO_MEMORY);
  EXPECT_NE(status.message().find("1 of 1 are in use"), std::string::npos) << status.message();
  EXPECT_EQ(asked, 3);
  FakeOptions small;
  small.device_bytes = 10000;
  asked = 0;
  GpuOptions large = with_slots(100);
  large.reclaim = [&](uint64_t) { return ++asked > 0; };
  EXPECT_EQ(Rig(small, std::move(large)).status.code(), KVC_E_NO_MEMORY);
  EXPECT_EQ(asked, 3);
}

TEST(SlotsTest, RefuseWhatIsNotInUse) {
  Rig rig({}, with_slots(3));
  uint32_t slots[3] = {};
  ASSERT_OK(rig.gpu->slots().acquire(2, slots));
  const uint32_t twice[] = {slots[0], slots[0]};
  EXPECT_EQ(rig.gpu->slots().release(2, twice).code(), KVC_E_INVALID);
  EXPECT_EQ(rig.gpu->slots().in_use(), 2u) << "none was given back";
  const uint32_t beyond[] = {slots[0], 77};
  EXPECT_EQ(rig.gpu->slots().release(2, beyond).code(), KVC_E_INVALID);
  EXPECT_OK(rig.gpu->slots().release(2, slots));
  DevicePtr at = 0;
  EXPECT_EQ(rig.gpu->slots().address(slots[0], &at).code(), KVC_E_INVALID);
  EXPECT_EQ(rig.gpu->use({fake_stream(0), {}, {slots[0]}, {}}).code(), KVC_E_INVALID);
}

}  // namespace
}  // namespace kvc_cuda
