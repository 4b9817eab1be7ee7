// The device tier: pages in the memory of one device, by the functions of its module (tier/device_api.h). A place is a
// run of the module's slots, or a part of some where it needs much less than a slot. Slots are as long as a page in the
// clear, as expect() says, or else as the first page that came; their memory is claimed then, once, and never exceeded.
// Host memory that comes and goes need not be pinned here: write() and read() block. What does not block goes by the
// module's own functions, with add_slots() and address().
//
// After an error that ends the device's context every call gives KVC_E_DEVICE.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/part_size.h"
#include "tier/device_api.h"
#include "tier/tier.h"

namespace kvc {

struct DeviceTierOptions {
  int32_t ordinal = 0;
  uint64_t limit = 0;         // bytes of pages, hard
  uint64_t pinned_bytes = 0;  // host memory of the pool behind DeviceApi::allocator
  kvc_cuda_t* pinned_of = nullptr;
};

class DeviceTier final : public Tier {
 public:
  // Blocks: the driver initialises the device. KVC_E_UNSUPPORTED: no driver, no such device; the message says which.
  static Status open(const DeviceApi& api, const DeviceTierOptions& options, std::unique_ptr<DeviceTier>* out);
  ~DeviceTier() override;  // waits for what is under way

  std::string_view name() const noexcept override { return "device"; }
  int32_t kind() const noexcept override { return KVC_TIER_DEVICE; }
  Status reserve(size_t bytes, Slot* slot) override;
  // So long pages in the clear will be. The first word counts, before the first reserve().
  void expect(size_t page_bytes) noexcept;
  Status write(Slot slot, const PageRecord& record) override;
  Status read(Slot slot, std::span<std::byte> out) const override;
  // At once, whatever still uses it: its next owner waits on the device.
  void release(Slot slot) noexcept override;
  std::byte* map(Slot) const noexcept override { return nullptr; }
  TierStats stats() const noexcept override;

  const DeviceApi& api() const noexcept { return api_; }
  kvc_cuda_t* handle() const noexcept { return cuda_; }
  int32_t ordinal() const noexcept { return options_.ordinal; }
  uint64_t limit() const noexcept { return options_.limit; }
  // Of the limit: whole slots and parts. What is left of slots that were cut up counts as free.
  uint64_t used() const noexcept { return used_.load(std::memory_order_relaxed); }
  uint64_t address(Slot slot) const noexcept;
  // Of all places, where kernels take pages by numbers: page(slot) * kPageStride further on lies a place.
  uint64_t base() const noexcept { return base_.load(std::memory_order_acquire); }
  static constexpr uint64_t kPageStride = kvc_cuda::kSlotUnit;
  int32_t page(Slot slot) const noexcept { return static_cast<int32_t>((address(slot) - base()) / kPageStride); }
  // The module's numbers of a place's slots: those to name in an order.
  void add_slots(Slot slot, std::vector<uint32_t>* slots) const;
  static size_t bytes_of(Slot slot) noexcept { return slot.value >> 32; }

  // A failed call's status with the module's words. KVC_E_DEVICE is remembered.
  Status check(kvc_status_t status) const;
  bool is_lost() const noexcept { return lost_.load(std::memory_order_acquire); }

 private:
  DeviceTier(const DeviceApi& api, const DeviceTierOptions& options) : api_(api), options_(options) {}
  Status claim(size_t bytes);
  uint64_t slot_bytes() const noexcept { return slot_bytes_.load(std::memory_order_acquire); }
  static uint32_t first(Slot slot) noexcept { return static_cast<uint32_t>(slot.value) - 1; }
  bool is_part(Slot slot) const noexcept { return first(slot) >= count_; }
  uint32_t slots_of(Slot slot) const noexcept;
  uint64_t room_of(Slot slot) const noexcept;

  const DeviceApi api_;
  const DeviceTierOptions options_;
  kvc_cuda_t* cuda_ = nullptr;
  std::mutex claim_mutex_;
  std::atomic<uint64_t> expected_{0};
  std::atomic<uint64_t> slot_bytes_{0};  // 0: nothing is claimed yet
  std::atomic<uint64_t> base_{0};        // address of the module's slot 0
  uint32_t count_ = 0;                   // of slots; set before slot_bytes_
  std::atomic<uint64_t> pages_{0}, bytes_{0}, used_{0};
  mutable std::atomic<bool> lost_{false};
};

}  // namespace kvc
