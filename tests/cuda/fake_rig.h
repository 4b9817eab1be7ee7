// A Gpu on the fake driver, and what an application around it does.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "fake/fake_driver.h"
#include "gpu.h"

namespace kvc_cuda {

inline constexpr unsigned char kNoKernels[1] = {};

inline bool quick() { return std::getenv("KVC_TEST_QUICK") != nullptr; }
// Schedules of a sweep; every test that takes them is deterministic in the seed.
inline uint64_t schedules() { return quick() ? 100 : 1000; }

struct Rig {
  explicit Rig(FakeOptions fake = {}, GpuOptions options = {}) {
    fake_reset(&fake);
    status = Driver::open(KVC_TEST_FAKE_DRIVER, &driver);
    if (status.is_ok()) status = Gpu::open(driver, kNoKernels, std::move(options), &gpu);
  }
  Status status;
  std::shared_ptr<const Driver> driver;
  std::unique_ptr<Gpu> gpu;
};

inline GpuOptions with_slots(uint32_t slots, uint64_t bytes = 4096) {
  GpuOptions options;
  options.slots = slots, options.slot_bytes = bytes, options.staging_bytes = 4096;
  return options;
}

// Memory that is registered as long as it lives.
struct PinnedBytes {
  PinnedBytes(Gpu& g, size_t n) : gpu(g), bytes(n) { EXPECT_TRUE(gpu.pinned().pin(bytes.data(), n).is_ok()); }
  ~PinnedBytes() { (void)gpu.pinned().unpin(bytes.data()); }
  uint64_t at(size_t i = 0) { return reinterpret_cast<uint64_t>(&bytes[i]); }
  Gpu& gpu;
  std::vector<unsigned char> bytes;
};

#define EXPECT_OK(expression)                                \
  do {                                                       \
    const ::kvc::Status status_ok_ = (expression);           \
    EXPECT_TRUE(status_ok_.is_ok()) << status_ok_.message(); \
  } while (false)
#define ASSERT_OK(expression)                                \
  do {                                                       \
    const ::kvc::Status status_ok_ = (expression);           \
    ASSERT_TRUE(status_ok_.is_ok()) << status_ok_.message(); \
  } while (false)

}  // namespace kvc_cuda
