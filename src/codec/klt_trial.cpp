#include "codec/klt_trial.h"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <vector>

#include "attend/aligned.h"
#include "attend/tile.h"
#include "codec/klt_tile.h"
#include "codec/klt_transform.h"

namespace kvc {
namespace {

using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using RowsOf = Eigen::Map<const Rows>;

}  // namespace

bool recode_keys(const KltCalibration& c, size_t head, const uint8_t* bits, uint32_t n, uint32_t exact, float* rows) {
  const uint32_t dim = c.k_dim;
  const RowsOf basis(c.analysis.data() + head * dim * dim, dim, dim);
  const RowsOf back(c.synthesis.data() + head * dim * dim, dim, dim);
  const Eigen::Map<const Eigen::RowVectorXf> centre(c.mean.data() + head * dim, dim);
  const float* deviation = c.deviation.data() + head * dim;
  Eigen::Map<Rows> keys(rows, n, dim);
  Rows columns = basis.transpose() * (keys.rowwise() - centre).transpose();
  std::vector<std::byte> tile(coded_bytes(dim, n, size_t{dim} * KltCalibration::kMaxBits));
  if (!encode_groups(columns.data(), dim, n, exact, deviation, bits, 0, kFinestUnit, false, tile.data())) return false;
  GroupDecoder decoder(tile.data(), dim, n, deviation, bits, 0);
  float column[kTileTokens];
  for (uint32_t j = 0; j < dim; ++j) {
    decoder.next(column);
    std::copy_n(column, n, columns.data() + size_t{j} * n);
  }
  keys.bottomRows(n - exact) = (columns.rightCols(n - exact).transpose() * back).rowwise() + centre;
  return true;
}

bool recode_values(uint32_t v_dim, uint32_t bits, uint32_t n, uint32_t exact, float* rows) {
  std::vector<std::byte> tile(coded_bytes(n, v_dim, size_t{n} * bits));
  std::vector<float> row(v_dim);
  AlignedFloats room(round_up(v_dim, kUnitLanes));
  const std::vector<float> kept(rows, rows + size_t{exact} * v_dim);
  std::fill_n(rows, size_t{exact} * v_dim, 0.0f);
  for (uint32_t t = 0; t < n; ++t) hadamard_row(rows + size_t{t} * v_dim, v_dim, room.data());
  if (!encode_groups(rows, n, v_dim, 0, nullptr, nullptr, bits, 0, true, tile.data())) return false;
  GroupDecoder decoder(tile.data(), n, v_dim, nullptr, nullptr, bits);
  for (uint32_t t = 0; t < n; ++t) {
    decoder.next(row.data());
    hadamard_row(row.data(), v_dim, room.data());
    std::copy_n(row.data(), v_dim, rows + size_t{t} * v_dim);
  }
  std::copy(kept.begin(), kept.end(), rows);
  return true;
}

double Errors::measured(uint32_t step) {
  const auto [it, fresh] = known_.try_emplace(step, 0.0);
  if (fresh) it->second = measure_(step);
  return it->second;
}

double Errors::guess(uint32_t step) const {
  auto nearest = known_.begin();
  const auto away = [step](uint32_t s) { return s > step ? s - step : step - s; };
  for (auto it = known_.begin(); it != known_.end(); ++it) {
    if (away(it->first) < away(nearest->first)) nearest = it;
  }
  const double bits = (static_cast<double>(nearest->first) - static_cast<double>(step)) / steps_per_bit_;
  return nearest->second * std::exp2(bits);
}

Pick pick_bits(Errors* keys, Errors* values, double limit, const Pick& start, uint32_t k_dim, uint32_t v_dim) {
  constexpr int kTries = 8;
  keys->measured(start.key_step);
  values->measured(start.value_bits);
  Pick best;
  for (int i = 0; i < kTries; ++i) {
    Pick pick;
    uint64_t least = UINT64_MAX;
    for (uint32_t v = kLeastValueBits; v <= KltCalibration::kMaxBits; ++v) {
      const double value_error = values->guess(v);
      if (value_error > limit) continue;
      for (uint32_t k = 1; k <= kKeySteps; ++k) {
        const uint64_t cost = uint64_t{k} * k_dim + uint64_t{v} * kStepsPerBit * v_dim;
        if (cost >= least) break;
        if (std::hypot(keys->guess(k), value_error) > limit) continue;
        least = cost, pick.key_step = k, pick.value_bits = v;
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
    best.error = std::hypot(keys->measured(kKeySteps), values->measured(KltCalibration::kMaxBits));
    if (best.error <= limit) best.key_step = kKeySteps, best.value_bits = KltCalibration::kMaxBits;
  }
  return best;
}

}  // namespace kvc
