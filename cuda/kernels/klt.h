// Pages of the codecs klt, lowrank and auto back to rows in the clear: a block for each tile of a part (a block of
// heads' keys, a head's values). The same bits as the codec of the library gives (src/codec/klt.cpp) for whole pages.
#pragma once

#include "kernels/encode.h"
#include "kernels/klt_tables.h"

namespace kvc_cuda {

struct KltArgs {
  View clear;
  KltForm form;
  const unsigned char* tables = nullptr;       // device memory: KltPage and what follows it, for each page
  const unsigned char* calibration = nullptr;  // device memory (KltForm); nullptr: none
  uint64_t table_bytes = 0;                    // from one page's table to the next
  uint32_t pages = 0;
  uint32_t chunk = 0;  // tokens of keys at a time: klt_chunk
  Number number = Number::f16;
  float norm = 1;  // 1 / sqrt(hadamard_block(v_dim))
};

inline constexpr uint32_t kKltThreads = 128;
static_assert(kKltShared == kSharedBytes);

// Tiles lie anywhere: nothing in them is aligned.
KVC_BOTH uint32_t bytes_at(const unsigned char* at, uint32_t n) {
  uint32_t word = 0;
  for (uint32_t i = 0; i < n; ++i) word |= static_cast<uint32_t>(at[i]) << (8 * i);
  return word;
}
KVC_BOTH float number_at(Number number, const unsigned char* at) {
  if (number == Number::f32) return float_of(bytes_at(at, 4));
  const uint32_t half = bytes_at(at, 2);
  return number == Number::f16 ? f32_of_f16(half) : float_of(half << 16);
}

// Eight numbers of a group (klt_tile.h) from their bit planes.
struct KltGroup {
  const unsigned char* planes;
  uint32_t plane, width;
  float low, scale;
  KVC_BOTH KltGroup(const unsigned char* bounds, const unsigned char* planes_at, uint32_t plane_bytes, uint32_t bits,
                    float step)
      : planes(planes_at), plane(plane_bytes), width(bits) {
    low = static_cast<float>(static_cast<int8_t>(bounds[0])) * step;
    const float high = static_cast<float>(static_cast<int8_t>(bounds[1])) * step;
    scale = width == 0 ? 0.0f : (high - low) / static_cast<float>((1u << width) - 1);
  }
  KVC_BOTH void eight(uint32_t byte, float* out, uint32_t n) const {
    // A bit of every plane goes to the code of its number: a byte each of two words, and of two more from bit 8 on.
    uint32_t codes[2] = {}, above[2] = {};
    for (uint32_t bit = 0; bit < (width < 8 ? width : 8); ++bit) {
      const uint32_t bits = planes[bit * plane + byte];
      codes[0] |= spread(bits & 15u) << bit;
      codes[1] |= spread(bits >> 4) << bit;
    }
    for (uint32_t bit = 8; bit < width; ++bit) {
      const uint32_t bits = planes[bit * plane + byte];
      above[0] |= spread(bits & 15u) << (bit - 8);
      above[1] |= spread(bits >> 4) << (bit - 8);
    }
    KVC_UNROLL
    for (uint32_t i = 0; i < 8; ++i) {
      const uint32_t code = (codes[i / 4] >> (i % 4 * 8) & 255u) | (above[i / 4] >> (i % 4 * 8) & 255u) << 8;
      if (i < n) out[i] = width == 0 ? low : low + scale * static_cast<float>(code);
    }
  }

 private:
  // Four bits to the lowest bits of four bytes.
  KVC_BOTH static uint32_t spread(uint32_t bits) { return bits * 0x00204081u & 0x01010101u; }
};

// Which tile a block has: blocks go over [page][layer][part][tile].
struct KltIndex {
  uint32_t page, layer, part, tile;
  KVC_BOTH KltIndex(const KltForm& form, uint32_t block) {
    tile = block % form.tiles();
    block /= form.tiles();
    part = block % form.parts();
    block /= form.parts();
    layer = block % form.n_layers;
    page = block / form.n_layers;
  }
};

// Rows that the page has as they came, of one head.
KVC_BOTH unsigned char* exact_rows(const KltForm& form, Number number, const KltPage& page, uint32_t layer,
                                   uint32_t plane, uint32_t head) {
  const uint64_t each_k = uint64_t{page.exact} * form.k_dim * bytes_of(number);
  const uint64_t each_v = uint64_t{page.exact} * form.v_dim * bytes_of(number);
  return reinterpret_cast<unsigned char*>(page.coded) + page.exact_at + layer * form.n_heads * (each_k + each_v) +
         (plane == 0 ? 0 : form.n_heads * each_k) + head * (plane == 0 ? each_k : each_v);
}

template <class Block>
KVC_BODY void copy_exact(Block& block, const KltArgs& a, const KltPage& page, const KltIndex& i, uint32_t plane,
                         uint32_t head) {
  const uint32_t row = (plane == 0 ? a.form.k_dim : a.form.v_dim) * bytes_of(a.number);
  const unsigned char* from = exact_rows(a.form, a.number, page, i.layer, plane, head);
  unsigned char* to = a.clear.row(page.clear, i.layer, plane, head, 0);
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < page.exact * row; n += block.threads())
      to[n / row * a.clear.token + n % row] = from[n];
  });
}

