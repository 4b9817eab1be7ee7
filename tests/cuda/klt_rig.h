// Pages of klt, lowrank and auto for the kernels' tests, with calibrations of any numbers.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

#include "attend/convert.h"
#include "base/random.h"
#include "cache/device_klt.h"
#include "host_kernels.h"

namespace kvc_cuda {

using kvc::DType;
using kvc::KltCalibration;
using kvc::KltLevels;
using kvc::Random;

enum class Learned { no, bits, levels };

struct KltCase {
  const char* codec;
  Learned learned;
  uint32_t heads, block_heads, dim, page_tokens, exact, pairs;
  bool interleaved;
  DType dtype;
};
inline void PrintTo(const KltCase& c, std::ostream* out) {
  *out << c.codec << " learned " << static_cast<int>(c.learned) << " heads " << c.heads << "/" << c.block_heads
       << " dim " << c.dim << " tokens " << c.page_tokens << " exact " << c.exact << " pairs " << c.pairs;
}

// A calibration as one might be learned, with any numbers: what decodes must agree on is arithmetic.
inline std::shared_ptr<const KltCalibration> any_calibration(const KltCase& c, const kvc::PageGeometry& g,
                                                             Random* random) {
  auto made = std::make_shared<KltCalibration>();
  made->n_layers = g.n_layers, made->n_kv_heads = g.n_kv_heads, made->k_dim = g.k_dim, made->v_dim = g.v_dim;
  made->block_heads = c.block_heads;
  made->rope = kvc::make_key_rope(10000, 1, 2 * c.pairs, c.interleaved);
  const size_t channels = made->channels(), blocks = size_t{g.n_layers} * made->blocks();
  const auto number = [random] { return static_cast<float>(random->unit() * 2 - 1); };
  for (size_t i = 0; i < blocks * channels; ++i) {
    made->mean.push_back(number());
    made->deviation.push_back(std::abs(number()) + 0.01f);
    made->key_bits.push_back(static_cast<uint8_t>(random->next() % (KltCalibration::kMaxBits + 1)));
  }
  for (size_t i = 0; i < blocks * channels * channels; ++i) {
    made->analysis.push_back(number() / std::sqrt(static_cast<float>(channels)));
    made->synthesis.push_back(number() / std::sqrt(static_cast<float>(channels)));
  }
  for (uint32_t i = 0; i < g.n_layers * g.n_kv_heads; ++i) {
    made->value_bits.push_back(static_cast<uint8_t>(random->next() % KltCalibration::kMaxBits + 1));
  }
  for (size_t block = 0; block < blocks; ++block) {
    std::vector<uint16_t> order(channels * KltCalibration::kMaxBits);
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint16_t>(i % channels);
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random->next() % i]);
    made->order.insert(made->order.end(), order.begin(), order.end());
  }
  made->seal();
  return made;
}

inline kvc::PageGeometry geometry_of(const KltCase& c) {
  kvc::PageGeometry g;
  g.n_layers = 2, g.n_kv_heads = c.heads, g.k_dim = g.v_dim = c.dim, g.page_tokens = c.page_tokens, g.dtype = c.dtype;
  return g;
}

// A page of any numbers, large and small ones.
inline std::vector<std::byte> any_page(const KltCase& c, const kvc::PageGeometry& g, Random* random) {
  std::vector<float> numbers(g.page_bytes() / g.row_bytes(KVC_KEY) * c.dim);
  for (float& x : numbers) x = static_cast<float>((random->unit() * 2 - 1) * std::pow(10.0, random->unit() * 3 - 2));
  std::vector<std::byte> clear(g.page_bytes());
  kvc::from_f32(g.dtype, numbers.data(), clear.data(), numbers.size());
  return clear;
}

// Pages that follow one another from `base` on.
inline View view_of(const kvc::PageGeometry& g, const void* base) {
  View view;
  view.base = reinterpret_cast<uint64_t>(base);
  view.page = static_cast<int64_t>(g.page_bytes()), view.layer = static_cast<int64_t>(g.layer_bytes());
  view.plane = static_cast<int64_t>(g.plane_bytes(KVC_KEY)), view.head = static_cast<int64_t>(g.head_bytes(KVC_KEY));
  view.token = static_cast<int64_t>(g.row_bytes(KVC_KEY));
  return view;
}

}  // namespace kvc_cuda
