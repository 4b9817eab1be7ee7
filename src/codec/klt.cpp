// The calibrated codecs klt, lowrank and auto: keys in the basis that serves the queries best, values rotated, each
// channel of the keys with as many bits as it deserves (codec/klt_calibration.h, codec/klt_tile.h). Transform coding as
// in KVTC (2025), under the metric of the queries as in OSCAR (2026); the three differ in who sets the bits only.
//
// codec/klt_layout.h says what an encoded page has where.
// Attention goes over the coefficients of a tile at a time: values stay as they are coded, and their sum is turned back
// once. Where keys do not turn with their positions the query is brought into their basis; where they do, a product of
// the query for each position would cost more than one of the key, which all query heads and queries share. Without a
// calibration keys are coded as they are, all channels alike; such a page is complete in itself.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "attend/aligned.h"
#include "attend/convert.h"
#include "attend/copy.h"
#include "attend/quantize.h"
#include "attend/transform.h"
#include "codec/klt_calibration.h"
#include "codec/klt_layout.h"
#include "codec/klt_plan.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"

namespace kvc {
namespace {

constexpr bool is_width(uint32_t bits) { return bits >= 1 && bits <= KltCalibration::kMaxBits; }

class Klt final : public Codec {
 public:
  constexpr Klt(std::string_view name, uint8_t id) : name_(name), id_(id) {}
  constexpr ~Klt() override {}  // written out, or g++ 12 does not see that it is constexpr
  std::string_view name() const noexcept override { return name_; }
  uint8_t id() const noexcept override { return id_; }
  bool is_clear() const noexcept override { return false; }
  Digest calibration_of(std::span<const std::byte> encoded) const noexcept override {
    Digest digest;
    if (encoded.size() < sizeof(KltHeader)) return digest;
    std::memcpy(&digest, encoded.data() + offsetof(KltHeader, calibration), sizeof digest);
    return digest;
  }

  size_t encoded_bytes(const PageGeometry& geometry, const EncodeOptions& options) const noexcept override {
    return layout(geometry, options).total();
  }

