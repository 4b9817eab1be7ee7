#include "api/fork_guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

namespace kvc {
namespace {

using EpochWord = std::atomic<uint32_t>;
static_assert(EpochWord::is_always_lock_free);

// Grows by at least one in every process that looks; inherited by children, so that a child's epoch is always above all
// of its ancestors'.
constinit std::atomic<uint32_t> last_epoch{0};
constinit std::atomic<EpochWord*> wiped_word{nullptr};
constinit std::atomic<bool> no_wiping{false};
// Where there is no wiping: process id and epoch in one word.
constinit std::atomic<uint64_t> pid_and_epoch{0};

EpochWord* map_wiped_word() noexcept {
  const auto bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  void* page = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (madvise(page, bytes, MADV_WIPEONFORK) != 0) {
    munmap(page, bytes);
    return nullptr;
  }
  auto* word = static_cast<EpochWord*>(page);  // zeroed memory is a valid atomic of 0
  EpochWord* first = nullptr;
  if (wiped_word.compare_exchange_strong(first, word, std::memory_order_acq_rel)) return word;
  munmap(page, bytes);
  return first;
}

uint32_t epoch_by_pid() noexcept {
  const auto pid = static_cast<uint64_t>(getpid());
  uint64_t seen = pid_and_epoch.load(std::memory_order_acquire);
  while (seen >> 32 != pid) {
    const uint64_t epoch = last_epoch.fetch_add(1, std::memory_order_relaxed) + 1;
    if (pid_and_epoch.compare_exchange_weak(seen, pid << 32 | epoch, std::memory_order_acq_rel))
      return static_cast<uint32_t>(epoch);
  }
  return static_cast<uint32_t>(seen);
}

// First call of this process.
__attribute__((noinline)) uint32_t new_epoch() noexcept {
  if (no_wiping.load(std::memory_order_relaxed)) return epoch_by_pid();
  EpochWord* word = wiped_word.load(std::memory_order_acquire);
  if (word == nullptr) word = map_wiped_word();
  if (word == nullptr) {
    no_wiping.store(true, std::memory_order_relaxed);
    return epoch_by_pid();
  }
  // The number is taken before it is shown: a fork in between costs a number, but never gives one twice.
  const uint32_t epoch = last_epoch.fetch_add(1, std::memory_order_relaxed) + 1;
  uint32_t shown = 0;
  return word->compare_exchange_strong(shown, epoch, std::memory_order_acq_rel) ? epoch : shown;
}

}  // namespace

uint32_t process_epoch() noexcept {
  if (const EpochWord* word = wiped_word.load(std::memory_order_acquire)) {
    if (const uint32_t epoch = word->load(std::memory_order_acquire); epoch != 0) return epoch;
  }
  return new_epoch();
}

}  // namespace kvc
