// Plain tensors in fewer bytes: their error is stated and kept, their form survives, what does not gain stays as it is.
#include <cmath>
#include <limits>
#include <numeric>

#include "persist_support.h"

namespace kvc_test {
namespace {

using Shape = std::vector<int64_t>;

std::vector<float> some_numbers(const Shape& shape, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<float> numbers(static_cast<size_t>(std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>())));
  // Channels with ranges of their own, as keys have.
  const auto last = static_cast<size_t>(shape.back());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double unit = static_cast<double>(random() >> 11) * 0x1p-53 * 2 - 1;
    numbers[i] = static_cast<float>(unit * (1 + static_cast<double>(i % last % 5)));
  }
  return numbers;
}

// Numbers as a dtype has them.
struct Stored {
  std::vector<unsigned char> bytes;
  kvc_tensor_t tensor{};

  Stored(const Shape& shape, const std::vector<float>& numbers, int32_t dtype) {
    const size_t element = dtype == KVC_F32 ? 4 : dtype == KVC_U8 ? 1 : 2;
    bytes.resize(numbers.size() * element);
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (dtype == KVC_F32) {
        std::memcpy(bytes.data() + i * 4, &numbers[i], 4);
      } else if (dtype == KVC_F16) {
        const auto half = static_cast<_Float16>(numbers[i]);
        std::memcpy(bytes.data() + i * 2, &half, 2);
      } else if (dtype == KVC_BF16) {
        uint32_t bits;
        std::memcpy(&bits, &numbers[i], 4);
        const auto high = static_cast<uint16_t>(bits >> 16);
        std::memcpy(bytes.data() + i * 2, &high, 2);
      } else {
        bytes[i] = static_cast<unsigned char>(i % 11);
      }
    }
    tensor.struct_size = sizeof tensor;
    tensor.data = bytes.data();
    tensor.size = bytes.size();
    tensor.dtype = dtype;
    tensor.n_dims = static_cast<uint32_t>(shape.size());
    std::copy(shape.begin(), shape.end(), tensor.shape);
  }
  double at(size_t i) const {
    if (tensor.dtype == KVC_F32) {
      float number;
      std::memcpy(&number, bytes.data() + i * 4, 4);
      return static_cast<double>(number);
    }
    uint16_t word;
    std::memcpy(&word, bytes.data() + i * 2, 2);
    if (tensor.dtype == KVC_F16) {
      _Float16 half;
      std::memcpy(&half, &word, 2);
      return static_cast<double>(half);
    }
    const uint32_t bits = uint32_t{word} << 16;
    float number;
    std::memcpy(&number, &bits, 4);
    return static_cast<double>(number);
  }
};

class TensorCodecTest : public PersistTest {
 protected:
  static void put(const Engine& engine, const std::string& key, const Stored& stored, const char* codec,
                  int32_t plane = KVC_KEY, kvc_status_t expected = KVC_OK) {
    kvc_put_options_t options{};
    options.struct_size = sizeof options;
    options.codec = codec;
    options.plane = plane;
    EXPECT_STATUS(expected, kvc_put_with(engine, nullptr, key.data(), key.size(), &stored.tensor, &options), engine);
  }
  // What comes back, into a tensor like `stored`; false: a miss.
  static bool get(const Engine& engine, const std::string& key, const Stored& stored, Stored* got) {
    *got = stored;
    std::fill(got->bytes.begin(), got->bytes.end(), 0xee);
    got->tensor.data = got->bytes.data();
    int32_t found = 0;
    EXPECT_STATUS(KVC_OK, kvc_get(engine, nullptr, key.data(), key.size(), &got->tensor, &found), engine);
    return found != 0;
  }
  static kvc_tensor_info_t info(const Engine& engine, const std::string& key) {
    kvc_tensor_info_t info{};
    info.struct_size = sizeof info;
    int32_t found = 0;
    EXPECT_STATUS(KVC_OK, kvc_tensor_info(engine, nullptr, key.data(), key.size(), &info, &found), engine);
    EXPECT_EQ(1, found);
    return info;
  }
  static double relative_error(const Stored& want, const Stored& got, size_t n) {
    double error = 0, energy = 0;
    for (size_t i = 0; i < n; ++i) {
      error += (got.at(i) - want.at(i)) * (got.at(i) - want.at(i));
      energy += want.at(i) * want.at(i);
    }
    return std::sqrt(error / energy);
  }
};

