// What the kernels that read pages of the codecs klt, lowrank and auto, and encode those of the first two, are given in
// device memory, by the library: of a calibration, and of each page. Plain C++: the library writes it
// (src/cache/device_klt.cpp), kernels/klt.h, attend_klt.h and klt_encode.h read it.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define KVC_TABLE __host__ __device__ __forceinline__
#else
#define KVC_TABLE inline
#endif

namespace kvc_cuda {

inline constexpr uint32_t kKltTile = 64;       // tokens
inline constexpr uint32_t kKltMaxBits = 12;    // of a code
inline constexpr uint32_t kKltHeader = 64;     // bytes of an encoded page before its levels
inline constexpr uint32_t kKltRaw = 0xffff;    // levels of keys ...
inline constexpr uint32_t kKltRawBits = 0xff;  // ... and values that are kept as they came

// Of a page. There follow
//   u32 tile_at[layer][blocks, then heads][tile]   bytes from the encoded page's begin
//   f32 turns[tile][pair][2]                       cosine and sine by which the keys of a tile's first token turn
struct KltPage {
  uint64_t coded = 0;                     // address of the encoded page
  uint64_t exact_at = 0;                  // bytes from there to the rows that are kept as they came
  int32_t clear = 0;                      // page of the view that it is in the clear
  uint32_t exact = 0;                     // first tokens that are kept as they came
  uint32_t key_bits = 0, value_bits = 0;  // of all channels, without a calibration
  uint32_t levels = 0;                    // 1: the page has levels of its own
  uint32_t zero = 0;
};
static_assert(sizeof(KltPage) == 40);

// Counts of pages and of their calibration, and where its parts lie, in bytes from its begin:
//   f32 mean[layer][block][C], f32 synthesis[layer][block][C][C], f32 deviation[layer][block][C],
//   f32 steps[pair][2][kKltTile]   cosines and sines of 0, 1, ... tokens
//   u16 ranks[layer][block][C][kKltMaxBits]   how many steps a block needs until the channel has 1, 2, ... bits; if
//   has_ranks u8 key_bits[layer][block][C], u8 value_bits[layer][head]
struct KltForm {
  uint32_t n_layers = 0, n_heads = 0, k_dim = 0, v_dim = 0, page_tokens = 0;
  uint32_t block_heads = 1;  // heads that share a basis
  uint32_t pairs = 0;        // of each key that turn; 0: keys are coded as they come
  uint32_t interleaved = 0;  // 1: pairs are (2i, 2i + 1); else (i, i + pairs)
  uint32_t has_ranks = 0;

  KVC_TABLE uint32_t channels() const { return block_heads * k_dim; }
  KVC_TABLE uint32_t blocks() const { return n_heads / block_heads; }
  KVC_TABLE uint32_t parts() const { return blocks() + n_heads; }  // of a layer
  KVC_TABLE uint32_t tiles() const { return (page_tokens + kKltTile - 1) / kKltTile; }
  KVC_TABLE uint32_t tokens(uint32_t tile) const {
    const uint32_t rest = page_tokens - tile * kKltTile;
    return rest < kKltTile ? rest : kKltTile;
  }
  KVC_TABLE uint64_t tile_at(uint32_t layer, uint32_t part, uint32_t tile) const {
    return sizeof(KltPage) + ((uint64_t{layer} * parts() + part) * tiles() + tile) * 4;
  }
  KVC_TABLE uint64_t turns_at() const { return (tile_at(n_layers, 0, 0) + 7) / 8 * 8; }
  KVC_TABLE uint64_t page_bytes() const { return (turns_at() + uint64_t{tiles()} * pairs * 8 + 15) / 16 * 16; }

