// What the adaptive policy learns: how likely a page is to be used again, when, and what holding it is therefore worth.
//
// A mixture-cure model. With probability p an access is followed by another one: logistic regression over a dozen
// features, and one pair of them, learned online with a normal distribution per weight (the extended Kalman filter of
// the logistic model; compare Graepel et al. 2010, "adPredictor"). Several such regressions judge an access after
// shorter and longer waits, and their logits are averaged: the first one learns early, the last one sees late returns,
// and their errors cancel in part. If it is followed by one, then after a time drawn from the empirical distribution of
// the page's class: by the times between its uses so far, or by how soon such requests are continued (pace_model.h).
//
// The worth of holding a page of age a is the Gittins index (Gittins 1979)
//     sup over h of  P(used within h | not used until a) / E[time until used or h]
// in hits per tick. It is tabled for (class, level of p, slice of a).
//
// Times are ticks of 4 ms; ages fall into slices of half an octave. What is learned is one flat struct, which can be
// stored and taken up again after a restart. Deterministic: no random source, no clock.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "policy/features.h"
#include "policy/pace_model.h"

namespace kvc {

constexpr uint64_t kTickNs = 4'000'000;
constexpr uint32_t kSlices = 48;  // up to 18 hours

// Slice of an age in ticks.
constexpr uint32_t slice_of(uint32_t ticks) noexcept {
  const uint64_t n = uint64_t{ticks} + 2;
  const auto top = static_cast<uint32_t>(63 - __builtin_clzll(n));
  const uint32_t slice = 2 * (top - 1) + static_cast<uint32_t>((n >> (top - 1)) & 1);
  return slice < kSlices ? slice : kSlices - 1;
}
// Its first age in ticks.
constexpr double slice_begin(uint32_t slice) noexcept {
  return static_cast<double>(uint64_t{2 + (slice & 1)} << (slice / 2)) - 2.0;
}

// Classes of reuse times.
enum TimeClass : uint8_t {
  kFirst,                                              // used once so far, and shared
  // By the time between uses, the last ones foremost.
  kGapHalfSecond, kGap4Seconds, kGap11Seconds, kGap32Seconds, kGap90Seconds, kGap4Minutes, kGapLonger,
  // A conversation's own pages, by how soon it is estimated to go on (PaceModel); apart from pages that many share.
  kPaceSoonest, kPaceSooner, kPaceMiddle, kPaceLater, kPaceLatest,
  kShort,                                              // an unfinished last page
  kDue,                                                // expected; the age is the time that is left
  kOverdue,                                            // expected; the age counts from when it was
  kTimeClasses
};

class ReuseModel {
 public:
  static constexpr uint32_t kLevels = 32;   // of probability
  static constexpr uint32_t kModels = 4;
  static constexpr uint32_t kCells = kTimeClasses * kLevels * kSlices;

  ReuseModel() noexcept;

  float logit(const Features& features) const noexcept;
  static uint32_t level_of(float logit) noexcept;
  static float probability_of(uint32_t level) noexcept;

  // A page of this class was used with these features; what a model makes of it, having waited for its patience.
  void learn(uint32_t model, const Features& features, uint32_t time_class, bool returned) noexcept;
  // It came back after so many ticks.
  void learn_gap(const Features& features, uint32_t time_class, uint32_t ticks) noexcept;
  // So many more ticks were observed. A return after a time g is seen only in what was observed longer than g ago: its
  // counts are scaled up by what could not show it yet (inverse probability of censoring).
  void observe(uint32_t ticks) noexcept { state_.span += static_cast<float>(ticks); }
  // Ticks after which a model judges what has not come back; 0: not known yet.
  uint32_t patience(uint32_t model) const noexcept { return patience_[model]; }
  // Sets them by the returns seen so far.
  void set_patience() noexcept;

  // Recomputes the worth of the cells of one class, O(cells). `quantum`: ticks that a page is held at least.
  void refresh(uint32_t time_class, double quantum) noexcept;
  void refresh_all(double quantum) noexcept;
  float worth(uint32_t cell) const noexcept { return worth_[cell]; }
  // The class of a conversation's own page.
  uint8_t class_by_pace(const Features& features) noexcept {
    return static_cast<uint8_t>(kPaceSoonest + paces_.class_of(features));
  }
  // Whether these classes say more of when conversations go on than one class of all does: in some workloads turns come
  // at each one's pace, in others the times between them have nothing in common.
  bool paces_tell() const noexcept { return paces_tell_; }
  // Chance that a page of this cell is used again.
  float chance(uint32_t cell) const noexcept;
  static constexpr uint32_t cell_of(uint32_t time_class, uint32_t level, uint32_t slice) noexcept {
    return (time_class * kLevels + level) * kSlices + slice;
  }

  // What is learned, as bytes: state_size() of them.
  static size_t state_size() noexcept;
  void save(std::byte* out) const noexcept;
  // False, and nothing changed: these bytes are no such state, or hold numbers that cannot be.
  bool load(const std::byte* in, size_t size) noexcept;

 private:
  // The models' weights of one bucket lie beside each other: a page's probability is read from all models at once.
  using Weights = std::array<float, kModels>;
  struct State {
    Weights bias_mean{}, bias_variance{};
    std::array<std::array<Weights, kBuckets>, kFeatures> mean{}, variance{};
    std::array<Weights, kBuckets * kBuckets> pair_mean{}, pair_variance{};
    std::array<std::array<float, kSlices>, kTimeClasses> gaps{};  // counts of returns, decayed
    float span = 0;                                               // ticks observed
  };
  using Distribution = std::array<float, kSlices>;

  Weights logits(const Features& features) const noexcept;
  Distribution censoring() const noexcept;
  Distribution returns(uint32_t time_class, const Distribution& factors) const noexcept;
  Distribution common(const Distribution& factors) const noexcept;
  void weigh_paces(const Distribution& factors) noexcept;

  State state_;
  std::array<uint32_t, kModels> patience_{};
  PaceModel paces_;
  bool paces_tell_ = false;
  float pace_backoff_ = 0;  // returns that a class by pace needs to outweigh what it has in common with the others
  std::array<float, kCells> worth_{};
  std::array<std::array<float, kSlices>, kTimeClasses> later_{};  // share of the returns that come in a slice or later
};

}  // namespace kvc
