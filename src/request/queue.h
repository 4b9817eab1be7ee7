// The requests that wait, in the order in which they will run.
//
// Order: by priority, then arrival. Ageing: a request gains one point of priority for every 50 ms that it waits, so
// that one of a class (100 points) higher goes first only if it came within 5 s, and BACKGROUND is passed by CRITICAL
// for 20 s at most. As all age alike, the order of two requests never changes: it is kept as a fixed rank.
//
// Requests of one (tenant, session_id) form a lane: only its first unfinished one may run.
//
// Not locked: the engine's lock guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include "request/job.h"

namespace kvc {

class Queue {
 public:
  static constexpr int64_t kAgeingNsPerPoint = 50'000'000;

  // `since_start_ns`: when it came. Throws std::bad_alloc and changes nothing.
  void push(Job* job, uint64_t since_start_ns);
  // The first that may run, or nullptr; it stays.
  Job* best() const noexcept;
  // One whose deadline has passed, or nullptr; it stays.
  Job* expired(uint64_t now) const noexcept;
  // Any, or nullptr.
  Job* any() const noexcept { return waiting_.empty() ? nullptr : *waiting_.begin(); }
  // It waits no longer; its lane stays closed for the next one.
  void take(Job* job) noexcept;
  // It has ended (taken before): the next one of its lane may run.
  void leave_lane(Job* job) noexcept;
  size_t size() const noexcept { return waiting_.size(); }

 private:
  struct Before {
    bool operator()(const Job* a, const Job* b) const noexcept {
      return a->rank != b->rank ? a->rank < b->rank : a->ticket < b->ticket;
    }
  };

  std::set<Job*, Before> waiting_;
  Lanes lanes_;
  size_t deadlines_ = 0;  // waiting ones that have one
};

}  // namespace kvc
