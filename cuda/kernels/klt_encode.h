// Pages in the clear to pages of the codecs klt and lowrank, with a calibration: a block for each tile of a part (a
// block of heads' keys, a head's values). The same bytes as the codec of the library writes (src/codec/klt.cpp, klt_tile.cpp)
// behind the page's header, which the caller puts there.
//
// A tile's unit is known when all of its groups have been seen, so there are passes over the numbers: their range and
// sum, the squares of those that are coded for Gaussian numbers, the codes. What does not fit shared memory as a whole
// is made anew in each.
#pragma once

#include "kernels/klt.h"

namespace kvc_cuda {

struct KltEncodeArgs {
  KltArgs page;                             // its calibration is there; chunk: klt_encode_chunk
  const unsigned char* analysis = nullptr;  // device memory: KltForm::analysis_bytes()
  uint32_t rows = 0;                        // of values at a time: klt_encode_rows
  uint32_t* failed = nullptr;               // [page] is set to 1 where a number is not finite; the page is then none
};

inline constexpr uint32_t kKltEncodeThreads = 512;
// Coefficients of eight tokens that a thread makes at most before it stores them where the keys were.
inline constexpr uint32_t kKltEncodeItems = 3;
inline constexpr float kKltFinestUnit = 1.0f / 16;

// What is known of a group of numbers before it is coded.
struct KltRange {
  float low, high, sum;
  // Adds numbers [from, to) of x, in their order.
  KVC_BOTH void see(const float* x, uint32_t from, uint32_t to) {
    for (uint32_t n = from; n < to; ++n) {
      low = smaller(low, x[n]);
      high = larger(high, x[n]);
      sum += x[n];
    }
  }
};
KVC_BOTH bool all_finite(const float* x, uint32_t n) {
  bool finite = true;
  for (uint32_t i = 0; i < n; ++i) finite = finite && is_finite(x[i]);
  return finite;
}
KVC_BOTH float add_squares(const float* x, uint32_t from, uint32_t to, float mean, float sum) {
  for (uint32_t n = from; n < to; ++n) sum += (x[n] - mean) * (x[n] - mean);
  return sum;
}
KVC_BOTH float largest_of(float low, float high) {
  return larger(float_of(bits_of(low) & 0x7fffffffu), float_of(bits_of(high) & 0x7fffffffu));
}
KVC_BOTH KltRange no_range() { return {float_of(0x7f800000u), float_of(0xff800000u), 0.0f}; }

KVC_BOTH int32_t klt_byte(float x) { return static_cast<int32_t>(x < -127.0f ? -127.0f : 127.0f < x ? 127.0f : x); }

// klt_tile.cpp, find_bounds. squares: of what the numbers are from their mean, where the width asks for it.
struct KltBounds {
  int32_t low, high;
  KVC_BOTH KltBounds(float least, float most, float mean, float squares, uint32_t n, uint32_t width, bool gaussian,
                     float step) {
    if (gaussian && width == 0) {
      low = high = klt_byte(nearest_of(mean / step));
      return;
    }
    if (gaussian) {
      const float half = (width == 1 ? 0.798f : width == 2 ? 1.494f : 2.4f) * root_of(squares / static_cast<float>(n));
      least = larger(least, mean - half);
      most = smaller(most, mean + half);
    }
    low = klt_byte(floor_of(least / step));
    high = klt_byte(ceil_of(most / step));
  }
  KVC_BOTH void put(unsigned char* to) const {
    to[0] = static_cast<unsigned char>(low);
    to[1] = static_cast<unsigned char>(high);
  }
  KVC_BOTH float inverse(uint32_t width, float step) const {
    const float range = static_cast<float>(high - low) * step;
    return range > 0 ? static_cast<float>((1u << width) - 1) / range : 0.0f;
  }
};

// Codes of numbers [0, 8) at x as a byte of each plane; those before `from` and after `to` are 0.
KVC_BOTH void put_eight(const float* x, uint32_t from, uint32_t to, float low, float inverse, uint32_t width,
                        uint32_t plane, unsigned char* planes) {
  const float last = static_cast<float>((1u << width) - 1);
  uint32_t codes[8];
  KVC_UNROLL
  for (uint32_t i = 0; i < 8; ++i) {
    const float on_grid = i < from || i >= to ? 0.0f : smaller(larger(0.0f, (x[i] - low) * inverse), last);
    codes[i] = bits_of(on_grid + 12582912.0f) - 0x4b400000u;
  }
  for (uint32_t bit = 0; bit < width; ++bit) {
    uint32_t byte = 0;
    KVC_UNROLL
    for (uint32_t i = 0; i < 8; ++i) byte |= (codes[i] >> bit & 1u) << i;
    planes[bit * plane] = static_cast<unsigned char>(byte);
  }
}

// The unit of a tile from what each group needs at least; false: a number is not finite, and *failed is set.
template <class Block>
KVC_BODY bool tile_unit(Block& block, const float* needed, uint32_t groups, float least, uint32_t* failed,
                        unsigned char* to, float* unit) {
  // Every thread for itself: all read the same.
  float most = least;
  bool finite = true;
  for (uint32_t g = 0; g < groups; ++g) {
    most = larger(most, needed[g]);
    finite = finite && is_finite(needed[g]);
  }
  *unit = larger(most, 1e-30f);
  block.each([&](uint32_t thread) {
    if (thread != 0) return;
    if (!finite) *failed = 1;
    const uint32_t word = bits_of(*unit);
    for (uint32_t i = 0; i < 4; ++i) to[i] = static_cast<unsigned char>(word >> (8 * i));
  });
  return finite;
}

// Coefficients of tokens [begin, begin + chunk) of a tile, [channel][stride]; 0 where there is no token. Begins and
// ends synchronised.
template <class Block>
KVC_BODY void load_coefficients(Block& block, const KltEncodeArgs& e, const unsigned char* table, const KltIndex& i,
                                uint32_t begin, uint32_t stride, float* y) {
  const KltArgs& a = e.page;
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t channels = form.channels(), tokens = form.tokens(i.tile), dim = form.k_dim, size = bytes_of(a.number);
  const uint32_t rest = tokens - begin, groups = ((rest < a.chunk ? rest : a.chunk) + 7) / 8;
  const uint64_t first = uint64_t{i.layer * form.blocks() + i.part} * channels;
  const float* mean = reinterpret_cast<const float*>(a.calibration) + first;
  const float* analysis = reinterpret_cast<const float*>(e.analysis) + first * channels;
  const float* turns = reinterpret_cast<const float*>(table + form.turns_at()) + uint64_t{i.tile} * form.pairs * 2;
  const float* token_steps = reinterpret_cast<const float*>(a.calibration + form.steps_at());
  const uint32_t units = (dim + 1) / 2, all_units = units * form.block_heads;
  block.each([&](uint32_t thread) {
    // Two numbers of a key that turn together.
    for (uint32_t n = thread; n < all_units * groups * 8; n += block.threads()) {
      const uint32_t at = n / all_units, token = begin + at, head = n % all_units / units, u = n % units;
      const bool turned = u < form.pairs;
      const bool apart = turned && form.interleaved == 0;
      const uint32_t left = apart ? u : 2 * u, right = apart ? u + form.pairs : 2 * u + 1;
      const bool both = right < dim;
      float x = 0.0f, z = 0.0f;
      if (token < tokens) {
        const unsigned char* row =
            a.clear.row(page.clear, i.layer, 0, i.part * form.block_heads + head, i.tile * kKltTile + token);
        x = load_number(a.number, row + left * size);
        z = both ? load_number(a.number, row + right * size) : 0.0f;
        if (turned) {
          const float* of = token_steps + uint64_t{u} * 2 * kKltTile + token;
          const float ct = of[0], st = of[kKltTile];
          const float c = turns[2 * u] * ct - turns[2 * u + 1] * st, s = turns[2 * u + 1] * ct + turns[2 * u] * st;
          const float one = z * s + x * c;
          z = z * c - x * s;
          x = one;
        }
        x = x - mean[head * dim + left];
        if (both) z = z - mean[head * dim + right];
      }
      y[(head * dim + left) * stride + at] = x;
      if (both) y[(head * dim + right) * stride + at] = z;
    }
  });
  block.sync();
  struct Made {
    float eight[kKltEncodeItems][8];
  };
  typename Block::template Local<Made> made(block);
  block.each([&](uint32_t thread) {
    Made& own = made[thread];
    KVC_UNROLL
    for (uint32_t item = 0; item < kKltEncodeItems; ++item) {
      const uint32_t n = item * kKltEncodeThreads + thread;
      if (n >= channels * groups) continue;
      const uint32_t g = n / channels, c = n % channels;
      KVC_UNROLL
      for (uint32_t t = 0; t < 8; ++t) own.eight[item][t] = 0.0f;
      for (uint32_t j = 0; j < channels; ++j) {
        const float by = analysis[uint64_t{j} * channels + c];
        const float* key = y + j * stride + g * 8;
        KVC_UNROLL
        for (uint32_t t = 0; t < 8; ++t) own.eight[item][t] = own.eight[item][t] + by * key[t];
      }
    }
  });
  block.sync();
  block.each([&](uint32_t thread) {
    const Made& own = made[thread];
    KVC_UNROLL
    for (uint32_t item = 0; item < kKltEncodeItems; ++item) {
      const uint32_t n = item * kKltEncodeThreads + thread;
      if (n >= channels * groups) continue;
      float* to = y + n % channels * stride + n / channels * 8;
      KVC_UNROLL
      for (uint32_t t = 0; t < 8; ++t) to[t] = own.eight[item][t];
    }
  });
  block.sync();
}

template <class Block>
KVC_BODY void encode_klt_keys(Block& block, const KltEncodeArgs& e, const unsigned char* table, const KltIndex& i,
                              unsigned char* to) {
  const KltArgs& a = e.page;
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t channels = form.channels(), tokens = form.tokens(i.tile), plane = (tokens + 7) / 8;
  const uint32_t exact = i.tile != 0 ? 0 : page.exact < tokens ? page.exact : tokens, counted = tokens - exact;
  const uint64_t first = uint64_t{i.layer * form.blocks() + i.part} * channels;
  const float* deviation = reinterpret_cast<const float*>(a.calibration + form.deviation_at()) + first;
  const uint32_t stride = a.chunk + kKltPad;
  // Shared memory: coefficients; then of each channel the bits before it, and four numbers.
  float* y = reinterpret_cast<float*>(block.shared());
  uint32_t* const words = reinterpret_cast<uint32_t*>(y + channels * stride);
  const uint32_t* sums = sum_bits(block, channels, words, words + channels, [&](uint32_t c) {
    return uint32_t{a.calibration[form.key_bits_at() + first + c]};
  });
  float* squares = reinterpret_cast<float*>(sums == words ? words + channels : words);  // first: the unit it needs
  float* low = reinterpret_cast<float*>(words + 2 * channels);
  float* high = low + channels;
  float* mean = high + channels;
  const auto width = [&](uint32_t c) { return sums[c] - (c == 0 ? 0 : sums[c - 1]); };
  const auto is_gaussian = [&](uint32_t c) { return width(c) <= 2; };
  // Of the chunk's tokens the first that counts, and the end.
  const auto from = [&](uint32_t begin) {
    return exact > begin ? (exact - begin < a.chunk ? exact - begin : a.chunk) : 0;
  };
  const auto end = [&](uint32_t begin) { return tokens - begin < a.chunk ? tokens - begin : a.chunk; };

  float unit = 0.0f;
  // One loop, so that the product is in the code once.
  for (uint32_t pass = 0; pass < 3; ++pass) {
    for (uint32_t begin = 0; begin < tokens; begin += a.chunk) {
      if (pass == 0 || tokens > a.chunk) load_coefficients(block, e, table, i, begin, stride, y);
      const uint32_t groups = (end(begin) + 7) / 8;
      block.each([&](uint32_t thread) {
        if (pass == 2) {
          for (uint32_t n = thread; n < channels * groups; n += block.threads()) {
            const uint32_t c = n / groups, g = n % groups, before = sums[c] - width(c);
            const uint32_t skip = from(begin) > g * 8 ? from(begin) - g * 8 : 0;
            put_eight(y + c * stride + g * 8, skip, end(begin) - g * 8, low[c], high[c], width(c), plane,
                      to + 4 + 2 * channels + uint64_t{before} * plane + begin / 8 + g);
          }
          return;
        }
        for (uint32_t c = thread; c < channels; c += block.threads()) {
          const float* x = y + c * stride;
          if (pass == 1) {
            float sum = begin == 0 ? 0.0f : squares[c];
            if (is_gaussian(c)) sum = add_squares(x, from(begin), end(begin), mean[c], sum);
            squares[c] = sum;
            continue;
          }
          KltRange range = begin == 0 ? no_range() : KltRange{low[c], high[c], mean[c]};
          const bool finite = (begin == 0 || is_finite(squares[c])) && all_finite(x, end(begin));
          range.see(x, from(begin), end(begin));
          low[c] = range.low, high[c] = range.high, mean[c] = range.sum;
          squares[c] = finite ? 0.0f : float_of(0x7f800000u);
        }
      });
      block.sync();
    }
    if (pass == 2) return;
    block.each([&](uint32_t thread) {
      for (uint32_t c = thread; c < channels; c += block.threads()) {
        if (pass == 0) {
          if (counted == 0) low[c] = high[c] = 0.0f;
          if (is_finite(squares[c])) squares[c] = largest_of(low[c], high[c]) / deviation[c] / 126.0f;
          mean[c] = mean[c] / static_cast<float>(counted == 0 ? 1 : counted);
          continue;
        }
        const float step = unit * deviation[c];
        const KltBounds bounds(low[c], high[c], mean[c], squares[c], counted, width(c), counted > 0 && is_gaussian(c),
                               step);
        bounds.put(to + 4 + 2 * c);
        low[c] = static_cast<float>(bounds.low) * step;
        high[c] = bounds.inverse(width(c), step);
      }
    });
    block.sync();
    if (pass == 0 && !tile_unit(block, squares, channels, kKltFinestUnit, e.failed + i.page, to, &unit)) return;
    block.sync();
  }
}

// Rows [first, first + a few) of a tile of values, transformed, [row][dim]. Begins and ends synchronised.
template <class Block>
KVC_BODY void load_values(Block& block, const KltEncodeArgs& e, const KltPage& page, const KltIndex& i, uint32_t first,
                          float* y) {
  const KltArgs& a = e.page;
  const uint32_t dim = a.form.v_dim, tokens = a.form.tokens(i.tile), size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? page.exact : 0, head = i.part - a.form.blocks();
  const unsigned char* rows = a.clear.row(page.clear, i.layer, 1, head, i.tile * kKltTile);
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < e.rows * dim; n += block.threads()) {
      const uint32_t t = first + n / dim;
      y[n] = t < exact || t >= tokens ? 0.0f : load_number(a.number, rows + t * a.clear.token + n % dim * size);
    }
  });
  block.sync();
  hadamard_rows(block, y, e.rows, dim, rotated_block(dim), a.norm);
}

