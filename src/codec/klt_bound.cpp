// Bits by a bound on the attention output: what KltLearner does when it is given one.
//
// For each K/V head, real queries attend to the pages that were kept, exactly and over codes, and the cheapest pair of
// key and value bits that keeps all query heads within the bound is taken. Errors of keys and of values are independent
// of one another, so each is measured alone and their squares add up. Both halve with every bit, nearly: where they
// have not been measured they are taken from the nearest measurement, and what is chosen is measured.
#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "attend/convert.h"
#include "attend/tile.h"
#include "codec/klt_learner.h"
#include "codec/klt_transform.h"
#include "codec/klt_trial.h"

namespace kvc {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowsOf = Eigen::Map<const Rows>;

// Errors count as so much larger than they are on what was learned from, so that the bound holds on other texts. Those
// of values hardly depend on the text; those of keys do, by the directions that its queries look along.
constexpr double kKeyMargin = 2.1, kValueMargin = 1.2;
// A head that seems to need far fewer bits for its keys than others do was lucky in what was seen: so many steps below
// the mean of all heads is the least.
constexpr uint32_t kFewerSteps = 2;
constexpr Eigen::Index kParts = 3;  // of the queries

// One head's keys, values and queries, and what its attention gives.
class HeadTrial {
 public:
  HeadTrial(const KltCalibration& made, size_t head, uint32_t page_tokens, uint32_t group)
      : made_(made), head_(head), page_tokens_(page_tokens), group_(group), k_dim_(made.k_dim), v_dim_(made.v_dim) {}

  // A page's keys (before RoPE) and values; the first `exact` tokens are not coded.
  void add(const float* keys, const float* values, uint32_t exact) {
    keys_.insert(keys_.end(), keys, keys + size_t{page_tokens_} * k_dim_);
    values_.insert(values_.end(), values, values + size_t{page_tokens_} * v_dim_);
    exact_.push_back(exact);
  }
  // Queries [query][group] before RoPE, and the position of each: it sees no later tokens.
  void set_queries(std::span<const float> rows, std::span<const uint64_t> positions) {
    const auto k_dim = static_cast<Eigen::Index>(k_dim_);
    queries_ = RowsOf(rows.data(), static_cast<Eigen::Index>(rows.size()) / k_dim, k_dim) /
               std::sqrt(static_cast<float>(k_dim_));
    for (const uint64_t position : positions) seen_.push_back(std::min(position, tokens() - 1) + 1);
    for (Eigen::Index q = 0; q < queries_.rows(); ++q) {
      const uint64_t position = seen_[static_cast<size_t>(q) / group_] - 1;
      rotate_keys(made_.rope, position, /*inverse=*/false, queries_.row(q).data(), 1, k_dim_);
    }
    weights_ = weights(turned(keys_));
    output_ = output(weights_, values_);
  }

  double key_error(std::span<const uint8_t> bits) const {
    std::vector<float> coded = keys_;
    for_each_tile([&](size_t first, uint32_t n, uint32_t exact) {
      recode_keys(made_, head_, bits.data(), n, exact, coded.data() + first * k_dim_);
    });
    return worst(output(weights(turned(std::move(coded))), values_));
  }

  // KltCalibration::cancelling: of the worst query head.
  double cancelling() const {
    const Eigen::Index group = group_, page = page_tokens_;
    Eigen::VectorXd pages = Eigen::VectorXd::Zero(weights_.rows());
    for (Eigen::Index first = 0; first < weights_.cols(); first += page) {
      const RowsOf values(values_.data() + first * static_cast<Eigen::Index>(v_dim_), page, v_dim_);
      const Rows part = weights_.middleCols(first, page) * values;
      pages += part.rowwise().squaredNorm().cast<double>();
    }
    double most = 0;
    for (Eigen::Index member = 0; member < group; ++member) {
      double sum = 0, energy = 0;
      for (Eigen::Index q = member; q < weights_.rows(); q += group) {
        sum += pages(q);
        energy += static_cast<double>(output_.row(q).squaredNorm());
      }
      if (energy > 0) most = std::max(most, std::sqrt(sum / energy));
    }
    return most;
  }

  double value_error(uint32_t bits) const {
    std::vector<float> coded = values_;
    for_each_tile([&](size_t first, uint32_t n, uint32_t exact) {
      recode_values(v_dim_, bits, n, exact, coded.data() + first * v_dim_);
    });
    return worst(output(weights_, coded));
  }

 private:
  template <typename F>
  void for_each_tile(F&& f) const {
    for (size_t page = 0; page < exact_.size(); ++page) {
      for (uint32_t t = 0; t < page_tokens_; t += kTileTokens) {
        const uint32_t n = std::min(kTileTokens, page_tokens_ - t);
        f(page * page_tokens_ + t, n, t == 0 ? std::min(exact_[page], n) : 0);
      }
    }
  }

