#include "codec/klt_learner.h"

#include <Eigen/Cholesky>

#include <algorithm>
#include <cmath>
#include <queue>

#include "attend/convert.h"
#include "codec/eigenbasis.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"

namespace kvc {
namespace {

// Mean squared error of a Gaussian number of variance 1 in so many bits (Max 1960): what another bit is worth.
constexpr double kDistortion[] = {1,       .3634,    .1188,   .03744, .01154, .00349, .00104,
                                  .000304, .0000879, .000025, 7.2e-6, 2.1e-6, 6e-7};
static_assert(std::size(kDistortion) == KltCalibration::kMaxBits + 1);
// Queries of few texts do not see every direction: each counts at least this share of the mean one; more where a bound
// is to hold for queries of other texts.
constexpr double kLeastWeight = 1e-2, kLeastWeightBound = 0.2;

// The mean over distances of R W R^T, R the rotation by a distance: a query meets a key that lies so far behind it as
// if it were turned itself. Distances: all small ones, then every few.
Matrix average_over_distances(const Matrix& w, const KeyRope& rope) {
  const size_t pairs = rope.frequency.size();
  if (pairs == 0) return w;
  Matrix sum = Matrix::Zero(w.rows(), w.cols());
  int n = 0;
  for (int distance = 0; distance < 1024; distance += distance < 32 ? 1 : 31, ++n) {
    Matrix r = Matrix::Identity(w.rows(), w.cols());
    for (size_t i = 0; i < pairs; ++i) {
      const auto a = static_cast<Eigen::Index>(rope.first(i)), b = static_cast<Eigen::Index>(rope.second(i));
      const double c = std::cos(distance * rope.frequency[i]), s = std::sin(distance * rope.frequency[i]);
      r(a, a) = r(b, b) = c;
      r(a, b) = -s;
      r(b, a) = s;
    }
    sum += r * w * r.transpose();
  }
  return sum / n;
}

struct Step {
  double gain;  // per bit
  size_t channel;
  bool operator<(const Step& other) const { return gain < other.gain; }
};

}  // namespace

std::vector<uint16_t> order_of_bits(std::span<const double> variance) {
  std::vector<uint8_t> bits(variance.size());
  std::vector<uint16_t> order;
  order.reserve(variance.size() * KltCalibration::kMaxBits);
  // Few channels: looking through all of them each time decides ties in one way, the first one's.
  const auto gain = [&](size_t c) {
    return bits[c] == KltCalibration::kMaxBits ? -1.0 : variance[c] * (kDistortion[bits[c]] - kDistortion[bits[c] + 1]);
  };
  std::vector<double> gains(variance.size());
  for (size_t c = 0; c < gains.size(); ++c) gains[c] = gain(c);
  while (order.size() < variance.size() * KltCalibration::kMaxBits) {
    const auto c = static_cast<size_t>(std::max_element(gains.begin(), gains.end()) - gains.begin());
    ++bits[c];
    gains[c] = gain(c);
    order.push_back(static_cast<uint16_t>(c));
  }
  return order;
}

void give_bits(std::span<const double> variance, uint64_t budget, std::span<uint8_t> bits) {
  std::fill(bits.begin(), bits.end(), uint8_t{0});
  std::priority_queue<Step> steps;
  const auto push = [&](size_t c) {
    const uint8_t b = bits[c];
    if (b < KltCalibration::kMaxBits) steps.push({variance[c] * (kDistortion[b] - kDistortion[b + 1]), c});
  };
  for (size_t c = 0; c < variance.size(); ++c) push(c);
  for (; budget > 0 && !steps.empty(); --budget) {
    const size_t c = steps.top().channel;
    steps.pop();
    ++bits[c];
    push(c);
  }
}

KltLearner::KltLearner(const PageGeometry& geometry, KeyRope rope, const KltTarget& target, uint32_t tokens_wanted,
                       std::pmr::memory_resource* resource)
    : g_(geometry),
      rope_(std::move(rope)),
      target_(target),
      tokens_wanted_(tokens_wanted),
      resource_(resource),
      sum_(resource),
      product_(resource),
      query_(resource),
      queries_(resource),
      kept_(resource),
      kept_queries_(resource),
      kept_positions_(resource) {
  const size_t heads = size_t{g_.n_layers} * g_.n_kv_heads, dim = g_.k_dim;
  sum_.resize(heads * dim);
  product_.resize(heads * dim * dim);
  query_.resize(heads * dim * dim);
  queries_.resize(heads);
  kept_queries_.resize(heads);
  kept_positions_.resize(heads);
}

void KltLearner::add_page(uint64_t position, uint32_t exact, std::span<const std::byte> page) {
  std::lock_guard lock(mutex_);
  const uint32_t dim = g_.k_dim, n = g_.page_tokens;
  exact = std::min(exact, n);
  std::vector<float> rows(size_t{n} * std::max(dim, g_.v_dim));
  const auto all_finite = [&](int plane) {
    for (uint32_t layer = 0; layer < g_.n_layers; ++layer) {
      for (uint32_t head = 0; head < g_.n_kv_heads; ++head) {
        const size_t count = size_t{n} * g_.dim(plane);
        to_f32(g_.dtype, page.data() + g_.head_offset(layer, plane, head), rows.data(), count);
        if (!std::all_of(rows.begin(), rows.begin() + static_cast<ptrdiff_t>(count),
                         [](float x) { return std::abs(x) < 1e15f; })) {
          return false;
        }
      }
    }
    return true;
  };
  if (!all_finite(KVC_KEY) || !all_finite(KVC_VALUE)) return;
  Matrix product(dim, dim);
  for (uint32_t layer = 0; layer < g_.n_layers; ++layer) {
    for (uint32_t head = 0; head < g_.n_kv_heads; ++head) {
      to_f32(g_.dtype, page.data() + g_.head_offset(layer, KVC_KEY, head), rows.data(),
             size_t{n} * dim);
      rotate_keys(rope_, position, /*inverse=*/true, rows.data(), n, dim);
      const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> keys(
          rows.data() + size_t{exact} * dim, n - exact, dim);
      const Matrix wide = keys.cast<double>();
      product.noalias() = wide.transpose() * wide;
      const size_t at = head_index(layer, head);
      for (size_t i = 0; i < size_t{dim} * dim; ++i) product_[at * dim * dim + i] += product.data()[i];
      for (uint32_t i = 0; i < dim; ++i) sum_[at * dim + i] += wide.col(i).sum();
    }
  }
  tokens_ += n - exact;
  if (target_.bound > 0) {
    // The first ones: real queries meet what they would meet, also the first tokens, which draw much attention.
    if (kept_.size() < std::clamp<size_t>(kBytesKept / g_.page_bytes(), 3, kPagesKept)) {
      kept_.push_back({position, exact, std::pmr::vector<std::byte>(page.begin(), page.end(), resource_)});
    }
  }
}

void KltLearner::add_query(uint32_t layer, uint64_t position, uint32_t heads, const float* rows) {
  std::lock_guard lock(mutex_);
  const uint32_t dim = g_.k_dim, group = heads / g_.n_kv_heads;
  if (group_ == 0) group_ = group;
  std::vector<float> own(size_t{group} * dim);
  for (uint32_t head = 0; head < g_.n_kv_heads && group > 0; ++head) {
    const float* from = rows + size_t{head} * own.size();
    if (!std::all_of(from, from + own.size(), [](float x) { return std::abs(x) < 1e15f; })) continue;
    std::copy_n(from, own.size(), own.data());
    const size_t at = head_index(layer, head);
    double* product = query_.data() + at * dim * dim;
    for (uint32_t member = 0; member < group; ++member) {
      float* row = own.data() + size_t{member} * dim;
      rotate_keys(rope_, position, /*inverse=*/true, row, 1, dim);
      for (uint32_t i = 0; i < dim; ++i) {
        for (uint32_t j = 0; j < dim; ++j) product[size_t{i} * dim + j] += double{row[i]} * double{row[j]};
      }
    }
    queries_[at] += group;
    if (target_.bound <= 0 || group != group_) continue;
    auto& kept = kept_queries_[at];
    if (kept.size() < kQueriesKept * own.size()) {
      kept.insert(kept.end(), own.begin(), own.end());
      kept_positions_[at].push_back(position);
    } else if (const uint64_t slot = below(queries_[at] / group); slot < kQueriesKept) {
      std::copy(own.begin(), own.end(), kept.begin() + static_cast<ptrdiff_t>(slot * own.size()));
      kept_positions_[at][slot] = position;
    }
  }
}

bool KltLearner::ready() const {
  std::lock_guard lock(mutex_);
  if (tokens_ < tokens_wanted_) return false;
  return target_.bound <= 0 || std::all_of(kept_queries_.begin(), kept_queries_.end(), [this](const auto& kept) {
           return group_ > 0 && kept.size() == size_t{kQueriesKept} * group_ * g_.k_dim;
         });
}

Status KltLearner::make(std::shared_ptr<const KltCalibration>* out, KltReport* report) const {
  std::lock_guard lock(mutex_);
  const uint32_t dim = g_.k_dim;
  const size_t heads = size_t{g_.n_layers} * g_.n_kv_heads, square = size_t{dim} * dim;
  auto made = std::make_shared<KltCalibration>();
  made->n_layers = g_.n_layers;
  made->n_kv_heads = g_.n_kv_heads;
  made->k_dim = g_.k_dim;
  made->v_dim = g_.v_dim;
  made->rope = rope_;
  made->mean.resize(heads * dim);
  made->analysis.resize(heads * square);
  made->synthesis.resize(heads * square);
  made->deviation.resize(heads * dim);
  made->key_bits.resize(heads * dim);
  made->value_bits.resize(heads);
  std::vector<double> variance(heads * dim);
  *report = {};
  report->queries = *std::min_element(queries_.begin(), queries_.end());
  const double n = static_cast<double>(std::max<uint64_t>(tokens_, 1));
  for (size_t at = 0; at < heads; ++at) {
    const Eigen::Map<const Eigen::VectorXd> sum(sum_.data() + at * dim, dim);
    const Eigen::VectorXd mean = sum / n;
    Matrix covariance = Eigen::Map<const Matrix>(product_.data() + at * square, dim, dim) / n;
    covariance.noalias() -= mean * mean.transpose();
    Matrix weight = Matrix::Identity(dim, dim);
    if (queries_[at] > 0) {
      weight =
          average_over_distances(Eigen::Map<const Matrix>(query_.data() + at * square, dim, dim) / queries_[at], rope_);
      const double share = target_.bound > 0 ? kLeastWeightBound : kLeastWeight;
      const double least = std::max(share * weight.trace() / dim, 1e-20);
      weight.diagonal().array() += least;
    }
    const Matrix root = Eigen::LLT<Matrix>(weight).matrixL();
    Eigenbasis basis;
    if (!find_eigenbasis(root.transpose() * covariance * root, &basis)) {
      return error(KVC_E_UNSUPPORTED, "the keys of head %zu have no basis: their moments are not finite", at);
    }
    const Matrix& vectors = basis.vectors;
    const Eigen::VectorXd& values = basis.values;
    const double least = std::max(values(0) * 1e-8, 1e-16);
    const Matrix analysis = root * vectors;
    const Matrix inverse = root.triangularView<Eigen::Lower>().solve(Matrix::Identity(dim, dim));
    const Matrix synthesis = vectors.transpose() * inverse;
    for (uint32_t i = 0; i < dim; ++i) {
      made->mean[at * dim + i] = static_cast<float>(mean(i));
      variance[at * dim + i] = std::max(values(i), least);
      made->deviation[at * dim + i] = static_cast<float>(std::sqrt(variance[at * dim + i]));
      for (uint32_t j = 0; j < dim; ++j) {
        made->analysis[at * square + size_t{i} * dim + j] = static_cast<float>(analysis(i, j));
        made->synthesis[at * square + size_t{i} * dim + j] = static_cast<float>(synthesis(i, j));
      }
    }
  }
  made->order.reserve(heads * dim * KltCalibration::kMaxBits);
  for (size_t at = 0; at < heads; ++at) {
    const std::vector<uint16_t> order = order_of_bits({variance.data() + at * dim, dim});
    made->order.insert(made->order.end(), order.begin(), order.end());
  }
  if (target_.bound > 0) {
    KVC_RETURN_IF_ERROR(fit_to_bound(made.get(), report));
    keep_queries(made.get());
  } else {
    if (target_.rest > 0) KVC_RETURN_IF_ERROR(fit_rest(made.get(), variance));
    KVC_RETURN_IF_ERROR(fit_to_bits(target_.bits, made.get(), variance, report));
  }
  made->seal();
  *out = std::move(made);
  return Status::ok();
}

// An even sample of what was kept.
void KltLearner::keep_queries(KltCalibration* made) const {
  const size_t row = size_t{group_} * g_.k_dim;
  std::vector<float> rows(kQueriesStored * row);
  std::vector<uint16_t> halves(rows.size());
  constexpr float kMost = 65504;  // of f16
  for (const auto& kept : kept_queries_) {
    const size_t there = kept.size() / row;
    for (size_t i = 0; i < kQueriesStored; ++i) {
      std::copy_n(kept.begin() + static_cast<ptrdiff_t>(i * there / kQueriesStored * row), row,
                  rows.begin() + static_cast<ptrdiff_t>(i * row));
    }
    for (float& x : rows) x = std::clamp(x, -kMost, kMost);
    from_f32(DType::f16, rows.data(), reinterpret_cast<std::byte*>(halves.data()), rows.size());
    made->queries.insert(made->queries.end(), halves.begin(), halves.end());
  }
  made->query_group = group_;
}

// What pages at rest get: the bits of target.rest, along the same order.
Status KltLearner::fit_rest(KltCalibration* made, const std::vector<double>& variance) const {
  KltReport report;
  KVC_RETURN_IF_ERROR(fit_to_bits(target_.rest, made, variance, &report));
  for (const uint32_t bits : made->block_bits) made->rest.key_steps.push_back(static_cast<uint16_t>(bits));
  made->rest.value_bits = made->value_bits;
  return Status::ok();
}

Status KltLearner::fit_to_bits(double bits, KltCalibration* made, const std::vector<double>& variance,
                               KltReport* report) const {
  const size_t heads = size_t{g_.n_layers} * g_.n_kv_heads;
  const size_t numbers = g_.page_bytes() / element_bytes(g_.dtype);
  // A value's error goes to the output as it is, a key's through the softmax: values get what is nearest to the mean.
  const double value_overhead = 16.0 / g_.v_dim;
  const auto value_bits = static_cast<uint32_t>(
      std::clamp(std::floor(bits - value_overhead + 0.5), 1.0, double{KltCalibration::kMaxBits}));
  // One bit more or less for values where that leaves keys within what they can use.
  for (uint32_t b = value_bits; b >= 1; --b) {
    std::fill(made->value_bits.begin(), made->value_bits.end(), static_cast<uint8_t>(b));
    std::fill(made->key_bits.begin(), made->key_bits.end(), uint8_t{0});
    made->seal();
    EncodeOptions options;
    options.calibration = made;
    const auto bare = static_cast<double>(find_codec("klt")->encoded_bytes(g_, options));
    const double room = bits / 8 * static_cast<double>(numbers) - bare;
    // A bit for a channel takes a plane in each tile.
    size_t plane = 0;
    for (uint32_t t = 0; t < g_.page_tokens; t += kTileTokens) {
      plane += plane_bytes(std::min(kTileTokens, g_.page_tokens - t));
    }
    const double budget = room / static_cast<double>(plane);
    if (budget < 0.5 * static_cast<double>(heads * g_.k_dim) && b > 1) continue;
    if (budget < 0) break;
    give_bits(variance, static_cast<uint64_t>(budget), made->key_bits);
    made->seal();
    // Where channels are alike, those that their order says.
    for (size_t at = 0; at < heads; ++at) {
      made->widths(at, made->block_bits[at], made->key_bits.data() + at * g_.k_dim);
    }
    report->bits =
        static_cast<double>(find_codec("klt")->encoded_bytes(g_, options)) * 8 / static_cast<double>(numbers);
    return Status::ok();
  }
  return error(KVC_E_UNSUPPORTED, "%.2f bits per number are too few for pages of %u tokens and %u and %u channels",
               bits, g_.page_tokens, g_.k_dim, g_.v_dim);
}

}  // namespace kvc
