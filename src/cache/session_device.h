// What a session has on a device: its end, which it writes there, and where that stands with host memory.
#pragma once

#include <utility>
#include <vector>

#include "cache/device_pages.h"

namespace kvc {

// K or V of a layer in device memory: row of head h, token t at address + t * token_stride + h * head_stride.
struct DeviceRows {
  uint64_t address = 0;
  int64_t token_stride = 0, head_stride = 0;
};

// Room that a call gives is cut at multiples of this.
constexpr uint64_t align_room(uint64_t n) { return (n + 255) / 256 * 256; }

// What of DeviceAttend::room attention over parts of the pages uses, in bytes from a part's begin: tables, then what the
// module needs, then the part's results and their state.
struct KeptRoom {
  uint64_t tables = 0, values = 0, state = 0;
  uint64_t each = 0;  // from one part to the next
};

struct DeviceAttend {
  const void* query = nullptr;
  void* out = nullptr;
  uint64_t room = 0, room_bytes = 0;
  uint32_t layer = 0, group = 0, splits = 0;
  int32_t query_dtype = 0, out_dtype = 0;
  float scale = 0;
};

// Lets a copy go at the end of a call.
class HeldCopy {
 public:
  explicit HeldCopy(DevicePages* pages) : pages_(pages) {}
  HeldCopy(HeldCopy&& other) noexcept : pages_(other.pages_), copy(std::exchange(other.copy, nullptr)) {}
  ~HeldCopy() {
    if (copy != nullptr) pages_->let_go(copy);
  }

 private:
  DevicePages* pages_;

 public:
  DeviceCopy* copy = nullptr;
};

// The session's open pages on a device, in the clear. An open page is true in host memory, on the device, or in both.
struct DeviceEnd {
  struct Place {
    Slot slot;
    uint64_t in = 0, out = 0;  // fences of copies from and to the host's page; 0: none, or done
    bool stale = false;        // the host's page lacks rows ...
    uint32_t safe = 0;         // ... after so many
    DeviceEncoded encoded;     // of a full page that the device encodes (blob: it does)
  };
  explicit DeviceEnd(DevicePages* on) : pages(on) {}

  DevicePages* pages;
  std::vector<Place> places;  // of the first open pages
};

}  // namespace kvc
