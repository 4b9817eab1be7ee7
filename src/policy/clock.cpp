// CLOCK (Corbató 1968), second chance: oldest first, but what was used since is passed over once.
#include "policy/score_policy.h"

namespace kvc {
namespace {

class Clock final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "clock"; }

 protected:
  uint64_t score_inserted(const PolicyEntry&, uint64_t tick) noexcept override { return 2 * tick; }
  // The lowest bit says that it was used.
  uint64_t score_hit(const PolicyEntry& entry, uint64_t) noexcept override { return entry.score | 1; }
  bool pass_over(PolicyEntry& entry, uint64_t tick) noexcept override {
    if ((entry.score & 1) == 0) return false;
    entry.score = 2 * tick;
    return true;
  }
};

}  // namespace

std::unique_ptr<Policy> make_clock(Memory* memory) { return std::make_unique<Clock>(memory); }

}  // namespace kvc
