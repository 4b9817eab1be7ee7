#include "identity.h"

#include <algorithm>
#include <cstdlib>

#include "options.h"

namespace kvc_llama {

std::string Identity::metadata(const std::string& key) const {
  char text[256] = {};
  return lib_.llama_model_meta_val_str(model_, key.c_str(), text, sizeof text) >= 0 ? text : "";
}

double Identity::number(const std::string& key, double otherwise) const {
  const std::string text = metadata(arch_ + "." + key);
  return text.empty() ? otherwise : std::strtod(text.c_str(), nullptr);
}

// Everything that K/V depends on. The file's digest covers what the file says; what options change is said besides.
Identity::Identity(const Library& library, const llama_model* model, const IdentityInput& in, const PageCopier* copier)
    : lib_(library), model_(model), weights_digest_(in.weights_digest), adapters_(in.adapters) {
  char text[128] = {};
  lib_.llama_model_desc(model_, text, sizeof text);
  name_ = text;
  arch_ = metadata("general.architecture");

  space_.struct_size = sizeof space_;
  space_.label = name_.c_str();
  space_.weights_digest = space_.tokenizer_digest = weights_digest_.data();
  space_.weights_digest_size = space_.tokenizer_digest_size = weights_digest_.size();
  if (adapters_.empty()) {
    space_.none |= KVC_NONE_ADAPTERS;
  } else {
    space_.adapters = adapters_.data();
    space_.n_adapters = static_cast<uint32_t>(adapters_.size());
  }

  const int32_t heads = std::max(1, lib_.llama_model_n_head(model_));
  const auto head_dim = static_cast<uint32_t>(number("attention.key_length", lib_.llama_model_n_embd(model_) / heads));
  const int32_t rope_type = lib_.llama_model_rope_type(model_);
  if (rope_type == kRopeNone) {
    space_.none |= KVC_NONE_ROPE;
  } else {
    const double factor = number("rope.scaling.factor", 0);
    static constexpr const char* kScalings[] = {"none", "linear", "yarn", "longrope"};
    rope_scaling_ = metadata(arch_ + ".rope.scaling.type");
    if (in.rope_scaling >= 0 && in.rope_scaling <= kRopeScalingLong) rope_scaling_ = kScalings[in.rope_scaling];
    if (rope_scaling_.empty()) rope_scaling_ = factor != 0 ? "linear" : "none";
    rope_.struct_size = sizeof rope_;
    rope_.base = in.rope_base != 0 ? in.rope_base : number("rope.freq_base", 10000);
    rope_.freq_scale = in.rope_scale != 0 ? in.rope_scale : factor != 0 ? 1 / factor : 1;
    rope_.scaling = rope_scaling_.c_str();
    rope_.factor = factor;
    rope_.attn_factor = number("rope.scaling.attn_factor", 0);
    rope_.beta_fast = number("rope.scaling.yarn_beta_fast", 0);
    rope_.beta_slow = number("rope.scaling.yarn_beta_slow", 0);
    rope_.dims = std::max(1u, static_cast<uint32_t>(number("rope.dimension_count", head_dim)));
    rope_.original_context = in.yarn_context != 0
                                 ? in.yarn_context
                                 : static_cast<uint32_t>(number("rope.scaling.original_context_length", 0));
    rope_.interleaved = rope_type == kRopeNorm ? 1 : 0;
    rope_.applied = 1;
    space_.rope = &rope_;
  }

  // Quantised caches hold rotated rows, unless the environment says otherwise: of two equal layouts one is then
  // garbage.
  const char* no_rotation = std::getenv("LLAMA_ATTN_ROT_DISABLE");
  const bool rotates = (no_rotation == nullptr || std::atoi(no_rotation) == 0) && head_dim % 64 == 0;
  if (copier != nullptr) {
    for (const CacheShape& cache : copier->shape().caches) transposed_ = transposed_ || cache.transposed;
  }
  const auto yes = [](bool b) { return b ? "1" : "0"; };
  const std::string rotation = std::string(" rotated_k=") + yes(rotates && is_quantised(in.type_k)) +
                               " rotated_v=" + yes(rotates && is_quantised(in.type_v));
  attention_ = "llama.cpp=" + lib_.version + " k=" + type_name(in.type_k) + " v=" + type_name(in.type_v) + " flash=" +
               (in.flash == kFlashOn    ? "on"
                : in.flash == kFlashOff ? "off"
                                        : "auto") +
               " transposed=" + yes(transposed_) + rotation + " kept=" + (copier != nullptr ? "pages" : "states") +
               in.more;
  space_.attention = attention_.c_str();
  space_.vocab_size = lib_.llama_vocab_n_tokens(lib_.llama_model_get_vocab(model_));
  if (copier != nullptr) {
    const PageLayout& layout = copier->layout();
    space_.n_layers = layout.n_layers;
    space_.n_kv_heads = layout.n_heads;
    space_.k_head_dim = layout.k_dim;
    space_.v_head_dim = layout.v_dim;
    space_.dtype = layout.dtype;
  } else {
    // Pages then say which tokens there are; the states lie beside them.
    space_.n_layers = space_.n_kv_heads = space_.k_head_dim = space_.v_head_dim = 1;
    space_.dtype = KVC_U8;
  }
}

}  // namespace kvc_llama
