// Bits by a bound on the attention output: what KltLearner does when it is given one.
//
// For each head, real queries attend to the pages that were kept, exactly and over codes, and the cheapest pair of key
// and value bits that stays within the bound is taken. Errors of keys and of values are independent of one another, so
// each is measured alone and their squares add up.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "attend/convert.h"
#include "attend/tile.h"
#include "codec/klt_learner.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"

namespace kvc {
namespace {

// The bound is met by this share on the learned pages, so that it holds on pages and queries of other texts.
constexpr double kSafety = 0.7;
constexpr uint32_t kSteps = 4 * KltCalibration::kMaxBits;  // key bits are tried in quarters

// One head's keys, values and queries, and what its attention gives.
class HeadTrial {
 public:
  HeadTrial(const KltCalibration& made, size_t head, uint32_t page_tokens)
      : made_(made), head_(head), page_tokens_(page_tokens), k_dim_(made.k_dim), v_dim_(made.v_dim) {}

  // A page's keys (before RoPE) and values; the first `exact` tokens are not coded.
  void add(const float* keys, const float* values, uint32_t exact) {
    keys_.insert(keys_.end(), keys, keys + size_t{page_tokens_} * k_dim_);
    values_.insert(values_.end(), values, values + size_t{page_tokens_} * v_dim_);
    exact_.push_back(exact);
  }
  // Queries before RoPE, put right after the last token.
  void set_queries(std::span<const float> rows) {
    queries_.assign(rows.begin(), rows.end());
    const size_t n = queries_.size() / k_dim_;
    const float scale = 1.0f / std::sqrt(static_cast<float>(k_dim_));
    for (size_t q = 0; q < n; ++q) {
      rotate_keys(made_.rope, tokens(), /*inverse=*/false, queries_.data() + q * k_dim_, 1, k_dim_);
    }
    for (float& x : queries_) x *= scale;
    weights_ = weights(keys_);
    output_ = output(weights_, values_);
  }

  double key_error(std::span<const uint8_t> bits) const {
    std::vector<float> coded = keys_, y(kTileTokens * k_dim_), column(kTileTokens);
    std::vector<std::byte> tile(coded_bytes(k_dim_, kTileTokens, size_t{k_dim_} * KltCalibration::kMaxBits));
    const float* mean = made_.mean.data() + head_ * k_dim_;
    const float* analysis = made_.analysis.data() + head_ * k_dim_ * k_dim_;
    const float* synthesis = made_.synthesis.data() + head_ * k_dim_ * k_dim_;
    const float* deviation = made_.deviation.data() + head_ * k_dim_;
    for_each_tile([&](size_t first, uint32_t n, uint32_t exact) {
      std::vector<float> out(k_dim_);
      for (uint32_t t = 0; t < n; ++t) {
        const float* x = keys_.data() + (first + t) * k_dim_;
        std::fill(out.begin(), out.end(), 0.0f);
        for (uint32_t i = 0; i < k_dim_; ++i) {
          for (uint32_t j = 0; j < k_dim_; ++j) out[j] += (x[i] - mean[i]) * analysis[size_t{i} * k_dim_ + j];
        }
        for (uint32_t j = 0; j < k_dim_; ++j) y[size_t{j} * n + t] = out[j];
      }
      encode_groups(y.data(), k_dim_, n, exact, deviation, bits.data(), 0, 1.0f / 16, false, tile.data());
      GroupDecoder decoder(tile.data(), k_dim_, n, deviation, bits.data(), 0);
      for (uint32_t t = exact; t < n; ++t) std::copy_n(mean, k_dim_, coded.data() + (first + t) * k_dim_);
      for (uint32_t j = 0; j < k_dim_; ++j) {
        decoder.next(column.data());
        for (uint32_t t = exact; t < n; ++t) {
          float* row = coded.data() + (first + t) * k_dim_;
          for (uint32_t i = 0; i < k_dim_; ++i) row[i] += column[t] * synthesis[size_t{j} * k_dim_ + i];
        }
      }
    });
    return relative(output(weights(coded), values_));
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
    return relative(output(weights_, coded));
  }

 private:
  size_t tokens() const { return exact_.size() * page_tokens_; }

  template <typename F>
  void for_each_tile(F&& f) const {
    for (size_t page = 0; page < exact_.size(); ++page) {
      for (uint32_t t = 0; t < page_tokens_; t += kTileTokens) {
        const uint32_t n = std::min(kTileTokens, page_tokens_ - t);
        f(page * page_tokens_ + t, n, t == 0 ? std::min(exact_[page], n) : 0);
      }
    }
  }