  KVC_TABLE uint64_t vectors() const { return uint64_t{n_layers} * blocks() * channels(); }
  KVC_TABLE uint64_t synthesis_at() const { return vectors() * 4; }
  KVC_TABLE uint64_t deviation_at() const { return synthesis_at() + vectors() * channels() * 4; }
  KVC_TABLE uint64_t steps_at() const { return deviation_at() + vectors() * 4; }
  KVC_TABLE uint64_t ranks_at() const { return steps_at() + uint64_t{pairs} * 2 * kKltTile * 4; }
  KVC_TABLE uint64_t key_bits_at() const { return ranks_at() + (has_ranks != 0 ? vectors() * kKltMaxBits * 2 : 0); }
  KVC_TABLE uint64_t value_bits_at() const { return key_bits_at() + vectors(); }
  KVC_TABLE uint64_t calibration_bytes() const { return value_bits_at() + uint64_t{n_layers} * n_heads; }
  // What encoding needs besides, in a place of its own: f32 analysis[layer][block][C][C].
  KVC_TABLE uint64_t analysis_bytes() const { return vectors() * channels() * 4; }
};

inline constexpr uint32_t kKltShared = 48 * 1024 - 512;  // bytes of shared memory that a block has
inline constexpr uint32_t kKltPad = 4;  // floats between two channels, or their stores meet in one bank
inline constexpr uint32_t kKltValueDim = 512;

// Tokens of which a block's shared memory holds all channels; 0: there are too many channels.
KVC_TABLE uint32_t klt_chunk(uint32_t channels) {
  const uint64_t floats = kKltShared / (4 * uint64_t{channels});
  // Besides the numbers two counts for each channel.
  if (floats < 8 + kKltPad + 2) return 0;
  const uint64_t tokens = (floats - kKltPad - 2) / 8 * 8;
  return static_cast<uint32_t>(tokens < kKltTile ? tokens : kKltTile);
}

// Words of shared memory that a channel has besides its numbers while keys are encoded; tokens of which a block then
// holds all channels; 0: there are too many channels.
inline constexpr uint32_t kKltEncodeWords = 5;
KVC_TABLE uint32_t klt_encode_chunk(uint32_t channels) {
  const uint64_t floats = kKltShared / (4 * uint64_t{channels});
  if (floats < 8 + kKltPad + kKltEncodeWords) return 0;
  const uint64_t tokens = (floats - kKltPad - kKltEncodeWords) / 8 * 8;
  return static_cast<uint32_t>(tokens < kKltTile ? tokens : kKltTile);
}
// The same of values: rows at a time, of up to kKltValueDim numbers.
KVC_TABLE uint32_t klt_encode_rows(uint32_t v_dim) {
  const uint32_t rows = (kKltShared / 4 - kKltEncodeWords * kKltTile) / v_dim / 8 * 8;
  return rows < kKltTile ? rows : kKltTile;
}

// Attention over the codes (attend_klt.h): what a block has in shared memory, in units of 4 bytes.
inline constexpr uint32_t kKltGroup = 8;  // query heads that a block takes
struct KltAttendRoom {
  uint32_t turned, split, counts, rows, coefficients, end;  // each from the block's begin; queries come first
  uint32_t row = 0, stride = 0;                             // numbers of a row, and from one to the next
  KVC_TABLE KltAttendRoom(const KltForm& form, bool calibrated, uint32_t chunk) {
    const uint32_t channels = form.channels();
    // Keys that do not turn stay coefficients, and the queries are brought to them.
    const bool basis = form.pairs == 0;
    row = basis && channels > form.k_dim ? channels : form.k_dim;
    stride = (row > form.v_dim ? row : form.v_dim) | 1u;
    turned = kKltGroup * form.k_dim;
    split = turned + (basis && calibrated ? kKltGroup * (channels + 1) : 0);
    counts = split + kKltGroup * (chunk + 3);
    rows = counts + 2 * channels;
    coefficients = (rows + chunk * stride + 3) / 4 * 4;
    end = coefficients + (basis ? 0 : channels * (chunk + kKltPad));
  }
};

// Tokens that a block attends to at a time; 0: it has no room for such pages.
KVC_TABLE uint32_t klt_attend_chunk(const KltForm& form, bool calibrated) {
  for (uint32_t chunk = 32; chunk >= 8; chunk /= 2) {
    if (KltAttendRoom(form, calibrated, chunk).end <= kKltShared / 4) return chunk;
  }
  return 0;
}

}  // namespace kvc_cuda
