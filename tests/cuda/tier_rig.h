// Devices of an engine on the fake driver, and an application with streams and device memory of its own.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "api.h"
#include "cache/cache.h"
#include "fake_rig.h"

extern "C" kvc_status_t kvc_module_device(const kvc::DeviceHost* host, kvc::DeviceApi* api);

namespace kvc_cuda {

// Told of what the processor does with memory that devices reach, as the fake driver is.
inline std::function<void(const void* at, size_t bytes, int write)> on_host_access;

// The module's functions as the library gets them, with the fake driver beneath.
inline kvc::DeviceApi fake_api() {
  static constexpr kvc::DeviceHost kHost{};
  kvc::DeviceApi api;
  EXPECT_EQ(kvc_module_device(&kHost, &api), KVC_OK);
  api.devices = [](uint32_t* devices, kvc_error_t* error) noexcept {
    return count_devices(KVC_TEST_FAKE_DRIVER, devices, error);
  };
  api.open = [](const kvc_cuda_options_t* options, kvc_cuda_t** cuda, kvc_error_t* error) noexcept {
    return open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, options, cuda, error);
  };
  api.note = [](const void* at, size_t bytes, int write) {
    kvc_fake_note_host_access(at, bytes, write);
    if (on_host_access) on_host_access(at, bytes, write);
  };
  return api;
}

inline std::shared_ptr<kvc::DeviceSet> fake_devices(uint64_t memory, uint64_t pinned = 0,
                                                    std::span<const int32_t> ordinals = {}) {
  std::shared_ptr<kvc::DeviceSet> set;
  std::string why;
  const Status status = kvc::DeviceSet::open(fake_api(), ordinals, memory, pinned, &set, &why);
  EXPECT_TRUE(status.is_ok()) << status.message();
  for (int i = 0; pinned > 0 && set != nullptr && i < 10'000; ++i) {
    kvc_cuda_stats_t stats{};
    stats.struct_size = sizeof stats;
    EXPECT_EQ(kvc_cuda_stats(set->tiers[0]->handle(), &stats), KVC_OK);
    if (stats.pool_ready == stats.pool_bytes) break;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return set;
}

// Device memory of an application: pieces that are used once.
class Application {
 public:
  explicit Application(uint64_t bytes, int device = 0) {
    kvc_cuda_options_t options{};
    options.struct_size = sizeof options;
    options.device = device, options.slots = 1, options.slot_bytes = bytes;
    EXPECT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options, &cuda_, nullptr), KVC_OK);
    uint32_t slot = 0;
    EXPECT_EQ(kvc_cuda_acquire(cuda_, 1, &slot), KVC_OK);
    EXPECT_EQ(kvc_cuda_address(cuda_, slot, &base_), KVC_OK);
    end_ = base_ + bytes;
  }
  ~Application() { kvc_cuda_close(cuda_); }
  Application(const Application&) = delete;
  uint64_t take(size_t bytes) {
    const uint64_t at = base_ + at_;
    at_ += (bytes + 255) / 256 * 256;
    EXPECT_LE(base_ + at_, end_);
    return at;
  }
  uint64_t put(const void* from, size_t bytes) {
    const uint64_t at = take(bytes);
    kvc_cuda_order_t order{};
    order.struct_size = sizeof order;
    EXPECT_EQ(kvc_cuda_upload(cuda_, at, from, bytes, &order), KVC_OK);
    return at;
  }
  kvc_cuda_t* handle() const { return cuda_; }

 private:
  kvc_cuda_t* cuda_ = nullptr;
  uint64_t base_ = 0, end_ = 0, at_ = 0;
};

}  // namespace kvc_cuda
