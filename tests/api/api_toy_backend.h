// A model so small that tests can tell its answers in advance, behind the public table of functions. Bytes are tokens;
// the answer counts up from the last byte of the prompt ("a" -> "bcd..."); K and V hold token and position, so that
// wrong ones are seen.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "kvc/kvc.h"

namespace kvc_test {

class ToyBackend {
 public:
  static constexpr int32_t kVocab = 256;
  static constexpr uint32_t kLayers = 2, kDim = 4;

  uint32_t context = 512;
  uint32_t page_tokens = 8;
  std::function<void()> in_describe, in_tokenize, in_destroy;
  std::function<kvc_status_t(const kvc_forward_t*, uint32_t, char*, size_t)> before_forward;
  std::atomic<int> destroyed{0};
  std::atomic<int> forwards{0};
  kvc_session_t* last_session = nullptr;  // of the last forward call: closed by now

  kvc_backend_t table() {
    kvc_backend_t t{};
    t.struct_size = sizeof t;
    t.user_data = this;
    t.kind = KVC_BACKEND_PAGED;
    t.describe = [](void* self, kvc_model_info_t* info, char*, size_t) {
      return static_cast<ToyBackend*>(self)->describe(info);
    };
    t.tokenize = [](void* self, const char* text, size_t size, int32_t* tokens, size_t capacity, size_t* n, char*,
                    size_t) {
      auto* toy = static_cast<ToyBackend*>(self);
      if (toy->in_tokenize) toy->in_tokenize();
      for (size_t i = 0; i < size && i < capacity; ++i) tokens[i] = static_cast<unsigned char>(text[i]);
      *n = size;
      return kvc_status_t{KVC_OK};
    };
    t.detokenize = [](void*, int32_t token, char* bytes, size_t capacity, size_t* size, char*, size_t) {
      if (capacity > 0) bytes[0] = static_cast<char>(token);
      *size = 1;
      return kvc_status_t{KVC_OK};
    };
    t.forward = [](void* self, const kvc_forward_t* items, uint32_t n, char* error, size_t error_size) {
      return static_cast<ToyBackend*>(self)->forward(items, n, error, error_size);
    };
    t.destroy = [](void* self) {
      auto* toy = static_cast<ToyBackend*>(self);
      if (toy->in_destroy) toy->in_destroy();
      ++toy->destroyed;
    };
    return t;
  }

 private:
  kvc_status_t describe(kvc_model_info_t* info) {
    if (in_describe) in_describe();
    info->name = "toy";
    info->space->weights_digest = "toy weights";
    info->space->weights_digest_size = 11;
    info->space->none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    info->space->n_layers = kLayers;
    info->space->n_kv_heads = 1;
    info->space->k_head_dim = kDim;
    info->space->dtype = KVC_F32;
    info->space->page_tokens = page_tokens;
    info->space->vocab_size = kVocab;
    info->context = context;
    info->bos = -1;
    info->eos = -1;
    return KVC_OK;
  }

  kvc_status_t forward(const kvc_forward_t* items, uint32_t n, char* error, size_t error_size) {
    ++forwards;
    if (before_forward) {
      const kvc_status_t status = before_forward(items, n, error, error_size);
      if (status != KVC_OK) return status;
    }
    for (uint32_t i = 0; i < n; ++i) {
      const kvc_forward_t& item = items[i];
      last_session = item.session;
      // The past must be what was appended: token and position in every row.
      if (item.position > 0) {
        std::vector<float> past(size_t{item.position} * kDim);
        kvc_tensor_t out;
        kvc_status_t status = kvc_tensor_thd(&out, past.data(), KVC_F32, item.position, 1, kDim);
        if (status == KVC_OK) status = kvc_session_read(item.session, 1, KVC_KEY, 0, item.position, &out);
        if (status != KVC_OK) return status;
        for (uint32_t t = 0; t < item.position; ++t) {
          if (past[t * kDim + 1] != static_cast<float>(t)) {
            std::snprintf(error, error_size, "row %u holds position %g", t, static_cast<double>(past[t * kDim + 1]));
            return KVC_E_USER;
          }
        }
      }
      std::vector<float> rows(size_t{item.n} * kDim);
      for (uint32_t t = 0; t < item.n; ++t) {
        rows[t * kDim] = static_cast<float>(item.tokens[t]);
        rows[t * kDim + 1] = static_cast<float>(item.position + t);
      }
      kvc_tensor_t tensor;
      kvc_status_t status = kvc_tensor_thd(&tensor, rows.data(), KVC_F32, item.n, 1, kDim);
      for (uint32_t layer = 0; layer < kLayers && status == KVC_OK; ++layer) {
        status = kvc_session_append(item.session, layer, &tensor, &tensor, item.n);
      }
      if (status != KVC_OK) {
        kvc_session_last_error(item.session, error, error_size);
        return status;
      }
      if (item.logits != nullptr) {
        for (int32_t v = 0; v < kVocab; ++v) item.logits[v] = 0;
        item.logits[(item.tokens[item.n - 1] + 1) % kVocab] = 1;
      }
    }
    return KVC_OK;
  }
};

// An engine around a ToyBackend.
class ToyEngine {
 public:
  explicit ToyEngine(ToyBackend* toy, const std::vector<std::pair<const char*, const char*>>& options = {}) {
    kvc_config_t* config = nullptr;
    EXPECT_EQ(KVC_OK, kvc_config_create(nullptr, &config));
    EXPECT_EQ(KVC_OK, kvc_config_set(config, "memory", "16MiB"));
    for (const auto& [key, value] : options) EXPECT_EQ(KVC_OK, kvc_config_set(config, key, value)) << key;
    const kvc_backend_t table = toy->table();
    EXPECT_EQ(KVC_OK, kvc_config_set_backend(config, &table));
    kvc_error_t error{};
    error.struct_size = sizeof error;
    EXPECT_EQ(KVC_OK, kvc_engine_create_with_error(config, &handle_, &error)) << error.message;
    kvc_config_destroy(config);
  }
  ~ToyEngine() { kvc_engine_destroy(handle_); }
  ToyEngine(const ToyEngine&) = delete;
  ToyEngine& operator=(const ToyEngine&) = delete;
  operator kvc_engine_t*() const { return handle_; }  // NOLINT: stands for its handle

 private:
  kvc_engine_t* handle_ = nullptr;
};

inline kvc_request_t toy_request(const char* prompt, uint32_t max_tokens = 4) {
  kvc_request_t request;
  EXPECT_EQ(KVC_OK, kvc_request_init(&request, sizeof request));
  request.prompt = prompt;
  request.max_tokens = max_tokens;
  return request;
}

}  // namespace kvc_test