template <class Block>
KVC_BODY void encode_klt_values(Block& block, const KltEncodeArgs& e, const unsigned char* table, const KltIndex& i,
                                unsigned char* to) {
  const KltArgs& a = e.page;
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t head = i.part - form.blocks(), tokens = form.tokens(i.tile), dim = form.v_dim, plane = (dim + 7) / 8;
  const uint32_t width = a.calibration[form.value_bits_at() + i.layer * form.n_heads + head];
  const bool gaussian = width <= 3;
  // Shared memory: rows, then of each token four numbers.
  float* y = reinterpret_cast<float*>(block.shared());
  float* needed = y + e.rows * dim;
  float* low = needed + kKltTile;
  float* high = low + kKltTile;
  float* mean = high + kKltTile;
  float unit = 0.0f;
  for (uint32_t pass = 0; pass < 2; ++pass) {
    for (uint32_t first = 0; first < tokens; first += e.rows) {
      if (pass == 0 || tokens > e.rows) load_values(block, e, page, i, first, y);
      const uint32_t rows = tokens - first < e.rows ? tokens - first : e.rows;
      block.each([&](uint32_t thread) {
        for (uint32_t row = thread; row < rows; row += block.threads()) {
          const float* x = y + row * dim;
          const uint32_t t = first + row;
          if (pass == 0) {
            KltRange range = no_range();
            range.see(x, 0, dim);
            low[t] = range.low, high[t] = range.high, mean[t] = range.sum / static_cast<float>(dim);
            needed[t] = all_finite(x, dim) ? largest_of(range.low, range.high) / 126.0f : float_of(0x7f800000u);
            continue;
          }
          const float squares = gaussian ? add_squares(x, 0, dim, mean[t], 0.0f) : 0.0f;
          const KltBounds bounds(low[t], high[t], mean[t], squares, dim, width, gaussian, unit);
          bounds.put(to + 4 + 2 * t);
          low[t] = static_cast<float>(bounds.low) * unit;
          high[t] = bounds.inverse(width, unit);
        }
      });
      block.sync();
      if (pass == 0) continue;
      block.each([&](uint32_t thread) {
        for (uint32_t n = thread; n < rows * plane; n += block.threads()) {
          const uint32_t row = n / plane, byte = n % plane, t = first + row;
          put_eight(y + row * dim + byte * 8, 0, dim - byte * 8, low[t], high[t], width, plane,
                    to + 4 + 2 * tokens + uint64_t{t} * width * plane + byte);
        }
      });
      block.sync();
    }
    if (pass == 0 && !tile_unit(block, needed, tokens, 0.0f, e.failed + i.page, to, &unit)) return;
    block.sync();
  }
}

