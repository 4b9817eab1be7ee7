// llama.cpp alone, as a program without kvc uses it: one model, one context, one sequence, the likeliest token. What kvc is
// measured against, and what the peers in prompt_cache.h are built on.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "library.h"

namespace kvc_llama {

using Tokens = std::vector<int32_t>;
using Bytes = std::vector<uint8_t>;

class LlamaLoop {
 public:
  // Throws Failure if the model or the context cannot be had. threads: of llama.cpp's computing. sequences: that share the
  // cells of the context; all calls here are about the first.
  LlamaLoop(const Library& library, const std::string& model_file, uint32_t n_ctx, uint32_t threads,
            uint32_t sequences = 1);
  ~LlamaLoop();
  LlamaLoop(const LlamaLoop&) = delete;
  LlamaLoop& operator=(const LlamaLoop&) = delete;

  Tokens tokenize(const std::string& text) const;
  bool ends(int32_t token) const { return library_.llama_vocab_is_eog(vocab_, token); }

  // Computes tokens [from, tokens.size()) behind the `from` that the sequence holds; the likeliest next token.
  int32_t forward(const Tokens& tokens, size_t from);
  // Answers a prompt of which the sequence holds the first `from` tokens: at most `most` tokens, less where the model
  // ends. The sequence then holds the prompt and the answer, without the last token of one of `most` tokens.
  Tokens answer(Tokens prompt, size_t from, size_t most);

  void clear();
  // Cuts the sequence to its first n tokens.
  void truncate(size_t n);
  // llama_state_seq_get_data and _set_data of the whole sequence.
  size_t state_size();
  void get_state(Bytes* bytes);
  void set_state(const Bytes& bytes);

  llama_context* context() const { return context_; }
  const llama_model* model() const { return model_; }
  uint32_t n_vocab() const { return n_vocab_; }

 private:
  const Library& library_;
  llama_model* model_ = nullptr;
  llama_context* context_ = nullptr;
  const llama_vocab* vocab_ = nullptr;
  uint32_t n_vocab_ = 0;
  Tokens positions_, sequence_counts_;
  std::vector<int32_t*> sequences_;
  std::vector<int8_t> outputs_;
  int32_t sequence_ = 0;
};

}  // namespace kvc_llama
