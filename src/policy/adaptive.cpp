// Adaptive: keeps what is worth most, by what it learns online of reuse (reuse_model.h); falls back to recency where
// that would have done better (recency_guard.h).
//
// Candidates lie in lists, one per cell (class of reuse time, level of probability, slice of age; cell_lists.h). A page
// moves to the next cell when it ages, at most once per half octave. Entries with a priority, or that the cache says to
// drop, lie in lists before and after these.
//
// The unit of learning is a request: the chain of a session that closed. Its last whole page, its unfinished one, the
// page where it left what was known, and one at random become examples that are judged later (examples.h). What was
// known of evicted pages stays for a while (page_memory.h).
//
// Memory: what PolicyEntry has; less than 1 MB of fixed tables beside it. What a session's end costs is a walk along its
// chain; the tables of worth are brought up to date only when room is needed.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "policy/cell_lists.h"
#include "policy/examples.h"
#include "policy/page_memory.h"
#include "policy/policy.h"
#include "policy/recency_guard.h"
#include "policy/reuse_model.h"

namespace kvc {
namespace {

constexpr uint32_t kRemembered = 22016;        // pages
constexpr uint64_t kRefreshEvery = 4;          // requests: one class each time
constexpr double kQuantum = 1.0 / 64;          // of the time that pages stay: no shorter holding is considered

constexpr uint64_t kStateVersion = 0x3754'5041'4443'564b;  // "KVCDAPT7"; another layout has another number

constexpr uint8_t kTail = 1;     // the last whole page of the last request that used it
constexpr uint8_t kWaiting = 2;  // a use of it may wait to be judged
constexpr uint8_t kFresh = 4;    // inserted and not yet part of a request
constexpr uint8_t kShared = 8;   // requests parted here
constexpr uint8_t kFlags = 15;
constexpr uint8_t kMaxTurn = 15;

// PolicyEntry::list. Lists beside those of the cells: what the cache says to drop, and one per priority.
constexpr uint16_t kSuperseded = ReuseModel::kCells, kFinished = kSuperseded + 1, kPriorities = kFinished + 1;
constexpr uint32_t kSpecial = 2 + KVC_PRIORITY_CRITICAL - KVC_PRIORITY_BACKGROUND + 1;
constexpr uint16_t kNormal = kPriorities - KVC_PRIORITY_BACKGROUND;  // stays empty: these are in cells
using Lists = CellLists<kSpecial>;
constexpr uint16_t kNoList = Lists::kNone;

// Logarithm of a time, in eighths of an octave, and of the mean pace that a page keeps of it in more places.
constexpr uint32_t eighths_of_octave(uint32_t ticks) noexcept {
  const uint64_t n = uint64_t{ticks} + 2;
  const auto top = static_cast<uint32_t>(63 - __builtin_clzll(n));
  return 8 * top + static_cast<uint32_t>((n << 3 >> top) & 7);
}
constexpr uint32_t kPaceBits = 4;  // below an eighth
constexpr uint32_t kPaceOctave = 8u << kPaceBits;
// Where the classes of reuse times end, as paces.
constexpr uint32_t pace_at(uint32_t milliseconds) noexcept {
  return eighths_of_octave(static_cast<uint32_t>(milliseconds * uint64_t{1'000'000} / kTickNs)) << kPaceBits;
}
constexpr uint32_t kClassEnds[] = {pace_at(500),   pace_at(4'000),  pace_at(11'000),
                                   pace_at(32'000), pace_at(90'000), pace_at(256'000)};
static_assert(kGapHalfSecond + std::size(kClassEnds) == kGapLonger);
uint8_t gap_bucket(uint32_t ticks) noexcept {
  return static_cast<uint8_t>(std::min<uint32_t>(kBuckets - 1, 1 + slice_of(ticks) / 3));
}

// What is kept in PolicyEntry: score holds the time of the last use (for kDue: when the next is expected) above its
// sequence; place holds the mean logarithm of the times between its uses.
uint32_t time_of(const PolicyEntry& entry) noexcept { return static_cast<uint32_t>(entry.score >> 32); }
uint32_t sequence_of(const PolicyEntry& entry) noexcept { return static_cast<uint32_t>(entry.score); }
void set_use(PolicyEntry& entry, uint32_t time, uint32_t sequence) noexcept {
  entry.score = uint64_t{time} << 32 | sequence;
}
uint8_t& level_of(PolicyEntry& entry) noexcept { return entry.notes[0]; }
uint8_t level_of(const PolicyEntry& entry) noexcept { return entry.notes[0]; }
uint8_t& time_class_of(PolicyEntry& entry) noexcept { return entry.notes[1]; }
uint8_t time_class_of(const PolicyEntry& entry) noexcept { return entry.notes[1]; }
uint8_t& count_of(PolicyEntry& entry) noexcept { return entry.notes[2]; }
uint8_t count_of(const PolicyEntry& entry) noexcept { return entry.notes[2]; }
uint8_t flags_of(const PolicyEntry& entry) noexcept { return entry.notes[3] & kFlags; }
uint8_t turn_of(const PolicyEntry& entry) noexcept { return entry.notes[3] >> 4; }
void set_flags(PolicyEntry& entry, uint8_t turn, uint32_t flags) noexcept {
  entry.notes[3] = static_cast<uint8_t>(turn << 4 | flags);
}

class Adaptive final : public Policy {
 public:
  Adaptive() : memory_(kRemembered), random_(0x6b7663) {}
  std::string_view name() const noexcept override { return "adaptive"; }
  bool weighs_hints() const noexcept override { return true; }

  bool reserve() noexcept override { return true; }

  void inserted(PolicyEntry& entry) noexcept override {
    ++n_entries_;
    entry.candidate = false;
    entry.hits = 0;
    entry.list = kNoList;
    PageHistory history;
    memory_.take(entry.key, &history);
    set_use(entry, history.time, history.sequence);
    level_of(entry) = static_cast<uint8_t>(ReuseModel::level_of(-1.0F));
    time_class_of(entry) = kFirst;
    count_of(entry) = history.count;
    entry.place = uint32_t{history.pace} << kPaceBits;
    set_flags(entry, history.turn, (history.flags & (kTail | kShared)) | kFresh | kWaiting);
    if (entry.is_tensor) used_alone(entry);
  }

  void hit(PolicyEntry& entry) noexcept override {
    if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
    if (entry.is_tensor) used_alone(entry);
  }

  void evictable(PolicyEntry& entry, bool yes) noexcept override {
    leave(entry);
    entry.candidate = yes;
    if (yes) enter(entry);
  }

  void removed(PolicyEntry& entry) noexcept override {
    leave(entry);
    entry.candidate = false;
    if (!(flags_of(entry) & kFresh)) {
      const uint32_t time = time_of(entry);
      const uint32_t age = time < now() ? now() - time : 0;
      residence_ += (age - residence_) / 1024;
      if (!entry.is_tensor) {
        memory_.put(entry.key, PageHistory{time, sequence_of(entry), count_of(entry), turn_of(entry),
                                           static_cast<uint8_t>(flags_of(entry) & (kTail | kShared)),
                                           static_cast<uint8_t>(std::min(255u, entry.place >> kPaceBits))});
      }
    }
    guard_.limit(--n_entries_);
  }

  PolicyEntry* victim() noexcept override {
    catch_up();
    const uint32_t first = lists_.first_special();
    if (first < kNormal) return lists_.oldest(first);
    move_on();
    const uint32_t cell = lists_.least();
    if (cell != kNoList) return guard_.trusts_recency() ? least_recent() : lists_.oldest(cell);
    return first == kNoList ? nullptr : lists_.oldest(first);
  }

  float chance(const PolicyEntry& entry) const noexcept override {
    if (entry.superseded || entry.finished) return 0;
    return entry.priority > KVC_PRIORITY_NORMAL ? 1 : model_.chance(cell_for(entry));
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
    for (uint32_t c = 0; c < kTimeClasses; ++c) lists_.reorder(c, model_);
    return true;
  }
  PolicyState state() const noexcept override { return state_; }
  bool set_objective(const PolicyObjective& objective) noexcept override {
    if (objective.time != objective_.time) changed(KVC_REASON_METRICS);
    objective_ = objective;
    return true;
  }

 private:
  void changed(int32_t reason) noexcept {
    state_.strategy = guard_.trusts_recency() ? KVC_STRATEGY_RECENCY : KVC_STRATEGY_LEARNED;
    state_.reason = reason;
    state_.changed_ns = now_ns_;
    ++state_.changes;
  }

  uint32_t now() const noexcept { return static_cast<uint32_t>(now_ns_ / kTickNs) + 1; }

  // A tensor has no chain: each use is a request of its own, judged by time alone.
  void used_alone(PolicyEntry& entry) noexcept {
    const bool candidate = entry.candidate;
    leave(entry);
    set_use(entry, now(), guard_.use(sequence_of(entry)));
    count_of(entry) = static_cast<uint8_t>(std::min(count_of(entry) + 1, 255));
    set_flags(entry, turn_of(entry), flags_of(entry) & ~uint32_t{kFresh});
    if (candidate) enter(entry);
  }

  // A request that ended with this page was seen in this tick, and said nothing of itself.
  bool just_ended(const PolicyEntry& last) const noexcept {
    if (hinted_ == now()) return false;
    const bool ends = (flags_of(last) & kTail) != 0 || time_class_of(last) == kShort;
    return ends && (flags_of(last) & kFresh) == 0 && time_class_of(last) != kDue && time_of(last) == now();
  }

  uint16_t cell_for(const PolicyEntry& entry) const noexcept {
    const uint32_t t = now();
    const uint32_t time = time_of(entry);
    uint32_t time_class = time_class_of(entry);
    if (time_class == kDue && time <= t) time_class = kOverdue;
    const uint32_t age = time_class == kDue ? time - t : t - std::min(t, time);
    return static_cast<uint16_t>(ReuseModel::cell_of(time_class, level_of(entry), slice_of(age)));
  }

  uint32_t list_for(PolicyEntry& entry) const noexcept {
    if (entry.superseded) return kSuperseded;
    if (entry.finished) return kFinished;
    if (entry.priority == KVC_PRIORITY_NORMAL) return cell_for(entry);
    return static_cast<uint32_t>(
        kNormal + std::clamp<int>(entry.priority, KVC_PRIORITY_BACKGROUND, KVC_PRIORITY_CRITICAL));
  }
  void enter(PolicyEntry& entry) noexcept {
    lists_.enter(entry, list_for(entry), model_,
                 [](const PolicyEntry& a, const PolicyEntry& b) { return time_of(a) < time_of(b); });
  }
  void leave(PolicyEntry& entry) noexcept { lists_.leave(entry, model_); }

  // Brings worth up to date with what was learned.
  void catch_up() noexcept {
    for (stale_ = std::min<uint64_t>(stale_, kTimeClasses); stale_ > 0; --stale_) {
      const auto time_class = static_cast<uint32_t>(++refreshes_ % kTimeClasses);
      model_.refresh(time_class, 1 + residence_ * kQuantum);
      lists_.reorder(time_class, model_);
    }
  }

  // Moves candidates on to the cells of their age, once per tick.
  void move_on() noexcept {
    if (now() == moved_) return;
    moved_ = now();
    for (uint32_t slice = 0; slice < kSlices; ++slice) {
      lists_.each_of_slice(slice, [&](uint32_t cell) {
        while (!lists_.empty(cell)) {
          PolicyEntry* last = lists_.oldest(cell);
          if (cell_for(*last) == cell) break;
          leave(*last);
          enter(*last);
        }
      });
    }
  }

  // The least recent of the candidates in cells: it is among those of the oldest slice that there is.
  PolicyEntry* least_recent() noexcept {
    PolicyEntry* found = nullptr;
    lists_.each_of_slice(lists_.last_slice(), [&](uint32_t cell) {
      PolicyEntry* last = lists_.oldest(cell);
      if (found == nullptr || sequence_of(*last) < sequence_of(*found)) found = last;
    });
    return found;
  }

  // Of the time that prefill takes per token of a page, in units of a first page's.
  float log_cost(const PolicyEntry& page) const noexcept {
    const double balanced = objective_.balanced_position > 0 ? objective_.balanced_position : kBalancedPosition;
    return static_cast<float>(std::log1p(static_cast<double>(page.depth) * page.tokens / balanced));
  }

  static uint32_t pace_of(uint32_t gap, uint32_t before) noexcept {
    const uint32_t octaves = eighths_of_octave(gap) << kPaceBits;
    return before == 0 ? octaves : (3 * before + octaves) / 4;
  }

  // by_pace: of a page that is one conversation's own.
  uint8_t class_after(const SessionEnd& end, bool shared, uint8_t by_pace, const PolicyEntry& page) const noexcept {
    if (!shared) {
      if (end.return_ns != 0 && (end.hint == SessionHint::expected || end.hint == SessionHint::idle)) return kDue;
      if (count_of(page) < 2 || model_.paces_tell()) return by_pace;
    }
    if (count_of(page) < 2) return kFirst;
    uint8_t time_class = kGapHalfSecond;
    for (const uint32_t end_of_class : kClassEnds) time_class += page.place >= end_of_class ? 1 : 0;
    return time_class;
  }

  PageMemory memory_;
  Examples examples_;
  ReuseModel model_;
  RecencyGuard guard_;
  Random random_;
  Lists lists_;
  uint32_t n_entries_ = 0;
  uint32_t moved_ = 0, observed_ = 0, hinted_ = 0;  // ticks; when a session last left a hint
  uint64_t requests_ = 0, next_refresh_ = 0, refreshes_ = 0;
  uint64_t stale_ = 0;  // refreshes to be made
  PolicyState state_{KVC_STRATEGY_LEARNED, KVC_REASON_NONE, 0, 0};
  PolicyObjective objective_;
  double residence_ = 0;  // ticks since their last use after which pages leave
};

void Adaptive::closed(PolicyEntry& last, Up up, const SessionEnd& end) noexcept {
  const uint32_t t = now();
  const uint32_t pages = last.depth + 1;
  if (end.hint != SessionHint::none) {
    hinted_ = t;
  } else if (just_ended(last)) {
    // Again within a tick: one reference, not two (the correlated references of LRU-K, O'Neil et al. 1993). Thousands of
    // sessions a second that begin with the same prompt would otherwise learn the same thing thousands of times.
    guard_.compare(pages, pages, pages, pages);
    return;
  }
  const PolicyEntry* before = up(last);
  const bool is_short = before != nullptr && last.tokens < before->tokens;

  // What is known of this chain: where it goes on from, and what LRU would have had.
  uint32_t known = 0, gap = 0, pace = 0, hits = 0, lru_hits = 0;
  uint8_t turn = 0, kind = 0;
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page)) {
    const uint8_t flags = flags_of(*page);
    if (known == 0 && count_of(*page) > 0) {
      known = page->depth + 1;
      gap = t - std::min(t, time_of(*page));
      kind = (flags & kTail) != 0 ? 1 : 2;
      if (kind == 1) {
        turn = static_cast<uint8_t>(std::min<int>(turn_of(*page) + 1, kMaxTurn));
        pace = pace_of(gap, page->place);
      }
    }
    if (hits == 0 && !(flags & kFresh)) hits = page->depth + 1;
    if (lru_hits == 0 && guard_.holds(sequence_of(*page))) lru_hits = page->depth + 1;
    if (flags & kWaiting) examples_.used(page->key, t, &model_);
  }
  const bool trusted_recency = guard_.trusts_recency();
  guard_.compare(pages, known, hits, lru_hits);

  Features request;
  request.set(2, turn);
  request.set(3, log2_bucket(pages));
  request.set(4, log2_bucket(pages - known));
  request.set(kGapFeature, known > 0 ? gap_bucket(gap) : 0);
  request.set(6, log2_bucket(known));
  request.set(kAnswerFeature, log2_bucket(end.generated));
  const uint32_t picked = static_cast<uint32_t>(random_.next() % pages);
  bool shared = false;
  Features judged = Features::none();  // what `level` is of: pages beside each other are mostly alike
  float logit = 0;
  uint8_t level = 0, by_pace = kPaceMiddle;
  uint32_t depth = pages;  // of this page, counted from 1
  for (PolicyEntry* page = &last; page != nullptr; page = up(*page), --depth) {
    const bool candidate = page->candidate;
    if (candidate) leave(*page);
    const bool unfinished = is_short && page == &last;
    const bool is_tail = depth == pages - (is_short ? 1 : 0);
    uint32_t flags = flags_of(*page) & ~uint32_t{kTail | kFresh | kWaiting};
    if (kind == 2 && depth == known) flags |= kShared;
    if (is_tail) flags |= kTail;
    shared = shared || (flags & kShared) != 0;
    if (count_of(*page) < 255) ++count_of(*page);
    const uint32_t count = count_of(*page);
    const uint32_t own_gap = t - std::min(t, time_of(*page));
    // New pages take over the pace of the conversation that they continue.
    if (count > 1) {
      page->place = pace_of(own_gap, count == 2 && !model_.paces_tell() ? 0 : page->place);
    } else if (depth > known) {
      page->place = pace;
    }

    Features features = request;
    // What a session says of itself concerns its own pages, and those that another may go on from less.
    const uint32_t hint = shared ? 0 : static_cast<uint32_t>(end.hint);
    features.set(kHintFeature, hint + (depth <= known ? kHintOfKnown : 0));
    const uint8_t distance = log2_bucket(pages - depth + (is_short ? 0 : 1));
    features.set(kDistanceFeature, unfinished ? 0 : std::min(15u, distance + 1u));
    const uint32_t uses = count < 8 ? count : 6 + log2_bucket(count) / 2;
    features.set(7, std::min(15u, uses));
    features.set(8, kind + (unfinished ? 4u : 0u) + (depth <= known ? 8u : 0u));
    features.set(9, count > 1 ? gap_bucket(own_gap) : 0);
    features.set(10, std::min<uint32_t>(7, turn) + (depth <= known ? 8u : 0u));
    features.set(11, log2_bucket(depth));
    features.set(kPaceFeature, page->place == 0 ? 0 : std::min(kBuckets - 1, 1 + page->place / (kPaceOctave * 3 / 2)));
    if (features != judged) {
      judged = features;
      logit = model_.logit(features);
      level = static_cast<uint8_t>(ReuseModel::level_of(logit));
      if (!shared) by_pace = model_.class_by_pace(features);
    }
    // Of rarely used pages, one that costs twice as much to compute again is worth as much as one twice as likely used.
    if (objective_.time) level = static_cast<uint8_t>(ReuseModel::level_of(logit + log_cost(*page)));

    const uint8_t time_class = unfinished ? uint8_t{kShort} : class_after(end, shared, by_pace, *page);
    level_of(*page) = level;
    time_class_of(*page) = time_class;
    if (unfinished || is_tail || depth == known || pages - depth == picked) {
      examples_.add(page->key, t, features, time_class == kDue ? uint8_t{kFirst} : time_class, &model_);
      flags |= kWaiting;
    }
    set_flags(*page, turn, flags);
    const uint64_t wait = time_class == kDue ? std::min<uint64_t>(end.return_ns / kTickNs, 1u << 30) : 0;
    set_use(*page, t + static_cast<uint32_t>(wait), guard_.use(sequence_of(*page)));
    if (candidate) enter(*page);
  }
  examples_.expire(t, &model_);
  if (requests_ > 0) model_.observe(t - observed_);
  observed_ = t;
  ++requests_;
  if (requests_ >= next_refresh_) {
    next_refresh_ = requests_ + kRefreshEvery;
    model_.set_patience();
    ++stale_;
  }
  if (trusted_recency != guard_.trusts_recency()) {
    changed(trusted_recency ? KVC_REASON_RETRY : KVC_REASON_LOST);
  }
}

}  // namespace

std::unique_ptr<Policy> make_adaptive(Memory*) { return std::make_unique<Adaptive>(); }

}  // namespace kvc
