// Least frequently used: the fewest hits since it came in leaves first; among equals the least recently used.
#include <algorithm>

#include "policy/score_policy.h"

namespace kvc {
namespace {

// A score is hits (20 bits, more than a million count as a million) before recency (44 bits: years of events).
constexpr int kRecencyBits = 44;
constexpr uint64_t kMaxHits = (uint64_t{1} << (64 - kRecencyBits)) - 1;

class Lfu final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "lfu"; }

 protected:
  uint64_t score_inserted(const PolicyEntry& entry, uint64_t tick) noexcept override {
    return score_hit(entry, tick);
  }
  uint64_t score_hit(const PolicyEntry& entry, uint64_t tick) noexcept override {
    return (std::min<uint64_t>(entry.hits, kMaxHits) << kRecencyBits) | tick;
  }
};

}  // namespace

std::unique_ptr<Policy> make_lfu(Memory* memory) { return std::make_unique<Lfu>(memory); }

}  // namespace kvc
