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

}  // namespace
}  // namespace kvc_cuda
