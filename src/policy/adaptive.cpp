// Adaptive: keeps what is worth most, by what it learns online of reuse (reuse_model.h), and falls back to recency where
// that would have done better (recency_guard.h).
//
// Candidates lie in queues, one per cell (class of reuse time, level of probability, slice of age). The cells' worth is
// tabled, their rank is a bit in a bitmap, so the next victim is found without looking at pages; a page moves to the
// next cell when it ages, at most once per half octave. Entries with a priority, or that the cache says to drop, lie in
// a heap beside them.
//
// The unit of learning is a request: the chain of a session that closed. Its last whole page, its unfinished one, the
// page where it left what was known, and one at random become examples that are judged later (examples.h). What was
// known of evicted pages stays for a while (page_memory.h).
//
// Memory: 36 bytes per entry in the budget (and what PolicyEntry has); below 1 MB of fixed tables beside it.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "policy/candidate_heap.h"
#include "policy/examples.h"
#include "policy/page_memory.h"
#include "policy/policy.h"
#include "policy/recency_guard.h"
#include "policy/reuse_model.h"

namespace kvc {
namespace {

constexpr uint32_t kNone = 0xffffffff;
constexpr uint32_t kRemembered = 32768;        // pages
constexpr uint16_t kExamples = 8192;
constexpr uint64_t kRefreshEvery = 16;         // requests: one class each time; in the beginning more often
constexpr uint64_t kRankEvery = 16;            // refreshes
constexpr double kQuantum = 1.0 / 64;          // of the time that pages stay: no shorter holding is considered

constexpr uint64_t kStateVersion = 0x3254'5041'4443'564b;  // "KVCDAPT2"; another layout has another number

constexpr uint8_t kTail = 1;    // the last whole page of the last request that used it
constexpr uint8_t kQueued = 2;
constexpr uint8_t kHeaped = 4;
constexpr uint8_t kFresh = 8;   // inserted and not yet part of a request
constexpr uint8_t kShared = 16; // requests parted here

uint8_t log2_bucket(uint64_t n) noexcept {
  return static_cast<uint8_t>(std::min<int>(kBuckets - 1, static_cast<int>(std::bit_width(n))));
}
uint8_t gap_bucket(uint32_t ticks) noexcept {
  return static_cast<uint8_t>(std::min<uint32_t>(kBuckets - 1, 1 + slice_of(ticks) / 3));
}

// Of an entry; entry.place is its index.
struct Node {
  PolicyEntry* entry;
  uint32_t time;      // of the last use; while free: the next free node. For kDue: when it is expected
  uint32_t sequence;  // of the last use
  uint32_t prev, next;  // in the queue
  uint16_t cell;
  uint8_t level, time_class, count, turn, flags;
};

class Adaptive final : public Policy {
 public:
  explicit Adaptive(Memory* memory)
      : nodes_(memory), heap_(memory), memory_(kRemembered), examples_(kExamples), random_(0x6b7663) {
    heads_.fill(kNone);
    tails_.fill(kNone);
    rank();
  }
  std::string_view name() const noexcept override { return "adaptive"; }
  bool weighs_hints() const noexcept override { return true; }

  bool reserve() noexcept override {
    if (!nodes_.reserve(n_nodes_ + 1, n_nodes_) || !heap_.reserve(n_entries_ + 1)) return false;
    promised_ = true;
    return true;
  }

  void inserted(PolicyEntry& entry) noexcept override {
    promised_ = false;
    ++n_entries_;
    entry.candidate = false;
    entry.hits = 0;
    uint32_t i = free_;
    if (i != kNone) {
      free_ = nodes_[i].time;
    } else {
      i = n_nodes_++;
    }
    entry.place = i;
    PageHistory history;
    memory_.take(entry.key, &history);
    nodes_[i] = Node{&entry, history.time, history.sequence, kNone, kNone, 0, 0, kFirst, history.count, history.turn,
                     static_cast<uint8_t>((history.flags & (kTail | kShared)) | kFresh)};
    nodes_[i].level = static_cast<uint8_t>(ReuseModel::level_of(-1.0F));
    if (entry.is_tensor) used_alone(i);
  }

  void hit(PolicyEntry& entry) noexcept override {
    if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
    if (entry.is_tensor) used_alone(entry.place);
  }

  void evictable(PolicyEntry& entry, bool yes) noexcept override {
    leave(entry.place);
    entry.candidate = yes;
    if (yes) enter(entry.place);
  }

