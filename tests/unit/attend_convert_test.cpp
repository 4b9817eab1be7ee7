#include "attend/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"

namespace kvc {
namespace {

// The formats as IEEE 754 defines them, in wider arithmetic.
double value_of_f16(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 0x3ff;
  double value;
  if (exponent == 31) {
    value = fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    value = std::ldexp(fraction, -24);
  } else {
    value = std::ldexp(1024 + fraction, exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

// The nearest number with `digits` binary digits and no exponent below min_exponent, ties to even; beyond `overflow`:
// infinity.
double rounded(double value, int digits, int min_exponent, double overflow) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), min_exponent);
  const double quantum = std::ldexp(1.0, exponent - digits + 1);
  const double result = std::nearbyint(value / quantum) * quantum;
  return std::abs(result) >= overflow ? std::copysign(std::numeric_limits<double>::infinity(), value) : result;
}
double nearest_f16(float value) { return rounded(static_cast<double>(value), 11, -14, 65536.0); }
double nearest_bf16(float value) { return rounded(static_cast<double>(value), 8, -126, 0x1p128); }

std::vector<float> widened(DType from, const std::vector<uint16_t>& numbers) {
  std::vector<float> out(numbers.size());
  to_f32(from, numbers.data(), out.data(), numbers.size());
  return out;
}

std::vector<uint16_t> narrowed(DType to, const std::vector<float>& numbers) {
  std::vector<uint16_t> out(numbers.size());
  from_f32(to, numbers.data(), out.data(), numbers.size());
  return out;
}

std::vector<uint16_t> all_words() {
  std::vector<uint16_t> words(65536);
  for (size_t i = 0; i < words.size(); ++i) words[i] = static_cast<uint16_t>(i);
  return words;
}

bool is_nan16(DType dtype, uint16_t word) { return (word & 0x7fff) > (dtype == DType::f16 ? 0x7c00 : 0x7f80); }
uint16_t quiet16(DType dtype, uint16_t word) {
  return static_cast<uint16_t>(word | (dtype == DType::f16 ? 0x200 : 0x40));
}

// Numbers where rounding can go wrong: around every boundary between f16 (or bf16) numbers, and any bits at all.
std::vector<float> hard_numbers() {
  std::vector<float> numbers;
  const auto add = [&numbers](uint32_t bits) { numbers.push_back(std::bit_cast<float>(bits)); };
  for (uint32_t high = 0; high < 65536; ++high) {
    for (const uint32_t low : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
      add(high << 16 | low);  // bf16 boundaries
  }
  for (uint32_t half = 0; half < 0x7c00; ++half) {
    // The middle between an f16 number and the next, and the f32 numbers beside it.
    const double middle = (value_of_f16(static_cast<uint16_t>(half)) +
                           (half + 1 == 0x7c00 ? 65536.0 : value_of_f16(static_cast<uint16_t>(half + 1)))) /
                          2;
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(middle));
    for (const uint32_t sign : {0u, 0x80000000u}) {
      add(sign | (bits - 1));
      add(sign | bits);
      add(sign | (bits + 1));
    }
  }
  Random random(1);
  for (int i = 0; i < 200'000; ++i) add(static_cast<uint32_t>(random.next()));
  return numbers;
}

TEST(ConvertTest, EveryF16IsExactInF32) {
  const auto words = all_words();
  const auto numbers = widened(DType::f16, words);
  for (size_t i = 0; i < words.size(); ++i) {
    const double want = value_of_f16(words[i]);
    if (std::isnan(want)) {
      ASSERT_TRUE(std::isnan(numbers[i])) << i;
    } else {
      ASSERT_EQ(static_cast<double>(numbers[i]), want) << i;
    }
    ASSERT_EQ(std::signbit(numbers[i]), (i & 0x8000) != 0) << i;
  }
}

TEST(ConvertTest, EveryBf16IsExactInF32) {
  const auto words = all_words();
  const auto numbers = widened(DType::bf16, words);
  for (size_t i = 0; i < words.size(); ++i) ASSERT_EQ(std::bit_cast<uint32_t>(numbers[i]), i << 16);
}

class ConvertNarrowTest : public testing::TestWithParam<DType> {};

TEST_P(ConvertNarrowTest, EveryWordComesBack) {
  const auto words = all_words();
  const auto back = narrowed(GetParam(), widened(GetParam(), words));
  for (size_t i = 0; i < words.size(); ++i) {
    ASSERT_EQ(back[i], is_nan16(GetParam(), words[i]) ? quiet16(GetParam(), words[i]) : words[i]) << i;
  }
}

TEST_P(ConvertNarrowTest, RoundsToNearestEven) {
  const DType dtype = GetParam();
  const auto numbers = hard_numbers();
  const auto words = narrowed(dtype, numbers);
  const auto back = widened(dtype, words);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto bits = std::bit_cast<uint32_t>(numbers[i]);
    if (std::isnan(numbers[i])) {
      ASSERT_TRUE(is_nan16(dtype, words[i])) << std::hex << bits;
    } else {
      const double want = dtype == DType::f16 ? nearest_f16(numbers[i]) : nearest_bf16(numbers[i]);
      ASSERT_EQ(static_cast<double>(back[i]), want) << std::hex << bits;
    }
    ASSERT_EQ((words[i] & 0x8000) != 0, std::signbit(numbers[i])) << std::hex << bits;
  }
}

// One number at a time is the plain path, many at a time the vectors': bit for bit the same, NaNs included.
TEST_P(ConvertNarrowTest, VectorsEqualThePlainPath) {
  const DType dtype = GetParam();
  const auto numbers = hard_numbers();
  const auto words = narrowed(dtype, numbers);
  for (size_t i = 0; i < numbers.size(); ++i) {
    uint16_t one;
    from_f32(dtype, &numbers[i], &one, 1);
    ASSERT_EQ(words[i], one) << std::hex << std::bit_cast<uint32_t>(numbers[i]);
  }
  const auto all = all_words();
  const auto wide = widened(dtype, all);
  for (size_t i = 0; i < all.size(); ++i) {
    float one;
    to_f32(dtype, &all[i], &one, 1);
    ASSERT_EQ(std::bit_cast<uint32_t>(wide[i]), std::bit_cast<uint32_t>(one)) << i;
  }
}

TEST_P(ConvertNarrowTest, AnyLengthAndAlignment) {
  const DType dtype = GetParam();
  Random random(9);
  for (size_t n = 0; n < 70; ++n) {
    for (const size_t offset : {0, 1, 3}) {
      std::vector<float> numbers(offset + n);
      for (float& number : numbers) number = static_cast<float>(random.unit() * 100 - 50);
      std::vector<uint16_t> words(offset + n + 1, 0xabcd);
      from_f32(dtype, numbers.data() + offset, words.data() + offset, n);
      EXPECT_EQ(words[offset + n], 0xabcd) << "one number too many";
      std::vector<float> back(offset + n + 1, -1.0f);
      to_f32(dtype, words.data() + offset, back.data() + offset, n);
      EXPECT_EQ(back[offset + n], -1.0f) << "one number too many";
      for (size_t i = offset; i < offset + n; ++i) {
        ASSERT_EQ(static_cast<double>(back[i]),
                  dtype == DType::f16 ? nearest_f16(numbers[i]) : nearest_bf16(numbers[i]));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(DTypes, ConvertNarrowTest, testing::Values(DType::f16, DType::bf16),
                         [](const auto& test) { return std::string(dtype_name(test.param)); });

TEST(ConvertTest, F32IsCopied) {
  const std::vector<float> numbers = {1.5f, -0.0f, std::numeric_limits<float>::denorm_min(),
                                      std::bit_cast<float>(0x7fa00001u)};
  std::vector<float> out(4);
  to_f32(DType::f32, numbers.data(), out.data(), 4);
  EXPECT_EQ(std::memcmp(out.data(), numbers.data(), 16), 0);
  std::fill(out.begin(), out.end(), 0.0f);
  from_f32(DType::f32, numbers.data(), out.data(), 4);
  EXPECT_EQ(std::memcmp(out.data(), numbers.data(), 16), 0);
  to_f32(DType::f32, nullptr, nullptr, 0);
  from_f32(DType::f32, nullptr, nullptr, 0);
}

}  // namespace
}  // namespace kvc
