#include "codec/tile_coding.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attend/convert.h"

namespace kvc {

bool encode_tile(DType dtype, const std::byte* from, int plane, const TileShape& shape, uint32_t exact, float* scratch,
                 float* unit, std::byte* to) {
  const QuantizeKernels& kernels = quantize_kernels();
  const size_t stride = scratch_stride(shape.dim), row = shape.dim * element_bytes(dtype);
  if (stride == shape.dim) {
    to_f32(dtype, from, scratch, size_t{shape.tokens} * stride);
  } else {
    for (uint32_t t = 0; t < shape.tokens; ++t) {
      to_f32(dtype, from + t * row, scratch + t * stride, shape.dim);
      std::fill(scratch + t * stride + shape.dim, scratch + (t + 1) * stride, 0.0f);
    }
  }
  std::fill(scratch + shape.tokens * stride, scratch + shape.padded_tokens() * stride, 0.0f);
  // Exact tokens count as 0 here: they are read from elsewhere.
  std::fill_n(scratch, exact * stride, 0.0f);
  const float largest = kernels.largest(scratch, shape.tokens * stride);
  if (!std::isfinite(largest)) return false;
  const TileBytes bytes = tile_bytes(plane, shape);
  *unit = tile_unit(largest);
  std::memset(to, 0, bytes.total());
  const CodedTileOut coded = {shape, unit, reinterpret_cast<uint16_t*>(to),
                              reinterpret_cast<uint16_t*>(to + bytes.scale),
                              reinterpret_cast<uint8_t*>(to + 2 * bytes.scale)};
  (plane == KVC_KEY ? kernels.encode_keys : kernels.encode_values)(scratch, stride, exact, coded);
  return true;
}

CodedTile coded_tile(int plane, const TileShape& shape, float unit, const std::byte* at) {
  const TileBytes bytes = tile_bytes(plane, shape);
  return {shape, unit, reinterpret_cast<const uint16_t*>(at), reinterpret_cast<const uint16_t*>(at + bytes.scale),
          reinterpret_cast<const uint8_t*>(at + 2 * bytes.scale)};
}

void decode_tile(DType dtype, int plane, const CodedTile& tile, uint32_t from, uint32_t n, float* scratch,
                 std::byte* to, size_t token_stride) {
  const QuantizeKernels& kernels = quantize_kernels();
  const uint32_t dim = tile.shape.dim;
  const size_t stride = scratch_stride(dim);
  (plane == KVC_KEY ? kernels.decode_keys : kernels.decode_values)(tile, from, n, scratch, stride);
  if (token_stride == dim * element_bytes(dtype) && stride == dim) {
    from_f32(dtype, scratch, to, n * stride);
  } else {
    for (uint32_t i = 0; i < n; ++i) from_f32(dtype, scratch + i * stride, to + i * token_stride, dim);
  }
}

}  // namespace kvc
