#include "request/queue.h"

namespace kvc {

void Queue::push(Job* job, uint64_t since_start_ns) {
  job->rank = static_cast<int64_t>(since_start_ns) - job->request.priority * kAgeingNsPerPoint;
  const auto place = waiting_.insert(job).first;
  if (!job->request.session_id.empty()) {
    try {
      const auto [lane, fresh] = lanes_.try_emplace({job->request.tenant, job->request.session_id}, nullptr);
      job->lane = lane;
      job->in_lane = true;
      job->lane_ahead = lane->second;
      if (job->lane_ahead != nullptr) job->lane_ahead->lane_behind = job;
      lane->second = job;
    } catch (...) {
      waiting_.erase(place);
      throw;
    }
  }
  if (job->deadline_at != UINT64_MAX) ++deadlines_;
}

Job* Queue::best() const noexcept {
  for (Job* job : waiting_) {
    if (job->lane_ahead == nullptr) return job;
  }
  return nullptr;
}

Job* Queue::expired(uint64_t now) const noexcept {
  if (deadlines_ == 0) return nullptr;
  for (Job* job : waiting_) {
    if (now >= job->deadline_at && job->deadline_at != UINT64_MAX) return job;
  }
  return nullptr;
}

void Queue::take(Job* job) noexcept {
  waiting_.erase(job);
  if (job->deadline_at != UINT64_MAX) --deadlines_;
}

void Queue::leave_lane(Job* job) noexcept {
  if (!job->in_lane) return;
  if (job->lane_ahead != nullptr) job->lane_ahead->lane_behind = job->lane_behind;
  if (job->lane_behind != nullptr) job->lane_behind->lane_ahead = job->lane_ahead;
  if (job->lane->second == job) {
    job->lane->second = job->lane_ahead;
    if (job->lane_ahead == nullptr) lanes_.erase(job->lane);
  }
  job->in_lane = false;
  job->lane_ahead = job->lane_behind = nullptr;
}

}  // namespace kvc
