#include "model/builtin/decoder.h"

#include <algorithm>

#include "attend/convert.h"

namespace kvc::builtin {

Decoder::Decoder(const Weights* weights, const Kernels* kernels)
    : weights_(*weights),
      kernels_(kernels),
      rope_(weights->config.rope_base),
      attention_(weights->config, kernels),
      x_(kTile * weights->config.d_model),
      h_(kTile * weights->config.d_model),
      q_(kTile * weights->config.q_dim()),
      k_(kTile * weights->config.kv_dim()),
      v_(kTile * weights->config.kv_dim()),
      mixed_(kTile * weights->config.q_dim()),
      gate_(kTile * weights->config.ffn_dim),
      up_(kTile * weights->config.ffn_dim),
      logits_(kTile * weights->config.vocab),
      angles_(kTile * 2 * Rope::kPairs),
      rows_(kRowBlock * std::max({weights->config.d_model, weights->config.q_dim(), weights->config.ffn_dim})),
      k16_(kTile * weights->config.kv_dim()),
      v16_(kTile * weights->config.kv_dim()) {
  segments_.reserve(kTile);
}

Status Decoder::forward(std::span<const ForwardItem> items) {
  segments_.clear();
  used_ = 0;
  for (const ForwardItem& item : items) {
    const auto tokens = static_cast<uint32_t>(item.tokens.size());
    for (uint32_t done = 0; done < tokens;) {
      const uint32_t in_page = std::min(tokens - done, kBlock - (item.position + done) % kBlock);
      // A whole page has a tile of its own: two halves in two tiles would walk over the past twice.
      if (used_ == kTile || (used_ > 0 && in_page == kBlock)) KVC_RETURN_IF_ERROR(run_tile());
      const uint32_t n = std::min(in_page, kTile - used_);
      segments_.push_back({&item, done, n, used_});
      used_ += n;
      done += n;
    }
  }
  return used_ > 0 ? run_tile() : Status::ok();
}

Status Decoder::run_tile() {
  columns_ = padded(used_);
  embed();
  const Config& c = weights_.config;
  const bool logits =
      std::any_of(segments_.begin(), segments_.end(), [](const Segment& s) { return s.wants_logits(); });
  for (uint32_t i = 0; i < c.n_layers; ++i) {
    const LayerWeights& layer = weights_.layers[i];
    kernels_->rms_norm(x_.get(), layer.attn_norm, c.d_model, columns_, c.rms_eps, h_.get());
    linear(layer.wk, h_.get(), k_.get());
    linear(layer.wv, h_.get(), v_.get());
    KVC_RETURN_IF_ERROR(append_kv(i));
    // The last layer's output matters to logits only.
    if (i + 1 == c.n_layers && !logits) break;
    linear(layer.wq, h_.get(), q_.get());
    KVC_RETURN_IF_ERROR(attend(i));
    add_linear(layer.wo, mixed_.get());
    feed_forward(layer);
  }
  if (logits) write_logits();
  segments_.clear();
  used_ = 0;
  return Status::ok();
}

void Decoder::embed() {
  const Matrix& table = weights_.embed;
  for (const Segment& s : segments_) {
    for (uint32_t t = 0; t < s.n; ++t) {
      const auto token = static_cast<uint32_t>(s.item->tokens[s.first + t]);
      const int8_t* row = table.data + size_t{token} * table.in;
      float* x = x_.get() + size_t{s.column + t} * table.in;
      for (uint32_t i = 0; i < table.in; ++i) x[i] = static_cast<float>(row[i]) * table.scale[token];
      rope_.angles(s.position() + t, angles_.get() + (s.column + t) * 2 * Rope::kPairs);
    }
  }
  std::fill(x_.get() + size_t{used_} * table.in, x_.get() + size_t{columns_} * table.in, 0.0f);
}

// Rounds K (after RoPE) and V to f16 and gives them to the sessions.
Status Decoder::append_kv(uint32_t layer) {
  const Config& c = weights_.config;
  const uint32_t kv_dim = c.kv_dim();
  for (uint32_t column = 0; column < used_; ++column) {
    Rope::turn(angles_.get() + column * 2 * Rope::kPairs, c.n_kv_heads, k_.get() + size_t{column} * kv_dim);
  }
  from_f32(DType::f16, k_.get(), k16_.get(), size_t{used_} * kv_dim);
  from_f32(DType::f16, v_.get(), v16_.get(), size_t{used_} * kv_dim);
  for (const Segment& s : segments_) {
    TensorView k, v;
    k.size = v.size = size_t{s.n} * kv_dim * sizeof(uint16_t);
    k.dtype = v.dtype = DType::f16;
    k.n_dims = v.n_dims = 3;
    const int64_t shape[] = {s.n, c.n_kv_heads, kHeadDim}, strides[] = {kv_dim, kHeadDim, 1};
    for (TensorView* view : {&k, &v}) {
      std::copy_n(shape, 3, view->shape);
      std::copy_n(strides, 3, view->strides);
    }
    k.data = reinterpret_cast<std::byte*>(k16_.get() + size_t{s.column} * kv_dim);
    v.data = reinterpret_cast<std::byte*>(v16_.get() + size_t{s.column} * kv_dim);
    KVC_RETURN_IF_ERROR(s.item->session->append(layer, k, v, s.n));
  }
  return Status::ok();
}

Status Decoder::attend(uint32_t layer) {
  const uint32_t q_dim = weights_.config.q_dim();
  for (const Segment& s : segments_) {
    float* q = q_.get() + size_t{s.column} * q_dim;
    for (uint32_t t = 0; t < s.n; ++t) {
      Rope::turn(angles_.get() + (s.column + t) * 2 * Rope::kPairs, weights_.config.n_heads, q + size_t{t} * q_dim);
    }
    KVC_RETURN_IF_ERROR(
        attention_.run(s.item->session, layer, s.position(), s.n, q, mixed_.get() + size_t{s.column} * q_dim));
  }
  std::fill(mixed_.get() + size_t{used_} * q_dim, mixed_.get() + size_t{columns_} * q_dim, 0.0f);
  return Status::ok();
}

void Decoder::linear(const Matrix& w, const float* in, float* out) {
  kernels_->linear(w, in, columns_, out, rows_.get());
}

// Adds W in to the residual stream. Uses h_.
void Decoder::add_linear(const Matrix& w, const float* in) {
  linear(w, in, h_.get());
  const size_t n = size_t{columns_} * w.out;
  for (size_t i = 0; i < n; ++i) x_.get()[i] += h_.get()[i];
}

void Decoder::feed_forward(const LayerWeights& layer) {
  const Config& c = weights_.config;
  kernels_->rms_norm(x_.get(), layer.ffn_norm, c.d_model, columns_, c.rms_eps, h_.get());
  linear(layer.w_gate, h_.get(), gate_.get());
  linear(layer.w_up, h_.get(), up_.get());
  kernels_->silu_mul(gate_.get(), up_.get(), size_t{columns_} * c.ffn_dim);
  add_linear(layer.w_down, gate_.get());
}

// Projects the last tokens of the items that want logits.
void Decoder::write_logits() {
  const Config& c = weights_.config;
  uint32_t wanted = 0;
  for (const Segment& s : segments_) {
    if (!s.wants_logits()) continue;
    std::copy_n(x_.get() + size_t{s.column + s.n - 1} * c.d_model, c.d_model, h_.get() + size_t{wanted++} * c.d_model);
  }
  columns_ = padded(wanted);
  std::fill(h_.get() + size_t{wanted} * c.d_model, h_.get() + size_t{columns_} * c.d_model, 0.0f);
  kernels_->rms_norm(h_.get(), weights_.final_norm, c.d_model, columns_, c.rms_eps, h_.get());
  linear(weights_.embed, h_.get(), logits_.get());
  const float* from = logits_.get();
  for (const Segment& s : segments_) {
    if (!s.wants_logits()) continue;
    std::copy_n(from, c.vocab, s.item->logits);
    from += c.vocab;
  }
}

}  // namespace kvc::builtin
