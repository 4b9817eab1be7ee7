// S3-FIFO (Yang et al. 2023): newcomers prove themselves in a small FIFO of a tenth; what was used twice there, or comes
// back soon after it left, goes to the main FIFO, which spares what was used since (up to three times).
#include <algorithm>

#include "policy/two_queue_policy.h"

namespace kvc {
namespace {

constexpr int kSmall = 0, kMain = 1;

class S3Fifo final : public TwoQueuePolicy {
 public:
  using TwoQueuePolicy::TwoQueuePolicy;
  std::string_view name() const noexcept override { return "s3fifo"; }

 protected:
  int place_inserted(int ghost) noexcept override { return ghost == kSmall ? kMain : kSmall; }
  void used(PolicyEntry& entry) noexcept override { set_uses(entry, std::min(3u, uses_of(entry) + 1)); }
  int choose() noexcept override { return size(kSmall) * 10 >= capacity() ? kSmall : kMain; }
  bool spare(PolicyEntry& entry) noexcept override {
    const bool small = queue_of(entry) == kSmall;
    if (uses_of(entry) < (small ? 2 : 1)) return false;
    put(entry, kMain, small ? 0 : uses_of(entry) - 1);
    return true;
  }
  uint64_t ghost_limit(int queue) const noexcept override { return queue == kSmall ? capacity() * 9 / 10 : 0; }
};

}  // namespace

std::unique_ptr<Policy> make_s3fifo(Memory* memory) { return std::make_unique<S3Fifo>(memory); }

}  // namespace kvc
