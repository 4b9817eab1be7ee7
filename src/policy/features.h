// What is known of a request and of one of its pages, for learning from: one bucket per feature.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace kvc {

constexpr uint32_t kFeatures = 14;
constexpr uint32_t kBuckets = 16;

// Those that something else depends on.
constexpr uint32_t kHintFeature = 0;      // a SessionHint, and ...
constexpr uint32_t kHintOfKnown = 8;      // ... this for pages that were there before
constexpr uint32_t kDistanceFeature = 1;  // 0: the unfinished last page of a chain
constexpr uint32_t kGapFeature = 5;       // since the request that this one continues
constexpr uint32_t kAnswerFeature = 12;   // tokens generated
constexpr uint32_t kPaceFeature = 13;     // of its uses; says when pages return, not whether

// Bucket of a number: its bits, as far as buckets go.
constexpr uint8_t log2_bucket(uint64_t n) noexcept {
  return static_cast<uint8_t>(std::min<int>(kBuckets - 1, static_cast<int>(std::bit_width(n))));
}

// Each bucket < kBuckets, four bits: a page's features are compared and kept as one number.
class Features {
 public:
  uint32_t operator[](uint32_t feature) const noexcept { return static_cast<uint32_t>(bits_ >> (4 * feature)) & 15; }
  void set(uint32_t feature, uint32_t bucket) noexcept {
    bits_ = (bits_ & ~(uint64_t{15} << (4 * feature))) | uint64_t{bucket} << (4 * feature);
  }
  bool operator==(const Features&) const = default;
  uint64_t bits() const noexcept { return bits_; }
  static Features of_bits(uint64_t bits) noexcept {
    Features features;
    features.bits_ = bits;
    return features;
  }
  // Equal to those of no page.
  static Features none() noexcept { return of_bits(~uint64_t{0}); }

 private:
  static_assert(kBuckets <= 16 && kFeatures < 16);
  uint64_t bits_ = 0;
};

}  // namespace kvc
