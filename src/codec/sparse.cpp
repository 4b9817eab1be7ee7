// The codec sparse: of every K/V head the rows that attention has use for, bit for bit; the others are left out. What was
// left out is not lost: the cache keeps it in a colder place (cache/sparse.h).
//
// Which rows stay is a matter of what attention made of them: the rows with most of the latest queries' attention, times the
// length of their value, for what is missing of a value is missing of the output (SnapKV, Li et al. 2024). Where nobody
// attended, the latest rows stay. Exact tokens stay whatever their weight.
//
// An encoded page:
//   Header                                      64 bytes
//   rows     u16 [layer][head][kept]            which tokens, ascending; padded to 64 bytes
//   kept     [layer][K|V][head][kept][dim]      their rows, as they came
#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "attend/convert.h"
#include "codec/codec.h"
#include "codec/page_header.h"
#include "codec/sparse_rows.h"

namespace kvc {
namespace {

constexpr uint32_t kMagic = 0x3153564b;  // "KVS1"

// What an encoded page says, checked but for the rows' numbers.
struct Parts {
  uint32_t kept = 0;
  const std::byte* index = nullptr;
  const std::byte* rows = nullptr;
  uint16_t token(size_t i) const noexcept {
    uint16_t token;
    std::memcpy(&token, index + i * sizeof token, sizeof token);
    return token;
  }
};

size_t rows_at(const PageGeometry& g, uint32_t kept) {
  return sizeof(PageHeader) + tile_align(size_t{g.n_layers} * g.n_kv_heads * kept * sizeof(uint16_t));
}

class Sparse final : public Codec {
 public:
  constexpr ~Sparse() override {}  // written out, or g++ 12 does not see that it is constexpr
  std::string_view name() const noexcept override { return "sparse"; }
  uint8_t id() const noexcept override { return kSparseCodecId; }
  bool is_clear() const noexcept override { return false; }

  size_t encoded_bytes(const PageGeometry& g, const EncodeOptions& options) const noexcept override {
    const uint32_t kept = sparse_rows(g, options);
    return rows_at(g, kept) + g.with_tokens(kept).page_bytes();
  }

  Status encode(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                std::span<std::byte> out) const override {
    KVC_RETURN_IF_ERROR(check_sizes(name(), g, page, out, encoded_bytes(g, options)));
    const PageHeader header = {kMagic, g.page_tokens, sparse_rows(g, options)};
    const uint32_t kept = header.count;
    std::memset(out.data(), 0, rows_at(g, kept));
    std::memcpy(out.data(), &header, sizeof header);
    const PageGeometry small = g.with_tokens(kept);
    std::byte* const rows = out.data() + rows_at(g, kept);
    std::vector<uint16_t> chosen(g.page_tokens);
    std::vector<double> worth(g.page_tokens);
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        if (!choose(g, options, page, layer, head, kept, &worth, &chosen)) {
          return error(KVC_E_UNSUPPORTED, "sparse: layer %u, head %u has a value that is not finite: the page stays whole",
                       layer, head);
        }
        const size_t i = size_t{layer} * g.n_kv_heads + head;
        std::memcpy(out.data() + sizeof header + i * kept * sizeof(uint16_t), chosen.data(), kept * sizeof(uint16_t));
        for (const int plane : {KVC_KEY, KVC_VALUE}) {
          const size_t row = g.row_bytes(plane);
          const std::byte* from = page.data() + g.head_offset(layer, plane, head);
          std::byte* to = rows + small.head_offset(layer, plane, head);
          for (uint32_t r = 0; r < kept; ++r) std::memcpy(to + r * row, from + chosen[r] * row, row);
        }
      }
    }
    return Status::ok();
  }

  Status decode(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, int plane, uint32_t from,
                uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override {
    Parts page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    KVC_RETURN_IF_ERROR(check_range(name(), g, layer, plane, from, n));
    const size_t row = g.row_bytes(plane);
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      uint32_t first, count;
      KVC_RETURN_IF_ERROR(rows_in(g, page, layer, head, from, n, &first, &count));
      if (count != n) {
        return error(KVC_E_NOT_FOUND, "sparse: %u of tokens %u to %u of layer %u, head %u were left out", n - count, from,
                     from + n, layer, head);
      }
      const std::byte* rows = page.rows + g.with_tokens(page.kept).head_offset(layer, plane, head) + first * row;
      for (uint32_t t = 0; t < n; ++t) std::memcpy(out + head * head_stride + t * token_stride, rows + t * row, row);
    }
    return Status::ok();
  }

