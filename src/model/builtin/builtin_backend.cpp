// The built-in model as a Backend: its tokens are bytes, its K/V lives in sessions only.
#include <cinttypes>
#include <cstring>

#include "base/hash.h"
#include "model/backend.h"
#include "model/builtin/decoder.h"
#include "model/builtin/weights.h"

namespace kvc {
namespace builtin {
namespace {

constexpr int32_t kBos = 256, kEos = 257;
constexpr std::string_view kTokenizer = "kvc bytes v1: 0-255 bytes, 256 bos, 257 eos";
// Of the weight file: computed by the build, because hashing it here would bring all of it into memory.
constexpr std::string_view kWeightsDigest = KVC_BUILTIN_WEIGHTS_SHA256;
static_assert(kWeightsDigest.size() == 64, "KVC_BUILTIN_WEIGHTS_SHA256: 64 hexadecimal digits");

std::array<uint8_t, 32> from_hex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::array<uint8_t, 32> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
  }
  return bytes;
}

class BuiltinBackend final : public Backend {
 public:
  explicit BuiltinBackend(Weights weights) : weights_(std::move(weights)), decoder_(&weights_, best_kernels()) {
    const Config& c = weights_.config;
    info_.name = "builtin";
    info_.vocab_size = c.vocab;
    info_.context = c.context;
    info_.bos = kBos;
    info_.eos = kEos;

    weights_digest_ = from_hex(kWeightsDigest);
    tokenizer_digest_ = digest_of(std::as_bytes(std::span(kTokenizer)));
    rope_.struct_size = sizeof rope_;
    rope_.base = c.rope_base;
    rope_.freq_scale = 1;
    rope_.scaling = "none";
    rope_.dims = c.head_dim;
    rope_.applied = 1;
    desc_.struct_size = sizeof desc_;
    desc_.label = "builtin";
    desc_.weights_digest = weights_digest_.data();
    desc_.weights_digest_size = weights_digest_.size();
    desc_.tokenizer_digest = tokenizer_digest_.bytes.data();
    desc_.tokenizer_digest_size = tokenizer_digest_.bytes.size();
    desc_.rope = &rope_;
    desc_.none = KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    desc_.n_layers = c.n_layers;
    desc_.n_kv_heads = c.n_kv_heads;
    desc_.k_head_dim = desc_.v_head_dim = c.head_dim;
    desc_.dtype = KVC_F16;
    desc_.page_tokens = kBlock;
    desc_.vocab_size = static_cast<int32_t>(c.vocab);
  }

  const ModelInfo& info() const noexcept override { return info_; }
  const kvc_space_desc_t& space_desc() const noexcept override { return desc_; }
  bool paged() const noexcept override { return true; }

  Status tokenise(std::string_view text, std::vector<int32_t>* out) override {
    out->reserve(out->size() + text.size());
    for (char c : text) out->push_back(static_cast<uint8_t>(c));
    return Status::ok();
  }

  Status detokenise(int32_t token, std::string* out) override {
    if (token < 0 || token >= desc_.vocab_size) return bad_token(token);
    if (token < kBos) out->push_back(static_cast<char>(token));
    return Status::ok();
  }

  Status sequence_open(uint64_t) override { return Status::ok(); }
  void sequence_close(uint64_t) noexcept override {}

  Status forward(std::span<const ForwardItem> items) override {
    for (const ForwardItem& item : items) KVC_RETURN_IF_ERROR(check(item));
    return decoder_.forward(items);
  }

  Status export_kv(uint64_t, Session*, uint32_t, uint32_t) override { return not_needed("export_kv"); }
  Status import_kv(uint64_t, Session*, std::span<const int32_t>, uint32_t) override { return not_needed("import_kv"); }
  Status truncate(uint64_t, uint32_t) override { return not_needed("truncate"); }

 private:
  Status check(const ForwardItem& item) const {
    if (item.session == nullptr) return error(KVC_E_NULL, "the built-in model got a sequence without a session");
    if (item.tokens.empty()) return error(KVC_E_INVALID, "the built-in model got a sequence without tokens");
    const PageGeometry& g = item.session->space().geometry();
    if (g.n_layers != desc_.n_layers || g.n_kv_heads != desc_.n_kv_heads || g.k_dim != kHeadDim ||
        g.v_dim != kHeadDim || g.dtype != DType::f16 || g.page_tokens != kBlock) {
      return error(KVC_E_SHAPE, "the session is not of the built-in model's space: open it with kvc_engine_space");
    }
    if (item.tokens.size() > info_.context || item.position > info_.context - item.tokens.size()) {
      return error(KVC_E_CONTEXT, "position %u and %zu tokens: the built-in model's context has %u tokens",
                   item.position, item.tokens.size(), info_.context);
    }
    const size_t has = item.session->appended(0);
    if (has != item.position) {
      return error(KVC_E_ORDER, "the next token is at position %u, but the session has %zu tokens", item.position, has);
    }
    for (int32_t token : item.tokens) {
      if (token < 0 || token >= desc_.vocab_size) return bad_token(token);
    }
    return Status::ok();
  }

  Status bad_token(int32_t token) const {
    return error(KVC_E_TOKEN, "token %d: the built-in model has tokens 0 to %d", token, desc_.vocab_size - 1);
  }

  static Status not_needed(const char* function) {
    return error(KVC_E_UNSUPPORTED, "%s: the built-in model keeps no K/V of its own", function);
  }

  const Weights weights_;
  Decoder decoder_;
  ModelInfo info_;
  kvc_space_desc_t desc_{};
  kvc_rope_t rope_{};
  std::array<uint8_t, 32> weights_digest_;
  Digest tokenizer_digest_;
};

}  // namespace
}  // namespace builtin

Status make_builtin_backend(std::unique_ptr<Backend>* out) {
  if (!hash_init()) return error(KVC_E_INTERNAL, "libsodium does not start on this machine; check its installation");
  builtin::Weights weights;
  KVC_RETURN_IF_ERROR(builtin::parse_weights(builtin::embedded_weights(), &weights));
  *out = std::make_unique<builtin::BuiltinBackend>(std::move(weights));
  return Status::ok();
}

}  // namespace kvc
