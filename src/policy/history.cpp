#include "policy/history.h"

#include <algorithm>
#include <cstring>

#include "policy/features.h"
#include "policy/reuse_model.h"
#include "policy/simulator.h"

namespace kvc {
namespace {

// A record: kHeader words, then n keys. Pages that are not in the sample count in its depth alone.
struct Header {
  uint32_t n = 0;            // keys of its own
  uint32_t shared = 0;       // keys before them: the first ones of the chain of ...
  uint32_t before = 0;       // ... the record there
  uint32_t scratch = 0;
  uint32_t ticks = 0;        // kTickNs each
  uint32_t depth = 0;        // pages of the chain
  uint16_t page_tokens = 0;
  uint16_t last_tokens = 0;  // of the last key's page
  uint32_t hint : 4 = 0;
  uint32_t generated : 4 = 0;  // log2_bucket: policies ask for no more
  uint32_t return_ticks : 24 = 0;
};
static_assert(sizeof(Header) == 32);
constexpr uint32_t kHeader = sizeof(Header) / sizeof(uint32_t);
constexpr uint32_t kNone = 0xffffffff;
constexpr double kLeast = 400;  // pages of what the cache holds that are in the sample
constexpr uint32_t kNamed = 4;   // last pages of a chain that later records are likely to go on from, and every ...
constexpr uint32_t kNamedEvery = 16;  // ... page of those before

Header read(const uint32_t* words) noexcept {
  Header header;
  std::memcpy(static_cast<void*>(&header), words, sizeof header);
  return header;
}
void write(uint32_t* words, const Header& header) noexcept { std::memcpy(words, &header, sizeof header); }
uint32_t key_of(const PolicyEntry& entry) noexcept { return static_cast<uint32_t>(entry.key); }

// visit(keys, n, first) for the pieces of the first `n` keys of a record's chain, the last ones first.
template <typename Visit>
void each_piece(const uint32_t* words, uint32_t record, uint32_t n, Visit visit) noexcept {
  while (n > 0) {
    const Header header = read(&words[record]);
    if (n > header.shared) {
      if (!visit(&words[record + kHeader], n - header.shared, header.shared)) return;
      n = header.shared;
    }
    record = header.before;
  }
}

}  // namespace

// By twice where the records have become many for it; false: there is none. Without memory it stays as it is.
bool History::grow_recent() noexcept {
  const uint32_t n = recent_.capacity();
  const uint32_t wanted = std::min(most_recent_, n == 0 ? kFirstRecent : size_ / 4 > n ? 2 * n : n);
  if (n >= wanted || !recent_.reserve(wanted, n, wanted)) return n != 0;
  if (n == 0) {
    forget_recent();
    return true;
  }
  // A place becomes two beside each other: moved from the last on, nothing is in the way.
  for (uint32_t i = n; i-- > 0;) {
    const Recent moved = recent_[i];
    recent_[2 * i] = recent_[2 * i + 1] = Recent{0, kNone};
    if (moved.record != kNone) recent_of(moved.key) = moved;
  }
  return true;
}

void History::forget_recent() noexcept {
  for (uint32_t i = 0; i < recent_.capacity(); ++i) recent_[i] = Recent{0, kNone};
}

void History::add(uint64_t time_ns, PolicyEntry& last, Policy::Up up, const SessionEnd& end, uint64_t held) noexcept {
  if (!grow_recent()) return;
  // What comes after the latest record that has a page of this chain.
  uint32_t n = 0, total = 0;  // in the sample: new, all
  Header header;
  header.before = kNone;
  const auto compare = [&] {
    n = total = header.shared = 0;
    header.before = kNone;
    for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) {
      const uint32_t key = key_of(*page);
      if (key > threshold_) continue;
      ++total;
      if (header.before != kNone) continue;
      const Recent& recent = recent_of(key);
      if (recent.record != kNone && recent.key == key) {
        const auto find = [&](const uint32_t* keys, uint32_t m, uint32_t first) {
          for (uint32_t i = m; i-- > 0;) {
            if (keys[i] != key) continue;
            header.before = recent.record;
            header.shared = first + i + 1;
            return false;
          }
          return true;
        };
        const Header known = read(&words_[recent.record]);
        each_piece(&words_[0], recent.record, known.shared + known.n, find);
      }
      if (header.before == kNone) ++n;
    }
    // A key is a part of a page's identity: another chain's page can have the same, and then lies elsewhere.
    if (header.shared + n != total) {
      header.shared = 0;
      header.before = kNone;
      n = total;
    }
  };
  compare();
  while (!words_.reserve(size_ + kHeader + n, size_, capacity_)) {
    if (size_ == 0) return;
    shrink(held);
    compare();
  }
  if (n_parts_ == 0 || (n_parts_ < kParts && size_ - parts_[n_parts_ - 1] >= capacity_ / kParts)) {
    parts_[n_parts_++] = size_;
    forget_recent();
    compare();
    if (!words_.reserve(size_ + kHeader + n, size_, capacity_)) {
      --n_parts_;
      return;
    }
  }
  // To the record whose own keys end what is the same: a chain that comes again and again is no chain of records.
  while (header.before != kNone) {
    const Header known = read(&words_[header.before]);
    if (known.shared < header.shared) break;
    header.before = known.before;
  }
  header.n = n;
  header.ticks = static_cast<uint32_t>(time_ns / kTickNs);
  header.depth = last.depth + 1;
  header.page_tokens = header.last_tokens = static_cast<uint16_t>(last.tokens);
  header.hint = static_cast<uint32_t>(end.hint) & 15;
  header.generated = log2_bucket(end.generated) & 15;
  header.return_ticks = static_cast<uint32_t>(std::min<uint64_t>(end.return_ns / kTickNs, (1u << 24) - 1));
  uint32_t left = total;
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) {
    if (page != &last) header.page_tokens = static_cast<uint16_t>(page->tokens);
    const uint32_t key = key_of(*page);
    if (key > threshold_) continue;
    if (left == total) header.last_tokens = static_cast<uint16_t>(page->tokens);
    if (--left >= header.shared) words_[size_ + kHeader + left - header.shared] = key;
    if (total - left <= kNamed || left % kNamedEvery == 0) recent_of(key) = Recent{key, size_};
  }
  write(&words_[size_], header);
  size_ += kHeader + n;
}

