#include "codec/klt_check.h"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>

#include "attend/convert.h"
#include "attend/tile.h"
#include "codec/klt_transform.h"
#include "codec/klt_trial.h"

namespace kvc {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowsOf = Eigen::Map<const Rows>;

// Errors count as so much larger than they are: of queries of the session, of those that the space was learned from, and of
// these where there are no others.
constexpr double kMargin = 1.42, kMarginLearned = 1.0, kMarginAlone = 2.2;
// More for the first page: all later queries look at it, most of them longer than at others, and it is sealed when its
// session has given the fewest.
constexpr double kMarginFirst = 1.5;

// Values count at least this share of their own rows' error: what the mean over many tokens takes away is there only
// for queries that look at many.
constexpr double kRowsShare = 1 / 1.6;
// And more where nearly all rows of a head have a twin in the page, as in texts that say the same few words again and
// again: twins err alike, and queries that come later single them out by their phase, which those measured are moved
// out of. From the first share of rows on, in full from the second. Natural texts, tables and programs included, stay
// below 0.7 but for the lowest layers.
constexpr double kMarginRepeated = 1.5, kRepeatedFrom = 0.7, kRepeatedFull = 0.9;
// Twins are closer to one another than two rows are in the mean: their squared distance, relatively.
constexpr float kTwins = 0.02f;

constexpr double kLeastCancelling = 0.85;
constexpr double kMostCancelling = 4;

// Where queries are put behind the page: near ones and far ones.
uint64_t distance_of(size_t query) { return 1 + query * 37 % 1009; }

// By the positions of a page's tokens, and of where the queries are put: the same for all heads of all layers.
struct PageTurns {
  KeyTurns tokens, queries;
};

// One head of the page, the queries that attend to it, and what they get.
class Trial {
 public:
  Trial(const KltCalibration& calibration, const PageTurns& turns, size_t head, uint32_t tokens, uint32_t exact)
      : c_(calibration), turns_(turns), head_(head), tokens_(tokens), exact_(exact) {}

  // Rows after RoPE.
  void set_page(const float* keys, const float* values) {
    turned_ = RowsOf(keys, tokens_, c_.k_dim);
    values_ = RowsOf(values, tokens_, c_.v_dim);
    keys_ = turned_;
    for (uint32_t t = 0; t < tokens_; ++t) turns_.tokens.turn(c_.rope, t, /*inverse=*/true, keys_.row(t).data());
  }
  // Queries before RoPE, [query][group][k_dim]; each call is measured by itself.
  void add_queries(std::span<const float> rows, uint32_t group, double margin) {
    const auto dim = static_cast<Eigen::Index>(c_.k_dim);
    Source source;
    source.group = group;
    source.margin = margin;
    source.queries = RowsOf(rows.data(), static_cast<Eigen::Index>(rows.size()) / dim, dim);
    source.queries /= std::sqrt(static_cast<float>(dim));
    for (Eigen::Index q = 0; q < source.queries.rows(); ++q) {
      turns_.queries.turn(c_.rope, static_cast<size_t>(q) / group, /*inverse=*/false, source.queries.row(q).data());
    }
    source.weights.noalias() = source.queries * turned_.transpose();
    source.top = source.weights.rowwise().maxCoeff();
    source.weights = (source.weights.colwise() - source.top).array().exp();
    source.sum = source.weights.rowwise().sum();
    source.weights.array().colwise() /= source.sum.array();
    source.output.noalias() = source.weights * values_;
    sources_.push_back(std::move(source));
  }

  // How many of the rows have a twin in the same tile, by their values.
  double repeated() const {
    Eigen::Index twins = 0;
    for (uint32_t t = 0; t < tokens_; t += kTileTokens) {
      const Eigen::Index n = std::min(kTileTokens, tokens_ - t);
      const Rows centred = values_.middleRows(t, n).rowwise() - values_.middleRows(t, n).colwise().mean();
      const Eigen::VectorXf energy = centred.rowwise().squaredNorm();
      const float near = kTwins * 2 * energy.mean();
      const Rows products = centred * centred.transpose();
      for (Eigen::Index i = 0; i < n; ++i) {
        Eigen::Index j = 0;
        while (j < n && (j == i || energy(i) + energy(j) - 2 * products(i, j) > near)) ++j;
        twins += j < n;
      }
    }
    return static_cast<double>(twins) / tokens_;
  }

