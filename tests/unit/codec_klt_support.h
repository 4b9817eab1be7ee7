// K/V and queries as trained models have them, for tests of the codecs that learn.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "codec/klt_learner.h"
#include "codec/klt_transform.h"

namespace kvc::klt_test {

inline constexpr uint32_t kDim = 32, kTokens = 64;

// Keys that a few directions make up for the most part, queries that look along others: what trained models have. Keys
// are rotated by their positions.
class Model {
 public:
  explicit Model(uint64_t seed) : random_(seed) {
    geometry.n_layers = 2;
    geometry.n_kv_heads = 2;
    geometry.k_dim = geometry.v_dim = kDim;
    geometry.page_tokens = kTokens;
    geometry.dtype = DType::f16;
    rope = make_key_rope(10000, 1, kDim, true);
    Random fixed(7);
    for (float& x : key_mix_) x = gaussian(&fixed);
    for (float& x : query_mix_) x = gaussian(&fixed);
    for (float& x : key_mean_) x = 2 * gaussian(&fixed);
  }

  // A page in the clear.
  std::vector<std::byte> page(uint64_t position) {
    std::vector<float> numbers(geometry.page_bytes() / 2);
    float* row = numbers.data();
    for (uint32_t layer = 0; layer < geometry.n_layers; ++layer) {
      for (uint32_t h = 0; h < geometry.n_kv_heads; ++h) {
        for (uint32_t t = 0; t < kTokens; ++t, row += kDim) {
          mixed(key_mix_, 0.9f, row);
          for (uint32_t i = 0; i < kDim; ++i) row[i] += key_mean_[i];
          rotate_keys(rope, position + t, false, row, 1, kDim);
        }
      }
      for (uint32_t h = 0; h < geometry.n_kv_heads; ++h) {
        for (uint32_t t = 0; t < kTokens; ++t, row += kDim) {
          for (uint32_t i = 0; i < kDim; ++i) row[i] = gaussian(&random_);
        }
      }
    }
    std::vector<std::byte> out(geometry.page_bytes());
    from_f32(geometry.dtype, numbers.data(), out.data(), numbers.size());
    return out;
  }
  // Queries of all heads of a layer, two for each K/V head.
  std::vector<float> queries(uint64_t position) {
    std::vector<float> rows(size_t{2} * geometry.n_kv_heads * kDim);
    for (size_t q = 0; q < rows.size(); q += kDim) {
      mixed(query_mix_, 0.6f, rows.data() + q);
      rotate_keys(rope, position, false, rows.data() + q, 1, kDim);
    }
    return rows;
  }
  void teach(KltLearner* learner, uint32_t pages, bool with_queries) {
    for (uint32_t p = 0; p < pages; ++p) {
      learner->add_page(p * kTokens, p == 0 ? 4 : 0, page(p * kTokens));
      for (uint32_t t = 0; t < 16 && with_queries; ++t) {
        for (uint32_t layer = 0; layer < geometry.n_layers; ++layer) {
          const uint64_t position = p * kTokens + t * 4;
          learner->add_query(layer, position, 2 * geometry.n_kv_heads, queries(position).data());
        }
      }
    }
  }

  PageGeometry geometry;
  KeyRope rope;

 private:
  static float gaussian(Random* random) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += random->unit();
    return static_cast<float>(sum - 6);
  }
  // Directions of falling strength.
  void mixed(const float (&mix)[kDim * kDim], float fall, float* row) {
    std::fill_n(row, kDim, 0.0f);
    for (uint32_t j = 0; j < kDim; ++j) {
      const float x = gaussian(&random_) * std::pow(fall, static_cast<float>(j)) / 3;
      for (uint32_t i = 0; i < kDim; ++i) row[i] += x * mix[j * kDim + i];
    }
  }

  Random random_;
  float key_mix_[kDim * kDim], query_mix_[kDim * kDim], key_mean_[kDim];
};

// Attention over the tiles of a page, of three queries at once and on every instruction set, is that over what decode
// gives.
inline void expect_tiles_attend_as_decoded(const Codec& codec, const PageGeometry& g,
                                           std::span<const std::byte> encoded) {
  AttendOptions options;
  options.k_dim = g.k_dim;
  options.v_dim = g.v_dim;
  options.causal = false;
  constexpr uint32_t kQueries = 3;
  std::vector<float> queries(kQueries * g.k_dim);
  Random random(5);
  for (float& x : queries) x = static_cast<float>(random.unit() - 0.5) / 4;
  for (const Target target : targets()) {
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      std::vector<std::byte> rows[2];
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        rows[plane].resize(g.plane_bytes(plane));
        ASSERT_TRUE(codec
                        .decode(g, encoded, layer, plane, 0, g.page_tokens, rows[plane].data(), g.head_bytes(plane),
                                g.row_bytes(plane))
                        .is_ok());
      }
      for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
        AttendState coded(options, kQueries), clear(options, kQueries);
        coded.set_target(target);
        for (uint32_t q = 0; q < kQueries; ++q) {
          coded.set_query(q, &queries[q * g.k_dim], 1, 0);
          clear.set_query(q, &queries[q * g.k_dim], 1, 0);
        }
        for (uint32_t from = 0; from < g.page_tokens; from += kTileTokens) {
          AttendTile tile, want;
          ASSERT_TRUE(codec.tile(g, encoded, layer, head, from / kTileTokens, &tile).is_ok());
          want.position = tile.position = from;
          want.tokens = want.exact = std::min(kTileTokens, g.page_tokens - from);
          ASSERT_EQ(tile.tokens, want.tokens);
          want.k = {g.dtype, rows[KVC_KEY].data() + head * g.head_bytes(KVC_KEY) + from * g.row_bytes(KVC_KEY),
                    g.row_bytes(KVC_KEY)};
          want.v = {g.dtype, rows[KVC_VALUE].data() + head * g.head_bytes(KVC_VALUE) + from * g.row_bytes(KVC_VALUE),
                    g.row_bytes(KVC_VALUE)};
          coded.attend(tile);
          clear.attend(want);
        }
        for (uint32_t q = 0; q < kQueries; ++q) {
          std::vector<float> got(g.v_dim), expected(g.v_dim);
          coded.finish(q, got.data());
          clear.finish(q, expected.data());
          // What f16 rounds on decoding is not rounded in tiles.
          for (uint32_t d = 0; d < g.v_dim; ++d) {
            ASSERT_NEAR(got[d], expected[d], 4e-3f) << target_name(target) << ", layer " << layer << ", head " << head;
          }
        }
      }
    }
  }
}

}  // namespace kvc::klt_test
