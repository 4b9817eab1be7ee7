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
  bool complete = false;
  Status status;
  try {
    status = try_start(job, &complete);
  } catch (...) {
    status = caught();
  }
  if (status.is_ok()) {
    if (complete) finish(job, Status::ok(), KVC_FINISH_NONE);
  } else if (status.code() == KVC_E_NO_MEMORY && others_compute(*job)) {
    put_back(job);
  } else {
    fail(job, std::move(status));
  }
}

bool Scheduler::others_compute(const Job& job) const noexcept {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& other) {
    return other.get() != &job && (other->run.phase == Phase::prefill || other->run.phase == Phase::decode);
  });
}

// As if it had not tried to start: there is room for it when others have ended.
void Scheduler::put_back(Job* job) noexcept {
  Run& run = job->run;
  if (run.sequence_open) backend_->sequence_close(job->ticket);
  run.sequence_open = false;
  run.fetch.reset();
  run.session.reset();
  run.reserved = 0;
}

Status Scheduler::try_start(Job* job, bool* complete) {
  Run& run = job->run;
  Answer& answer = *job->answer;
  const Request& request = job->request;
  const auto prefix = reusable(*job);
  const bool computes = request.action == KVC_ACTION_PROCESS || request.action == KVC_ACTION_STORE;
  const bool reuse = !request.no_cache && cache_->options().reuse;

  if (request.action == KVC_ACTION_RETRIEVE) {
    size_t found =
        reuse ? without_bos_alone(*job, backend_->info(), cache_->probe(*space_, request.tenant, prefix)) : 0;
    PageId state;
    found = whole_batches(found);
    if (backend_->info().state_tokens > 0) found = find_state(request, prefix.first(found), &state);
    answer.cached_tokens = static_cast<uint32_t>(found);
    answer.miss_reason = !reuse                   ? KVC_MISS_DISABLED
                         : found == prefix.size() ? KVC_MISS_NONE
                         : found > 0              ? KVC_MISS_PARTIAL
                                                  : KVC_MISS_NEW;
    *complete = true;
    return Status::ok();
  }
  if (computes && reuse && waits_for_other(job)) return Status::ok();
  if (reuse && waits_for_disk(job)) return Status::ok();
  if (computes && waits_for_room(job)) return Status::ok();

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
    KVC_RETURN_IF_ERROR(run.session->match(prefix, &reused, run.fetch.get()));
    run.fetch.reset();
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
  if (const size_t matched = reused; whole_batches(matched) < matched) {
    reused = whole_batches(matched);
    KVC_RETURN_IF_ERROR(run.session->truncate(reused));
    answer.miss_reason = reused > 0 ? KVC_MISS_PARTIAL : KVC_MISS_NEW;
    answer.miss_text = "miss: of " + std::to_string(matched) + " stored tokens " + std::to_string(reused) +
                       " are whole batches (option reproducible)";
  }
  const bool states = backend_->info().state_tokens > 0;
  if (states && reused > 0) {
    // Only a state can be restored, and only whole.
    if (computes) {
      KVC_RETURN_IF_ERROR(backend_->sequence_open(job->ticket));
      run.sequence_open = true;
    }
    const size_t matched = reused;
    KVC_RETURN_IF_ERROR(load_state(job, prefix.first(matched), &reused));
    if (reused < matched) {
      KVC_RETURN_IF_ERROR(run.session->truncate(reused));
      answer.miss_reason = reused > 0 ? KVC_MISS_PARTIAL : KVC_MISS_NEW;
      answer.miss_text = "miss: of " + std::to_string(matched) + " stored tokens a state is kept for the first " +
                         std::to_string(reused);
    }
  }
  run.committed = run.stored = static_cast<uint32_t>(reused);
  run.stores = !request.no_cache;
  answer.cached_tokens = run.committed;
  answer.approximate_tokens = static_cast<uint32_t>(run.session->approximate());
  if (!computes) {
    *complete = true;
    return Status::ok();
  }

  *complete = reused == job->prompt.size();
  if (!*complete && !run.sequence_open) {
    KVC_RETURN_IF_ERROR(backend_->sequence_open(job->ticket));
    run.sequence_open = true;
  }
  if (!*complete && !backend_->paged() && !states && reused > 0) {
    KVC_RETURN_IF_ERROR(backend_->import_kv(job->ticket, run.session.get(), prefix.first(reused), 0));
  }
  counters_->prompt_tokens.add(job->prompt.size());
  counters_->cached_tokens.add(reused);
  (reused > 0 ? counters_->hits : counters_->misses).add();
  if (!*complete) run.phase = Phase::prefill;
  return Status::ok();
}

// Whether the model has no room for this request beside the others now. If it has, the room is taken.
bool Scheduler::waits_for_room(Job* job) {
  const uint64_t total = backend_->info().total_tokens;
  if (total == 0) return false;
  uint64_t taken = 0;
  for (const auto& other : jobs_) {
    if (other.get() != job && other->run.phase != Phase::ended) taken += other->run.reserved;
  }
  const bool generates = job->request.action == KVC_ACTION_PROCESS;
  const uint64_t longest = job->prompt.size() + (generates ? uint64_t{job->request.max_tokens} : 0);
  const uint64_t needed = std::min<uint64_t>(longest, backend_->info().context);
  if (room_is_waited_for_ || (taken > 0 && taken + needed > total)) {
    room_is_waited_for_ = true;
    return true;
  }
  job->run.reserved = static_cast<uint32_t>(needed);
  return false;
}

Job* Scheduler::find(kvc_ticket_t ticket) const noexcept {
  for (const auto& job : jobs_) {
    if (job->ticket == ticket) return job.get();
  }
  return nullptr;
}

// Pages on disk come while others are computed; where there is nothing to compute, a step waits for them.
bool Scheduler::waits_for_disk(Job* job) {
  constexpr uint64_t kStep = 2'000'000;
  Run& run = job->run;
  const auto prefix = reusable(*job);
  if (run.fetch == nullptr) {
    if (!prefix.empty()) run.fetch = cache_->begin_fetch(space_, job->request.tenant, prefix);
    if (run.fetch == nullptr) return false;
  }
  return !run.fetch->advance(others_compute(*job) ? 0 : kStep);
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
