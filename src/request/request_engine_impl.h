// The inside of RequestEngine: tickets, the queue, and who runs the scheduler's steps.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "request/job.h"
#include "request/queue.h"
#include "request/request_engine.h"
#include "request/scheduler.h"

namespace kvc {

// Tickets and waiters are in request_engine.cpp, the thread and its steps in step_loop.cpp.
class RequestEngine::Impl final : public Scheduler::Listener {
 public:
  Impl(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock, const Log& log,
       const RequestOptions& options);

  Status submit(Request request, kvc_ticket_t* ticket);
  Status wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer);
  size_t poll(kvc_ticket_t* tickets, size_t capacity);
  Status next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size);
  Status cancel(kvc_ticket_t ticket, bool forget);
  Status step(bool* busy);
  bool stop();
  RequestStats stats();

 private:
  using SteadyClock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;
  using Tickets = std::unordered_map<kvc_ticket_t, std::shared_ptr<Job>>;

  Status try_submit(Request request, kvc_ticket_t* ticket);
  Status start_thread();  // locked
  void run() noexcept;
  void one_step() noexcept;
  void end_all() noexcept;
  void step_unlocked(Lock& lock) noexcept;
  bool pause(Lock& lock, Job& job, const std::optional<SteadyClock::time_point>& until);
  bool on_step_thread() const noexcept {
    return step_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }
  void end_waiting(Job* job, Status status, int32_t reason, uint64_t now) noexcept;  // locked
  void complete(Job& job) noexcept;                                                  // locked
  void end_ticket(Tickets::iterator at) noexcept;                                    // locked
  Status on_piece(Job& job, std::string_view piece) override;
  void on_done(Job& job) noexcept override;

  Backend* const backend_;
  const Clock clock_;
  const RequestOptions options_;
  const uint64_t started_ns_;
  RequestCounters counters_;
  Scheduler scheduler_;  // the step thread's

  std::mutex stop_mutex_;  // held over stop(), before mutex_
  std::mutex mutex_;       // guards the rest
  Tickets tickets_;
  Queue queue_;
  std::list<kvc_ticket_t> completed_;  // not listed by poll() yet
  kvc_ticket_t last_ticket_ = 0;
  size_t active_ = 0;
  bool stopping_ = false;
  bool stepping_ = false;            // threads == 0: some caller runs a step
  std::condition_variable work_;     // the thread sleeps here
  std::condition_variable stepped_;  // threads == 0: everyone else does
  std::thread thread_;
  std::atomic<std::thread::id> step_thread_{};
};

// KVC_E_BUSY.
Status waits_for_itself(const char* what);

}  // namespace kvc
