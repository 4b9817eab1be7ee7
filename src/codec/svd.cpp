// The codec svd: literal truncation. The rows of each head and plane of a page, as a matrix [token][dim], are the sum
// of as many rank-one terms as the bytes allow, which go where the singular values of the page are largest (Eckart and
// Young 1936). What it costs is measured and reported like every codec's error; codec lowrank codes the same bytes far
// better, because K/V has no low rank: its energy falls off slowly, and what truncation drops is dropped whole.
//
// An encoded page has compression_ratio times the bytes of the page in the clear:
//   Header                                64 bytes
//   heads    {f32 unit, u32 rank} [layer][K|V][head]
//   terms    f16, head by head: rank times left [token], then right [dim]; a row is unit * sum of left[t] * right
//   exact    [layer][K|V][head][token]    rows of the first tokens, as they came; before the terms
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "attend/convert.h"
#include "attend/copy.h"
#include "codec/codec.h"
#include "codec/eigenbasis.h"
#include "codec/page_header.h"

namespace kvc {
namespace {

constexpr uint32_t kMagic = 0x3144564b;  // "KVD1"; counts exact tokens

struct Head {
  float unit;
  uint32_t rank;
};

size_t heads_of(const PageGeometry& g) { return size_t{g.n_layers} * 2 * g.n_kv_heads; }
size_t head_index(const PageGeometry& g, uint32_t layer, int plane, uint32_t head) {
  return (size_t{layer} * 2 + static_cast<size_t>(plane)) * g.n_kv_heads + head;
}
int plane_of(const PageGeometry& g, size_t index) { return static_cast<int>(index / g.n_kv_heads % 2); }
size_t term_bytes(const PageGeometry& g, int plane) { return (size_t{g.page_tokens} + g.dim(plane)) * sizeof(uint16_t); }
uint32_t most_terms(const PageGeometry& g, int plane) { return std::min(g.page_tokens, g.dim(plane)); }
size_t exact_at(const PageGeometry& g) { return sizeof(PageHeader) + heads_of(g) * sizeof(Head); }
size_t terms_at(const PageGeometry& g, uint32_t exact) {
  return (exact_at(g) + g.with_tokens(exact).page_bytes() + 1) / 2 * 2;
}
uint32_t exact_tokens(const PageGeometry& g, const EncodeOptions& options) {
  return std::min(options.exact_tokens, g.page_tokens);
}

// The terms of one head, the largest first: left has the singular value.
struct Terms {
  std::vector<double> energy;
  Matrix left, right;  // [token][term], [term][dim]
};

// An encoded page whose header holds together.
struct Page {
  uint32_t exact = 0;
  std::vector<size_t> at;  // where the terms of each head begin
  std::span<const std::byte> encoded;
  Head head(size_t index) const noexcept {
    Head head;
    std::memcpy(&head, encoded.data() + sizeof(PageHeader) + index * sizeof head, sizeof head);
    return head;
  }
};

class Svd final : public Codec {
 public:
  constexpr ~Svd() override {}  // written out, or g++ 12 does not see that it is constexpr
  std::string_view name() const noexcept override { return "svd"; }
  uint8_t id() const noexcept override { return kSvdCodecId; }
  bool is_clear() const noexcept override { return false; }

  size_t encoded_bytes(const PageGeometry& g, const EncodeOptions& options) const noexcept override {
    size_t all = terms_at(g, exact_tokens(g, options));
    const size_t least = all;
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      all += size_t{g.n_layers} * g.n_kv_heads * most_terms(g, plane) * term_bytes(g, plane);
    }
    if (!(options.ratio > 0)) return all;
    const auto wanted = static_cast<size_t>(static_cast<double>(g.page_bytes()) * std::min(options.ratio, 64.0));
    return std::clamp(wanted / 2 * 2, least, all);
  }

  Status encode(const PageGeometry& g, const EncodeOptions& options, std::span<const std::byte> page,
                std::span<std::byte> out) const override {
    KVC_RETURN_IF_ERROR(check_sizes(name(), g, page, out, encoded_bytes(g, options)));
    const PageHeader header = {kMagic, g.page_tokens, exact_tokens(g, options)};
    std::memset(out.data(), 0, out.size());
    std::memcpy(out.data(), &header, sizeof header);
    std::byte* exact = out.data() + exact_at(g);
    std::vector<Terms> heads(heads_of(g));
    for (size_t i = 0; i < heads.size(); ++i) {
      const int plane = plane_of(g, i);
      const auto layer = static_cast<uint32_t>(i / g.n_kv_heads / 2), head = static_cast<uint32_t>(i % g.n_kv_heads);
      const std::byte* rows = page.data() + g.head_offset(layer, plane, head);
      if (header.count > 0) std::memcpy(exact, rows, header.count * g.row_bytes(plane));
      exact += header.count * g.row_bytes(plane);
      if (!decompose(g, plane, rows, header.count, &heads[i])) {
        return error(KVC_E_UNSUPPORTED, "svd: layer %u, head %u has a number that is not finite: the page stays in the clear",
                     layer, head);
      }
    }
    std::vector<uint32_t> ranks;
    share_out(g, heads, out.size() - terms_at(g, header.count), &ranks);
    std::byte* to = out.data() + terms_at(g, header.count);
    for (size_t i = 0; i < heads.size(); ++i) {
      const Head described = {write_terms(g, plane_of(g, i), heads[i], ranks[i], to), ranks[i]};
      std::memcpy(out.data() + sizeof header + i * sizeof described, &described, sizeof described);
      to += ranks[i] * term_bytes(g, plane_of(g, i));
    }
    return Status::ok();
  }

