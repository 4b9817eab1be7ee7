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
    // A bit of every plane goes to the code of its number.
    uint32_t codes[8] = {};
    for (uint32_t bit = 0; bit < width; ++bit) {
      const uint32_t bits = planes[bit * plane + byte];
      KVC_UNROLL
      for (uint32_t i = 0; i < 8; ++i) codes[i] |= (bits >> i & 1u) << bit;
    }
    KVC_UNROLL
    for (uint32_t i = 0; i < 8; ++i) {
      if (i < n) out[i] = width == 0 ? low : low + scale * static_cast<float>(codes[i]);
    }
  }
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

// Where the page has rows of a head as they came.
KVC_BOTH unsigned char* exact_rows(const KltArgs& a, const KltPage& page, const KltIndex& i, uint32_t plane,
                                   uint32_t head) {
  const uint32_t size = bytes_of(a.number);
  const uint64_t each_k = uint64_t{page.exact} * a.form.k_dim * size, each_v = uint64_t{page.exact} * a.form.v_dim * size;
  return reinterpret_cast<unsigned char*>(page.coded) + page.exact_at + i.layer * a.form.n_heads * (each_k + each_v) +
         (plane == 0 ? 0 : a.form.n_heads * each_k) + head * (plane == 0 ? each_k : each_v);
}

template <class Block>
KVC_BODY void copy_exact(Block& block, const KltArgs& a, const KltPage& page, const KltIndex& i, uint32_t plane,
                         uint32_t head) {
  const uint32_t row = (plane == 0 ? a.form.k_dim : a.form.v_dim) * bytes_of(a.number);
  const unsigned char* from = exact_rows(a, page, i, plane, head);
  unsigned char* to = a.clear.row(page.clear, i.layer, plane, head, 0);
  block.each([&](uint32_t thread) {
    for (uint32_t n = thread; n < page.exact * row; n += block.threads())
      to[n / row * a.clear.token + n % row] = from[n];
  });
}

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

