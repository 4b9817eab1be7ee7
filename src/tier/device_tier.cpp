#include "tier/device_tier.h"

#include <algorithm>
#include <limits>

namespace kvc {
namespace {

constexpr int kClaims = 3;

}  // namespace

Status DeviceTier::open(const DeviceApi& api, const DeviceTierOptions& options, std::unique_ptr<DeviceTier>* out) {
  std::unique_ptr<DeviceTier> tier(new DeviceTier(api, options));
  kvc_cuda_options_t given{};
  given.struct_size = sizeof given;
  given.device = options.ordinal;
  given.pinned_bytes = options.pinned_bytes;
  given.pinned_of = options.pinned_of;
  kvc_error_t words{};
  words.struct_size = sizeof words;
  const kvc_status_t status = api.open(&given, &tier->cuda_, &words);
  if (status != KVC_OK) return error(status, "device %d: %s", options.ordinal, words.message);
  *out = std::move(tier);
  return Status::ok();
}

DeviceTier::~DeviceTier() {
  if (cuda_ != nullptr) api_.close(cuda_);
}

Status DeviceTier::check(kvc_status_t status) const {
  if (status >= 0) return Status::ok();
  if (status == KVC_E_DEVICE) lost_.store(true, std::memory_order_release);
  char words[512];
  const size_t length = api_.last_error(cuda_, words, sizeof words);
  return error(status, "device %d: %.*s", options_.ordinal, static_cast<int>(std::min(length, sizeof words - 1)),
               words);
}

uint32_t DeviceTier::slots_of(Slot slot) const noexcept {
  const uint64_t one = slot_bytes();
  return is_part(slot) ? 1 : static_cast<uint32_t>((bytes_of(slot) + one - 1) / one);
}

uint64_t DeviceTier::room_of(Slot slot) const noexcept {
  return is_part(slot) ? kvc_cuda::cut_for(slot_bytes(), count_, bytes_of(slot)).part : slots_of(slot) * slot_bytes();
}

void DeviceTier::expect(size_t page_bytes) noexcept {
  uint64_t none = 0;
  if (expected_.load(std::memory_order_relaxed) == 0) expected_.compare_exchange_strong(none, page_bytes);
}

// All of the limit; or, where the device has not that much, a half or a quarter of it.
Status DeviceTier::claim(size_t bytes) {
  const std::lock_guard lock(claim_mutex_);
  if (slot_bytes_.load(std::memory_order_acquire) != 0) return Status::ok();
  const uint64_t expected = expected_.load(std::memory_order_relaxed);
  const uint64_t longest = bytes < expected && expected <= options_.limit ? expected : bytes;
  const uint64_t slot = (longest + kPageStride - 1) / kPageStride * kPageStride;
  Status status = error(KVC_E_NO_MEMORY, "device %d: a page of %zu bytes is more than option device_memory, %llu bytes",
                        options_.ordinal, bytes, static_cast<unsigned long long>(options_.limit));
  for (int shift = 0; shift < kClaims; ++shift) {
    // Kernels' page numbers have 31 bits.
    const uint64_t most = std::numeric_limits<int32_t>::max() / (slot / kPageStride);
    const uint64_t count = std::min((options_.limit >> shift) / slot, most);
    if (count == 0) break;
    status = check(api_.reserve(cuda_, static_cast<uint32_t>(count), slot));
    if (status.is_ok()) {
      uint32_t any = 0;
      uint64_t at = 0;
      KVC_RETURN_IF_ERROR(check(api_.acquire_run(cuda_, 1, &any)));
      KVC_RETURN_IF_ERROR(check(api_.address(cuda_, any, &at)));
      KVC_RETURN_IF_ERROR(check(api_.release(cuda_, 1, &any)));
      count_ = static_cast<uint32_t>(count);
      base_.store(at - any * slot, std::memory_order_release);
      slot_bytes_.store(slot, std::memory_order_release);
      break;
    }
    if (status.code() != KVC_E_NO_MEMORY) break;
  }
  return status;
}

Status DeviceTier::reserve(size_t bytes, Slot* slot) {
  if (bytes == 0 || bytes > std::numeric_limits<uint32_t>::max()) {
    return error(KVC_E_INVALID, "a device was asked for a place of %zu bytes: give at least 1 and less than 4 GiB",
                 bytes);
  }
  if (is_lost()) return error(KVC_E_DEVICE, "device %d failed: nothing can be kept there", options_.ordinal);
  if (slot_bytes() == 0) KVC_RETURN_IF_ERROR(claim(bytes));
  uint32_t first = 0;
  const Status taken = check(api_.acquire_place(cuda_, bytes, &first));
  if (taken.code() == KVC_E_NO_MEMORY) {
    return error(
        KVC_E_NO_MEMORY, "device %d has no room for %zu bytes side by side: %llu of %llu are in use; let something go",
        options_.ordinal, bytes, static_cast<unsigned long long>(used()), static_cast<unsigned long long>(limit()));
  }
  KVC_RETURN_IF_ERROR(taken);
  slot->value = uint64_t{bytes} << 32 | (first + 1);
  pages_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  used_.fetch_add(room_of(*slot), std::memory_order_relaxed);
  return Status::ok();
}

uint64_t DeviceTier::address(Slot slot) const noexcept {
  const uint64_t number = first(slot);
  return base() + (is_part(slot) ? (number - count_) * kPageStride : number * slot_bytes());
}

void DeviceTier::add_slots(Slot slot, std::vector<uint32_t>* slots) const {
  const uint32_t n = slots_of(slot);
  for (uint32_t i = 0; i < n; ++i) slots->push_back(first(slot) + i);
}

Status DeviceTier::write(Slot slot, const PageRecord& record) {
  if (!slot || record.payload.size() != bytes_of(slot)) {
    return error(KVC_E_INVALID, "device %d was given %zu bytes for a place of %zu: they must be equal",
                 options_.ordinal, record.payload.size(), slot ? bytes_of(slot) : size_t{0});
  }
  std::vector<uint32_t> slots;
  add_slots(slot, &slots);
  kvc_cuda_order_t order{};
  order.struct_size = sizeof order;
  order.writes = slots.data(), order.n_writes = static_cast<uint32_t>(slots.size());
  return check(api_.upload(cuda_, address(slot), record.payload.data(), record.payload.size(), &order));
}

Status DeviceTier::read(Slot slot, std::span<std::byte> out) const {
  if (!slot || out.size() != bytes_of(slot)) {
    return error(KVC_E_INVALID, "device %d was given room for %zu bytes of a place of %zu: they must be equal",
                 options_.ordinal, out.size(), slot ? bytes_of(slot) : size_t{0});
  }
  std::vector<uint32_t> slots;
  add_slots(slot, &slots);
  kvc_cuda_order_t order{};
  order.struct_size = sizeof order;
  order.reads = slots.data(), order.n_reads = static_cast<uint32_t>(slots.size());
  return check(api_.download(cuda_, out.data(), address(slot), out.size(), &order));
}

void DeviceTier::release(Slot slot) noexcept {
  if (!slot) return;
  const uint32_t n = slots_of(slot);
  // Before the slots are free for others, so that what is in use is never more than there is.
  pages_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(bytes_of(slot), std::memory_order_relaxed);
  used_.fetch_sub(room_of(slot), std::memory_order_relaxed);
  uint32_t some[64];
  for (uint32_t done = 0; done < n;) {
    const uint32_t step = std::min<uint32_t>(n - done, 64);
    for (uint32_t i = 0; i < step; ++i) some[i] = first(slot) + done + i;
    (void)api_.release(cuda_, step, some);
    done += step;
  }
}

TierStats DeviceTier::stats() const noexcept {
  return {pages_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed)};
}

}  // namespace kvc
