// The devices of a cache: copies of pages on each (device_pages.h), and which of them a session goes to.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cache/device_pages.h"

namespace kvc {

class Cache;

// What an engine opened. Outlives all memory that came from `pinned`.
struct DeviceSet {
  // ordinals: as the driver counts; empty: all. memory: of pages, each. pinned: host memory that is registered in the
  // background. Devices that cannot be opened are left out and told in *why; KVC_E_UNSUPPORTED: all of them, or none is
  // there.
  static Status open(const DeviceApi& api, std::span<const int32_t> ordinals, uint64_t memory, uint64_t pinned,
                     std::shared_ptr<DeviceSet>* out, std::string* why);
  ~DeviceSet() {
    // The first has the pinned memory that the others use.
    while (!tiers.empty()) tiers.pop_back();
  }
  std::vector<std::unique_ptr<DeviceTier>> tiers;
  std::optional<kvc_allocator_t> pinned;  // for pages
};

class Devices {
 public:
  // policy: by whose order copies leave.
  Devices(const DeviceSet& set, std::string_view policy, Memory* memory);

  size_t size() const noexcept { return pages_.size(); }
  DevicePages& at(size_t i) noexcept { return *pages_[i]; }
  // The one that the driver counts so; nullptr: not in use.
  DevicePages* find(int32_t ordinal) noexcept;
  // Where a session that ends in `last` can begin first; nullptr: all are lost.
  DevicePages* choose(const Page* last) noexcept;
  void forget(const Page* page) noexcept;
  // Gives back what devices are done with. Without locks.
  void collect() noexcept;
  DeviceStats stats() noexcept;

 private:
  std::vector<std::unique_ptr<DevicePages>> pages_;
};

}  // namespace kvc
