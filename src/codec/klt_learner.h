// Learns a calibration (codec/klt_calibration.h) from the first pages and queries of a space.
//
// Kept while learning: first and second moments of keys (before RoPE where it is known) and second moments of queries.
// Under RoPE a query meets keys at all distances, so its moments are averaged over distances before they weigh the
// keys' errors. Without queries every direction of a key counts alike; bits are worth clearly less then.
//
// With a bound, pages and queries are kept as well until the calibration is made, and each K/V head gets the fewest
// bits with which the attention of every query head that reads it, over those pages, stays within it.
//
// Any thread; calls on one learner follow one another.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/status.h"
#include "codec/klt_calibration.h"

namespace kvc {

struct KltTarget {
  // Bits per number, everything in a page included: keys and values, bounds, header.
  double bits = 4.75;
  // If > 0: `bits` is this share of the bits of a number in the clear. Resolved by the caller.
  double ratio = 0;
  // If > 0: instead of `bits`, the largest relative error of the attention output of a query head, in the 2-norm
  // over queries.
  double bound = 0;
  // If > 0: pages at rest get so many bits per number instead; with a bound, this is theirs and a larger one.
  double rest = 0;
};

// What was chosen and what it costs, over all heads.
struct KltReport {
  double bits = 0;         // mean bits per number
  double worst_error = 0;  // with a bound: of the attention output of the worst head, on what was learned from
  uint32_t queries = 0;    // rows that the least observed head has seen
};

// The channels in the order in which they get bits, where each is worth most; kMaxBits times each. Throws std::bad_alloc.
std::vector<uint16_t> order_of_bits(std::span<const double> variance);
// Gives `budget` bits, one after the other, to the channels where each is worth most. Throws std::bad_alloc.
void give_bits(std::span<const double> variance, uint64_t budget, std::span<uint8_t> bits);

class KltLearner {
 public:
  // What it keeps comes from `resource`. Throws std::bad_alloc.
  KltLearner(const PageGeometry& geometry, KeyRope rope, const KltTarget& target, uint32_t tokens_wanted,
             std::pmr::memory_resource* resource = std::pmr::get_default_resource());

  // A page in the clear. exact: its first tokens, which are kept elsewhere. Pages with numbers that are not finite are
  // passed over. Throws std::bad_alloc.
  void add_page(uint64_t position, uint32_t exact, std::span<const std::byte> page);
  // Queries of one layer at `position`: row of head h at rows + h * k_dim, `heads` a multiple of the K/V heads.
  void add_query(uint32_t layer, uint64_t position, uint32_t heads, const float* rows);
  // Enough pages; and with a bound, enough queries.
  bool ready() const;
  // KVC_E_UNSUPPORTED: the target cannot be met (message says how far it is off).
  Status make(std::shared_ptr<const KltCalibration>* out, KltReport* report) const;

  // For the bound: queries per query head, pages, and bytes of these.
  static constexpr uint32_t kQueriesKept = 96;
  static constexpr uint32_t kQueriesStored = 24;  // of these, with the calibration
  static constexpr uint32_t kPagesKept = 12;
  static constexpr size_t kBytesKept = size_t{32} << 20;

 private:
  struct Kept {
    uint64_t position;
    uint32_t exact;
    std::pmr::vector<std::byte> page;
  };

  size_t head_index(uint32_t layer, uint32_t head) const { return size_t{layer} * g_.n_kv_heads + head; }
  uint64_t below(uint64_t n) { return static_cast<uint64_t>(random_.unit() * static_cast<double>(n)); }
  Status fit_to_bits(double bits, KltCalibration* calibration, const std::vector<double>& variance,
                     KltReport* report) const;
  Status fit_to_bound(KltCalibration* calibration, KltReport* report) const;
  void keep_queries(KltCalibration* calibration) const;
  Status fit_rest(KltCalibration* calibration, const std::vector<double>& variance) const;

  const PageGeometry g_;
  const KeyRope rope_;
  const KltTarget target_;
  const uint32_t tokens_wanted_;
  mutable std::mutex mutex_;
  uint64_t tokens_ = 0;
  Random random_{1};  // which queries are kept: an even sample
  std::pmr::memory_resource* const resource_;
  std::pmr::vector<double> sum_;        // [layer][head][k_dim]
  std::pmr::vector<double> product_;    // [layer][head][k_dim][k_dim]: of keys
  std::pmr::vector<double> query_;      // [layer][head][k_dim][k_dim]: of queries
  std::pmr::vector<uint32_t> queries_;  // [layer][head]: seen
  std::pmr::vector<Kept> kept_;
  uint32_t group_ = 0;  // query heads of a K/V head; 0: none seen
  // [layer][head]: rows [up to kQueriesKept][group], before RoPE
  std::pmr::vector<std::pmr::vector<float>> kept_queries_;
  std::pmr::vector<std::pmr::vector<uint64_t>> kept_positions_;  // of these queries
};

}  // namespace kvc
