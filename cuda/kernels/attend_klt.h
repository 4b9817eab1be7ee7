// Attention of one query token a sequence over pages of the codecs klt, lowrank and auto, from their codes: the same
// splits and partial results as attend_pages, of which merge_splits makes one result.
//
// A block decodes a chunk of a tile into shared memory at a time, nothing goes to device memory. Values stay as they
// are coded, and their sum is turned back once. Where keys do not turn with their positions the queries are brought
// into their basis, once; where they do, keys are made of the coefficients, which all query heads of a K/V head share.
// Those products are most of the work: the second kernel does them by tensor cores (mma.sync m16n8k16), with
// coefficients and basis in f16, of which the basis stays in registers. It differs from the first by at most 2^-10 of
// the largest value.
#pragma once

#include <type_traits>

#include "kernels/attend_mma.h"
#include "kernels/klt.h"

namespace kvc_cuda {

// Pages of AttendArgs are addresses of their tables (KltPage); there are none in the clear.
struct KltAttendArgs {
  AttendArgs attend;
  KltForm form;
  const unsigned char* calibration = nullptr;  // device memory (KltForm); nullptr: none
  uint32_t chunk = 0;                          // tokens at a time: klt_attend_chunk; by tensor cores 32
};
static_assert(kKltGroup == kAttendGroup);

// Of products by tensor cores: the largest head and number of channels that share a basis.
inline constexpr uint32_t kKltMmaDim = 128;
inline constexpr uint32_t kKltMmaTokens = 32;  // of a chunk,
inline constexpr uint32_t kKltMmaOnce = 16;    // of which so many in registers
inline constexpr uint32_t kKltMmaStride = 40;  // words between channels: threads that load together use all banks
static_assert(kKltMmaStride == kKltMmaTokens + 8 && kKltMmaDim / 4 * 4 == kAttendThreads);

// Tokens [low, high) from `base` of a tile of a page on: all exact, or all coded.
struct KltChunk {
  const unsigned char* table;
  uint32_t tile, base, low, high;
  bool exact;
  KVC_BOTH KltChunk(const KltAttendArgs& a, uint32_t sequence, uint32_t position, uint32_t end) {
    const uint32_t page_tokens = a.form.page_tokens, page = position / page_tokens, within = position % page_tokens;
    table =
        reinterpret_cast<const unsigned char*>(a.attend.coded_pages[uint64_t{sequence} * a.attend.coded_stride + page]);
    tile = within / kKltTile;
    const uint32_t first = within % kKltTile;
    const uint32_t kept = tile == 0 ? reinterpret_cast<const KltPage*>(table)->exact : 0;
    base = first / a.chunk * a.chunk;
    low = first - base;
    uint32_t stop = base + a.chunk < a.form.tokens(tile) ? base + a.chunk : a.form.tokens(tile);
    exact = first < kept;
    if (exact && stop > kept) stop = kept;
    if (stop - first > end - position) stop = first + (end - position);
    high = stop - base;
  }
};

// What a thread of the second kernel keeps: its part of the basis, and of a chunk's keys.
struct KltMmaState {
  uint32_t a[kKltMmaDim / 16][2][4];
  float c[2][kKltMmaOnce / 8][4];
  uint32_t b[kKltMmaOnce / 8][2];
};

template <class Block, bool kMma>
class KltAttention {
 public:
  KVC_BODY KltAttention(Block& block, const KltAttendArgs& a)
      : block_(block),
        a_(a),
        form_(a.form),
        i_(a.attend, block.index()),
        room_(a.form, a.calibration != nullptr, a.chunk),
        part_(i_.head / a.form.block_heads),
        head_in_block_(i_.head % a.form.block_heads),
        query_(reinterpret_cast<float*>(block.shared())),
        rows_(query_ + room_.rows),
        split_(block, a.attend, i_, a.chunk, query_ + room_.split),
        state_(block) {
    sums_ = reinterpret_cast<uint32_t*>(query_ + room_.counts);
  }