// How many bits the steps of a block's levels give its channels; kKltRaw: none are coded. 0 without levels.
KVC_BOTH uint32_t key_steps(const KltForm& form, const KltPage& page, uint32_t layer, uint32_t part) {
  if (page.levels == 0) return 0;
  return bytes_at(reinterpret_cast<const unsigned char*>(page.coded) + kKltHeader + 2 * (layer * form.blocks() + part),
                  2);
}
// Bits of a head's values, or kKltRawBits.
KVC_BOTH uint32_t value_width(const KltForm& form, const unsigned char* calibration, const KltPage& page,
                              uint32_t layer, uint32_t head) {
  const uint32_t index = layer * form.n_heads + head;
  if (page.levels != 0) {
    return reinterpret_cast<const unsigned char*>(page.coded)[kKltHeader + 2 * form.n_layers * form.blocks() + index];
  }
  return calibration != nullptr ? calibration[form.value_bits_at() + index] : page.value_bits;
}

// What a tile of keys is read with: the parts of the calibration that are its block's, and of its page's table.
struct KltKeys {
  const KltForm& form;
  const unsigned char* calibration;
  uint64_t first;                   // number of the block's first channel among all
  const float* mean = nullptr;      // without a calibration
  const float* synthesis = nullptr;
  const float* deviation = nullptr;
  const float* token_steps = nullptr;
  const float* turns;
  KVC_BOTH KltKeys(const KltForm& f, const unsigned char* learned, const unsigned char* table, uint32_t layer,
                   uint32_t part, uint32_t tile)
      : form(f), calibration(learned), first((uint64_t{layer} * f.blocks() + part) * f.channels()) {
    turns = reinterpret_cast<const float*>(table + form.turns_at()) + uint64_t{tile} * form.pairs * 2;
    if (calibration == nullptr) return;
    mean = reinterpret_cast<const float*>(calibration) + first;
    synthesis = reinterpret_cast<const float*>(calibration + form.synthesis_at()) + first * form.channels();
    deviation = reinterpret_cast<const float*>(calibration + form.deviation_at()) + first;
    token_steps = reinterpret_cast<const float*>(calibration + form.steps_at());
  }
  // Bits of a channel.
  KVC_BOTH uint32_t width(const KltPage& page, uint32_t steps, uint32_t channel) const {
    if (page.levels == 0) return calibration != nullptr ? calibration[form.key_bits_at() + first + channel] : page.key_bits;
    const uint16_t* ranks =
        reinterpret_cast<const uint16_t*>(calibration + form.ranks_at()) + (first + channel) * kKltMaxBits;
    uint32_t width = 0;
    for (uint32_t bit = 0; bit < kKltMaxBits; ++bit) width += ranks[bit] <= steps ? 1 : 0;
    return width;
  }
};

// Two numbers of a key that turn together, or stand side by side.
struct KltPair {
  uint32_t left, right;
  bool turned, both;
  KVC_BOTH KltPair(const KltForm& form, uint32_t unit) {
    turned = unit < form.pairs;
    const bool apart = turned && form.interleaved == 0;
    left = apart ? unit : 2 * unit;
    right = apart ? unit + form.pairs : 2 * unit + 1;
    both = right < form.k_dim;
  }
  KVC_BOTH void turn(const KltKeys& keys, uint32_t unit, uint32_t token, float* x, float* z) const {
    if (!turned) return;
    const float* turn = keys.turns + 2 * unit;
    const float* steps = keys.token_steps + uint64_t{unit} * 2 * kKltTile;
    const float ct = steps[token], st = steps[kKltTile + token];
    const float c = turn[0] * ct - turn[1] * st, s = turn[1] * ct + turn[0] * st;
    const float one = *x * c - *z * s;
    *z = *x * s + *z * c;
    *x = one;
  }
};

