// The codec that changes nothing: pages stay in the clear and are used in place. Error: none.
#include <algorithm>
#include <cstring>

#include "attend/copy.h"
#include "codec/codec.h"

namespace kvc {
namespace {

class Identity final : public Codec {
 public:
  constexpr ~Identity() override {}  // written out, or g++ 12 does not see that it is constexpr
  std::string_view name() const noexcept override { return "identity"; }
  uint8_t id() const noexcept override { return 1; }
  bool is_clear() const noexcept override { return true; }
  size_t encoded_bytes(const PageGeometry& geometry, const EncodeOptions&) const noexcept override {
    return geometry.page_bytes();
  }

  Status encode(const PageGeometry& geometry, const EncodeOptions&, std::span<const std::byte> page,
                std::span<std::byte> out) const override {
    const size_t bytes = geometry.page_bytes();
    if (page.size() != bytes || out.size() != bytes) {
      return error(KVC_E_INTERNAL, "identity: a page of %zu bytes to be encoded into %zu, but this geometry has %zu",
                   page.size(), out.size(), bytes);
    }
    if (page.data() != out.data() && bytes != 0) std::memcpy(out.data(), page.data(), bytes);
    return Status::ok();
  }

  Status decode(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, int plane,
                uint32_t from, uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override {
    KVC_RETURN_IF_ERROR(check_bytes(geometry, encoded));
    KVC_RETURN_IF_ERROR(check_range(name(), geometry, layer, plane, from, n));
    const size_t row = geometry.row_bytes(plane);
    const RowGrid grid = {geometry.n_kv_heads, n, geometry.head_bytes(plane), row, head_stride, token_stride, row};
    copy_grid(out, encoded.data() + geometry.plane_offset(layer, plane) + from * row, grid, /*streaming=*/false);
    return Status::ok();
  }

  Status tile(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, uint32_t head,
              uint32_t index, AttendTile* tile) const override {
    KVC_RETURN_IF_ERROR(check_bytes(geometry, encoded));
    const uint32_t from = index * kTileTokens;
    KVC_RETURN_IF_ERROR(check_range(name(), geometry, layer, KVC_KEY, from, 1));
    tile->tokens = tile->exact = std::min(kTileTokens, geometry.page_tokens - from);
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const size_t row = geometry.row_bytes(plane);
      ClearRows& clear = plane == KVC_KEY ? tile->k : tile->v;
      clear = {geometry.dtype, encoded.data() + geometry.head_offset(layer, plane, head) + from * row, row};
    }
    return Status::ok();
  }

 private:
  static Status check_bytes(const PageGeometry& geometry, std::span<const std::byte> encoded) {
    if (encoded.size() == geometry.page_bytes()) return Status::ok();
    return error(KVC_E_CORRUPT, "identity: an encoded page of %zu bytes, but this geometry has %zu", encoded.size(),
                 geometry.page_bytes());
  }
};

// Constant data: nothing is constructed at load time, nothing destroyed at exit.
constexpr Identity kIdentity;

}  // namespace

const Codec* identity_codec() noexcept { return &kIdentity; }

}  // namespace kvc
