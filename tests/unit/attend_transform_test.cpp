// The kernels for learned bases: every instruction set gives the bits of a plain reference.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "attend/tile.h"
#include "attend/transform.h"
#include "base/random.h"

namespace kvc {
namespace {

std::vector<float> numbers(size_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> out(n);
  for (float& x : out) x = static_cast<float>(random.unit() * 4 - 2);
  return out;
}

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(TransformTest, ProductsAreThoseOfAPlainLoopOnEveryTarget) {
  for (const size_t count : {size_t{1}, size_t{5}, size_t{64}}) {
    for (const size_t m : {size_t{1}, size_t{3}, size_t{64}, size_t{71}}) {
      for (const size_t n : {size_t{16}, size_t{48}, size_t{64}}) {
        const size_t a_stride = m + 3, b_stride = n + 16, out_stride = n + 32;
        const auto a = numbers(count * a_stride, 1), b = numbers(count * b_stride, 2), start = numbers(m, 3);
        for (const bool from_start : {false, true}) {
          std::vector<float> want(m * out_stride, 7.0f);
          for (size_t i = 0; i < m; ++i) {
            for (size_t j = 0; j < n; ++j) {
              float sum = from_start ? start[i] : 0.0f;
              for (size_t k = 0; k < count; ++k) {
                const float product = a[k * a_stride + i] * b[k * b_stride + j];
                sum += product;
              }
              want[i * out_stride + j] = sum;
            }
          }
          for (const Target target : targets()) {
            std::vector<float> got(want.size(), 7.0f);
            transform_kernels(target).add_products(a.data(), a_stride, b.data(), b_stride, count,
                                                   from_start ? start.data() : nullptr, m, n, got.data(), out_stride);
            EXPECT_TRUE(equal_bits(got, want)) << target_name(target) << " " << count << " " << m << " " << n;
          }
        }
      }
    }
  }
}

TEST(TransformTest, CodesOfAnyWidthAndNumberComeBackOnEveryTarget) {
  Random random(4);
  for (uint32_t width = 0; width <= 12; ++width) {
    for (const size_t count :
         {size_t{1}, size_t{7}, size_t{8}, size_t{9}, size_t{16}, size_t{37}, size_t{64}, size_t{200}}) {
      const size_t plane = (count + 7) / 8;
      // Exactly as long as the planes are: a byte read beyond them is seen by a sanitizer.
      std::vector<uint8_t> planes(width * plane);
      std::vector<float> want(count + 1, 9.0f);
      for (size_t i = 0; i < count; ++i) {
        const auto code = static_cast<uint32_t>(random.next()) & ((1u << width) - 1);
        for (uint32_t bit = 0; bit < width; ++bit) {
          planes[bit * plane + i / 8] |= static_cast<uint8_t>((code >> bit & 1) << (i % 8));
        }
        const float product = 0.37f * static_cast<float>(code);
        want[i] = width == 0 ? -1.25f : -1.25f + product;
      }
      for (const Target target : targets()) {
        std::vector<float> got(count + 1, 9.0f);
        transform_kernels(target).unpack(planes.data(), width, count, -1.25f, 0.37f, got.data());
        EXPECT_TRUE(equal_bits(got, want)) << target_name(target) << " " << width << " bits, " << count;
      }
    }
  }
}

TEST(TransformTest, PairsTurnByTheAngleAndTheirStepsOnEveryTarget) {
  constexpr size_t kN = 48;
  const double angle = 1234.5, step = 0.37;
  std::vector<float> cosines(kN), sines(kN);
  for (size_t t = 0; t < kN; ++t) {
    cosines[t] = static_cast<float>(std::cos(static_cast<double>(t) * step));
    sines[t] = static_cast<float>(std::sin(static_cast<double>(t) * step));
  }
  const auto x = numbers(kN, 5), y = numbers(kN, 6);
  std::vector<float> first_a, first_b;
  for (const Target target : targets()) {
    auto a = x, b = y;
    const auto c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
    transform_kernels(target).turn(c, s, cosines.data(), sines.data(), kN, a.data(), b.data());
    for (size_t t = 0; t < kN; ++t) {
      const double at = angle + static_cast<double>(t) * step;
      EXPECT_NEAR(static_cast<double>(a[t]),
                  static_cast<double>(x[t]) * std::cos(at) - static_cast<double>(y[t]) * std::sin(at), 1e-6);
      EXPECT_NEAR(static_cast<double>(b[t]),
                  static_cast<double>(x[t]) * std::sin(at) + static_cast<double>(y[t]) * std::cos(at), 1e-6);
    }
    if (first_a.empty()) first_a = a, first_b = b;
    EXPECT_TRUE(equal_bits(a, first_a) && equal_bits(b, first_b)) << target_name(target);
    // Back by the same turn with the pair the other way round.
    transform_kernels(target).turn(c, s, cosines.data(), sines.data(), kN, b.data(), a.data());
    for (size_t t = 0; t < kN; ++t) EXPECT_NEAR(a[t], x[t], 1e-5f) << target_name(target);
  }
}

}  // namespace
}  // namespace kvc