  void removed(PolicyEntry& entry) noexcept override {
    const uint32_t i = entry.place;
    leave(i);
    entry.candidate = false;
    Node& node = nodes_[i];
    if (!(node.flags & kFresh)) {
      const uint32_t age = node.time < now() ? now() - node.time : 0;
      residence_ += (age - residence_) / 1024;
      if (!entry.is_tensor) {
        memory_.put(entry.key, PageHistory{node.time, node.sequence, node.count, node.turn,
                                           static_cast<uint8_t>(node.flags & (kTail | kShared))});
      }
    }
    node.time = free_;
    node.entry = nullptr;
    free_ = i;
    guard_.limit(--n_entries_);
    if (n_entries_ == 0) {
      n_nodes_ = 0;
      free_ = kNone;
      // An empty cache holds nothing on to the budget, unless room was promised.
      if (!promised_) {
        nodes_.free();
        heap_.free();
      }
    }
  }

  PolicyEntry* victim() noexcept override {
    PolicyEntry* first = heap_.top();
    if (first != nullptr && (first->superseded || first->finished || first->priority < KVC_PRIORITY_NORMAL)) {
      return first;
    }
    move_on();
    for (uint32_t word = 0; word < kWords; ++word) {
      if (occupied_[word] == 0) continue;
      const uint32_t at = word * 64 + static_cast<uint32_t>(std::countr_zero(occupied_[word]));
      return nodes_[guard_.trusts_recency() ? oldest_of_slice(at) : tails_[order_[at]]].entry;
    }
    return first;
  }

  void closed(PolicyEntry& last, Up up, const SessionEnd& end) noexcept override;

  size_t state_size() const noexcept override { return sizeof kStateVersion + ReuseModel::state_size(); }
  void save(std::byte* out) const noexcept override {
    std::memcpy(out, &kStateVersion, sizeof kStateVersion);
    model_.save(out + sizeof kStateVersion);
  }
  bool load(std::span<const std::byte> state) noexcept override {
    if (state.size() != state_size() || std::memcmp(state.data(), &kStateVersion, sizeof kStateVersion) != 0) {
      return false;
    }
    if (!model_.load(state.data() + sizeof kStateVersion, state.size() - sizeof kStateVersion)) return false;
    rank();
    return true;
  }
  std::string_view strategy() const noexcept override {
    return guard_.trusts_recency() ? "recency: what was learned cost hits lately" : "learned reuse";
  }

 private:
  static constexpr uint32_t kCells = ReuseModel::kCells;
  static constexpr uint32_t kWords = kCells / 64;
  static_assert(kCells % 64 == 0 && kCells <= 65536);

  struct Order {
    static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
      bool decided;
      const bool first = goes_first(a, b, &decided);
      return decided ? first : a.place < b.place;
    }
    // The heap's place is kept in the score, which this policy does not use.
    static uint64_t& position(PolicyEntry& entry) noexcept { return entry.score; }
  };

  uint32_t now() const noexcept { return static_cast<uint32_t>(now_ns_ / kTickNs) + 1; }

  // A tensor has no chain: each use is a request of its own, judged by time alone.
  void used_alone(uint32_t i) noexcept {
    Node& node = nodes_[i];
    node.sequence = guard_.use(node.sequence);
    node.count = static_cast<uint8_t>(std::min(node.count + 1, 255));
    node.time = now();
    node.flags &= static_cast<uint8_t>(~kFresh);
    if (node.entry->candidate) evictable(*node.entry, true);
  }

  uint16_t cell_for(const Node& node) const noexcept {
    const uint32_t t = now();
    uint32_t time_class = node.time_class;
    if (time_class == kDue && node.time <= t) time_class = kOverdue;
    const uint32_t age = time_class == kDue ? node.time - t : t - std::min(t, node.time);
    return static_cast<uint16_t>(ReuseModel::cell_of(time_class, node.level, slice_of(age)));
  }

  void enter(uint32_t i) noexcept {
    Node& node = nodes_[i];
    const PolicyEntry& entry = *node.entry;
    if (entry.superseded || entry.finished || entry.priority != KVC_PRIORITY_NORMAL) {
      node.flags |= kHeaped;
      heap_.push(*node.entry);
      return;
    }
    node.flags |= kQueued;
    node.cell = cell_for(node);
    uint32_t& tail = tails_[node.cell];
    uint32_t& head = heads_[node.cell];
    // The tail is the oldest. What comes back among the candidates is usually older than all or younger than all.
    if (tail == kNone || nodes_[tail].time >= node.time) {
      node.prev = tail;
      node.next = kNone;
      (tail == kNone ? head : nodes_[tail].next) = i;
      tail = i;
    } else {
      node.prev = kNone;
      node.next = head;
      nodes_[head].prev = i;
      head = i;
    }
    mark(node.cell, true);
  }

