// The body of kernels_baseline.cpp and kernels_avx2.cpp. Before it is included: KVC_KERNELS, the name of the variant;
// and KVC_EIGEN, its name of Eigen's namespace, if it has one of its own.
//
// The same templates compiled for two instruction sets must not meet under one name, or the linker would keep either
// one for both. So a variant with instructions of its own renames Eigen's namespace (the baseline shares Eigen with the
// codecs), everything else is in a namespace of the variant's name, and the standard library's functions are not used.
#ifndef KVC_KERNELS
#error "define KVC_KERNELS first"
#endif

#ifdef KVC_EIGEN
#define Eigen KVC_EIGEN
#endif
#define EIGEN_DONT_PARALLELIZE  // no threads of its own
#define EIGEN_MPL2_ONLY
#define EIGEN_NO_DEBUG  // its assertions would abort the host program
#define EIGEN_NO_IO
#include <Eigen/Core>

#include "model/builtin/kernels.h"

namespace kvc::builtin::KVC_KERNELS {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;
using Floats = Eigen::Map<Eigen::Array<float, Eigen::Dynamic, 1>, Eigen::Aligned64>;
using ConstFloats = Eigen::Map<const Eigen::Array<float, Eigen::Dynamic, 1>, Eigen::Aligned64>;
using Row = Eigen::Map<Eigen::Array<float, kBlock, 1>, Eigen::Aligned64>;  // kHeadDim is as long

static_assert(kBlock == kHeadDim);

inline void linear(const Matrix& w, const float* x, uint32_t columns, float* y, float* scratch) {
  const Eigen::Map<const ColMajor> in(x, w.in, columns);
  for (uint32_t start = 0; start < w.out; start += kRowBlock) {
    // The last block is whole too, and computes some rows again: Eigen treats a short block's rows otherwise.
    const uint32_t first = start + kRowBlock <= w.out ? start : w.out - kRowBlock;
    for (uint32_t r = 0; r < kRowBlock; ++r) {
      const int8_t* from = w.data + size_t{first + r} * w.in;
      const float scale = w.scale[first + r];
      float* to = scratch + size_t{r} * w.in;
      for (uint32_t i = 0; i < w.in; ++i) to[i] = static_cast<float>(from[i]) * scale;
    }
    const Eigen::Map<const RowMajor> rows(scratch, kRowBlock, w.in);
    Eigen::Map<ColMajor, 0, Eigen::OuterStride<>> out(y + first, kRowBlock, columns, Eigen::OuterStride<>(w.out));
    out.noalias() = rows * in;
  }
}

inline void rms_norm(const float* x, const float* weight, uint32_t dim, uint32_t columns, float eps, float* y) {
  for (uint32_t c = 0; c < columns; ++c) {
    const ConstFloats in(x + size_t{c} * dim, dim);
    const float mean = in.square().sum() / static_cast<float>(dim);
    Floats(y + size_t{c} * dim, dim) = in * (1.0f / __builtin_sqrtf(mean + eps)) * ConstFloats(weight, dim);
  }
}

inline void silu_mul(float* gate, const float* up, size_t n) {
  const auto size = static_cast<Eigen::Index>(n);
  Floats g(gate, size);
  g = g / (1.0f + (-g).exp()) * ConstFloats(up, size);
}

inline void attend(const float* k, const float* v, const uint32_t* visible, const Queries& q) {
  const Eigen::Map<const RowMajor> keys(k, kBlock, kHeadDim);
  const Eigen::Map<const ColMajor> values(v, kHeadDim, kBlock);  // transposed: a column is a position
  const Eigen::Map<const ColMajor> query(q.query, kHeadDim, q.columns);
  Eigen::Map<ColMajor> scores(q.scores, kBlock, q.columns);
  Eigen::Map<ColMajor> out(q.out, kHeadDim, q.columns);

  scores.noalias() = keys * query;
  for (uint32_t c = 0; c < q.columns; ++c) {
    float* column = q.scores + size_t{c} * kBlock;
    const uint32_t seen = visible == nullptr ? kBlock : visible[c];
    // A hidden position counts as another copy of the first one for the maximum, and as nothing for the sum.
    for (uint32_t i = seen; i < kBlock; ++i) column[i] = column[0];
    Row score(column);
    const float block_max = score.maxCoeff();
    const float max = block_max > q.max[c] ? block_max : q.max[c];
    score = (score - max).exp();
    for (uint32_t i = seen; i < kBlock; ++i) column[i] = 0;
    if (max != q.max[c]) {
      const float shrink = __builtin_expf(q.max[c] - max);  // 0 at the first block
      Row(q.out + size_t{c} * kHeadDim) *= shrink;
      q.sum[c] *= shrink;
      q.max[c] = max;
    }
    q.sum[c] += score.sum();
  }
  out.noalias() += values * scores;
}

inline const Kernels* table(const char* name) {
  // Blocking then is the same on every machine. The pair of sizes is of a common core of today.
  static const bool sizes_set = (Eigen::setCpuCacheSizes(32 << 10, 512 << 10, 4 << 20), true);
  static const Kernels kernels{name, linear, rms_norm, silu_mul, attend};
  return sizes_set ? &kernels : nullptr;
}

}  // namespace kvc::builtin::KVC_KERNELS