  size_t tokens() const { return exact_.size() * page_tokens_; }
  // Keys after RoPE.
  std::vector<float> turned(std::vector<float> keys) const {
    rotate_keys(made_.rope, 0, /*inverse=*/false, keys.data(), tokens(), k_dim_);
    return keys;
  }
  // Softmax of the queries' scores: [query][token].
  Rows weights(const std::vector<float>& keys) const {
    Rows w = queries_ * RowsOf(keys.data(), static_cast<Eigen::Index>(tokens()), k_dim_).transpose();
    for (Eigen::Index q = 0; q < w.rows(); ++q) {
      const auto seen = static_cast<Eigen::Index>(seen_[static_cast<size_t>(q) / group_]);
      auto row = w.row(q).head(seen);
      row = (row.array() - row.maxCoeff()).exp();
      row /= row.sum();
      w.row(q).tail(w.cols() - seen).setZero();
    }
    return w;
  }
  Rows output(const Rows& w, const std::vector<float>& values) const {
    return w * RowsOf(values.data(), static_cast<Eigen::Index>(tokens()), v_dim_);
  }
  // The relative error of the worst query head. Queries count in parts: of a head whose error varies much from one
  // query to the next, those of another text may all be like the worst of these.
  double worst(const Rows& got) const {
    double most = 0;
    const Rows off = got - output_;
    const Eigen::Index group = group_, queries = off.rows() / group, part = (queries + kParts - 1) / kParts;
    for (Eigen::Index member = 0; member < group; ++member) {
      for (Eigen::Index first = 0; first < queries; first += part) {
        double error = 0, energy = 0;
        for (Eigen::Index q = first; q < std::min(first + part, queries); ++q) {
          error += static_cast<double>(off.row(q * group + member).squaredNorm());
          energy += static_cast<double>(output_.row(q * group + member).squaredNorm());
        }
        if (energy > 0) most = std::max(most, std::sqrt(error / energy));
      }
    }
    return most;
  }

  const KltCalibration& made_;
  const size_t head_;
  const uint32_t page_tokens_, group_, k_dim_, v_dim_;
  std::vector<float> keys_, values_;
  Rows queries_;              // after RoPE, scaled
  std::vector<size_t> seen_;  // tokens that a query sees
  Rows weights_, output_;
  std::vector<uint32_t> exact_;
};

}  // namespace

Status KltLearner::fit_to_bound(KltCalibration* made, KltReport* report) const {
  constexpr Pick kStart = {6 * kStepsPerBit, 6, 0};
  if (kept_.empty() || group_ == 0) {
    return error(KVC_E_UNSUPPORTED, "a bound on the attention output needs pages and queries; there are %zu and %s",
                 kept_.size(), group_ == 0 ? "none" : "some");
  }
  const size_t k_dim = g_.k_dim;
  std::vector<float> keys(size_t{g_.page_tokens} * g_.k_dim), values(size_t{g_.page_tokens} * g_.v_dim);
  std::vector<uint32_t> key_steps;  // [layer][head]
  for (uint32_t layer = 0; layer < g_.n_layers; ++layer) {
    for (uint32_t head = 0; head < g_.n_kv_heads; ++head) {
      const size_t at = head_index(layer, head);
      HeadTrial trial(*made, at, g_.page_tokens, group_);
      for (const Kept& kept : kept_) {
        to_f32(g_.dtype, kept.page.data() + g_.head_offset(layer, KVC_KEY, head), keys.data(), keys.size());
        to_f32(g_.dtype, kept.page.data() + g_.head_offset(layer, KVC_VALUE, head), values.data(), values.size());
        rotate_keys(rope_, kept.position, /*inverse=*/true, keys.data(), g_.page_tokens, k_dim);
        trial.add(keys.data(), values.data(), kept.exact);
      }
      trial.set_queries(kept_queries_[at], kept_positions_[at]);

      const std::span<uint8_t> channel_bits(made->key_bits.data() + at * k_dim, k_dim);
      Errors keys_off(kStepsPerBit, [&](uint32_t step) {
        made->widths(at, steps_of(step, g_.k_dim), channel_bits.data());
        return kKeyMargin * trial.key_error(channel_bits);
      });
      Errors values_off(1, [&](uint32_t bits) { return kValueMargin * trial.value_error(bits); });
      const Pick pick = pick_bits(&keys_off, &values_off, target_.bound, kStart, g_.k_dim, g_.v_dim);
      if (pick.value_bits == 0) {
        return error(KVC_E_UNSUPPORTED,
                     "a relative error of %g of the attention output cannot be met in layer %u, head %u: %u bits reach "
                     "%.3g; pages stay in the clear",
                     target_.bound, layer, head, KltCalibration::kMaxBits, pick.error);
      }
      key_steps.push_back(pick.key_step);
      made->cancelling.push_back(static_cast<float>(trial.cancelling()));
      made->value_bits[at] = static_cast<uint8_t>(pick.value_bits);
      report->worst_error = std::max(report->worst_error, pick.error);
    }
  }
  const auto heads = static_cast<uint32_t>(key_steps.size());
  const uint32_t mean = std::accumulate(key_steps.begin(), key_steps.end(), heads / 2) / heads;
  for (size_t at = 0; at < heads; ++at) {
    made->widths(at, steps_of(std::max(key_steps[at] + kFewerSteps, mean) - kFewerSteps, g_.k_dim),
                 made->key_bits.data() + at * k_dim);
  }
  made->seal();
  EncodeOptions options;
  options.calibration = made;
  report->bits = static_cast<double>(find_codec("auto")->encoded_bytes(g_, options)) * 8 * element_bytes(g_.dtype) /
                 static_cast<double>(g_.page_bytes());
  return Status::ok();
}

}  // namespace kvc
