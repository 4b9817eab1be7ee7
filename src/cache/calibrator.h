// What a codec that learns knows of one space: the learner while it learns, the calibration from then on; and those of
// earlier engines, which pages on disk name.
//
// Kept as long as the cache, so that every page of the space can be decoded. Its memory counts in the cache's budget.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "cache/space.h"
#include "codec/klt_learner.h"
#include "memory/memory.h"

namespace kvc {

// Memory of a budget for containers that do not say their allocator in their type. Counted as metadata.
class MemoryResource final : public std::pmr::memory_resource {
 public:
  explicit MemoryResource(Memory* memory) noexcept : memory_(memory) {}

 private:
  void* do_allocate(size_t bytes, size_t alignment) override {
    void* p = memory_->allocate(bytes, alignment, MemoryUse::metadata);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void do_deallocate(void* p, size_t bytes, size_t alignment) override {
    memory_->release(p, bytes, alignment, MemoryUse::metadata);
  }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override { return this == &other; }

  Memory* memory_;
};

struct CalibrationInfo {
  Digest space;
  const char* state = "";  // "learning", "learned", "failed"
  std::string why;         // it failed
  KltReport report;        // if learned
};

class Calibrator {
 public:
  Calibrator(const Space& space, const KltTarget& target, uint32_t tokens, Memory* memory, MemoryResource* resource,
             const Log& log);
  ~Calibrator();
  Calibrator(const Calibrator&) = delete;
  Calibrator& operator=(const Calibrator&) = delete;

  // The calibration for this page, a page in the clear. While there is none, it is learned from the page; nullptr: not
  // enough yet, or it failed for good. Makes the calibration when enough has been seen, which takes a second for a
  // large model; other threads go on without one meanwhile.
  std::shared_ptr<const KltCalibration> learn(uint64_t position, uint32_t exact, std::span<const std::byte> page);
  // The one for new pages; nullptr: there is none yet.
  std::shared_ptr<const KltCalibration> made() const;
  bool wants_queries() const noexcept { return learning_.load(std::memory_order_relaxed); }
  // Of a layer, as KltLearner::add_query.
  void learn_query(uint32_t layer, uint64_t position, uint32_t heads, const float* rows);
  CalibrationInfo info() const;
  // What the codec was asked for, resolved for this space.
  const KltTarget& target() const noexcept { return target_; }

  // A calibration that was stored. While there is none, it takes the place of what would be learned; else it serves to
  // read pages. Throws std::bad_alloc.
  void adopt(std::shared_ptr<const KltCalibration> stored, const KltReport& report);
  // All that pages may name, the one for new pages first.
  std::vector<std::shared_ptr<const KltCalibration>> known() const;

  // Of `sources` places those from *from on are to be looked through for stored calibrations, by this thread; false:
  // none. A thread that comes while another one looks waits for it.
  bool begin_loading(size_t sources, size_t* from);
  // They were looked through up to `sources`. slow: they did not answer; somebody tries again later.
  void end_loading(size_t sources, bool slow) noexcept;

 private:
  static constexpr size_t kMostKnown = 8;

  const Digest space_;
  const KltTarget target_;
  Memory* const memory_;
  const Log log_;
  std::atomic<bool> learning_{true};
  mutable std::mutex mutex_;
  std::shared_ptr<KltLearner> learner_;
  std::shared_ptr<const KltCalibration> made_;
  std::vector<std::shared_ptr<const KltCalibration>> others_;
  CalibrationInfo info_;
  std::condition_variable loaded_;
  bool loading_ = false;
  size_t looked_through_ = 0;
  std::chrono::steady_clock::time_point not_before_{};
};

}  // namespace kvc
