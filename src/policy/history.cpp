#include "policy/history.h"

#include <algorithm>
#include <cstring>

#include "policy/reuse_model.h"
#include "policy/simulator.h"

namespace kvc {
namespace {

// A record: kHeader words, then n keys. Pages that are not in the sample count in its depth alone.
struct Header {
  uint32_t n = 0;            // keys
  uint32_t ticks = 0;        // kTickNs each
  uint32_t depth = 0;        // pages of the chain
  uint16_t page_tokens = 0;
  uint16_t last_tokens = 0;  // of the last key's page
  uint32_t hint : 4 = 0;
  uint32_t return_ticks : 28 = 0;
};
static_assert(sizeof(Header) == 20);
constexpr uint32_t kHeader = sizeof(Header) / sizeof(uint32_t);
constexpr double kLeast = 100;  // pages of what the cache holds that are in the sample

Header read(const uint32_t* words) noexcept {
  Header header;
  std::memcpy(static_cast<void*>(&header), words, sizeof header);
  return header;
}
uint32_t key_of(const PolicyEntry& entry) noexcept { return static_cast<uint32_t>(entry.key); }

}  // namespace

void History::add(uint64_t time_ns, PolicyEntry& last, Policy::Up up, const SessionEnd& end, uint64_t held) noexcept {
  const auto count = [&] {  // in the sample
    uint32_t n = 0;
    for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) n += key_of(*page) <= threshold_ ? 1 : 0;
    return n;
  };
  uint32_t n = count();
  while (!words_.reserve(size_ + kHeader + n, size_, capacity_)) {
    if (size_ == 0) return;
    shrink(held);
    n = count();
  }
  const auto tokens = static_cast<uint16_t>(last.tokens);
  Header header{n, static_cast<uint32_t>(time_ns / kTickNs), last.depth + 1, tokens, tokens,
                static_cast<uint32_t>(end.hint) & 15,
                static_cast<uint32_t>(std::min<uint64_t>(end.return_ns / kTickNs, (1u << 28) - 1))};
  uint32_t* keys = &words_[size_ + kHeader];
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) {
    if (page != &last) header.page_tokens = static_cast<uint16_t>(page->tokens);
    if (key_of(*page) > threshold_) continue;
    if (n == header.n) header.last_tokens = static_cast<uint16_t>(page->tokens);
    keys[--n] = key_of(*page);
  }
  std::memcpy(&words_[size_], &header, sizeof header);
  size_ += kHeader + header.n;
}

void History::shrink(uint64_t held) noexcept {
  const double share = static_cast<double>(threshold_) / 0xffffffff;
  const uint32_t before = size_;
  if (share / 2 * static_cast<double>(held) < kLeast) {
    drop_older_half();
  } else {
    halve_sample();
  }
  if (size_ != before) return;
  size_ = 0;
  whole_ = false;
}

void History::halve_sample() noexcept {
  threshold_ /= 2;
  uint32_t to = 0;
  for (uint32_t from = 0; from < size_;) {
    Header header = read(&words_[from]);
    uint32_t n = 0;
    for (uint32_t i = 0; i < header.n; ++i) {
      const uint32_t key = words_[from + kHeader + i];
      // The last page may be short; without it all that are left are whole.
      if (key <= threshold_) {
        words_[to + kHeader + n++] = key;
      } else if (i + 1 == header.n) {
        header.last_tokens = header.page_tokens;
      }
    }
    from += kHeader + header.n;
    header.n = n;
    std::memcpy(&words_[to], &header, sizeof header);
    to += kHeader + n;
  }
  size_ = to;
}

void History::drop_older_half() noexcept {
  uint32_t from = 0;
  while (from < size_ / 2) from += kHeader + read(&words_[from]).n;
  if (from == size_) from = 0;
  for (uint32_t i = from; i < size_; ++i) words_[i - from] = words_[i];
  size_ -= from;
  whole_ = whole_ && from == 0;
}

