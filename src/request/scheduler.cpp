#include "request/scheduler.h"

#include <algorithm>
#include <limits>
#include <new>

namespace kvc {

namespace {

// One at a time, where others in the same batch, or in the model's cells, would change how it rounds.
RequestOptions arranged(RequestOptions options, const Backend& backend) noexcept {
  if (options.reproducible && !backend.paged()) options.max_batch = 1;
  return options;
}

}  // namespace

Scheduler::Scheduler(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock,
                     const Log& log, const RequestOptions& options, RequestCounters* counters, Listener* listener)
    : cache_(cache),
      space_(std::move(space)),
      backend_(backend),
      clock_(clock),
      log_(log),
      options_(arranged(options, *backend)),
      counters_(counters),
      listener_(listener) {
  jobs_.reserve(options_.max_batch);
  order_.reserve(options_.max_batch);
  batch_.reserve(options_.max_batch);
  items_.reserve(options_.max_batch);
  backend_->set_stop(&Scheduler::stop_forward, this);
}

void Scheduler::admit(std::shared_ptr<Job> job, uint64_t now) noexcept {
  job->run.rank = job->rank;
  job->run.started_ns = std::max(now, job->submitted_ns);
  jobs_.push_back(std::move(job));
}

void Scheduler::step() noexcept {
  const uint64_t now = clock_.now_ns();
  room_is_waited_for_ = false;
  for (size_t i = 0; i < jobs_.size(); ++i) {
    Job* job = jobs_[i].get();
    if (job->cancel.load(std::memory_order_relaxed)) {
      finish(job, failure(KVC_E_CANCELLED, "the request was cancelled"), KVC_FINISH_CANCELLED);
    } else if (job->deadline_at != UINT64_MAX && now >= job->deadline_at) {
      finish(job, failure(KVC_E_DEADLINE, "the request's deadline passed before its answer was complete"),
             KVC_FINISH_DEADLINE);
    } else if (job->run.phase == Phase::starting) {
      start(job);
    }
  }
  sweep();
  plan();
  if (!batch_.empty()) compute();
  sweep();
}

void Scheduler::cancel_all() noexcept {
  for (size_t i = 0; i < jobs_.size(); ++i) {
    finish(jobs_[i].get(), failure(KVC_E_CANCELLED, "the engine is being destroyed"), KVC_FINISH_CANCELLED);
  }
  sweep();
}

// --- the batch -----------------------------------------------------------------------------------------------------

void Scheduler::plan() noexcept {
  batch_.clear();
  const uint32_t limit = backend_->info().max_batch_tokens;
  size_t room = limit != 0 ? limit : std::numeric_limits<uint32_t>::max();

  // Tokens of answers first: people read along. They always fit: whoever decodes was computed in the room that others
  // left.
  for (const auto& job : jobs_) {
    if (job->run.phase != Phase::decode || room == 0) continue;
    job->run.feed = {&job->run.next, 1};
    batch_.push_back(job.get());
    --room;
  }

  order_.clear();
  for (const auto& job : jobs_) {
    if (job->run.phase == Phase::prefill) order_.push_back(job.get());
  }
  std::sort(order_.begin(), order_.end(), [](const Job* a, const Job* b) {
    return a->run.rank != b->run.rank ? a->run.rank < b->run.rank : a->ticket < b->ticket;
  });
  room = std::min<size_t>(room, options_.prefill_chunk);
  for (Job* job : order_) {
    if (room == 0) break;
    size_t n = std::min<size_t>(room, next_state(*job) - job->run.committed);
    if (const uint32_t batch = fixed_batch(); batch != 0) n = std::min<size_t>(n, batch - job->run.committed % batch);
    job->run.feed = std::span<const int32_t>(job->prompt).subspan(job->run.committed, n);
    batch_.push_back(job);
    room -= n;
  }
}

uint32_t Scheduler::fixed_batch() const noexcept {
  if (!options_.reproducible || backend_->paged()) return 0;
  const uint32_t page = space_->geometry().page_tokens;
  const uint32_t limit = backend_->info().max_batch_tokens;
  const uint32_t most = limit != 0 ? std::min(limit, options_.prefill_chunk) : options_.prefill_chunk;
  return most < page ? most : most / page * page;
}

void Scheduler::compute() noexcept {
  Status status = forward(batch_);
  if (status.is_ok()) {
    for (Job* job : batch_) advance(job);
    return;
  }
  // It ended early because nobody waits for it: the next step says so to each.
  if (status.code() == KVC_E_CANCELLED) {
    if (std::none_of(batch_.begin(), batch_.end(), [&](Job* job) { return wanted(*job); })) return;
    status = error(KVC_E_BACKEND, "the model ended a step early that was waited for: %s", status.message().c_str());
  }
  if (batch_.size() == 1) {
    fail(batch_[0], std::move(status));
    return;
  }
  log_.write(KVC_LOG_WARN, "a step of %zu requests failed (%s); computing them one by one", batch_.size(),
             status.message().c_str());
  for (Job* job : batch_) {
    if (job->run.phase == Phase::ended) continue;  // could not be rolled back
    Status alone = forward({&job, 1});
    if (alone.is_ok()) {
      advance(job);
    } else {
      fail(job, std::move(alone));
    }
  }
}

bool Scheduler::wanted(const Job& job) const noexcept {
  return !job.cancel.load(std::memory_order_relaxed) &&
         (job.deadline_at == UINT64_MAX || clock_.now_ns() < job.deadline_at);
}

int32_t Scheduler::stop_forward(void* scheduler) noexcept {
  const auto* self = static_cast<const Scheduler*>(scheduler);
  return std::none_of(self->computing_.begin(), self->computing_.end(), [&](Job* job) { return self->wanted(*job); });
}

// Computes each job's feed. On a failure all of them are as before, or ended where that was not possible.
Status Scheduler::forward(std::span<Job* const> batch) noexcept {
  Status status;
  try {
    status = try_forward(batch);
  } catch (...) {
    status = caught();
  }
  if (status.is_ok()) return status;
  for (Job* job : batch) roll_back(job);
  return status;
}

Status Scheduler::try_forward(std::span<Job* const> batch) {
  const size_t vocab = backend_->info().vocab_size;
  const auto wants_logits = [](const Job& job) {
    return job.run.phase == Phase::decode ||
           (job.request.action == KVC_ACTION_PROCESS && job.run.committed + job.run.feed.size() == job.prompt.size());
  };
  size_t wanted = 0;
  for (Job* job : batch) wanted += wants_logits(*job);
  // A model that forgets to write its logits must not pass for one that wrote the last step's.
  logits_.assign(wanted * vocab, std::numeric_limits<float>::quiet_NaN());

  items_.clear();
  size_t tokens = 0, prefill = 0, row = 0;
  for (Job* job : batch) {
    Run& run = job->run;
    run.logits = wants_logits(*job) ? logits_.data() + vocab * row++ : nullptr;
    items_.push_back({job->ticket, run.session.get(), run.feed, run.committed, run.logits});
    tokens += run.feed.size();
    if (run.phase == Phase::prefill) prefill += run.feed.size();
  }
  const uint64_t begin = clock_.now_ns();
  computing_ = batch;
  KVC_RETURN_IF_ERROR(backend_->forward(items_));
  const uint64_t end = clock_.now_ns();
  if (prefill < kTellingPrefill) return Status::ok();
  const double share = static_cast<double>(prefill) / static_cast<double>(tokens);
  fit_ns_tokens_ += static_cast<double>(end > begin ? end - begin : 0) * share * static_cast<double>(prefill);
  fit_tokens_tokens_ += static_cast<double>(prefill) * static_cast<double>(prefill);
  space_->prefill_ns().store(fit_ns_tokens_ / fit_tokens_tokens_, std::memory_order_relaxed);
  return Status::ok();
}

void Scheduler::roll_back(Job* job) noexcept {
  Status status;
  try {
    status = job->run.session->truncate(backend_->paged() ? job->run.committed : job->run.stored);
    if (status.is_ok() && !backend_->paged()) status = backend_->truncate(job->ticket, job->run.committed);
  } catch (...) {
    status = caught();
  }
  if (!status.is_ok()) fail(job, std::move(status));
}

// After a forward call that succeeded: commits, and goes on with what was learned.
void Scheduler::advance(Job* job) noexcept {
  try {
    if (Status status = keep(job); !status.is_ok()) {
      fail(job, std::move(status));
      return;
    }
    if (job->run.phase == Phase::prefill && job->run.committed < job->prompt.size()) return;
    if (job->request.action == KVC_ACTION_STORE) {
      finish(job, Status::ok(), KVC_FINISH_NONE);
    } else {
      sample(job);
    }
  } catch (...) {
    fail(job, caught());
  }
}

Status Scheduler::keep(Job* job) {
  Run& run = job->run;
  const auto n = static_cast<uint32_t>(run.feed.size());
  if (backend_->paged()) KVC_RETURN_IF_ERROR(run.session->commit(run.feed));
  run.committed += n;
  if (run.phase == Phase::prefill) {
    job->answer->computed_tokens += n;
    counters_->computed_tokens.add(n);
  }
  return backend_->paged() ? Status::ok() : keep_own(job);
}

void Scheduler::sample(Job* job) {
  Run& run = job->run;
  Answer& answer = *job->answer;
  int32_t token = -1;
  if (Status status = run.sampler.next({run.logits, backend_->info().vocab_size}, &token); !status.is_ok()) {
    fail(job, std::move(status));
    return;
  }
  if (!run.sampled) {
    run.first_token_ns = std::max(clock_.now_ns(), run.started_ns);
    run.sampled = true;
  }
  if (backend_->info().ends_text(token)) {
    finish(job, Status::ok(), KVC_FINISH_EOS);
    return;
  }
  answer.tokens.push_back(token);
  counters_->generated_tokens.add();
  run.bytes.clear();
  if (Status status = backend_->detokenise(token, &run.bytes); !status.is_ok()) {
    fail(job, std::move(status));
    return;
  }
  const bool stopped = run.stream.feed(run.bytes, &run.piece);
  if (Status status = emit(job); !status.is_ok()) {
    finish(job, std::move(status), KVC_FINISH_CANCELLED);
  } else if (stopped) {
    finish(job, Status::ok(), KVC_FINISH_STOP);
  } else if (answer.tokens.size() >= job->request.max_tokens) {
    finish(job, Status::ok(), KVC_FINISH_LENGTH);
  } else {
    run.next = token;
    run.phase = Phase::decode;
  }
}

}  // namespace kvc
