// The built-in model: a Llama-style decoder (RMSNorm, rotary positions, grouped-query attention, SwiGLU) without K/V of
// its own.
//
// A call is computed in tiles of at most kTile tokens of any sequences, each through all layers. So scratch memory has
// a fixed size, however many tokens a call has. In every layer a tile first appends its K and V to the sessions, then
// attends over the sessions' pages.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "model/backend.h"
#include "model/builtin/attention.h"
#include "model/builtin/buffer.h"
#include "model/builtin/kernels.h"
#include "model/builtin/rope.h"
#include "model/builtin/weights.h"

namespace kvc::builtin {

class Decoder {
 public:
  static constexpr uint32_t kTile = 64;

  // `weights` must outlive it.
  Decoder(const Weights* weights, const Kernels* kernels);
  // Backend::forward. The items have been checked. One thread at a time.
  Status forward(std::span<const ForwardItem> items);

 private:
  // Consecutive tokens of one item in one page.
  struct Segment {
    const ForwardItem* item;
    uint32_t first;  // of item->tokens
    uint32_t n;
    uint32_t column;  // of its first token in the tile
    uint32_t position() const { return item->position + first; }
    bool wants_logits() const { return item->logits != nullptr && first + n == item->tokens.size(); }
  };

  Status run_tile();
  void embed();
  Status append_kv(uint32_t layer);
  Status attend(uint32_t layer);
  void add_linear(const Matrix& w, const float* in);
  void linear(const Matrix& w, const float* in, float* out);
  void feed_forward(const LayerWeights& layer);
  void write_logits();

  const Weights& weights_;
  const Kernels* const kernels_;
  const Rope rope_;
  Attention attention_;

  std::vector<Segment> segments_;  // of the tile
  uint32_t used_ = 0;              // its tokens ...
  uint32_t columns_ = 0;           // ... padded; the columns in between are 0 all the way

  Buffer<float> x_;             // [column][d_model]: the residual stream
  Buffer<float> h_;             // [column][d_model]
  Buffer<float> q_, k_, v_;     // [column][head][kHeadDim]
  Buffer<float> mixed_;         // [column][q_dim]: what attention gives
  Buffer<float> gate_, up_;     // [column][ffn_dim]
  Buffer<float> logits_;        // [column][vocab]
  Buffer<float> angles_;        // [column][2 * Rope::kPairs]
  Buffer<float> rows_;          // a block of dequantised rows
  Buffer<uint16_t> k16_, v16_;  // k_ and v_ as f16
};

}  // namespace kvc::builtin
