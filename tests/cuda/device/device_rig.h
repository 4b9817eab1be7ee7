// A device and some slots of its memory; without a device every test of DeviceTest says that it was skipped.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/random.h"
#include "gpu.h"
#include "host_kernels.h"
#include "kernels.h"

namespace kvc_cuda {

#define ASSERT_OK(expression)                                \
  do {                                                       \
    const ::kvc::Status status_ok_ = (expression);           \
    ASSERT_TRUE(status_ok_.is_ok()) << status_ok_.message(); \
  } while (false)

inline constexpr uint64_t kSlot = 16 << 20;

inline const char* driver_library() {
  const char* other = std::getenv("KVC_CUDA_TEST_DRIVER");
  return other != nullptr && other[0] != 0 ? other : kDriverLibrary;
}

class DeviceTest : public testing::Test {
 protected:
  void SetUp() override {
    Status status = Driver::open(driver_library(), &driver_);
    if (!status.is_ok() && status.code() == KVC_E_UNSUPPORTED) GTEST_SKIP() << "SKIPPED: " << status.message();
    ASSERT_OK(status);
    GpuOptions options;
    options.slots = 8, options.slot_bytes = kSlot;
    ASSERT_OK(Gpu::open(driver_, embedded_kernels().data(), options, &gpu_));
    uint32_t slots[8];
    ASSERT_OK(gpu_->slots().acquire(8, slots));
    for (int i = 0; i < 8; ++i) ASSERT_OK(gpu_->slots().address(slots[i], &at_[i]));
  }
  // Host bytes in slot i, and back.
  void put(int i, const void* bytes, uint64_t n) {
    ASSERT_LE(n, kSlot);
    ASSERT_OK(gpu_->upload(at_[i], bytes, n, {nullptr, {}, {}, {static_cast<uint32_t>(i)}}));
  }
  void get(int i, void* bytes, uint64_t n) {
    ASSERT_OK(gpu_->download(bytes, at_[i], n, {nullptr, {}, {static_cast<uint32_t>(i)}, {}}));
  }
  Order order(std::vector<uint32_t> reads, std::vector<uint32_t> writes) {
    return {gpu_->device().stream(), {}, std::move(reads), std::move(writes)};
  }
  template <typename T>
  T* in(int i, uint64_t offset = 0) {
    return reinterpret_cast<T*>(at_[i] + offset);
  }

  std::shared_ptr<const Driver> driver_;
  std::unique_ptr<Gpu> gpu_;
  abi::DevicePtr at_[8] = {};
};

inline std::vector<unsigned char> noise(size_t n, uint64_t seed) {
  kvc::Random random(seed);
  std::vector<unsigned char> bytes(n);
  for (auto& byte : bytes) byte = static_cast<unsigned char>(random.next());
  return bytes;
}

// Numbers of a page, none of them special.
inline std::vector<unsigned char> numbers(Number number, size_t n, uint64_t seed) {
  kvc::Random random(seed);
  std::vector<unsigned char> bytes(n * bytes_of(number));
  for (size_t i = 0; i < n; ++i) {
    const float x = static_cast<float>(random.unit() * 4 - 2) * (random.next() % 50 == 0 ? 30 : 1);
    if (number == Number::e4m3) {
      bytes[i] = static_cast<unsigned char>(random.next() % 0x79);
    } else {
      store_number(number, x, &bytes[i * bytes_of(number)]);
    }
  }
  return bytes;
}

}  // namespace kvc_cuda
