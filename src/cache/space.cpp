#include "cache/space.h"

#include <charconv>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

namespace kvc {
namespace {

void append_u64(std::string* out, uint64_t value) {
  for (int i = 0; i < 8; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

// As people write it: 10000 and 500000 in full, else the shortest form that reads back as the same number.
std::string real_text(double value) {
  char text[64];
  if (value == std::floor(value) && std::fabs(value) < 1e15) {
    std::snprintf(text, sizeof text, "%.0f", value);
    return text;
  }
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

// Collects fields. Each is hashed as type, name and bytes, all framed by their lengths, so that no two lists of fields
// have the same preimage.
struct Space::Builder {
  std::vector<Field> fields;

  void raw(char type, std::string name, std::string bytes, std::string text) {
    std::string framed(1, type);
    append_u64(&framed, name.size());
    framed += name;
    append_u64(&framed, bytes.size());
    framed += bytes;
    fields.push_back({std::move(name), std::move(framed), std::move(text)});
  }
  void integer(const char* name, int64_t value) {
    std::string bytes;
    append_u64(&bytes, static_cast<uint64_t>(value));
    raw('i', name, std::move(bytes), std::to_string(value));
  }
  void word(const char* name, int64_t value, const char* text) {
    std::string bytes;
    append_u64(&bytes, static_cast<uint64_t>(value));
    raw('i', name, std::move(bytes), text);
  }
  void real(std::string name, double value) {
    if (value == 0) value = 0;  // -0 and 0 are the same parameter
    uint64_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    std::string bytes;
    append_u64(&bytes, bits);
    raw('r', std::move(name), std::move(bytes), real_text(value));
  }
  void text(const char* name, std::string_view value) { raw('t', name, std::string(value), std::string(value)); }
  void digest(std::string name, const void* data, size_t size) {
    const auto* bytes = static_cast<const uint8_t*>(data);
    raw('d', std::move(name), std::string(reinterpret_cast<const char*>(bytes), size), to_hex({bytes, size}));
  }
  void none(const char* name) { raw('n', name, "", "none"); }
};

namespace {

Status missing(const char* field, const char* flag) {
  return error(KVC_E_IDENTITY,
               "the space's %s is left out: give it%s%s%s, because K/V of different models must never meet", field,
               flag[0] != 0 ? ", or set " : "", flag, flag[0] != 0 ? " in `none` if the model has none" : "");
}

Status both(const char* field, const char* flag) {
  return error(KVC_E_IDENTITY, "the space's %s is given and `none` has %s as well: say one of the two", field, flag);
}

Status check_digest(const char* field, const void* data, size_t size) {
  if (data == nullptr) return error(KVC_E_NULL, "%s is NULL but its size is %zu: give 1 to 64 bytes", field, size);
  if (size < 1 || size > 64) return error(KVC_E_OUT_OF_RANGE, "%s has %zu bytes: give 1 to 64", field, size);
  return Status::ok();
}

Status check_range(const char* field, uint64_t value, uint64_t low, uint64_t high) {
  if (value >= low && value <= high) return Status::ok();
  return error(KVC_E_OUT_OF_RANGE, "the space's %s is %" PRIu64 ": give %" PRIu64 " to %" PRIu64, field, value, low,
               high);
}

Status check_rope(const kvc_rope_t& rope) {
  const double reals[] = {rope.base, rope.freq_scale, rope.factor, rope.attn_factor, rope.beta_fast, rope.beta_slow};
  for (double r : reals) {
    if (!std::isfinite(r)) return error(KVC_E_OUT_OF_RANGE, "a RoPE parameter is not a finite number");
  }
  if (rope.base <= 0)
    return error(KVC_E_OUT_OF_RANGE, "the RoPE base is %g: give a number above 0, e.g. 10000", rope.base);
  if (rope.dims == 0) return missing("RoPE dims (dimensions of a head that turn)", "");
  return Status::ok();
}

}  // namespace

Status Space::make(const kvc_space_desc_t& desc, const Defaults& defaults, std::shared_ptr<const Space>* out) {
  Builder b;
  constexpr uint32_t kAllNone = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
  if ((desc.none & ~kAllNone) != 0)
    return error(KVC_E_INVALID, "the space's `none` has unknown bits 0x%x", desc.none & ~kAllNone);

  if (desc.weights_digest == nullptr && desc.weights_digest_size == 0) return missing("weights_digest", "");
  KVC_RETURN_IF_ERROR(check_digest("weights_digest", desc.weights_digest, desc.weights_digest_size));
  b.digest("weights", desc.weights_digest, desc.weights_digest_size);

  const bool has_tokenizer = desc.tokenizer_digest != nullptr || desc.tokenizer_digest_size != 0;
  const bool no_tokenizer = (desc.none & KVC_NONE_TOKENIZER) != 0;
  if (has_tokenizer && no_tokenizer) return both("tokenizer_digest", "KVC_NONE_TOKENIZER");
  if (!has_tokenizer && !no_tokenizer) return missing("tokenizer_digest", "KVC_NONE_TOKENIZER");
  if (has_tokenizer) {
    KVC_RETURN_IF_ERROR(check_digest("tokenizer_digest", desc.tokenizer_digest, desc.tokenizer_digest_size));
    b.digest("tokenizer", desc.tokenizer_digest, desc.tokenizer_digest_size);
  } else {
    b.none("tokenizer");
  }

  const bool no_rope = (desc.none & KVC_NONE_ROPE) != 0;
  if (desc.rope != nullptr && no_rope) return both("rope", "KVC_NONE_ROPE");
  if (desc.rope == nullptr && !no_rope) return missing("rope", "KVC_NONE_ROPE");
  if (desc.rope != nullptr) {
    const kvc_rope_t& rope = *desc.rope;
    KVC_RETURN_IF_ERROR(check_rope(rope));
    b.real("rope_base", rope.base);
    b.real("rope_freq_scale", rope.freq_scale);
    b.text("rope_scaling", rope.scaling != nullptr ? rope.scaling : "none");
    b.real("rope_factor", rope.factor);
    b.real("rope_attn_factor", rope.attn_factor);
    b.real("rope_beta_fast", rope.beta_fast);
    b.real("rope_beta_slow", rope.beta_slow);
    b.integer("rope_dims", rope.dims);
    b.integer("rope_original_context", rope.original_context);
    b.word("rope_pairs", rope.interleaved != 0, rope.interleaved != 0 ? "interleaved" : "halves");
    b.word("rope_applied", rope.applied != 0, rope.applied != 0 ? "yes" : "no");
  } else {
    b.none("rope");
  }

  const bool no_adapters = (desc.none & KVC_NONE_ADAPTERS) != 0;
  if (desc.n_adapters != 0 && no_adapters) return both("adapters", "KVC_NONE_ADAPTERS");
  if (desc.n_adapters == 0 && !no_adapters) return missing("adapters", "KVC_NONE_ADAPTERS");
  KVC_RETURN_IF_ERROR(check_range("n_adapters", desc.n_adapters, 0, 1024));
  b.integer("adapters", desc.n_adapters);
  for (uint32_t i = 0; i < desc.n_adapters; ++i) {
    if (desc.adapters == nullptr) return error(KVC_E_NULL, "adapters is NULL but n_adapters is %u", desc.n_adapters);
    const kvc_adapter_t& adapter = desc.adapters[i];
    const std::string name = "adapter_" + std::to_string(i);
    KVC_RETURN_IF_ERROR(check_digest((name + " digest").c_str(), adapter.digest, adapter.digest_size));
    if (!std::isfinite(adapter.scale))
      return error(KVC_E_OUT_OF_RANGE, "%s's scale is not a finite number", name.c_str());
    b.digest(name, adapter.digest, adapter.digest_size);
    b.real(name + "_scale", adapter.scale);
  }

  const bool no_attention = (desc.none & KVC_NONE_ATTENTION) != 0;
  if (desc.attention != nullptr && no_attention) return both("attention", "KVC_NONE_ATTENTION");
  if (desc.attention == nullptr && !no_attention) return missing("attention", "KVC_NONE_ATTENTION");
  if (desc.attention != nullptr) {
    b.text("attention", desc.attention);
  } else {
    b.none("attention");
  }

  auto space = std::make_shared<Space>();
  PageGeometry& g = space->geometry_;
  g.n_layers = desc.n_layers;
  g.n_kv_heads = desc.n_kv_heads != 0 ? desc.n_kv_heads : defaults.n_kv_heads;
  g.k_dim = desc.k_head_dim != 0 ? desc.k_head_dim : defaults.head_dim;
  g.v_dim = desc.v_head_dim != 0 ? desc.v_head_dim : g.k_dim;
  g.page_tokens = desc.page_tokens != 0 ? desc.page_tokens : defaults.page_tokens;
  if (!parse_dtype(desc.dtype, &g.dtype)) {
    return error(KVC_E_DTYPE, "the space's dtype is %d: give KVC_F32, KVC_F16, KVC_BF16 or KVC_U8", desc.dtype);
  }
  KVC_RETURN_IF_ERROR(check_range("n_layers", g.n_layers, 1, 1024));
  KVC_RETURN_IF_ERROR(check_range("n_kv_heads", g.n_kv_heads, 1, 1024));
  KVC_RETURN_IF_ERROR(check_range("k_head_dim", g.k_dim, 1, 8192));
  KVC_RETURN_IF_ERROR(check_range("v_head_dim", g.v_dim, 1, 8192));
  KVC_RETURN_IF_ERROR(check_range("page_tokens", g.page_tokens, 1, 4096));
  KVC_RETURN_IF_ERROR(check_range("page size in bytes", g.page_bytes(), 1, UINT32_MAX));
  if (desc.vocab_size < 0)
    return error(KVC_E_OUT_OF_RANGE, "the space's vocab_size is %d: give 0 (unknown) or more", desc.vocab_size);
  b.integer("layers", g.n_layers);
  b.integer("kv_heads", g.n_kv_heads);
  b.integer("k_head_dim", g.k_dim);
  b.integer("v_head_dim", g.v_dim);
  b.word("dtype", desc.dtype, dtype_name(g.dtype));
  b.integer("page_tokens", g.page_tokens);
  b.integer("vocab_size", desc.vocab_size);

  if (desc.rope != nullptr) {
    const kvc_rope_t& rope = *desc.rope;
    const std::string_view scaling = rope.scaling != nullptr ? rope.scaling : "none";
    const bool plain = scaling == "none" && rope.freq_scale > 0 && (rope.attn_factor == 0 || rope.attn_factor == 1);
    if (plain && rope.applied != 0 && rope.dims % 2 == 0 && rope.dims <= g.k_dim) {
      space->key_rope_ = make_key_rope(rope.base, rope.freq_scale, rope.dims, rope.interleaved != 0);
    }
  }
  space->label_ = desc.label != nullptr ? desc.label : "";
  space->vocab_size_ = desc.vocab_size;
  space->token_width_ = desc.vocab_size > 0 && desc.vocab_size <= 65536 ? 2 : 4;
  space->fields_ = std::move(b.fields);
  std::string preimage = "kvc space v1";
  for (const Field& field : space->fields_) preimage += field.bytes;
  space->digest_ = digest_of(std::as_bytes(std::span(preimage.data(), preimage.size())));
  *out = std::move(space);
  return Status::ok();
}

Status Space::check_tokens(std::span<const int32_t> tokens) const {
  // Branch-free over the whole prompt; only a failing one is looked through.
  const auto limit = vocab_size_ > 0 ? static_cast<uint32_t>(vocab_size_) : uint32_t{1} << 31;
  uint32_t bad = 0;
  for (int32_t token : tokens) bad |= static_cast<uint32_t>(static_cast<uint32_t>(token) >= limit);
  if (bad == 0) return Status::ok();
  size_t i = 0;
  while (static_cast<uint32_t>(tokens[i]) < limit) ++i;
  if (tokens[i] < 0) return error(KVC_E_TOKEN, "token %zu is %d: tokens are 0 or more", i, tokens[i]);
  return error(KVC_E_TOKEN, "token %zu is %d, but the vocabulary has %d tokens (0 to %d)", i, tokens[i], vocab_size_,
               vocab_size_ - 1);
}

std::string Space::diff(const Space& other) const {
  std::string text;
  const auto add = [&text](const std::string& name, const std::string& left, const std::string& right) {
    const auto shorten = [](const std::string& s) { return s.size() > 64 ? s.substr(0, 64) + "..." : s; };
    if (!text.empty()) text += "; ";
    text += name + " " + shorten(left) + " != " + shorten(right);
  };
  const auto lookup = [](const std::vector<Field>& fields, const std::string& name) -> const Field* {
    for (const Field& field : fields) {
      if (field.name == name) return &field;
    }
    return nullptr;
  };
  // A field that only one side has (a second adapter, RoPE parameters against "none") is absent on the other.
  for (const Field& field : fields_) {
    const Field* twin = lookup(other.fields_, field.name);
    if (twin == nullptr) {
      add(field.name, field.text, "absent");
    } else if (twin->bytes != field.bytes) {
      add(field.name, field.text, twin->text);
    }
  }
  for (const Field& field : other.fields_) {
    if (lookup(fields_, field.name) == nullptr) add(field.name, "absent", field.text);
  }
  return text;
}

}  // namespace kvc
