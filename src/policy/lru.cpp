// Least recently used: what was not used for longest leaves first. Coming in counts as a use.
#include "policy/score_policy.h"

namespace kvc {
namespace {

class Lru final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "lru"; }

 protected:
  uint64_t score_inserted(const PolicyEntry&, uint64_t tick) noexcept override { return tick; }
  uint64_t score_hit(const PolicyEntry&, uint64_t tick) noexcept override { return tick; }
};

}  // namespace

std::unique_ptr<Policy> make_lru(Memory* memory) { return std::make_unique<Lru>(memory); }

}  // namespace kvc
