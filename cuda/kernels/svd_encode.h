// Pages in the clear to pages of the codec svd (src/codec/svd.cpp has the form), in three steps: the terms of every
// head (svd_terms), how many of each stay (svd_share), and the page of those (svd_place).
//
// The library decomposes in double precision, this in floats, so the bytes differ. What holds all the same: any
// orthogonal basis gives a row back, as the coefficients are products with the row itself, so rounding of the
// eigenvectors costs nothing but that a term has slightly less energy than it could; and the terms that stay are those
// with most energy, the earlier head's of equals, as many as the page has room for. tests/cuda holds the error against the library's.
#pragma once

#include "kernels/jacobi.h"
#include "kernels/svd.h"

namespace kvc_cuda {

inline constexpr uint32_t kSvdMagic = 0x3144564b;
inline constexpr uint32_t kSvdEncodeThreads = 256;
// Terms of a head: two matrices of so many rows are in shared memory.
inline constexpr uint32_t kSvdTerms = 76;
static_assert((2 * kSvdTerms * kSvdTerms + kSvdTerms + 1) * 4 + kSvdEncodeThreads * 4 <= kSharedBytes);

struct SvdEncodeArgs {
  CodeArgs page;                  // failed is set; keys are as long as values
  unsigned char* room = nullptr;  // device memory: svd_room_bytes() for each page
  uint64_t bytes = 0;             // of an encoded page: its room for terms holds so many, and less than one more
};

// What svd_terms leaves of a page: for each head its unit, the energy of its terms, the largest first, and the terms.
struct SvdRoom {
  uint32_t heads, terms, tokens, dim;
  KVC_BOTH explicit SvdRoom(const CodeArgs& a)
      : heads(a.n_layers * 2 * a.n_heads),
        terms(a.page_tokens < a.dim[0] ? a.page_tokens : a.dim[0]),
        tokens(a.page_tokens),
        dim(a.dim[0]) {}
  KVC_BOTH uint64_t term_numbers() const { return uint64_t{tokens} + dim; }
  KVC_BOTH uint64_t bytes() const {
    return (uint64_t{heads} * (1 + terms) * 4 + uint64_t{heads} * terms * term_numbers() * 2 + 15) / 16 * 16;
  }
  KVC_BOTH float* unit(unsigned char* room, uint32_t head) const { return reinterpret_cast<float*>(room) + head; }
  KVC_BOTH float* energy(unsigned char* room, uint32_t head) const {
    return reinterpret_cast<float*>(room) + heads + uint64_t{head} * terms;
  }
  KVC_BOTH uint16_t* term(unsigned char* room, uint32_t head, uint32_t r) const {
    return reinterpret_cast<uint16_t*>(room + uint64_t{heads} * (1 + terms) * 4) +
           (uint64_t{head} * terms + r) * term_numbers();
  }
};

// A block for each head and plane.
template <class Block>
KVC_BODY void svd_terms(Block& block, const SvdEncodeArgs& e) {
  const CodeArgs& a = e.page;
  const SvdRoom room(a);
  const uint32_t index = block.index() % room.heads, number = block.index() / room.heads;
  const uint32_t layer = index / (2 * a.n_heads), plane = index / a.n_heads % 2, head = index % a.n_heads;
  const uint32_t n = room.terms, tokens = room.tokens, dim = room.dim, size = bytes_of(a.number);
  const bool wide = dim > tokens;
  const int64_t page = a.clear_pages != nullptr ? int64_t{a.clear_pages[number]} : int64_t{number};
  const unsigned char* rows = a.clear.row(page, layer, plane, head, 0);
  // Exact tokens count as 0 here: they are read from elsewhere.
  const auto at = [&](uint32_t t, uint32_t d) {
    return t < a.exact ? 0.0f : load_number(a.number, rows + t * a.clear.token + d * size);
  };
  float* g = reinterpret_cast<float*>(block.shared());
  float* v = g + n * n;
  float* turns = v + n * n;
  uint32_t* most = reinterpret_cast<uint32_t*>(turns + n + 1);
  block.each([&](uint32_t thread) {
    uint32_t own = 0;
    for (uint32_t i = thread; i < tokens * dim; i += block.threads()) {
      const uint32_t magnitude = bits_of(at(i / dim, i % dim)) & 0x7fffffffu;
      own = magnitude > own ? magnitude : own;
    }
    most[thread] = own;
    for (uint32_t i = thread; i < n * n; i += block.threads()) {
      const uint32_t left = i / n, right = i % n;
      float sum = 0.0f;
      // The same order for both triangles: they are the same bits.
      for (uint32_t k = 0; k < (wide ? dim : tokens); ++k) {
        sum += wide ? at(left, k) * at(right, k) : at(k, left) * at(k, right);
      }
      g[i] = sum;
    }
  });
  block.sync();
  uint32_t largest = 0;
  for (uint32_t i = 0; i < block.threads(); ++i) largest = most[i] > largest ? most[i] : largest;
  // Squares that a float does not hold are the processor's, as is what is not finite.
  if (largest != 0 && (float_of(largest) < 0x1p-50f || !(float_of(largest) < 0x1p50f))) {
    block.each([&](uint32_t thread) {
      if (thread == 0) a.failed[number] = 1;
    });
    return;
  }
  turn_to_diagonal(block, n, g, v, turns);
  // Which channel has which place, where the turns were.
  uint32_t* channel = reinterpret_cast<uint32_t*>(turns);
  block.each([&](uint32_t thread) {
    for (uint32_t i = thread; i < n; i += block.threads()) channel[place_of(g, n, i)] = i;
  });
  block.sync();
  unsigned char* to = e.room + number * room.bytes();
  const float first = larger(g[channel[0] * n + channel[0]], 0.0f), top = root_of(first);  // the largest singular value
  block.each([&](uint32_t thread) {
    if (thread == 0) *room.unit(to, index) = top;
    for (uint32_t r = thread; r < n; r += block.threads()) {
      room.energy(to, index)[r] = larger(g[channel[r] * n + channel[r]], 0.0f);
    }
    // Both sides of a term get the root of its singular value, brought to at most 1; what lies below the precision of
    // the products counts as that.
    for (uint32_t i = thread; i < n * (tokens + dim); i += block.threads()) {
      const uint32_t r = i / (tokens + dim), k = i % (tokens + dim), c = channel[r];
      const float root = root_of(larger(root_of(larger(g[c * n + c], first * 0x1p-23f)), 0.0f)), unit = root_of(top);
      const bool left = k < tokens;
      float x = 0.0f;
      if (!(top > 0.0f)) {
        // Nothing: zeros.
      } else if (left == wide) {
        x = v[(left ? k : k - tokens) * n + c] * (root / unit);
      } else {
        for (uint32_t j = 0; j < n; ++j) x += v[j * n + c] * (left ? at(k, j) : at(j, k - tokens));
        x = x / (root * unit);
      }
      room.term(to, index, r)[k] = f16_of_f32(x);
    }
  });
}

// A block for each page: its header, and the unit and terms of each head.
template <class Block>
KVC_BODY void svd_share(Block& block, const SvdEncodeArgs& e) {
  const CodeArgs& a = e.page;
  const SvdRoom room(a);
  const uint32_t number = block.index(), n = room.terms;
  unsigned char* from = e.room + number * room.bytes();
  unsigned char* out = reinterpret_cast<unsigned char*>(a.coded_pages[number]);
  uint32_t* counts = reinterpret_cast<uint32_t*>(block.shared());
  block.each([&](uint32_t thread) {
    if (thread >= 16) return;
    const uint32_t word = thread == 0 ? kSvdMagic : thread == 1 ? a.page_tokens : thread == 2 ? a.exact : 0;
    reinterpret_cast<uint32_t*>(out)[thread] = word;
  });
  block.sync();
  if (a.failed[number] != 0) return;
  const SvdPage page(a, a.coded_pages[number]);
  const uint64_t each = room.term_numbers() * 2, all = uint64_t{room.heads} * n;
  const uint64_t fit = (e.bytes - page.terms_at()) / each;
  const uint32_t wanted = static_cast<uint32_t>(fit < all ? fit : all);

  // Terms of a head with at least so much energy: floats that are not negative are in the order of their bits.
  const auto count = [&](uint32_t head, uint32_t least) {
    const float* energy = room.energy(from, head);
    uint32_t low = 0, high = n;
    while (low < high) {
      const uint32_t middle = (low + high) / 2;
      if (bits_of(energy[middle]) >= least) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  // Each thread has heads that follow one another.
  const uint32_t share = (room.heads + block.threads() - 1) / block.threads();
  const auto begin = [&](uint32_t thread) { return thread * share < room.heads ? thread * share : room.heads; };
  const auto sum = [&](uint32_t end) {
    uint32_t total = 0;
    for (uint32_t i = 0; i < end; ++i) total += counts[i];
    return total;
  };
  // The energy of the last term that stays: the largest that at least so many have.
  uint32_t least = 0;
  for (uint32_t bit = 0x40000000u; bit != 0; bit /= 2) {
    block.each([&](uint32_t thread) {
      uint32_t own = 0;
      for (uint32_t h = begin(thread); h < begin(thread + 1); ++h) own += count(h, least | bit);
      counts[thread] = own;
    });
    block.sync();
    if (sum(block.threads()) >= wanted) least |= bit;
    block.sync();
  }
  block.each([&](uint32_t thread) {
    uint32_t own = 0;
    for (uint32_t h = begin(thread); h < begin(thread + 1); ++h) own += count(h, least + 1);
    counts[thread] = own;
  });
  block.sync();
  const uint32_t rest = wanted - (wanted == 0 ? 0 : sum(block.threads()));
  block.sync();
  block.each([&](uint32_t thread) {
    uint32_t own = 0;
    for (uint32_t h = begin(thread); h < begin(thread + 1); ++h) own += count(h, least) - count(h, least + 1);
    counts[thread] = own;
  });
  block.sync();
  block.each([&](uint32_t thread) {
    uint32_t before = sum(thread);
    for (uint32_t h = begin(thread); h < begin(thread + 1); ++h) {
      const uint32_t more = count(h, least + 1), equal = count(h, least) - more;
      const uint32_t left = before < rest ? rest - before : 0;
      before += equal;
      const uint32_t rank = wanted == 0 ? 0 : more + (equal < left ? equal : left);
      *reinterpret_cast<float*>(out + 64 + uint64_t{h} * 8) = rank == 0 ? 0.0f : *room.unit(from, h);
      *reinterpret_cast<uint32_t*>(out + 64 + uint64_t{h} * 8 + 4) = rank;
    }
  });
}

// A block for each head and plane.
template <class Block>
KVC_BODY void svd_place(Block& block, const SvdEncodeArgs& e) {
  const CodeArgs& a = e.page;
  const SvdRoom room(a);
  const uint32_t index = block.index() % room.heads, number = block.index() / room.heads;
  if (a.failed[number] != 0) return;
  const uint32_t layer = index / (2 * a.n_heads), plane = index / a.n_heads % 2, head = index % a.n_heads;
  const SvdPage page(a, a.coded_pages[number]);
  unsigned char* out = reinterpret_cast<unsigned char*>(a.coded_pages[number]);
  unsigned char* from = e.room + number * room.bytes();
  const int64_t from_page = a.clear_pages != nullptr ? int64_t{a.clear_pages[number]} : int64_t{number};
  const unsigned char* rows = a.clear.row(from_page, layer, plane, head, 0);
  const uint64_t at = terms_of(block, page, index);
  const uint64_t numbers = page.rank(index) * room.term_numbers();
  const uint32_t row = room.dim * bytes_of(a.number);
  const bool last = index + 1 == room.heads;
  block.each([&](uint32_t thread) {
    unsigned char* kept = out + page.exact_at(index);
    for (uint32_t i = thread; i < page.exact * row; i += block.threads())
      kept[i] = rows[i / row * a.clear.token + i % row];
    const uint16_t* terms = room.term(from, index, 0);
    uint16_t* to = reinterpret_cast<uint16_t*>(out + at);
    for (uint64_t i = thread; i < numbers; i += block.threads()) to[i] = terms[i];
    // What is left of the page.
    for (uint64_t i = at + numbers * 2 + thread; last && i < e.bytes; i += block.threads()) out[i] = 0;
    if (last && thread == 0 && page.exact_at(room.heads) < page.terms_at()) out[page.exact_at(room.heads)] = 0;
  });
}

}  // namespace kvc_cuda
