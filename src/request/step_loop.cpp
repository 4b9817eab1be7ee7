// Who runs the steps, and how requests end.
#include <algorithm>
#include <system_error>

#include "base/signals.h"
#include "request/request_engine_impl.h"

namespace kvc {
Status RequestEngine::Impl::start_thread() {
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread(&Impl::run, this);
  } catch (const std::system_error& e) {
    return error(KVC_E_NO_MEMORY,
                 "the system gives no thread for the engine's steps (%s): end some, or set option threads to 0",
                 e.what());
  }
  return Status::ok();
}

void RequestEngine::Impl::run() noexcept {
  step_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  Lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || queue_.size() > 0 || active_ > 0; });
    if (stopping_) break;
    lock.unlock();
    one_step();
    lock.lock();
  }
  lock.unlock();
  end_all();
}

// On the step thread, without the lock.
void RequestEngine::Impl::one_step() noexcept {
  const uint64_t now = clock_.now_ns();
  {
    const Lock lock(mutex_);
    while (Job* late = queue_.expired(now)) {
      end_waiting(late, failure(KVC_E_DEADLINE, "the request's deadline passed while it waited"), KVC_FINISH_DEADLINE,
                  now);
    }
    while (!scheduler_.full()) {
      Job* job = queue_.best();
      if (job == nullptr) break;
      queue_.take(job);
      job->state = Job::State::active;
      ++active_;
      scheduler_.admit(job->shared_from_this(), now);
    }
  }
  scheduler_.step();
}

void RequestEngine::Impl::end_all() noexcept {
  const uint64_t now = clock_.now_ns();
  {
    const Lock lock(mutex_);
    while (Job* job = queue_.any()) {
      end_waiting(job, failure(KVC_E_CANCELLED, "the engine is being destroyed"), KVC_FINISH_CANCELLED, now);
    }
  }
  scheduler_.cancel_all();
}

// threads == 0: a step on this thread. Nobody else runs one; the lock is held, and released meanwhile.
void RequestEngine::Impl::step_unlocked(Lock& lock) noexcept {
  stepping_ = true;
  step_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  lock.unlock();
  one_step();
  lock.lock();
  step_thread_.store(std::thread::id(), std::memory_order_relaxed);
  stepping_ = false;
  stepped_.notify_all();
}

Status RequestEngine::Impl::step(bool* busy) {
  if (options_.threads == 0 && on_step_thread()) return waits_for_itself("a step");
  Lock lock(mutex_);
  if (options_.threads == 0) {
    stepped_.wait(lock, [this] { return !stepping_; });
    if (!stopping_) step_unlocked(lock);
  }
  *busy = queue_.size() > 0 || active_ > 0;
  return Status::ok();
}

bool RequestEngine::Impl::stop() {
  if (on_step_thread()) return false;
  const std::lock_guard one_at_a_time(stop_mutex_);
  Lock lock(mutex_);
  stopping_ = true;
  work_.notify_all();
  stepped_.notify_all();
  if (options_.threads > 0) {
    lock.unlock();
    if (thread_.joinable()) thread_.join();
    return true;
  }
  stepped_.wait(lock, [this] { return !stepping_; });
  stepping_ = true;
  lock.unlock();
  end_all();
  lock.lock();
  stepping_ = false;
  stepped_.notify_all();
  return true;
}

// An exception means that the piece was not given out.
Status RequestEngine::Impl::on_piece(Job& job, std::string_view piece) {
  {
    const Lock lock(mutex_);
    job.answer->text += piece;
    job.changed.notify_all();
  }
  if (job.request.on_text == nullptr) return Status::ok();
  const kvc_status_t status = job.request.on_text(job.request.user_data, job.ticket, piece.data(), piece.size());
  if (status == KVC_OK) return Status::ok();
  return error(KVC_E_CANCELLED, "on_text returned %d: the request was cancelled", status);
}

void RequestEngine::Impl::on_done(Job& job) noexcept {
  const Lock lock(mutex_);
  --active_;
  complete(job);
}

void RequestEngine::Impl::end_waiting(Job* job, Status status, int32_t reason, uint64_t now) noexcept {
  queue_.take(job);
  job->note_end(status, reason);
  Answer& answer = *job->answer;
  answer.queue_ns = answer.total_ns = std::max(now, job->submitted_ns) - job->submitted_ns;
  complete(*job);
}

void RequestEngine::Impl::complete(Job& job) noexcept {
  const Answer& answer = *job.answer;
  if (answer.status == KVC_OK) {
    counters_.completed.add();
    counters_.latency.record(answer.total_ns);
    if (!answer.tokens.empty()) counters_.ttft.record(answer.ttft_ns);
  } else if (answer.status == KVC_E_CANCELLED || answer.status == KVC_E_DEADLINE) {
    counters_.cancelled.add();
  } else {
    counters_.failed.add();
  }
  queue_.leave_lane(&job);
  job.state = Job::State::done;
  if (tickets_.count(job.ticket) != 0) completed_.splice(completed_.end(), job.entry);
  job.changed.notify_all();
}

// The answer was handed out, or nobody wants it.
void RequestEngine::Impl::end_ticket(Tickets::iterator at) noexcept {
  Job& job = *at->second;
  if (job.entry.empty()) job.entry.splice(job.entry.end(), completed_, job.entry_at);
  job.changed.notify_all();  // others who wait for it
  stepped_.notify_all();
  tickets_.erase(at);
}

// Lets time pass until the job may have changed: with threads == 0 by a step on this thread, if nobody else runs one.
// False: the time is up.
bool RequestEngine::Impl::pause(Lock& lock, Job& job, const std::optional<SteadyClock::time_point>& until) {
  if (until && SteadyClock::now() >= *until) return false;
  if (options_.threads == 0 && !stepping_ && !stopping_) {
    step_unlocked(lock);
    return true;
  }
  std::condition_variable& news = options_.threads == 0 ? stepped_ : job.changed;
  if (until) {
    news.wait_until(lock, *until);
  } else {
    news.wait(lock);
  }
  return true;
}

}  // namespace kvc
