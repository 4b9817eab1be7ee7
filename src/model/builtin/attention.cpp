#include "model/builtin/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "attend/convert.h"

namespace kvc::builtin {
namespace {

constexpr size_t kRowBytes = kHeadDim * sizeof(uint16_t);

// One head of a page to floats; what the page does not have yet is 0.
void load(const PlaneView& view, uint32_t head, float* out) {
  const uint32_t tokens = std::min(view.tokens, kBlock);
  const std::byte* rows = view.data + head * view.head_stride;
  if (view.token_stride == kRowBytes) {
    to_f32(DType::f16, rows, out, size_t{tokens} * kHeadDim);
  } else {
    for (uint32_t t = 0; t < tokens; ++t) {
      to_f32(DType::f16, rows + t * view.token_stride, out + t * kHeadDim, kHeadDim);
    }
  }
  std::fill(out + tokens * kHeadDim, out + kBlock * kHeadDim, 0.0f);
}

}  // namespace

Attention::Attention(const Config& config, const Kernels* kernels)
    : config_(config),
      kernels_(kernels),
      group_(config.n_heads / config.n_kv_heads),
      columns_(padded(kBlock * group_)),
      query_(size_t{config.n_kv_heads} * columns_ * kHeadDim),
      out_(size_t{config.n_kv_heads} * columns_ * kHeadDim),
      max_(size_t{config.n_kv_heads} * columns_),
      sum_(size_t{config.n_kv_heads} * columns_),
      scores_(size_t{columns_} * kBlock),
      k_(kBlock * kHeadDim),
      v_(kBlock * kHeadDim),
      visible_(columns_) {}

Status Attention::open_page(Session* session, uint32_t layer, int plane, uint32_t page, uint32_t tokens,
                            PlaneView* view) {
  KVC_RETURN_IF_ERROR(session->view(layer, plane, page, view));
  if (view->tokens >= tokens) return Status::ok();
  return error(KVC_E_INTERNAL, "page %u of layer %u has %u tokens where the model expects %u", page, layer,
               view->tokens, tokens);
}

Status Attention::run_encoded(Session* session, uint32_t layer, uint32_t position, uint32_t n, const float* query,
                              float* out) {
  AttendCall call;
  call.position = position;
  TensorView from, to;
  // Attention only reads the queries; a view has no way to say so.
  from.data = const_cast<std::byte*>(reinterpret_cast<const std::byte*>(query));
  to.data = reinterpret_cast<std::byte*>(out);
  for (TensorView* view : {&from, &to}) {
    view->size = size_t{n} * config_.q_dim() * sizeof(float);
    view->n_dims = 3;
    const int64_t shape[] = {n, config_.n_heads, kHeadDim}, strides[] = {config_.q_dim(), kHeadDim, 1};
    std::copy_n(shape, 3, view->shape);
    std::copy_n(strides, 3, view->strides);
  }
  return session->attend(layer, call, from, to);
}

Status Attention::run(Session* session, uint32_t layer, uint32_t position, uint32_t n, const float* query, float* out) {
  if (session->has_encoded()) return run_encoded(session, layer, position, n, query, out);
  const uint32_t columns = padded(n * group_);
  const uint32_t q_dim = config_.q_dim();    // floats of a token: of all heads ...
  const uint32_t run = group_ * kHeadDim;    // ... and of those that share a K/V head
  const float scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));

  // Query (token t, head g * group + h) is column t * group + h of K/V head g.
  for (uint32_t g = 0; g < config_.n_kv_heads; ++g) {
    float* to = query_.get() + size_t{g} * columns_ * kHeadDim;
    for (uint32_t t = 0; t < n; ++t) {
      for (uint32_t i = 0; i < run; ++i) to[t * run + i] = query[size_t{t} * q_dim + g * run + i] * scale;
    }
    std::fill(to + n * run, to + columns * kHeadDim, 0.0f);
    std::fill_n(out_.get() + size_t{g} * columns_ * kHeadDim, columns * kHeadDim, 0.0f);
    std::fill_n(max_.get() + size_t{g} * columns_, columns, kNoScore);
    std::fill_n(sum_.get() + size_t{g} * columns_, columns, 0.0f);
  }

  const uint32_t last = position / kBlock, in_last = position % kBlock;
  for (uint32_t c = 0; c < columns; ++c) visible_.get()[c] = std::min(in_last + c / group_ + 1, kBlock);

  for (uint32_t page = 0; page <= last; ++page) {
    const uint32_t tokens = page < last ? kBlock : in_last + n;
    PlaneView k, v;
    KVC_RETURN_IF_ERROR(open_page(session, layer, KVC_KEY, page, tokens, &k));
    KVC_RETURN_IF_ERROR(open_page(session, layer, KVC_VALUE, page, tokens, &v));
    for (uint32_t g = 0; g < config_.n_kv_heads; ++g) {
      load(k, g, k_.get());
      load(v, g, v_.get());
      const Queries queries{columns,
                            query_.get() + size_t{g} * columns_ * kHeadDim,
                            out_.get() + size_t{g} * columns_ * kHeadDim,
                            max_.get() + size_t{g} * columns_,
                            sum_.get() + size_t{g} * columns_,
                            scores_.get()};
      kernels_->attend(k_.get(), v_.get(), page < last ? nullptr : visible_.get(), queries);
    }
  }

  for (uint32_t g = 0; g < config_.n_kv_heads; ++g) {
    const float* from = out_.get() + size_t{g} * columns_ * kHeadDim;
    const float* sum = sum_.get() + size_t{g} * columns_;
    for (uint32_t t = 0; t < n; ++t) {
      float* to = out + size_t{t} * q_dim + g * run;
      for (uint32_t i = 0; i < run; ++i) to[i] = from[t * run + i] / sum[t * group_ + i / kHeadDim];
    }
  }
  return Status::ok();
}

}  // namespace kvc::builtin