  Status encode(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                std::span<std::byte> out) const override {
    const KltCalibration* calibration = options.calibration;
    if (calibration != nullptr && !calibration->fits(g)) {
      return error(KVC_E_INTERNAL, "%s: a calibration of another geometry", name_.data());
    }
    if (options.levels != nullptr && (calibration == nullptr || !calibration->fits(*options.levels))) {
      return error(KVC_E_INTERNAL, "%s: levels of another calibration", name_.data());
    }
    if (calibration == nullptr && (!is_width(options.key_bits) || !is_width(options.value_bits))) {
      return error(KVC_E_UNSUPPORTED, "%s: codes of %u bits for keys and %u for values; there are 1 to 8", name_.data(),
                   options.key_bits, options.value_bits);
    }
    const KltLayout at = layout(g, options);
    const size_t total = at.total();
    KVC_RETURN_IF_ERROR(check_sizes(name_, g, page, out, total));
    const KltHeader header = header_of(g, options);
    std::memcpy(out.data(), &header, sizeof header);

    std::byte* to = out.data() + sizeof header;
    if (options.levels != nullptr) {
      const size_t steps = options.levels->key_steps.size() * sizeof(uint16_t);
      std::memcpy(to, options.levels->key_steps.data(), steps);
      std::memcpy(to + steps, options.levels->value_bits.data(), options.levels->value_bits.size());
      to += at.levels_bytes();
    }
    std::vector<uint8_t> widths;
    const uint32_t channels = at.channels();
    std::vector<float> rows(kTileTokens * std::max(channels, g.v_dim)), keys(kTileTokens * channels),
        columns(keys.size());
    AlignedFloats room(round_up(g.v_dim, kUnitLanes));
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (uint32_t block = 0; block < at.blocks(); ++block) {
        for (uint32_t tile = 0; tile < at.tiles(); ++tile) {
          const uint32_t n = at.tile_tokens(tile);
          if (at.raw_keys(layer, block)) {
            to = copy_raw_keys(g, at, page, layer, block, tile, to);
            continue;
          }
          read_keys(g, at, calibration, options.position, page, layer, block, tile, rows.data(), keys.data());
          to_coefficients(at, calibration, layer, block, n, keys.data(), columns.data());
          const uint32_t exact = tile == 0 ? header.exact : 0;
          if (!encode_groups(columns.data(), channels, n, exact,
                             at.part(&KltCalibration::deviation, layer, block, channels),
                             at.key_bits(layer, block, &widths), at.same_key_bits(), calibration != nullptr ? kFinestUnit : 0,
                             /*clip=*/false, to)) {
            return not_finite(layer, "keys");
          }
          to += at.key_tile_bytes(layer, block, tile);
        }
      }
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        const std::byte* from = page.data() + g.head_offset(layer, KVC_VALUE, head);
        for (uint32_t tile = 0; tile < at.tiles(); ++tile) {
          const uint32_t n = at.tile_tokens(tile), exact = tile == 0 ? header.exact : 0;
          if (at.raw_values(layer, head)) {
            const size_t bytes = at.value_tile_bytes(layer, head, tile);
            std::memcpy(to, from + tile * kTileTokens * g.row_bytes(KVC_VALUE), bytes);
            to += bytes;
            continue;
          }
          to_f32(g.dtype, from + tile * kTileTokens * g.row_bytes(KVC_VALUE), rows.data(), size_t{n} * g.v_dim);
          // Exact tokens count as 0 here: they are read from elsewhere.
          std::fill_n(rows.data(), size_t{exact} * g.v_dim, 0.0f);
          for (uint32_t t = 0; t < n; ++t) hadamard_row(rows.data() + t * g.v_dim, g.v_dim, room.data());
          if (!encode_groups(rows.data(), n, g.v_dim, 0, nullptr, nullptr, at.value_bits(layer, head), 0,
                             /*clip=*/true, to)) {
            return not_finite(layer, "values");
          }
          to += at.value_tile_bytes(layer, head, tile);
        }
      }
    }
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const size_t row = g.row_bytes(plane);
        const std::byte* from = page.data() + g.plane_offset(layer, plane);
        for (uint32_t head = 0; head < g.n_kv_heads && header.exact > 0; ++head) {
          std::memcpy(to, from + head * g.head_bytes(plane), header.exact * row);
          to += header.exact * row;
        }
      }
    }
    return Status::ok();
  }

  Status decode(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, int plane, uint32_t from,
                uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override {
    Page page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    KVC_RETURN_IF_ERROR(check_range(name_, g, layer, plane, from, n));
    if (n == 0) return Status::ok();
    const KltLayout at = page.layout(g);
    const size_t row = g.row_bytes(plane);
    const uint32_t dim = g.dim(plane);
    const uint32_t heads_each = plane == KVC_KEY ? at.block_heads() : 1;
    const size_t tiles_end = at.tiles_end();
    const uint32_t stride = round_up(dim, kUnitLanes);
    const size_t tile_floats = size_t{kTileTokens} * stride, coefficients = kTileTokens * heads_each * dim;
    AlignedFloats rows(tile_floats), keys(plane == KVC_KEY ? tile_floats + coefficients : 0);
    for (uint32_t block = 0; block < g.n_kv_heads / heads_each; ++block) {
      const std::byte* tile_at = encoded.data() + at.part_at(layer, plane, block);
      for (uint32_t tile = 0; tile * kTileTokens < from + n; ++tile) {
        const uint32_t first = tile * kTileTokens, end = std::min(from + n, first + at.tile_tokens(tile));
        const uint32_t begin = std::max(from, first);
        for (uint32_t h = 0; h < heads_each && begin < end; ++h) {
          if (plane == KVC_KEY) {
            float* const columns = keys.data() + coefficients;
            if (h == 0) read_coefficients(g, at, layer, block, tile, tile_at, keys.data());
            read_key_columns(g, at, page, layer, block, h, tile, begin - first, end - first, keys.data(), columns);
            transpose(columns + begin - first, kTileTokens, dim, end - begin, rows.data(), stride);
          } else {
            read_value_tile(g, at, layer, block, tile, tile_at, begin - first, end - begin, /*turned=*/false,
                            rows.data());
          }
          std::byte* to = out + (block * heads_each + h) * head_stride + (begin - from) * token_stride;
          for (uint32_t t = 0; t < end - begin; ++t) {
            from_f32(g.dtype, rows.data() + size_t{t} * stride, to + t * token_stride, dim);
          }
        }
        tile_at += plane == KVC_KEY ? at.key_tile_bytes(layer, block, tile) : at.value_tile_bytes(layer, block, tile);
      }
    }
    for (uint32_t head = 0; head < g.n_kv_heads && from < page.header.exact; ++head) {
      const std::byte* exact = encoded.data() + at.exact_at(tiles_end, layer, plane, head) + from * row;
      copy_rows(out + head * head_stride, token_stride, exact, row, row, std::min(n, page.header.exact - from));
    }
    return Status::ok();
  }

  Status plan(const PageGeometry& g, std::span<const std::byte> encoded, KltPlan* plan) const {
    Page page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    fill_plan(g, page, plan);
    return Status::ok();
  }

  void plan_encoding(const PageGeometry& g, const EncodeOptions& options,
                     std::shared_ptr<const KltCalibration> calibration, KltPlan* plan,
                     std::span<std::byte, sizeof(KltHeader)> header) const {
    Page page;
    page.header = header_of(g, options);
    page.calibration = std::move(calibration);
    std::memcpy(header.data(), &page.header, sizeof page.header);
    fill_plan(g, page, plan);
  }

  // Kernels see the tile as AttendTile::k_columns and v_turned say. It lives as long as `tile`.
  Status tile(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, uint32_t head, uint32_t index,
              AttendTile* tile) const override {
    Page page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    KVC_RETURN_IF_ERROR(check_range(name_, g, layer, KVC_KEY, index * kTileTokens, 1));
    const KltLayout at = page.layout(g);
    const uint32_t n = at.tile_tokens(index), heads_each = at.block_heads(), block = head / heads_each;
    const std::byte* key_at = encoded.data() + at.part_at(layer, KVC_KEY, block);
    const std::byte* value_at = encoded.data() + at.part_at(layer, KVC_VALUE, head);
    for (uint32_t t = 0; t < index; ++t) {
      key_at += at.key_tile_bytes(layer, block, t);
      value_at += at.value_tile_bytes(layer, head, t);
    }
    tile->tokens = n;
    tile->k = {g.dtype, nullptr, g.row_bytes(KVC_KEY)};
    tile->v = {g.dtype, nullptr, g.row_bytes(KVC_VALUE)};
    if (at.raw_keys(layer, block) && at.raw_values(layer, head)) {
      tile->exact = n;
      tile->k.data = key_at + (head % heads_each) * n * tile->k.stride;
      tile->v.data = value_at;
      return Status::ok();
    }
    tile->exact = index == 0 ? page.header.exact : 0;
    if (tile->exact > 0) {
      const size_t tiles_end = at.tiles_end();
      tile->k.data = encoded.data() + at.exact_at(tiles_end, layer, KVC_KEY, head);
      tile->v.data = encoded.data() + at.exact_at(tiles_end, layer, KVC_VALUE, head);
    }
    const size_t coefficients = size_t{kTileTokens} * at.channels(), columns = size_t{kTileTokens} * g.k_dim;
    tile->rows.resize(AlignedFloats::kLine + coefficients + columns + size_t{n} * round_up(g.v_dim, kUnitLanes));
    float* const room = align_line(tile->rows.data());
    read_coefficients(g, at, layer, block, index, key_at, room);
    tile->k_columns = room;
    const KltCalibration* calibration = page.calibration.get();
    if (calibration != nullptr && calibration->rope.frequency.empty() && heads_each == 1 &&
        !at.raw_keys(layer, block)) {
      // Keys that do not turn with their positions: one product of the query serves all of them.
      tile->k_basis = at.part(&KltCalibration::synthesis, layer, block, size_t{g.k_dim} * g.k_dim);
      tile->k_mean = at.part(&KltCalibration::mean, layer, block, g.k_dim);
      tile->owner = page.calibration;
    } else if (calibration != nullptr) {
      read_key_columns(g, at, page, layer, block, head % heads_each, index, 0, n, room, room + coefficients);
      tile->k_columns = room + coefficients;
    }
    read_value_tile(g, at, layer, head, index, value_at, 0, n, /*turned=*/true, room + coefficients + columns);
    tile->v_turned = room + coefficients + columns;
    return Status::ok();
  }

 private:
  // An encoded page whose header holds together.
  struct Page {
    KltHeader header;
    std::shared_ptr<const KltCalibration> calibration;
    KltLevels levels;  // with kMagic2
    KltLayout layout(const PageGeometry& g) const {
      return {g,           calibration.get(), levels.empty() ? nullptr : &levels, header.key_bits, header.value_bits,
              header.exact};
    }
  };

  static uint32_t exact_tokens(const PageGeometry& g, const EncodeOptions& options) {
    return std::min({options.exact_tokens, g.page_tokens, kTileTokens});
  }
  KltHeader header_of(const PageGeometry& g, const EncodeOptions& options) const {
    KltHeader header;
    header.codec = id_;
    header.exact = exact_tokens(g, options);
    header.tokens = g.page_tokens;
    header.position = options.position;
    if (options.calibration != nullptr) {
      header.calibration = options.calibration->digest;
      if (options.levels != nullptr) header.magic = KltHeader::kMagic2;
    } else {
      header.key_bits = static_cast<uint8_t>(options.key_bits);
      header.value_bits = static_cast<uint8_t>(options.value_bits);
    }
    return header;
  }
  static void fill_plan(const PageGeometry& g, const Page& page, KltPlan* plan) {
    const KltLayout at = page.layout(g);
    plan->calibration = page.calibration;
    plan->has_levels = !page.levels.empty();
    plan->exact = page.header.exact, plan->position = page.header.position;
    plan->key_bits = page.header.key_bits, plan->value_bits = page.header.value_bits;
    plan->tile_at.clear();
    size_t next = sizeof(KltHeader) + at.levels_bytes();
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (uint32_t part = 0; part < at.blocks() + g.n_kv_heads; ++part) {
        for (uint32_t tile = 0; tile < at.tiles(); ++tile) {
          plan->tile_at.push_back(next);
          next += part < at.blocks() ? at.key_tile_bytes(layer, part, tile)
                                     : at.value_tile_bytes(layer, part - at.blocks(), tile);
        }
      }
    }
    plan->exact_at = next;
  }
  static KltLayout layout(const PageGeometry& g, const EncodeOptions& options) {
    return {g, options.calibration, options.levels, options.key_bits, options.value_bits, exact_tokens(g, options)};
  }
  Status not_finite(uint32_t layer, const char* what) const {
    return error(KVC_E_UNSUPPORTED,
                 "%s: layer %u has a number among its %s that is not finite: the page stays in the clear", name_.data(),
                 layer, what);
  }

  // Keys of a block and tile as columns, [head in block][dim][kTileTokens], before RoPE if the calibration says so.
  // rows: room for a tile of one head.
  static void read_keys(const PageGeometry& g, const KltLayout& at, const KltCalibration* calibration,
                        uint64_t position, std::span<const std::byte> page, uint32_t layer, uint32_t block,
                        uint32_t tile, float* rows, float* keys) {
    const uint32_t n = at.tile_tokens(tile), heads = at.block_heads();
    for (uint32_t h = 0; h < heads; ++h, keys += size_t{g.k_dim} * kTileTokens) {
      const std::byte* from = page.data() + g.head_offset(layer, KVC_KEY, block * heads + h);
      to_f32(g.dtype, from + tile * kTileTokens * g.row_bytes(KVC_KEY), rows, size_t{n} * g.k_dim);
      transpose(rows, g.k_dim, n, g.k_dim, keys, kTileTokens);
      if (calibration == nullptr) continue;
      rotate_columns(*calibration, position + tile * kTileTokens, /*inverse=*/true, 0, round_up(n, kUnitLanes), keys);
    }
  }

  // Keys of a block and tile as they came, [head in block][token]; returns their end.
  static std::byte* copy_raw_keys(const PageGeometry& g, const KltLayout& at, std::span<const std::byte> page,
                                  uint32_t layer, uint32_t block, uint32_t tile, std::byte* to) {
    const size_t bytes = at.tile_tokens(tile) * g.row_bytes(KVC_KEY);
    for (uint32_t h = 0; h < at.block_heads(); ++h, to += bytes) {
      const size_t from = g.head_offset(layer, KVC_KEY, block * at.block_heads() + h);
      std::memcpy(to, page.data() + from + tile * kTileTokens * g.row_bytes(KVC_KEY), bytes);
    }
    return to;
  }

  // keys [channel][kTileTokens], which are centred, to coefficients [channel][n].
  static void to_coefficients(const KltLayout& at, const KltCalibration* calibration, uint32_t layer, uint32_t block,
                              uint32_t n, float* keys, float* columns) {
    const uint32_t channels = at.channels();
    if (calibration != nullptr) {
      const float* mean = at.part(&KltCalibration::mean, layer, block, channels);
      for (uint32_t j = 0; j < channels; ++j) {
        for (uint32_t t = 0; t < n; ++t) keys[j * kTileTokens + t] -= mean[j];
      }
      const float* analysis = at.part(&KltCalibration::analysis, layer, block, size_t{channels} * channels);
      const uint32_t stride = round_up(n, kUnitLanes);
      transform_kernels().add_products(analysis, channels, keys, kTileTokens, channels, nullptr, channels, stride,
                                       columns, stride);
      if (stride == n) return;
      for (uint32_t j = 1; j < channels; ++j) std::copy_n(columns + size_t{j} * stride, n, columns + size_t{j} * n);
    } else {
      for (uint32_t j = 0; j < channels; ++j) std::copy_n(keys + size_t{j} * kTileTokens, n, columns + size_t{j} * n);
    }
  }

  // What a tile of keys has codes of, as columns [channel][kTileTokens]; rows in the clear: as they are.
  static void read_coefficients(const PageGeometry& g, const KltLayout& at, uint32_t layer, uint32_t block,
                                uint32_t tile, const std::byte* in, float* columns) {
    const uint32_t channels = at.channels(), tokens = at.tile_tokens(tile);
    if (at.raw_keys(layer, block)) {
      std::vector<float> rows(size_t{tokens} * g.k_dim);
      for (uint32_t h = 0; h < at.block_heads(); ++h) {
        to_f32(g.dtype, in + h * tokens * g.row_bytes(KVC_KEY), rows.data(), rows.size());
        transpose(rows.data(), g.k_dim, tokens, g.k_dim, columns + size_t{h} * g.k_dim * kTileTokens, kTileTokens);
      }
      return;
    }
    std::vector<uint8_t> widths;
    GroupDecoder decoder(in, channels, tokens, at.part(&KltCalibration::deviation, layer, block, channels),
                         at.key_bits(layer, block, &widths), at.same_key_bits());
    for (uint32_t j = 0; j < channels; ++j) decoder.next(columns + size_t{j} * kTileTokens);
  }

  // Keys of one head as columns [k_dim][kTileTokens], tokens [from, end) at least, from what read_coefficients gave.
  static void read_key_columns(const PageGeometry& g, const KltLayout& at, const Page& page, uint32_t layer,
                               uint32_t block, uint32_t head_in_block, uint32_t tile, uint32_t from, uint32_t end,
                               const float* coefficients, float* columns) {
    const size_t own = size_t{head_in_block} * g.k_dim, channels = at.channels();
    if (page.calibration == nullptr || at.raw_keys(layer, block)) {
      std::copy_n(coefficients + own * kTileTokens, size_t{g.k_dim} * kTileTokens, columns);
      return;
    }
    from = from / kUnitLanes * kUnitLanes;
    end = round_up(end, kUnitLanes);
    const float* mean = at.part(&KltCalibration::mean, layer, block, channels) + own;
    const float* synthesis = at.part(&KltCalibration::synthesis, layer, block, channels * channels) + own;
    transform_kernels().add_products(synthesis, channels, coefficients + from, kTileTokens, channels, mean, g.k_dim,
                                     end - from, columns + from, kTileTokens);
    rotate_columns(*page.calibration, page.header.position + tile * kTileTokens, /*inverse=*/false, from, end, columns);
  }

  // Rows [token][round_up(v_dim, kUnitLanes)], aligned to 64 bytes; turned: as they are before the Hadamard transform.
  static void read_value_tile(const PageGeometry& g, const KltLayout& at, uint32_t layer, uint32_t head, uint32_t tile,
                              const std::byte* in, uint32_t from, uint32_t n, bool turned, float* rows) {
    const uint32_t stride = round_up(g.v_dim, kUnitLanes), block = hadamard_block(g.v_dim);
    const bool raw = at.raw_values(layer, head);
    GroupDecoder decoder(in, at.tile_tokens(tile), g.v_dim, nullptr, nullptr, at.value_bits(layer, head));
    for (uint32_t t = 0; t < from && !raw; ++t) decoder.skip();
    for (uint32_t t = 0; t < n; ++t, rows += stride) {
      if (raw) {
        to_f32(g.dtype, in + (from + t) * g.row_bytes(KVC_VALUE), rows, g.v_dim);
      } else {
        decoder.next(rows);
      }
      std::fill(rows + g.v_dim, rows + stride, 0.0f);
      if (raw == turned) hadamard(rows, stride, block);
    }
  }

  Status read_levels(std::span<const std::byte> encoded, Page* page) const {
    const KltCalibration& c = *page->calibration;
    KltLevels& levels = page->levels;
    levels.key_steps.resize(size_t{c.n_layers} * c.blocks());
    levels.value_bits.resize(size_t{c.n_layers} * c.n_kv_heads);
    const size_t steps = levels.key_steps.size() * sizeof(uint16_t);
    encoded = encoded.subspan(sizeof(KltHeader));
    if (encoded.size() >= steps + levels.value_bits.size()) {
      std::memcpy(levels.key_steps.data(), encoded.data(), steps);
      std::memcpy(levels.value_bits.data(), encoded.data() + steps, levels.value_bits.size());
      if (c.fits(levels)) return Status::ok();
    }
    return error(KVC_E_CORRUPT, "%s: a page of levels that its calibration does not have", name_.data());
  }

  // Everything but the numbers.
  Status open(const PageGeometry& g, std::span<const std::byte> encoded, Page* page) const {
    KltHeader& header = page->header;
    if (encoded.size() < sizeof header) {
      return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, shorter than its header", name_.data(),
                   encoded.size());
    }
    std::memcpy(&header, encoded.data(), sizeof header);
    const bool with_levels = header.magic == KltHeader::kMagic2;
    if ((header.magic != KltHeader::kMagic && !with_levels) || header.codec != id_ || header.tokens != g.page_tokens ||
        header.exact > std::min(g.page_tokens, kTileTokens)) {
      return error(KVC_E_CORRUPT, "%s: this is no page of the codec: magic %08x, codec %u, %u tokens, %u of them exact",
                   name_.data(), header.magic, header.codec, header.tokens, header.exact);
    }
    if (header.calibration != Digest{}) {
      page->calibration = find_calibration(header.calibration);
      if (page->calibration == nullptr || !page->calibration->fits(g)) {
        return error(KVC_E_CORRUPT, "%s: the page was encoded with calibration %s, which this process does not have",
                     name_.data(), to_hex(std::span(header.calibration.bytes).first(8)).c_str());
      }
      if (with_levels) KVC_RETURN_IF_ERROR(read_levels(encoded, page));
    } else if (with_levels || !is_width(header.key_bits) || !is_width(header.value_bits)) {
      return error(KVC_E_CORRUPT, "%s: a page of %u and %u bits", name_.data(), header.key_bits, header.value_bits);
    }
    const size_t bytes = page->layout(g).total();
    if (encoded.size() == bytes) return Status::ok();
    return error(KVC_E_CORRUPT, "%s: an encoded page of %zu bytes, but its header and this geometry say %zu",
                 name_.data(), encoded.size(), bytes);
  }

  std::string_view name_;
  uint8_t id_;
};

// Constant data: nothing is constructed at load time, nothing destroyed at exit.
constexpr Klt kKlt("klt", 5);
constexpr Klt kLowrank("lowrank", 6);
constexpr Klt kAuto("auto", 7);

}  // namespace

bool is_klt(const Codec& codec) noexcept { return &codec == &kKlt || &codec == &kLowrank || &codec == &kAuto; }

Status plan_klt(const Codec& codec, const PageGeometry& geometry, std::span<const std::byte> encoded, KltPlan* plan) {
  return static_cast<const Klt&>(codec).plan(geometry, encoded, plan);
}

void plan_klt_encoding(const Codec& codec, const PageGeometry& geometry, const EncodeOptions& options,
                       std::shared_ptr<const KltCalibration> calibration, KltPlan* plan,
                       std::span<std::byte, 64> header) {
  static_cast<const Klt&>(codec).plan_encoding(geometry, options, std::move(calibration), plan, header);
}

const Codec* klt_codec() noexcept { return &kKlt; }
const Codec* lowrank_codec() noexcept { return &kLowrank; }
const Codec* auto_codec() noexcept { return &kAuto; }

}  // namespace kvc
