// What tests of llama.cpp share: models, contexts, decoding, states. One thread, so that numbers repeat to the bit.
#pragma once

#include <ggml-backend.h>
#include <gtest/gtest.h>
#include <llama.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kvc::llama_test {

using Tokens = std::vector<llama_token>;
using Logits = std::vector<float>;
using Blob = std::vector<uint8_t>;

// Loads ggml's libraries for this processor, once; llama.cpp's messages are dropped.
inline void start_llama() {
  static const bool started = [] {
    llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
    const char* lib = std::getenv("KVC_LLAMA_LIB");
    ggml_backend_load_all_from_path(lib != nullptr ? lib : KVC_TEST_LLAMA_LIB);
    llama_backend_init();
    return true;
  }();
  (void)started;
}

// The file of one of the small random models (make_models.py).
inline std::string model_file(const std::string& name) {
  return std::string(KVC_TEST_LLAMA_MODELS) + "/" + name + ".gguf";
}

// The file of a real model, empty if there is none.
inline std::string real_model_file() {
  const char* named = std::getenv("KVC_TEST_MODEL");
  const std::string file = named != nullptr ? named : KVC_TEST_REAL_MODEL;
  return access(file.c_str(), R_OK) == 0 ? file : "";
}

// A model is loaded once per program.
inline llama_model* model_of(const std::string& file) {
  struct Free {
    void operator()(llama_model* model) const { llama_model_free(model); }
  };
  static std::map<std::string, std::unique_ptr<llama_model, Free>> models;
  start_llama();
  std::unique_ptr<llama_model, Free>& model = models[file];
  if (!model) {
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = 0;
    model.reset(llama_model_load_from_file(file.c_str(), params));
  }
  return model.get();
}

inline llama_context_params context_params() {
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 1024;
  params.n_batch = 512;
  params.n_ubatch = 512;
  params.n_seq_max = 4;
  params.n_threads = params.n_threads_batch = 1;
  params.kv_unified = true;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
  params.swa_full = false;
  return params;
}

// A context with its own idea of nothing: positions are given by the caller.
class Context {
 public:
  explicit Context(const std::string& file, const llama_context_params& params = context_params())
      : model_(model_of(file)) {
    if (model_ != nullptr) context_ = llama_init_from_model(model_, params);
  }
  ~Context() {
    if (context_ != nullptr) llama_free(context_);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  llama_context* get() const { return context_; }
  llama_model* model() const { return model_; }
  llama_memory_t memory() const { return llama_get_memory(context_); }

  // Computes tokens at positions from `from` on; the logits after the last, empty if llama.cpp refuses.
  Logits decode(const Tokens& tokens, llama_pos from = 0, llama_seq_id sequence = 0) {
    llama_batch batch = llama_batch_init(static_cast<int32_t>(tokens.size()), 0, 1);
    batch.n_tokens = static_cast<int32_t>(tokens.size());
    for (int32_t i = 0; i < batch.n_tokens; ++i) {
      batch.token[i] = tokens[static_cast<size_t>(i)];
      batch.pos[i] = from + i;
      batch.n_seq_id[i] = 1;
      batch.seq_id[i][0] = sequence;
      batch.logits[i] = i + 1 == batch.n_tokens;
    }
    const int status = llama_decode(context_, batch);
    llama_batch_free(batch);
    if (status != 0) return {};
    const float* logits = llama_get_logits_ith(context_, -1);
    return Logits(logits, logits + llama_vocab_n_tokens(llama_model_get_vocab(model_)));
  }

  Blob state(llama_seq_id sequence = 0, llama_state_seq_flags flags = 0) {
    Blob blob(llama_state_seq_get_size_ext(context_, sequence, flags));
    blob.resize(llama_state_seq_get_data_ext(context_, blob.data(), blob.size(), sequence, flags));
    return blob;
  }
  bool set_state(const Blob& blob, llama_seq_id sequence = 0, llama_state_seq_flags flags = 0) {
    return llama_state_seq_set_data_ext(context_, blob.data(), blob.size(), sequence, flags) > 0;
  }
  void clear() { llama_memory_clear(memory(), true); }

 private:
  llama_model* const model_;
  llama_context* context_ = nullptr;
};

// Tokens of letters and spaces for the small models; other seeds, other text.
inline Tokens some_tokens(size_t n, uint32_t seed = 1) {
  Tokens tokens{1};
  uint32_t x = seed * 2654435761u + 1;
  while (tokens.size() < n) {
    x = x * 1664525u + 1013904223u;
    tokens.push_back((x >> 24) % 6 == 0 ? 259 : 3 + 'a' + static_cast<llama_token>((x >> 16) % 26));
  }
  return tokens;
}

inline Tokens first(const Tokens& tokens, size_t n) { return Tokens(tokens.begin(), tokens.begin() + n); }
inline Tokens after(const Tokens& tokens, size_t n) { return Tokens(tokens.begin() + n, tokens.end()); }

// The largest difference of two logits; infinite if they cannot be compared.
inline float difference(const Logits& a, const Logits& b) {
  if (a.size() != b.size() || a.empty()) return INFINITY;
  float largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float d = std::fabs(a[i] - b[i]);
    if (!(d <= largest)) largest = d;
  }
  return largest;
}

}  // namespace kvc::llama_test
