// What an application asks of its cache's size and policy, and what it tells it.
#include <algorithm>

#include "cache/cache.h"
#include "cache/counters.h"

namespace kvc {

Status Cache::adapt(const PolicyObjective& objective, double prefill_speed) {
  std::lock_guard policy(policy_mutex_);
  policy_->set_time(clock_.now_ns());
  if (!policy_->set_objective(objective)) {
    return error(KVC_E_UNSUPPORTED, "policy %s has no objective: it can be told only with policy adaptive",
                 std::string(policy_->name()).c_str());
  }
  objective_ = objective;
  if (prefill_speed > 0) prefill_speed_ = prefill_speed;
  return Status::ok();
}

Status Cache::what_if(uint64_t budget, std::string_view policy, double ns_per_token, kvc_whatif_t* out) {
  if (policy.empty() && options_.custom_policy) {
    return error(KVC_E_UNSUPPORTED, "what the custom policy %s would do cannot be replayed: name another policy",
                 options_.custom_policy->name);
  }
  if (policy.empty()) policy = policy_->name();
  const auto names = policy_names();
  if (std::find(names.begin(), names.end(), policy) == names.end()) {
    return error(KVC_E_INVALID, "there is no policy '%.60s'; option policy lists them", std::string(policy).c_str());
  }
  const CacheStats now = stats();
  History::Sample sample;
  PolicyObjective objective;
  {
    std::shared_lock index(index_mutex_);
    std::lock_guard lock(policy_mutex_);
    drain_uses();
    sample = history_.sample();
    objective = objective_;
    if (prefill_speed_ > 0) ns_per_token = 1e9 / prefill_speed_;
  }
  if (sample.words.empty() || now.pages == 0) {
    return error(KVC_E_NOT_FOUND, options_.history_bytes == 0
                                      ? "nothing is noted: option whatif_memory is 0"
                                      : "no session has closed yet, or none that left a page: ask later");
  }
  const double page_bytes =
      static_cast<double>(now.memory_payload + now.memory_metadata) / static_cast<double>(now.pages);
  const double bytes = static_cast<double>(budget == 0 ? options_.memory_limit : budget);
  const double share = (options_.gc_threshold + options_.gc_target) / 2;  // collection goes from one to the other
  auto pages = static_cast<uint64_t>(bytes * share / page_bytes);
  if (budget == 0 && options_.page_limit > 0) pages = std::min(pages, options_.page_limit);
  const WhatIf found = kvc::what_if(sample, policy, pages, objective);
  *out = kvc_whatif_t{};
  out->token_hit_rate = found.token_hit_rate;
  out->page_hit_rate = found.page_hit_rate;
  out->pages = pages;
  out->sessions = found.sessions;
  out->tokens = static_cast<uint64_t>(found.tokens);
  out->span_ns = found.span_ns;
  out->saved_ns = static_cast<uint64_t>(found.cost_saved * ns_per_token);
  out->sampled = sample.share;
  return Status::ok();
}

}  // namespace kvc
