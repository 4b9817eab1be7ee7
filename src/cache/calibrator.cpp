#include "cache/calibrator.h"

#include <utility>

namespace kvc {

Calibrator::Calibrator(const Space& space, const KltTarget& target, uint32_t tokens, Memory* memory,
                       MemoryResource* resource, const Log& log)
    : space_(space.digest()),
      memory_(memory),
      log_(log),
      learner_(std::make_shared<KltLearner>(space.geometry(), space.key_rope(), target, tokens, resource)) {
  info_.space = space_;
  info_.state = "learning";
}

Calibrator::~Calibrator() {
  if (made_ != nullptr) memory_->unclaim(made_->bytes(), MemoryUse::metadata);
}

std::shared_ptr<const KltCalibration> Calibrator::learn(uint64_t position, uint32_t exact,
                                                        std::span<const std::byte> page) {
  std::shared_ptr<KltLearner> learner;
  {
    std::lock_guard lock(mutex_);
    if (learner_ == nullptr) return made_;
    learner = learner_;
  }
  learner->add_page(position, exact, page);
  if (!learner->ready()) return nullptr;
  // Whoever comes here first makes it.
  if (!learning_.exchange(false)) return nullptr;
  std::shared_ptr<const KltCalibration> made;
  KltReport report;
  Status status;
  try {
    status = learner->make(&made, &report);
    if (status.is_ok() && !memory_->claim(made->bytes(), MemoryUse::metadata)) {
      status = error(KVC_E_NO_MEMORY, "no room for a calibration of %zu bytes: raise option memory", made->bytes());
      made = nullptr;
    }
    if (status.is_ok()) register_calibration(made);
  } catch (...) {
    learning_ = true;  // no memory now; the next page tries again
    throw;
  }
  if (status.is_ok()) {
    log_.write(KVC_LOG_INFO, "codec: learned a space: %.2f bits per number, %u queries", report.bits, report.queries);
  } else {
    log_.write(KVC_LOG_WARN, "codec: %s", status.message().c_str());
  }
  std::lock_guard lock(mutex_);
  info_.state = status.is_ok() ? "learned" : "failed";
  info_.why = status.message();
  info_.report = report;
  made_ = std::move(made);
  learner_ = nullptr;
  return made_;
}

void Calibrator::learn_query(uint32_t layer, uint64_t position, uint32_t heads, const float* rows) {
  std::shared_ptr<KltLearner> learner;
  {
    std::lock_guard lock(mutex_);
    learner = learner_;
  }
  if (learner != nullptr) learner->add_query(layer, position, heads, rows);
}

CalibrationInfo Calibrator::info() const {
  std::lock_guard lock(mutex_);
  return info_;
}

}  // namespace kvc
