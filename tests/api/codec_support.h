// K/V like that of a model, and sessions that keep it with a codec: for the tests of codecs through kvc.h.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "core_support.h"

namespace kvc_test {

inline constexpr uint32_t kLayers = 2, kHeads = 2, kDim = 32, kPage = 64;

// K/V like that of a model: channels with means and ranges of their own, first tokens unlike the rest.
inline float number_of(uint64_t token_hash, uint32_t layer, int plane, uint32_t head, uint32_t d) {
  std::mt19937_64 random(mix(token_hash, layer * 1000003u + static_cast<uint32_t>(plane) * 5003u + head * 101u + d));
  const double noise = static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1;
  const double mean = plane == KVC_KEY ? static_cast<double>(d % 7) - 3 : 0;
  return static_cast<float>(mean + noise * (1 + d % 3));
}

struct Layer {
  std::vector<float> k, v;  // [token][head][dim]
};

// A sequence with its K/V as computed.
struct Model {
  Tokens tokens;
  std::vector<Layer> layers{kLayers};
  uint64_t hash = 1;

  void extend(const Tokens& more) {
    for (const int32_t token : more) {
      hash = mix(hash, static_cast<uint64_t>(token));
      tokens.push_back(token);
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        for (uint32_t head = 0; head < kHeads; ++head) {
          for (uint32_t d = 0; d < kDim; ++d) {
            layers[layer].k.push_back(number_of(hash, layer, KVC_KEY, head, d));
            layers[layer].v.push_back(number_of(hash, layer, KVC_VALUE, head, d));
          }
        }
      }
    }
  }
};

inline kvc_tensor_t thd(std::vector<float>& numbers, size_t from, size_t n, uint32_t heads = kHeads) {
  kvc_tensor_t tensor{};
  EXPECT_EQ(KVC_OK, kvc_tensor_thd(&tensor, numbers.data() + from * heads * kDim, KVC_F32, n, heads, kDim));
  return tensor;
}

inline Tokens some_tokens(size_t n, int32_t seed) {
  std::mt19937_64 random(static_cast<uint64_t>(seed));
  return random_tokens(random, n);
}

class CodecTest : public testing::Test {
 protected:
  void open(const Options& options) {
    open_on(std::make_unique<Engine>(options));
  }
  void open_on(std::unique_ptr<Engine> engine) {
    engine_ = std::move(engine);
    Geometry g;
    g.layers = kLayers, g.heads = kHeads, g.k_dim = g.v_dim = kDim, g.dtype = KVC_F32, g.page_tokens = kPage;
    space_ = std::make_unique<Space>(*engine_, g);
  }
  kvc_session_t* session(bool exact = false, bool no_aged = false) {
    kvc_session_options_t options{};
    options.struct_size = sizeof options;
    options.exact = exact ? 1 : 0;
    options.no_aged = no_aged ? 1 : 0;
    kvc_session_t* handle = nullptr;
    EXPECT_STATUS(KVC_OK, kvc_session_open(*space_, &options, &handle), *engine_);
    return handle;
  }
  // Appends and commits what the model has beyond the session, in chunks.
  static void add(kvc_session_t* session, Model* model, size_t chunk = 50) {
    for (size_t at = info(session).length; at < model->tokens.size();) {
      const size_t n = std::min(chunk, model->tokens.size() - at);
      for (uint32_t layer = 0; layer < kLayers; ++layer) {
        const kvc_tensor_t k = thd(model->layers[layer].k, at, n), v = thd(model->layers[layer].v, at, n);
        ASSERT_STATUS(KVC_OK, kvc_session_append(session, layer, &k, &v, n), session);
      }
      ASSERT_STATUS(KVC_OK, kvc_session_commit(session, model->tokens.data() + at, n), session);
      at += n;
    }
  }
  static kvc_session_info_t info(kvc_session_t* session) {
    kvc_session_info_t info{};
    info.struct_size = sizeof info;
    EXPECT_EQ(KVC_OK, kvc_session_info(session, &info));
    return info;
  }
  static std::vector<float> read(kvc_session_t* session, uint32_t layer, int plane, size_t from, size_t n) {
    std::vector<float> numbers(n * kHeads * kDim);
    const kvc_tensor_t out = thd(numbers, 0, n);
    EXPECT_STATUS(KVC_OK, kvc_session_read(session, layer, plane, from, n, &out), session);
    return numbers;
  }
  // Largest differences of what the session holds from what was computed, in tokens [from, from + n).
  static double difference(kvc_session_t* session, const Model& model, size_t from, size_t n) {
    double largest = 0;
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const std::vector<float> got = read(session, layer, plane, from, n);
        const std::vector<float>& all = plane == KVC_KEY ? model.layers[layer].k : model.layers[layer].v;
        for (size_t i = 0; i < got.size(); ++i) {
          largest = std::max(largest, std::abs(static_cast<double>(got[i] - all[from * kHeads * kDim + i])));
        }
      }
    }
    return largest;
  }

  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Space> space_;
};

}  // namespace kvc_test
