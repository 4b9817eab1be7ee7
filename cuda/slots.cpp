#include "slots.h"

#include <algorithm>

#include "part_size.h"

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
    const auto settle = [&](const std::vector<Slot>& slots) {
      for (const Slot& slot : slots) {
        if (!scope.status().is_ok() || device_->is_lost()) return;
        (void)device_->wait_host(slot.writer);
        for (const Fence fence : slot.readers) (void)device_->wait_host(fence);
      }
    };
    settle(slots_);
    for (const auto& [first, chunk] : chunks_) settle(chunk.parts);
  }
  device_->free(base_);
}

Status Slots::create(uint64_t slot_bytes, uint32_t count) {
  if (count == 0) return Status::ok();
  {
    const std::lock_guard lock(device_->mutex());
    if (base_ != 0) return error(KVC_E_ORDER, "there are slots already: %zu", slots_.size());
  }
  slot_bytes = (slot_bytes + kSlotUnit - 1) / kSlotUnit * kSlotUnit;
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

bool Slots::take_run(uint32_t n, uint32_t* first) {
  if (n == 0 || free_.size() < n) return false;
  if (n == 1) {
    *first = free_.back();
    free_.pop_back();
    slots_[*first].used = true;
    return true;
  }
  uint32_t run = 0;
  for (uint32_t i = 0; i < count(); ++i) {
    run = slots_[i].used ? 0 : run + 1;
    if (run < n) continue;
    *first = i + 1 - n;
    for (uint32_t slot = *first; slot <= i; ++slot) slots_[slot].used = true;
    std::erase_if(free_, [&](uint32_t slot) { return slot >= *first && slot <= i; });
    return true;
  }
  return false;
}

Status Slots::acquire_run(uint32_t n, uint32_t* first) {
  KVC_RETURN_IF_ERROR(device_->usable());
  const std::lock_guard lock(device_->mutex());
  if (take_run(n, first)) return Status::ok();
  return error(KVC_E_NO_MEMORY, "device %d: %u slots side by side were asked for, %zu of %u are free: release some",
               device_->ordinal(), n, free_.size(), count());
}

Status Slots::acquire_place(uint64_t bytes, uint32_t* first) {
  KVC_RETURN_IF_ERROR(device_->usable());
  const std::lock_guard lock(device_->mutex());
  const auto none = [&] {
    return error(KVC_E_NO_MEMORY,
                 "device %d: %llu bytes were asked for, %zu of %u slots of %llu are free: release some",
                 device_->ordinal(), static_cast<unsigned long long>(bytes), free_.size(), count(),
                 static_cast<unsigned long long>(slot_bytes_));
  };
  if (slot_bytes_ == 0 || bytes > slot_bytes_ * count()) return none();
  auto [slots, part] = cut_for(slot_bytes_, count(), bytes);
  // A number has 32 bits.
  if (slots_.size() + slot_bytes_ * count() / kSlotUnit > UINT32_MAX) slots = 0;
  if (slots == 0) {
    return take_run(static_cast<uint32_t>((bytes + slot_bytes_ - 1) / slot_bytes_), first) ? Status::ok() : none();
  }
  auto room = rooms_.lower_bound({part, 0});
  if (room == rooms_.end() || room->first != part) {
    // Of fewer slots where so many do not lie side by side.
    while (slots > 0 && !cut_up(slots, part)) --slots;
    KVC_RETURN_IF_ERROR(device_->usable());
    if (slots == 0) return none();
    room = rooms_.lower_bound({part, 0});
  }
  Chunk& chunk = chunks_.at(room->second);
  const auto at = std::find_if(chunk.parts.begin(), chunk.parts.end(), [](const Slot& slot) { return !slot.used; });
  at->used = true;
  const uint64_t offset = room->second * slot_bytes_ + static_cast<uint64_t>(at - chunk.parts.begin()) * part;
  *first = static_cast<uint32_t>(slots_.size() + offset / kSlotUnit);
  if (--chunk.free == 0) chunk.room = rooms_.extract(room);
  return Status::ok();
}

// Whoever uses a part first comes after all who used the slots.
bool Slots::cut_up(uint32_t slots, uint64_t part) {
  Chunk chunk;
  chunk.slots = slots, chunk.part = part;
  chunk.free = static_cast<uint32_t>(slots * slot_bytes_ / part);
  chunk.parts.resize(chunk.free);
  uint32_t first = 0;
  if (!take_run(slots, &first)) return false;
  try {
    std::set<Fence> fences;
    for (uint32_t slot = first; slot < first + slots; ++slot) {
      if (slots_[slot].writer != 0) fences.insert(slots_[slot].writer);
      fences.insert(slots_[slot].readers.begin(), slots_[slot].readers.end());
    }
    std::vector<Fence> all(fences.begin(), fences.end());
    {
      const Device::Scope scope(*device_);
      if (scope.status().is_ok()) forget_done(&all);
    }
    for (Slot& one : chunk.parts) one.readers = all;
    const auto room = rooms_.insert({part, first}).first;
    try {
      chunks_.emplace(first, std::move(chunk));
    } catch (...) {
      rooms_.erase(room);
      throw;
    }
  } catch (...) {
    for (uint32_t slot = first; slot < first + slots; ++slot) {
      slots_[slot].used = false;
      free_.push_back(slot);  // it has room for all
    }
    throw;
  }
  for (uint32_t slot = first; slot < first + slots; ++slot) slots_[slot].cut_up = true;
  return true;
}

// Whoever uses a slot next comes after all who used the parts.
void Slots::make_whole(Chunks::iterator at) noexcept {
  const uint32_t first = at->first, n = at->second.slots;
  try {
    std::set<Fence> fences;
    for (const Slot& part : at->second.parts) {
      if (part.writer != 0) fences.insert(part.writer);
      fences.insert(part.readers.begin(), part.readers.end());
    }
    std::vector<std::vector<Fence>> copies(n, {fences.begin(), fences.end()});
    for (uint32_t i = 0; i < n; ++i) slots_[first + i].readers.swap(copies[i]);
  } catch (const std::bad_alloc&) {
    return;  // it stays a chunk without parts in use
  }
  for (uint32_t slot = first; slot < first + n; ++slot) {
    slots_[slot].used = slots_[slot].cut_up = false;
    slots_[slot].writer = 0;
    free_.push_back(slot);
  }
  rooms_.erase({at->second.part, first});
  chunks_.erase(at);
}

void Slots::release_part(uint32_t part) noexcept {
  const auto at = chunk_of(part);
  Chunk& chunk = at->second;
  if (chunk.free++ == 0) rooms_.insert(std::move(chunk.room));
  if (chunk.free == chunk.parts.size()) make_whole(at);
}

Slots::Chunks::iterator Slots::chunk_of(uint32_t part) {
  if (part < slots_.size()) return chunks_.end();
  const uint64_t slot = (part - slots_.size()) * kSlotUnit / slot_bytes_;
  auto at = slot < slots_.size() ? chunks_.upper_bound(static_cast<uint32_t>(slot)) : chunks_.begin();
  if (at == chunks_.begin()) return chunks_.end();
  --at;
  return slot < at->first + at->second.slots ? at : chunks_.end();
}

Slots::Slot* Slots::find(uint32_t slot) {
  if (slot < slots_.size()) return slots_[slot].cut_up ? nullptr : &slots_[slot];
  if (chunks_.empty()) return nullptr;
  const auto chunk = chunk_of(slot);
  if (chunk == chunks_.end()) return nullptr;
  const uint64_t offset = (slot - slots_.size()) * kSlotUnit - chunk->first * slot_bytes_;
  if (offset % chunk->second.part != 0 || offset / chunk->second.part >= chunk->second.parts.size()) return nullptr;
  return &chunk->second.parts[offset / chunk->second.part];
}

Status Slots::check_used(uint32_t slot) {
  if (const Slot* at = find(slot); at != nullptr && at->used) return Status::ok();
  return error(KVC_E_INVALID, "slot %u is not in use (there are %u)", slot, count());
}

Status Slots::release(uint32_t n, const uint32_t* slots) {
  const std::lock_guard lock(device_->mutex());
  for (uint32_t i = 0; i < n; ++i) {
    Status status = check_used(slots[i]);
    if (status.is_ok()) {
      find(slots[i])->used = false;  // so that one that is named twice is found
      continue;
    }
    while (i-- > 0) find(slots[i])->used = true;
    return status;
  }
  for (uint32_t i = 0; i < n; ++i) {
    if (slots[i] < slots_.size()) {
      free_.push_back(slots[i]);  // it has room for all
    } else {
      release_part(slots[i]);
    }
  }
  return Status::ok();
}

Status Slots::address(uint32_t slot, abi::DevicePtr* out) {
  const std::lock_guard lock(device_->mutex());
  KVC_RETURN_IF_ERROR(check_used(slot));
  *out = base_ + (slot < slots_.size() ? slot * slot_bytes_ : (slot - slots_.size()) * kSlotUnit);
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
  for (const uint32_t slot : order.reads) KVC_RETURN_IF_ERROR(device_->wait_on(order.stream, find(slot)->writer));
  for (const uint32_t index : order.writes) {
    const Slot& slot = *find(index);
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
  const auto is_gone = [this](uint32_t slot) { return find(slot) == nullptr; };
  if (std::ranges::any_of(order.reads, is_gone) || std::ranges::any_of(order.writes, is_gone)) {
    // Its memory may be another's, who does not know of the work.
    if (!captured) KVC_RETURN_IF_ERROR(device_->drain(order.stream));
    return error(KVC_E_INVALID, "work ended with a slot that there is not, or not any more");
  }
  for (const uint32_t slot : order.reads) find(slot)->readers.push_back(fence);
  for (const uint32_t index : order.writes) {
    Slot& slot = *find(index);
    slot.writer = fence;
    slot.readers.clear();
  }
  for (const uint32_t slot : order.reads) forget_done(&find(slot)->readers);
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
