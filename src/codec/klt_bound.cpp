// Bits by a bound on the attention output: what KltLearner does when it is given one.
//
// For each K/V head, real queries attend to the pages that were kept, exactly and over codes, and the cheapest pair of
// key and value bits that keeps all query heads within the bound is taken. Errors of keys and of values are independent
// of one another, so each is measured alone and their squares add up. Both halve with every bit, nearly: where they
// have not been measured they are taken from the nearest measurement, and what is chosen is measured.
#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "attend/convert.h"
#include "attend/tile.h"
#include "codec/klt_learner.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"

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
constexpr uint32_t kStepsPerBit = 4;
constexpr uint32_t kSteps = kStepsPerBit * KltCalibration::kMaxBits;  // mean bits of a head's keys, in quarters
constexpr uint32_t kLeastValueBits = 2;

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
    std::vector<float> coded = keys_, y(kTileTokens * k_dim_), column(kTileTokens);
    std::vector<std::byte> tile(coded_bytes(k_dim_, kTileTokens, size_t{k_dim_} * KltCalibration::kMaxBits));
    const float* mean = made_.mean.data() + head_ * k_dim_;
    const float* analysis = made_.analysis.data() + head_ * k_dim_ * k_dim_;
    const float* synthesis = made_.synthesis.data() + head_ * k_dim_ * k_dim_;
    const float* deviation = made_.deviation.data() + head_ * k_dim_;
    const RowsOf basis(analysis, k_dim_, k_dim_), back(synthesis, k_dim_, k_dim_);
    const Eigen::Map<const Eigen::RowVectorXf> centre(mean, k_dim_);
    for_each_tile([&](size_t first, uint32_t n, uint32_t exact) {
      Eigen::Map<Rows> columns(y.data(), k_dim_, n);
      const RowsOf rows(keys_.data() + first * k_dim_, n, k_dim_);
      columns.noalias() = basis.transpose() * (rows.rowwise() - centre).transpose();
      encode_groups(y.data(), k_dim_, n, exact, deviation, bits.data(), 0, 1.0f / 16, false, tile.data());
      GroupDecoder decoder(tile.data(), k_dim_, n, deviation, bits.data(), 0);
      for (uint32_t j = 0; j < k_dim_; ++j) {
        decoder.next(column.data());
        std::copy_n(column.data(), n, y.data() + size_t{j} * n);
      }
      Eigen::Map<Rows>(coded.data() + (first + exact) * k_dim_, n - exact, k_dim_) =
          (columns.rightCols(n - exact).transpose() * back).rowwise() + centre;
    });
    return worst(output(weights(turned(std::move(coded))), values_));
  }

  double value_error(uint32_t bits) const {
    std::vector<float> coded = values_, row(round_up(v_dim_, 8));
    std::vector<std::byte> tile(coded_bytes(kTileTokens, v_dim_, size_t{kTileTokens} * bits));
    for_each_tile([&](size_t first, uint32_t n, uint32_t exact) {
      float* rows = coded.data() + first * v_dim_;
      const std::vector<float> kept(rows, rows + size_t{exact} * v_dim_);
      std::fill_n(rows, size_t{exact} * v_dim_, 0.0f);
      for (uint32_t t = 0; t < n; ++t) hadamard_row(rows + size_t{t} * v_dim_, v_dim_);
      encode_groups(rows, n, v_dim_, 0, nullptr, nullptr, bits, 0, true, tile.data());
      GroupDecoder decoder(tile.data(), n, v_dim_, nullptr, nullptr, bits);
      for (uint32_t t = 0; t < n; ++t) {
        decoder.next(row.data());
        hadamard_row(row.data(), v_dim_);
        std::copy_n(row.data(), v_dim_, rows + size_t{t} * v_dim_);
      }
      std::copy(kept.begin(), kept.end(), rows);
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

// Errors by steps of a width, of which few are measured.
class Errors {
 public:
  Errors(uint32_t steps_per_bit, std::function<double(uint32_t)> measure)
      : steps_per_bit_(steps_per_bit), measure_(std::move(measure)) {}

  double measured(uint32_t step) {
    const auto [it, fresh] = known_.try_emplace(step, 0.0);
    if (fresh) it->second = measure_(step);
    return it->second;
  }
  // From the nearest measurement; there must be one.
  double guess(uint32_t step) const {
    auto nearest = known_.begin();
    const auto away = [step](uint32_t s) { return s > step ? s - step : step - s; };
    for (auto it = known_.begin(); it != known_.end(); ++it) {
      if (away(it->first) < away(nearest->first)) nearest = it;
    }
    const double bits = (static_cast<double>(nearest->first) - static_cast<double>(step)) / steps_per_bit_;
    return nearest->second * std::exp2(bits);
  }

 private:
  const double steps_per_bit_;
  const std::function<double(uint32_t)> measure_;
  std::map<uint32_t, double> known_;
};

void give_key_bits(std::span<const double> variance, uint32_t step, std::span<uint8_t> bits) {
  give_bits(variance, uint64_t{step} * variance.size() / kStepsPerBit, bits);
}

struct Pick {
  uint32_t key_step = 0, value_bits = 0;
  double error = 0;
};

// The cheapest pair whose error is within the limit; value_bits 0 and the least error: there is none.
Pick pick_bits(Errors* keys, Errors* values, double limit, uint32_t k_dim, uint32_t v_dim) {
  constexpr uint32_t kFirstBits = 6;
  constexpr int kTries = 8;
  keys->measured(kFirstBits * kStepsPerBit);
  values->measured(kFirstBits);
  Pick best;
  for (int i = 0; i < kTries; ++i) {
    Pick pick;
    uint64_t least = UINT64_MAX;
    for (uint32_t v = kLeastValueBits; v <= KltCalibration::kMaxBits; ++v) {
      for (uint32_t k = 1; k <= kSteps; ++k) {
        if (std::hypot(keys->guess(k), values->guess(v)) > limit) continue;
        const uint64_t cost = uint64_t{k} * k_dim + uint64_t{v} * kStepsPerBit * v_dim;
        if (cost < least) least = cost, pick.key_step = k, pick.value_bits = v;
        break;
      }
    }
    if (pick.value_bits == 0) break;
    const bool known = pick.key_step == best.key_step && pick.value_bits == best.value_bits;
    pick.error = std::hypot(keys->measured(pick.key_step), values->measured(pick.value_bits));
    if (pick.error <= limit) best = pick;
    if (known || (pick.error <= limit && i > 1)) break;
  }
  if (best.value_bits == 0) {
    best.error = std::hypot(keys->measured(kSteps), values->measured(KltCalibration::kMaxBits));
    if (best.error <= limit) best.key_step = kSteps, best.value_bits = KltCalibration::kMaxBits;
  }
  return best;
}

}  // namespace

Status KltLearner::fit_to_bound(KltCalibration* made, const std::vector<double>& variance, KltReport* report) const {
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
      const std::span<const double> own(variance.data() + at * k_dim, k_dim);
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
        give_key_bits(own, step, channel_bits);
        return kKeyMargin * trial.key_error(channel_bits);
      });
      Errors values_off(1, [&](uint32_t bits) { return kValueMargin * trial.value_error(bits); });
      const Pick pick = pick_bits(&keys_off, &values_off, target_.bound, g_.k_dim, g_.v_dim);
      if (pick.value_bits == 0) {
        return error(KVC_E_UNSUPPORTED,
                     "a relative error of %g of the attention output cannot be met in layer %u, head %u: %u bits reach "
                     "%.3g; pages stay in the clear",
                     target_.bound, layer, head, KltCalibration::kMaxBits, pick.error);
      }
      key_steps.push_back(pick.key_step);
      made->value_bits[at] = static_cast<uint8_t>(pick.value_bits);
      report->worst_error = std::max(report->worst_error, pick.error);
    }
  }
  const auto heads = static_cast<uint32_t>(key_steps.size());
  const uint32_t mean = std::accumulate(key_steps.begin(), key_steps.end(), heads / 2) / heads;
  for (size_t at = 0; at < heads; ++at) {
    give_key_bits({variance.data() + at * k_dim, k_dim}, std::max(key_steps[at] + kFewerSteps, mean) - kFewerSteps,
                  {made->key_bits.data() + at * k_dim, k_dim});
  }
  made->seal();
  EncodeOptions options;
  options.calibration = made;
  report->bits = static_cast<double>(find_codec("auto")->encoded_bytes(g_, options)) * 8 * element_bytes(g_.dtype) /
                 static_cast<double>(g_.page_bytes());
  return Status::ok();
}

}  // namespace kvc
