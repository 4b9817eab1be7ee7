// A caller's codec (kvc_codec_t) as a Codec.
//
// An encoded page:
//   Header                              64 bytes: magic, digest of name and version, sizes
//   exact   [layer][K|V][head][token]   rows of the first tokens, as they came; padded to 64 bytes
//   what the caller's encode wrote
// The caller's functions write into guarded buffers, never into a page or a caller's tensor.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "codec/codec.h"
#include "kvc/kvc.h"

namespace kvc {

// Stored with pages, for every codec of a caller: which one it was, the page's header says.
inline constexpr uint8_t kUserCodecId = 64;

class UserCodec final : public Codec {
 public:
  // A full table whose name is allowed (check_user_codec).
  explicit UserCodec(const kvc_codec_t& table) noexcept;

  std::string_view name() const noexcept override { return table_.name; }
  uint8_t id() const noexcept override { return kUserCodecId; }
  bool is_clear() const noexcept override { return false; }
  Digest format() const noexcept override { return format_; }
  Digest format_of(std::span<const std::byte> encoded) const noexcept override;
  size_t encoded_bytes(const PageGeometry& geometry, const EncodeOptions& options) const noexcept override;
  Status encode(const PageGeometry& geometry, const EncodeOptions& options, std::span<const std::byte> page,
                std::span<std::byte> out) const override;
  Status decode(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, int plane,
                uint32_t from, uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override;
  Status tile(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, uint32_t head,
              uint32_t index, AttendTile* tile) const override;

  // Calls that the caller's functions failed.
  uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }

 private:
  struct Encoded;

  Status open(const PageGeometry& geometry, std::span<const std::byte> encoded, Encoded* out) const;
  Status failed(const char* what, kvc_status_t status, const char* words) const;
  Status overrun(const char* what, size_t bytes) const;
  // Tokens of one head to compact rows, those that are exact included.
  Status rows(const PageGeometry& geometry, const Encoded& encoded, uint32_t layer, int plane, uint32_t head,
              uint32_t from, uint32_t n, std::byte* out) const;

  const kvc_codec_t table_;
  const Digest format_;
  mutable std::atomic<uint64_t> failures_{0};
};

// Refuses a table that lacks something, and names that are not allowed.
Status check_user_codec(const kvc_codec_t& table);

}  // namespace kvc
