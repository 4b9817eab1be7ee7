// How a request ends.
#include <algorithm>
#include <new>

#include "request/scheduler.h"

namespace kvc {

Status failure(kvc_status_t code, const char* message) noexcept {
  try {
    return {code, message};
  } catch (...) {
    return {code, std::string()};
  }
}

Status caught() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return failure(KVC_E_NO_MEMORY, "no memory for the request");
  } catch (const std::exception& e) {
    return failure(KVC_E_INTERNAL, e.what());
  } catch (...) {
    return failure(KVC_E_INTERNAL, "an unknown exception");
  }
}

void Job::note_end(const Status& status, int32_t reason) noexcept {
  answer->status = status.code();
  try {
    answer->error = status.message();
  } catch (...) {
    answer->error.clear();
  }
  answer->finish_reason = reason;
  answer->prompt_tokens = static_cast<uint32_t>(prompt.size());
}

// Gives run.piece out.
Status Scheduler::emit(Job* job) {
  if (job->run.piece.empty()) return Status::ok();
  Status status = listener_->on_piece(*job, job->run.piece);
  job->run.piece.clear();
  return status;
}

void Scheduler::fail(Job* job, Status status) noexcept {
  // Whatever a model, or what it did to its session, is called inside: outside it is the model that failed.
  if (status.code() != KVC_E_NO_MEMORY && status.code() != KVC_E_BACKEND && status.code() != KVC_E_INTERNAL) {
    try {
      status = error(KVC_E_BACKEND, "the model failed: %s", status.message().c_str());
    } catch (...) {
      status = failure(KVC_E_BACKEND, "the model failed");
    }
  }
  log_.write(KVC_LOG_WARN, "request %llu failed: %s", static_cast<unsigned long long>(job->ticket),
             status.message().c_str());
  finish(job, std::move(status), KVC_FINISH_ERROR);
}

void Scheduler::finish(Job* job, Status status, int32_t reason) noexcept {
  Run& run = job->run;
  if (run.phase == Phase::ended) return;
  // What was held back is text after all. Not for a caller who wants no more: for him the text is what he was given.
  // Nor where memory failed, perhaps in the middle of a piece.
  if (reason != KVC_FINISH_CANCELLED && status.code() != KVC_E_NO_MEMORY) {
    try {
      if (run.stream.finish(&run.piece) && reason != KVC_FINISH_ERROR && reason != KVC_FINISH_DEADLINE)
        reason = KVC_FINISH_STOP;
      if (Status taken = emit(job); !taken.is_ok() && status.is_ok()) {
        status = std::move(taken);
        reason = KVC_FINISH_CANCELLED;
      }
    } catch (...) {
      if (status.is_ok()) {
        status = caught();
        reason = KVC_FINISH_ERROR;
      }
    }
  }
  run.phase = Phase::ended;
  if (run.sequence_open && !backend_->paged() && status.code() != KVC_E_BACKEND) store_rest(job);
  run.fetch.reset();
  if (run.sequence_open) backend_->sequence_close(job->ticket);
  run.sequence_open = false;
  if (run.session != nullptr) {
    try {
      (void)run.session->set_generated(job->answer->tokens.size());
      run.session->close(KVC_CLOSE_KEEP, 0);
    } catch (...) {
      // Its destructor closes it.
    }
    run.session.reset();
  }

  job->note_end(status, reason);
  Answer& answer = *job->answer;
  const bool computes = job->request.action == KVC_ACTION_PROCESS || job->request.action == KVC_ACTION_STORE;
  if (computes) answer.saved_ns = saved_ns(answer.cached_tokens);
  counters_->saved_ns.add(answer.saved_ns);
  settle_times(job);
  listener_->on_done(*job);
}

// The parts are differences of one row of moments, so that they add up.
void Scheduler::settle_times(Job* job) noexcept {
  const Run& run = job->run;
  Answer& answer = *job->answer;
  uint64_t end = std::max(clock_.now_ns(), run.started_ns);
  if (run.sampled) end = std::max(end, run.first_token_ns);
  const uint64_t computed = run.sampled ? run.first_token_ns : end;
  answer.queue_ns = run.started_ns - job->submitted_ns;
  answer.prefill_ns = computed - run.started_ns;
  answer.decode_ns = end - computed;
  answer.total_ns = end - job->submitted_ns;
  answer.ttft_ns = answer.tokens.empty() ? 0 : computed - job->submitted_ns;
}

uint64_t Scheduler::saved_ns(uint32_t cached_tokens) const noexcept {
  if (fit_tokens_tokens_ == 0) return 0;
  return static_cast<uint64_t>(fit_ns_tokens_ / fit_tokens_tokens_ * cached_tokens);
}

void Scheduler::sweep() noexcept {
  std::erase_if(jobs_, [](const std::shared_ptr<Job>& job) { return job->run.phase == Phase::ended; });
}

}  // namespace kvc