  // Softmax of the queries' scores: [query][token].
  std::vector<float> weights(std::vector<float> keys) const {
    rotate_keys(made_.rope, 0, /*inverse=*/false, keys.data(), tokens(), k_dim_);
    const size_t n = queries_.size() / k_dim_;
    std::vector<float> w(n * tokens());
    for (size_t q = 0; q < n; ++q) {
      float* row = w.data() + q * tokens();
      float largest = -INFINITY, sum = 0;
      for (size_t t = 0; t < tokens(); ++t) {
        float score = 0;
        for (uint32_t i = 0; i < k_dim_; ++i) score += queries_[q * k_dim_ + i] * keys[t * k_dim_ + i];
        row[t] = score;
        largest = std::max(largest, score);
      }
      for (size_t t = 0; t < tokens(); ++t) sum += row[t] = std::exp(row[t] - largest);
      for (size_t t = 0; t < tokens(); ++t) row[t] /= sum;
    }
    return w;
  }
  std::vector<float> output(const std::vector<float>& w, const std::vector<float>& values) const {
    const size_t n = queries_.size() / k_dim_;
    std::vector<float> out(n * v_dim_);
    for (size_t q = 0; q < n; ++q) {
      for (size_t t = 0; t < tokens(); ++t) {
        const float weight = w[q * tokens() + t];
        for (uint32_t i = 0; i < v_dim_; ++i) out[q * v_dim_ + i] += weight * values[t * v_dim_ + i];
      }
    }
    return out;
  }
  double relative(const std::vector<float>& got) const {
    double error = 0, energy = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      const double d = double{got[i]} - double{output_[i]};
      error += d * d;
      energy += double{output_[i]} * double{output_[i]};
    }
    return energy > 0 ? std::sqrt(error / energy) : 0;
  }

  const KltCalibration& made_;
  const size_t head_;
  const uint32_t page_tokens_, k_dim_, v_dim_;
  std::vector<float> keys_, values_, queries_, weights_, output_;
  std::vector<uint32_t> exact_;
};

}  // namespace

Status KltLearner::fit_to_bound(KltCalibration* made, const std::vector<double>& variance, KltReport* report) const {
  const size_t k_dim = g_.k_dim;
  std::vector<float> keys(size_t{g_.page_tokens} * g_.k_dim), values(size_t{g_.page_tokens} * g_.v_dim);
  for (uint32_t layer = 0; layer < g_.n_layers; ++layer) {
    for (uint32_t head = 0; head < g_.n_kv_heads; ++head) {
      const size_t at = head_index(layer, head);
      const std::span<const double> own(variance.data() + at * k_dim, k_dim);
      HeadTrial trial(*made, at, g_.page_tokens);
      for (const Kept& kept : kept_) {
        to_f32(g_.dtype, kept.page.data() + g_.head_offset(layer, KVC_KEY, head),
               keys.data(), keys.size());
        to_f32(g_.dtype, kept.page.data() + g_.head_offset(layer, KVC_VALUE, head),
               values.data(), values.size());
        rotate_keys(rope_, kept.position, /*inverse=*/true, keys.data(), g_.page_tokens, k_dim);
        trial.add(keys.data(), values.data(), kept.exact);
      }
      trial.set_queries(kept_queries_[at]);

      const std::span<uint8_t> channel_bits(made->key_bits.data() + at * k_dim, k_dim);
      std::array<std::optional<double>, kSteps + 1> key_errors;
      const auto key_error = [&](uint32_t step) {
        if (!key_errors[step]) {
          give_bits(own, step * k_dim * KltCalibration::kMaxBits / kSteps, channel_bits);
          key_errors[step] = trial.key_error(channel_bits);
        }
        return *key_errors[step];
      };
      const double limit = kSafety * target_.bound;
      uint32_t best_key = 0, best_value = 0;
      double best = 0, met = 0, nearest = INFINITY;
      for (uint32_t v = KltCalibration::kMaxBits; v >= 2; --v) {
        const double value_error = trial.value_error(v);
        nearest =
            std::min(nearest, std::hypot(value_error, v == KltCalibration::kMaxBits ? key_error(kSteps) : value_error));
        if (value_error >= limit) break;
        // The fewest key bits that leave the bound whole, by bisection.
        uint32_t low = 0, high = kSteps;
        if (std::hypot(key_error(high), value_error) > limit) continue;
        while (high - low > 1) {
          const uint32_t middle = (low + high) / 2;
          (std::hypot(key_error(middle), value_error) <= limit ? high : low) = middle;
        }
        const double cost = static_cast<double>(high) * KltCalibration::kMaxBits / kSteps * g_.k_dim +
                            static_cast<double>(v) * g_.v_dim;
        if (best_value != 0 && cost >= best) continue;
        best = cost;
        best_key = high;
        best_value = v;
        met = std::hypot(key_error(high), value_error);
      }
      if (best_value == 0) {
        return error(KVC_E_UNSUPPORTED,
                     "a relative error of %g of the attention output cannot be met in layer %u, head %u: 8 bits reach "
                     "%.3g; pages stay in the clear",
                     target_.bound, layer, head, nearest);
      }
      give_bits(own, best_key * k_dim * KltCalibration::kMaxBits / kSteps, channel_bits);
      made->value_bits[at] = static_cast<uint8_t>(best_value);
      report->worst_error = std::max(report->worst_error, met);
    }
  }
  made->seal();
  EncodeOptions options;
  options.calibration = made;
  report->bits = static_cast<double>(find_codec("auto")->encoded_bytes(g_, options)) * 8 * element_bytes(g_.dtype) /
                 static_cast<double>(g_.page_bytes());
  return Status::ok();
}

}  // namespace kvc
