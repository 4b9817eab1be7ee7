// Utilisation by NVML: told where it is there, not known where it is not.
#include "nvml.h"

#include <thread>

#include "fake_rig.h"

extern "C" void fake_nvml_set(const char* id, unsigned gpu, int code);
extern "C" int fake_nvml_calls();

namespace kvc_cuda {
namespace {

class NvmlTest : public testing::Test {
 protected:
  NvmlTest() : rig_(FakeOptions{}, with_slots(0)) {}
  void SetUp() override {
    ASSERT_OK(rig_.status);
    abi::Uuid uuid{};
    ASSERT_EQ(rig_.driver->call().cuDeviceGetUuid(&uuid, rig_.gpu->device().handle()), 0);
    char* to = id_ + std::snprintf(id_, sizeof id_, "GPU-");
    for (int i = 0; i < 16; ++i) {
      to += std::snprintf(to, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
                          static_cast<unsigned char>(uuid.bytes[i]));
    }
    Utilization::set_library(KVC_TEST_FAKE_NVML);
  }
  void TearDown() override { Utilization::set_library(nullptr); }
  Device& device() { return rig_.gpu->device(); }
  Rig rig_;
  char id_[64] = {};
};

TEST_F(NvmlTest, TellsTheShareOfThisDevice) {
  fake_nvml_set(id_, 37, 0);
  Utilization utilization;
  EXPECT_DOUBLE_EQ(utilization.share(device()), 0.37);
  // Not asked again at once.
  fake_nvml_set(id_, 90, 0);
  EXPECT_DOUBLE_EQ(utilization.share(device()), 0.37);
  EXPECT_EQ(fake_nvml_calls(), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  EXPECT_DOUBLE_EQ(utilization.share(device()), 0.9);
}

TEST_F(NvmlTest, DoesNotKnowWhereNvmlDoesNot) {
  fake_nvml_set("GPU-another", 37, 0);
  EXPECT_EQ(Utilization().share(device()), -1);
  fake_nvml_set(id_, 37, 3);  // NVML_ERROR_NOT_SUPPORTED, as for a part of a device (MIG)
  EXPECT_EQ(Utilization().share(device()), -1);
  fake_nvml_set(id_, 250, 0);
  EXPECT_EQ(Utilization().share(device()), -1);
  Utilization::set_library("libnvml_that_is_nowhere.so.1");
  EXPECT_EQ(Utilization().share(device()), -1);
  Utilization::set_library("libm.so.6");
  EXPECT_EQ(Utilization().share(device()), -1);
}

}  // namespace
}  // namespace kvc_cuda