History::Sample History::sample() const {
  Sample out;
  out.words.resize(size_);
  for (uint32_t i = 0; i < size_; ++i) out.words[i] = words_[i];
  out.whole = whole_;
  out.share = (static_cast<double>(threshold_) + 1) / 4294967296.0;
  return out;
}

WhatIf what_if(const History::Sample& sample, std::string_view policy, uint64_t pages,
               const PolicyObjective& objective) {
  const auto capacity = static_cast<uint64_t>(static_cast<double>(pages) * sample.share + 0.5);
  PrefixSimulator simulator(policy, std::max<uint64_t>(1, capacity));
  simulator.policy().set_objective(objective);
  const double balanced = objective.balanced_position > 0 ? objective.balanced_position : kBalancedPosition;
  WhatIf result;
  double n_pages = 0, hit_pages = 0, all_pages = 0;
  std::vector<uint64_t> keys;
  uint32_t first_ticks = 0, last_ticks = 0;
  for (size_t at = 0; at < sample.words.size();) {
    const Header header = read(&sample.words[at]);
    const uint32_t* words = &sample.words[at + kHeader];
    at += kHeader + header.n;
    const bool counts = sample.whole || at > sample.words.size() / 2;
    keys.resize(header.n);
    // Spread over 64 bits, as keys are.
    for (uint32_t i = 0; i < header.n; ++i) keys[i] = (uint64_t{words[i]} + 1) * 0x9e3779b97f4a7c15;
    PrefixSimulator::Request request;
    request.pages = keys;
    request.time_ns = (uint64_t{header.ticks} + 1) * kTickNs;
    request.page_tokens = header.page_tokens;
    request.last_tokens = header.last_tokens;
    request.end = SessionEnd{static_cast<SessionHint>(header.hint), uint64_t{header.return_ticks} * kTickNs};
    const size_t hits = header.n == 0 ? 0 : simulator.request(request);
    if (!counts) continue;
    all_pages += header.depth;
    if (result.sessions++ == 0) first_ticks = header.ticks;
    last_ticks = header.ticks;
    const auto tokens_of = [&](size_t n) {
      const double whole = static_cast<double>(n) * header.page_tokens;
      if (n == 0) return whole;
      return n == header.n ? whole - header.page_tokens + header.last_tokens : whole;
    };
    const double tokens = tokens_of(header.n);
    const double hit_tokens = hits == 0 ? 0 : tokens_of(hits);
    n_pages += header.n;
    hit_pages += static_cast<double>(hits);
    result.tokens += tokens;
    result.hit_tokens += hit_tokens;
    // What is found is the beginning: on average, half of it precedes a token.
    const double reach = static_cast<double>(hits) / header.n * header.depth * header.page_tokens;
    result.cost_saved += hit_tokens * (1 + reach / 2 / balanced);
  }
  // Where more or fewer uses are in the sample than its share of all, the difference is the few pages that are used most
  // by far, and these are hits (Waldspurger's SHARDS-adj).
  const double excess = n_pages - sample.share * all_pages;
  if (n_pages > 0 && result.tokens > 0) {
    const double page_tokens = result.tokens / n_pages;
    const double cost = result.hit_tokens > 0 ? result.cost_saved / result.hit_tokens : 1;
    n_pages -= excess;
    hit_pages = std::max(0.0, hit_pages - excess);
    result.tokens -= excess * page_tokens;
    result.hit_tokens = std::max(0.0, result.hit_tokens - excess * page_tokens);
    result.cost_saved = result.hit_tokens * cost;
    result.token_hit_rate = result.hit_tokens / result.tokens;
    result.page_hit_rate = hit_pages / n_pages;
  }
  result.tokens /= sample.share;
  result.hit_tokens /= sample.share;
  result.cost_saved /= sample.share;
  result.span_ns = uint64_t{last_ticks - first_ticks} * kTickNs;
  return result;
}

}  // namespace kvc
