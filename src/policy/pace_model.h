// How soon pages return, by what is known of their requests: linear regression of the logarithm of the time, learned
// online with a normal distribution per weight (recursive least squares with a diagonal covariance). A request's pages
// are in one of a few classes by where its estimate lies among those of late; when pages of a class return is for
// reuse_model.h to count. An estimate explains a quarter of the times at best, so it never stands for one.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "policy/features.h"

namespace kvc {

class PaceModel {
 public:
  static constexpr uint32_t kClasses = 5;

  PaceModel() noexcept {
    for (auto& feature : state_.variance) feature.fill(kVariance);
  }

  // A page came back after so many ticks.
  void learn(const Features& features, uint32_t ticks) noexcept {
    const float error = std::log2(static_cast<float>(ticks) + 2) - estimate(features);
    float spread = state_.bias_variance;
    for (uint32_t f = 0; f < kFeatures; ++f) spread += state_.variance[f][features[f]];
    const float known = 1 / (kNoise + spread);
    const auto step = [&](float* mean, float* variance) {
      *mean = std::clamp(*mean + *variance * known * error, -kMaxWeight, kMaxWeight);
      *variance = std::clamp(*variance - *variance * *variance * known + kDrift, 0.0F, kMaxVariance);
    };
    step(&state_.bias_mean, &state_.bias_variance);
    for (uint32_t f = 0; f < kFeatures; ++f) step(&state_.mean[f][features[f]], &state_.variance[f][features[f]]);
  }

  // 0: those of late that return soonest. A request is counted among those of late by asking.
  uint32_t class_of(const Features& features) noexcept {
    const float time = estimate(features);
    state_.middle += (time - state_.middle) / kOfLate;
    const float off = time - state_.middle;
    state_.square += (off * off - state_.square) / kOfLate;
    const float deviation = std::sqrt(state_.square);
    return (off >= -deviation ? 1 : 0) + (off >= -deviation / 3 ? 1 : 0) + (off >= deviation / 3 ? 1 : 0) +
           (off >= deviation ? 1 : 0);
  }

  struct State {
    float bias_mean = 13, bias_variance = 1;  // half a minute in ticks
    std::array<std::array<float, kBuckets>, kFeatures> mean{}, variance{};
    float middle = 13, square = 1;  // mean of the estimates of late, and of the squares of what they are off it
  };
  const State& state() const noexcept { return state_; }
  // False, and nothing changed: it holds numbers that cannot be.
  bool set_state(const State& state) noexcept {
    // NaN is within nothing.
    const auto within = [](float value, float low, float high) { return value >= low && value <= high; };
    const auto sound = [&](float mean, float variance) {
      return within(mean, -kMaxWeight, kMaxWeight) && within(variance, 0, kMaxVariance);
    };
    if (!sound(state.bias_mean, state.bias_variance)) return false;
    for (uint32_t f = 0; f < kFeatures; ++f) {
      for (uint32_t b = 0; b < kBuckets; ++b) {
        if (!sound(state.mean[f][b], state.variance[f][b])) return false;
      }
    }
    constexpr float kMaxEstimate = kMaxWeight * (kFeatures + 1);
    if (!within(state.middle, -kMaxEstimate, kMaxEstimate)) return false;
    if (!within(state.square, 0, 4 * kMaxEstimate * kMaxEstimate)) return false;
    state_ = state;
    return true;
  }

 private:
  static constexpr float kVariance = 0.1F;  // of a weight before anything was seen, octaves squared
  static constexpr float kNoise = 3;        // of a time that the features do not explain
  static constexpr float kMaxWeight = 32, kMaxVariance = 1;
  static constexpr float kDrift = 1e-5F;  // variance that a weight gains when it is used: workloads change
  static constexpr float kOfLate = 256;   // requests

  // Logarithm of ticks.
  float estimate(const Features& features) const noexcept {
    float sum = state_.bias_mean;
    for (uint32_t f = 0; f < kFeatures; ++f) sum += state_.mean[f][features[f]];
    return sum;
  }

  State state_;
};

}  // namespace kvc
