// Pages in the clear to pages of the codecs int8, int4 and mixed: a block for each tile. The same bytes as the codec of
// the library writes.
#pragma once

#include "kernels/coded.h"

namespace kvc_cuda {

// x * H * factor in place, rows of `channels` floats at `rows`, by blocks of `span`. All threads of the block; begins
// and ends synchronised.
template <class Block>
KVC_BODY void hadamard_rows(Block& block, float* rows, uint32_t n_rows, uint32_t channels, uint32_t span,
                            float factor) {
  block.each([&](uint32_t thread) {
    for (uint32_t i = thread; i < n_rows * channels; i += block.threads()) rows[i] *= factor;
  });
  block.sync();
  for (uint32_t h = 1; h < span; h *= 2) {
    block.each([&](uint32_t thread) {
      for (uint32_t i = thread; i < n_rows * channels / 2; i += block.threads()) {
        const uint32_t at = i / h * 2 * h + i % h;
        const float a = rows[at], b = rows[at + h];
        rows[at] = a + b;
        rows[at + h] = a - b;
      }
    });
    block.sync();
  }
}

// What a range becomes: quantize.cpp, make_grid.
struct Grid {
  uint16_t zero16, scale16;
  float zero, inverse;
  KVC_BOTH Grid(float lo, float hi, uint32_t levels) {
    float low = lo + 0.0f;
    low = low - float_of(bits_of(low) & 0x7fffffffu) * 0x1p-11f;
    zero16 = f16_of_f32(low);
    zero = f32_of_f16(zero16);
    const float range = larger((hi + 0.0f - zero) + 0.0f, 0.0f);
    scale16 = f16_of_f32(range / static_cast<float>(levels) * (1.0f + 0x1p-10f));
    const float scale = f32_of_f16(scale16);
    inverse = scale == 0.0f ? 0.0f : 1.0f / scale;
  }
  KVC_BOTH uint32_t code(float x, float last) const {
    float on_grid = (x - zero) * inverse;
    on_grid = smaller(larger(on_grid, 0.0f), last);
    return (bits_of(on_grid + 12582912.0f) - 0x4b400000u) & 0xffu;
  }
};

// quantize.cpp, tile_unit: a power of two; all subnormal magnitudes give the smallest.
KVC_BOTH float unit_of(float largest) {
  if (largest == 0.0f) return 1.0f;
  int32_t exponent = static_cast<int32_t>(bits_of(largest) >> 23) - 126 - 8;
  if (exponent < -120) exponent = -120;
  return float_of(static_cast<uint32_t>(exponent + 127) << 23);
}

template <class Block>
KVC_BODY void zero_bytes(Block& block, unsigned char* to, uint64_t from, uint64_t end) {
  block.each([&](uint32_t thread) {
    for (uint64_t i = from + thread; i < end; i += block.threads()) to[i] = 0;
  });
}

template <class Block>
KVC_BODY void encode_key_tile(Block& block, const CodeArgs& a, uint32_t tokens, uint32_t exact, float unit,
                              const unsigned char* rows, int64_t stride, const CodedLayout& at, unsigned char* out) {
  const uint32_t dim = a.dim[0], bits = a.bits[0], pack = 8 / bits, channels = key_channels(dim, bits);
  const uint32_t groups = channels / (2 * pack), levels = (1u << bits) - 1, size = bytes_of(a.number);
  const float inverse_unit = 1.0f / unit, last = static_cast<float>(levels);
  uint16_t* scales = reinterpret_cast<uint16_t*>(out);
  uint16_t* zeros = reinterpret_cast<uint16_t*>(out + at.scale_bytes(0, tokens));
  unsigned char* codes = out + 2 * at.scale_bytes(0, tokens);
  const auto number = [&](uint32_t token, uint32_t channel) {
    if (token < exact || token >= tokens || channel >= dim) return 0.0f;
    return load_number(a.number, rows + token * stride + channel * size);
  };
  block.each([&](uint32_t thread) {
    // Codes that share a byte: those of one token and parity in `pack` channel pairs.
    for (uint32_t item = thread; item < groups * 2; item += block.threads()) {
      const uint32_t group = item / 2, parity = item % 2;
      for (uint32_t u = 0; u < pack; ++u) {
        const uint32_t channel = (group * pack + u) * 2 + parity;
        float lo = 0, hi = 0;
        if (exact < tokens) lo = hi = number(exact, channel);
        for (uint32_t t = exact + 1; t < tokens; ++t) {
          const float x = number(t, channel);
          lo = smaller(lo, x);
          hi = larger(hi, x);
        }
        const Grid grid(lo * inverse_unit, hi * inverse_unit, levels);
        scales[channel] = grid.scale16;
        zeros[channel] = grid.zero16;
        for (uint32_t t = 0; t < up_to(tokens, kLanes); ++t) {
          const uint32_t code = grid.code(number(t, channel) * inverse_unit, last) << (bits * u);
          unsigned char* byte = codes + (uint64_t{t / kLanes} * groups + group) * kUnit + t % kLanes * 2 + parity;
          *byte = static_cast<unsigned char>(u == 0 ? code : *byte | code);
        }
      }
    }
  });
  zero_bytes(block, out, channels * 2, at.scale_bytes(0, tokens));
  zero_bytes(block, out + at.scale_bytes(0, tokens), channels * 2, at.scale_bytes(0, tokens));
}

template <class Block>
KVC_BODY void encode_value_tile(Block& block, const CodeArgs& a, uint32_t tokens, uint32_t exact, float unit,
                                const unsigned char* rows, int64_t stride, const CodedLayout& at, unsigned char* out) {
  const uint32_t dim = a.dim[1], bits = a.bits[1], pack = 8 / bits, channels = value_channels(dim);
  const uint32_t levels = (1u << bits) - 1, size = bytes_of(a.number), padded = up_to(tokens, kLanes);
  const float last = static_cast<float>(levels);
  uint16_t* scales = reinterpret_cast<uint16_t*>(out);
  uint16_t* zeros = reinterpret_cast<uint16_t*>(out + at.scale_bytes(1, tokens));
  unsigned char* codes = out + 2 * at.scale_bytes(1, tokens);
  // Shared memory: 16 rows, then their ranges in parts of a row, then their grids.
  float* y = reinterpret_cast<float*>(block.shared());
  const uint32_t parts = block.threads() / kLanes;
  float* low = y + kLanes * channels;
  float* high = low + block.threads();
  float* zero = high + block.threads();
  float* inverse = zero + kLanes;
  for (uint32_t first = 0; first < padded; first += kLanes) {
    block.each([&](uint32_t thread) {
      for (uint32_t i = thread; i < kLanes * channels; i += block.threads()) {
        const uint32_t t = first + i / channels, d = i % channels;
        y[i] = t < exact || t >= tokens || d >= dim ? 0.0f : load_number(a.number, rows + t * stride + d * size);
      }
    });
    block.sync();
    hadamard_rows(block, y, kLanes, channels, rotated_block(dim), a.norm * (1.0f / unit));
    block.each([&](uint32_t thread) {
      if (thread >= parts * kLanes) return;
      const float* row = y + thread / parts * channels;
      uint32_t d = thread % parts;
      float lo = d < dim ? row[d] : row[0], hi = lo;
      for (; d < dim; d += parts) {
        lo = smaller(lo, row[d]);
        hi = larger(hi, row[d]);
      }
      low[thread] = lo, high[thread] = hi;
    });
    block.sync();
    block.each([&](uint32_t thread) {
      if (thread >= kLanes) return;
      float lo = low[thread * parts], hi = high[thread * parts];
      for (uint32_t i = 1; i < parts; ++i) {
        lo = smaller(lo, low[thread * parts + i]);
        hi = larger(hi, high[thread * parts + i]);
      }
      const uint32_t t = first + thread;
      if (t < exact || t >= tokens) lo = hi = 0;
      const Grid grid(lo, hi, levels);
      scales[t] = grid.scale16;
      zeros[t] = grid.zero16;
      zero[thread] = grid.zero, inverse[thread] = grid.inverse;
    });
    block.sync();
    const uint32_t blocks = channels / kLanes, groups = kLanes / (2 * pack);
    block.each([&](uint32_t thread) {
      for (uint32_t i = thread; i < groups * blocks * kUnit; i += block.threads()) {
        const uint32_t group = i / (blocks * kUnit), rest = i % (blocks * kUnit);
        const uint32_t channel = rest / kUnit * kLanes + rest % kUnit / 2;
        uint32_t byte = 0;
        for (uint32_t u = 0; u < pack; ++u) {
          const uint32_t t = (group * pack + u) * 2 + rest % 2;
          float on_grid = (y[t * channels + channel] - zero[t]) * inverse[t];
          on_grid = smaller(larger(on_grid, 0.0f), last);
          byte |= ((bits_of(on_grid + 12582912.0f) - 0x4b400000u) & 0xffu) << (bits * u);
        }
        codes[uint64_t{first / (2 * pack)} * blocks * kUnit + i] = static_cast<unsigned char>(byte);
      }
    });
    block.sync();
  }
  zero_bytes(block, out, padded * 2, at.scale_bytes(1, tokens));
  zero_bytes(block, out + at.scale_bytes(1, tokens), padded * 2, at.scale_bytes(1, tokens));
}

template <class Block>
KVC_BODY void encode_pages(Block& block, const CodeArgs& a) {
  const CodedLayout at(a);
  const TileIndex i(a, at.tiles(), block.index());
  const uint32_t tokens = at.tokens(i.tile), dim = a.dim_of(i.plane), size = bytes_of(a.number);
  const uint32_t exact = i.tile == 0 ? a.exact : 0;
  const uint32_t plane = static_cast<uint32_t>(i.plane);
  const int64_t from_page = a.clear_pages != nullptr ? int64_t{a.clear_pages[i.page]} : int64_t{i.page};
  const unsigned char* head = a.clear.row(from_page, i.layer, plane, i.head, 0);
  const unsigned char* rows = head + a.clear.token * (i.tile * kTile);
  unsigned char* out = reinterpret_cast<unsigned char*>(a.coded_pages[i.page]);
  unsigned char* to = out + at.tile_at(i.layer, i.plane, i.head, i.tile);

  // The largest magnitude, as its bits: every thread its own, then one thread all of them.
  uint32_t* most = reinterpret_cast<uint32_t*>(block.shared());
  block.each([&](uint32_t thread) {
    uint32_t own = 0;
    for (uint32_t n = exact * dim + thread; n < tokens * dim; n += block.threads()) {
      const uint32_t bits =
          bits_of(load_number(a.number, rows + n / dim * a.clear.token + n % dim * size)) & 0x7fffffffu;
      own = bits > own ? bits : own;
    }
    most[thread] = own;
  });
  block.sync();
  block.each([&](uint32_t thread) {
    if (thread != 0) return;
    for (uint32_t n = 1; n < block.threads(); ++n) most[0] = most[n] > most[0] ? most[n] : most[0];
    if (most[0] >= 0x7f800000u) {
      a.failed[i.page] = 1;
      most[0] = 0;
    }
    *reinterpret_cast<float*>(out + at.unit_at(i.layer, i.plane, i.head, i.tile)) = unit_of(float_of(most[0]));
  });
  block.sync();
  const float unit = unit_of(float_of(most[0]));
  block.sync();

  if (i.plane == 0) {
    encode_key_tile(block, a, tokens, exact, unit, rows, a.clear.token, at, to);
  } else {
    encode_value_tile(block, a, tokens, exact, unit, rows, a.clear.token, at, to);
  }
  zero_bytes(block, to + 2 * at.scale_bytes(i.plane, tokens), at.code_bytes(i.plane, tokens),
             line_up(at.code_bytes(i.plane, tokens)));
  if (exact > 0) {
    unsigned char* rows_to = out + at.exact_at(i.layer, i.plane, i.head);
    const uint32_t row = static_cast<uint32_t>(at.row_bytes(i.plane));
    block.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < exact * row; n += block.threads()) {
        rows_to[n] = head[n / row * a.clear.token + n % row];
      }
    });
  }
  // What belongs to the page as a whole is the first block's.
  if (i.layer == 0 && i.plane == 0 && i.head == 0 && i.tile == 0) {
    zero_bytes(block, out, 16, kHeader);
    zero_bytes(block, out, at.units_end(), at.tiles_at());
    zero_bytes(block, out, at.exact_end(), at.total());
    block.each([&](uint32_t thread) {
      if (thread != 0) return;
      uint32_t* header = reinterpret_cast<uint32_t*>(out);
      header[0] = kHeaderMagic;
      header[1] = a.codec | a.bits[0] << 8 | a.bits[1] << 16;
      header[2] = a.exact;
      header[3] = a.page_tokens;
    });
  }
}

}  // namespace kvc_cuda
