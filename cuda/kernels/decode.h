// Encoded pages back to rows in the clear: a block for each tile. The same bits as the codec of the library gives.
#pragma once

#include "kernels/encode.h"

namespace kvc_cuda {

// The number of token t, channel c of an encoded tile; of values still rotated, and without the unit.
struct TileReader {
  const uint16_t* scales;
  const uint16_t* zeros;
  const unsigned char* codes;
  float unit;
  uint32_t bits, pack, groups, blocks, mask;

  KVC_BOTH TileReader(const CodeArgs& a, const CodedLayout& at, const unsigned char* page, uint32_t layer, int plane,
                      uint32_t head, uint32_t tile) {
    const unsigned char* from = page + at.tile_at(layer, plane, head, tile);
    const uint64_t grid = at.scale_bytes(plane, at.tokens(tile));
    scales = reinterpret_cast<const uint16_t*>(from);
    zeros = reinterpret_cast<const uint16_t*>(from + grid);
    codes = from + 2 * grid;
    unit = *reinterpret_cast<const float*>(page + at.unit_at(layer, plane, head, tile));
    bits = a.bits_of(plane);
    pack = 8 / bits;
    mask = (1u << bits) - 1;
    groups = key_channels(a.dim[0], bits) / (2 * pack);
    blocks = value_channels(a.dim[1]) / kLanes;
  }
  KVC_BOTH float key(uint32_t t, uint32_t c) const {
    const uint32_t pair = c / 2, u = pair % pack;
    const uint32_t byte = codes[(t / kLanes * groups + pair / pack) * kUnit + t % kLanes * 2 + c % 2];
    return (static_cast<float>((byte >> (bits * u)) & mask) * f32_of_f16(scales[c]) + f32_of_f16(zeros[c])) * unit;
  }
  KVC_BOTH float rotated_value(uint32_t t, uint32_t c) const {
    const uint32_t pair = t / 2, u = pair % pack;
    const uint32_t byte = codes[(pair / pack * blocks + c / kLanes) * kUnit + c % kLanes * 2 + t % 2];
    return static_cast<float>((byte >> (bits * u)) & mask) * f32_of_f16(scales[t]) + f32_of_f16(zeros[t]);
  }
};

template <class Block>
KVC_BODY void decode_pages(Block& block, const CodeArgs& a) {
  const CodedLayout at(a);
  const TileIndex i(a, at.tiles(), block.index());
  const uint32_t plane = static_cast<uint32_t>(i.plane);
  const uint32_t tokens = at.tokens(i.tile), dim = a.dim_of(i.plane), size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? a.exact : 0;
  const unsigned char* page = reinterpret_cast<const unsigned char*>(a.coded_pages[i.page]);
  const int64_t to_page = a.clear_pages != nullptr ? int64_t{a.clear_pages[i.page]} : int64_t{i.page};
  unsigned char* head = a.clear.row(to_page, i.layer, plane, i.head, 0);
  unsigned char* rows = head + a.clear.token * (i.tile * kTile);
  const TileReader tile(a, at, page, i.layer, i.plane, i.head, i.tile);

  if (exact > 0) {
    const unsigned char* from = page + at.exact_at(i.layer, i.plane, i.head);
    const uint32_t row = static_cast<uint32_t>(at.row_bytes(i.plane));
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < exact * row; n += block.threads()) {
        head[n / row * a.clear.token + n % row] = from[n];
      }
    });
  }
  if (i.plane == 0) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = exact * dim + thread; n < tokens * dim; n += block.threads()) {
        store_number(a.number, tile.key(n / dim, n % dim), rows + n / dim * a.clear.token + n % dim * size);
      }
    });
    return;
  }
  const uint32_t channels = value_channels(dim);
  float* y = reinterpret_cast<float*>(block.shared());
  for (uint32_t first = exact / kLanes * kLanes; first < tokens; first += kLanes) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < kLanes * channels; n += block.threads()) {
        y[n] = tile.rotated_value(first + n / channels, n % channels);
      }
    });
    block.sync();
    hadamard_rows(block, y, kLanes, channels, rotated_block(dim), a.norm * tile.unit);
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < kLanes * dim; n += block.threads()) {
        const uint32_t t = first + n / dim, d = n % dim;
        if (t < exact || t >= tokens) continue;
        store_number(a.number, y[n / dim * channels + d], rows + t * a.clear.token + d * size);
      }
    });
    block.sync();
  }
}

}  // namespace kvc_cuda
