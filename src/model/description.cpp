#include "model/description.h"

#include <algorithm>
#include <cstring>

namespace kvc {
namespace {

// No public struct will be larger: a struct_size beyond is an uninitialised one.
constexpr size_t kLargestStruct = 4096;
constexpr size_t kLargestDigest = 64;
constexpr uint32_t kMostAdapters = 1024;
// Sizes at the first release, which older callers may still have.
constexpr size_t kFirstRope = 80, kFirstAdapter = 32, kFirstSpace = 112;

template <typename... Values>
Status bad(const char* format, Values... values) {
  return error(KVC_E_BACKEND, format, values...);
}

// A struct of any version: what it lacks is 0, what this library does not know must be 0.
template <typename T>
Status read_struct(const void* in, size_t size, size_t first_size, const char* name, T* out) {
  if (size < first_size || size > kLargestStruct) {
    return bad("the backend's describe set struct_size %zu in a %s: set it to sizeof, which is %zu here", size, name,
               sizeof(T));
  }
  const auto* bytes = static_cast<const unsigned char*>(in);
  for (size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0) {
      return bad("the backend's describe used a newer %s (%zu bytes) than this library knows (%zu)", name, size,
                 sizeof(T));
    }
  }
  std::memcpy(static_cast<void*>(out), in, std::min(size, sizeof(T)));
  out->struct_size = sizeof(T);
  return Status::ok();
}

// NULL with size 0 stays "left out": what must be there is the space's to say, where it is opened.
Status take_digest(const char* name, const void* data, size_t size, std::string* copy, const void** out,
                   size_t* out_size) {
  *out = nullptr;
  *out_size = size;
  if (data == nullptr && size == 0) return Status::ok();
  if (data == nullptr) return bad("the backend's describe gave a %s of %zu bytes at NULL", name, size);
  if (size > kLargestDigest) {
    return bad("the backend's describe gave a %s of %zu bytes: give 1 to %zu", name, size, kLargestDigest);
  }
  copy->assign(static_cast<const char*>(data), size);
  *out = copy->data();
  return Status::ok();
}

const char* take_text(const char* text, std::string* copy) {
  if (text == nullptr) return nullptr;
  *copy = text;
  return copy->c_str();
}

Status check_special(const char* name, int32_t token, int32_t vocab) {
  if (token >= -1 && token < vocab) return Status::ok();
  return bad("the backend's describe set %s to %d: give a token below vocab_size %d, or -1 for none", name, token,
             vocab);
}

}  // namespace

Status Description::take(const kvc_model_info_t& info) {
  if (info.space == nullptr) {
    return bad("the backend's describe set space to NULL: fill in the struct that it was given");
  }
  kvc_space_desc_t from{};
  KVC_RETURN_IF_ERROR(read_struct(info.space, info.space->struct_size, kFirstSpace, "kvc_space_desc_t", &from));
  if (from.vocab_size < 1) {
    return bad("the backend's describe set space.vocab_size to %d: it is the number of logits, at least 1",
               from.vocab_size);
  }
  if (info.context < 1) {
    return bad("the backend's describe set context to 0: it is the longest sequence in tokens, at least 1");
  }
  KVC_RETURN_IF_ERROR(check_special("bos", info.bos, from.vocab_size));
  KVC_RETURN_IF_ERROR(check_special("eos", info.eos, from.vocab_size));

  space_ = from;
  space_.label = take_text(from.label, &label_);
  space_.attention = take_text(from.attention, &attention_);
  KVC_RETURN_IF_ERROR(take_digest("weights_digest", from.weights_digest, from.weights_digest_size, &weights_,
                                  &space_.weights_digest, &space_.weights_digest_size));
  KVC_RETURN_IF_ERROR(take_digest("tokenizer_digest", from.tokenizer_digest, from.tokenizer_digest_size, &tokenizer_,
                                  &space_.tokenizer_digest, &space_.tokenizer_digest_size));
  KVC_RETURN_IF_ERROR(take_rope(from.rope));
  KVC_RETURN_IF_ERROR(take_adapters(from.adapters, from.n_adapters));

  model_.name = info.name != nullptr ? info.name : label_;
  model_.vocab_size = static_cast<uint32_t>(from.vocab_size);
  model_.context = info.context;
  model_.max_batch_tokens = info.max_batch_tokens;
  model_.bos = info.bos;
  model_.eos = info.eos;
  KVC_RETURN_IF_ERROR(take_ends(info, from.vocab_size));
  model_.total_tokens = info.total_tokens;
  model_.state_tokens = info.state_tokens;
  if (info.details != nullptr) model_.details = info.details;
  return Status::ok();
}

Status Description::take_ends(const kvc_model_info_t& info, int32_t vocab) {
  if (info.n_ends == 0) return Status::ok();
  if (info.ends == nullptr) return bad("the backend's describe set n_ends to %u, but ends to NULL", info.n_ends);
  if (info.n_ends > static_cast<uint32_t>(vocab)) {
    return bad("the backend's describe set n_ends to %u: its vocabulary has %d tokens", info.n_ends, vocab);
  }
  model_.ends.assign(info.ends, info.ends + info.n_ends);
  for (int32_t token : model_.ends) KVC_RETURN_IF_ERROR(check_special("one of ends", token, vocab));
  std::sort(model_.ends.begin(), model_.ends.end());
  return Status::ok();
}

Status Description::take_rope(const kvc_rope_t* rope) {
  space_.rope = nullptr;
  if (rope == nullptr) return Status::ok();
  KVC_RETURN_IF_ERROR(read_struct(rope, rope->struct_size, kFirstRope, "kvc_rope_t", &rope_));
  rope_.scaling = take_text(rope_.scaling, &rope_scaling_);
  space_.rope = &rope_;
  return Status::ok();
}

Status Description::take_adapters(const kvc_adapter_t* adapters, uint32_t n) {
  space_.adapters = nullptr;
  if (n == 0) return Status::ok();
  if (adapters == nullptr) return bad("the backend's describe set n_adapters to %u, but adapters to NULL", n);
  if (n > kMostAdapters) return bad("the backend's describe set n_adapters to %u: give at most %u", n, kMostAdapters);
  const size_t stride = adapters->struct_size;
  adapters_.resize(n);
  adapter_digests_.resize(n);
  for (uint32_t i = 0; i < n; ++i) {
    const char* at = reinterpret_cast<const char*>(adapters) + i * stride;
    size_t size;
    std::memcpy(&size, at, sizeof size);
    if (size != stride) {
      return bad("the backend's describe set struct_size %zu in adapter %u, but %zu in the first", size, i, stride);
    }
    kvc_adapter_t& copy = adapters_[i];
    KVC_RETURN_IF_ERROR(read_struct(at, stride, kFirstAdapter, "kvc_adapter_t", &copy));
    KVC_RETURN_IF_ERROR(take_digest("adapter's digest", copy.digest, copy.digest_size, &adapter_digests_[i],
                                    &copy.digest, &copy.digest_size));
  }
  space_.adapters = adapters_.data();
  return Status::ok();
}

}  // namespace kvc
