// ARC (Megiddo and Modha 2003): recency and frequency in two LRU lists, whose shares follow the ghosts that come back.
#include <algorithm>

#include "policy/two_queue_policy.h"

namespace kvc {
namespace {

constexpr int kRecent = 0, kFrequent = 1;

class Arc final : public TwoQueuePolicy {
 public:
  using TwoQueuePolicy::TwoQueuePolicy;
  std::string_view name() const noexcept override { return "arc"; }

 protected:
  int place_inserted(int ghost) noexcept override {
    if (ghost < 0) return kRecent;
    const double n = static_cast<double>(capacity());
    const double recent = static_cast<double>(std::max<uint64_t>(1, ghost_size(kRecent)));
    const double frequent = static_cast<double>(std::max<uint64_t>(1, ghost_size(kFrequent)));
    if (ghost == kRecent) {
      target_ = std::min(n, target_ + std::max(1.0, frequent / recent));
    } else {
      target_ = std::max(0.0, target_ - std::max(1.0, recent / frequent));
    }
    if (ghost_count_[ghost] > 0) --ghost_count_[ghost];
    return kFrequent;
  }
  void used(PolicyEntry& entry) noexcept override { put(entry, kFrequent, 0); }
  int choose() noexcept override { return static_cast<double>(size(kRecent)) > target_ ? kRecent : kFrequent; }
  bool spare(PolicyEntry&) noexcept override { return false; }
  // The two lists and their ghosts are twice the cache, the recent one and its ghosts once.
  uint64_t ghost_limit(int queue) const noexcept override {
    const uint64_t n = capacity();
    return queue == kRecent ? n - std::min(n, settled(kRecent)) : 2 * n - std::min(2 * n, n + ghost_size(kRecent));
  }

 public:
  void removed(PolicyEntry& entry) noexcept override {
    const int queue = queue_of(entry);
    TwoQueuePolicy::removed(entry);
    ghost_count_[queue] = std::min(ghost_count_[queue] + 1, capacity());
  }

 private:
  uint64_t ghost_size(int queue) const noexcept { return std::min(ghost_count_[queue], capacity()); }
  double target_ = 0;  // entries that the recent list may have
  uint64_t ghost_count_[2] = {};
};

}  // namespace

std::unique_ptr<Policy> make_arc(Memory* memory) { return std::make_unique<Arc>(memory); }

}  // namespace kvc
