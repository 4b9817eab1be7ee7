// Text for measurements: common English words in an order that a seed decides. How long llama.cpp computes does not depend
// on what the words say.
#pragma once

#include <cstdint>
#include <string>

namespace kvc_llama {

inline std::string words(size_t n, uint32_t seed) {
  static constexpr const char* kWords[] = {
      "the",   "house", "of",    "water", "and",  "river", "in",    "a",     "morning", "they", "went", "to",
      "see",   "old",   "tree",  "on",    "hill", "with",  "light", "where", "people",  "had",  "made", "their",
      "first", "bread", "from",  "grain", "that", "grew",  "by",    "stone", "walls",   "and",  "then", "it",
      "was",   "said",  "after", "rain",  "all",  "birds", "came",  "back",  "over",    "sea",  "for",  "summer"};
  std::string text;
  uint32_t x = seed * 2654435761u + 1;
  for (size_t i = 0; i < n; ++i) {
    x = x * 1664525u + 1013904223u;
    if (i > 0) text += i % 17 == 0 ? ". " : " ";
    text += kWords[(x >> 12) % (sizeof kWords / sizeof *kWords)];
  }
  return text;
}

}  // namespace kvc_llama
