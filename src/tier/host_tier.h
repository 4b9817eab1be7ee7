// The host tier: pages in main memory, from the engine's page pool, used in place.
#pragma once

#include <atomic>

#include "memory/page_pool.h"
#include "tier/tier.h"

namespace kvc {

class HostTier final : public Tier {
 public:
  HostTier(Memory* memory, PagePool* pool) noexcept : memory_(memory), pool_(pool) {}

  std::string_view name() const noexcept override { return "host"; }
  int32_t kind() const noexcept override { return KVC_TIER_HOST; }
  Status reserve(size_t bytes, Slot* slot) override;
  Status write(Slot slot, const PageRecord& record) override;
  Status read(Slot slot, std::span<std::byte> out) const override;
  void release(Slot slot) noexcept override;
  std::byte* map(Slot slot) const noexcept override;
  TierStats stats() const noexcept override;

 private:
  Memory* memory_;
  PagePool* pool_;
  std::atomic<uint64_t> pages_{0};
  std::atomic<uint64_t> bytes_{0};
};

}  // namespace kvc
