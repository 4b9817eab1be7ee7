// What codecs have in common.
#include "codec/codec.h"

#include <cstring>
#include <vector>

#include "attend/convert.h"
#include "codec/page_header.h"

namespace kvc {

Status check_range(std::string_view codec, const PageGeometry& geometry, uint32_t layer, int plane, uint32_t from,
                   uint32_t n) {
  if (layer < geometry.n_layers && (plane == KVC_KEY || plane == KVC_VALUE) && from <= geometry.page_tokens &&
      n <= geometry.page_tokens - from) {
    return Status::ok();
  }
  return error(KVC_E_OUT_OF_RANGE,
               "%.*s: tokens %u to %u of plane %d of layer %u, but a page has %u tokens, planes 0 and 1, and %u layers",
               static_cast<int>(codec.size()), codec.data(), from, from + n, plane, layer, geometry.page_tokens,
               geometry.n_layers);
}

Status check_sizes(std::string_view codec, const PageGeometry& geometry, std::span<const std::byte> page,
                   std::span<const std::byte> out, size_t encoded_bytes) {
  if (page.size() == geometry.page_bytes() && out.size() == encoded_bytes) return Status::ok();
  return error(KVC_E_INTERNAL, "%.*s: a page of %zu bytes to be encoded into %zu, but this geometry has %zu and %zu",
               static_cast<int>(codec.size()), codec.data(), page.size(), out.size(), geometry.page_bytes(),
               encoded_bytes);
}

Status measure_error(const Codec& codec, const PageGeometry& geometry, std::span<const std::byte> page,
                     std::span<const std::byte> encoded, uint32_t layer, int plane, PlaneError* out) {
  const size_t row = geometry.row_bytes(plane), head = geometry.head_bytes(plane);
  const size_t n = head / element_bytes(geometry.dtype);
  std::vector<std::byte> decoded(geometry.plane_bytes(plane));
  KVC_RETURN_IF_ERROR(
      codec.decode(geometry, encoded, layer, plane, 0, geometry.page_tokens, decoded.data(), head, row));
  std::vector<float> want(n), got(n);
  *out = {};
  for (uint32_t h = 0; h < geometry.n_kv_heads; ++h) {
    to_f32(geometry.dtype, page.data() + geometry.head_offset(layer, plane, h), want.data(), n);
    to_f32(geometry.dtype, decoded.data() + h * head, got.data(), n);
    for (size_t i = 0; i < n; ++i) {
      const double original = static_cast<double>(want[i]);
      const double difference = static_cast<double>(got[i]) - original;
      out->error += difference * difference;
      out->energy += original * original;
    }
  }
  return Status::ok();
}

Status read_header(std::string_view codec, uint32_t magic, const PageGeometry& geometry,
                   std::span<const std::byte> encoded, PageHeader* out) {
  const int name = static_cast<int>(codec.size());
  if (encoded.size() < sizeof *out) {
    return error(KVC_E_CORRUPT, "%.*s: an encoded page of %zu bytes, shorter than its header", name, codec.data(),
                 encoded.size());
  }
  std::memcpy(out, encoded.data(), sizeof *out);
  if (out->magic == magic && out->tokens == geometry.page_tokens && out->count <= geometry.page_tokens)
    return Status::ok();
  return error(KVC_E_CORRUPT, "%.*s: %zu bytes with magic %08x, %u of %u tokens: no page of %u", name, codec.data(),
               encoded.size(), out->magic, out->count, out->tokens, geometry.page_tokens);
}

}  // namespace kvc
