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

}  // namespace kvc::klt_test
