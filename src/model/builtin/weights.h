// The weights of the built-in model, where they lie: nothing is copied, so an idle engine costs no memory for them. The
// bytes are part of the library's read-only data and are paged in by the operating system when they are first used.
//
// File format, little endian. Every section starts at a multiple of 64 bytes from the start of the file.
//   header   8 bytes "KVCLM001"; u32 n_layers, d_model, n_heads, n_kv_heads, head_dim, ffn_dim, vocab, context; f32
//   rope_base, rms_eps tensors  embed; per layer attn_norm, wq, wk, wv, wo, ffn_norm, w_gate, w_up, w_down; final_norm
// A norm is one section f32[d_model]. A matrix [out][in] is two sections: f32 scale[out], then int8 data[out][in];
// its values are scale[row] * data[row][column]. The embedding is the output projection as well.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "model/builtin/kernels.h"

namespace kvc::builtin {

struct Config {
  uint32_t n_layers = 0;
  uint32_t d_model = 0;
  uint32_t n_heads = 0;
  uint32_t n_kv_heads = 0;
  uint32_t head_dim = 0;  // kHeadDim
  uint32_t ffn_dim = 0;
  uint32_t vocab = 0;
  uint32_t context = 0;
  float rope_base = 0;
  float rms_eps = 0;

  uint32_t q_dim() const noexcept { return n_heads * head_dim; }
  uint32_t kv_dim() const noexcept { return n_kv_heads * head_dim; }
};

struct LayerWeights {
  const float* attn_norm = nullptr;
  Matrix wq, wk, wv, wo;
  const float* ffn_norm = nullptr;
  Matrix w_gate, w_up, w_down;
};

struct Weights {
  Config config;
  Matrix embed;
  std::vector<LayerWeights> layers;
  const float* final_norm = nullptr;
};

// Finds every tensor in the bytes of a weight file, which must stay where they are, aligned to 64 bytes.
// Reads the header only; KVC_E_CORRUPT if it is not one, or if the bytes are not exactly as many as it asks for.
Status parse_weights(std::span<const std::byte> file, Weights* out);

// The file that was built into the library.
std::span<const std::byte> embedded_weights() noexcept;

}  // namespace kvc::builtin
