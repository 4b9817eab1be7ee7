#include "llama_loop.h"

#include <algorithm>

#include "failure.h"

namespace kvc_llama {
namespace {

constexpr size_t kBatch = 512;  // llama.cpp's default n_ubatch

}  // namespace

LlamaLoop::LlamaLoop(const Library& library, const std::string& model_file, uint32_t n_ctx, uint32_t threads,
                     uint32_t sequences)
    : library_(library),
      positions_(kBatch),
      sequence_counts_(kBatch, 1),
      sequences_(kBatch, &sequence_),
      outputs_(kBatch) {
  model_params of_model = library.model_defaults;
  of_model.n_gpu_layers = 0;
  model_ = library.llama_model_load_from_file(model_file.c_str(), of_model);
  if (model_ == nullptr) fail(KVC_E_BACKEND, "llama.cpp cannot load '%s': %s", model_file.c_str(), take_log().c_str());
  context_params of_context = library.context_defaults;
  of_context.n_ctx = n_ctx;
  of_context.n_batch = of_context.n_ubatch = kBatch;
  of_context.n_seq_max = sequences;
  of_context.kv_unified = true;
  of_context.n_threads = of_context.n_threads_batch = static_cast<int32_t>(threads);
  of_context.flash_attn_type = kFlashOn;
  context_ = library.llama_init_from_model(model_, of_context);
  if (context_ == nullptr) {
    library.llama_model_free(model_);
    fail(KVC_E_BACKEND, "llama.cpp makes no context of %u tokens: %s", n_ctx, take_log().c_str());
  }
  vocab_ = library.llama_model_get_vocab(model_);
  n_vocab_ = static_cast<uint32_t>(library.llama_vocab_n_tokens(vocab_));
}

LlamaLoop::~LlamaLoop() {
  library_.llama_free(context_);
  library_.llama_model_free(model_);
}

Tokens LlamaLoop::tokenize(const std::string& text) const {
  Tokens tokens(text.size() + 8);
  const int32_t n = library_.llama_tokenize(vocab_, text.data(), static_cast<int32_t>(text.size()), tokens.data(),
                                            static_cast<int32_t>(tokens.size()), true, false);
  if (n < 0) fail(KVC_E_BACKEND, "llama.cpp cannot tokenize %zu bytes", text.size());
  tokens.resize(static_cast<size_t>(n));
  return tokens;
}

int32_t LlamaLoop::forward(const Tokens& tokens, size_t from) {
  for (size_t n; from < tokens.size(); from += n) {
    n = std::min(kBatch, tokens.size() - from);
    for (size_t i = 0; i < n; ++i) {
      positions_[i] = static_cast<int32_t>(from + i);
      outputs_[i] = from + i + 1 == tokens.size();
    }
    const batch step{static_cast<int32_t>(n),  const_cast<int32_t*>(tokens.data() + from), nullptr, positions_.data(),
                     sequence_counts_.data(), sequences_.data(), outputs_.data()};
    const int32_t status = library_.llama_decode(context_, step);
    if (status != 0) fail(KVC_E_BACKEND, "llama_decode says %d: %s", status, take_log().c_str());
  }
  const float* logits = library_.llama_get_logits_ith(context_, -1);
  return static_cast<int32_t>(std::max_element(logits, logits + n_vocab_) - logits);
}

Tokens LlamaLoop::answer(Tokens prompt, size_t from, size_t most) {
  Tokens answer;
  int32_t next = forward(prompt, from);
  while (answer.size() < most && !ends(next)) {
    answer.push_back(next);
    if (answer.size() == most) break;
    from = prompt.size();
    prompt.push_back(next);
    next = forward(prompt, from);
  }
  return answer;
}

void LlamaLoop::clear() { library_.llama_memory_clear(library_.llama_get_memory(context_), false); }

void LlamaLoop::truncate(size_t n) {
  library_.llama_memory_seq_rm(library_.llama_get_memory(context_), 0, static_cast<int32_t>(n), -1);
}

size_t LlamaLoop::state_size() { return library_.llama_state_seq_get_size(context_, 0); }

void LlamaLoop::get_state(Bytes* bytes) {
  if (library_.llama_state_seq_get_data(context_, bytes->data(), bytes->size(), 0) != bytes->size())
    fail(KVC_E_BACKEND, "llama_state_seq_get_data gave less than the %zu bytes that it announced", bytes->size());
}

void LlamaLoop::set_state(const Bytes& bytes) {
  if (library_.llama_state_seq_set_data(context_, bytes.data(), bytes.size(), 0) != bytes.size())
    fail(KVC_E_BACKEND, "llama_state_seq_set_data does not take the state that it gave: %s", take_log().c_str());
}

}  // namespace kvc_llama
