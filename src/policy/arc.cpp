// ARC (Megiddo and Modha 2003): recency and frequency in two LRU lists, whose shares follow the ghosts that come back.
#include <algorithm>

#include "policy/queue_policy.h"

namespace kvc {
namespace {

constexpr int kRecent = 0, kFrequent = 1;

class Arc final : public QueuePolicy {
 public:
  using QueuePolicy::QueuePolicy;
  std::string_view name() const noexcept override { return "arc"; }

 protected:
  int place_inserted(PolicyEntry&, int ghost) noexcept override {
    if (ghost < 0) return kRecent;
    // What came back counts among the ghosts that it was one of.
    const double recent = static_cast<double>(ghosts(kRecent) + (ghost == kRecent ? 1 : 0));
    const double frequent = static_cast<double>(ghosts(kFrequent) + (ghost == kFrequent ? 1 : 0));
    if (ghost == kRecent) {
      target_ = std::min(static_cast<double>(capacity()), target_ + std::max(1.0, frequent / recent));
    } else {
      target_ = std::max(0.0, target_ - std::max(1.0, recent / frequent));
    }
    return kFrequent;
  }
  void used(PolicyEntry& entry) noexcept override { put(entry, kFrequent, 0); }
  int choose() noexcept override { return static_cast<double>(size(kRecent)) > target_ ? kRecent : kFrequent; }
  bool spare(PolicyEntry&) noexcept override { return false; }
  // The recent list and its ghosts are at most the cache once, all four lists twice.
  uint64_t ghost_limit(int queue) const noexcept override {
    const uint64_t n = capacity();
    const uint64_t others = queue == kRecent ? size(kRecent) : entries() + ghosts(kRecent);
    const uint64_t most = queue == kRecent ? n : 2 * n;
    return most - std::min(most, others);
  }

 private:
  double target_ = 0;  // entries that the recent list may have
};

}  // namespace

std::unique_ptr<Policy> make_arc(Memory* memory) { return std::make_unique<Arc>(memory); }

}  // namespace kvc