  double key_error(const uint8_t* bits) const {
    Rows coded = keys_;
    for (uint32_t t = 0; t < tokens_; t += kTileTokens) {
      const uint32_t n = std::min(kTileTokens, tokens_ - t);
      recode_keys(c_, head_, bits, n, t == 0 ? std::min(exact_, n) : 0, coded.data() + size_t{t} * c_.k_dim);
    }
    for (uint32_t t = 0; t < tokens_; ++t) turns_.tokens.turn(c_.rope, t, /*inverse=*/false, coded.row(t).data());
    double most = 0;
    Rows weights, off;
    for (const Source& s : sources_) {
      weights.noalias() = s.queries * coded.transpose();
      weights = (weights.colwise() - s.top).array().exp();
      const Eigen::VectorXf sum = weights.rowwise().sum();
      weights.array().colwise() /= sum.array();
      off.noalias() = weights * values_;
      off -= s.output;
      const Eigen::VectorXf share = sum.array() / s.sum.array() - 1;
      most = std::max(most, s.margin * worst(s, off, &share));
    }
    return most;
  }
  double value_error(uint32_t bits) const {
    Rows coded = values_;
    for (uint32_t t = 0; t < tokens_; t += kTileTokens) {
      const uint32_t n = std::min(kTileTokens, tokens_ - t);
      recode_values(c_.v_dim, bits, n, t == 0 ? std::min(exact_, n) : 0, coded.data() + size_t{t} * c_.v_dim);
    }
    coded -= values_;
    const auto energy = static_cast<double>(values_.bottomRows(tokens_ - exact_).squaredNorm());
    double most = energy > 0 ? kRowsShare * std::sqrt(static_cast<double>(coded.squaredNorm()) / energy) : 0;
    Rows off;
    for (const Source& s : sources_) {
      off.noalias() = s.weights * coded;
      most = std::max(most, s.margin * worst(s, off, nullptr));
    }
    return most;
  }

 private:
  struct Source {
    uint32_t group = 1;
    double margin = 1;
    Rows queries, weights, output;  // scaled and after RoPE; softmax; what they get
    Eigen::VectorXf top, sum;
  };

  // Of the worst query head. share: by how much the page's share is off, relatively.
  static double worst(const Source& s, const Rows& off, const Eigen::VectorXf* share) {
    double most = 0;
    for (uint32_t member = 0; member < s.group; ++member) {
      double error = 0, energy = 0;
      for (Eigen::Index q = member; q < off.rows(); q += s.group) {
        const auto own = static_cast<double>(s.output.row(q).squaredNorm());
        const auto r = share != nullptr ? static_cast<double>((*share)(q)) : 0;
        error += static_cast<double>(off.row(q).squaredNorm()) + r * r * own;
        energy += own;
      }
      if (!std::isfinite(error)) return HUGE_VAL;
      if (energy > 0) most = std::max(most, std::sqrt(error / energy));
    }
    return most;
  }

  const KltCalibration& c_;
  const PageTurns& turns_;
  const size_t head_;
  const uint32_t tokens_;
  const uint32_t exact_;
  Rows keys_, turned_, values_;  // keys before and after RoPE
  std::vector<Source> sources_;
};

double margin_of_repeated(double share) {
  const double most = std::clamp((share - kRepeatedFrom) / (kRepeatedFull - kRepeatedFrom), 0.0, 1.0);
  return 1 + (kMarginRepeated - 1) * most;
}

bool all_finite(const std::vector<float>& numbers) {
  float sum = 0;
  for (const float x : numbers) sum += x * 0.0f;  // infinities and NaN turn this into a NaN
  return sum == 0.0f;
}

}  // namespace

RecentQueries::RecentQueries(const PageGeometry& geometry, std::pmr::memory_resource* resource)
    : g_(geometry), rows_(resource), counts_(geometry.n_layers, 0, resource) {}

void RecentQueries::add(uint32_t layer, const KeyRope& rope, uint64_t position, uint32_t heads, const float* rows) {
  const uint32_t group = heads / g_.n_kv_heads;
  if (group_ == 0) {
    rows_.resize(size_t{g_.n_layers} * g_.n_kv_heads * kKept * group * g_.k_dim);
    group_ = group;
  }
  const size_t own = size_t{group} * g_.k_dim;
  const auto fits = [](float x) { return std::abs(x) < 1e15f; };
  if (group != group_ || !std::all_of(rows, rows + own * g_.n_kv_heads, fits)) return;
  const uint32_t slot = counts_[layer]++ % kKept;
  for (uint32_t head = 0; head < g_.n_kv_heads; ++head) {
    float* to = rows_.data() + (size_t{layer} * g_.n_kv_heads + head) * head_floats() + slot * own;
    std::copy_n(rows + head * own, own, to);
    for (uint32_t member = 0; member < group; ++member) {
      rotate_keys(rope, position, /*inverse=*/true, to + size_t{member} * g_.k_dim, 1, g_.k_dim);
    }
  }
}

