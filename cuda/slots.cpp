#include "slots.h"

#include <algorithm>

namespace kvc_cuda {

namespace {
constexpr int kAttempts = 3;
constexpr size_t kMostReaders = 16;  // of a slot, before those that are done are forgotten
}  // namespace

Slots::~Slots() {
  if (base_ == 0) return;
  {
    // Copies and kernels may still use slots; cuMemFree would wait for them too, but does not promise to.
    const Device::Scope scope(*device_);
    for (const Slot& slot : slots_) {
      if (!scope.status().is_ok()) break;
      (void)device_->wait_host(slot.writer);
      for (const Fence fence : slot.readers) (void)device_->wait_host(fence);
      if (device_->is_lost()) break;
    }
  }
  device_->free(base_);
}

Status Slots::create(uint64_t slot_bytes, uint32_t count) {
  if (count == 0) return Status::ok();
  {
    const std::lock_guard lock(device_->mutex());
    if (base_ != 0) return error(KVC_E_ORDER, "there are slots already: %zu", slots_.size());
  }
  slot_bytes = (slot_bytes + 255) / 256 * 256;
  if (slot_bytes == 0 || slot_bytes > UINT64_MAX / count) {
    return error(KVC_E_INVALID, "%u slots of %llu bytes", count, static_cast<unsigned long long>(slot_bytes));
  }
  const uint64_t bytes = slot_bytes * count;
  abi::DevicePtr base = 0;
  Status status;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    status = device_->allocate(bytes, &base);
    if (status.code() != KVC_E_NO_MEMORY || !reclaim_ || !reclaim_(bytes)) break;
  }
  KVC_RETURN_IF_ERROR(status);
  {
    const std::lock_guard lock(device_->mutex());
    if (base_ == 0) {
      slots_.resize(count);
      free_.resize(count);
      for (uint32_t i = 0; i < count; ++i) free_[i] = count - 1 - i;
      slot_bytes_ = slot_bytes;
      base_ = base;
      return Status::ok();
    }
  }
  device_->free(base);
  return error(KVC_E_ORDER, "another thread has made slots meanwhile");
}

bool Slots::try_acquire(uint32_t n, uint32_t* slots) {
  const std::lock_guard lock(device_->mutex());
  if (free_.size() < n) return false;
  for (uint32_t i = 0; i < n; ++i) {
    slots[i] = free_.back();
    free_.pop_back();
    slots_[slots[i]].used = true;
  }
  return true;
}

Status Slots::acquire(uint32_t n, uint32_t* slots) {
  KVC_RETURN_IF_ERROR(device_->usable());
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (try_acquire(n, slots)) return Status::ok();
    if (!reclaim_ || n > count() || !reclaim_(n * slot_bytes_)) break;
  }
  if (try_acquire(n, slots)) return Status::ok();
  return error(KVC_E_NO_MEMORY, "device %d: %u slots were asked for, %u of %u are in use: release some",
               device_->ordinal(), n, in_use(), count());
}

Status Slots::acquire_run(uint32_t n, uint32_t* first) {
  KVC_RETURN_IF_ERROR(device_->usable());
  const std::lock_guard lock(device_->mutex());
  if (n == 1 && !free_.empty()) {
    *first = free_.back();
    free_.pop_back();
    slots_[*first].used = true;
    return Status::ok();
  }
  uint32_t run = 0;
  for (uint32_t i = 0; n > 0 && free_.size() >= n && i < count(); ++i) {
    run = slots_[i].used ? 0 : run + 1;
    if (run < n) continue;
    *first = i + 1 - n;
    for (uint32_t slot = *first; slot <= i; ++slot) slots_[slot].used = true;
    std::erase_if(free_, [&](uint32_t slot) { return slot >= *first && slot <= i; });
    return Status::ok();
  }
  return error(KVC_E_NO_MEMORY, "device %d: %u slots side by side were asked for, %zu of %u are free: release some",
               device_->ordinal(), n, free_.size(), count());
}

Status Slots::check_used(uint32_t slot) const {
  if (slot < slots_.size() && slots_[slot].used) return Status::ok();
  return error(KVC_E_INVALID, "slot %u is not in use (there are %u)", slot, count());
}

Status Slots::release(uint32_t n, const uint32_t* slots) {
  const std::lock_guard lock(device_->mutex());
  for (uint32_t i = 0; i < n; ++i) {
    Status status = check_used(slots[i]);
    if (status.is_ok()) {
      slots_[slots[i]].used = false;  // so that one that is named twice is found
      continue;
    }
    while (i-- > 0) slots_[slots[i]].used = true;
    return status;
  }
  free_.insert(free_.end(), slots, slots + n);
  return Status::ok();
}

Status Slots::address(uint32_t slot, abi::DevicePtr* out) {
  const std::lock_guard lock(device_->mutex());
  KVC_RETURN_IF_ERROR(check_used(slot));
  *out = base_ + slot * slot_bytes_;
  return Status::ok();
}

uint32_t Slots::in_use() {
  const std::lock_guard lock(device_->mutex());
  return static_cast<uint32_t>(slots_.size() - free_.size());
}

Status Slots::begin(const Order& order, bool* captured) {
  for (const uint32_t slot : order.reads) KVC_RETURN_IF_ERROR(check_used(slot));
  for (const uint32_t slot : order.writes) KVC_RETURN_IF_ERROR(check_used(slot));
  KVC_RETURN_IF_ERROR(device_->capturing(order.stream, captured));
  if (*captured) {
    // A wait for work outside would end the capture, and a replay would not wait again.
    if (order.wait.empty() && order.reads.empty() && order.writes.empty()) return Status::ok();
    return error(
        KVC_E_ORDER,
        "the stream is being captured: work in a graph can wait neither for fences nor for slots; name none, and "
        "keep the slots it uses as long as it is replayed");
  }
  for (const Fence fence : order.wait) KVC_RETURN_IF_ERROR(device_->wait_on(order.stream, fence));
  for (const uint32_t slot : order.reads) KVC_RETURN_IF_ERROR(device_->wait_on(order.stream, slots_[slot].writer));
  for (const uint32_t index : order.writes) {
    const Slot& slot = slots_[index];
    KVC_RETURN_IF_ERROR(device_->wait_on(order.stream, slot.writer));
    for (const Fence fence : slot.readers) KVC_RETURN_IF_ERROR(device_->wait_on(order.stream, fence));
  }
  return Status::ok();
}

Status Slots::end(const Order& order, bool captured, Fence* done) {
  Fence fence = 0;
  if (!captured) {
    const Status status = device_->record(order.stream, &fence);
    if (!status.is_ok()) {
      // The work is on its way and has no fence: it ends before anything goes on, or the device is lost.
      if (device_->is_lost()) return status;
      KVC_RETURN_IF_ERROR(device_->drain(order.stream));
      fence = 0;
    }
  }
  for (const uint32_t slot : order.reads) slots_[slot].readers.push_back(fence);
  for (const uint32_t slot : order.writes) {
    slots_[slot].writer = fence;
    slots_[slot].readers.clear();
  }
  for (const uint32_t slot : order.reads) forget_done(&slots_[slot].readers);
  if (done != nullptr) *done = fence;
  return Status::ok();
}

void Slots::forget_done(std::vector<Fence>* fences) {
  if (fences->size() < kMostReaders || device_->is_lost()) return;
  std::erase_if(*fences, [this](Fence fence) {
    bool done = false;
    return device_->is_done(fence, &done).is_ok() && done;
  });
}

}  // namespace kvc_cuda
