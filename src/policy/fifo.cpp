// First in, first out: age alone decides, hits do not.
#include "policy/score_policy.h"

namespace kvc {
namespace {

class Fifo final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "fifo"; }

 protected:
  uint64_t score_inserted(const PolicyEntry&, uint64_t tick) noexcept override { return tick; }
  uint64_t score_hit(const PolicyEntry& entry, uint64_t) noexcept override { return entry.score; }
};

}  // namespace

std::unique_ptr<Policy> make_fifo(Memory* memory) { return std::make_unique<Fifo>(memory); }

}  // namespace kvc