std::span<const float> RecentQueries::of(uint32_t layer, uint32_t head) const noexcept {
  const size_t kept = std::min(counts_[layer], kKept);
  return {rows_.data() + (size_t{layer} * g_.n_kv_heads + head) * head_floats(), kept * group_ * g_.k_dim};
}

Status check_page(const KltCalibration& c, const PageGeometry& g, uint64_t position, uint32_t exact,
                  std::span<const std::byte> page, const RecentQueries* recent, double bound, PageCheck* out) {
  *out = {};
  const size_t heads = size_t{g.n_layers} * g.n_kv_heads;
  if (!c.fits(g) || c.block_heads != 1 || c.order.empty() || c.query_group == 0) {
    return error(KVC_E_INTERNAL, "auto: a calibration that cannot check pages");
  }
  out->levels.key_steps.resize(heads);
  out->levels.value_bits.resize(heads);
  const size_t learned = c.queries.size() / heads;
  std::vector<float> keys(size_t{g.page_tokens} * g.k_dim), values(size_t{g.page_tokens} * g.v_dim), rows(learned);
  std::vector<uint8_t> widths(g.k_dim);
  PageTurns turns;
  for (uint32_t t = 0; t < g.page_tokens; ++t) turns.tokens.add(c.rope, position + t);
  const size_t queries = std::max<size_t>(learned / (size_t{c.query_group} * g.k_dim) + 1, RecentQueries::kKept);
  for (size_t q = 0; q < queries; ++q) turns.queries.add(c.rope, position + g.page_tokens + distance_of(q));
  for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
    for (uint32_t head = 0; head < g.n_kv_heads; ++head) {
      const size_t at = size_t{layer} * g.n_kv_heads + head;
      to_f32(g.dtype, page.data() + g.head_offset(layer, KVC_KEY, head), keys.data(), keys.size());
      to_f32(g.dtype, page.data() + g.head_offset(layer, KVC_VALUE, head), values.data(), values.size());
      if (!all_finite(keys) || !all_finite(values)) {
        return error(KVC_E_UNSUPPORTED, "auto: layer %u, head %u has a number that is not finite: the page stays in the clear",
                     layer, head);
      }
      Trial trial(c, turns, at, g.page_tokens, exact);
      trial.set_page(keys.data(), values.data());
      to_f32(DType::f16, reinterpret_cast<const std::byte*>(c.queries.data() + at * learned), rows.data(), learned);
      const std::span<const float> own = recent != nullptr ? recent->of(layer, head) : std::span<const float>();
      trial.add_queries(rows, c.query_group, own.empty() ? kMarginAlone : kMarginLearned);
      if (!own.empty()) trial.add_queries(own, recent->group(), kMargin);

      Errors key_errors(kStepsPerBit, [&](uint32_t step) {
        c.widths(at, steps_of(step, g.k_dim), widths.data());
        return trial.key_error(widths.data());
      });
      Errors value_errors(1, [&](uint32_t bits) { return trial.value_error(bits); });
      const Pick start = {std::clamp(c.block_bits[at] * kStepsPerBit / g.k_dim, 1u, kKeySteps), c.value_bits[at], 0};
      const double weight = std::clamp(static_cast<double>(c.cancelling[at]), kLeastCancelling, kMostCancelling) *
                            (position == 0 ? kMarginFirst : 1) * margin_of_repeated(trial.repeated());
      const Pick pick = pick_bits(&key_errors, &value_errors, bound / weight, start, g.k_dim, g.v_dim);
      if (pick.value_bits == 0) {
        out->levels.key_steps[at] = KltLevels::kRawKeys;
        out->levels.value_bits[at] = KltLevels::kRawValues;
        ++out->raw;
        continue;
      }
      const uint32_t steps = steps_of(pick.key_step, g.k_dim);
      out->levels.key_steps[at] = static_cast<uint16_t>(steps);
      out->levels.value_bits[at] = static_cast<uint8_t>(pick.value_bits);
      out->raised += steps > c.block_bits[at] || pick.value_bits > c.value_bits[at];
      out->worst_error = std::max(out->worst_error, pick.error * weight);
    }
  }
  return Status::ok();
}

}  // namespace kvc
