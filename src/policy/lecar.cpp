// LeCaR (Vietri et al. 2018): the next victim is LRU's or LFU's, drawn by weights that the ghosts of each expert's victims
// lower when they come back, the more the sooner.
#include <cmath>
#include <limits>

#include "base/random.h"
#include "policy/candidate_heap.h"
#include "policy/ghost_lists.h"
#include "policy/policy.h"

namespace kvc {
namespace {

constexpr double kLearningRate = 0.45;
constexpr double kDiscount = 0.005;  // of a regret, over as many accesses as the cache has entries
constexpr int kLru = 0, kLfu = 1;
// What is noted of a ghost: its uses above the low bits of when it left.
constexpr int kTickBits = 24;
constexpr uint32_t kTicks = (1u << kTickBits) - 1;

class LeCaR final : public Policy {
 public:
  explicit LeCaR(Memory* memory) noexcept
      : recent_(memory), frequent_(memory), ghosts_(memory), random_(0x6c656361) {}
  std::string_view name() const noexcept override { return "lecar"; }

  bool reserve() noexcept override {
    const uint32_t needed = n_entries_ + 1;
    if (!recent_.reserve(needed) || !frequent_.reserve(needed)) return false;
    if (!ghosts_.reserve(needed)) return false;
    promised_ = true;
    return true;
  }

  void inserted(PolicyEntry& entry) noexcept override {
    promised_ = false;
    ++n_entries_;
    entry.candidate = false;
    entry.hits = 0;
    entry.score = ++tick_;
    entry.list = 1;
    uint32_t noted = 0;
    const int expert = ghosts_.take(entry.key, &noted);
    if (expert >= 0) {
      regret(expert, (static_cast<uint32_t>(tick_) - noted) & kTicks);
      count(entry, noted >> kTickBits);
    }
    chosen_ = nullptr;
  }

  void hit(PolicyEntry& entry) noexcept override {
    if (entry.hits != std::numeric_limits<uint32_t>::max()) ++entry.hits;
    entry.score = ++tick_;
    count(entry, 1);
    if (entry.candidate) settle(entry);
  }

  void evictable(PolicyEntry& entry, bool yes) noexcept override {
    if (yes && entry.candidate) return settle(entry);
    if (yes == entry.candidate) return;
    entry.candidate = yes;
    chosen_ = nullptr;
    if (yes) {
      recent_.push(entry);
      frequent_.push(entry);
    } else {
      recent_.erase(entry);
      frequent_.erase(entry);
    }
  }

  void removed(PolicyEntry& entry) noexcept override {
    const bool was_chosen = chosen_ == &entry;
    evictable(entry, false);
    chosen_ = nullptr;
    --n_entries_;
    if (was_chosen) {
      const uint32_t uses = std::min<uint32_t>(entry.list, GhostLists::kStamp >> kTickBits);
      ghosts_.add(expert_, entry.key, uses << kTickBits | (static_cast<uint32_t>(tick_) & kTicks));
    }
    if (n_entries_ != 0 || promised_) return;
    // An empty cache holds nothing on to the budget, unless room was promised.
    recent_.free();
    frequent_.free();
    ghosts_.free();
  }

  PolicyEntry* victim() noexcept override {
    if (chosen_ != nullptr) return chosen_;
    PolicyEntry* oldest = recent_.top();
    if (oldest == nullptr) return nullptr;
    expert_ = static_cast<double>(random_.next() >> 11) * 0x1p-53 < weight_lru_ ? kLru : kLfu;
    chosen_ = expert_ == kLru ? oldest : frequent_.top();
    return chosen_;
  }

 private:
  struct ByRecency {
    static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
      bool decided;
      const bool first = goes_first(a, b, &decided);
      return decided ? first : a.score < b.score;
    }
    static uint32_t& position(PolicyEntry& entry) noexcept { return entry.place; }
  };
  struct ByFrequency {
    static bool before(const PolicyEntry& a, const PolicyEntry& b) noexcept {
      bool decided;
      const bool first = goes_first(a, b, &decided);
      if (decided) return first;
      return a.list != b.list ? a.list < b.list : a.score < b.score;
    }
    static uint32_t& position(PolicyEntry& entry) noexcept { return entry.second_place; }
  };

  // entry.list: its uses, those before it left and came back included.
  static void count(PolicyEntry& entry, uint32_t uses) noexcept {
    entry.list = static_cast<uint16_t>(std::min<uint32_t>(entry.list + uses, 0xffff));
  }
  void settle(PolicyEntry& entry) noexcept {
    recent_.settle(entry);
    frequent_.settle(entry);
    chosen_ = nullptr;
  }
  void regret(int expert, uint32_t age) noexcept {
    const double loss = std::pow(kDiscount, age / static_cast<double>(n_entries_));
    const double kept = std::exp(-kLearningRate * loss);
    const double lru = weight_lru_ * (expert == kLru ? kept : 1);
    const double lfu = (1 - weight_lru_) * (expert == kLfu ? kept : 1);
    weight_lru_ = std::clamp(lru / (lru + lfu), 0.01, 0.99);
  }

  CandidateHeap<ByRecency> recent_;
  CandidateHeap<ByFrequency> frequent_;
  GhostLists ghosts_;
  Random random_;
  double weight_lru_ = 0.5;
  PolicyEntry* chosen_ = nullptr;  // the victim, until something changes
  int expert_ = kLru;              // whose it is
  uint64_t tick_ = 0;
  uint32_t n_entries_ = 0;
  bool promised_ = false;
};

}  // namespace

std::unique_ptr<Policy> make_lecar(Memory* memory) { return std::make_unique<LeCaR>(memory); }

}  // namespace kvc