  Status decode(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, int plane, uint32_t from,
                uint32_t n, std::byte* out, size_t head_stride, size_t token_stride) const override {
    Page page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    KVC_RETURN_IF_ERROR(check_range(name(), g, layer, plane, from, n));
    const uint32_t dim = g.dim(plane);
    std::vector<float> rows(size_t{n} * dim);
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      read_rows(g, page, layer, plane, head, from, n, rows.data());
      std::byte* const to = out + head * head_stride;
      for (uint32_t t = 0; t < n; ++t) from_f32(g.dtype, rows.data() + size_t{t} * dim, to + t * token_stride, dim);
      if (from >= page.exact) continue;
      const size_t row = g.row_bytes(plane);
      const std::byte* const exact = encoded.data() + exact_at(g) +
                                     g.with_tokens(page.exact).head_offset(layer, plane, head) + from * row;
      copy_rows(to, token_stride, exact, row, row, std::min(n, page.exact - from));
    }
    return Status::ok();
  }

  // Kernels see the tile in the clear: its rows are made here, and live as long as `tile`.
  Status tile(const PageGeometry& g, std::span<const std::byte> encoded, uint32_t layer, uint32_t head, uint32_t index,
              AttendTile* tile) const override {
    Page page;
    KVC_RETURN_IF_ERROR(open(g, encoded, &page));
    const uint32_t from = index * kTileTokens;
    KVC_RETURN_IF_ERROR(check_range(name(), g, layer, KVC_KEY, from, 1));
    const uint32_t n = std::min(kTileTokens, g.page_tokens - from);
    tile->rows.resize(size_t{n} * (g.k_dim + g.v_dim));
    float* to = tile->rows.data();
    for (const int plane : {KVC_KEY, KVC_VALUE}) {
      const uint32_t dim = g.dim(plane);
      read_rows(g, page, layer, plane, head, from, n, to);
      const std::byte* const exact =
          encoded.data() + exact_at(g) + g.with_tokens(page.exact).head_offset(layer, plane, head);
      for (uint32_t t = from; t < std::min(page.exact, from + n); ++t) {
        to_f32(g.dtype, exact + t * g.row_bytes(plane), to + size_t{t - from} * dim, dim);
      }
      ClearRows& clear = plane == KVC_KEY ? tile->k : tile->v;
      clear = {DType::f32, reinterpret_cast<const std::byte*>(to), dim * sizeof(float)};
      to += size_t{n} * dim;
    }
    tile->tokens = tile->exact = n;
    return Status::ok();
  }

 private:
  // False: a number is not finite.
  static bool decompose(const PageGeometry& g, int plane, const std::byte* rows, uint32_t exact, Terms* out) {
    const uint32_t dim = g.dim(plane), tokens = g.page_tokens;
    std::vector<float> numbers(size_t{tokens} * dim);
    to_f32(g.dtype, rows, numbers.data(), numbers.size());
    // Exact tokens count as 0 here: they are read from elsewhere.
    std::fill_n(numbers.data(), size_t{exact} * dim, 0.0f);
    if (!std::all_of(numbers.begin(), numbers.end(), [](float x) { return std::isfinite(x); })) return false;
    const Matrix a =
        Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(numbers.data(), tokens, dim)
            .cast<double>();
    // By the smaller of the two Gram matrices; what rounding costs is far below what is dropped.
    const bool wide = dim > tokens;
    const Matrix gram = wide ? Matrix(a * a.transpose()) : Matrix(a.transpose() * a);
    Eigenbasis basis;
    if (!find_eigenbasis(gram, &basis)) return false;
    const auto n = static_cast<Eigen::Index>(most_terms(g, plane));
    const Matrix& vectors = basis.vectors;
    out->energy.resize(static_cast<size_t>(n));
    for (Eigen::Index i = 0; i < n; ++i) out->energy[static_cast<size_t>(i)] = std::max(0.0, basis.values[i]);
    out->left = wide ? vectors : Matrix(a * vectors);
    out->right = wide ? Matrix(vectors.transpose() * a) : Matrix(vectors.transpose());
    return true;
  }