// Bits before each channel and its own, by sums over neighbours twice as far each time. width: of a channel. Of the two
// arrays one has the sums at the end; the other is free. Begins unsynchronised, ends synchronised.
template <class Block, class Width>
KVC_BODY uint32_t* sum_bits(Block& block, uint32_t channels, uint32_t* sums, uint32_t* next, Width&& width) {
  block.each([&](uint32_t thread) {
    for (uint32_t c = thread; c < channels; c += block.threads()) sums[c] = width(c);
  });
  block.sync();
  for (uint32_t far = 1; far < channels; far *= 2) {
    block.each([&](uint32_t thread) {
      for (uint32_t c = thread; c < channels; c += block.threads()) next[c] = sums[c] + (c >= far ? sums[c - far] : 0);
    });
    block.sync();
    uint32_t* swap = sums;
    sums = next;
    next = swap;
  }
  return sums;
}

// Coefficients of a tile of keys in the order of channels, eight tokens at a time.
struct KltCoefficients {
  const unsigned char* bounds;
  const unsigned char* planes;
  const uint32_t* sums;
  uint32_t plane;
  KVC_BOTH KltCoefficients(const unsigned char* from, const KltForm& form, uint32_t tile, const uint32_t* widths)
      : bounds(from + 4), planes(from + 4 + 2 * form.channels()), sums(widths), plane((form.tokens(tile) + 7) / 8) {}
  // step: what bounds of the channel count.
  KVC_BOTH KltGroup channel(uint32_t c, float step) const {
    const uint32_t before = c == 0 ? 0 : sums[c - 1];
    return KltGroup(bounds + 2 * c, planes + uint64_t{before} * plane, plane, sums[c] - before, step);
  }
};

// Keys of heads [head, head + heads) of a block, from coefficients y [channel][stride]: eight tokens from group * 8 on
// at a time. put: (head, token, channel, number).
template <class Block, class Put>
KVC_BODY void synthesize_keys(Block& block, const KltKeys& keys, const float* y, uint32_t stride, uint32_t groups,
                              uint32_t head_from, uint32_t heads, uint32_t first_token, Put&& put) {
  const uint32_t channels = keys.form.channels(), dim = keys.form.k_dim;
  const uint32_t units = (dim + 1) / 2, all_units = units * heads;
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < all_units * groups; n += block.threads()) {
      const uint32_t g = n / all_units, head = head_from + n % all_units / units, u = n % units;
      const KltPair pair(keys.form, u);
      const uint32_t l = head * dim + pair.left, r = pair.both ? head * dim + pair.right : l;
      float x[8], z[8];
      if (keys.mean != nullptr) {
        KVC_UNROLL
        for (uint32_t t = 0; t < 8; ++t) x[t] = keys.mean[l], z[t] = keys.mean[r];
        for (uint32_t j = 0; j < channels; ++j) {
          const float of_left = keys.synthesis[uint64_t{j} * channels + l],
                      of_right = keys.synthesis[uint64_t{j} * channels + r];
          const float* coefficient = y + j * stride + g * 8;
          KVC_UNROLL
          for (uint32_t t = 0; t < 8; ++t) {
            x[t] += coefficient[t] * of_left;
            z[t] += coefficient[t] * of_right;
          }
        }
      } else {
        KVC_UNROLL
        for (uint32_t t = 0; t < 8; ++t) x[t] = y[l * stride + g * 8 + t], z[t] = y[r * stride + g * 8 + t];
      }
      KVC_UNROLL
      for (uint32_t t = 0; t < 8; ++t) {
        const uint32_t token = first_token + g * 8 + t;
        pair.turn(keys, u, token, &x[t], &z[t]);
        put(head, token, pair.left, x[t]);
        if (pair.both) put(head, token, pair.right, z[t]);
      }
    }
  });
}

