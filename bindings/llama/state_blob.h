// The bytes in which llama.cpp hands out and takes in the K/V cells of one sequence (llama_state_seq_get_data), read
// and built by this module. Layout, little endian, nothing aligned:
//
//   u32 0xaf143cd8, i32 sequence (ignored on reading)
//   once for each cache of the model (one; two where some layers have a sliding window):
//     u32 streams (1), u32 cells
//     cells times: i32 position, u32 sequences (1), i32 sequence
//     u32 transposed, u32 layers
//     layers times: i32 type, u64 row bytes, cells * row bytes                             K, a row for each cell
//     not transposed: the same for V (absent where K and V are one)
//     transposed:     layers times: i32 type, u32 element bytes, u32 channels, channels * cells * element bytes
//
// llama.cpp gives it no version and checks little of it on reading (a false cell count makes it allocate without
// bound), so nothing reaches it that was not built here, and the layout is tried out on the loaded library before it is
// used (self_test.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kvc_llama {

// The rows of one plane of one layer.
struct Rows {
  int32_t type = 0;        // of the elements
  uint64_t row_bytes = 0;  // K or V of one token
  uint32_t channels = 0;   // transposed: numbers in a row; else 0
  bool operator==(const Rows&) const = default;
};

struct CacheShape {
  bool transposed = false;  // V lies [channel][token]
  std::vector<Rows> k, v;
  bool operator==(const CacheShape&) const = default;
};

// All of a blob that does not depend on its tokens.
struct BlobShape {
  std::vector<CacheShape> caches;
  bool operator==(const BlobShape&) const = default;
  size_t blob_bytes(uint32_t cells) const noexcept;
  uint64_t token_bytes() const noexcept;  // of all rows of one token
};

// Where the rows of a blob lie: one pointer for each layer, caches one after the other. In a transposed cache v points
// to [channels][cells] elements. Valid as long as the blob's bytes.
struct BlobRows {
  uint32_t cells = 0;
  std::vector<std::byte*> k, v;
};

// Reads a blob of any shape. False and *why if the bytes are no such blob; then nothing else is set. Never reads beyond
// `bytes`, and allocates no more than their number. positions: of the cells, in their order; the same in all caches.
bool parse_blob(std::span<std::byte> bytes, BlobShape* shape, BlobRows* rows, std::vector<int32_t>* positions,
                std::string* why);

// The same where the shape is known and other bytes than those of this shape are an error. No allocation once `rows`
// and `positions` have been used for as many cells.
bool parse_known(std::span<std::byte> bytes, const BlobShape& shape, BlobRows* rows, std::vector<int32_t>* positions,
                 std::string* why);

// Writes everything but the rows of a blob of `cells` cells at positions from, from + 1, ... into `bytes`, which has
// shape.blob_bytes(cells), and says where the rows go.
void build_blob(const BlobShape& shape, uint32_t cells, int32_t from, std::span<std::byte> bytes, BlobRows* rows);

}  // namespace kvc_llama
