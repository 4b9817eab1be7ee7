// The codecs int8, int4 and mixed: keys per channel, values per token and rotated (attend/tile.h). Sinks are exact.
//
// An encoded page:
//   Header                                  64 bytes
//   units     f32 [layer][K|V][head][tile]  padded to 64 bytes
//   tiles     [layer][K|V][head][tile]      each scale, zero, codes; a multiple of 64 bytes
//   exact     [layer][K|V][head][token]     rows of the first tokens, as they came
// All of one page have the same size; it depends on the geometry, the bits and the number of exact tokens alone.
//
// The first tokens of a sequence draw a large share of attention ("sinks", Xiao et al. 2024) and are unlike all others:
// with them in a shared range, everything else in it is coarser. Keys are never clipped: an error in the few large ones
// costs more than it saves elsewhere.
#include <algorithm>
#include <cstring>

#include "attend/aligned.h"
#include "attend/copy.h"
#include "codec/codec.h"
#include "codec/tile_coding.h"

namespace kvc {
namespace {

struct Header {
  static constexpr uint32_t kMagic = 0x3151564b;  // "KVQ1"
  uint32_t magic = kMagic;
  uint8_t codec = 0;
  uint8_t key_bits = 0;
  uint8_t value_bits = 0;
  uint8_t zero = 0;
  uint32_t exact = 0;
  uint32_t tokens = 0;
  uint8_t zeros[48] = {};
};
static_assert(sizeof(Header) == 64);

// Where the parts of an encoded page are.
class Layout {
 public:
  Layout(const PageGeometry& geometry, uint32_t key_bits, uint32_t value_bits, uint32_t exact)
      : g_(geometry), exact_(exact) {
    bits_[KVC_KEY] = key_bits;
    bits_[KVC_VALUE] = value_bits;
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      whole_[plane] = tile_bytes(plane, shape(plane, 0)).total();
      head_[plane] = (tiles() - 1) * whole_[plane] + tile_bytes(plane, shape(plane, tiles() - 1)).total();
    }
    tiles_at_ = sizeof(Header) + tile_align(size_t{g_.n_layers} * 2 * g_.n_kv_heads * tiles() * sizeof(float));
    exact_at_ = tiles_at_ + g_.n_layers * layer_bytes();
  }

  uint32_t tiles() const { return (g_.page_tokens + kTileTokens - 1) / kTileTokens; }
  TileShape shape(int plane, uint32_t tile) const {
    return {std::min(kTileTokens, g_.page_tokens - tile * kTileTokens), g_.dim(plane), bits_[plane]};
  }
  size_t unit_at(uint32_t layer, int plane, uint32_t head, uint32_t tile) const {
    const size_t index = ((size_t{layer} * 2 + static_cast<size_t>(plane)) * g_.n_kv_heads + head) * tiles() + tile;
    return sizeof(Header) + index * sizeof(float);
  }
  size_t tile_at(uint32_t layer, int plane, uint32_t head, uint32_t tile) const {
    const size_t plane_at = plane == KVC_KEY ? 0 : g_.n_kv_heads * head_[KVC_KEY];
    return tiles_at_ + layer * layer_bytes() + plane_at + head * head_[plane] + tile * whole_[plane];
  }
  // Row of an exact token; they lie one after the other.
  size_t exact_at(uint32_t layer, int plane, uint32_t head) const {
    return exact_at_ + g_.with_tokens(exact_).head_offset(layer, plane, head);
  }
  size_t total() const { return tile_align(exact_at(g_.n_layers, KVC_KEY, 0)); }

 private:
  size_t layer_bytes() const { return g_.n_kv_heads * (head_[KVC_KEY] + head_[KVC_VALUE]); }

  const PageGeometry& g_;
  uint32_t exact_;
  uint32_t bits_[2];
  size_t whole_[2], head_[2];  // bytes of a whole tile, of all tiles of a head
  size_t tiles_at_ = 0, exact_at_ = 0;
};

class Quantized final : public Codec {
 public:
  // bits 0: as the options say.
  constexpr Quantized(std::string_view name, uint8_t id, uint32_t bits) : name_(name), id_(id), bits_(bits) {}
  constexpr ~Quantized() override {}  // written out, or g++ 12 does not see that it is constexpr
  std::string_view name() const noexcept override { return name_; }
  uint8_t id() const noexcept override { return id_; }
  bool is_clear() const noexcept override { return false; }

