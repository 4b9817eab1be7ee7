// Low rank on the fake driver, with a cuBLAS of our own: eigenvectors against those of Eigen, projections against the
// best that there is, order by fences.
#include "low_rank.h"

#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>

#include "api.h"
#include "base/random.h"
#include "fake_rig.h"
#include "host_kernels.h"

extern "C" int fake_cublas_live();
extern "C" int fake_cublas_compute();
extern "C" void fake_cublas_fail(int code);

namespace kvc_cuda {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Rows with a spectrum that falls: as keys have it.
std::vector<float> falling_rows(uint32_t tokens, uint32_t dim, double fall, uint64_t seed) {
  kvc::Random random(seed);
  Matrix left(tokens, dim), right(dim, dim);
  for (auto* m : {&left, &right})
    for (Eigen::Index i = 0; i < m->size(); ++i) m->data()[i] = random.unit() + random.unit() + random.unit() - 1.5;
  const Matrix turn = Eigen::HouseholderQR<Matrix>(right).householderQ();
  for (uint32_t d = 0; d < dim; ++d) left.col(d) *= std::pow(fall, d);
  const Matrix rows = left * turn;
  std::vector<float> out(rows.size());
  for (Eigen::Index i = 0; i < rows.size(); ++i) out[static_cast<size_t>(i)] = static_cast<float>(rows.data()[i]);
  return out;
}

TEST(JacobiTest, FindsEigenvectorsAsEigenDoes) {
  for (const uint32_t dim : {1u, 2u, 5u, 16u, 33u, 64u, 128u}) {
    constexpr uint32_t kMatrices = 2;
    std::vector<float> gram, copy;
    for (uint32_t m = 0; m < kMatrices; ++m) {
      const std::vector<float> rows = falling_rows(200, dim, 0.93, dim * 7 + m);
      const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> x(rows.data(), 200,
                                                                                                      dim);
      const Matrix g = x.cast<double>().transpose() * x.cast<double>();
      for (Eigen::Index i = 0; i < g.size(); ++i) gram.push_back(static_cast<float>(g.data()[i]));
    }
    copy = gram;
    const uint32_t rank = std::max(1u, dim / 2);
    std::vector<float> vectors(gram.size()), basis(kMatrices * dim * rank), values(kMatrices * dim);
    JacobiArgs a;
    a.gram = gram.data(), a.vectors = vectors.data(), a.basis = reinterpret_cast<unsigned char*>(basis.data());
    a.values = values.data(), a.matrices = kMatrices, a.dim = dim, a.rank = rank;
    host_jacobi(a, jacobi_shape(a), 3);
    for (uint32_t m = 0; m < kMatrices; ++m) {
      Matrix g(dim, dim);
      for (Eigen::Index i = 0; i < g.size(); ++i) g.data()[i] = copy[m * dim * dim + static_cast<size_t>(i)];
      const Eigen::SelfAdjointEigenSolver<Matrix> truth(g);
      for (uint32_t i = 0; i < dim; ++i) {
        EXPECT_NEAR(values[m * dim + i], truth.eigenvalues()[dim - 1 - i],
                    truth.eigenvalues()[dim - 1] * 1e-6 * std::max(10u, dim))
            << dim;
      }
      // Orthonormal, and as much of the matrix as the best basis has.
      Matrix w(dim, rank);
      for (Eigen::Index i = 0; i < w.size(); ++i) w.data()[i] = basis[m * dim * rank + static_cast<size_t>(i)];
      EXPECT_LT((w.transpose() * w - Matrix::Identity(rank, rank)).cwiseAbs().maxCoeff(), 1e-6 * std::max(10u, dim))
          << dim;
      EXPECT_NEAR((w.transpose() * g * w).trace(), truth.eigenvalues().tail(rank).sum(),
                  truth.eigenvalues().sum() * 1e-6 * std::max(10u, dim));
    }
    // Threads in another order: the same bits.
    std::vector<float> again(basis.size());
    gram = copy;
    a.basis = reinterpret_cast<unsigned char*>(again.data());
    host_jacobi(a, jacobi_shape(a), 77);
    EXPECT_EQ(again, basis);
  }
}

class LowRankTest : public testing::Test {
 protected:
  void SetUp() override {
    LowRank::set_library(KVC_TEST_FAKE_CUBLAS);
    fake_cublas_fail(0);
    open(1);
  }
  void open(uint64_t seed) {
    FakeOptions fake;
    fake.seed = seed;
    fake_reset(&fake);
    kvc_cuda_options_t options{};
    options.struct_size = sizeof options;
    options.slots = 1, options.slot_bytes = 12 << 20;
    ASSERT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options, &cuda_, nullptr), KVC_OK);
    uint32_t slot;
    ASSERT_EQ(kvc_cuda_acquire(cuda_, 1, &slot), KVC_OK);
    ASSERT_EQ(kvc_cuda_address(cuda_, slot, &base_), KVC_OK);
    order_.struct_size = sizeof order_;
    order_.stream = fake_stream(0);
  }
  void TearDown() override {
    kvc_cuda_close(cuda_);
    LowRank::set_library(nullptr);
    EXPECT_EQ(fake_cublas_live(), 0);
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
  // Three matrices of rows with a gap between them.
  kvc_cuda_low_rank_t make(int32_t dtype, uint32_t dim, uint32_t rank, uint32_t tokens) {
    kvc_cuda_low_rank_t what{};
    what.struct_size = sizeof what;
    what.dtype = dtype, what.matrices = 3, what.dim = dim, what.rank = rank, what.tokens = tokens;
    const uint32_t size = bytes_of(static_cast<Number>(dtype));
    what.token_stride = dim * size, what.matrix_stride = (tokens + 5) * what.token_stride;
    uint64_t at = base_;
    const auto take = [&](uint64_t bytes) {
      const uint64_t from = at;
      at += (bytes + 255) / 256 * 256;
      return from;
    };
    what.rows = take(3 * what.matrix_stride);
    what.basis = reinterpret_cast<void*>(take(3 * dim * rank * size));
    what.coefficients = reinterpret_cast<void*>(take(3 * tokens * rank * size));
    what.values = reinterpret_cast<float*>(take(3 * dim * 4));
    uint64_t room = 0;
    EXPECT_EQ(kvc_cuda_low_rank_bytes(cuda_, &what, &room), KVC_OK);
    what.room = reinterpret_cast<void*>(take(room));
    EXPECT_LE(at, base_ + (12 << 20));
    rows_.clear();
    for (uint32_t m = 0; m < 3; ++m) {
      const std::vector<float> rows = falling_rows(tokens, dim, 0.8, m + dim);
      rows_.insert(rows_.end(), rows.begin(), rows.end());
      std::vector<unsigned char> bytes(rows.size() * size);
      for (size_t i = 0; i < rows.size(); ++i)
        store_number(static_cast<Number>(dtype), rows[i], bytes.data() + i * size);
      kvc_cuda_order_t order{};
      order.struct_size = sizeof order;
      EXPECT_EQ(kvc_cuda_upload(cuda_, what.rows + m * what.matrix_stride, bytes.data(), bytes.size(), &order), KVC_OK);
    }
    return what;
  }
  std::string words() {
    char text[512];
    kvc_cuda_last_error(cuda_, text, sizeof text);
    return text;
  }
  kvc_cuda_t* cuda_ = nullptr;
  uint64_t base_ = 0;
  kvc_cuda_order_t order_{};
  std::vector<float> rows_;
};