  KVC_BODY void run() {
    split_.load_query(query_);
    const bool in_basis = form_.pairs == 0, turned = in_basis && a_.calibration != nullptr;
    if (turned) turn_queries();
    if constexpr (kMma) load_basis();
    for (uint32_t position = split_.from(); position < split_.end();) {
      const KltChunk c(a_, i_.sequence, position, split_.end());
      const bool coded = load_keys(c);
      block_.sync();
      const bool there = coded && turned;
      const float* turned_query = query_ + room_.turned;
      split_.score(there ? turned_query : query_, there ? form_.channels() : form_.k_dim,
                   there ? turned_query + kAttendGroup * form_.channels() : nullptr, rows_, room_.stride, c.low, c.high);
      const bool rotated = load_values(c);
      split_.weigh(c.low, c.high);
      block_.sync();
      split_.add(rows_, room_.stride, c.low, c.high, rotated);
      position += c.high - c.low;
    }
    split_.store(rows_, true);
  }

 private:
  static constexpr uint32_t kParts = (kMma ? kKltMmaDim : kAttendDim) / kAttendThreads;

  // Rows in the clear, one after the other wherever they lie.
  KVC_BODY void load_rows(const unsigned char* from, uint32_t dim, uint32_t low, uint32_t high) {
    const Number number = a_.attend.page.number;
    const uint32_t size = bytes_of(number), stride = room_.stride;
    block_.each([&](uint32_t thread) {
      for (uint32_t n = low * dim + thread; n < high * dim; n += block_.threads())
        rows_[n / dim * stride + n % dim] = number_at(number, from + uint64_t{n} * size);
    });
  }
  KVC_BODY const unsigned char* tile_at(const KltChunk& c, uint32_t part) const {
    const uint32_t at = *reinterpret_cast<const uint32_t*>(c.table + form_.tile_at(a_.attend.layer, part, c.tile));
    return reinterpret_cast<const unsigned char*>(page_of(c).coded) + at;
  }
  KVC_BODY static const KltPage& page_of(const KltChunk& c) { return *reinterpret_cast<const KltPage*>(c.table); }
  // Of a chunk, in eights of tokens.
  KVC_BODY uint32_t groups_of(const KltChunk& c) const {
    const uint32_t rest = form_.tokens(c.tile) - c.base;
    return ((rest < a_.chunk ? rest : a_.chunk) + 7) / 8;
  }

