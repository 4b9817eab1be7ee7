// Time to the first token of a long prompt: cold, and when its prefix is in kvc's pages; and what storing costs the cold one.
#include <algorithm>

#include "bench.h"
#include "text.h"

namespace kvc_llama {
namespace {

using kvc::cli::Engine;
using kvc::cli::Failure;

}  // namespace

void bench_first_token(const Setup& setup, kvc::cli::Report* report) {
  const size_t length = setup.tokens(2048);
  LlamaLoop alone(*setup.library, setup.model, static_cast<uint32_t>(length + 256), setup.threads);
  const auto prompt_of = [&](uint32_t seed) {
    Tokens tokens = alone.tokenize(words(length, seed));
    if (tokens.size() < length) throw Failure("the text for the measurement is too short");
    tokens.resize(length);
    return tokens;
  };
  // No sequence stays in llama.cpp: what is found comes from kvc's pages.
  const Engine engine = open_engine(setup, length + 256, length + 256, 0);
  const auto timed = [&](const Tokens& prompt, bool no_cache, size_t expect_cached) {
    size_t cached = 0;
    const double start = setup.now();
    const Tokens answer = process(engine, prompt, 1, no_cache, &cached);
    const double seconds = setup.now() - start;
    if (cached < expect_cached || (expect_cached == 0 && cached > 1))
      throw Failure(kvc::cli::format("%zu tokens of the prompt were found in the cache, where %zu were to be", cached, expect_cached));
    return std::pair(seconds, answer);
  };
  timed(prompt_of(999), true, 0);  // memory is touched, threads are there

  double cold = 1e9, unstored = 1e9, warm = 1e9, raw = 1e9, raw_decode = 1e9;
  for (int round = 0; round < setup.rounds; ++round) {
    report->progress().show(kvc::cli::format("first token: round %d of %d", round + 1, setup.rounds));
    const Tokens prompt = prompt_of(static_cast<uint32_t>(round));
    // Which of the two comes first alternates.
    const auto measure_unstored = [&] { unstored = std::min(unstored, timed(prompt, true, 0).first); };
    if (round % 2 == 0) measure_unstored();
    const auto [cold_seconds, cold_answer] = timed(prompt, false, 0);
    cold = std::min(cold, cold_seconds);
    if (round % 2 == 1) measure_unstored();
    alone.clear();
    double start = setup.now();
    if (Tokens{alone.forward(prompt, 0)} != cold_answer) throw Failure("the cold answer is not that of llama.cpp alone");
    raw = std::min(raw, setup.now() - start);
    for (int i = 0; i < 5; ++i) {
      alone.truncate(length - 1);
      start = setup.now();
      const Tokens expected{alone.forward(prompt, length - 1)};
      raw_decode = std::min(raw_decode, setup.now() - start);
      // llama.cpp itself computes one token with other roundings than a batch: the peer is asked the same way.
      const auto [seconds, answer] = timed(prompt, false, length - 1);
      if (answer != expected) throw Failure("the warm answer is not that of llama.cpp alone");
      warm = std::min(warm, seconds);
    }
  }
  report->add("ttft_warm_over_cold_2048", warm / cold);
  report->add("store_overhead", cold / unstored - 1);
  report->add("ttft_cold_ms", cold * 1e3);
  report->add("ttft_cold_unstored_ms", unstored * 1e3);
  report->add("ttft_cold_llama_alone_ms", raw * 1e3);
  report->add("ttft_warm_ms", warm * 1e3);
  report->add("one_decode_llama_alone_ms", raw_decode * 1e3);
  report->add("ttft_warm_over_llama_alone", warm / raw);
}

}  // namespace kvc_llama
