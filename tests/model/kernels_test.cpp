// The kernels against plain double-precision arithmetic, and their rule: a column's result depends on that column
// alone.
#include "model/builtin/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "base/random.h"

namespace kvc::builtin {
namespace {

// 64-byte aligned floats.
class Buffer {
 public:
  explicit Buffer(size_t n)
      : size_(n), data_(static_cast<float*>(::operator new (n * sizeof(float), std::align_val_t{64}))) {
    std::fill_n(data_, n, 0.0f);
  }
  ~Buffer() { ::operator delete (data_, std::align_val_t{64}); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  float* data() { return data_; }
  float& operator[](size_t i) { return data_[i]; }
  size_t size() const { return size_; }
  void randomise(Random& random, double scale = 1) {
    for (size_t i = 0; i < size_; ++i) data_[i] = static_cast<float>((random.unit() * 2 - 1) * scale);
  }

 private:
  size_t size_;
  float* data_;
};

bool same_bits(const float* a, const float* b, size_t n) { return std::memcmp(a, b, n * sizeof(float)) == 0; }

struct Shape {
  uint32_t out, in;
};

class KernelsTest : public testing::TestWithParam<const Kernels* (*)()> {
 protected:
  void SetUp() override {
    kernels_ = GetParam()();
    if (kernels_ == nullptr) GTEST_SKIP() << "not on this machine";
  }
  const Kernels* kernels_ = nullptr;
  Random random_{7};
};

INSTANTIATE_TEST_SUITE_P(All, KernelsTest, testing::Values(&baseline_kernels, &avx2_kernels),
                         [](const auto& info) { return std::string(info.index == 0 ? "baseline" : "avx2"); });

TEST_P(KernelsTest, LinearGivesEachColumnTheSameWhateverItsNeighbours) {
  // Shapes of the built-in model, and some on the edges of the row blocks and of Eigen's blocking in the inner
  // dimension.
  const Shape shapes[] = {{256, 192}, {128, 192}, {192, 256}, {512, 192}, {192, 512},
                          {258, 192}, {48, 64},   {95, 288},  {97, 304},  {64, 1024}};
  constexpr uint32_t kWidest = 64;
  for (const Shape& shape : shapes) {
    std::vector<int8_t> data(size_t{shape.out} * shape.in);
    std::vector<float> scale(shape.out);
    for (int8_t& d : data) d = static_cast<int8_t>(random_.next() % 255 - 127);
    for (float& s : scale) s = static_cast<float>(random_.unit() * 0.01 + 0.001);
    const Matrix matrix{scale.data(), data.data(), shape.out, shape.in};
    Buffer x(size_t{kWidest} * shape.in), y(size_t{kWidest} * shape.out), scratch(size_t{kRowBlock} * shape.in);
    x.randomise(random_);
    kernels_->linear(matrix, x.data(), kWidest, y.data(), scratch.data());

    for (uint32_t c = 0; c < kWidest; c += 13) {
      for (uint32_t r = 0; r < shape.out; ++r) {
        double sum = 0, size = 0;
        for (uint32_t i = 0; i < shape.in; ++i) {
          const double product = double{scale[r]} * data[size_t{r} * shape.in + i] * x[size_t{c} * shape.in + i];
          sum += product;
          size += std::fabs(product);
        }
        ASSERT_NEAR(y[size_t{c} * shape.out + r], sum, size * 1e-5 + 1e-6)
            << shape.out << "x" << shape.in << " row " << r;
      }
    }
    for (uint32_t columns = kColumnStep; columns < kWidest; columns += kColumnStep) {
      for (uint32_t first = 0; first + columns <= kWidest; first += 3) {
        Buffer some(size_t{columns} * shape.in), out(size_t{columns} * shape.out);
        std::memcpy(some.data(), x.data() + size_t{first} * shape.in, some.size() * sizeof(float));
        kernels_->linear(matrix, some.data(), columns, out.data(), scratch.data());
        ASSERT_TRUE(same_bits(out.data(), y.data() + size_t{first} * shape.out, out.size()))
            << shape.out << "x" << shape.in << ", " << columns << " columns from " << first;
      }
    }
  }
}

TEST_P(KernelsTest, LinearDoesNotMixNeighboursIn) {
  // Beside infinities and NaN a column keeps its numbers.
  std::vector<int8_t> data(48 * 64, 3);
  std::vector<float> scale(48, 0.5f);
  const Matrix matrix{scale.data(), data.data(), 48, 64};
  Buffer x(8 * 64), y(8 * 48), z(8 * 48), scratch(kRowBlock * 64);
  x.randomise(random_);
  kernels_->linear(matrix, x.data(), 8, y.data(), scratch.data());
  for (int i = 0; i < 64; ++i) x[64 * 3 + i] = i % 2 ? INFINITY : NAN;
  kernels_->linear(matrix, x.data(), 8, z.data(), scratch.data());
  EXPECT_TRUE(same_bits(y.data(), z.data(), 3 * 48));
  EXPECT_TRUE(same_bits(y.data() + 4 * 48, z.data() + 4 * 48, 4 * 48));
}

TEST_P(KernelsTest, RmsNormIsThatOfEachColumn) {
  constexpr uint32_t kDim = 192, kColumns = 24;
  Buffer x(kDim * kColumns), weight(kDim), y(kDim * kColumns), one(kDim);
  x.randomise(random_, 3);
  weight.randomise(random_);
  kernels_->rms_norm(x.data(), weight.data(), kDim, kColumns, 1e-5f, y.data());
  for (uint32_t c = 0; c < kColumns; ++c) {
    double squares = 0;
    for (uint32_t i = 0; i < kDim; ++i) squares += double{x[c * kDim + i]} * x[c * kDim + i];
    const double factor = 1 / std::sqrt(squares / kDim + 1e-5);
    for (uint32_t i = 0; i < kDim; ++i) ASSERT_NEAR(y[c * kDim + i], x[c * kDim + i] * factor * weight[i], 1e-5);
    std::memcpy(one.data(), x.data() + c * kDim, kDim * sizeof(float));
    kernels_->rms_norm(one.data(), weight.data(), kDim, 1, 1e-5f, one.data());
    ASSERT_TRUE(same_bits(one.data(), y.data() + c * kDim, kDim));
  }
}

TEST_P(KernelsTest, SiluStaysFiniteFarOut) {
  Buffer gate(64), up(64);
  gate.randomise(random_, 8);
  up.randomise(random_);
  gate[0] = -500, gate[1] = 500, gate[2] = 0, gate[3] = -88.5f;
  const std::vector<float> g(gate.data(), gate.data() + 64);
  kernels_->silu_mul(gate.data(), up.data(), 64);
  for (int i = 0; i < 64; ++i) {
    ASSERT_NEAR(gate[i], g[i] / (1 + std::exp(-double{g[i]})) * up[i], 2e-5 * (1 + std::fabs(g[i]))) << g[i];
  }
}

struct Attention {
  explicit Attention(uint32_t columns)
      : query(columns * kHeadDim), out(columns * kHeadDim), max(columns), sum(columns), scores(columns * kBlock) {
    std::fill_n(max.data(), columns, kNoScore);
    q = {columns, query.data(), out.data(), max.data(), sum.data(), scores.data()};
  }
  Buffer query, out, max, sum, scores;
  Queries q;
};

TEST_P(KernelsTest, AttendIsSoftmaxOverWhatIsVisible) {
  constexpr uint32_t kColumns = 16, kBlocks = 3;
  Buffer k(kBlocks * kBlock * kHeadDim), v(k.size());
  k.randomise(random_, 0.7);
  v.randomise(random_);
  Attention a(kColumns);
  a.query.randomise(random_);
  uint32_t visible[kColumns];
  for (uint32_t c = 0; c < kColumns; ++c) visible[c] = c == 0 ? 1 : 4 * c + 1;
  for (uint32_t b = 0; b < kBlocks; ++b) {
    kernels_->attend(k.data() + b * kBlock * kHeadDim, v.data() + b * kBlock * kHeadDim,
                     b + 1 == kBlocks ? visible : nullptr, a.q);
  }
  for (uint32_t c = 0; c < kColumns; ++c) {
    const uint32_t positions = (kBlocks - 1) * kBlock + visible[c];
    double total = 0, out[kHeadDim] = {};
    for (uint32_t p = 0; p < positions; ++p) {
      double score = 0;
      for (uint32_t i = 0; i < kHeadDim; ++i) score += double{k[p * kHeadDim + i]} * a.query[c * kHeadDim + i];
      total += std::exp(score);
      for (uint32_t i = 0; i < kHeadDim; ++i) out[i] += std::exp(score) * v[p * kHeadDim + i];
    }
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      ASSERT_NEAR(a.out[c * kHeadDim + i] / a.sum[c], out[i] / total, 2e-5) << "column " << c;
    }
  }
}

TEST_P(KernelsTest, AttendGivesEachQueryTheSameWhateverItsNeighbours) {
  constexpr uint32_t kWidest = 128, kBlocks = 3;
  Buffer k(kBlocks * kBlock * kHeadDim), v(k.size());
  k.randomise(random_, 0.7);
  v.randomise(random_);
  uint32_t visible[kWidest];
  for (uint32_t c = 0; c < kWidest; ++c) visible[c] = c / 2 + 1;
  Attention all(kWidest);
  all.query.randomise(random_, 2);
  const auto run = [&](Attention& a, const uint32_t* seen) {
    for (uint32_t b = 0; b < kBlocks; ++b) {
      kernels_->attend(k.data() + b * kBlock * kHeadDim, v.data() + b * kBlock * kHeadDim,
                       b + 1 == kBlocks ? seen : nullptr, a.q);
    }
  };
  run(all, visible);
  for (uint32_t columns = kColumnStep; columns < kWidest; columns += kColumnStep) {
    for (uint32_t first = 0; first + columns <= kWidest; first += 7) {
      Attention some(columns);
      std::memcpy(some.query.data(), all.query.data() + first * kHeadDim, some.query.size() * sizeof(float));
      run(some, visible + first);
      ASSERT_TRUE(same_bits(some.out.data(), all.out.data() + first * kHeadDim, some.out.size()))
          << columns << " from " << first;
      ASSERT_TRUE(same_bits(some.sum.data(), all.sum.data() + first, columns)) << columns << " from " << first;
    }
  }
  // Positions that a query does not see may hold anything finite.
  Attention other(kWidest);
  std::memcpy(other.query.data(), all.query.data(), all.query.size() * sizeof(float));
  for (uint32_t p = 33; p < kBlock; ++p) {
    for (uint32_t i = 0; i < kHeadDim; ++i) {
      k[((kBlocks - 1) * kBlock + p) * kHeadDim + i] = 60000;
      v[((kBlocks - 1) * kBlock + p) * kHeadDim + i] = -60000;
    }
  }
  run(other, visible);
  EXPECT_TRUE(same_bits(other.out.data(), all.out.data(), 66 * kHeadDim));
  EXPECT_TRUE(same_bits(other.sum.data(), all.sum.data(), 66));
  EXPECT_FALSE(same_bits(other.out.data() + 66 * kHeadDim, all.out.data() + 66 * kHeadDim, kHeadDim));
}

}  // namespace
}  // namespace kvc::builtin
