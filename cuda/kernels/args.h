// What kernels are given, by value. Addresses are device addresses; strides are in bytes. No kernel reads a table that
// lies on the host: what does not fit here is in device memory that the caller owns.
#pragma once

#include "kernels/numbers.h"

namespace kvc_cuda {

// K/V of many pages, wherever an engine has it: row (page, layer, plane, head, token) of `dim` numbers begins at
//   base(layer) + page * page_stride + plane * plane_stride + head * head_stride + token * token_stride
struct View {
  uint64_t base = 0;
  const uint64_t* layer_bases = nullptr;  // device memory: one address a layer, in place of base and layer stride
  int64_t page = 0, layer = 0, plane = 0, head = 0, token = 0;

  KVC_BOTH unsigned char* row(int64_t page_index, uint32_t layer_index, uint32_t plane_index, uint32_t head_index,
                              uint32_t token_index) const {
    const uint64_t from =
        layer_bases != nullptr ? layer_bases[layer_index] : base + static_cast<uint64_t>(layer_index * layer);
    return reinterpret_cast<unsigned char*>(from + static_cast<uint64_t>(page_index * page + plane_index * plane +
                                                                         head_index * head + token_index * token));
  }
};

// Rows from one view to another: gather, scatter, append and copies of pages are the same walk.
struct MoveArgs {
  View from, to;
  // Where token i lies: page * page_tokens + token in page, device memory. nullptr: i itself. < 0: not moved.
  const int32_t* from_slots = nullptr;
  const int32_t* to_slots = nullptr;
  uint32_t from_page_tokens = 1, to_page_tokens = 1;
  uint32_t tokens = 0, layers = 0, planes = 0, heads = 0;
  uint32_t row_bytes = 0;
  uint32_t vector = 1;  // bytes moved at a time: divides row_bytes, every address and stride
};

// Runs of bytes that streaming multiprocessors copy, for fragments that copy engines are slow at.
struct CopyRun {
  uint64_t to = 0, from = 0, bytes = 0;
};
inline constexpr uint32_t kCopyRuns = 128;         // in one launch
inline constexpr uint32_t kCopyChunk = 16 * 1024;  // what a block takes at a time
struct CopyArgs {
  uint32_t runs = 0;
  uint32_t chunks = 0;
  uint32_t first_chunk[kCopyRuns] = {};
  CopyRun run[kCopyRuns] = {};
};

// Pages in the clear and encoded ones (coded.h), both ways.
struct CodeArgs {
  View clear;
  const int32_t* clear_pages = nullptr;   // page of the view that page i is; nullptr: i
  const uint64_t* coded_pages = nullptr;  // addresses, device memory
  uint32_t pages = 0;
  uint32_t n_layers = 0, n_heads = 0, dim[2] = {}, page_tokens = 0;
  uint32_t bits[2] = {8, 8};  // of codes of keys and values: 8, 4 or 2
  uint32_t exact = 0;
  uint32_t codec = 0;
  Number number = Number::f16;
  KVC_BOTH uint32_t dim_of(int plane) const { return plane == 0 ? dim[0] : dim[1]; }
  KVC_BOTH uint32_t bits_of(int plane) const { return plane == 0 ? bits[0] : bits[1]; }
  float norm = 1;              // 1 / sqrt(hadamard_block(v_dim))
  uint32_t* failed = nullptr;  // encoding: [page] is set to 1 where a number is not finite; the page is then no page
};

inline constexpr uint32_t kAttendGroup = 8;    // query heads of one K/V head that a block takes
inline constexpr uint32_t kAttendTokens = 32;  // K/V rows that a block has in shared memory
inline constexpr uint32_t kAttendDim = 256;    // largest head
inline constexpr uint32_t kAttendThreads = 128;

// Attention of one query token a sequence over its pages: first encoded ones, then pages in the clear; either may be
// none.
struct AttendArgs {
  const unsigned char* query = nullptr;  // [sequence][query head][k_dim]
  unsigned char* out = nullptr;          // [sequence][query head][v_dim]
  float* state = nullptr;             // [sequence][query head][2]: largest score (base 2), sum of weights; may be null
  float* partial = nullptr;           // [sequence][kv head][group block][all_splits()][kAttendGroup][v_dim + 2]
  const uint32_t* lengths = nullptr;  // [sequence]: tokens in all
  const uint32_t* coded_counts = nullptr;  // [sequence]: encoded pages; nullptr: none
  const uint64_t* coded_pages = nullptr;   // [sequence][coded_stride]: addresses
  const int32_t* clear_pages = nullptr;    // [sequence][clear_stride]: pages of the view
  View clear;
  uint32_t coded_stride = 0, clear_stride = 0;
  uint32_t sequences = 0, kv_heads = 0, group = 1, splits = 1;
  // Of a sequence whose pages two kernels share: the splits of the other one, and the first of this one's.
  uint32_t other_splits = 0, first_split = 0;
  KVC_BOTH uint32_t all_splits() const { return splits + other_splits; }
  uint32_t layer = 0;
  Number query_number = Number::f32, out_number = Number::f32;
  CodeArgs page;                   // geometry and codec; number: of the pages in the clear
  float scale = 1;                 // of scores, times log2(e)
  float number_scale[2] = {1, 1};  // of e4m3 keys and values
  uint64_t window = 0;             // 0: all; else the last ones
};

}  // namespace kvc_cuda