  void leave(uint32_t i) noexcept {
    Node& node = nodes_[i];
    if (node.flags & kHeaped) heap_.erase(*node.entry);
    if (node.flags & kQueued) {
      (node.prev == kNone ? heads_[node.cell] : nodes_[node.prev].next) = node.next;
      (node.next == kNone ? tails_[node.cell] : nodes_[node.next].prev) = node.prev;
      if (heads_[node.cell] == kNone) mark(node.cell, false);
    }
    node.flags &= static_cast<uint8_t>(~(kHeaped | kQueued));
  }

  void mark(uint32_t cell, bool occupied) noexcept {
    const uint64_t bit = uint64_t{1} << (rank_[cell] % 64);
    uint64_t& word = occupied_[rank_[cell] / 64];
    word = occupied ? word | bit : word & ~bit;
  }

  // Orders the cells: least worth first; with recency, oldest first.
  void rank() noexcept {
    for (uint32_t cell = 0; cell < kCells; ++cell) order_[cell] = static_cast<uint16_t>(cell);
    if (guard_.trusts_recency()) {
      std::sort(order_.begin(), order_.end(), [](uint16_t a, uint16_t b) {
        return a % kSlices != b % kSlices ? a % kSlices > b % kSlices : a < b;
      });
    } else {
      std::sort(order_.begin(), order_.end(), [&](uint16_t a, uint16_t b) {
        if (model_.worth(a) != model_.worth(b)) return model_.worth(a) < model_.worth(b);
        return a % kSlices != b % kSlices ? a % kSlices > b % kSlices : a < b;
      });
    }
    occupied_.fill(0);
    for (uint32_t r = 0; r < kCells; ++r) {
      rank_[order_[r]] = static_cast<uint16_t>(r);
      if (heads_[order_[r]] != kNone) mark(order_[r], true);
    }
  }

  // Moves candidates on to the cells of their age, once per tick.
  void move_on() noexcept {
    if (now() == moved_) return;
    moved_ = now();
    for (uint32_t word = 0; word < kWords; ++word) {
      for (uint64_t bits = occupied_[word]; bits != 0; bits &= bits - 1) {
        const uint32_t cell = order_[word * 64 + static_cast<uint32_t>(std::countr_zero(bits))];
        for (uint32_t tail; (tail = tails_[cell]) != kNone && cell_for(nodes_[tail]) != cell;) {
          leave(tail);
          enter(tail);
        }
      }
    }
  }

  // With recency: the least recent of the tails of the cells that begin at rank `at` and have its slice of age.
  uint32_t oldest_of_slice(uint32_t at) const noexcept {
    const uint32_t slice = order_[at] % kSlices;
    uint32_t oldest = tails_[order_[at]];
    for (uint32_t word = at / 64; word < kWords; ++word) {
      for (uint64_t bits = occupied_[word]; bits != 0; bits &= bits - 1) {
        const uint32_t cell = order_[word * 64 + static_cast<uint32_t>(std::countr_zero(bits))];
        if (cell % kSlices != slice) return oldest;
        if (nodes_[tails_[cell]].sequence < nodes_[oldest].sequence) oldest = tails_[cell];
      }
    }
    return oldest;
  }

  uint8_t time_class_of(const SessionEnd& end, bool shared, uint8_t count, uint32_t gap) const noexcept {
    if (!shared) {
      if (end.return_ns != 0 && (end.hint == SessionHint::expected || end.hint == SessionHint::idle)) return kDue;
      if (end.hint == SessionHint::tool_call) return kTool;
      if (end.hint == SessionHint::turn_end) return kTurn;
    }
    constexpr uint32_t kSecond = 1'000'000'000 / kTickNs;
    if (count < 2) return kFirst;
    if (gap < kSecond / 2) return kGapHalfSecond;
    if (gap < 4 * kSecond) return kGap4Seconds;
    if (gap < 32 * kSecond) return kGap32Seconds;
    return gap < 256 * kSecond ? kGap4Minutes : kGapLonger;
  }

