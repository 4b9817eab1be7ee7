#include "prompt_cache.h"

#include <algorithm>

namespace kvc_llama {
namespace {

double share(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

size_t common_prefix(const Tokens& a, const Tokens& b) {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first - a.begin());
}

void PromptCacheServer::save() {
  if (slot_.empty()) return;
  states_.remove_if([&](const State& state) { return common_prefix(state.tokens, slot_) == state.tokens.size(); });
  states_.push_back({slot_, Bytes(loop_.state_size())});
  loop_.get_state(&states_.back().data);
}

void PromptCacheServer::load(const Tokens& prompt) {
  const size_t held = common_prefix(slot_, prompt);
  double keep = slot_.empty() ? -1 : share(held, slot_.size()), similar = share(held, prompt.size());
  auto best = states_.end();
  for (auto state = states_.begin(); state != states_.end(); ++state) {
    const size_t n = common_prefix(state->tokens, prompt);
    const double state_keep = share(n, state->tokens.size()), state_similar = share(n, prompt.size());
    if (state_keep >= 0.25 && state_keep > keep && state_similar > similar) {
      best = state;
      keep = state_keep;
      similar = state_similar;
    }
  }
  if (best == states_.end()) return;
  loop_.set_state(best->data);
  slot_ = std::move(best->tokens);
  states_.erase(best);
}

Tokens PromptCacheServer::answer(const Tokens& prompt, size_t most) {
  const size_t held = common_prefix(slot_, prompt);
  if (share(held, prompt.size()) <= 0.1 || share(held, slot_.size()) < 0.5) {
    save();
    load(prompt);
  }
  const size_t from = std::min(common_prefix(slot_, prompt), prompt.size() - 1);
  loop_.truncate(from);
  cached_tokens_ += from;
  const Tokens answer = loop_.answer(prompt, from, most);
  slot_ = prompt;
  // The last token of an answer that was cut at `most` has not been computed on.
  slot_.insert(slot_.end(), answer.begin(), answer.end() - (answer.size() == most ? 1 : 0));
  return answer;
}

}  // namespace kvc_llama
