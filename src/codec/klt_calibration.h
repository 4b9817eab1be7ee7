// What the calibrated codecs know about one model's K/V: for every layer and block of heads the basis in which keys are
// coded, and how many bits each of its channels gets.
//
//     y = (k - mean) * analysis        k = y * synthesis + mean        (row vectors; keys before RoPE where it is
//     known)
//
// The basis is the Karhunen-Loeve transform of the keys under the metric of the queries: squared errors in y are
// squared errors of the attention logits, on average over queries. Channels are ordered by variance, and bits go where
// the variance is. Values have no basis: the Hadamard transform serves them better (an error of a value is an error of
// the output as it stands).
//
// Immutable, and independent of any engine: two of them may share one. A page names its calibration by digest, and is
// decoded with that one or not at all.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/hash.h"
#include "codec/codec.h"

namespace kvc {

// The rotation of keys, where it is the plain one: pair i of position p turns by p * frequency[i].
struct KeyRope {
  bool interleaved = false;       // pairs (2i, 2i + 1); else (i, i + number of pairs)
  std::vector<double> frequency;  // empty: keys are coded as they come

  // The channels of pair i.
  size_t first(size_t i) const noexcept { return interleaved ? 2 * i : i; }
  size_t second(size_t i) const noexcept { return interleaved ? 2 * i + 1 : i + frequency.size(); }
};

// base^(-2i/dims), scaled: the frequencies of plain and linearly scaled RoPE.
KeyRope make_key_rope(double base, double scale, uint32_t dims, bool interleaved);

// How finely one page is coded: of each block of heads the steps along KltCalibration::order, of each head the bits of its
// values. kRaw: as they came, all of the page's tokens.
struct KltLevels {
  static constexpr uint16_t kRawKeys = 0xffff;
  static constexpr uint8_t kRawValues = 0xff;
  std::vector<uint16_t> key_steps;  // [layer][block] 0..channels * kMaxBits, or kRawKeys
  std::vector<uint8_t> value_bits;  // [layer][head] 1..kMaxBits, or kRawValues

  bool empty() const noexcept { return key_steps.empty(); }
};

struct KltCalibration {
  static constexpr uint32_t kMaxBits = 12;

  Digest digest;  // of everything below
  uint32_t n_layers = 0, n_kv_heads = 0, k_dim = 0, v_dim = 0;
  uint32_t block_heads = 1;  // heads that share a basis; divides n_kv_heads
  KeyRope rope;
  // All [layer][block]..., C = channels().
  std::vector<float> mean;           // [C]
  std::vector<float> analysis;       // [C][C]
  std::vector<float> synthesis;      // [C][C]
  std::vector<float> deviation;      // [C] > 0: of y
  std::vector<uint8_t> key_bits;     // [C] 0..kMaxBits
  std::vector<uint8_t> value_bits;   // [layer][head] 1..kMaxBits
  // [C * kMaxBits]: the channels in the order in which they get bits, each kMaxBits times: a page may give a block any
  // number of steps along it (KltLevels). Empty in calibrations of older files: their pages have key_bits alone.
  std::vector<uint16_t> order;
  // For the check of pages under a bound (codec/klt_check.h): queries as f16 before RoPE, [layer][head][query][group][k_dim].
  uint32_t query_group = 0;  // query heads that share a K/V head; 0: there are none
  std::vector<uint16_t> queries;
  // [layer][head]: the size of what pages give to an output, relative to the output: sqrt(sum of squares over pages / its
  // square). Above 1 where pages cancel one another and their errors weigh more. Set if there are queries.
  std::vector<float> cancelling;
  KltLevels rest;  // of pages at rest; empty: they are not coded anew
  std::vector<uint32_t> block_bits;  // sum of key_bits; set by seal()
  // Of the turns by 0 ... kTileTokens - 1 positions, [pair][2][kTileTokens]: cosines, sines; set by seal().
  std::vector<float> steps;

  uint32_t channels() const noexcept { return block_heads * k_dim; }
  uint32_t blocks() const noexcept { return n_kv_heads / block_heads; }
  size_t bytes() const noexcept;
  // The bits of a block's channels after so many steps; out: channels() of them.
  void widths(size_t block, uint32_t steps, uint8_t* out) const noexcept;
  bool fits(const KltLevels& levels) const noexcept;
  bool fits(const PageGeometry& g) const noexcept {
    return g.n_layers == n_layers && g.n_kv_heads == n_kv_heads && g.k_dim == k_dim && g.v_dim == v_dim;
  }
  // Sets digest, block_bits and steps. Call once, when all else is filled in.
  void seal();  // may throw bad_alloc
};

// The calibrations that pages in this process may name. A page's owner keeps its calibration alive; the table only
// finds it. Any thread.
void register_calibration(const std::shared_ptr<const KltCalibration>& calibration);  // may throw bad_alloc
std::shared_ptr<const KltCalibration> find_calibration(const Digest& digest) noexcept;

}  // namespace kvc
