// The arithmetic of the built-in model. Compiled twice, for any processor and for AVX2 with FMA; chosen at run time.
//
// The rule that everything here keeps: what a column gets depends on that column alone, bit for bit - not on how many
// other columns are computed beside it, nor on which. A column is one token (or, in attention, one query). So a token's
// K, V and logits are the same however a prompt is cut into chunks and whatever else is in the batch, and K/V found in
// the cache is exactly what would have been computed. The means:
//   - products are Eigen's blocked GEMM, never its matrix-vector or small-product paths: columns come in steps of
//     kColumnStep, rows in blocks of a fixed number, and Eigen's cache sizes are set, not asked of the machine;
//   - attention takes positions in blocks of kBlock that begin at multiples of kBlock, always whole and in order;
//   - -ffp-contract=off: the compiler may not fuse in a vector loop what it does not fuse in its remainder.
// tests/model/kernels_test.cpp holds all this.
//
// Pointers to float: 64-byte aligned; dimensions are multiples of 16.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvc::builtin {

inline constexpr uint32_t kHeadDim = 64;
inline constexpr uint32_t kBlock = 64;      // positions of a block of attention: one page
inline constexpr uint32_t kColumnStep = 4;  // numbers of columns are multiples of this
inline constexpr uint32_t kRowBlock = 48;   // rows of a matrix that are dequantised at a time; no matrix has fewer

constexpr uint32_t padded(uint32_t columns) { return (columns + kColumnStep - 1) / kColumnStep * kColumnStep; }

// An int8 matrix [out][in] with a scale per row.
struct Matrix {
  const float* scale = nullptr;
  const int8_t* data = nullptr;
  uint32_t out = 0;
  uint32_t in = 0;
};

// The queries that one K/V head answers, while they walk over the blocks of positions (online softmax: Milakov and
// Gimelshein 2018): softmax numerators relative to the largest score so far.
struct Queries {
  uint32_t columns = 0;     // multiple of kColumnStep
  float* query = nullptr;   // [column][kHeadDim], already scaled
  float* out = nullptr;     // [column][kHeadDim]: sum of numerator * V; 0 at the start
  float* max = nullptr;     // [column]: largest score; kNoScore at the start
  float* sum = nullptr;     // [column]: sum of numerators; 0 at the start
  float* scores = nullptr;  // [column][kBlock]: scratch
};
inline constexpr float kNoScore = -1e30f;

struct Kernels {
  const char* name;
  // y[column][out] = W x[column][in]. scratch: kRowBlock * in floats. y needs no alignment.
  void (*linear)(const Matrix& w, const float* x, uint32_t columns, float* y, float* scratch);
  // y[column][i] = x[column][i] / sqrt(mean of squares of the column + eps) * weight[i]
  void (*rms_norm)(const float* x, const float* weight, uint32_t dim, uint32_t columns, float eps, float* y);
  // gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i]
  void (*silu_mul)(float* gate, const float* up, size_t n);
  // Takes the queries over one block. k, v: [kBlock][kHeadDim], finite. visible: positions of the block that each
  // column sees, at least one; nullptr: all.
  void (*attend)(const float* k, const float* v, const uint32_t* visible, const Queries& queries);
};

const Kernels* baseline_kernels() noexcept;
const Kernels* avx2_kernels() noexcept;  // nullptr: not in this build, or not on this machine
const Kernels* best_kernels() noexcept;

}  // namespace kvc::builtin