  size_t encoded_bytes(const PageGeometry& geometry, const EncodeOptions& options) const noexcept override {
    return layout(geometry, options).total();
  }

  Status encode(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                std::span<std::byte> out) const override {
    const Layout at = layout(g, options);
    KVC_RETURN_IF_ERROR(check_sizes(name_, g, page, out, at.total()));
    if (!is_code_width(width(options, KVC_KEY)) || !is_code_width(width(options, KVC_VALUE))) {
      return error(KVC_E_UNSUPPORTED, "%s: codes of %u bits for keys and %u for values; there are 8, 4 and 2",
                   name_.data(), width(options, KVC_KEY), width(options, KVC_VALUE));
    }
    const uint32_t exact = exact_tokens(g, options);
    // What no part fills is 0: equal pages have equal bytes.
    std::memset(out.data(), 0, at.tile_at(0, KVC_KEY, 0, 0));
    Header header;
    header.codec = id_;
    header.key_bits = static_cast<uint8_t>(width(options, KVC_KEY));
    header.value_bits = static_cast<uint8_t>(width(options, KVC_VALUE));
    header.exact = exact;
    header.tokens = g.page_tokens;
    std::memcpy(out.data(), &header, sizeof header);
    AlignedFloats rows(kTileTokens * scratch_stride(std::max(g.k_dim, g.v_dim)), AlignedFloats::Fill::none);
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
          const std::byte* from = page.data() + g.head_offset(layer, plane, head);
          if (exact > 0) std::memcpy(out.data() + at.exact_at(layer, plane, head), from, exact * g.row_bytes(plane));
          for (uint32_t tile = 0; tile < at.tiles(); ++tile) {
            float unit;
            if (encode_tile(g.dtype, from + tile * kTileTokens * g.row_bytes(plane), plane, at.shape(plane, tile),
                            tile == 0 ? exact : 0, rows.data(), &unit,
                            out.data() + at.tile_at(layer, plane, head, tile))) {
              std::memcpy(out.data() + at.unit_at(layer, plane, head, tile), &unit, sizeof unit);
              continue;
            }
            return error(KVC_E_UNSUPPORTED,
                         "%s: layer %u, head %u has a number among its %s that is not finite: the page stays in the "
                         "clear",
                         name_.data(), layer, head, plane == KVC_KEY ? "keys" : "values");
          }
        }
      }
    }
    const size_t end = at.exact_at(g.n_layers, KVC_KEY, 0);
    std::memset(out.data() + end, 0, out.size() - end);
    return Status::ok();
  }

  Status decode(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, int plane, uint32_t from,
                uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override {
    Header header;
    KVC_RETURN_IF_ERROR(check(g, encoded, &header));
    KVC_RETURN_IF_ERROR(check_range(name_, g, layer, plane, from, n));
    if (n == 0) return Status::ok();
    const Layout at(g, header.key_bits, header.value_bits, header.exact);
    const size_t row = g.row_bytes(plane);
    AlignedFloats rows(kTileTokens * scratch_stride(g.dim(plane)), AlignedFloats::Fill::none);
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      for (uint32_t t = from; t < from + n;) {
        const uint32_t tile = t / kTileTokens, first = tile * kTileTokens;
        const uint32_t run = std::min(from + n, first + kTileTokens) - t;
        decode_tile(g.dtype, plane, tile_of(at, encoded, layer, plane, head, tile), t - first, run, rows.data(),
                    out + head * head_stride + (t - from) * token_stride, token_stride);
        t += run;
      }
      if (from < header.exact) {
        const std::byte* exact = encoded.data() + at.exact_at(layer, plane, head) + from * row;
        copy_rows(out + head * head_stride, token_stride, exact, row, row, std::min(n, header.exact - from));
      }
    }
    return Status::ok();
  }

  Status tile(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, uint32_t head, uint32_t index,
              AttendTile* tile) const override {
    Header header;
    KVC_RETURN_IF_ERROR(check(g, encoded, &header));
    KVC_RETURN_IF_ERROR(check_range(name_, g, layer, KVC_KEY, index * kTileTokens, 1));
    const Layout at(g, header.key_bits, header.value_bits, header.exact);
    tile->tokens = at.shape(KVC_KEY, index).tokens;
    tile->exact = index == 0 ? header.exact : 0;
    tile->k_codes = tile_of(at, encoded, layer, KVC_KEY, head, index);
    tile->v_codes = tile_of(at, encoded, layer, KVC_VALUE, head, index);
    tile->k = {g.dtype, encoded.data() + at.exact_at(layer, KVC_KEY, head), g.row_bytes(KVC_KEY)};
    tile->v = {g.dtype, encoded.data() + at.exact_at(layer, KVC_VALUE, head), g.row_bytes(KVC_VALUE)};
    return Status::ok();
  }

 private:
  uint32_t width(const EncodeOptions& options, int plane) const {
    if (bits_ != 0) return bits_;
    return plane == KVC_KEY ? options.key_bits : options.value_bits;
  }
  static uint32_t exact_tokens(const PageGeometry& g, const EncodeOptions& options) {
    return std::min({options.exact_tokens, g.page_tokens, kTileTokens});
  }
  Layout layout(const PageGeometry& g, const EncodeOptions& options) const {
    const uint32_t key = width(options, KVC_KEY), value = width(options, KVC_VALUE);
    return {g, is_code_width(key) ? key : 8, is_code_width(value) ? value : 8, exact_tokens(g, options)};
  }

  static CodedTile tile_of(const Layout& at, std::span<const std::byte> encoded, uint32_t layer, int plane,
                           uint32_t head, uint32_t tile) {
    float unit;
    std::memcpy(&unit, encoded.data() + at.unit_at(layer, plane, head, tile), sizeof unit);
    return coded_tile(plane, at.shape(plane, tile), unit, encoded.data() + at.tile_at(layer, plane, head, tile));
  }

  // Everything but the numbers. Encoded bytes are aligned to 64.
  Status check(const PageGeometry& g, std::span<const std::byte> encoded, Header* header) const {
    if (encoded.size() < sizeof *header) {
      return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, shorter than its header", name_.data(),
                   encoded.size());
    }
    std::memcpy(header, encoded.data(), sizeof *header);
    if (header->magic != Header::kMagic || header->codec != id_ || !is_code_width(header->key_bits) ||
        !is_code_width(header->value_bits) || (bits_ != 0 && (header->key_bits != bits_ || header->value_bits != bits_))) {
      return error(KVC_E_CORRUPT, "%s: this is no page of the codec: magic %08x, codec %u, %u and %u bits",
                   name_.data(), header->magic, header->codec, header->key_bits, header->value_bits);
    }
    if (header->tokens != g.page_tokens || header->exact > std::min(g.page_tokens, kTileTokens)) {
      return error(KVC_E_CORRUPT, "%s: a page of %u tokens, %u of them exact, but this geometry has %u", name_.data(),
                   header->tokens, header->exact, g.page_tokens);
    }
    const size_t bytes = Layout(g, header->key_bits, header->value_bits, header->exact).total();
    if (encoded.size() == bytes) return Status::ok();
    return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, but its header and this geometry say %zu",
                 name_.data(), encoded.size(), bytes);
  }

  std::string_view name_;
  uint8_t id_;
  uint32_t bits_;
};

// Constant data: nothing is constructed at load time, nothing destroyed at exit.
constexpr Quantized kInt8("int8", 2, 8);
constexpr Quantized kInt4("int4", 3, 4);
constexpr Quantized kMixed("mixed", 4, 0);

}  // namespace

const Codec* int8_codec() noexcept { return &kInt8; }
const Codec* int4_codec() noexcept { return &kInt4; }
const Codec* mixed_codec() noexcept { return &kMixed; }

}  // namespace kvc
