#include "request/text_stream.h"

#include <algorithm>

#include "request/utf8.h"

namespace kvc {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace

TextStream::TextStream(const std::vector<std::string>& stop) {
  for (const std::string& word : stop) {
    Stop& s = stop_.emplace_back();
    s.word = word;
    s.border.assign(word.size(), 0);
    for (size_t i = 1; i < word.size(); ++i) {
      uint32_t k = s.border[i - 1];
      while (k > 0 && word[i] != word[k]) k = s.border[k - 1];
      s.border[i] = word[i] == word[k] ? k + 1 : 0;
    }
  }
}

bool TextStream::take(std::string_view character, std::string* out) {
  held_ += character;
  size_t longest_stop = 0;
  size_t longest_beginning = 0;
  for (Stop& s : stop_) {
    for (char c : character) {
      while (s.matched > 0 && c != s.word[s.matched]) s.matched = s.border[s.matched - 1];
      if (c == s.word[s.matched]) ++s.matched;
    }
    // Both the word and the text are whole characters, so a word can be complete only at the end of this one.
    if (s.matched == s.word.size()) longest_stop = std::max(longest_stop, s.word.size());
    longest_beginning = std::max<size_t>(longest_beginning, s.matched);
  }
  if (longest_stop > 0) {
    out->append(held_, 0, held_.size() - longest_stop);
    held_.clear();
    stopped_ = true;
    return true;
  }
  const size_t certain = held_.size() - longest_beginning;
  out->append(held_, 0, certain);
  held_.erase(0, certain);
  return false;
}

bool TextStream::feed(std::string_view bytes, std::string* out) {
  if (stopped_) return true;
  bytes_ += bytes;
  size_t at = 0;
  while (at < bytes_.size()) {
    const Utf8Step step = utf8_next(bytes_, at);
    if (step.kind == Utf8::incomplete) break;
    const bool whole = step.kind == Utf8::character;
    if (take(whole ? std::string_view(bytes_).substr(at, step.size) : kReplacement, out)) {
      bytes_.clear();
      return true;
    }
    at += step.size;
  }
  bytes_.erase(0, at);
  return false;
}

bool TextStream::finish(std::string* out) {
  if (stopped_) return true;
  if (!bytes_.empty()) {
    bytes_.clear();
    if (take(kReplacement, out)) return true;
  }
  *out += held_;
  held_.clear();
  return false;
}

}  // namespace kvc
