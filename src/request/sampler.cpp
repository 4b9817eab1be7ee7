#include "request/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace kvc {
namespace {

Status find_likeliest(std::span<const float> logits, int32_t* token) {
  float best = -std::numeric_limits<float>::infinity();
  int32_t at = -1;
  for (size_t i = 0; i < logits.size(); ++i) {
    const float logit = logits[i];
    // One comparison rules out NaN and +infinity.
    if (!(logit < std::numeric_limits<float>::infinity())) {
      return error(KVC_E_BACKEND, "the model's logit of token %zu is %s: its forward must write %zu numbers", i,
                   std::isnan(logit) ? "not a number" : "infinite", logits.size());
    }
    if (logit > best) {
      best = logit;
      at = static_cast<int32_t>(i);
    }
  }
  if (at < 0)
    return error(KVC_E_BACKEND, "all %zu logits of the model are -infinity: no token can follow", logits.size());
  *token = at;
  return Status::ok();
}

}  // namespace

Status Sampler::next(std::span<const float> logits, int32_t* token) {
  int32_t likeliest = -1;
  KVC_RETURN_IF_ERROR(find_likeliest(logits, &likeliest));
  if (temperature_ == 0) {
    *token = likeliest;
    return Status::ok();
  }

  const double highest = logits[static_cast<size_t>(likeliest)];
  candidates_.clear();
  candidates_.reserve(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) {
    const double weight = std::exp((logits[i] - highest) / temperature_);
    if (weight > 0) candidates_.push_back({weight, static_cast<int32_t>(i)});
  }
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.token < b.token;
  };
  if (top_k_ > 0 && top_k_ < candidates_.size()) {
    std::nth_element(candidates_.begin(), candidates_.begin() + top_k_, candidates_.end(), likelier);
    candidates_.resize(top_k_);
  }
  // Sums follow one order, that of the tokens or that of the weights, whatever nth_element left behind.
  if (top_k_ > 0 || top_p_ < 1) {
    std::sort(candidates_.begin(), candidates_.end(), likelier);
  }
  double mass = 0;
  for (const Candidate& c : candidates_) mass += c.weight;
  if (top_p_ < 1) {
    const double wanted = top_p_ * mass;
    double kept = 0;
    size_t n = 0;
    while (n < candidates_.size() && kept < wanted) kept += candidates_[n++].weight;
    candidates_.resize(std::max<size_t>(n, 1));
    mass = kept > 0 ? kept : candidates_[0].weight;
  }

  double left = random_.unit() * mass;
  // Rounding may leave a rest behind the last candidate: then it is the last one.
  size_t chosen = 0;
  while (chosen + 1 < candidates_.size() && left >= candidates_[chosen].weight) left -= candidates_[chosen++].weight;
  *token = candidates_[chosen].token;
  return Status::ok();
}

}  // namespace kvc