  BudgetArray<Node> nodes_;
  CandidateHeap<Order> heap_;
  PageMemory memory_;
  Examples examples_;
  ReuseModel model_;
  RecencyGuard guard_;
  Random random_;
  std::array<uint32_t, kCells> heads_, tails_;
  std::array<uint16_t, kCells> order_, rank_;  // cell of a rank, rank of a cell
  std::array<uint64_t, kWords> occupied_{};
  uint32_t n_nodes_ = 0, n_entries_ = 0, free_ = kNone;
  uint32_t moved_ = 0, observed_ = 0;  // ticks
  uint64_t requests_ = 0, next_refresh_ = 0, refreshes_ = 0;
  double residence_ = 0;  // ticks since their last use after which pages leave
  bool promised_ = false;
};

void Adaptive::closed(PolicyEntry& last, Up up, const SessionEnd& end) noexcept {
  const uint32_t t = now();
  const uint32_t pages = last.depth + 1;
  const PolicyEntry* before = up(last);
  const bool is_short = before != nullptr && last.tokens < before->tokens;

  // What is known of this chain: where it goes on from, and what LRU would have had.
  uint32_t known = 0, gap = 0, hits = 0, lru_hits = 0;
  uint8_t turn = 0, kind = 0;
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) {
    const Node& node = nodes_[page->place];
    if (known == 0 && node.count > 0) {
      known = page->depth + 1;
      gap = t - std::min(t, node.time);
      kind = (node.flags & kTail) != 0 ? 1 : 2;
      if (kind == 1) turn = static_cast<uint8_t>(std::min(node.turn + 1, 15));
    }
    if (hits == 0 && !(node.flags & kFresh)) hits = page->depth + 1;
    if (lru_hits == 0 && guard_.holds(node.sequence)) lru_hits = page->depth + 1;
    examples_.used(page->key, t, &model_);
  }
  const bool trusted_recency = guard_.trusts_recency();
  guard_.compare(pages, known, hits, lru_hits);

  Features request{};
  request[kHintFeature] = static_cast<uint8_t>(end.hint);
  request[2] = turn;
  request[3] = log2_bucket(pages);
  request[4] = log2_bucket(pages - known);
  request[5] = known > 0 ? gap_bucket(gap) : 0;
  request[6] = log2_bucket(known);
  const uint32_t picked = static_cast<uint32_t>(random_.next() % pages);
  bool shared = false;
  uint32_t depth = pages;  // of this page, counted from 1
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page), --depth) {
    const uint32_t i = page->place;
    Node& node = nodes_[i];
    const bool unfinished = is_short && page == &last;
    const bool is_tail = depth == pages - (is_short ? 1 : 0);
    if (kind == 2 && depth == known) node.flags |= kShared;
    shared = shared || (node.flags & kShared) != 0;
    if (node.count < 255) ++node.count;
    const uint32_t own_gap = t - std::min(t, node.time);

    Features features = request;
    if (shared) features[kHintFeature] = 0;  // what a session says of itself concerns its own pages
    const uint8_t distance = log2_bucket(pages - depth + (is_short ? 0 : 1));
    features[kDistanceFeature] = unfinished ? 0 : std::min<uint8_t>(15, distance + 1);
    const uint32_t uses = node.count < 8 ? node.count : 6 + log2_bucket(node.count) / 2;
    features[7] = static_cast<uint8_t>(std::min<uint32_t>(15, uses));
    features[8] = static_cast<uint8_t>(kind + (unfinished ? 4 : 0) + (depth <= known ? 8 : 0));
    features[9] = node.count > 1 ? gap_bucket(own_gap) : 0;
    features[10] = static_cast<uint8_t>(std::min<uint8_t>(7, turn) + (depth <= known ? 8 : 0));
    features[11] = log2_bucket(depth);

    node.level = static_cast<uint8_t>(ReuseModel::level_of(model_.logit(features)));
    node.time_class = unfinished ? uint8_t{kShort} : time_class_of(end, shared, node.count, own_gap);
    node.turn = turn;
    node.flags &= static_cast<uint8_t>(~(kTail | kFresh));
    if (is_tail) node.flags |= kTail;
    node.time = t;
    node.sequence = guard_.use(node.sequence);
    if (unfinished || is_tail || depth == known || pages - depth == picked) {
      examples_.add(page->key, t, features, node.time_class == kDue ? uint8_t{kFirst} : node.time_class, &model_);
    }
    if (node.time_class == kDue) {
      node.time = t + static_cast<uint32_t>(std::min<uint64_t>(end.return_ns / kTickNs, 1u << 30));
    }
    if (page->candidate) evictable(*page, true);
  }
  examples_.expire(t, &model_);
  if (requests_ > 0) model_.observe(t - observed_);
  observed_ = t;
  ++requests_;
  if (requests_ >= next_refresh_) {
    next_refresh_ = requests_ + std::clamp(requests_ / 64, uint64_t{4}, kRefreshEvery);
    model_.refresh(static_cast<uint32_t>(++refreshes_ % kTimeClasses), 1 + residence_ * kQuantum);
    if (refreshes_ % kRankEvery == 0) rank();
  }
  if (trusted_recency != guard_.trusts_recency()) rank();
}

}  // namespace

std::unique_ptr<Policy> make_adaptive(Memory* memory) { return std::make_unique<Adaptive>(memory); }

}  // namespace kvc
