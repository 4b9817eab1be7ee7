// Attention of queries over tiles of K/V, encoded or in the clear, with an online softmax (Milakov and Gimelshein 2018)
// and in parts that can be merged (flash-decoding, Dao et al. 2023). Tiles of 8, 4 and 2 bits are never decoded to
// memory; those of codecs that learn a tile at a time, in their basis.
//
// What is constant along a sum is taken out of it: a channel's scale goes into the query, a token's into its weight,
// the Hadamard transform of values is undone once, on the sum. Codes are multiplied as 16-bit integers, exactly: the
// query and the weights are rounded to 16 bits for it, which adds less than 2^-14 of the largest of them.
// Instruction sets differ in the order of sums only: results agree to 1e-5 of the largest value.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "attend/aligned.h"
#include "attend/target.h"
#include "attend/tile.h"

namespace kvc {

// Up to kTileTokens consecutive tokens of one K/V head. The first `exact` are rows in the clear, the rest codes.
struct AttendTile {
  uint64_t position = 0;  // of its first token
  uint32_t tokens = 0;
  uint32_t exact = 0;
  ClearRows k, v;            // if exact > 0
  CodedTile k_codes, v_codes;  // if exact < tokens
  // Instead of codes, what a codec that learns makes of its own on the way (codec/klt.cpp), of rows [exact, tokens):
  // keys as columns [k_dim][kTileTokens], or their coefficients in a basis, key = mean + coefficients * basis; then the
  // queries are brought into it, once for all tiles. Values as rows [token][round_up(v_dim, kUnitLanes)] that the
  // Hadamard transform has yet to turn; their weighted sum is turned, once.
  const float* k_columns = nullptr;
  const float* v_turned = nullptr;
  const float* k_basis = nullptr;  // [k_dim][k_dim]; nullptr: columns are the keys themselves
  const float* k_mean = nullptr;
  std::shared_ptr<const void> owner;  // of the basis
  std::vector<float> rows;            // room for what is made
  // Of rows that do not follow one another: row r is token position + offsets[r]. Kernels take rows as consecutive, so such a
  // tile may be attended to whole only where its positions do not matter.
  bool gathered = false;
  std::array<uint8_t, kTileTokens> offsets = {};
};

// Asks the processor for a tile's bytes, ahead of their use: tiles of one head lie far apart.
void prefetch(const AttendTile& tile) noexcept;

// What all queries of a call have in common.
struct AttendOptions {
  uint32_t k_dim = 0, v_dim = 0;
  uint32_t group = 1;      // query heads that share the K/V head
  float softcap = 0;       // score := softcap * tanh(score / softcap); 0: none
  bool causal = true;      // a query at position p sees positions <= p
  uint64_t window = 0;     // ... and > p - window; 0: no limit
  uint64_t sinks = 0;      // positions < sinks are seen whatever the window
  uint64_t position = 0;   // of the first query
};

// The queries of one K/V head on their way over the tiles: column = query * group + head in group.
// One thread at a time.
class AttendState {
 public:
  // Columns for n queries. Throws std::bad_alloc.
  AttendState(const AttendOptions& options, uint32_t n_queries);
  AttendState(const AttendState&) = delete;
  AttendState& operator=(const AttendState&) = delete;

  // Sets a column's query (k_dim floats, times `scale`) and its ALiBi slope: score += slope * (key - query position).
  void set_query(uint32_t column, const float* query, float scale, float slope);
  // Whether any column sees anything of a tile.
  bool sees(const AttendTile& tile) const noexcept;
  // Takes all columns over a tile. Tiles may come in any order.
  void attend(const AttendTile& tile) noexcept;
  // Adds what another state with the same queries has seen.
  void merge(const AttendState& other) noexcept;
  // A score that takes part in a column's softmax and has no value.
  void add_sink(uint32_t column, float score) noexcept;
  // A column's result: v_dim floats; 0 if it saw nothing. Changes the state: once, at the end.
  void finish(uint32_t column, float* out) noexcept;

  // For tests: as the instruction set does it. Before the first attend.
  void set_target(Target target) noexcept;

  // For kernels.
  using Kernel = void (*)(AttendState& state, const AttendTile& tile);
  const AttendOptions options;
  const uint32_t columns;
  const uint32_t k_stride, v_stride;  // floats of a column
  float* query = nullptr;             // [column][k_stride], the rest 0
  float* out = nullptr;               // [column][v_stride]: sum of weight * v
  float* rotated = nullptr;           // [column][v_stride]: the same of codes, before the Hadamard transform
  float* bias = nullptr;              // [column]: to be added to all of `rotated`
  float* max = nullptr;               // [column]: largest score; -infinity at the start
  float* sum = nullptr;               // [column]: of weights
  float* slope = nullptr;             // [column]
  float* turned = nullptr;            // [column][k_stride]: the query in the basis of the tiles that came last
  float* offset = nullptr;            // [column]: its product with their mean
  float* weights = nullptr;           // [4 columns][kTileTokens]: scratch
  float* scratch = nullptr;           // [kTileTokens][max stride]: rows that cannot be used in place
  float* grid = nullptr;              // [4][max(k_stride, kTileTokens)]: scales and zeros as floats
  float* words = nullptr;             // [4 columns][max(k_stride, kTileTokens)] int16_t: query or weights as integers

 private:
  void turn_queries(const AttendTile& tile) noexcept;

  AlignedFloats memory_;
  Kernel attend_;
  const float* basis_ = nullptr;  // of `turned`
  std::shared_ptr<const void> owner_;
};

}  // namespace kvc
