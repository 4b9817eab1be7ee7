#include "policy/reuse_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "policy/policy.h"

namespace kvc {
namespace {

constexpr float kLogitLow = -4.8F;  // middle of the lowest level
constexpr float kLogitStep = 0.3F;
constexpr float kMaxWeight = 12.0F;
// Of a weight before anything was seen. What judges later sees fewer examples before its judgement counts, and is made
// more careful.
constexpr float kVariance[ReuseModel::kModels] = {0.1F, 0.1F, 0.07F, 0.05F};
constexpr float kHintVariance = 1;    // where hints are wrong, that is soon seen
constexpr float kMaxVariance = 1.0F;
constexpr float kDrift = 1e-5F;       // variance that a weight gains when it is used: workloads change
constexpr float kMemory = 1024;       // returns that a distribution remembers
constexpr float kBackoff = 100;      // returns that a class needs to outweigh what it has in common with others
constexpr float kPrior = 0.1F;       // returns that each slice of the common distribution begins with
constexpr double kLeastSeen = 0.3;    // of what was observed: the scaling of rare late returns is bounded
constexpr double kLeastReturns = 8;    // of a class, before it is asked what it tells
constexpr double kTogether = 3;        // examples that return together
constexpr double kTelling = 0.1;       // nats per return that pace has to say
constexpr float kShare[ReuseModel::kModels] = {0.5F, 0.7F, 0.85F, 0.95F};  // of the returns that a model waits for

float sigmoid(float x) noexcept { return 1.0F / (1.0F + std::exp(-x)); }

// Returns within a few seconds say nothing about how long people and programs think.
constexpr bool is_hot(uint32_t time_class) noexcept {
  return time_class == kGapHalfSecond || time_class == kGap4Seconds;
}

constexpr bool is_by_pace(uint32_t time_class) noexcept {
  return time_class >= kPaceSoonest && time_class <= kPaceLatest;
}
static_assert(static_cast<uint32_t>(SessionHint::count) <= kHintOfKnown);
static_assert(kPaceSoonest + PaceModel::kClasses - 1 == kPaceLatest);

// Pages that are one conversation's own, or may be.
constexpr bool is_own(uint32_t time_class) noexcept { return time_class == kFirst || is_by_pace(time_class); }

// How long an answer is means another thing after a minute than within a program's loop.
uint32_t pair_of(const Features& features) noexcept {
  return features[kAnswerFeature] * kBuckets + features[kGapFeature];
}

template <typename Distribution>
float sum_of(const Distribution& counts) noexcept {
  float sum = 0;
  for (const float count : counts) sum += count;
  return sum;
}
template <typename Distribution>
void add(const Distribution& counts, Distribution* to) noexcept {
  for (uint32_t s = 0; s < kSlices; ++s) (*to)[s] += counts[s];
}

}  // namespace

ReuseModel::ReuseModel() noexcept {
  state_.bias_mean.fill(-1);
  state_.bias_variance.fill(1);
  for (auto& feature : state_.variance) {
    for (Weights& weights : feature) std::ranges::copy(kVariance, weights.begin());
  }
  for (Weights& weights : state_.pair_variance) std::ranges::copy(kVariance, weights.begin());
  // What needs no learning: nobody continues an unfinished page, and hints are usually true.
  state_.mean[kDistanceFeature][0].fill(-3);
  const auto expect = [&](SessionHint hint, float weight) {
    for (const uint32_t known : {0u, kHintOfKnown}) {
      const uint32_t bucket = static_cast<uint32_t>(hint) + known;
      state_.mean[kHintFeature][bucket].fill(weight);
      state_.variance[kHintFeature][bucket].fill(kHintVariance);
    }
  };
  expect(SessionHint::finished, -4);
  for (const SessionHint hint : {SessionHint::idle, SessionHint::turn_end, SessionHint::tool_call, SessionHint::expected}) {
    expect(hint, 0);
  }
  expect(SessionHint::one_off, -2);
  expect(SessionHint::shared, 2);
  refresh_all(1);
}

ReuseModel::Weights ReuseModel::logits(const Features& features) const noexcept {
  // Two sums that do not wait for each other.
  static_assert(kPaceFeature == kFeatures - 1 && kPaceFeature % 2 == 1);
  Weights sums = state_.bias_mean, others = state_.pair_mean[pair_of(features)];
  for (uint32_t f = 0; f + 1 < kPaceFeature; f += 2) {
    const Weights& weights = state_.mean[f][features[f]];
    const Weights& next = state_.mean[f + 1][features[f + 1]];
    for (uint32_t m = 0; m < kModels; ++m) sums[m] += weights[m];
    for (uint32_t m = 0; m < kModels; ++m) others[m] += next[m];
  }
  const Weights& weights = state_.mean[kPaceFeature - 1][features[kPaceFeature - 1]];
  for (uint32_t m = 0; m < kModels; ++m) sums[m] += weights[m];
  for (uint32_t m = 0; m < kModels; ++m) sums[m] += others[m];
  return sums;
}

float ReuseModel::logit(const Features& features) const noexcept {
  float sum = 0;
  for (const float logit : logits(features)) sum += logit;
  return sum / kModels;
}

uint32_t ReuseModel::level_of(float logit) noexcept {
  const float level = (logit - kLogitLow) / kLogitStep + 0.5F;
  return static_cast<uint32_t>(std::clamp(level, 0.0F, static_cast<float>(kLevels - 1)));
}

float ReuseModel::probability_of(uint32_t level) noexcept {
  return sigmoid(kLogitLow + kLogitStep * static_cast<float>(level));
}

float ReuseModel::chance(uint32_t cell) const noexcept {
  const float p = probability_of(cell / kSlices % kLevels);
  const float later = p * later_[cell / kSlices / kLevels][cell % kSlices];
  return later / (1 - p + later);
}

void ReuseModel::learn(uint32_t model, const Features& features, uint32_t time_class, bool returned) noexcept {
  // Where a class returns later than most, not to have returned yet says less.
  float weight = 1;
  if (!returned && patience_[model] > 0) {
    weight = std::clamp((1 - later_[time_class][slice_of(patience_[model])]) / kShare[model], 0.0F, 1.0F);
  }
  const float p = std::clamp(sigmoid(logits(features)[model]), 0.002F, 0.998F);
  const uint32_t pair = pair_of(features);
  float spread = state_.bias_variance[model] + state_.pair_variance[pair][model];
  for (uint32_t f = 0; f < kPaceFeature; ++f) spread += state_.variance[f][features[f]][model];
  const float curvature = weight * p * (1 - p);
  const float shrink = curvature / (1 + spread * curvature);
  const float gain = weight * ((returned ? 1.0F : 0.0F) - p) / (1 + spread * curvature);
  const auto step = [&](float* mean, float* variance) {
    *mean = std::clamp(*mean + *variance * gain, -kMaxWeight, kMaxWeight);
    *variance = std::clamp(*variance - *variance * *variance * shrink + kDrift, 0.0F, kMaxVariance);
  };
  step(&state_.bias_mean[model], &state_.bias_variance[model]);
  step(&state_.pair_mean[pair][model], &state_.pair_variance[pair][model]);
  for (uint32_t f = 0; f < kPaceFeature; ++f) {
    step(&state_.mean[f][features[f]][model], &state_.variance[f][features[f]][model]);
  }
}

void ReuseModel::learn_gap(const Features& features, uint32_t time_class, uint32_t ticks) noexcept {
  if (is_own(time_class)) paces_.learn(features, ticks);
  Distribution& counts = state_.gaps[time_class];
  counts[slice_of(ticks)] += 1;
  if (sum_of(counts) > kMemory) {
    for (float& count : counts) count *= 1 - 64 / kMemory;  // now and then rather than each time
  }
}

// By slice, what scales the returns seen up to those that there were.
ReuseModel::Distribution ReuseModel::censoring() const noexcept {
  Distribution factors;
  for (uint32_t s = 0; s < kSlices; ++s) {
    const double middle = 0.5 * (slice_begin(s) + slice_begin(s + 1));
    factors[s] = static_cast<float>(1 / std::max(1 - middle / std::max(1.0F, state_.span), kLeastSeen));
  }
  return factors;
}

ReuseModel::Distribution ReuseModel::returns(uint32_t time_class, const Distribution& factors) const noexcept {
  Distribution counts = state_.gaps[time_class];
  for (uint32_t s = 0; s < kSlices; ++s) counts[s] *= factors[s];
  return counts;
}

ReuseModel::Distribution ReuseModel::common(const Distribution& factors) const noexcept {
  Distribution all;
  all.fill(kPrior);
  for (uint32_t c = 0; c < kTimeClasses; ++c) {
    if (is_hot(c) || c == kDue) continue;
    add(returns(c, factors), &all);
  }
  return all;
}

void ReuseModel::refresh_all(double quantum) noexcept {
  for (uint32_t c = 0; c < kTimeClasses; ++c) refresh(c, quantum);
  set_patience();
}

void ReuseModel::set_patience() noexcept {
  const Distribution all = common(censoring());
  const float total = sum_of(all);
  float seen = 0;
  patience_.fill(0);
  for (uint32_t s = 0, m = 0; s < kSlices && total > 4 * kPrior * kSlices; ++s) {
    seen += all[s] - kPrior;
    while (m < kModels && seen >= kShare[m] * (total - kPrior * kSlices)) {
      patience_[m++] = static_cast<uint32_t>(std::min(slice_begin(s + 1), 4e9));
    }
  }
}

// What the classes by pace say of the next return (mutual information, nats per return), less what as many returns in
// as many slices would seem to say by chance. Several pages of a request are examples and return together: they count
// for less than as many returns. The less the classes say, the more returns each needs to be taken for itself: shares
// drawn from a Dirichlet distribution around the common ones, of so many slices, differ from them by as much when its
// weight is (slices - 1) / (2 * nats).
void ReuseModel::weigh_paces(const Distribution& factors) noexcept {
  Distribution of_paces{};
  for (uint32_t c = kPaceSoonest; c <= kPaceLatest; ++c) add(returns(c, factors), &of_paces);
  const double all = sum_of(of_paces);
  double seen = 0, said = 0, slices = 0;
  for (uint32_t c = kPaceSoonest; c <= kPaceLatest; ++c) {
    const Distribution counts = returns(c, factors);
    const double own = sum_of(counts);
    if (own < kLeastReturns) continue;
    seen += own;
    for (uint32_t s = 0; s < kSlices; ++s) {
      if (counts[s] <= 0) continue;
      said += counts[s] * std::log(counts[s] / own * all / of_paces[s]);
      slices += 1;
    }
  }
  const double each = seen > 0 ? (said - kTogether * slices / 2) / seen : 0;
  paces_tell_ = each > kTelling;
  pace_backoff_ = static_cast<float>(std::max(1.0, slices / PaceModel::kClasses - 1) / (2 * std::max(each, 1e-4)));
}

void ReuseModel::refresh(uint32_t time_class, double quantum) noexcept {
  if (time_class == kDue) {
    later_[kDue].fill(1);
    for (uint32_t level = 0; level < kLevels; ++level) {
      for (uint32_t s = 0; s < kSlices; ++s) {
        worth_[cell_of(kDue, level, s)] = static_cast<float>(probability_of(level) / (slice_begin(s) + quantum));
      }
    }
    return;
  }

  const Distribution factors = censoring();
  Distribution like = common(factors);  // what the class is like, as far as its own returns are few
  float total = sum_of(like);
  Distribution counts = returns(time_class, factors);
  if (is_own(time_class)) {
    Distribution conversations{};
    for (uint32_t c = 0; c < kTimeClasses; ++c) {
      if (is_own(c)) add(returns(c, factors), &conversations);
    }
    if (time_class == kFirst) {
      weigh_paces(factors);
      counts = conversations;
    }
    for (uint32_t s = 0; s < kSlices; ++s) like[s] = conversations[s] + kBackoff * like[s] / total;
    total = sum_of(like);
  }
  // density[s]: share of the returns in slice s; after[s]: share not before its begin.
  const float own = sum_of(counts);
  const float backoff = is_by_pace(time_class) ? pace_backoff_ : kBackoff;
  std::array<double, kSlices> density;
  std::array<double, kSlices + 1> after;
  after[kSlices] = 0;
  for (uint32_t s = kSlices; s-- > 0;) {
    density[s] = (counts[s] + backoff * like[s] / total) / (own + backoff);
    after[s] = after[s + 1] + density[s];
  }
  for (uint32_t s = 0; s < kSlices; ++s) later_[time_class][s] = static_cast<float>(after[s] / after[0]);
  for (uint32_t level = 0; level < kLevels; ++level) {
    const double p = probability_of(level);
    // From the last slice to the first: `hull` holds the ends that some start could be best held until. These are
    // points (time held, hits) on a concave line, and the best one for a start is where a tangent from it touches.
    struct Point {
      double held, hits;
    };
    std::array<Point, kSlices> hull;
    uint32_t n = 0;  // the nearest end is the last
    const auto steeper = [](const Point& from, const Point& a, const Point& b) {  // to a than to b, both later
      return (a.hits - from.hits) * (b.held - from.held) > (b.hits - from.hits) * (a.held - from.held);
    };
    Point end{0, 0};  // of the slice, counted back from the end of the last one
    for (uint32_t from = kSlices; from-- > 0;) {
      while (n >= 2 && !steeper(end, hull[n - 1], hull[n - 2])) --n;
      hull[n++] = end;
      const double waiting = (1 - p) + p * (after[from + 1] + 0.5 * density[from]);
      const double length = slice_begin(from + 1) - slice_begin(from);
      const Point begin{end.held - waiting * length, end.hits - density[from]};
      const Point earlier{begin.held - quantum, begin.hits};
      uint32_t best = n - 1;
      while (best > 0 && steeper(earlier, hull[best - 1], hull[best])) --best;
      const double gain = hull[best].hits - earlier.hits;
      worth_[cell_of(time_class, level, from)] = static_cast<float>(p * gain / (hull[best].held - earlier.held));
      end = begin;
    }
  }
}

size_t ReuseModel::state_size() noexcept { return sizeof(State) + sizeof(PaceModel::State); }

void ReuseModel::save(std::byte* out) const noexcept {
  std::memcpy(out, &state_, sizeof state_);
  std::memcpy(out + sizeof state_, &paces_.state(), sizeof(PaceModel::State));
}

bool ReuseModel::load(const std::byte* in, size_t size) noexcept {
  if (size != state_size()) return false;
  State read;
  PaceModel::State paces;
  std::memcpy(static_cast<void*>(&read), in, sizeof read);
  std::memcpy(static_cast<void*>(&paces), in + sizeof read, sizeof paces);
  // NaN is within nothing.
  const auto within = [](float value, float low, float high) { return value >= low && value <= high; };
  const auto sound = [&](const Weights& means, const Weights& variances) {
    return std::ranges::all_of(means, [&](float mean) { return within(mean, -kMaxWeight, kMaxWeight); }) &&
           std::ranges::all_of(variances, [&](float variance) { return within(variance, 0, kMaxVariance); });
  };
  if (!sound(read.bias_mean, read.bias_variance)) return false;
  for (uint32_t f = 0; f < kFeatures; ++f) {
    for (uint32_t b = 0; b < kBuckets; ++b) {
      if (!sound(read.mean[f][b], read.variance[f][b])) return false;
    }
  }
  for (uint32_t pair = 0; pair < kBuckets * kBuckets; ++pair) {
    if (!sound(read.pair_mean[pair], read.pair_variance[pair])) return false;
  }
  for (const Distribution& counts : read.gaps) {
    for (float count : counts) {
      if (!within(count, 0, 2 * kMemory)) return false;
    }
  }
  if (!within(read.span, 0, 1e12F) || !paces_.set_state(paces)) return false;
  state_ = read;
  refresh_all(1);
  return true;
}

}  // namespace kvc
