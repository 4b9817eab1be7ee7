// A peer of kvc: what llama-server keeps in memory between prompts, with one slot, made after its observable rules
// (release v0.5.0, options --cache-ram and --slot-prompt-similarity at their defaults):
//
// - The slot holds the last prompt and answer. A new prompt that shares more than a tenth of itself with them continues
//   from the shared prefix, and only if that would drop more than half of what the slot holds, or if less is shared, the
//   slot's whole state is first copied to the cache (llama_state_seq_get_data).
// - Then the cached state that shares the most is copied back (llama_state_seq_set_data), if it shares more of itself
//   and of the prompt than the slot does, and at least a quarter of itself; it leaves the cache.
// - States that are a prefix of what is saved leave the cache. It holds 8 GiB, which no measurement here reaches.
//
// Threads: one at a time.
#pragma once

#include <list>

#include "llama_loop.h"

namespace kvc_llama {

class PromptCacheServer {
 public:
  explicit PromptCacheServer(LlamaLoop* loop) : loop_(*loop) { loop_.clear(); }
  Tokens answer(const Tokens& prompt, size_t most);
  // Prompt tokens that were not computed, so far.
  size_t cached_tokens() const { return cached_tokens_; }

 private:
  struct State {
    Tokens tokens;
    Bytes data;
  };
  void save();
  void load(const Tokens& prompt);

  LlamaLoop& loop_;
  Tokens slot_;  // what the sequence holds
  std::list<State> states_;
  size_t cached_tokens_ = 0;
};

// Number of tokens that two lists begin with alike.
size_t common_prefix(const Tokens& a, const Tokens& b);

}  // namespace kvc_llama