TEST_F(TensorCodecTest, CodesKeepTheErrorThatIsSaid) {
  const Engine engine;
  for (const Shape& shape : {Shape{2, 3, 128, 64}, Shape{3, 100, 80}, Shape{200, 48}, Shape{64, 1000}}) {
    const std::vector<float> numbers = some_numbers(shape);
    for (const int32_t dtype : {KVC_F32, KVC_F16, KVC_BF16}) {
      const Stored stored(shape, numbers, dtype);
      for (const int32_t plane : {KVC_KEY, KVC_VALUE}) {
        for (const auto& [codec, most_error, most_bytes] : {std::tuple{"int8", 0.01, 0.66}, {"int4", 0.16, 0.42}}) {
          put(engine, "t", stored, codec, plane);
          const kvc_tensor_info_t of = info(engine, "t");
          EXPECT_STREQ(codec, of.codec);
          EXPECT_EQ(stored.bytes.size(), of.raw_bytes);
          EXPECT_EQ(plane, of.plane);
          EXPECT_EQ(1u, of.approximate);
          EXPECT_LE(static_cast<double>(of.bytes), most_bytes * static_cast<double>(of.raw_bytes)) << shape[0] << codec;
          Stored got = stored;
          ASSERT_TRUE(get(engine, "t", stored, &got));
          const double error = relative_error(stored, got, numbers.size());
          EXPECT_LE(error, most_error) << codec << dtype << plane;
          EXPECT_GT(error, 0);
          EXPECT_NEAR(error, of.error, 1e-6 + error * 1e-6);
        }
      }
    }
  }
}

TEST_F(TensorCodecTest, LosslessGivesEveryBitBack) {
  const Engine engine;
  const Shape shape = {4, 300, 1024};  // several frames
  std::vector<float> numbers = some_numbers(shape);
  numbers[7] = std::numeric_limits<float>::quiet_NaN();
  numbers[8] = -std::numeric_limits<float>::infinity();
  numbers[9] = 1e-42f;
  for (const int32_t dtype : {KVC_F32, KVC_F16, KVC_BF16, KVC_U8}) {
    const Stored stored(shape, numbers, dtype);
    put(engine, "t", stored, "lossless");
    const kvc_tensor_info_t of = info(engine, "t");
    EXPECT_STREQ("lossless", of.codec);
    EXPECT_LT(of.bytes, of.raw_bytes);
    EXPECT_EQ(0u, of.approximate);
    EXPECT_EQ(0, of.error);
    Stored got = stored;
    ASSERT_TRUE(get(engine, "t", stored, &got));
    EXPECT_EQ(stored.bytes, got.bytes);
  }
}

TEST_F(TensorCodecTest, WhatGainsNothingStaysAsItIs) {
  const Engine engine;
  std::vector<float> noise(4096);
  std::mt19937 random(1);
  for (float& number : noise) {
    const uint32_t bits = random();
    std::memcpy(&number, &bits, 4);
    if (!std::isfinite(number)) number = 1;
  }
  std::vector<float> infinite = some_numbers({64, 64});
  infinite[99] = std::numeric_limits<float>::infinity();
  struct Case {
    Shape shape;
    std::vector<float> numbers;
    int32_t dtype;
    const char* codec;
  };
  for (const Case& c : {Case{{64, 64}, infinite, KVC_F32, "int8"}, Case{{64, 64}, infinite, KVC_F16, "int4"},
                        Case{{64, 64}, some_numbers({64, 64}), KVC_U8, "int8"}, Case{{1}, {3}, KVC_F32, "int8"},
                        Case{{1}, {3}, KVC_F32, "lossless"}, Case{{2, 9000}, some_numbers({2, 9000}), KVC_F32, "int8"},
                        Case{{4096}, noise, KVC_F32, "lossless"}, Case{{64, 64}, infinite, KVC_F32, "identity"}}) {
    const Stored stored(c.shape, c.numbers, c.dtype);
    put(engine, "t", stored, c.codec);
    const kvc_tensor_info_t of = info(engine, "t");
    Stored got = stored;
    ASSERT_TRUE(get(engine, "t", stored, &got));
    EXPECT_EQ(stored.bytes, got.bytes) << c.codec;
    EXPECT_EQ(0u, of.approximate);
    if (std::string(c.codec) != "lossless" || c.numbers.size() == 1) {
      EXPECT_STREQ("identity", of.codec);
    }
    EXPECT_LE(of.bytes, of.raw_bytes);
  }
}

TEST_F(TensorCodecTest, ConstantAndTinyNumbersHaveDefinedResults) {
  const Engine engine;
  for (const float number : {0.0f, 2.5f, -65504.0f, 1e-42f, 1e-30f, 3e38f}) {
    for (const int32_t plane : {KVC_KEY, KVC_VALUE}) {
      const Shape shape = {70, 48};
      const Stored stored(shape, std::vector<float>(70 * 48, number), KVC_F32);
      put(engine, "t", stored, "int4", plane);
      Stored got = stored;
      ASSERT_TRUE(get(engine, "t", stored, &got));
      const double most = std::abs(static_cast<double>(number)) * 0.01 + 1e-38;
      for (size_t i = 0; i < 70 * 48; ++i) ASSERT_NEAR(static_cast<double>(number), got.at(i), most) << plane;
    }
  }
}

