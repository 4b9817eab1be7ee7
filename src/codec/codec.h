// The interface of page codecs: how the planes of a sealed page are encoded. No I/O, no locks, no state that changes.
//
// A page in the clear is the blob [layer][K|V][head][token][dim] (PageGeometry). A codec turns a whole blob into its
// own bytes and gives back any range of tokens of any plane, or tiles for attention straight over its bytes.
//
// Encoded bytes may come from a disk or a network: decode and tile check everything that they read besides numbers, and
// whatever the numbers are, nothing outside of the given bytes is touched.
//
// Contract (tests/unit/codec_contract_test.cpp runs it over every registered codec): decode(encode(x)) stays within the
// codec's stated error for any finite input; decoding a range equals the same range of decoding all; attention over
// tiles equals attention over what decode gives.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "attend/attention.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/tensor.h"

namespace kvc {

// The geometry of a page in the clear.
struct PageGeometry {
  uint32_t n_layers = 0;
  uint32_t n_kv_heads = 0;
  uint32_t k_dim = 0;
  uint32_t v_dim = 0;
  uint32_t page_tokens = 0;
  DType dtype = DType::f16;

  uint32_t dim(int plane) const noexcept { return plane == KVC_KEY ? k_dim : v_dim; }
  size_t row_bytes(int plane) const noexcept { return dim(plane) * element_bytes(dtype); }  // one head of one token
  size_t head_bytes(int plane) const noexcept { return page_tokens * row_bytes(plane); }    // one head of a plane
  size_t plane_bytes(int plane) const noexcept { return n_kv_heads * head_bytes(plane); }
  size_t layer_bytes() const noexcept { return plane_bytes(KVC_KEY) + plane_bytes(KVC_VALUE); }
  size_t page_bytes() const noexcept { return n_layers * layer_bytes(); }
  size_t plane_offset(uint32_t layer, int plane) const noexcept {
    return layer * layer_bytes() + (plane == KVC_KEY ? 0 : plane_bytes(KVC_KEY));
  }
  // Where the rows of one head begin.
  size_t head_offset(uint32_t layer, int plane, uint32_t head) const noexcept {
    return plane_offset(layer, plane) + head * head_bytes(plane);
  }
  // The same model's, of pages of n tokens.
  PageGeometry with_tokens(uint32_t n) const noexcept {
    PageGeometry other = *this;
    other.page_tokens = n;
    return other;
  }
};

struct KltCalibration;  // codec/klt_calibration.h
struct KltLevels;

// What encoding depends on besides the geometry.
struct EncodeOptions {
  uint32_t exact_tokens = 0;  // the first ones of the page, kept bit for bit; at most kTileTokens
  uint32_t key_bits = 8;      // where the codec leaves them open: 8, 4 or 2
  uint32_t value_bits = 4;
  uint64_t position = 0;  // of the page's first token in its sequence
  const KltCalibration* calibration = nullptr;  // for codecs that have one; outlives the page
  const KltLevels* levels = nullptr;            // instead of the calibration's own bits; must fit it
  // Of codec sparse: the share of the rows that stay, and what each row has of attention, [layer][head][token]; nullptr: not
  // known.
  double sparse_keep = 1;
  const float* mass = nullptr;
  // Of codec svd: bytes of the encoded page over those in the clear; 0: all terms.
  double ratio = 0;
};

inline constexpr uint8_t kSparseCodecId = 8;
inline constexpr uint8_t kSvdCodecId = 9;
// Rows of a head that codec sparse keeps of a page.
uint32_t sparse_rows(const PageGeometry& geometry, const EncodeOptions& options) noexcept;

// How far the numbers of a plane are from the original ones, by root mean squares.
struct PlaneError {
  double error = 0;   // sum of squares of the differences
  double energy = 0;  // sum of squares of the original numbers
};

class Codec {
 public:
  virtual ~Codec() = default;
  virtual std::string_view name() const noexcept = 0;  // at most 15 characters
  virtual uint8_t id() const noexcept = 0;             // pinned for ever: it is stored with pages
  // True if encoded bytes are the blob in the clear: readers may then use it in place. A codec that is not is lossy.
  virtual bool is_clear() const noexcept = 0;
  // The digest of the calibration that an encoded page names, without which it cannot be decoded; all 0: none.
  virtual Digest calibration_of(std::span<const std::byte> encoded) const noexcept {
    (void)encoded;
    return {};
  }
  // For codecs that kvc does not know by id alone: a digest of the codec and its version, and the one that an encoded page
  // names. All 0: the id says it all.
  virtual Digest format() const noexcept { return {}; }
  virtual Digest format_of(std::span<const std::byte> encoded) const noexcept {
    (void)encoded;
    return {};
  }
  // Bytes of an encoded page: known before encoding.
  virtual size_t encoded_bytes(const PageGeometry& geometry, const EncodeOptions& options) const noexcept = 0;
  // page: page_bytes() in the clear, all tokens present. out: encoded_bytes().
  // KVC_E_UNSUPPORTED: a number is not finite; the page must stay in the clear.
  virtual Status encode(const PageGeometry& geometry, const EncodeOptions& options, std::span<const std::byte> page,
                        std::span<std::byte> out) const = 0;
  // Tokens [from, from + n) of one plane, in the clear, to rows: element (head h, token t) starts at
  // out + h * head_stride + t * token_stride (bytes).
  virtual Status decode(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, int plane,
                        uint32_t from, uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const = 0;
  // Tokens [index * kTileTokens, ...) of one head as kernels see them; tile->position is left alone.
  virtual Status tile(const PageGeometry& geometry, std::span<const std::byte> encoded, uint32_t layer, uint32_t head,
                      uint32_t index, AttendTile* tile) const = 0;
};

std::span<const Codec* const> codecs() noexcept;          // the registry
const Codec* find_codec(std::string_view name) noexcept;  // nullptr: no such codec
const Codec* find_codec(uint8_t id) noexcept;

// Refuses what no page has: layer, plane, tokens. For codecs.
Status check_range(std::string_view codec, const PageGeometry& geometry, uint32_t layer, int plane, uint32_t from,
                   uint32_t n);
// Refuses sizes that are not those of a page in the clear and of its encoded form. For codecs.
Status check_sizes(std::string_view codec, const PageGeometry& geometry, std::span<const std::byte> page,
                   std::span<const std::byte> out, size_t encoded_bytes);
// The error of one plane of an encoded page. Throws std::bad_alloc.
Status measure_error(const Codec& codec, const PageGeometry& geometry, std::span<const std::byte> page,
                     std::span<const std::byte> encoded, uint32_t layer, int plane, PlaneError* out);

}  // namespace kvc
