// The check of a page under a bound, when it is encoded: real queries attend to it, exactly and over codes, and each
// K/V head gets the fewest bits with which it stays within the bound.
//
// What is promised. The bound is on the relative error of a query head's attention output over a whole sequence, in the
// 2-norm over queries. Queries that come later are not known. So each page is measured as if it were all that is
// attended to, with the queries that its session gave last and those that the space was learned from, moved to where
// later queries are: an error e of the page's own output, and an error r of its share against other pages (of the
// logarithm of the sum of its weights). The output of all pages is the mean of theirs by their shares; errors of
// different pages are independent, so their squares add up as the outputs' do, and sqrt(e^2 + r^2) within the bound in
// every page keeps it within the bound in all of them, for queries like those measured. Where the pages of a head were
// seen to cancel one another, the bound of a page is smaller by as much (KltCalibration::cancelling). Margins stand for
// queries unlike those measured; they are larger for a sequence's first page and for pages that repeat themselves, and
// largest where its session gave no queries (klt_check.cpp).
//
// A head that no codes serve is kept as it came (KltLevels::kRaw...).
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "codec/codec.h"
#include "codec/klt_calibration.h"

namespace kvc {

// The queries that came last, of all layers and heads, before RoPE. One thread at a time.
class RecentQueries {
 public:
  static constexpr uint32_t kKept = 24;  // for each head

  // Its memory comes from `resource`. Throws std::bad_alloc.
  RecentQueries(const PageGeometry& geometry, std::pmr::memory_resource* resource);
  // As KltLearner::add_query; queries whose number of heads is not the first one's are passed over.
  void add(uint32_t layer, const KeyRope& rope, uint64_t position, uint32_t heads, const float* rows);
  // Of one K/V head: rows [query][group][k_dim].
  std::span<const float> of(uint32_t layer, uint32_t head) const noexcept;
  uint32_t group() const noexcept { return group_; }

 private:
  size_t head_floats() const noexcept { return size_t{kKept} * group_ * g_.k_dim; }

  const PageGeometry g_;
  uint32_t group_ = 0;
  std::pmr::vector<float> rows_;       // [layer][head][kKept][group][k_dim]
  std::pmr::vector<uint32_t> counts_;  // [layer]: seen
};

struct PageCheck {
  KltLevels levels;
  double worst_error = 0;  // of the heads that are coded, margin included: what the bound was held against
  uint32_t raised = 0;     // heads with more bits than the calibration gives them
  uint32_t raw = 0;        // heads that are kept as they came
};

// page: in the clear. recent: nullptr, or of the session whose page it is. The calibration has an order and queries of its
// own. KVC_E_UNSUPPORTED: a number is not finite; the page must stay in the clear. Throws std::bad_alloc.
Status check_page(const KltCalibration& calibration, const PageGeometry& geometry, uint64_t position, uint32_t exact,
                  std::span<const std::byte> page, const RecentQueries* recent, double bound, PageCheck* out);

}  // namespace kvc
