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
