// What the module says of a machine.
#include "describe.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "kernels.h"

// Tests run kernels on the host: none is embedded.
namespace kvc_cuda {
std::span<const std::byte> embedded_kernels() noexcept {
  static const std::byte none[1] = {};
  return none;
}

namespace {

TEST(DescribeTest, SaysThatThereIsNoDriver) {
  const std::string text = describe("libcuda_that_is_nowhere.so.1", "/proc/driver/nvidia/gpus");
  EXPECT_NE(text.find("\"runtime\":\"none\""), std::string::npos) << text;
  EXPECT_NE(text.find("no NVIDIA driver: libcuda_that_is_nowhere.so.1"), std::string::npos) << text;
}

TEST(DescribeTest, SaysThatALibraryIsNoDriver) {
  const std::string text = describe("libm.so.6", "/proc/driver/nvidia/gpus");
  EXPECT_NE(text.find("libm.so.6 is no NVIDIA driver"), std::string::npos) << text;
}

TEST(DescribeTest, TellsDevicesAndHowManyPartsTheyAreCutInto) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "kvc_describe";
  std::filesystem::remove_all(folder);
  for (const char* pci : {"0000:01:00.0", "0000:02:00.0"}) {
    std::filesystem::create_directories(folder / "gpus" / pci);
    std::ofstream(folder / "gpus" / pci / "information")
        << "Model: \t\t Fake GPU\nGPU UUID: \t GPU-" << pci << "\nDevice Minor: \t " << pci[6] - '1' << "\n";
  }
  for (const char* part : {"gi1/ci0", "gi1/ci1", "gi2/ci0"}) {
    std::filesystem::create_directories(folder / "capabilities" / "gpu1" / "mig" / part);
  }
  std::ofstream(folder / "capabilities" / "gpu1" / "mig" / "config") << "";
  const std::string text = describe(KVC_TEST_FAKE_DRIVER, (folder / "gpus").c_str());
  EXPECT_NE(text.find("\"runtime\":\"cuda\",\"driver\":\"13.0\""), std::string::npos) << text;
  EXPECT_NE(text.find("{\"name\":\"Fake GPU\",\"uuid\":\"GPU-0000:01:00.0\",\"pci\":\"0000:01:00.0\"}"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("\"pci\":\"0000:02:00.0\",\"mig\":3}"), std::string::npos) << text;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace kvc_cuda
