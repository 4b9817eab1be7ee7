#include "cache/calibrator.h"

#include <utility>

namespace kvc {

Calibrator::Calibrator(const Space& space, const KltTarget& target, uint32_t tokens, Memory* memory,
                       MemoryResource* resource, const Log& log)
    : space_(space.digest()),
      target_(target),
      memory_(memory),
      log_(log),
      learner_(std::make_shared<KltLearner>(space.geometry(), space.key_rope(), target, tokens, resource)) {
  info_.space = space_;
  info_.state = "learning";
}

Calibrator::~Calibrator() {
  for (const auto& each : known()) memory_->unclaim(each->bytes(), MemoryUse::metadata);
}

std::vector<std::shared_ptr<const KltCalibration>> Calibrator::known() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const KltCalibration>> all;
  if (made_ != nullptr) all.push_back(made_);
  all.insert(all.end(), others_.begin(), others_.end());
  return all;
}

std::shared_ptr<const KltCalibration> Calibrator::made() const {
  std::lock_guard lock(mutex_);
  return made_;
}

void Calibrator::adopt(std::shared_ptr<const KltCalibration> stored, const KltReport& report) {
  for (const auto& each : known()) {
    if (each->digest == stored->digest) return;
  }
  if (!memory_->claim(stored->bytes(), MemoryUse::metadata)) throw std::bad_alloc();
  try {
    register_calibration(stored);
    std::lock_guard lock(mutex_);
    others_.reserve(kMostKnown);
    if (learning_.exchange(false)) {
      made_ = std::move(stored);
      learner_ = nullptr;
      info_.state = "learned";
      info_.report = report;
    } else if (others_.size() < kMostKnown) {
      others_.push_back(std::move(stored));
    }
  } catch (...) {
    memory_->unclaim(stored->bytes(), MemoryUse::metadata);
    throw;
  }
  if (stored != nullptr) memory_->unclaim(stored->bytes(), MemoryUse::metadata);
}

bool Calibrator::begin_loading(size_t sources, size_t* from) {
  std::unique_lock lock(mutex_);
  loaded_.wait(lock, [this] { return !loading_; });
  if (looked_through_ >= sources || std::chrono::steady_clock::now() < not_before_) return false;
  loading_ = true;
  *from = looked_through_;
  return true;
}

void Calibrator::end_loading(size_t sources, bool slow) noexcept {
  constexpr auto kPause = std::chrono::seconds(30);
  std::lock_guard lock(mutex_);
  loading_ = false;
  looked_through_ = sources;
  if (slow) not_before_ = std::chrono::steady_clock::now() + kPause;
  loaded_.notify_all();
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
