// Opening a device on the fake driver: what is said of it, and that nothing stays where it fails.
#include "fake_rig.h"

namespace kvc_cuda {
namespace {

Status open_with(const FakeOptions& fake, GpuOptions options = {}) { return Rig(fake, std::move(options)).status; }

TEST(OpenTest, SaysWhatIsWrongWithADriver) {
  FakeOptions old;
  old.version = 12040;
  Status status = open_with(old);
  EXPECT_EQ(status.code(), KVC_E_UNSUPPORTED);
  EXPECT_NE(status.message().find("supports CUDA 12.4, kvc's kernels need 13.0"), std::string::npos)
      << status.message();
  FakeOptions none;
  none.devices = 0;
  EXPECT_EQ(open_with(none).code(), KVC_E_UNSUPPORTED);
  for (const auto& [result, code] : {std::pair<int, kvc_status_t>{abi::kNoDevice, KVC_E_UNSUPPORTED},
                                     {abi::kStubLibrary, KVC_E_UNSUPPORTED},
                                     {abi::kSystemDriverMismatch, KVC_E_UNSUPPORTED},
                                     {abi::kDeviceUnavailable, KVC_E_BUSY}}) {
    FakeOptions fake;
    fake.init_result = result;
    status = open_with(fake);
    EXPECT_EQ(status.code(), code) << result;
    EXPECT_NE(status.message().find(std::to_string(result)), std::string::npos) << status.message();
  }
  GpuOptions third;
  third.device = 2;
  FakeOptions two;
  two.devices = 2;
  EXPECT_NE(open_with(two, third).message().find("devices 0 to 1"), std::string::npos);
}

TEST(OpenTest, GivesEverythingBackWhereverItFails) {
  FakeOptions fake;
  ASSERT_OK(open_with(fake, with_slots(4)));
  Rig whole(fake, with_slots(4));
  const uint64_t calls = fake_calls();
  for (uint64_t k = 1; k <= calls; ++k) {
    for (const int code : {abi::kOutOfMemory, abi::kInvalidValue, abi::kUnknown, abi::kLaunchFailed}) {
      Rig rig;
      rig.gpu.reset();
      fake_reset(&fake);
      fake_fail_call(k, code);
      std::shared_ptr<const Driver> driver;
      Status status = Driver::open(KVC_TEST_FAKE_DRIVER, &driver);
      std::unique_ptr<Gpu> gpu;
      if (status.is_ok()) status = Gpu::open(driver, kNoKernels, with_slots(4), &gpu);
      gpu.reset();
      // Only the calls that give a thread its own back may fail unnoticed.
      EXPECT_EQ(fake_live(), 0u) << "call " << k << ", code " << code;
      EXPECT_EQ(fake_violations(), 0u) << fake_first_violation() << " call " << k << ", code " << code;
    }
  }
}

}  // namespace
}  // namespace kvc_cuda