TEST_F(LowRankTest, RestoresAsMuchAsTheBestBasisHolds) {
  for (const int32_t dtype : {KVC_F32, KVC_F16, KVC_BF16}) {
    const uint32_t dim = 48, rank = 12, tokens = 100, size = bytes_of(static_cast<Number>(dtype));
    kvc_cuda_low_rank_t what = make(dtype, dim, rank, tokens);
    uint64_t fence = 0;
    ASSERT_EQ(kvc_cuda_low_rank_fit(cuda_, &what, &order_, &fence), KVC_OK) << words();
    ASSERT_EQ(kvc_cuda_low_rank_project(cuda_, &what, &order_, &fence), KVC_OK) << words();
    ASSERT_EQ(kvc_cuda_low_rank_restore(cuda_, &what, &order_, &fence), KVC_OK) << words();
    ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
    for (uint32_t m = 0; m < 3; ++m) {
      double lost = 0, all = 0;
      Matrix x(tokens, dim);
      for (uint32_t i = 0; i < tokens * dim; ++i) {
        const double was = rows_[m * tokens * dim + i];
        const double is = load_number(static_cast<Number>(dtype),
                                      reinterpret_cast<unsigned char*>(what.rows + m * what.matrix_stride) + i * size);
        x.data()[i] = was;
        lost += (was - is) * (was - is), all += was * was;
      }
      const Eigen::VectorXd values = Eigen::SelfAdjointEigenSolver<Matrix>(Matrix(x.transpose() * x)).eigenvalues();
      const double best = values.head(dim - rank).sum(), rounding = dtype == KVC_F32   ? 1e-10
                                                                    : dtype == KVC_F16 ? 2e-6
                                                                                       : 1e-4;
      EXPECT_LT(lost, best * 1.001 + all * rounding) << dtype;
      EXPECT_GT(lost, best * 0.99 - all * rounding) << "no basis of this rank holds more";
      EXPECT_NEAR(what.values[m * dim], values[dim - 1], values[dim - 1] * 1e-2);
    }
    if (dtype == KVC_F32) {
      EXPECT_EQ(fake_cublas_compute(), 68);
      what.tf32 = 1;
      ASSERT_EQ(kvc_cuda_low_rank_project(cuda_, &what, &order_, &fence), KVC_OK);
      EXPECT_EQ(fake_cublas_compute(), 77) << "TF32 where it was asked for";
      ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
    }
  }
}

