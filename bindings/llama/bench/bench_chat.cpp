// Ten turns about one document, of about 4,096 tokens at the end. Two conversations with documents of their own take turns, as
// on a server: no conversation finds in place what it left.
//
// Both ways have room for one conversation in llama.cpp's own cache.
// kvc's engine against llama.cpp that keeps states of whole conversations (prompt_cache.h), turn by turn. Recomputing is so
// slow that only the first conversation is measured with it. And once more two conversations about one document.
#include <algorithm>
#include <memory>

#include "bench.h"
#include "prompt_cache.h"
#include "text.h"

namespace kvc_llama {
namespace {

using kvc::cli::Engine;

constexpr size_t kTurns = 10, kAnswer = 16, kQuestionWords = 20;
constexpr size_t kConversations = 2;

// Who answers, and what each turn of each conversation took at best.
struct Way {
  std::vector<double> seconds = std::vector<double>(kTurns * kConversations, 1e9);
  std::vector<Tokens> history = std::vector<Tokens>(kConversations);
  std::vector<Tokens> answers = std::vector<Tokens>(kTurns * kConversations);
  double total(size_t conversations = kConversations) const {
    double sum = 0;
    for (size_t i = 0; i < seconds.size(); ++i) sum += i % kConversations < conversations ? seconds[i] : 0;
    return sum;
  }
};

template <typename Answer>
void turn(const Setup& setup, Way* way, size_t turn, size_t conversation, const Tokens& question, const Answer& answer) {
  Tokens& history = way->history[conversation];
  history.insert(history.end(), question.begin(), question.end());
  const size_t index = turn * kConversations + conversation;
  const double start = setup.now();
  Tokens said = answer(history);
  way->seconds[index] = std::min(way->seconds[index], setup.now() - start);
  history.insert(history.end(), said.begin(), said.end());
  way->answers[index] = std::move(said);
}

double equal_share(const Way& a, const Way& b) {
  size_t equal = 0;
  for (size_t i = 0; i < a.answers.size(); ++i) equal += a.answers[i] == b.answers[i];
  return static_cast<double>(equal) / static_cast<double>(a.answers.size());
}

struct Chat {
  const Setup& setup;
  kvc::cli::Report* report;
  LlamaLoop loop;
  size_t document_tokens, context;

  Chat(const Setup& of, kvc::cli::Report* to)
      : setup(of), report(to), loop(*of.library, of.model, static_cast<uint32_t>(of.tokens(4096) + 1024), of.threads),
        document_tokens(of.tokens(3648)), context(of.tokens(4096) + 1024) {}

  Tokens question(size_t turn, size_t conversation, uint32_t seed) {
    Tokens tokens = loop.tokenize("\n\n" + words(kQuestionWords, seed * 1000 + static_cast<uint32_t>(turn * 10 + conversation)) +
                                  "?\n");
    tokens.resize(std::min<size_t>(tokens.size(), 28));
    return tokens;
  }

  void begin(Way* way, uint32_t seed, bool shared) {
    for (size_t c = 0; c < kConversations; ++c) {
      way->history[c] = loop.tokenize(words(document_tokens, seed * 100 + (shared ? 0 : static_cast<uint32_t>(c))));
      way->history[c].resize(document_tokens);
    }
  }

  // Both ways turn by turn. Fresh caches each round.
  void compare(bool shared, int rounds, Way* with, Way* peer, size_t* peer_cached, size_t* kvc_cached) {
    for (int round = 0; round < rounds; ++round) {
      const Engine engine = open_engine(setup, context, context, 4);
      PromptCacheServer server(&loop);
      begin(with, 1, shared);
      begin(peer, 1, shared);
      *kvc_cached = 0;
      for (size_t t = 0; t < kTurns; ++t) {
        for (size_t c = 0; c < kConversations; ++c) {
          report->progress().show(kvc::cli::format("chat%s: round %d of %d, turn %zu of %zu",
                                                   shared ? " about one document" : "", round + 1, rounds, t + 1, kTurns));
          const Tokens asked = question(t, c, 1);
          turn(setup, with, t, c, asked, [&](const Tokens& prompt) {
            size_t cached = 0;
            Tokens answer = process(engine, prompt, kAnswer, false, &cached);
            *kvc_cached += cached;
            return answer;
          });
          turn(setup, peer, t, c, asked, [&](const Tokens& prompt) { return server.answer(prompt, kAnswer); });
        }
      }
      *peer_cached = server.cached_tokens();
    }
  }

  // The first conversation, each prompt computed from its beginning.
  void recompute(Way* way) {
    begin(way, 1, false);
    for (size_t t = 0; t < kTurns; ++t) {
      report->progress().show(kvc::cli::format("chat without a cache: turn %zu of %zu", t + 1, kTurns));
      turn(setup, way, t, 0, question(t, 0, 1), [&](const Tokens& prompt) {
        loop.clear();
        return loop.answer(prompt, 0, kAnswer);
      });
    }
    for (size_t t = 0; t < kTurns; ++t) way->seconds[t * kConversations + 1] = 0;
  }
};

}  // namespace

void bench_chat(const Setup& setup, kvc::cli::Report* report) {
  Chat chat(setup, report);
  Way with, peer, without;
  size_t kvc_cached = 0, peer_cached = 0;
  chat.compare(false, setup.rounds, &with, &peer, &peer_cached, &kvc_cached);
  chat.recompute(&without);
  report->add("chat_speedup_vs_recompute", without.total(1) / with.total(1));
  report->add("chat_speedup_vs_prompt_cache", peer.total() / with.total());
  report->add("chat_seconds", with.total(1));
  report->add("chat_seconds_recompute", without.total(1));
  report->add("chat_seconds_two", with.total());
  report->add("chat_seconds_two_prompt_cache", peer.total());
  double later_with = 0, later_peer = 0;
  for (size_t i = kConversations; i < with.seconds.size(); ++i) later_with += with.seconds[i], later_peer += peer.seconds[i];
  report->add("chat_speedup_vs_prompt_cache_later_turns", later_peer / later_with);
  report->add("chat_tokens_at_end", static_cast<double>(with.history[0].size()));
  report->add("chat_tokens_cached", static_cast<double>(kvc_cached));
  report->add("chat_tokens_cached_prompt_cache", static_cast<double>(peer_cached));
  report->add("chat_answers_equal", equal_share(with, peer));

  Way shared_with, shared_peer;
  chat.compare(true, 1, &shared_with, &shared_peer, &peer_cached, &kvc_cached);
  report->add("chat_speedup_vs_prompt_cache_one_document", shared_peer.total() / shared_with.total());
  report->add("chat_one_document_tokens_cached", static_cast<double>(kvc_cached));
  report->add("chat_one_document_tokens_cached_prompt_cache", static_cast<double>(peer_cached));
}

}  // namespace kvc_llama
