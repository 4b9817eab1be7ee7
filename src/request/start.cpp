// How a request begins: what it can reuse, and whether another one is computing it right now.
#include <algorithm>

#include "request/scheduler.h"

namespace kvc {
namespace {

size_t common_prefix(std::span<const int32_t> a, std::span<const int32_t> b) noexcept {
  const size_t n = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n), b.begin()).first -
                             a.begin());
}

// What of a prompt may come from the cache: the last token is computed even so where its logits are wanted.
std::span<const int32_t> reusable(const Job& job) noexcept {
  const std::span<const int32_t> prompt(job.prompt);
  return job.request.action == KVC_ACTION_PROCESS ? prompt.first(prompt.size() - 1) : prompt;
}

// All text prompts share their bos: found alone, it is no hit.
size_t without_bos_alone(const Job& job, const ModelInfo& model, size_t found) noexcept {
  return found == 1 && job.prompt.front() == model.bos ? 0 : found;
}

}  // namespace

void Scheduler::start(Job* job) noexcept {
  try {
    bool complete = false;
    if (Status status = try_start(job, &complete); !status.is_ok()) {
      fail(job, std::move(status));
    } else if (complete) {
      finish(job, Status::ok(), KVC_FINISH_NONE);
    }
  } catch (...) {
    fail(job, caught());
  }
}

Status Scheduler::try_start(Job* job, bool* complete) {
  Run& run = job->run;
  Answer& answer = *job->answer;
  const Request& request = job->request;
  const auto prefix = reusable(*job);
  const bool computes = request.action == KVC_ACTION_PROCESS || request.action == KVC_ACTION_STORE;
  const bool reuse = !request.no_cache && cache_->options().reuse;

  if (request.action == KVC_ACTION_RETRIEVE) {
    const size_t found =
        reuse ? without_bos_alone(*job, backend_->info(), cache_->probe(*space_, request.tenant, prefix)) : 0;
    answer.cached_tokens = static_cast<uint32_t>(found);
    answer.miss_reason = !reuse                   ? KVC_MISS_DISABLED
                         : found == prefix.size() ? KVC_MISS_NONE
                         : found > 0              ? KVC_MISS_PARTIAL
                                                  : KVC_MISS_NEW;
    *complete = true;
    return Status::ok();
  }
  if (computes && reuse && waits_for_other(job)) return Status::ok();

  SessionOptions options;
  options.tenant = request.tenant;
  options.session_id = request.session_id;
  options.priority = request.priority;
  options.publish = !request.no_cache;
  KVC_RETURN_IF_ERROR(cache_->open_session(space_, std::move(options), &run.session));
  size_t reused = 0;
  if (request.no_cache) {
    answer.miss_reason = KVC_MISS_DISABLED;
    answer.miss_text = "miss: the request asked for no cache";
  } else if (prefix.empty()) {
    answer.miss_reason = KVC_MISS_SHORT;
    answer.miss_text = "miss: the prompt is one token, and the last token is always computed";
  } else {
    KVC_RETURN_IF_ERROR(run.session->match(prefix, &reused));
    answer.miss_reason = run.session->miss(&answer.miss_text);
    if (reused > 0 && without_bos_alone(*job, backend_->info(), reused) == 0) {
      KVC_RETURN_IF_ERROR(run.session->truncate(0));
      reused = 0;
      if (answer.miss_reason == KVC_MISS_PARTIAL) {
        answer.miss_reason = KVC_MISS_NEW;
        answer.miss_text = "miss: nothing but the bos was stored here, or all else is evicted";
      }
    }
  }
  run.committed = static_cast<uint32_t>(reused);
  answer.cached_tokens = run.committed;
  if (!computes) {
    *complete = true;
    return Status::ok();
  }

  counters_->prompt_tokens.add(job->prompt.size());
  counters_->cached_tokens.add(reused);
  (reused > 0 ? counters_->hits : counters_->misses).add();
  if (reused == job->prompt.size()) {
    *complete = true;
    return Status::ok();
  }
  KVC_RETURN_IF_ERROR(backend_->sequence_open(job->ticket));
  run.sequence_open = true;
  if (!backend_->paged() && reused > 0) {
    KVC_RETURN_IF_ERROR(backend_->import_kv(job->ticket, run.session.get(), prefix.first(reused), 0));
  }
  run.phase = Phase::prefill;
  return Status::ok();
}

Job* Scheduler::find(kvc_ticket_t ticket) const noexcept {
  for (const auto& job : jobs_) {
    if (job->ticket == ticket) return job.get();
  }
  return nullptr;
}

bool Scheduler::waits_for_other(Job* job) {
  Run& run = job->run;
  const auto goes_on = [](const Job* other, uint32_t tokens) {
    return other != nullptr && other->run.phase == Phase::prefill && other->run.committed < tokens;
  };
  Job* leader = run.leader != 0 ? find(run.leader) : nullptr;
  if (!goes_on(leader, run.leader_tokens)) {
    leader = nullptr;
    run.leader = 0;
    const size_t page = space_->geometry().page_tokens;
    const auto prefix = reusable(*job);
    size_t most = 0;
    for (const auto& other : jobs_) {
      if (other->run.phase != Phase::prefill || other->request.no_cache || other->request.tenant != job->request.tenant)
        continue;
      const size_t shared = common_prefix(prefix, other->prompt) / page * page;
      if (shared <= most || !goes_on(other.get(), static_cast<uint32_t>(shared))) continue;
      most = shared;
      leader = other.get();
    }
    if (leader == nullptr) return false;
    if (cache_->probe(*space_, job->request.tenant, prefix.first(most)) == most) return false;  // stored already
    run.leader = leader->ticket;
    run.leader_tokens = static_cast<uint32_t>(most);
  }
  leader->run.rank = std::min(leader->run.rank, run.rank);
  return true;
}

}  // namespace kvc
