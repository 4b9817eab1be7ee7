// SIEVE (Zhang et al. 2024): oldest first; what was used since is passed over once, but keeps its place in the queue,
// unlike CLOCK's. The hand's way through the queue is told by rounds: what it passed over belongs to the next one.
#include <algorithm>

#include "policy/score_policy.h"

namespace kvc {
namespace {

constexpr int kTickBits = 44;  // of a score, above the used bit; the round is above them
constexpr uint64_t kTicks = (uint64_t{1} << kTickBits) - 1;

class Sieve final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "sieve"; }

 protected:
  uint64_t score_inserted(const PolicyEntry&, uint64_t tick) noexcept override { return score(round_, tick & kTicks); }
  uint64_t score_hit(const PolicyEntry& entry, uint64_t) noexcept override { return entry.score | 1; }
  bool pass_over(PolicyEntry& entry, uint64_t) noexcept override {
    round_ = std::max(round_, entry.score >> (kTickBits + 1));
    if ((entry.score & 1) == 0) return false;
    entry.score = score((entry.score >> (kTickBits + 1)) + 1, entry.score >> 1 & kTicks);
    return true;
  }

 private:
  static uint64_t score(uint64_t round, uint64_t tick) noexcept { return (round << (kTickBits + 1)) | (tick << 1); }
  uint64_t round_ = 0;  // of the hand
};

}  // namespace

std::unique_ptr<Policy> make_sieve(Memory* memory) { return std::make_unique<Sieve>(memory); }

}  // namespace kvc
