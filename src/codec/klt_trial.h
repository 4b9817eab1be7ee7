// What coding one head of a page would cost and spoil: for whoever chooses bits (the learner for a space, the check for a
// page).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>

#include "codec/klt_calibration.h"

namespace kvc {

// A head's keys of one tile (before RoPE) as its codes of so many bits a channel give them back; the first `exact` rows stay.
// Needs block_heads 1. head: its index over all layers. False: a number is not finite. Throws std::bad_alloc.
bool recode_keys(const KltCalibration& calibration, size_t head, const uint8_t* bits, uint32_t n, uint32_t exact,
                 float* rows);
// The same of values: rows of v_dim floats.
bool recode_values(uint32_t v_dim, uint32_t bits, uint32_t n, uint32_t exact, float* rows);

inline constexpr uint32_t kStepsPerBit = 4;
inline constexpr uint32_t kKeySteps = kStepsPerBit * KltCalibration::kMaxBits;  // mean bits of a head's keys, in quarters
inline constexpr uint32_t kLeastValueBits = 2;

// The bits that a head's channels get in so many quarters of a bit each.
constexpr uint32_t steps_of(uint32_t quarter_bits, uint32_t channels) { return quarter_bits * channels / kStepsPerBit; }

// Errors by steps of a width, of which few are measured: they halve with every bit, nearly.
class Errors {
 public:
  Errors(uint32_t steps_per_bit, std::function<double(uint32_t)> measure)
      : steps_per_bit_(steps_per_bit), measure_(std::move(measure)) {}

  double measured(uint32_t step);
  // From the nearest measurement; there must be one.
  double guess(uint32_t step) const;

 private:
  const double steps_per_bit_;
  const std::function<double(uint32_t)> measure_;
  std::map<uint32_t, double> known_;
};

struct Pick {
  uint32_t key_step = 0, value_bits = 0;  // quarters of a bit; bits
  double error = 0;                       // of both together
};

// The cheapest pair whose error is within the limit, looked for from `start` on; value_bits 0 and the least error: there is
// none. Errors of keys and of values are independent of one another: their squares add up.
Pick pick_bits(Errors* keys, Errors* values, double limit, const Pick& start, uint32_t k_dim, uint32_t v_dim);

}  // namespace kvc