TEST_F(LowRankTest, SaysThatThereIsNoCublasAndGoesOn) {
  const kvc_cuda_low_rank_t what = make(KVC_F32, 16, 4, 20);
  LowRank::set_library("libcublas_that_is_nowhere.so.1");
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &what, &order_, nullptr), KVC_E_UNSUPPORTED);
  EXPECT_NE(words().find("libcublas_that_is_nowhere.so.1"), std::string::npos) << words();
  LowRank::set_library("libm.so.6");
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &what, &order_, nullptr), KVC_E_UNSUPPORTED);
  LowRank::set_library(KVC_TEST_FAKE_CUBLAS);
  uint64_t fence = 0;
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &what, &order_, &fence), KVC_OK);
  EXPECT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
}

TEST_F(LowRankTest, FailuresOfCublasHaveTheirStatus) {
  const kvc_cuda_low_rank_t what = make(KVC_F32, 16, 4, 20);
  fake_cublas_fail(3);
  EXPECT_EQ(kvc_cuda_low_rank_project(cuda_, &what, &order_, nullptr), KVC_E_NO_MEMORY);
  fake_cublas_fail(15);
  EXPECT_EQ(kvc_cuda_low_rank_project(cuda_, &what, &order_, nullptr), KVC_E_UNSUPPORTED);
  fake_cublas_fail(0);
  kvc_cuda_low_rank_t bad = what;
  bad.rank = 17;
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &bad, &order_, nullptr), KVC_E_INVALID);
  bad = what, bad.dtype = KVC_CUDA_E4M3;
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &bad, &order_, nullptr), KVC_E_DTYPE);
  bad = what, bad.token_stride = 60;
  EXPECT_EQ(kvc_cuda_low_rank_fit(cuda_, &bad, &order_, nullptr), KVC_E_INVALID);
}

TEST_F(LowRankTest, FencesOrderItOnEveryStream) {
  for (uint64_t seed = 1; seed <= schedules() / 10; ++seed) {
    kvc_cuda_close(cuda_);
    open(seed);
    const kvc_cuda_low_rank_t what = make(KVC_F32, 8, 2, 6);
    uint64_t fence = 0;
    for (int i = 0; i < 3; ++i) {
      // Another stream each time; the fence of the call before is all that orders them.
      order_.stream = fake_stream(0);
      order_.wait = &fence, order_.n_wait = i > 0 ? 1 : 0;
      uint64_t next = 0;
      const auto call = i == 0 ? kvc_cuda_low_rank_fit : i == 1 ? kvc_cuda_low_rank_project : kvc_cuda_low_rank_restore;
      ASSERT_EQ(call(cuda_, &what, &order_, &next), KVC_OK) << words();
      fence = next;
    }
    ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
    order_.n_wait = 0;
    ASSERT_EQ(fake_races(), 0u) << seed << ": " << fake_first_race();
  }
}

}  // namespace
}  // namespace kvc_cuda