  // Terms to heads, always where the next one has most energy, while there is room for it.
  static void share_out(const PageGeometry& g, const std::vector<Terms>& heads, size_t bytes,
                        std::vector<uint32_t>* ranks) {
    struct Next {
      double worth;
      size_t head;
      bool operator<(const Next& other) const {
        return worth != other.worth ? worth < other.worth : head > other.head;
      }
    };
    ranks->assign(heads.size(), 0);
    std::vector<Next> heap;
    const auto offer = [&](size_t i) {
      const uint32_t rank = (*ranks)[i];
      if (rank >= heads[i].energy.size()) return;
      heap.push_back({heads[i].energy[rank] / static_cast<double>(term_bytes(g, plane_of(g, i))), i});
      std::push_heap(heap.begin(), heap.end());
    };
    for (size_t i = 0; i < heads.size(); ++i) offer(i);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      const size_t i = heap.back().head;
      heap.pop_back();
      const size_t each = term_bytes(g, plane_of(g, i));
      if (each > bytes) continue;
      bytes -= each;
      ++(*ranks)[i];
      offer(i);
    }
  }

  // Writes a head's terms, each side with the root of the singular value; returns their unit.
  static float write_terms(const PageGeometry& g, int plane, const Terms& terms, uint32_t rank, std::byte* to) {
    const uint32_t dim = g.dim(plane), tokens = g.page_tokens;
    // The largest singular value's root brought to 1: f16 holds what lies 2^-14 below it in full precision.
    const double largest = rank > 0 ? std::sqrt(std::sqrt(terms.energy[0])) : 0;
    if (!(largest > 0)) {
      std::memset(to, 0, rank * term_bytes(g, plane));
      return 0;
    }
    std::vector<float> left(tokens), right(dim);
    for (uint32_t r = 0; r < rank; ++r) {
      const auto i = static_cast<Eigen::Index>(r);
      const double left_norm = terms.left.col(i).norm(), right_norm = terms.right.row(i).norm();
      const double root = std::sqrt(left_norm * right_norm);
      const double by_left = left_norm > 0 ? root / left_norm / largest : 0;
      const double by_right = right_norm > 0 ? root / right_norm / largest : 0;
      for (uint32_t t = 0; t < tokens; ++t) left[t] = static_cast<float>(terms.left(t, i) * by_left);
      for (uint32_t d = 0; d < dim; ++d) right[d] = static_cast<float>(terms.right(i, d) * by_right);
      from_f32(DType::f16, left.data(), to, tokens);
      from_f32(DType::f16, right.data(), to + tokens * sizeof(uint16_t), dim);
      to += term_bytes(g, plane);
    }
    return static_cast<float>(std::min(largest * largest, 3e38));
  }

  static void read_rows(const PageGeometry& g, const Page& page, uint32_t layer, int plane, uint32_t head, uint32_t from,
                        uint32_t n, float* rows) {
    const uint32_t dim = g.dim(plane), tokens = g.page_tokens;
    const size_t index = head_index(g, layer, plane, head);
    const Head described = page.head(index);
    const std::byte* at = page.encoded.data() + page.at[index];
    std::vector<float> left(tokens), right(dim);
    std::fill_n(rows, size_t{n} * dim, 0.0f);
    for (uint32_t r = 0; r < described.rank; ++r, at += term_bytes(g, plane)) {
      to_f32(DType::f16, at, left.data(), tokens);
      to_f32(DType::f16, at + tokens * sizeof(uint16_t), right.data(), dim);
      for (float& number : right) number *= described.unit;
      for (uint32_t t = 0; t < n; ++t) {
        const float by = left[from + t];
        float* row = rows + size_t{t} * dim;
        for (uint32_t d = 0; d < dim; ++d) row[d] += by * right[d];
      }
    }
  }

  static Status open(const PageGeometry& g, std::span<const std::byte> encoded, Page* page) {
    PageHeader header;
    KVC_RETURN_IF_ERROR(read_header("svd", kMagic, g, encoded, &header));
    if (encoded.size() < terms_at(g, header.count)) {
      return error(KVC_E_CORRUPT, "svd: %zu bytes are no page with %u exact tokens", encoded.size(), header.count);
    }
    page->exact = header.count;
    page->encoded = encoded;
    page->at.resize(heads_of(g));
    size_t at = terms_at(g, header.count);
    size_t room = 0;  // that the next term might have used
    for (size_t i = 0; i < page->at.size(); ++i) {
      const int plane = plane_of(g, i);
      const Head head = page->head(i);
      page->at[i] = at;
      room = std::max(room, head.rank < most_terms(g, plane) ? term_bytes(g, plane) : 0);
      if (head.rank > most_terms(g, plane) || head.rank * term_bytes(g, plane) > encoded.size() - at) {
        return error(KVC_E_CORRUPT, "svd: head %zu has %u terms, more than there can be", i, head.rank);
      }
      at += head.rank * term_bytes(g, plane);
    }
    if (encoded.size() - at < std::max(room, size_t{1})) return Status::ok();
    return error(KVC_E_CORRUPT, "svd: %zu bytes after the last term", encoded.size() - at);
  }
};

// Constant data: nothing is constructed at load time, nothing destroyed at exit.
constexpr Svd kSvd;

}  // namespace

const Codec* svd_codec() noexcept { return &kSvd; }

}  // namespace kvc
