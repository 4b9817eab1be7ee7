// ggml as a peer, loaded at run time: its flash attention on this processor, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kvc::bench {

// K/V of some layers, all alike, and one query per layer; attention of all layers is one graph.
class GgmlAttention {
 public:
  virtual ~GgmlAttention() = default;
  // One decode step over all layers. Returns the result of layer 0: [heads][dim].
  virtual const float* run() = 0;
};

enum class GgmlType { f16 = 1, q4_0 = 2, q8_0 = 8 };

struct GgmlShape {
  int64_t layers, tokens, kv_heads, heads, dim;
};

class Ggml {
 public:
  virtual ~Ggml() = default;
  virtual const std::string& variant() const = 0;  // name of its library for this processor
  // Its row functions for a cache's type, both over n numbers: floats to blocks, as its CPU library does, and back.
  virtual void encode_rows(GgmlType type, const float* from, void* to, int64_t n) = 0;
  virtual void decode_rows(GgmlType type, const void* from, float* to, int64_t n) = 0;
  // k, v: floats of one layer, [kv_head][token][dim], used for all; query: [head][dim].
  virtual std::unique_ptr<GgmlAttention> attention(GgmlType type, const GgmlShape& shape, const std::vector<float>& k,
                                                   const std::vector<float>& v, const std::vector<float>& query) = 0;
};

// Looks in $KVC_LLAMA_LIB, then where bindings/llama/setup puts it. nullptr: not there; *why says what was missing.
std::unique_ptr<Ggml> load_ggml(std::string* why);

}  // namespace kvc::bench
