// Frames: a page's layers at rest, each compressed by itself, without loss, where it pays.
//
// What pays on real 16-bit K/V: the bytes of the elements' high halves (sign, exponent) by themselves, entropy coded;
// the low halves are noise and stay as they are. Mixed, zstd finds nothing. K and V have their own streams, for their
// exponents differ.
#pragma once

#include <zstd.h>

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "tier/disk/format.h"

namespace kvc::disk {

// How a group's bytes are laid out: `parts` (K and V) of elements of so many bytes.
struct GroupShape {
  uint32_t element_bytes = 1;       // 1: no planes
  uint64_t part_bytes[2] = {0, 0};  // their sum is the group; the second may be 0
};

// Contexts of zstd, kept for reuse. Any thread.
class Compressor {
 public:
  explicit Compressor(int level) noexcept : level_(level) {}
  bool enabled() const noexcept { return level_ != 0; }
  // Appends a group's frame to out and says its kind. raw if nothing is gained (then its bytes are the group's). May
  // throw.
  FrameKind compress(std::span<const std::byte> group, const GroupShape& shape, std::vector<std::byte>* out);
  // False: not such a frame. `frame` may hold anything; exactly out.size() bytes are written or fewer.
  bool decompress(FrameKind kind, std::span<const std::byte> frame, std::span<std::byte> out);

 private:
  struct Context {
    ~Context() {
      ZSTD_freeCCtx(in);
      ZSTD_freeDCtx(out);
    }
    ZSTD_CCtx* in = nullptr;
    ZSTD_DCtx* out = nullptr;
    std::vector<std::byte> planes;
  };
  class Lease;
  bool stream(Context* context, std::span<const std::byte> bytes, std::vector<std::byte>* out);

  const int level_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Context>> idle_;
};

}  // namespace kvc::disk
