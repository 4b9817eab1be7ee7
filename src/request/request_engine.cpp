#include "request/request_engine.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "request/job.h"
#include "request/queue.h"
#include "request/scheduler.h"
#include "request/utf8.h"
#include "request/validate.h"

namespace kvc {
namespace {

using SteadyClock = std::chrono::steady_clock;

// The real moment at which a wait gives up; nullopt: never.
std::optional<SteadyClock::time_point> moment_after(uint64_t timeout_ns) {
  constexpr uint64_t kForever = uint64_t{1} << 60;  // 36 years: what is longer could overflow
  if (timeout_ns >= kForever) return std::nullopt;
  return SteadyClock::now() + std::chrono::nanoseconds(timeout_ns);
}

RequestOptions sane(RequestOptions options) {
  options.max_batch = std::max(options.max_batch, 1u);
  options.prefill_chunk = std::max(options.prefill_chunk, 1u);
  return options;
}

// The new thread takes no signals that are meant for the host's threads; faults must stay its own.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF}) sigdelset(&all, fault);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

Status not_found(kvc_ticket_t ticket) {
  return error(KVC_E_NOT_FOUND, "ticket %llu is unknown: it was never given out, or its answer was handed out or dropped",
               static_cast<unsigned long long>(ticket));
}

Status waits_for_itself(const char* what) {
  return error(KVC_E_BUSY, "%s was called from a callback on the thread that runs the steps: it would wait for itself", what);
}

}  // namespace

class RequestEngine::Impl final : public Scheduler::Listener {
 public:
  Impl(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock, const Log& log,
       const RequestOptions& options)
      : backend_(backend),
        clock_(clock),
        options_(sane(options)),
        started_ns_(clock_.now_ns()),
        scheduler_(cache, std::move(space), backend, clock, log, options_, &counters_, this) {}

  Status submit(Request request, kvc_ticket_t* ticket);
  Status wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer);
  size_t poll(kvc_ticket_t* tickets, size_t capacity);
  Status next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size);
  Status cancel(kvc_ticket_t ticket, bool forget);
  Status step(bool* busy);
  bool stop();
  RequestStats stats();

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Tickets = std::unordered_map<kvc_ticket_t, std::shared_ptr<Job>>;

  Status try_submit(Request request, kvc_ticket_t* ticket);
  Status start_thread();  // locked
  void run() noexcept;
  void one_step() noexcept;
  void end_all() noexcept;
  void step_unlocked(Lock& lock) noexcept;
  bool pause(Lock& lock, Job& job, const std::optional<SteadyClock::time_point>& until);
  bool on_step_thread() const noexcept { return step_thread_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
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
  bool stepping_ = false;              // threads == 0: some caller runs a step
  std::condition_variable work_;       // the thread sleeps here
  std::condition_variable stepped_;    // threads == 0: everyone else does
  std::thread thread_;
  std::atomic<std::thread::id> step_thread_{};
};

// --- requests in ------------------------------------------------------------------------------------------------------

Status RequestEngine::Impl::submit(Request request, kvc_ticket_t* ticket) {
  Status status;
  try {
    status = try_submit(std::move(request), ticket);
  } catch (...) {
    status = caught();
  }
  if (!status.is_ok()) counters_.refused.add();
  return status;
}

