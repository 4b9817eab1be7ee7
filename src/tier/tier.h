// The interface of tiers: places that hold pages. The cache decides what goes where; a tier only keeps bytes and gives
// them back unchanged, or says that it cannot.
//
// A place inside a tier is a Slot; its number means something to that tier only. Any thread may call any function at
// any time, on different slots; on one slot the caller orders its calls.
//
// Contract (tests/unit/tier_contract.h, run over every tier): what was written is read back equal; release
// gives the room back; a full tier answers KVC_E_NO_MEMORY and keeps serving; used bytes never exceed the limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/hash.h"
#include "base/status.h"

namespace kvc {

struct Slot {
  uint64_t value = 0;  // 0: none
  explicit operator bool() const noexcept { return value != 0; }
};

// Everything that is needed to verify a page on its own, wherever it comes back from.
struct PageRecord {
  PageId id;
  PageId parent;  // the space's digest for a first page
  Digest space;
  std::span<const int32_t> tokens;
  uint8_t codec = 0;                   // Codec::id()
  std::span<const std::byte> payload;  // encoded
};

struct TierStats {
  uint64_t pages = 0;
  uint64_t bytes = 0;
};

class Tier {
 public:
  virtual ~Tier() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual int32_t kind() const noexcept = 0;  // KVC_TIER_*

  // Claims room for a payload. KVC_E_NO_MEMORY: full, evict and try again.
  virtual Status reserve(size_t bytes, Slot* slot) = 0;
  // Writes a page into a reserved slot; record.payload.size() is what was reserved.
  virtual Status write(Slot slot, const PageRecord& record) = 0;
  // Reads a slot's payload; out.size() is what was reserved.
  virtual Status read(Slot slot, std::span<std::byte> out) const = 0;
  // Gives the room back.
  virtual void release(Slot slot) noexcept = 0;
  // The payload's address if the processor can use it in place, else nullptr.
  virtual std::byte* map(Slot slot) const noexcept = 0;
  virtual TierStats stats() const noexcept = 0;
};

}  // namespace kvc