TEST_F(TensorCodecTest, StridesOfBothSidesAreKept) {
  const Engine engine;
  const Shape shape = {3, 64, 32};
  const Stored stored(shape, some_numbers(shape), KVC_F32);
  for (const char* codec : {"int8", "lossless"}) {
    put(engine, "compact", stored, codec);
    // The same tensor with gaps between the rows.
    std::vector<float> wide(3 * 64 * 40, -1);
    for (size_t row = 0; row < 3 * 64; ++row) {
      for (size_t d = 0; d < 32; ++d) wide[row * 40 + d] = static_cast<float>(stored.at(row * 32 + d));
    }
    kvc_tensor_t strided = stored.tensor;
    strided.data = wide.data();
    strided.size = wide.size() * sizeof(float);
    strided.strides[0] = 64 * 40, strided.strides[1] = 40, strided.strides[2] = 1;
    kvc_put_options_t options{};
    options.struct_size = sizeof options;
    options.codec = codec;
    ASSERT_STATUS(KVC_OK, kvc_put_with(engine, nullptr, "strided", 7, &strided, &options), engine);
    Stored a = stored, b = stored;
    ASSERT_TRUE(get(engine, "compact", stored, &a));
    ASSERT_TRUE(get(engine, "strided", stored, &b));
    EXPECT_EQ(a.bytes, b.bytes);
    std::fill(wide.begin(), wide.end(), -1.0f);
    int32_t found = 0;
    ASSERT_STATUS(KVC_OK, kvc_get(engine, nullptr, "compact", 7, &strided, &found), engine);
    for (size_t row = 0; row < 3 * 64; ++row) {
      for (size_t d = 0; d < 40; ++d) {
        ASSERT_EQ(d < 32 ? a.at(row * 32 + d) : -1.0, static_cast<double>(wide[row * 40 + d]));
      }
    }
  }
}

TEST_F(TensorCodecTest, TheFormSurvivesARestartAndAnEviction) {
  const Shape shape = {2, 128, 64};
  const Stored stored(shape, some_numbers(shape), KVC_F16);
  Stored int4 = stored, got = stored;
  double error = 0;
  {
    const Engine engine(options());
    put(engine, "exact", stored, nullptr);
    put(engine, "int4", stored, "int4", KVC_VALUE);
    put(engine, "lossless", stored, "lossless");
    ASSERT_TRUE(get(engine, "int4", stored, &int4));
    error = info(engine, "int4").error;
    ASSERT_STATUS(KVC_OK, kvc_persist(engine, UINT64_MAX), engine);
    uint64_t freed = 0;
    ASSERT_STATUS(KVC_OK, kvc_trim(engine, 0, &freed), engine);
    EXPECT_EQ(0u, engine.stats().tensors);
    ASSERT_TRUE(get(engine, "int4", stored, &got));
    EXPECT_EQ(int4.bytes, got.bytes);
  }
  const Engine engine(options());
  ASSERT_TRUE(get(engine, "int4", stored, &got));
  EXPECT_EQ(int4.bytes, got.bytes);
  const kvc_tensor_info_t of = info(engine, "int4");
  EXPECT_STREQ("int4", of.codec);
  EXPECT_EQ(error, of.error);
  EXPECT_EQ(KVC_VALUE, of.plane);
  for (const char* key : {"exact", "lossless"}) {
    ASSERT_TRUE(get(engine, key, stored, &got));
    EXPECT_EQ(stored.bytes, got.bytes) << key;
    EXPECT_EQ(0u, info(engine, key).approximate);
  }
}

TEST_F(TensorCodecTest, AnOptionSaysItForAllTensorsAndLeavesBytesAlone) {
  const Options all = {{"tensor_codec", "int8"}};
  const Engine engine(all);
  const Shape shape = {128, 64};
  const Stored numbers(shape, some_numbers(shape), KVC_F32), bytes(shape, some_numbers(shape), KVC_U8);
  ASSERT_STATUS(KVC_OK, kvc_put(engine, nullptr, "n", 1, &numbers.tensor), engine);
  ASSERT_STATUS(KVC_OK, kvc_put(engine, nullptr, "b", 1, &bytes.tensor), engine);
  EXPECT_STREQ("int8", info(engine, "n").codec);
  EXPECT_STREQ("identity", info(engine, "b").codec);
  put(engine, "n", numbers, "identity");
  EXPECT_STREQ("identity", info(engine, "n").codec);
}

TEST_F(TensorCodecTest, WrongOptionsAreRefusedAndWhatWasThereStays) {
  const Engine engine;
  const Shape shape = {64, 64};
  const Stored stored(shape, some_numbers(shape), KVC_F32);
  put(engine, "t", stored, "identity");
  put(engine, "t", stored, "klt", KVC_KEY, KVC_E_INVALID);
  put(engine, "t", stored, "", KVC_KEY, KVC_E_INVALID);
  put(engine, "t", stored, "int8", 2, KVC_E_OUT_OF_RANGE);
  put(engine, "t", stored, "int8", -1, KVC_E_OUT_OF_RANGE);
  EXPECT_STREQ("identity", info(engine, "t").codec);
  kvc_tensor_info_t of{};
  of.struct_size = sizeof of;
  int32_t found = 1;
  EXPECT_STATUS(KVC_OK, kvc_tensor_info(engine, nullptr, "none", 4, &of, &found), engine);
  EXPECT_EQ(0, found);
}

}  // namespace
}  // namespace kvc_test