template <class Block>
KVC_BODY void decode_klt_keys(Block& block, const KltArgs& a, const unsigned char* table, const KltIndex& i,
                              const unsigned char* from) {
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t channels = form.channels(), tokens = form.tokens(i.tile), dim = form.k_dim, size = bytes_of(a.number);
  const uint32_t index = i.layer * form.blocks() + i.part, exact = i.tile == 0 ? page.exact : 0;
  const unsigned char* levels = reinterpret_cast<const unsigned char*>(page.coded) + kKltHeader;
  const uint32_t steps = page.levels != 0 ? bytes_at(levels + 2 * index, 2) : 0;
  const auto to = [&](uint32_t head, uint32_t token) {
    return a.clear.row(page.clear, i.layer, 0, i.part * form.block_heads + head, i.tile * kKltTile + token);
  };
  if (page.levels != 0 && steps == kKltRaw) {
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
  uint32_t* const words = reinterpret_cast<uint32_t*>(y + channels * stride);
  const uint64_t first = uint64_t{index} * channels;
  const uint32_t* sums = sum_bits(block, channels, words, words + channels, [&](uint32_t c) {
    if (a.calibration == nullptr) return page.key_bits;
    if (page.levels == 0) return uint32_t{a.calibration[form.key_bits_at() + first + c]};
    const uint16_t* ranks =
        reinterpret_cast<const uint16_t*>(a.calibration + form.ranks_at()) + (first + c) * kKltMaxBits;
    uint32_t width = 0;
    for (uint32_t bit = 0; bit < kKltMaxBits; ++bit) width += ranks[bit] <= steps ? 1 : 0;
    return width;
  });

  const float unit = float_of(bytes_at(from, 4));
  const uint32_t plane = (tokens + 7) / 8;
  const unsigned char* planes = from + 4 + 2 * channels;
  const bool calibrated = a.calibration != nullptr;
  const float* mean = calibrated ? reinterpret_cast<const float*>(a.calibration) + first : nullptr;
  const float* synthesis =
      calibrated ? reinterpret_cast<const float*>(a.calibration + form.synthesis_at()) + first * channels : nullptr;
  const float* deviation =
      calibrated ? reinterpret_cast<const float*>(a.calibration + form.deviation_at()) + first : nullptr;
  const float* turns = reinterpret_cast<const float*>(table + form.turns_at()) + uint64_t{i.tile} * form.pairs * 2;
  const float* token_steps = calibrated ? reinterpret_cast<const float*>(a.calibration + form.steps_at()) : nullptr;
  const uint32_t units = (dim + 1) / 2, all_units = units * form.block_heads;
  for (uint32_t begin = 0; begin < tokens; begin += a.chunk) {
    const uint32_t rest = tokens - begin, groups = ((rest < a.chunk ? rest : a.chunk) + 7) / 8;
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < channels * groups; n += block.threads()) {
        const uint32_t c = n / groups, g = n % groups, before = c == 0 ? 0 : sums[c - 1];
        const float step = unit * (calibrated ? deviation[c] : 1.0f);
        const KltGroup group(from + 4 + 2 * c, planes + uint64_t{before} * plane, plane, sums[c] - before, step);
        group.eight(begin / 8 + g, y + c * stride + g * 8, 8);
      }
    });
    block.sync();
    block.each([&](uint32_t thread) {
      // Two numbers of a key that turn together, of eight tokens.
      for (uint32_t n = thread; n < all_units * groups; n += block.threads()) {
        const uint32_t g = n / all_units, head = n % all_units / units, u = n % units;
        const bool turned = u < form.pairs;
        const bool apart = turned && form.interleaved == 0;
        const uint32_t left = apart ? u : 2 * u, right = apart ? u + form.pairs : 2 * u + 1;
        const bool both = right < dim;
        const uint32_t l = head * dim + left, r = both ? head * dim + right : l;
        float x[8], z[8];
        if (calibrated) {
          KVC_UNROLL
          for (uint32_t t = 0; t < 8; ++t) x[t] = mean[l], z[t] = mean[r];
          for (uint32_t j = 0; j < channels; ++j) {
            const float of_left = synthesis[uint64_t{j} * channels + l],
                        of_right = synthesis[uint64_t{j} * channels + r];
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
        const float* turn = turned ? turns + 2 * u : nullptr;
        const float* steps_of = turned ? token_steps + uint64_t{u} * 2 * kKltTile : nullptr;
        KVC_UNROLL
        for (uint32_t t = 0; t < 8; ++t) {
          const uint32_t token = begin + g * 8 + t;
          if (token < exact || token >= tokens) continue;
          float one = x[t], two = z[t];
          if (turned) {
            const float ct = steps_of[token], st = steps_of[kKltTile + token];
            const float c = turn[0] * ct - turn[1] * st, s = turn[1] * ct + turn[0] * st;
            one = x[t] * c - z[t] * s;
            two = x[t] * s + z[t] * c;
          }
          unsigned char* row = to(head, token);
          store_number(a.number, one, row + left * size);
          if (both) store_number(a.number, two, row + right * size);
        }
      }
    });
    block.sync();
  }
}

template <class Block>
KVC_BODY void decode_klt_values(Block& block, const KltArgs& a, const unsigned char* table, const KltIndex& i,
                                const unsigned char* from) {
  const KltForm& form = a.form;
  const KltPage& page = *reinterpret_cast<const KltPage*>(table);
  const uint32_t head = i.part - form.blocks(), index = i.layer * form.n_heads + head;
  const uint32_t tokens = form.tokens(i.tile), dim = form.v_dim, size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? page.exact : 0;
  uint32_t width = page.value_bits;
  if (a.calibration != nullptr) width = a.calibration[form.value_bits_at() + index];
  if (page.levels != 0) {
    const unsigned char* levels = reinterpret_cast<const unsigned char*>(page.coded) + kKltHeader;
    width = levels[2 * form.n_layers * form.blocks() + index];
  }
  unsigned char* rows = a.clear.row(page.clear, i.layer, 1, head, i.tile * kKltTile);
  if (page.levels != 0 && width == kKltRawBits) {
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
