#include "model/builtin/weights.h"

#include <cmath>
#include <cstring>

namespace kvc::builtin {
namespace {

constexpr char kMagic[] = "KVCLM001";
constexpr size_t kAlignment = 64;
constexpr size_t kHeaderBytes = 8 + 8 * 4 + 2 * 4;

// Walks over the sections of the file. It may run past its end: pointers are good only if end() lies inside.
class Sections {
 public:
  explicit Sections(std::span<const std::byte> file) : file_(file), at_(kHeaderBytes) {}

  const std::byte* take(size_t bytes) {
    at_ = (at_ + kAlignment - 1) / kAlignment * kAlignment;
    const std::byte* start = at_ <= file_.size() ? file_.data() + at_ : nullptr;
    at_ += bytes;
    return start;
  }
  const float* floats(size_t n) { return reinterpret_cast<const float*>(take(n * sizeof(float))); }
  Matrix matrix(uint32_t out, uint32_t in) {
    Matrix m;
    m.out = out;
    m.in = in;
    m.scale = floats(out);
    m.data = reinterpret_cast<const int8_t*>(take(size_t{out} * in));
    return m;
  }
  size_t end() const { return at_; }

 private:
  const std::span<const std::byte> file_;
  size_t at_;
};

Status bad_field(const char* name, double value, const char* rule) {
  return error(KVC_E_CORRUPT, "the weight file's %s is %g, but must be %s: write it again with export.py", name, value,
               rule);
}

// The limits keep all products of dimensions far below an overflow, and are those that the kernels ask for.
Status check(const Config& c) {
  const auto whole = [](uint32_t value, uint32_t low, uint32_t high, uint32_t multiple) {
    return value >= low && value <= high && value % multiple == 0;
  };
  if (!whole(c.n_layers, 1, 256, 1)) return bad_field("n_layers", c.n_layers, "1 to 256");
  if (!whole(c.d_model, 64, 16384, 16)) return bad_field("d_model", c.d_model, "64 to 16384 and a multiple of 16");
  if (c.head_dim != kHeadDim) return bad_field("head_dim", c.head_dim, "64");
  if (!whole(c.n_kv_heads, 1, 256, 1)) return bad_field("n_kv_heads", c.n_kv_heads, "1 to 256");
  if (!whole(c.n_heads, c.n_kv_heads, 256, c.n_kv_heads)) {
    return bad_field("n_heads", c.n_heads, "a multiple of n_kv_heads, at most 256");
  }
  if (!whole(c.ffn_dim, 64, 65536, 16)) return bad_field("ffn_dim", c.ffn_dim, "64 to 65536 and a multiple of 16");
  if (c.vocab != 258) return bad_field("vocab", c.vocab, "258 (256 bytes, a beginning and an end)");
  if (!whole(c.context, 1, 1u << 24, 1)) return bad_field("context", c.context, "1 to 16777216");
  if (!(std::isfinite(c.rope_base) && c.rope_base > 1)) return bad_field("rope_base", c.rope_base, "above 1");
  if (!(c.rms_eps > 0 && c.rms_eps < 1)) return bad_field("rms_eps", c.rms_eps, "between 0 and 1");
  return Status::ok();
}

}  // namespace

Status parse_weights(std::span<const std::byte> file, Weights* out) {
  if (file.size() < kHeaderBytes || std::memcmp(file.data(), kMagic, 8) != 0) {
    return error(KVC_E_CORRUPT, "these %zu bytes are not a weight file: it begins with %s", file.size(), kMagic);
  }
  if (reinterpret_cast<uintptr_t>(file.data()) % kAlignment != 0) {
    return error(KVC_E_INTERNAL, "the weights lie at %p, which is not a multiple of 64",
                 static_cast<const void*>(file.data()));
  }
  Weights w;
  uint32_t n[8];
  float f[2];
  std::memcpy(n, file.data() + 8, sizeof n);
  std::memcpy(f, file.data() + 8 + sizeof n, sizeof f);
  w.config = {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], f[0], f[1]};
  const Config& c = w.config;
  KVC_RETURN_IF_ERROR(check(c));

  Sections sections(file);
  w.embed = sections.matrix(c.vocab, c.d_model);
  w.layers.resize(c.n_layers);
  for (LayerWeights& layer : w.layers) {
    layer.attn_norm = sections.floats(c.d_model);
    layer.wq = sections.matrix(c.q_dim(), c.d_model);
    layer.wk = sections.matrix(c.kv_dim(), c.d_model);
    layer.wv = sections.matrix(c.kv_dim(), c.d_model);
    layer.wo = sections.matrix(c.d_model, c.q_dim());
    layer.ffn_norm = sections.floats(c.d_model);
    layer.w_gate = sections.matrix(c.ffn_dim, c.d_model);
    layer.w_up = sections.matrix(c.ffn_dim, c.d_model);
    layer.w_down = sections.matrix(c.d_model, c.ffn_dim);
  }
  w.final_norm = sections.floats(c.d_model);
  // Padding after the last section is allowed.
  if (file.size() < sections.end() || file.size() - sections.end() >= kAlignment) {
    return error(KVC_E_CORRUPT, "the weight file has %zu bytes, but its header asks for %zu", file.size(),
                 sections.end());
  }
  *out = std::move(w);
  return Status::ok();
}

}  // namespace kvc::builtin
