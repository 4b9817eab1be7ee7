#include "base/tensor.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>

#include "base/random.h"

namespace kvc {
namespace {

alignas(64) std::byte buffer[4096];

kvc_tensor_t tensor(int32_t dtype, std::initializer_list<int64_t> shape, std::initializer_list<int64_t> strides = {}) {
  kvc_tensor_t t{};
  t.struct_size = sizeof t;
  t.data = buffer;
  t.size = sizeof buffer;
  t.dtype = dtype;
  t.n_dims = static_cast<uint32_t>(shape.size());
  size_t i = 0;
  for (const int64_t n : shape) t.shape[i++] = n;
  i = 0;
  for (const int64_t n : strides) t.strides[i++] = n;
  return t;
}

class ViewOfTest : public testing::Test {
 protected:
  kvc_status_t check(const kvc_tensor_t& t) {
    view_ = TensorView();
    const Status status = view_of(t, "k", &view_);
    message_ = status.message();
    if (!status.is_ok()) {
      EXPECT_EQ(message_.rfind("k: ", 0), 0u) << message_;  // names what is wrong
      EXPECT_EQ(view_.data, nullptr) << "the output was touched";
    }
    return status.code();
  }
  bool says(const char* words) const { return message_.find(words) != std::string::npos; }

  TensorView view_;
  std::string message_;
};

TEST_F(ViewOfTest, ResolvesCompactStrides) {
  ASSERT_EQ(check(tensor(KVC_F16, {3, 4, 5})), KVC_OK) << message_;
  EXPECT_EQ(view_.data, buffer);
  EXPECT_EQ(view_.size, sizeof buffer);
  EXPECT_EQ(view_.dtype, DType::f16);
  EXPECT_EQ(view_.n_dims, 3u);
  EXPECT_EQ(view_.strides[0], 20);
  EXPECT_EQ(view_.strides[1], 5);
  EXPECT_EQ(view_.strides[2], 1);
  EXPECT_EQ(view_.elements(), 60u);
}

TEST_F(ViewOfTest, KeepsGivenStrides) {
  ASSERT_EQ(check(tensor(KVC_F32, {2, 3}, {100, 10})), KVC_OK) << message_;
  EXPECT_EQ(view_.strides[0], 100);
  EXPECT_EQ(view_.strides[1], 10);
  EXPECT_EQ(view_.elements(), 6u);
}

TEST_F(ViewOfTest, RefusesNullData) {
  kvc_tensor_t t = tensor(KVC_F32, {1});
  t.data = nullptr;
  EXPECT_EQ(check(t), KVC_E_NULL);
}

TEST_F(ViewOfTest, RefusesUnknownDtypes) {
  for (const int32_t dtype : {0, 5, -1, 1000}) {
    EXPECT_EQ(check(tensor(dtype, {1})), KVC_E_DTYPE);
    EXPECT_TRUE(says(std::to_string(dtype).c_str())) << message_;
  }
}

TEST_F(ViewOfTest, RefusesTooFewAndTooManyDims) {
  kvc_tensor_t t = tensor(KVC_F32, {1});
  t.n_dims = 0;
  EXPECT_EQ(check(t), KVC_E_SHAPE);
  t.n_dims = KVC_MAX_DIMS + 1;
  EXPECT_EQ(check(t), KVC_E_SHAPE);
  EXPECT_TRUE(says("9")) << message_;
  EXPECT_EQ(check(tensor(KVC_F32, {1, 2, 1, 2, 1, 2, 1, 2})), KVC_OK) << message_;
  EXPECT_EQ(view_.strides[0], 16);
}

TEST_F(ViewOfTest, RefusesEmptyAndNegativeDims) {
  EXPECT_EQ(check(tensor(KVC_F32, {2, 0})), KVC_E_SHAPE);
  EXPECT_TRUE(says("shape[1] is 0")) << message_;
  EXPECT_EQ(check(tensor(KVC_F32, {-5, 2})), KVC_E_SHAPE);
  EXPECT_TRUE(says("shape[0] is -5")) << message_;
}

TEST_F(ViewOfTest, RefusesNegativeStrides) {
  EXPECT_EQ(check(tensor(KVC_F32, {2, 2}, {2, -1})), KVC_E_SHAPE);
  EXPECT_TRUE(says("strides[1] is -1")) << message_;
}

TEST_F(ViewOfTest, RefusesMisalignedData) {
  kvc_tensor_t t = tensor(KVC_F32, {1});
  t.data = buffer + 2;
  t.size -= 2;
  EXPECT_EQ(check(t), KVC_E_INVALID);
  t.dtype = KVC_F16;
  EXPECT_EQ(check(t), KVC_OK) << message_;
  t.data = buffer + 1;
  EXPECT_EQ(check(t), KVC_E_INVALID);
}

TEST_F(ViewOfTest, ExtentIsExactToTheByte) {
  // (2 - 1) * 10 + (3 - 1) * 4 + 1 = 19 elements.
  kvc_tensor_t t = tensor(KVC_F32, {2, 3}, {10, 4});
  t.size = 76;
  EXPECT_EQ(check(t), KVC_OK) << message_;
  t.size = 75;
  EXPECT_EQ(check(t), KVC_E_SHAPE);
  EXPECT_TRUE(says("76")) << message_;
  EXPECT_TRUE(says("75")) << message_;
  t = tensor(KVC_BF16, {2, 3});
  t.size = 12;
  EXPECT_EQ(check(t), KVC_OK) << message_;
  t.size = 11;
  EXPECT_EQ(check(t), KVC_E_SHAPE);
}

TEST_F(ViewOfTest, RefusesWhatOverflows) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const auto unbounded = [](kvc_tensor_t t) {
    t.size = std::numeric_limits<uint64_t>::max();
    return t;
  };
  EXPECT_EQ(check(unbounded(tensor(KVC_F32, {kMax}))), KVC_E_SHAPE);
  EXPECT_EQ(check(unbounded(tensor(KVC_F16, {kMax, kMax, kMax}))), KVC_E_SHAPE);
  EXPECT_EQ(check(unbounded(tensor(KVC_F16, {1ll << 32, 1ll << 32}))), KVC_E_SHAPE);  // 2^65 bytes: 0 in 64 bits
  EXPECT_EQ(check(unbounded(tensor(KVC_F32, {2, 2}, {kMax, 1}))), KVC_E_SHAPE);
  EXPECT_EQ(check(unbounded(tensor(KVC_F32, {3, 3}, {kMax / 8, kMax / 8}))), KVC_E_SHAPE);
  EXPECT_EQ(check(unbounded(tensor(KVC_F16, {1ll << 32, 3}, {1ll << 32, 1}))), KVC_E_SHAPE);
  EXPECT_EQ(check(unbounded(tensor(KVC_F16, {1ll << 31, 1ll << 30}))), KVC_OK) << message_;
}

TEST_F(ViewOfTest, AHugeStrideOfOneElementIsHarmless) {
  EXPECT_EQ(check(tensor(KVC_F32, {1, 4}, {std::numeric_limits<int64_t>::max(), 1})), KVC_OK) << message_;
}

// Against a count in wider numbers.
TEST_F(ViewOfTest, AgreesWithWideArithmetic) {
  Random random(1);
  int accepted = 0;
  for (int round = 0; round < 20'000; ++round) {
    kvc_tensor_t t{};
    t.data = buffer;
    t.dtype = static_cast<int32_t>(1 + random.next() % 3);
    t.n_dims = static_cast<uint32_t>(1 + random.next() % KVC_MAX_DIMS);
    unsigned __int128 extent = 1;
    unsigned __int128 product = 1;
    bool compact = true;
    for (uint32_t i = 0; i < t.n_dims; ++i) {
      t.shape[i] = static_cast<int64_t>(1 + (random.next() >> (44 + random.next() % 20)));
      t.strides[i] = random.next() % 4 == 0 ? 0 : static_cast<int64_t>(random.next() >> (40 + random.next() % 24));
      if (t.strides[i] != 0) compact = false;
      if (product < (static_cast<unsigned __int128>(1) << 70)) product *= static_cast<uint64_t>(t.shape[i]);
      extent += static_cast<unsigned __int128>(t.shape[i] - 1) * static_cast<uint64_t>(t.strides[i]);
    }
    const size_t element = t.dtype == KVC_F32 ? 4 : 2;
    const unsigned __int128 bytes = (compact ? product : extent) * element;
    t.size = random.next() % 2 != 0 ? random.next() >> (random.next() % 64)
                                    : static_cast<uint64_t>(bytes) - random.next() % 2;
    const bool fits =
        product * element < (static_cast<unsigned __int128>(1) << 63) && bytes <= t.size && bytes >> 63 == 0;
    EXPECT_EQ(check(t) == KVC_OK, fits) << message_;
    accepted += fits ? 1 : 0;
  }
  EXPECT_GT(accepted, 1000);
}

TEST(DTypeTest, NamesAndSizes) {
  EXPECT_STREQ(dtype_name(DType::f32), "f32");
  EXPECT_STREQ(dtype_name(DType::f16), "f16");
  EXPECT_STREQ(dtype_name(DType::bf16), "bf16");
  EXPECT_STREQ(dtype_name(DType::u8), "u8");
  EXPECT_EQ(element_bytes(DType::u8), 1u);
  EXPECT_EQ(element_bytes(DType::f32), 4u);
  EXPECT_EQ(element_bytes(DType::f16), 2u);
  EXPECT_EQ(element_bytes(DType::bf16), 2u);
  DType dtype = DType::f16;
  EXPECT_FALSE(parse_dtype(0, &dtype));
  EXPECT_EQ(dtype, DType::f16);
  EXPECT_TRUE(parse_dtype(KVC_BF16, &dtype));
  EXPECT_EQ(dtype, DType::bf16);
}

}  // namespace
}  // namespace kvc