template <class Block>
KVC_BODY void decode_klt_keys(Block& block, const KltArgs& a, const unsigned char* table, const KltIndex& i,
                              const unsigned char* from) {
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t channels = form.channels(), tokens = form.tokens(i.tile), dim = form.k_dim, size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? page.exact : 0, steps = key_steps(form, page, i.layer, i.part);
  const auto to = [&](uint32_t head, uint32_t token) {
    return a.clear.row(page.clear, i.layer, 0, i.part * form.block_heads + head, i.tile * kKltTile + token);
  };
  if (steps == kKltRaw) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < form.block_heads * tokens * dim; n += block.threads()) {
        const uint32_t row = n / dim, token = row % tokens;
        if (token >= exact) {
          store_number(a.number, number_at(a.number, from + uint64_t{n} * size),
                       to(row / tokens, token) + n % dim * size);
        }
      }
    });
    return;
  }

  float* y = reinterpret_cast<float*>(block.shared());
  const uint32_t stride = a.chunk + kKltPad;
  uint32_t* counts = reinterpret_cast<uint32_t*>(y + channels * stride);
  const KltKeys keys(form, a.calibration, table, i.layer, i.part, i.tile);
  const KltCoefficients coded(
      from, form, i.tile,
      sum_bits(block, channels, counts, counts + channels, [&](uint32_t c) { return keys.width(page, steps, c); }));
  const float unit = float_of(bytes_at(from, 4));
  for (uint32_t begin = 0; begin < tokens; begin += a.chunk) {
    const uint32_t rest = tokens - begin, groups = ((rest < a.chunk ? rest : a.chunk) + 7) / 8;
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < channels * groups; n += block.threads()) {
        const uint32_t c = n / groups, g = n % groups;
        const float step = unit * (keys.deviation != nullptr ? keys.deviation[c] : 1.0f);
        coded.channel(c, step).eight(begin / 8 + g, y + c * stride + g * 8, 8);
      }
    });
    block.sync();
    synthesize_keys(block, keys, y, stride, groups, 0, form.block_heads, begin,
                    [&](uint32_t head, uint32_t token, uint32_t channel, float x) {
                      if (token < exact || token >= tokens) return;
                      store_number(a.number, x, to(head, token) + channel * size);
                    });
    block.sync();
  }
}

template <class Block>
KVC_BODY void decode_klt_values(Block& block, const KltArgs& a, const unsigned char* table, const KltIndex& i,
                                const unsigned char* from) {
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t head = i.part - form.blocks();
  const uint32_t tokens = form.tokens(i.tile), dim = form.v_dim, size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? page.exact : 0;
  const uint32_t width = value_width(form, a.calibration, page, i.layer, head);
  unsigned char* rows = a.clear.row(page.clear, i.layer, 1, head, i.tile * kKltTile);
  if (width == kKltRawBits) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = exact * dim + thread; n < tokens * dim; n += block.threads()) {
        store_number(a.number, number_at(a.number, from + uint64_t{n} * size),
                     rows + n / dim * a.clear.token + n % dim * size);
      }
    });
    return;
  }
  const float unit = float_of(bytes_at(from, 4));
  const uint32_t plane = (dim + 7) / 8;
  float* y = reinterpret_cast<float*>(block.shared());
  for (uint32_t first = exact / kLanes * kLanes; first < tokens; first += kLanes) {
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < kLanes * plane; n += block.threads()) {
        const uint32_t row = n / plane, byte = n % plane, t = first + row, room = dim - byte * 8;
        if (t < tokens) {
          const KltGroup group(from + 4 + 2 * t, from + 4 + 2 * tokens + uint64_t{t} * width * plane, plane, width,
                               unit);
          group.eight(byte, y + row * dim + byte * 8, room);
        } else {
          for (uint32_t d = 0; d < 8 && d < room; ++d) y[row * dim + byte * 8 + d] = 0;
        }
      }
    });
    block.sync();
    hadamard_rows(block, y, kLanes, dim, rotated_block(dim), a.norm);
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < kLanes * dim; n += block.threads()) {
        const uint32_t t = first + n / dim;
        if (t < exact || t >= tokens) continue;
        store_number(a.number, y[n], rows + t * a.clear.token + n % dim * size);
      }
    });
    block.sync();
  }
}

template <class Block>
KVC_BODY void decode_klt(Block& block, const KltArgs& a) {
  const KltIndex i(a.form, block.index());
  const unsigned char* table = a.tables + i.page * a.table_bytes;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t at = *reinterpret_cast<const uint32_t*>(table + a.form.tile_at(i.layer, i.part, i.tile));
  const unsigned char* from = reinterpret_cast<const unsigned char*>(page.coded) + at;
  const bool keys = i.part < a.form.blocks();
  if (i.tile == 0 && page.exact > 0) {
    const uint32_t head = keys ? i.part * a.form.block_heads : i.part - a.form.blocks();
    for (uint32_t h = 0; h < (keys ? a.form.block_heads : 1); ++h)
      copy_exact(block, a, page, i, keys ? 0 : 1, head + h);
  }
  if (keys) {
    decode_klt_keys(block, a, table, i, from);
  } else {
    decode_klt_values(block, a, table, i, from);
  }
}

}  // namespace kvc_cuda
