// S3-FIFO (Yang et al. 2023): newcomers prove themselves in a small FIFO of a tenth; what was used twice there, or comes
// back soon after it left, goes to the main FIFO, which spares what was used since (up to three times).
#include <algorithm>

#include "policy/queue_policy.h"

namespace kvc {
namespace {

constexpr int kSmall = 0, kMain = 1;

class S3Fifo final : public QueuePolicy {
 public:
  using QueuePolicy::QueuePolicy;
  std::string_view name() const noexcept override { return "s3fifo"; }

 protected:
  int place_inserted(PolicyEntry&, int ghost) noexcept override { return ghost == kSmall ? kMain : kSmall; }
  void used(PolicyEntry& entry) noexcept override {
    set_uses(entry, std::min(3u, uses_of(entry) + 1));
    if (was_overtaken(entry) && uses_of(entry) >= 2) promote(entry);
  }
  int choose() noexcept override { return size(kSmall) * 10 >= capacity() ? kSmall : kMain; }
  bool spare(PolicyEntry& entry) noexcept override {
    const bool small = queue_of(entry) == kSmall;
    if (uses_of(entry) < (small ? 2 : 1)) return false;
    if (small) {
      promote(entry);
    } else {
      put(entry, kMain, uses_of(entry) - 1);
    }
    return true;
  }
  void overtaken(PolicyEntry& entry) noexcept override {
    if (spare(entry) || queue_of(entry) == kMain) return;
    entry.notes[0] = 1;  // it would be gone, if others did not continue it
  }
  uint64_t ghost_limit(int queue) const noexcept override { return queue == kSmall ? capacity() * 9 / 10 : 0; }

 private:
  static bool was_overtaken(const PolicyEntry& entry) noexcept { return entry.notes[0] != 0; }
  void promote(PolicyEntry& entry) noexcept {
    entry.notes[0] = 0;
    put(entry, kMain, 0);
  }
};

}  // namespace

std::unique_ptr<Policy> make_s3fifo(Memory* memory) { return std::make_unique<S3Fifo>(memory); }

}  // namespace kvc