  Status tile(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, uint32_t head, uint32_t index,
              AttendTile* tile) const override {
    Parts page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    const uint32_t from = index * kTileTokens;
    KVC_RETURN_IF_ERROR(check_range(name(), g, layer, KVC_KEY, from, 1));
    uint32_t first, count;
    KVC_RETURN_IF_ERROR(
        rows_in(g, page, layer, head, from, std::min(kTileTokens, g.page_tokens - from), &first, &count));
    tile->tokens = tile->exact = count;
    tile->gathered = true;
    const size_t at = (size_t{layer} * g.n_kv_heads + head) * page.kept + first;
    for (uint32_t r = 0; r < count; ++r) tile->offsets[r] = static_cast<uint8_t>(page.token(at + r) - from);
    // Written out: g++ 12 takes the offset of the keys for both, if it is asked for in a loop over the planes.
    const PageGeometry small = g.with_tokens(page.kept);
    const size_t k_row = g.row_bytes(KVC_KEY), v_row = g.row_bytes(KVC_VALUE);
    tile->k = {g.dtype, page.rows + small.head_offset(layer, KVC_KEY, head) + first * k_row, k_row};
    tile->v = {g.dtype, page.rows + small.head_offset(layer, KVC_VALUE, head) + first * v_row, v_row};
    return Status::ok();
  }

  static Status find_rows(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t* kept, size_t* at) {
    Parts page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    *kept = page.kept;
    *at = rows_at(g, page.kept);
    return Status::ok();
  }

 private:
  // The tokens of a head that stay, ascending. False: a value is not finite.
  static bool choose(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                     uint32_t layer, uint32_t head, uint32_t kept, std::vector<double>* worth,
                     std::vector<uint16_t>* chosen) {
    std::vector<float> value(g.v_dim);
    const float* mass =
        options.mass != nullptr ? options.mass + (size_t{layer} * g.n_kv_heads + head) * g.page_tokens : nullptr;
    for (uint32_t t = 0; t < g.page_tokens; ++t) {
      // In order: later ones are worth more.
      (*worth)[t] = t;
      if (mass != nullptr) {
        to_f32(g.dtype, page.data() + g.head_offset(layer, KVC_VALUE, head) + t * g.row_bytes(KVC_VALUE), value.data(),
               g.v_dim);
        double square = 0;
        for (const float number : value) square += static_cast<double>(number) * static_cast<double>(number);
        (*worth)[t] = static_cast<double>(mass[t]) * std::sqrt(square);
        if (!std::isfinite((*worth)[t])) return false;
      }
      if (t < options.exact_tokens) (*worth)[t] = INFINITY;
    }
    chosen->resize(g.page_tokens);
    std::iota(chosen->begin(), chosen->end(), uint16_t{0});
    std::nth_element(chosen->begin(), chosen->begin() + (kept - 1), chosen->end(), [&](uint16_t a, uint16_t b) {
      return (*worth)[a] != (*worth)[b] ? (*worth)[a] > (*worth)[b] : a > b;
    });
    chosen->resize(kept);
    std::sort(chosen->begin(), chosen->end());
    return true;
  }

  // Which of a head's kept rows are of tokens [from, from + n).
  static Status rows_in(const PageGeometry& g, const Parts& page, uint32_t layer, uint32_t head, uint32_t from,
                        uint32_t n, uint32_t* first, uint32_t* count) {
    const size_t at = (size_t{layer} * g.n_kv_heads + head) * page.kept;
    *first = *count = 0;
    for (uint32_t r = 0; r < page.kept; ++r) {
      const uint16_t token = page.token(at + r);
      if (token >= g.page_tokens || (r > 0 && token <= page.token(at + r - 1))) {
        return error(KVC_E_CORRUPT, "sparse: the rows of layer %u, head %u are not in order", layer, head);
      }
      *first += token < from ? 1 : 0;
      *count += token >= from && token - from < n ? 1 : 0;
    }
    return Status::ok();
  }

  static Status open(const PageGeometry& g, std::span<const std::byte> encoded, Parts* out) {
    PageHeader header;
    KVC_RETURN_IF_ERROR(read_header("sparse", kMagic, g, encoded, &header));
    const uint32_t kept = header.count;
    if (kept == 0 || encoded.size() != rows_at(g, kept) + g.with_tokens(kept).page_bytes()) {
      return error(KVC_E_CORRUPT, "sparse: %zu bytes are no page of %u of %u tokens", encoded.size(), kept,
                   g.page_tokens);
    }
    *out = {kept, encoded.data() + sizeof header, encoded.data() + rows_at(g, kept)};
    return Status::ok();
  }
};

// Constant data: nothing is constructed at load time, nothing destroyed at exit.
constexpr Sparse kSparse;

}  // namespace

const Codec* sparse_codec() noexcept { return &kSparse; }

Status find_sparse_rows(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t* kept, size_t* at) {
  return Sparse::find_rows(g, encoded, kept, at);
}

uint32_t sparse_rows(const PageGeometry& g, const EncodeOptions& options) noexcept {
  const double share = options.sparse_keep > 0 ? std::min(options.sparse_keep, 1.0) : 0;  // also of what is no number
  const double wanted = std::ceil(share * g.page_tokens);
  return std::clamp(static_cast<uint32_t>(wanted), std::min(std::max(1u, options.exact_tokens), g.page_tokens),
                    g.page_tokens);
}

}  // namespace kvc
