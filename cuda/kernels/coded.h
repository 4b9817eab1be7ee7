// Where the parts of an encoded page lie (codecs int8, int4, mixed): src/codec/quantized.cpp and src/attend/tile.h have
// the form; tests/cuda compares every byte with what they write.
#pragma once

#include "kernels/args.h"

namespace kvc_cuda {

inline constexpr uint32_t kTile = 64;
inline constexpr uint32_t kLanes = 16;
inline constexpr uint32_t kUnit = 32;
inline constexpr uint32_t kHeader = 64;
inline constexpr uint32_t kHeaderMagic = 0x3151564b;

KVC_BOTH uint32_t up_to(uint32_t n, uint32_t step) { return (n + step - 1) / step * step; }
KVC_BOTH uint64_t line_up(uint64_t bytes) { return (bytes + 63) / 64 * 64; }
KVC_BOTH uint32_t key_channels(uint32_t dim, uint32_t bits) { return up_to(dim, 2 * (8 / bits)); }
KVC_BOTH uint32_t value_channels(uint32_t dim) { return up_to(dim, kLanes); }
KVC_BOTH uint32_t rotated_block(uint32_t dim) { return dim & (~dim + 1); }

class CodedLayout {
 public:
  KVC_BOTH explicit CodedLayout(const CodeArgs& a) : a_(a) {
    const uint32_t last = tokens(tiles() - 1);
    k_whole_ = tile_bytes(0, tokens(0));
    v_whole_ = tile_bytes(1, tokens(0));
    k_head_ = (tiles() - 1) * k_whole_ + tile_bytes(0, last);
    v_head_ = (tiles() - 1) * v_whole_ + tile_bytes(1, last);
    tiles_at_ = kHeader + line_up(uint64_t{a.n_layers} * 2 * a.n_heads * tiles() * 4);
    exact_at_ = tiles_at_ + a.n_layers * layer_bytes();
  }
  KVC_BOTH uint32_t tiles() const { return (a_.page_tokens + kTile - 1) / kTile; }
  KVC_BOTH uint32_t tokens(uint32_t tile) const {
    const uint32_t rest = a_.page_tokens - tile * kTile;
    return rest < kTile ? rest : kTile;
  }
  KVC_BOTH uint64_t scale_bytes(int plane, uint32_t tokens) const {
    return line_up((plane == 0 ? key_channels(a_.dim[0], a_.bits[0]) : up_to(tokens, kLanes)) * 2);
  }
  KVC_BOTH uint64_t code_bytes(int plane, uint32_t tokens) const {
    const uint32_t channels = plane == 0 ? key_channels(a_.dim[0], a_.bits[0]) : value_channels(a_.dim[1]);
    return uint64_t{up_to(tokens, kLanes)} * channels * a_.bits_of(plane) / 8;
  }
  KVC_BOTH uint64_t tile_bytes(int plane, uint32_t tokens) const {
    return 2 * scale_bytes(plane, tokens) + line_up(code_bytes(plane, tokens));
  }
  KVC_BOTH uint64_t unit_at(uint32_t layer, int plane, uint32_t head, uint32_t tile) const {
    return kHeader + (((uint64_t{layer} * 2 + static_cast<uint64_t>(plane)) * a_.n_heads + head) * tiles() + tile) * 4;
  }
  KVC_BOTH uint64_t tile_at(uint32_t layer, int plane, uint32_t head, uint32_t tile) const {
    return tiles_at_ + layer * layer_bytes() + (plane == 0 ? 0 : a_.n_heads * k_head_) +
           head * (plane == 0 ? k_head_ : v_head_) + tile * (plane == 0 ? k_whole_ : v_whole_);
  }
  KVC_BOTH uint64_t row_bytes(int plane) const { return uint64_t{a_.dim_of(plane)} * bytes_of(a_.number); }
  KVC_BOTH uint64_t exact_at(uint32_t layer, int plane, uint32_t head) const {
    const uint64_t k = a_.exact * row_bytes(0), v = a_.exact * row_bytes(1);
    return exact_at_ + layer * a_.n_heads * (k + v) + (plane == 0 ? 0 : a_.n_heads * k) + head * (plane == 0 ? k : v);
  }
  KVC_BOTH uint64_t units_end() const { return kHeader + uint64_t{a_.n_layers} * 2 * a_.n_heads * tiles() * 4; }
  KVC_BOTH uint64_t tiles_at() const { return tiles_at_; }
  KVC_BOTH uint64_t exact_end() const { return exact_at(a_.n_layers, 0, 0); }
  KVC_BOTH uint64_t total() const { return line_up(exact_end()); }

 private:
  KVC_BOTH uint64_t layer_bytes() const { return a_.n_heads * (k_head_ + v_head_); }

  const CodeArgs& a_;
  // Of a whole tile, of all tiles of a head. Not arrays: a device would keep those in memory.
  uint64_t k_whole_, v_whole_, k_head_, v_head_;
  uint64_t tiles_at_, exact_at_;
};

// Which tile a block has: blocks go over [page][layer][plane][head][tile].
struct TileIndex {
  uint32_t page, layer, head, tile;
  int plane;
  KVC_BOTH TileIndex(const CodeArgs& a, uint32_t tiles, uint32_t block) {
    tile = block % tiles;
    block /= tiles;
    head = block % a.n_heads;
    block /= a.n_heads;
    plane = static_cast<int>(block % 2);
    block /= 2;
    layer = block % a.n_layers;
    page = block / a.n_layers;
  }
};

}  // namespace kvc_cuda