  // Keys, or their coefficients where the queries are in their basis, to rows. Whether they were coded.
  KVC_BODY bool load_keys(const KltChunk& c) {
    const KltPage& page = page_of(c);
    const Number number = a_.attend.page.number;
    const uint32_t layer = a_.attend.layer, dim = form_.k_dim, size = bytes_of(number);
    if (c.exact) {
      load_rows(exact_rows(form_, number, page, layer, 0, i_.head) + uint64_t{c.base} * dim * size, dim, c.low, c.high);
      return false;
    }
    const unsigned char* from = tile_at(c, part_);
    const uint32_t steps = key_steps(form_, page, layer, part_);
    if (steps == kKltRaw) {
      const uint64_t rows_before = uint64_t{head_in_block_} * form_.tokens(c.tile) + c.base;
      load_rows(from + rows_before * dim * size, dim, c.low, c.high);
      return false;
    }
    const KltKeys keys(form_, a_.calibration, c.table, layer, part_, c.tile);
    // Of pages with a calibration and no levels of their own, or with the same, they are the same.
    if (!summed_ || steps != steps_ || a_.calibration == nullptr) {
      uint32_t* counts = reinterpret_cast<uint32_t*>(query_ + room_.counts);
      sums_ = sum_bits(block_, form_.channels(), counts, counts + form_.channels(),
                       [&](uint32_t channel) { return keys.width(page, steps, channel); });
      summed_ = true, steps_ = steps;
    }
    const KltCoefficients coded(from, form_, c.tile, sums_);
    const float unit = float_of(bytes_at(from, 4));
    if constexpr (kMma) {
      keys_by_mma(c, keys, coded, unit);
      return true;
    }
    const uint32_t channels = form_.channels(), groups = groups_of(c), stride = room_.stride;
    float* y = query_ + room_.coefficients;
    const bool in_basis = form_.pairs == 0;
    block_.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < channels * groups; n += block_.threads()) {
        const uint32_t channel = n / groups, g = n % groups;
        const float step = unit * (keys.deviation != nullptr ? keys.deviation[channel] : 1.0f);
        const KltGroup group = coded.channel(channel, step);
        if (in_basis) {
          float eight[8];
          group.eight(c.base / 8 + g, eight, 8);
          KVC_UNROLL for (uint32_t t = 0; t < 8; ++t) rows_[(g * 8 + t) * stride + channel] = eight[t];
        } else {
          group.eight(c.base / 8 + g, y + channel * (a_.chunk + kKltPad) + g * 8, 8);
        }
      }
    });
    if (in_basis) return true;
    block_.sync();
    synthesize_keys(block_, keys, y, a_.chunk + kKltPad, groups, head_in_block_, 1, c.base,
                    [&](uint32_t, uint32_t token, uint32_t channel, float x) {
                      rows_[(token - c.base) * stride + channel] = x;
                    });
    return true;
  }

  // Rows of values; whether they are still rotated.
  KVC_BODY bool load_values(const KltChunk& c) {
    const KltPage& page = page_of(c);
    const Number number = a_.attend.page.number;
    const uint32_t layer = a_.attend.layer, dim = form_.v_dim, size = bytes_of(number);
    if (c.exact) {
      load_rows(exact_rows(form_, number, page, layer, 1, i_.head) + uint64_t{c.base} * dim * size, dim, c.low, c.high);
      return false;
    }
    const unsigned char* from = tile_at(c, form_.blocks() + i_.head);
    const uint32_t width = value_width(form_, a_.calibration, page, layer, i_.head);
    if (width == kKltRawBits) {
      load_rows(from + uint64_t{c.base} * dim * size, dim, c.low, c.high);
      return false;
    }
    const float unit = float_of(bytes_at(from, 4));
    const uint32_t plane = (dim + 7) / 8, tokens = form_.tokens(c.tile), stride = room_.stride;
    block_.each([&](uint32_t thread) {
      for (uint32_t n = c.low * plane + thread; n < c.high * plane; n += block_.threads()) {
        const uint32_t row = n / plane, byte = n % plane, t = c.base + row;
        const KltGroup group(from + 4 + 2 * t, from + 4 + 2 * tokens + uint64_t{t} * width * plane, plane, width, unit);
        group.eight(byte, rows_ + row * stride + byte * 8, dim - byte * 8);
      }
    });
    return true;
  }

  // The queries' products with the vectors of the basis, and with the mean.
  KVC_BODY void turn_queries() {
    const uint32_t channels = form_.channels(), dim = form_.k_dim;
    const uint64_t first = (uint64_t{a_.attend.layer} * form_.blocks() + part_) * channels;
    const float* mean = reinterpret_cast<const float*>(a_.calibration) + first + head_in_block_ * dim;
    const float* synthesis = reinterpret_cast<const float*>(a_.calibration + form_.synthesis_at()) + first * channels +
                             head_in_block_ * dim;
    float* to = query_ + room_.turned;
    const uint32_t columns = split_.columns();
    block_.each([&](uint32_t thread) {
      for (uint32_t n = thread; n < columns * (channels + 1); n += block_.threads()) {
        const uint32_t column = n / (channels + 1), c = n % (channels + 1);
        const float* with = c < channels ? synthesis + uint64_t{c} * channels : mean;
        float sum = 0.0f;
        for (uint32_t d = 0; d < dim; ++d) sum = sum + query_[column * dim + d] * with[d];
        to[c < channels ? column * channels + c : kAttendGroup * channels + column] = sum;
      }
    });
    block_.sync();
  }

  // Which pair of a key a thread's numbers in row e / 2 of its warp's products are.
  KVC_BODY static uint32_t unit_of(uint32_t thread, uint32_t e) {
    return thread / 32 * 16 + thread % 32 / 4 + e / 2 * 8;
  }

  // The basis as the left sides of products, [pair's left or right number][channel], in f16: each vector times the
  // deviation of its channel, so that coefficients are counts of steps, and all times a power of two.
  KVC_BODY void load_basis() {
    const uint32_t channels = form_.channels(), dim = form_.k_dim;
    const uint64_t first = (uint64_t{a_.attend.layer} * form_.blocks() + part_) * channels;
    const float* synthesis = reinterpret_cast<const float*>(a_.calibration + form_.synthesis_at()) + first * channels +
                             head_in_block_ * dim;
    const float* deviation = reinterpret_cast<const float*>(a_.calibration + form_.deviation_at()) + first;
    float* most = rows_;
    block_.each([&](uint32_t thread) {
      float own = 0.0f;
      for (uint32_t n = thread; n < channels * dim; n += block_.threads()) {
        const uint32_t c = n / dim;
        own = larger(own, float_of(bits_of(synthesis[uint64_t{c} * channels + n % dim] * deviation[c]) & 0x7fffffffu));
      }
      most[thread] = own;
    });
    block_.sync();
    float largest = 0.0f;
    for (uint32_t n = 0; n < kAttendThreads; ++n) largest = larger(largest, most[n]);
    // The largest number is brought to 2^13, where its products with 128 steps and more are far from overflow.
    const uint32_t exponent = bits_of(largest) >> 23 & 255u;
    const bool plain = exponent < 14 || exponent >= 253;
    const float by = plain ? 1.0f : float_of((267u - exponent) << 23);
    undo_ = plain ? 1.0f : float_of((exponent - 13u) << 23);
    // Sixteen channels at a time, by way of shared memory: [two channels][number of a key].
    uint32_t* words = reinterpret_cast<uint32_t*>(rows_);
    const uint32_t stride = room_.stride;
    KVC_UNROLL for (uint32_t k = 0; k < kKltMmaDim / 16; ++k) {
      if (k * 16 >= channels) continue;
      block_.sync();
      block_.each([&](uint32_t thread) {
        KVC_NO_UNROLL for (uint32_t n = thread; n < 8 * dim; n += block_.threads()) {
          const uint32_t c = k * 16 + n / dim * 2, d = n % dim;
          words[n / dim * stride + d] = pack_pair(false, synthesis[uint64_t{c} * channels + d] * deviation[c] * by,
                                                  synthesis[uint64_t{c + 1} * channels + d] * deviation[c + 1] * by);
        }
      });
      block_.sync();
      block_.each([&](uint32_t thread) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) {
          const uint32_t unit = unit_of(thread, e % 2 * 2);
          const bool there = 2 * unit < dim;
          const KltPair pair(form_, unit);
          const uint32_t* from = words + (thread % 4 + e / 2 * 4) * stride;
          state_[thread].a[k][0][e] = there ? from[pair.left] : 0;
          state_[thread].a[k][1][e] = there ? from[pair.right] : 0;
        }
      });
    }
    block_.sync();
  }

  // Keys of a chunk to rows.
  KVC_BODY void keys_by_mma(const KltChunk& c, const KltKeys& keys, const KltCoefficients& coded, float unit) {
    const uint32_t channels = form_.channels(), groups = groups_of(c);
    uint32_t* words = reinterpret_cast<uint32_t*>(query_ + room_.coefficients);
    block_.each([&](uint32_t thread) {
      // Two channels side by side are a word: the right side of a product has them so.
      for (uint32_t n = thread; n < channels / 2 * groups; n += block_.threads()) {
        const uint32_t pair = n / groups, g = n % groups;
        float even[8], odd[8];
        coded.channel(2 * pair, 1.0f).eight(c.base / 8 + g, even, 8);
        coded.channel(2 * pair + 1, 1.0f).eight(c.base / 8 + g, odd, 8);
        uint32_t* to = words + pair * kKltMmaStride + g * 8;
        KVC_UNROLL for (uint32_t t = 0; t < 8; ++t) to[t] = pack_pair(false, even[t], odd[t]);
      }
    });
    block_.sync();
    KVC_NO_UNROLL for (uint32_t first = 0; first < c.high; first += kKltMmaOnce) keys_at_once(c, keys, words, first, unit * undo_);
  }

  // Tokens [first, first + kKltMmaOnce) of them.
  KVC_BODY void keys_at_once(const KltChunk& c, const KltKeys& keys, const uint32_t* words, uint32_t first, float by) {
    const uint32_t channels = form_.channels(), stride = room_.stride;
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t m = 0; m < 2; ++m) {
        KVC_UNROLL for (uint32_t n = 0; n < kKltMmaOnce / 8; ++n) {
          KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) state_[thread].c[m][n][e] = 0.0f;
        }
      }
    });
    KVC_UNROLL for (uint32_t k = 0; k < kKltMmaDim / 16; ++k) {
      if (k * 16 >= channels) continue;
      block_.each([&](uint32_t thread) {
        const uint32_t* from = words + (k * 8 + thread % 4) * kKltMmaStride + first + thread % 32 / 4;
        KVC_UNROLL for (uint32_t n = 0; n < kKltMmaOnce / 8; ++n) {
          state_[thread].b[n][0] = from[n * 8];
          state_[thread].b[n][1] = from[4 * kKltMmaStride + n * 8];
        }
      });
      KVC_UNROLL for (uint32_t m = 0; m < 2; ++m) {
        KVC_UNROLL for (uint32_t n = 0; n < kKltMmaOnce / 8; ++n) {
          block_.mma(
              false, [&](uint32_t thread) { return state_[thread].c[m][n]; },
              [&](uint32_t thread) { return state_[thread].a[k][m]; },
              [&](uint32_t thread) { return state_[thread].b[n]; });
        }
      }
    }
    const float* mean = keys.mean + head_in_block_ * form_.k_dim;
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
        const uint32_t which = unit_of(thread, half * 2);
        if (2 * which >= form_.k_dim) continue;
        const KltPair pair(form_, which);
        const float left = mean[pair.left], right = mean[pair.right];
        KVC_UNROLL for (uint32_t n = 0; n < kKltMmaOnce / 8; ++n) {
          KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
            const uint32_t t = first + n * 8 + thread % 4 * 2 + e;
            if (t >= c.high) continue;
            float x = left + state_[thread].c[0][n][half * 2 + e] * by;
            float z = right + state_[thread].c[1][n][half * 2 + e] * by;
            pair.turn(keys, which, c.base + t, &x, &z);
            rows_[t * stride + pair.left] = x;
            rows_[t * stride + pair.right] = z;
          }
        }
      }
    });
  }

  Block& block_;
  const KltAttendArgs& a_;
  const KltForm& form_;
  const AttendIndex i_;
  const KltAttendRoom room_;
  const uint32_t part_, head_in_block_;
  float* const query_;
  float* const rows_;
  AttendSplit<Block, kParts> split_;
  struct None {};
  typename Block::template Local<std::conditional_t<kMma, KltMmaState, None>> state_;
  uint32_t* sums_;
  bool summed_ = false;
  uint32_t steps_ = 0;
  float undo_ = 1.0f;
};

template <class Block>
KVC_BODY void attend_klt(Block& block, const KltAttendArgs& a) {
  KltAttention<Block, false>(block, a).run();
}
template <class Block>
KVC_BODY void attend_klt_mma(Block& block, const KltAttendArgs& a) {
  KltAttention<Block, true>(block, a).run();
}

}  // namespace kvc_cuda
