// W-TinyLFU (Einziger et al. 2017): newcomers live in a small LRU window; what it gives up is admitted to the main part only
// if it was seen more often lately than what would leave for it. The main part is an SLRU: what is used there is protected,
// up to four fifths of it.
#include "policy/frequency_sketch.h"
#include "policy/queue_policy.h"

namespace kvc {
namespace {

constexpr int kWindow = 0, kProbation = 1, kProtected = 2;

class WTinyLfu final : public QueuePolicy {
 public:
  explicit WTinyLfu(Memory* memory) noexcept : QueuePolicy(memory, 3, /*has_ghosts=*/false), seen_(memory) {}
  std::string_view name() const noexcept override { return "wtinylfu"; }

  bool reserve() noexcept override {
    return seen_.reserve(static_cast<uint32_t>(entries() + 1)) && QueuePolicy::reserve();
  }
  void removed(PolicyEntry& entry) noexcept override {
    QueuePolicy::removed(entry);
    if (entries() == 0 && !promised()) seen_.free();
  }

 protected:
  int place_inserted(PolicyEntry& entry, int) noexcept override {
    seen_.count(entry.key, capacity());
    // Until the cache is full, all are admitted.
    if (!has_evicted() && size(kWindow) >= window_limit()) put(*oldest_of(kWindow), kProbation, 0);
    return kWindow;
  }
  void used(PolicyEntry& entry) noexcept override {
    seen_.count(entry.key, capacity());
    put(entry, queue_of(entry) == kWindow ? kWindow : kProtected, 0);
    if (size(kProtected) * 5 > (entries() - size(kWindow)) * 4) put(*oldest_of(kProtected), kProbation, 0);
  }
  int choose() noexcept override {
    if (size(kWindow) <= window_limit()) return kProbation;
    PolicyEntry* candidate = next_of(kWindow);
    const PolicyEntry* victim = next_of(kProbation);
    if (candidate == nullptr) return kProbation;
    if (victim == nullptr || seen_.of(candidate->key) <= seen_.of(victim->key)) return kWindow;
    put(*candidate, kProbation, 0);
    return kProbation;
  }
  bool spare(PolicyEntry&) noexcept override { return false; }

 private:
  uint64_t window_limit() const noexcept { return std::max<uint64_t>(1, capacity() / 100); }

  FrequencySketch seen_;
};

}  // namespace

std::unique_ptr<Policy> make_wtinylfu(Memory* memory) { return std::make_unique<WTinyLfu>(memory); }

}  // namespace kvc