template <class Block>
KVC_BODY void encode_klt(Block& block, const KltEncodeArgs& e) {
  const KltArgs& a = e.page;
  const KltIndex i(a.form, block.index());
  const unsigned char* table = a.tables + i.page * a.table_bytes;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t at = *reinterpret_cast<const uint32_t*>(table + a.form.tile_at(i.layer, i.part, i.tile));
  unsigned char* to = reinterpret_cast<unsigned char*>(page.coded) + at;
  const bool keys = i.part < a.form.blocks();
  if (i.tile == 0 && page.exact > 0) {
    const uint32_t plane = keys ? 0 : 1, size = bytes_of(a.number), row = (keys ? a.form.k_dim : a.form.v_dim) * size;
    const uint32_t head = keys ? i.part * a.form.block_heads : i.part - a.form.blocks();
    for (uint32_t h = 0; h < (keys ? a.form.block_heads : 1); ++h) {
      const unsigned char* rows = a.clear.row(page.clear, i.layer, plane, head + h, 0);
      unsigned char* kept = exact_rows(a.form, a.number, page, i.layer, plane, head + h);
      block.each([&](uint32_t thread) {
        for (uint32_t n = thread; n < page.exact * row; n += block.threads())
          kept[n] = rows[n / row * a.clear.token + n % row];
      });
    }
  }
  if (keys) {
    encode_klt_keys(block, e, table, i, to);
  } else {
    encode_klt_values(block, e, table, i, to);
  }
}

}  // namespace kvc_cuda
