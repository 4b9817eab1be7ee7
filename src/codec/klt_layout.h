// Where the parts of a page of the calibrated codecs are.
//
// An encoded page:
//   KltHeader                       64 bytes
//   levels  u16 [layer][block], u8 [layer][head]   in pages with levels of their own (KltLevels), else nothing
//   tiles   [layer]{ keys [block][tile], values [head][tile] }
//   exact   [layer][K|V][head][token]   rows of the first tokens, as they came
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/codec.h"
#include "codec/klt_calibration.h"
#include "codec/klt_tile.h"

namespace kvc {

struct KltHeader {
  static constexpr uint32_t kMagic = 0x314b564b;   // "KVK1"
  static constexpr uint32_t kMagic2 = 0x324b564b;  // "KVK2": with levels
  uint32_t magic = kMagic;
  uint8_t codec = 0;
  uint8_t key_bits = 0;  // without calibration
  uint8_t value_bits = 0;
  uint8_t zero = 0;
  uint32_t exact = 0;
  uint32_t tokens = 0;
  uint64_t position = 0;  // of the first token
  Digest calibration;     // all 0: none
  uint8_t zeros[8] = {};
};
static_assert(sizeof(KltHeader) == 64);

// Where the parts of an encoded page are, and what codes them.
class KltLayout {
 public:
  // levels: nullptr, or of this calibration; kept by the caller.
  KltLayout(const PageGeometry& g, const KltCalibration* calibration, const KltLevels* levels, uint32_t key_bits,
            uint32_t value_bits, uint32_t exact)
      : g_(g),
        calibration_(calibration),
        levels_(levels),
        key_bits_(key_bits),
        value_bits_(value_bits),
        exact_(exact) {}

  uint32_t block_heads() const { return calibration_ != nullptr ? calibration_->block_heads : 1; }
  uint32_t channels() const { return block_heads() * g_.k_dim; }
  uint32_t blocks() const { return g_.n_kv_heads / block_heads(); }
  uint32_t tiles() const { return (g_.page_tokens + kTileTokens - 1) / kTileTokens; }
  uint32_t tile_tokens(uint32_t tile) const { return std::min(kTileTokens, g_.page_tokens - tile * kTileTokens); }
  size_t block_index(uint32_t layer, uint32_t block) const { return size_t{layer} * blocks() + block; }

  const float* part(const std::vector<float> KltCalibration::* array, uint32_t layer, uint32_t block,
                    size_t each) const {
    return calibration_ != nullptr ? (calibration_->*array).data() + block_index(layer, block) * each : nullptr;
  }
  // nullptr: all channels have same_key_bits. `room` is where they are counted for pages with levels.
  const uint8_t* key_bits(uint32_t layer, uint32_t block, std::vector<uint8_t>* room) const {
    if (calibration_ == nullptr) return nullptr;
    const size_t index = block_index(layer, block);
    if (levels_ == nullptr) return calibration_->key_bits.data() + index * channels();
    room->resize(channels());
    calibration_->widths(index, levels_->key_steps[index], room->data());
    return room->data();
  }
  uint32_t same_key_bits() const { return key_bits_; }
  uint32_t value_bits(uint32_t layer, uint32_t head) const {
    if (calibration_ == nullptr) return value_bits_;
    return (levels_ != nullptr ? levels_->value_bits : calibration_->value_bits)[size_t{layer} * g_.n_kv_heads + head];
  }
  bool raw_keys(uint32_t layer, uint32_t block) const {
    return levels_ != nullptr && levels_->key_steps[block_index(layer, block)] == KltLevels::kRawKeys;
  }
  bool raw_values(uint32_t layer, uint32_t head) const {
    return levels_ != nullptr && value_bits(layer, head) == KltLevels::kRawValues;
  }

  size_t key_tile_bytes(uint32_t layer, uint32_t block, uint32_t tile) const {
    const size_t index = block_index(layer, block);
    if (raw_keys(layer, block)) return tile_tokens(tile) * block_heads() * g_.row_bytes(KVC_KEY);
    const size_t bits = calibration_ == nullptr ? size_t{channels()} * key_bits_
                        : levels_ != nullptr    ? levels_->key_steps[index]
                                                : calibration_->block_bits[index];
    return coded_bytes(channels(), tile_tokens(tile), bits);
  }
  size_t value_tile_bytes(uint32_t layer, uint32_t head, uint32_t tile) const {
    const size_t tokens = tile_tokens(tile);
    if (raw_values(layer, head)) return tokens * g_.row_bytes(KVC_VALUE);
    return coded_bytes(tokens, g_.v_dim, tokens * value_bits(layer, head));
  }
  size_t levels_bytes() const {
    return levels_ != nullptr ? levels_->key_steps.size() * sizeof(uint16_t) + levels_->value_bits.size() : 0;
  }
  // of (layer, plane, block or head); tiles follow one another.
  size_t part_at(uint32_t layer, int plane, uint32_t index) const {
    size_t at = sizeof(KltHeader) + levels_bytes();
    for (uint32_t l = 0; l <= layer; ++l) {
      const bool last = l == layer;
      const uint32_t keys = last && plane == KVC_KEY ? index : blocks();
      const uint32_t values = !last ? g_.n_kv_heads : plane == KVC_KEY ? 0 : index;
      for (uint32_t i = 0; i < keys; ++i) {
        for (uint32_t t = 0; t < tiles(); ++t) at += key_tile_bytes(l, i, t);
      }
      for (uint32_t i = 0; i < values; ++i) {
        for (uint32_t t = 0; t < tiles(); ++t) at += value_tile_bytes(l, i, t);
      }
    }
    return at;
  }
  size_t exact_at(size_t tiles_end, uint32_t layer, int plane, uint32_t head) const {
    return tiles_end + g_.with_tokens(exact_).head_offset(layer, plane, head);
  }
  size_t tiles_end() const { return part_at(g_.n_layers - 1, KVC_VALUE, g_.n_kv_heads); }
  size_t total() const { return tiles_end() + g_.with_tokens(exact_).page_bytes(); }

 private:
  const PageGeometry& g_;
  const KltCalibration* calibration_;
  const KltLevels* levels_;
  uint32_t key_bits_, value_bits_, exact_;
};

}  // namespace kvc
