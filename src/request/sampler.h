// Chooses the next token. The choice depends on the logits, the request's parameters and its own random numbers alone,
// never on what else is in the batch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "request/request.h"

namespace kvc {

class Sampler {
 public:
  explicit Sampler(const Request& request) noexcept
      : temperature_(request.temperature), top_p_(request.top_p), top_k_(request.top_k), random_(request.seed) {}

  // temperature 0: the likeliest token, of equals the lowest. Else softmax(logits / temperature), cut to the top_k
  // likeliest, then to the smallest set of likeliest ones whose mass reaches top_p; one random number a token.
  // KVC_E_BACKEND: a logit is NaN or +infinity, or all are -infinity.
  Status next(std::span<const float> logits, int32_t* token);

 private:
  struct Candidate {
    double weight;  // not normalised; the likeliest has 1
    int32_t token;
  };

  double temperature_;
  double top_p_;
  uint32_t top_k_;
  Random random_;
  std::vector<Candidate> candidates_;
};

}  // namespace kvc