void History::shrink(uint64_t held) noexcept {
  const double share = static_cast<double>(threshold_) / 0xffffffff;
  const uint32_t before = size_;
  if (share / 2 * static_cast<double>(held) < kLeast && n_parts_ > 1) {
    drop_oldest_part();
  } else {
    halve_sample();
  }
  forget_recent();
  if (size_ != before) return;
  size_ = n_parts_ = 0;
  whole_ = false;
}

// Records are rewritten in place, in three walks: what is left of what they share, where they will lie, and there.
void History::halve_sample() noexcept {
  threshold_ /= 2;
  const auto kept = [&](uint32_t record, uint32_t n) {
    uint32_t sum = 0;
    each_piece(&words_[0], record, n, [&](const uint32_t* keys, uint32_t m, uint32_t) {
      for (uint32_t i = 0; i < m; ++i) sum += keys[i] <= threshold_ ? 1 : 0;
      return true;
    });
    return sum;
  };
  for (uint32_t at = 0; at < size_;) {
    Header header = read(&words_[at]);
    const uint32_t total = header.shared + header.n;
    header.scratch = kept(header.before, header.shared);
    // The last page may be short; without it all that are left are whole.
    if (total > 0 && kept(at, total) == kept(at, total - 1)) header.last_tokens = header.page_tokens;
    write(&words_[at], header);
    at += kHeader + header.n;
  }
  uint32_t to = 0, part = 0;
  for (uint32_t at = 0; at < size_;) {
    Header header = read(&words_[at]);
    if (part < n_parts_ && parts_[part] == at) parts_[part++] = to;
    header.shared = header.scratch;
    header.scratch = to;
    if (header.before != kNone) header.before = read(&words_[header.before]).scratch;
    write(&words_[at], header);
    to += kHeader;
    for (uint32_t i = 0; i < header.n; ++i) to += words_[at + kHeader + i] <= threshold_ ? 1 : 0;
    at += kHeader + header.n;
  }
  to = 0;
  for (uint32_t at = 0; at < size_;) {
    Header header = read(&words_[at]);
    const uint32_t n = header.n;
    header.n = 0;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t key = words_[at + kHeader + i];
      if (key <= threshold_) words_[to + kHeader + header.n++] = key;
    }
    at += kHeader + n;
    write(&words_[to], header);
    to += kHeader + header.n;
  }
  size_ = to;
}

void History::drop_oldest_part() noexcept {
  const uint32_t from = parts_[1];
  for (uint32_t i = from; i < size_; ++i) words_[i - from] = words_[i];
  size_ -= from;
  --n_parts_;
  for (uint32_t part = 0; part < n_parts_; ++part) parts_[part] = parts_[part + 1] - from;
  for (uint32_t at = 0; at < size_;) {
    Header header = read(&words_[at]);
    if (header.before != kNone) header.before -= from;
    write(&words_[at], header);
    at += kHeader + header.n;
  }
  whole_ = false;
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
    const uint32_t n_keys = header.shared + header.n;
    keys.resize(n_keys);
    const auto spell = [&](const uint32_t* words, uint32_t m, uint32_t first) {
      // Keys have 64 bits: the lower half is the page's own.
      for (uint32_t i = 0; i < m; ++i) keys[first + i] = uint64_t{words[i] * 0x9e3779b9u + 1} << 32 | words[i];
      return true;
    };
    each_piece(sample.words.data(), static_cast<uint32_t>(at), n_keys, spell);
    at += kHeader + header.n;
    const bool counts = sample.whole || at > sample.words.size() / 2;
    PrefixSimulator::Request request;
    request.pages = keys;
    request.time_ns = (uint64_t{header.ticks} + 1) * kTickNs;
    request.page_tokens = header.page_tokens;
    request.last_tokens = header.last_tokens;
    request.end = SessionEnd{static_cast<SessionHint>(header.hint), uint64_t{header.return_ticks} * kTickNs,
                             (1u << header.generated) / 2};
    const size_t hits = n_keys == 0 ? 0 : simulator.request(request);
    if (!counts) continue;
    all_pages += header.depth;
    if (result.sessions++ == 0) first_ticks = header.ticks;
    last_ticks = header.ticks;
    const auto tokens_of = [&](size_t n) {
      const double whole = static_cast<double>(n) * header.page_tokens;
      if (n == 0) return whole;
      return n == n_keys ? whole - header.page_tokens + header.last_tokens : whole;
    };
    const double tokens = tokens_of(n_keys);
    const double hit_tokens = hits == 0 ? 0 : tokens_of(hits);
    n_pages += n_keys;
    hit_pages += static_cast<double>(hits);
    result.tokens += tokens;
    result.hit_tokens += hit_tokens;
    // What is found is the beginning: on average, half of it precedes a token.
    const double reach = static_cast<double>(hits) / n_keys * header.depth * header.page_tokens;
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
