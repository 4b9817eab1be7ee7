// Attention of one query token a sequence by tensor cores (mma.sync m16n8k16), for the query heads that share a K/V
// head: the same work, splits and partial results as attend_pages, for numbers of 16 bits and codes.
//
// A warp is a block: it has up to 16 query heads of one K/V head and one split, 16 tokens at a time. Q K^T and P V are
// products of 16 x 16 and 16 x 8 parts, sums are floats. Nothing goes through shared memory but the sums of encoded
// values, once, to be turned back: what one thread loads at a time (16 bytes of a row) is what its part of a product
// needs, because a sum does not care for the order of channels, and channels of results are put in their places at the
// end:
//   K   the thread with lane % 4 = q has channels 8q .. 8q+7 of every 32, for both products of those 32; Q is laid
//   likewise V   the thread with lane / 4 = g has channels 8g .. 8g+7 of every 64, one for each of 8 products
// Weights are rounded to the numbers of the products: f16 for encoded pages, in units of the largest tile's, and for
// pages of f16, bf16 for pages of bf16. So results differ from attend_pages' by at most 2^-10 (f16) or 2^-8 (bf16) of
// the largest value.
#pragma once

#include "kernels/attend.h"

namespace kvc_cuda {

inline constexpr uint32_t kMmaHeads = 16;   // query heads that a block takes
inline constexpr uint32_t kMmaTokens = 16;  // tokens at a time
inline constexpr uint32_t kMmaDim = 128;    // largest head
inline constexpr uint32_t kMmaThreads = 32;

// Two floats as f16 (or bf16), rounded to nearest even; the first in the low half.
KVC_BOTH uint32_t pack_pair(bool bf16, float low, float high) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  uint32_t out;
  if (bf16) {
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  } else {
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
  }
  return out;
#else
  return bf16 ? bf16_of_f32(low) | static_cast<uint32_t>(bf16_of_f32(high)) << 16
              : f16_of_f32(low) | static_cast<uint32_t>(f16_of_f32(high)) << 16;
#endif
}

KVC_BOTH float half_of(uint32_t bits) {
#ifdef __CUDA_ARCH__
  float out;
  asm("{ .reg .f16 h; mov.b16 h, %1; cvt.f32.f16 %0, h; }" : "=f"(out) : "h"(static_cast<uint16_t>(bits)));
  return out;
#else
  return f32_of_f16(bits & 0xffffu);
#endif
}

struct Words4 {
  uint32_t w[4];
};

KVC_BOTH Words4 load_words(const unsigned char* at) {
  Words4 out;
#ifdef __CUDA_ARCH__
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(out.w[0]), "=r"(out.w[1]), "=r"(out.w[2]), "=r"(out.w[3])
               : "l"(at));
#else
  __builtin_memcpy(out.w, at, 16);
#endif
  return out;
}

// What a thread keeps.
struct MmaState {
  uint32_t q[kMmaDim / 16][4];
  float o[kMmaDim / 8][4];
  float s[2][4];
  uint32_t p[4], b[8][2];
  float q_scale[2], top[2], sum[2], most[2], part[2];
};

// Which work a block has, as AttendIndex, with 16 heads.
struct MmaIndex {
  uint32_t sequence, head, part, split;
  KVC_BOTH MmaIndex(const AttendArgs& a, uint32_t block) {
    const uint32_t parts = (a.group + kMmaHeads - 1) / kMmaHeads;
    split = block % a.splits;
    block /= a.splits;
    part = block % parts;
    block /= parts;
    head = block % a.kv_heads;
    sequence = block / a.kv_heads;
  }
};

// 16 tokens of one page.
struct MmaChunk {
  uint32_t base;    // position of the first
  uint32_t within;  // in the page
  const unsigned char* coded;
  int64_t clear_page;
};

template <class Block>
class MmaAttention {
 public:
  KVC_BODY MmaAttention(Block& block, const AttendArgs& a)
      : block_(block), a_(a), at_(a.page), i_(a, block.index()), r_(block), bf16_(a.page.number == Number::bf16) {
    first_head_ = i_.head * a.group + i_.part * kMmaHeads;
    columns_ = a.group - i_.part * kMmaHeads < kMmaHeads ? a.group - i_.part * kMmaHeads : kMmaHeads;
  }

