#include "request/request_engine.h"

#include <algorithm>
#include <cstring>

#include "request/request_engine_impl.h"
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

Status not_found(kvc_ticket_t ticket) {
  return error(KVC_E_NOT_FOUND,
               "ticket %llu is unknown: it was never given out, or its answer was handed out or dropped",
               static_cast<unsigned long long>(ticket));
}

}  // namespace

Status waits_for_itself(const char* what) {
  return error(KVC_E_BUSY, "%s was called from a callback on the thread that runs the steps: it would wait for itself",
               what);
}

RequestEngine::Impl::Impl(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock,
                          const Log& log, const RequestOptions& options)
    : backend_(backend),
      clock_(clock),
      options_(sane(options)),
      started_ns_(clock_.now_ns()),
      scheduler_(cache, std::move(space), backend, clock, log, options_, &counters_, this) {}

// --- requests in ---------------------------------------------------------------------------------------------------

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
      return error(
          KVC_E_DEADLINE, "the deadline of %llu ns passed %llu ns ago, before the request could wait: allow more time",
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
    return error(KVC_E_QUEUE_FULL,
                 "%zu requests wait already, as many as option max_queue allows: try again when some have ended",
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

// --- results out ---------------------------------------------------------------------------------------------------

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

Status RequestEngine::Impl::next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity,
                                 size_t* size) {
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
    end_waiting(job.get(), failure(KVC_E_CANCELLED, "the request was cancelled while it waited"), KVC_FINISH_CANCELLED,
                now);
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

// --- the front -----------------------------------------------------------------------------------------------------

RequestEngine::RequestEngine(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock,
                             const Log& log, const RequestOptions& options)
    : impl_(std::make_unique<Impl>(cache, std::move(space), backend, clock, log, options)) {}

RequestEngine::~RequestEngine() { stop(); }

Status RequestEngine::submit(Request request, kvc_ticket_t* ticket) {
  return impl_->submit(std::move(request), ticket);
}

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
