// Pages of the codec svd back to rows in the clear: a block for each head and plane. The same bits as the codec of the
// library gives (src/codec/svd.cpp has the form). Of CodeArgs only the geometry counts: a page says itself how many
// terms each head has, which the caller has checked.
#pragma once

#include "kernels/args.h"

namespace kvc_cuda {

inline constexpr uint32_t kSvdCodec = 9;  // CodeArgs::codec
inline constexpr uint32_t kSvdThreads = 128;

KVC_BOTH uint64_t svd_term_bytes(const CodeArgs& a, uint32_t plane) {
  return (uint64_t{a.page_tokens} + a.dim_of(static_cast<int>(plane))) * 2;
}

// Where a page has what.
struct SvdPage {
  const unsigned char* at;
  const CodeArgs& a;
  uint32_t exact;
  KVC_BOTH SvdPage(const CodeArgs& args, uint64_t address)
      : at(reinterpret_cast<const unsigned char*>(address)),
        a(args),
        exact(*reinterpret_cast<const uint32_t*>(at + 8)) {}
  KVC_BOTH uint32_t heads() const { return a.n_layers * 2 * a.n_heads; }
  KVC_BOTH float unit(uint32_t index) const { return *reinterpret_cast<const float*>(at + 64 + uint64_t{index} * 8); }
  KVC_BOTH uint32_t rank(uint32_t index) const {
    return *reinterpret_cast<const uint32_t*>(at + 64 + uint64_t{index} * 8 + 4);
  }
  // Of the terms of one head.
  KVC_BOTH uint64_t bytes(uint32_t index) const { return rank(index) * svd_term_bytes(a, index / a.n_heads % 2); }
  KVC_BOTH uint64_t exact_row(uint32_t plane) const {
    return uint64_t{a.dim_of(static_cast<int>(plane))} * bytes_of(a.number);
  }
  KVC_BOTH uint64_t exact_at(uint32_t index) const {
    const uint32_t layer = index / (2 * a.n_heads), plane = index / a.n_heads % 2, head = index % a.n_heads;
    const uint64_t k = exact * exact_row(0), v = exact * exact_row(1);
    return 64 + uint64_t{heads()} * 8 + layer * a.n_heads * (k + v) + (plane == 0 ? 0 : a.n_heads * k) +
           head * (plane == 0 ? k : v);
  }
  KVC_BOTH uint64_t terms_at() const { return (exact_at(heads()) + 1) / 2 * 2; }
};

// Where a head's terms lie in the page. Shared memory: 8 bytes for each thread.
template <class Block>
KVC_BODY uint64_t terms_of(Block& block, const SvdPage& page, uint32_t index) {
  // The terms of the heads before: every thread some, then all of them.
  uint64_t* before = reinterpret_cast<uint64_t*>(block.shared());
  block.each([&](uint32_t thread) {
    uint64_t own = 0;
    for (uint32_t i = thread; i < index; i += block.threads()) own += page.bytes(i);
    before[thread] = own;
  });
  block.sync();
  uint64_t at = page.terms_at();
  for (uint32_t i = 0; i < block.threads(); ++i) at += before[i];
  return at;
}

template <class Block>
KVC_BODY void decode_svd(Block& block, const CodeArgs& a) {
  const uint32_t index = block.index() % (a.n_layers * 2 * a.n_heads),
                 number = block.index() / (a.n_layers * 2 * a.n_heads);
  const SvdPage page(a, a.coded_pages[number]);
  const uint32_t layer = index / (2 * a.n_heads), plane = index / a.n_heads % 2, head = index % a.n_heads;
  const uint32_t dim = a.dim_of(static_cast<int>(plane)), size = bytes_of(a.number), tokens = a.page_tokens;
  const int64_t to_page = a.clear_pages != nullptr ? int64_t{a.clear_pages[number]} : int64_t{number};
  unsigned char* rows = a.clear.row(to_page, layer, plane, head, 0);

  const uint64_t at = terms_of(block, page, index);
  const uint16_t* terms = reinterpret_cast<const uint16_t*>(page.at + at);
  const uint32_t rank = page.rank(index);
  const float unit = page.unit(index);
  const unsigned char* kept = page.at + page.exact_at(index);
  const uint32_t row = dim * size;
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < page.exact * row; n += block.threads())
      rows[n / row * a.clear.token + n % row] = kept[n];
    for (uint32_t n = page.exact * dim + thread; n < tokens * dim; n += block.threads()) {
      const uint32_t t = n / dim, d = n % dim;
      float sum = 0.0f;
      for (uint32_t r = 0; r < rank; ++r) {
        const uint16_t* term = terms + uint64_t{r} * (tokens + dim);
        sum += f32_of_f16(term[t]) * (f32_of_f16(term[tokens + d]) * unit);
      }
      store_number(a.number, sum, rows + t * a.clear.token + d * size);
    }
  });
}

}  // namespace kvc_cuda