  KVC_BODY void run() {
    const uint32_t length = a_.lengths[i_.sequence];
    const uint32_t begin = a_.window != 0 && a_.window < length ? length - static_cast<uint32_t>(a_.window) : 0;
    const uint32_t share = up_to((length - begin + a_.splits - 1) / a_.splits, kMmaTokens);
    from_ = begin + i_.split * share < length ? begin + i_.split * share : length;
    end_ = from_ + share < length ? from_ + share : length;
    const float lowest = float_of(0xff800000u);
    block_.each([&](uint32_t thread) {
      MmaState& r = r_[thread];
      KVC_UNROLL for (uint32_t n = 0; n < kMmaDim / 8; ++n) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) r.o[n][e] = 0.0f;
      }
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) r.top[e] = lowest, r.sum[e] = 0.0f, r.q_scale[e] = 1.0f;
    });
    const uint32_t page_tokens = a_.page.page_tokens;
    const uint32_t coded = a_.coded_counts != nullptr ? a_.coded_counts[i_.sequence] : 0;
    bool loaded = false, rotated = false;
    for (uint32_t base = from_ / kMmaTokens * kMmaTokens; base < end_; base += kMmaTokens) {
      const uint32_t page = base / page_tokens;
      MmaChunk c{base, base % page_tokens, nullptr, 0};
      if (page < coded) {
        c.coded =
            reinterpret_cast<const unsigned char*>(a_.coded_pages[uint64_t{i_.sequence} * a_.coded_stride + page]);
        if (!loaded) load_query(false);
        rotated = true;
      } else {
        c.clear_page = a_.clear_pages[uint64_t{i_.sequence} * a_.clear_stride + (page - coded)];
        if (rotated) turn_back();
        if (!loaded || rotated) load_query(bf16_);
        rotated = false;
      }
      loaded = true;
      scores(c);
      weights(c);
      values(c);
    }
    if (rotated) turn_back();
    store();
  }

 private:
  KVC_BODY static uint32_t row_of(uint32_t thread) { return thread / 4; }
  KVC_BODY static uint32_t quad_of(uint32_t thread) { return thread % 4; }

  // Queries as the left sides of products. In f16 those of bf16 are scaled by a power of two, whose inverse goes to the
  // scores.
  KVC_BODY void load_query(bool as_bf16) {
    const uint32_t k_dim = a_.page.dim[0];
    const bool scaled = bf16_ && !as_bf16;
    const auto word = [&](uint32_t row, uint32_t d) -> uint32_t {
      if (row >= columns_ || d >= k_dim) return 0;
      const uint64_t head = uint64_t{i_.sequence} * a_.kv_heads * a_.group + first_head_ + row;
      return *reinterpret_cast<const uint32_t*>(a_.query + (head * k_dim + d) * 2);
    };
    if (scaled) {
      block_.each([&](uint32_t thread) {
        MmaState& r = r_[thread];
        KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
          float most = 0.0f;
          for (uint32_t d = quad_of(thread) * 8; d < k_dim; d += 32) {
            for (uint32_t n = 0; n < 8; n += 2) {
              const uint32_t both = word(row_of(thread) + 8 * e, d + n);
              most = larger(most, float_of(both << 16 & 0x7fffffffu));
              most = larger(most, float_of(both & 0x7fff0000u));
            }
          }
          r.most[e] = most;
        }
      });
      block_.quad_max([&](uint32_t thread) { return r_[thread].most; });
    }
    block_.each([&](uint32_t thread) {
      MmaState& r = r_[thread];
      float by[2];
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
        const uint32_t exponent = scaled ? bits_of(r.most[e]) >> 23 & 255u : 127u;
        const bool plain = !scaled || exponent == 0 || exponent >= 253;
        by[e] = plain ? 1.0f : float_of((254u - exponent) << 23);
        r.q_scale[e] = plain ? 1.0f : float_of(exponent << 23);
      }
      KVC_UNROLL for (uint32_t k = 0; k < kMmaDim / 16; ++k) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) {
          // Columns 2q, 2q+1 (e < 2) and 2q+8, 2q+9 of the part are these channels.
          const uint32_t d = k / 2 * 32 + quad_of(thread) * 8 + k % 2 * 4 + e / 2 * 2;
          const uint32_t both = word(row_of(thread) + 8 * (e % 2), d);
          r.q[k][e] = scaled
                          ? pack_pair(false, float_of(both << 16) * by[e % 2], float_of(both & 0xffff0000u) * by[e % 2])
                          : both;
        }
      }
    });
    products_bf16_ = as_bf16;
  }

  // Q K^T of a chunk.
  KVC_BODY void scores(const MmaChunk& c) {
    const uint32_t k_dim = a_.page.dim[0], bits = a_.page.bits[0], pack = 8 / bits;
    const uint32_t groups = key_channels(k_dim, bits) / (2 * pack), mask = (1u << bits) - 1;
    const uint32_t tile = c.within / kTile, first = c.within % kTile;
    const unsigned char* grid = nullptr;
    uint64_t scale_bytes = 0;
    if (c.coded != nullptr) {
      grid = c.coded + at_.tile_at(a_.layer, 0, i_.head, tile);
      scale_bytes = at_.scale_bytes(0, at_.tokens(tile));
      key_unit_ = *reinterpret_cast<const float*>(c.coded + at_.unit_at(a_.layer, 0, i_.head, tile));
    } else {
      key_unit_ = 1.0f;
    }
    KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
      block_.each([&](uint32_t thread) { KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) r_[thread].s[half][e] = 0.0f; });
      KVC_UNROLL for (uint32_t g = 0; g < kMmaDim / 32; ++g) {
        if (g * 32 >= k_dim) continue;
        block_.each([&](uint32_t thread) {
          MmaState& r = r_[thread];
          const uint32_t t = half * 8 + row_of(thread), d = g * 32 + quad_of(thread) * 8;
          if (c.coded != nullptr) {
            const Words4 scale = load_words(grid + d * 2), zero = load_words(grid + scale_bytes + d * 2);
            const unsigned char* codes = grid + 2 * scale_bytes + (first / kLanes) * groups * kUnit + t * 2;
            KVC_UNROLL for (uint32_t p = 0; p < 4; ++p) {
              const uint32_t pair = d / 2 + p, by = pair % pack * bits;
              const uint32_t word = *reinterpret_cast<const uint16_t*>(codes + pair / pack * kUnit);
              const float low = static_cast<float>(word >> by & mask) * half_of(scale.w[p]) + half_of(zero.w[p]);
              const float high =
                  static_cast<float>(word >> (8 + by) & mask) * half_of(scale.w[p] >> 16) + half_of(zero.w[p] >> 16);
              r.b[p / 2][p % 2] = pack_pair(false, low, high);
            }
          } else {
            Words4 row{};
            if (inside(c.base + t))
              row = load_words(a_.clear.row(c.clear_page, a_.layer, 0, i_.head, c.within + t) + d * 2);
            KVC_UNROLL for (uint32_t p = 0; p < 4; ++p) r.b[p / 2][p % 2] = row.w[p];
          }
        });
        KVC_UNROLL for (uint32_t k = 0; k < 2; ++k) {
          block_.mma(
              products_bf16_, [&](uint32_t thread) { return r_[thread].s[half]; },
              [&](uint32_t thread) { return r_[thread].q[g * 2 + k]; },
              [&](uint32_t thread) { return r_[thread].b[k]; });
        }
      }
    }
  }

  // Scores to weights, and what was summed so far to the new largest score.
  KVC_BODY void weights(const MmaChunk& c) {
    const float lowest = float_of(0xff800000u);
    float ratio = 1.0f, keep_unit = 1.0f;
    if (c.coded != nullptr) {
      const float unit = *reinterpret_cast<const float*>(c.coded + at_.unit_at(a_.layer, 1, i_.head, c.within / kTile));
      if (unit > value_unit_) {
        keep_unit = value_unit_ / unit;
        value_unit_ = unit;
      } else {
        ratio = value_unit_ > 0.0f ? unit / value_unit_ : 0.0f;
      }
    }
    block_.each([&](uint32_t thread) {
      MmaState& r = r_[thread];
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) r.most[e] = lowest;
      KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) {
          const bool seen = inside(c.base + half * 8 + quad_of(thread) * 2 + e % 2);
          float& score = r.s[half][e];
          score = seen ? score * (key_unit_ * r.q_scale[e / 2]) * a_.scale : lowest;
          r.most[e / 2] = larger(r.most[e / 2], score);
        }
      }
    });
    block_.quad_max([&](uint32_t thread) { return r_[thread].most; });
    block_.each([&](uint32_t thread) {
      MmaState& r = r_[thread];
      float keep[2];
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
        const float most = larger(r.top[e], r.most[e]);
        keep[e] = r.top[e] == lowest ? 0.0f : exp2_of(r.top[e] - most);
        r.top[e] = most;
        r.part[e] = 0.0f;
      }
      KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) {
          float& score = r.s[half][e];
          score = score == lowest ? 0.0f : exp2_of(score - r.top[e / 2]);
          r.part[e / 2] = r.part[e / 2] + score;
        }
      }
      // The parts of scores lie in threads as the left side of the next product does.
      KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
        KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
          r.p[half * 2 + e] = pack_pair(products_bf16_, r.s[half][e * 2] * ratio, r.s[half][e * 2 + 1] * ratio);
        }
      }
      KVC_UNROLL for (uint32_t n = 0; n < kMmaDim / 8; ++n) {
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) r.o[n][e] = r.o[n][e] * (keep[e / 2] * keep_unit);
      }
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) r.sum[e] = r.sum[e] * keep[e];
    });
    block_.quad_sum([&](uint32_t thread) { return r_[thread].part; });
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) r_[thread].sum[e] = r_[thread].sum[e] + r_[thread].part[e];
    });
  }

  // P V of a chunk.
  KVC_BODY void values(const MmaChunk& c) {
    const uint32_t v_dim = a_.page.dim[1], bits = a_.page.bits[1], pack = 8 / bits, mask = (1u << bits) - 1;
    const uint32_t blocks = value_channels(v_dim) / kLanes, tile = c.within / kTile, first = c.within % kTile;
    const unsigned char* grid = nullptr;
    uint64_t scale_bytes = 0;
    if (c.coded != nullptr) {
      grid = c.coded + at_.tile_at(a_.layer, 1, i_.head, tile);
      scale_bytes = at_.scale_bytes(1, at_.tokens(tile));
    }
    KVC_UNROLL for (uint32_t g = 0; g < kMmaDim / 64; ++g) {
      if (g * 64 >= v_dim) continue;
      block_.each([&](uint32_t thread) {
        MmaState& r = r_[thread];
        const uint32_t d = g * 64 + row_of(thread) * 8;
        KVC_UNROLL for (uint32_t half = 0; half < 2; ++half) {
          const uint32_t t = half * 8 + quad_of(thread) * 2;
          if (c.coded != nullptr) {
            const uint32_t pair = (first + t) / 2, by = pair % pack * bits;
            const uint32_t scale = *reinterpret_cast<const uint32_t*>(grid + (first + t) * 2);
            const uint32_t zero = *reinterpret_cast<const uint32_t*>(grid + scale_bytes + (first + t) * 2);
            const Words4 codes =
                load_words(grid + 2 * scale_bytes + (pair / pack * blocks + d / kLanes) * kUnit + d % kLanes * 2);
            KVC_UNROLL for (uint32_t j = 0; j < 8; ++j) {
              const uint32_t word = codes.w[j / 2] >> (j % 2 * 16);
              const float low = static_cast<float>(word >> by & mask) * half_of(scale) + half_of(zero);
              const float high =
                  static_cast<float>(word >> (8 + by) & mask) * half_of(scale >> 16) + half_of(zero >> 16);
              r.b[j][half] = pack_pair(false, low, high);
            }
          } else {
            Words4 one{}, two{};
            if (inside(c.base + t))
              one = load_words(a_.clear.row(c.clear_page, a_.layer, 1, i_.head, c.within + t) + d * 2);
            if (inside(c.base + t + 1)) {
              two = load_words(a_.clear.row(c.clear_page, a_.layer, 1, i_.head, c.within + t + 1) + d * 2);
            }
            KVC_UNROLL for (uint32_t j = 0; j < 4; ++j) {
              r.b[j * 2][half] = (one.w[j] & 0xffffu) | two.w[j] << 16;
              r.b[j * 2 + 1][half] = one.w[j] >> 16 | (two.w[j] & 0xffff0000u);
            }
          }
        }
      });
      KVC_UNROLL for (uint32_t j = 0; j < 8; ++j) {
        block_.mma(
            products_bf16_, [&](uint32_t thread) { return r_[thread].o[g * 8 + j]; },
            [&](uint32_t thread) { return r_[thread].p; }, [&](uint32_t thread) { return r_[thread].b[j]; });
      }
    }
  }

  // Which number of a result o[n][e] is.
  KVC_BODY static uint32_t channel_of(uint32_t thread, uint32_t n, uint32_t e) {
    return n / 8 * 64 + (quad_of(thread) * 2 + e % 2) * 8 + n % 8;
  }

  // Sums of rotated values in units to sums of values.
  KVC_BODY void turn_back() {
    const uint32_t v_dim = a_.page.dim[1];
    float* rows = reinterpret_cast<float*>(block_.shared());
    const float unit = value_unit_;
    const auto place = [&](uint32_t thread, uint32_t n, uint32_t e) -> float* {
      return rows + (row_of(thread) + e / 2 * 8) * v_dim + channel_of(thread, n, e);
    };
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t n = 0; n < kMmaDim / 8; ++n) {
        if (n / 8 * 64 >= v_dim) continue;
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) * place(thread, n, e) = r_[thread].o[n][e] * unit;
      }
    });
    block_.sync();
    hadamard_rows(block_, rows, kMmaHeads, v_dim, rotated_block(v_dim), a_.page.norm);
    block_.each([&](uint32_t thread) {
      KVC_UNROLL for (uint32_t n = 0; n < kMmaDim / 8; ++n) {
        if (n / 8 * 64 >= v_dim) continue;
        KVC_UNROLL for (uint32_t e = 0; e < 4; ++e) r_[thread].o[n][e] = *place(thread, n, e);
      }
    });
    block_.sync();
    value_unit_ = 0.0f;
  }

  KVC_BODY void store() {
    const uint32_t v_dim = a_.page.dim[1], parts = (a_.group + kAttendGroup - 1) / kAttendGroup;
    block_.each([&](uint32_t thread) {
      const MmaState& r = r_[thread];
      KVC_UNROLL for (uint32_t e = 0; e < 2; ++e) {
        const uint32_t row = row_of(thread) + 8 * e;
        if (row >= columns_) continue;
        const uint32_t part = i_.part * (kMmaHeads / kAttendGroup) + row / kAttendGroup;
        float* to =
            a_.partial +
            ((((uint64_t{i_.sequence} * a_.kv_heads + i_.head) * parts + part) * a_.all_splits() + a_.first_split +
              i_.split) *
                 kAttendGroup +
             row % kAttendGroup) *
                (v_dim + 2);
        if (quad_of(thread) == 0) to[0] = r.top[e], to[1] = r.sum[e];
        KVC_UNROLL for (uint32_t n = 0; n < kMmaDim / 8; ++n) {
          if (n / 8 * 64 >= v_dim) continue;
          KVC_UNROLL for (uint32_t k = 0; k < 2; ++k) to[2 + channel_of(thread, n, k)] = r.o[n][e * 2 + k];
        }
      }
    });
  }

  KVC_BODY bool inside(uint32_t position) const { return position >= from_ && position < end_; }

  Block& block_;
  const AttendArgs& a_;
  const CodedLayout at_;
  const MmaIndex i_;
  typename Block::template Local<MmaState> r_;
  const bool bf16_;
  bool products_bf16_ = false;
  uint32_t first_head_ = 0, columns_ = 0, from_ = 0, end_ = 0;
  float key_unit_ = 1.0f, value_unit_ = 0.0f;
};

template <class Block>
KVC_BODY void attend_mma(Block& block, const AttendArgs& a) {
  MmaAttention<Block>(block, a).run();
}

}  // namespace kvc_cuda
