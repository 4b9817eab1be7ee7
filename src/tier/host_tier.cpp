#include "tier/host_tier.h"

#include <cinttypes>
#include <cstring>
#include <new>

namespace kvc {
namespace {

// What a slot's number points to.
struct HostSlot {
  std::byte* data;
  size_t bytes;
};

HostSlot* slot_of(Slot slot) noexcept { return reinterpret_cast<HostSlot*>(static_cast<uintptr_t>(slot.value)); }

}  // namespace

Status HostTier::reserve(size_t bytes, Slot* slot) {
  if (bytes == 0) return error(KVC_E_INVALID, "the host tier was asked for a slot of 0 bytes: give at least 1");
  // Never the reclaimer: "full" is an answer, and the cache that gets it chooses what to evict.
  const auto allocate_header = [&] {
    return memory_->allocate(sizeof(HostSlot), alignof(HostSlot), MemoryUse::metadata, /*may_reclaim=*/false);
  };
  void* header = allocate_header();
  if (header == nullptr && pool_->trim(sizeof(HostSlot)) > 0) header = allocate_header();
  std::byte* data = header != nullptr ? pool_->allocate(bytes) : nullptr;
  if (data == nullptr) {
    memory_->release(header, sizeof(HostSlot), alignof(HostSlot), MemoryUse::metadata);
    return error(KVC_E_NO_MEMORY,
                 "the host tier has no room for %zu bytes: %" PRIu64 " of %" PRIu64
                 " are in use; "
                 "evict something or raise the memory budget",
                 bytes, memory_->used(), memory_->limit());
  }
  slot->value = reinterpret_cast<uintptr_t>(new (header) HostSlot{data, bytes});
  pages_.fetch_add(1, std::memory_order_relaxed);
  bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return Status::ok();
}

Status HostTier::write(Slot slot, const PageRecord& record) {
  const HostSlot* host = slot_of(slot);
  if (host == nullptr) return error(KVC_E_INVALID, "the host tier was asked to write to no slot: reserve one first");
  if (record.payload.size() != host->bytes) {
    return error(KVC_E_INVALID, "the host tier was given %zu bytes for a slot of %zu: they must be equal",
                 record.payload.size(), host->bytes);
  }
  // A page that was built in place is there already.
  if (record.payload.data() != host->data) std::memcpy(host->data, record.payload.data(), host->bytes);
  return Status::ok();
}

Status HostTier::read(Slot slot, std::span<std::byte> out) const {
  const HostSlot* host = slot_of(slot);
  if (host == nullptr)
    return error(KVC_E_INVALID, "the host tier was asked to read no slot: reserve and write one first");
  if (out.size() != host->bytes) {
    return error(KVC_E_INVALID, "the host tier was given room for %zu bytes of a slot of %zu: they must be equal",
                 out.size(), host->bytes);
  }
  std::memcpy(out.data(), host->data, host->bytes);
  return Status::ok();
}

void HostTier::release(Slot slot) noexcept {
  HostSlot* host = slot_of(slot);
  if (host == nullptr) return;
  pages_.fetch_sub(1, std::memory_order_relaxed);
  bytes_.fetch_sub(host->bytes, std::memory_order_relaxed);
  pool_->release(host->data, host->bytes);
  memory_->release(host, sizeof(HostSlot), alignof(HostSlot), MemoryUse::metadata);
}

std::byte* HostTier::map(Slot slot) const noexcept {
  const HostSlot* host = slot_of(slot);
  return host != nullptr ? host->data : nullptr;
}

TierStats HostTier::stats() const noexcept {
  return {pages_.load(std::memory_order_relaxed), bytes_.load(std::memory_order_relaxed)};
}

}  // namespace kvc