Status RequestEngine::Impl::try_submit(Request request, kvc_ticket_t* ticket) {
  const uint64_t submitted_ns = clock_.now_ns();
  KVC_RETURN_IF_ERROR(check_request(request));
  std::vector<int32_t> prompt;
  KVC_RETURN_IF_ERROR(prompt_tokens(request, backend_, options_.max_tokens, &prompt));
  uint64_t deadline_at = UINT64_MAX;
  if (request.deadline_ns != 0) {
    if (request.deadline_ns < UINT64_MAX - submitted_ns) deadline_at = submitted_ns + request.deadline_ns;
    if (const uint64_t now = clock_.now_ns(); now >= deadline_at) {
      return error(KVC_E_DEADLINE, "the deadline of %llu ns passed %llu ns ago, before the request could wait: allow more time",
                   static_cast<unsigned long long>(request.deadline_ns), static_cast<unsigned long long>(now - deadline_at));
    }
  }
  std::string().swap(request.prompt);
  std::vector<int32_t>().swap(request.tokens);

  const auto job = std::make_shared<Job>(std::move(request));
  job->prompt = std::move(prompt);
  job->submitted_ns = submitted_ns;
  job->deadline_at = deadline_at;

  const Lock lock(mutex_);
  if (stopping_) return error(KVC_E_CLOSED, "the engine is being destroyed: it takes no more requests");
  if (queue_.size() >= options_.max_queue) {
    return error(KVC_E_QUEUE_FULL, "%zu requests wait already, as many as option max_queue allows: try again when some have ended",
                 queue_.size());
  }
  if (options_.threads > 0 && !thread_.joinable()) KVC_RETURN_IF_ERROR(start_thread());
  job->ticket = job->answer->ticket = last_ticket_ + 1;
  job->entry.front() = job->ticket;
  job->entry_at = job->entry.begin();
  const auto place = tickets_.emplace(job->ticket, job).first;
  try {
    queue_.push(job.get(), submitted_ns > started_ns_ ? submitted_ns - started_ns_ : 0);
  } catch (...) {
    tickets_.erase(place);
    throw;
  }
  ++last_ticket_;
  counters_.requests.add();
  *ticket = job->ticket;
  (options_.threads > 0 ? work_ : stepped_).notify_one();
  return Status::ok();
}

Status RequestEngine::Impl::start_thread() {
  const SignalsBlocked blocked;
  try {
    thread_ = std::thread(&Impl::run, this);
  } catch (const std::system_error& e) {
    return error(KVC_E_NO_MEMORY, "the system gives no thread for the engine's steps (%s): end some, or set option threads to 0",
                 e.what());
  }
  return Status::ok();
}

// --- steps ------------------------------------------------------------------------------------------------------------

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
      end_waiting(late, failure(KVC_E_DEADLINE, "the request's deadline passed while it waited"), KVC_FINISH_DEADLINE, now);
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

// --- results out ------------------------------------------------------------------------------------------------------

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
  Answer& answer = *job->answer;
  answer.status = status.code();
  try {
    answer.error = status.message();
  } catch (...) {
    // The status says it.
  }
  answer.finish_reason = reason;
  answer.prompt_tokens = static_cast<uint32_t>(job->prompt.size());
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

// Lets time pass until the job may have changed: with threads == 0 by a step on this thread, if nobody else runs one. False: the
// time is up.
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

Status RequestEngine::Impl::wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer) {
  const auto until = moment_after(timeout_ns);
  Lock lock(mutex_);
  for (bool time_left = timeout_ns > 0;;) {
    const auto at = tickets_.find(ticket);
    if (at == tickets_.end()) return not_found(ticket);
    const std::shared_ptr<Job> job = at->second;
    if (job->state == Job::State::done) {
      *answer = std::move(job->answer);
      end_ticket(at);
      return Status::ok();
    }
    if (!time_left) return {KVC_PENDING, ""};
    if (on_step_thread()) return waits_for_itself("a wait");
    time_left = pause(lock, *job, until);
  }
}

Status RequestEngine::Impl::next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size) {
  if (capacity < 5) {
    return error(KVC_E_BUFFER, "the buffer has %zu bytes: a character and the zero need 5", capacity);
  }
  const auto until = moment_after(timeout_ns);
  Lock lock(mutex_);
  for (bool time_left = timeout_ns > 0;;) {
    const auto at = tickets_.find(ticket);
    if (at == tickets_.end()) return not_found(ticket);
    const std::shared_ptr<Job> job = at->second;
    const std::string_view text = std::string_view(job->answer->text).substr(job->handed);
    if (!text.empty()) {
      const size_t n = utf8_cut(text, capacity - 1);
      std::memcpy(buffer, text.data(), n);
      buffer[n] = 0;
      job->handed += n;
      *size = n;
      return Status::ok();
    }
    if (job->state == Job::State::done) return {KVC_END, ""};
    if (!time_left) return {KVC_PENDING, ""};
    if (on_step_thread()) return waits_for_itself("a wait for text");
    time_left = pause(lock, *job, until);
  }
}

