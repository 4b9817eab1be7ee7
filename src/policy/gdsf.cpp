// GreedyDual-Size-Frequency (Cherkasova 1998) with the cost of prefill: what is cheap to compute, large and rarely used
// leaves first; the value of each victim is what newcomers start from, so that old value fades.
#include <bit>

#include "policy/score_policy.h"

namespace kvc {
namespace {

class Gdsf final : public ScorePolicy {
 public:
  using ScorePolicy::ScorePolicy;
  std::string_view name() const noexcept override { return "gdsf"; }

  void removed(PolicyEntry& entry) noexcept override {
    const double value = std::bit_cast<double>(entry.score);
    if (entry.candidate && value > inflation_) inflation_ = value;
    ScorePolicy::removed(entry);
  }

 protected:
  uint64_t score_inserted(const PolicyEntry& entry, uint64_t) noexcept override { return score(entry, 1); }
  uint64_t score_hit(const PolicyEntry& entry, uint64_t) noexcept override {
    return score(entry, 1.0 + entry.hits);
  }

 private:
  // Positive doubles have the order of their bits.
  uint64_t score(const PolicyEntry& entry, double uses) const noexcept {
    const double tokens = entry.tokens;
    const double cost = tokens * (1 + tokens * entry.depth / kBalancedPosition);
    const double per_byte = entry.is_tensor || entry.bytes == 0 || tokens == 0 ? 1 : cost / entry.bytes;
    return std::bit_cast<uint64_t>(inflation_ + uses * per_byte);
  }
  double inflation_ = 0;
};

}  // namespace

std::unique_ptr<Policy> make_gdsf(Memory* memory) { return std::make_unique<Gdsf>(memory); }

}  // namespace kvc