size_t RequestEngine::Impl::poll(kvc_ticket_t* tickets, size_t capacity) {
  const Lock lock(mutex_);
  size_t n = 0;
  while (n < capacity && !completed_.empty()) {
    Job& job = *tickets_.find(completed_.front())->second;
    tickets[n++] = completed_.front();
    job.entry.splice(job.entry.end(), completed_, completed_.begin());
  }
  return n;
}

Status RequestEngine::Impl::cancel(kvc_ticket_t ticket, bool forget) {
  const uint64_t now = clock_.now_ns();
  const Lock lock(mutex_);
  const auto at = tickets_.find(ticket);
  if (at == tickets_.end()) return not_found(ticket);
  const std::shared_ptr<Job> job = at->second;
  if (job->state == Job::State::queued) {
    end_waiting(job.get(), failure(KVC_E_CANCELLED, "the request was cancelled while it waited"), KVC_FINISH_CANCELLED, now);
    stepped_.notify_all();
  } else if (job->state == Job::State::active) {
    job->cancel.store(true, std::memory_order_relaxed);
  }
  if (forget) end_ticket(at);
  return Status::ok();
}

RequestStats RequestEngine::Impl::stats() {
  RequestStats s;
  {
    const Lock lock(mutex_);
    s.requests = counters_.requests.get();
    s.completed = counters_.completed.get();
    s.failed = counters_.failed.get();
    s.cancelled = counters_.cancelled.get();
    s.queued = queue_.size();
    s.active = active_;
  }
  s.refused = counters_.refused.get();
  s.hits = counters_.hits.get();
  s.misses = counters_.misses.get();
  s.prompt_tokens = counters_.prompt_tokens.get();
  s.cached_tokens = counters_.cached_tokens.get();
  s.computed_tokens = counters_.computed_tokens.get();
  s.generated_tokens = counters_.generated_tokens.get();
  s.saved_ns = counters_.saved_ns.get();
  s.latency_avg_ns = counters_.latency.mean();
  s.latency_p50_ns = counters_.latency.quantile(0.50);
  s.latency_p95_ns = counters_.latency.quantile(0.95);
  s.latency_p99_ns = counters_.latency.quantile(0.99);
  s.ttft_avg_ns = counters_.ttft.mean();
  s.ttft_p50_ns = counters_.ttft.quantile(0.50);
  s.ttft_p95_ns = counters_.ttft.quantile(0.95);
  s.ttft_p99_ns = counters_.ttft.quantile(0.99);
  return s;
}

// --- the front --------------------------------------------------------------------------------------------------------

RequestEngine::RequestEngine(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock,
                             const Log& log, const RequestOptions& options)
    : impl_(std::make_unique<Impl>(cache, std::move(space), backend, clock, log, options)) {}

RequestEngine::~RequestEngine() { stop(); }

Status RequestEngine::submit(Request request, kvc_ticket_t* ticket) { return impl_->submit(std::move(request), ticket); }

Status RequestEngine::wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer) {
  return impl_->wait(ticket, timeout_ns, answer);
}

size_t RequestEngine::poll(kvc_ticket_t* tickets, size_t capacity) { return impl_->poll(tickets, capacity); }

Status RequestEngine::next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size) {
  return impl_->next(ticket, timeout_ns, buffer, capacity, size);
}

Status RequestEngine::cancel(kvc_ticket_t ticket) { return impl_->cancel(ticket, false); }

Status RequestEngine::forget(kvc_ticket_t ticket) { return impl_->cancel(ticket, true); }

Status RequestEngine::step(bool* busy) { return impl_->step(busy); }

bool RequestEngine::stop() { return impl_->stop(); }

RequestStats RequestEngine::stats() { return impl_->stats(); }

}  // namespace kvc
