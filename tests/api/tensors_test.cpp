// Plain tensors: put and get of any shape, stride and dtype.
#include <numeric>

#include "core_support.h"

namespace kvc_test {
namespace {

// A tensor of bytes with strides; the bytes between the rows are guarded.
struct Strided {
  std::vector<unsigned char> bytes;
  kvc_tensor_t tensor{};

  Strided(const std::vector<int64_t>& shape, int32_t dtype, const std::vector<int64_t>& strides = {}) {
    const size_t element = dtype == KVC_F32 ? 4 : 2;
    tensor.struct_size = sizeof tensor;
    tensor.dtype = dtype;
    tensor.n_dims = static_cast<uint32_t>(shape.size());
    int64_t last = 0;
    int64_t compact = 1;
    for (size_t d = shape.size(); d-- > 0;) {
      tensor.shape[d] = shape[d];
      if (!strides.empty()) tensor.strides[d] = strides[d];
      last += (shape[d] - 1) * (strides.empty() ? compact : strides[d]);
      compact *= shape[d];
    }
    bytes.assign(static_cast<size_t>(last + 1) * element, 0xee);
    tensor.data = bytes.data();
    tensor.size = bytes.size();
  }
  size_t element() const { return tensor.dtype == KVC_F32 ? 4 : 2; }
  // Calls with each element's address, in row-major order.
  template <typename F>
  void each(F f) {
    std::vector<int64_t> strides(tensor.n_dims);
    int64_t compact = 1;
    bool all_zero = true;
    for (uint32_t d = 0; d < tensor.n_dims; ++d) all_zero = all_zero && tensor.strides[d] == 0;
    for (size_t d = tensor.n_dims; d-- > 0;) {
      strides[d] = all_zero ? compact : tensor.strides[d];
      compact *= tensor.shape[d];
    }
    for (int64_t i = 0; i < compact; ++i) {
      int64_t rest = i;
      int64_t offset = 0;
      for (size_t d = tensor.n_dims; d-- > 0;) {
        offset += rest % tensor.shape[d] * strides[d];
        rest /= tensor.shape[d];
      }
      f(i, bytes.data() + static_cast<size_t>(offset) * element());
    }
  }
  void fill() {
    each([this](int64_t i, unsigned char* at) {
      for (size_t b = 0; b < element(); ++b)
        at[b] = static_cast<unsigned char>(i * 7 + static_cast<int64_t>(b) * 31 + 1);
    });
  }
  std::vector<unsigned char> gathered() {
    std::vector<unsigned char> out;
    each([&](int64_t, unsigned char* at) { out.insert(out.end(), at, at + element()); });
    return out;
  }
};

class TensorsTest : public testing::Test {
 protected:
  kvc_status_t put(const char* key, const kvc_tensor_t& tensor, const char* tenant = nullptr) {
    return kvc_put(engine_, tenant, key, std::strlen(key), &tensor);
  }
  kvc_status_t get(const char* key, kvc_tensor_t* tensor, int32_t* found, const char* tenant = nullptr) {
    return kvc_get(engine_, tenant, key, std::strlen(key), tensor, found);
  }
  Engine engine_{Options{{"memory", "8MiB"}}};
};

class TensorDtypeTest : public TensorsTest, public testing::WithParamInterface<int32_t> {};
INSTANTIATE_TEST_SUITE_P(All, TensorDtypeTest, testing::Values(KVC_F32, KVC_F16, KVC_BF16));

TEST_P(TensorDtypeTest, BatchHeadsTokensDimComesBackEqual) {
  const std::vector<int64_t> shape = {2, 3, 5, 4};  // [batch][heads][tokens][dim]
  const std::vector<std::vector<int64_t>> layouts = {
      {},               // compact
      {60, 20, 4, 1},   // the same, said
      {100, 30, 5, 1},  // padded
      {60, 4, 12, 1},   // stored [batch][tokens][heads][dim]
      {1, 2, 6, 30},    // stored backwards: the last index is not the fastest
  };
  for (const auto& from : layouts) {
    Strided source(shape, GetParam(), from);
    source.fill();
    ASSERT_STATUS(KVC_OK, put("kv", source.tensor), static_cast<kvc_engine_t*>(engine_));
    for (const auto& to : layouts) {
      Strided out(shape, GetParam(), to);
      const std::vector<unsigned char> before = out.bytes;
      int32_t found = 0;
      ASSERT_STATUS(KVC_OK, get("kv", &out.tensor, &found), static_cast<kvc_engine_t*>(engine_));
      EXPECT_EQ(1, found);
      EXPECT_EQ(source.gathered(), out.gathered());
      // Nothing between the elements was touched: painting the elements over gives the guard back.
      out.each([&](int64_t, unsigned char* at) { std::memset(at, 0xee, out.element()); });
      EXPECT_EQ(before, out.bytes);
    }
  }
}

TEST_F(TensorsTest, OneToEightDims) {
  for (size_t dims = 1; dims <= KVC_MAX_DIMS; ++dims) {
    std::vector<int64_t> shape(dims, 2);
    Strided source(shape, KVC_F16);
    source.fill();
    ASSERT_EQ(KVC_OK, put("d", source.tensor));
    kvc_tensor_t ask{};
    ask.struct_size = sizeof ask;
    int32_t found = 0;
    ASSERT_EQ(KVC_OK, get("d", &ask, &found));
    ASSERT_EQ(1, found);
    EXPECT_EQ(dims, ask.n_dims);
    EXPECT_EQ(KVC_F16, ask.dtype);
    EXPECT_EQ(source.bytes.size(), ask.size);
    int64_t stride = 1;
    for (size_t d = dims; d-- > 0; stride *= 2) {
      EXPECT_EQ(2, ask.shape[d]);
      EXPECT_EQ(stride, ask.strides[d]);
    }
    // What was asked for describes the buffer to be given.
    std::vector<unsigned char> buffer(ask.size);
    ask.data = buffer.data();
    ASSERT_EQ(KVC_OK, get("d", &ask, &found));
    EXPECT_EQ(source.bytes, buffer);
  }
  std::vector<float> number(1);
  kvc_tensor_t tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.data = number.data();
  tensor.size = 4;
  tensor.dtype = KVC_F32;
  for (const uint32_t dims : {0u, 9u, UINT32_MAX}) {
    tensor.n_dims = dims;
    EXPECT_EQ(KVC_E_SHAPE, put("d", tensor)) << dims;
  }
}

TEST_F(TensorsTest, AMissIsNoError) {
  Strided out({4}, KVC_F32);
  const std::vector<unsigned char> before = out.bytes;
  int32_t found = 7;
  EXPECT_EQ(KVC_OK, get("nothing", &out.tensor, &found));
  EXPECT_EQ(0, found);
  EXPECT_EQ(before, out.bytes);
  found = 7;
  EXPECT_EQ(KVC_OK, kvc_contains(engine_, nullptr, "nothing", 7, &found));
  EXPECT_EQ(0, found);
  int32_t removed = 7;
  EXPECT_EQ(KVC_OK, kvc_remove(engine_, nullptr, "nothing", 7, &removed));
  EXPECT_EQ(0, removed);
}

TEST_F(TensorsTest, KeysAreBytesAndTenantsAreApart) {
  Strided a({4}, KVC_F32), b({4}, KVC_F32), out({4}, KVC_F32);
  a.fill();
  b.bytes.assign(b.bytes.size(), 9);
  const char key_a[] = {'k', 0, 'a'}, key_b[] = {'k', 0, 'b'};
  ASSERT_EQ(KVC_OK, kvc_put(engine_, nullptr, key_a, 3, &a.tensor));
  ASSERT_EQ(KVC_OK, kvc_put(engine_, nullptr, key_b, 3, &b.tensor));
  int32_t found = 0;
  ASSERT_EQ(KVC_OK, kvc_get(engine_, nullptr, key_a, 3, &out.tensor, &found));
  EXPECT_EQ(a.bytes, out.bytes);
  ASSERT_EQ(KVC_OK, kvc_get(engine_, nullptr, key_b, 3, &out.tensor, &found));
  EXPECT_EQ(b.bytes, out.bytes);
  ASSERT_EQ(KVC_OK, kvc_contains(engine_, nullptr, key_a, 2, &found));
  EXPECT_EQ(0, found);
  ASSERT_EQ(KVC_OK, kvc_contains(engine_, "other", key_a, 3, &found));
  EXPECT_EQ(0, found) << "another tenant's";
  ASSERT_EQ(KVC_OK, kvc_contains(engine_, "", key_a, 3, &found));
  EXPECT_EQ(1, found) << "NULL is the default tenant, as is \"\"";
  int32_t removed = 0;
  EXPECT_EQ(KVC_OK, kvc_remove(engine_, nullptr, key_a, 3, &removed));
  EXPECT_EQ(1, removed);
  EXPECT_EQ(KVC_OK, kvc_contains(engine_, nullptr, key_a, 3, &found));
  EXPECT_EQ(0, found);
}

TEST_F(TensorsTest, WrongKeysAreRefusedWithTheirSize) {
  Strided a({4}, KVC_F32);
  const std::string longest(4096, 'k'), too_long(4097, 'k');
  auto* engine = static_cast<kvc_engine_t*>(engine_);
  EXPECT_STATUS(KVC_OK, kvc_put(engine, nullptr, longest.data(), longest.size(), &a.tensor), engine);
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_put(engine, nullptr, too_long.data(), too_long.size(), &a.tensor));
  EXPECT_NE(std::string::npos, words(engine).find("4097")) << words(engine);
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_put(engine, nullptr, "k", 0, &a.tensor));
  EXPECT_EQ(KVC_E_NULL, kvc_put(engine, nullptr, nullptr, 1, &a.tensor));
  EXPECT_EQ(KVC_E_NULL, kvc_put(engine, nullptr, "k", 1, nullptr));
  EXPECT_EQ(KVC_E_UTF8, kvc_put(engine, "\xc3\x28", "k", 1, &a.tensor));
  int32_t found = 0;
  EXPECT_EQ(KVC_E_NULL, kvc_get(engine, nullptr, "k", 1, &a.tensor, nullptr));
  EXPECT_EQ(KVC_E_NULL, kvc_get(engine, nullptr, "k", 1, nullptr, &found));
  EXPECT_EQ(KVC_E_NULL, kvc_contains(engine, nullptr, "k", 1, nullptr));
}

TEST_F(TensorsTest, WrongTensorsAreRefusedAndNothingIsLost) {
  Strided good({2, 3}, KVC_F32);
  good.fill();
  ASSERT_EQ(KVC_OK, put("k", good.tensor));
  const auto refused = [&](kvc_status_t status, const char* number, auto change) {
    kvc_tensor_t tensor = good.tensor;
    change(tensor);
    EXPECT_EQ(status, put("k", tensor)) << number;
    EXPECT_NE(std::string::npos, words(static_cast<kvc_engine_t*>(engine_)).find(number))
        << words(static_cast<kvc_engine_t*>(engine_));
  };
  refused(KVC_E_DTYPE, "99", [](kvc_tensor_t& t) { t.dtype = 99; });
  refused(KVC_E_SHAPE, "0", [](kvc_tensor_t& t) { t.shape[1] = 0; });
  refused(KVC_E_SHAPE, "-4", [](kvc_tensor_t& t) { t.shape[0] = -4; });
  refused(KVC_E_SHAPE, "23", [](kvc_tensor_t& t) { t.size = 23; });
  refused(KVC_E_SHAPE, "9223372036854775807", [](kvc_tensor_t& t) { t.shape[0] = t.shape[1] = INT64_MAX; });
  refused(KVC_E_SHAPE, "-1", [](kvc_tensor_t& t) { t.strides[0] = -1; });
  refused(KVC_E_NULL, "NULL", [](kvc_tensor_t& t) { t.data = nullptr; });
  // A buffer of another shape or dtype.
  const auto get_refused = [&](kvc_status_t status, Strided out, const char* number) {
    const std::vector<unsigned char> before = out.bytes;
    int32_t found = 0;
    EXPECT_EQ(status, get("k", &out.tensor, &found));
    EXPECT_NE(std::string::npos, words(static_cast<kvc_engine_t*>(engine_)).find(number))
        << words(static_cast<kvc_engine_t*>(engine_));
    EXPECT_EQ(before, out.bytes);
  };
  get_refused(KVC_E_SHAPE, Strided({2, 4}, KVC_F32), "[2][4]");
  get_refused(KVC_E_SHAPE, Strided({6}, KVC_F32), "[6]");
  get_refused(KVC_E_DTYPE, Strided({2, 3}, KVC_F16), "f16");
  Strided out({2, 3}, KVC_F32);
  int32_t found = 0;
  ASSERT_EQ(KVC_OK, get("k", &out.tensor, &found));
  EXPECT_EQ(good.bytes, out.bytes);
}

TEST_F(TensorsTest, ATensorLargerThanTheBudgetIsRefusedAndTheOldOneStays) {
  Strided good({2, 3}, KVC_F32);
  good.fill();
  ASSERT_EQ(KVC_OK, put("k", good.tensor));
  Strided large({3, 1024, 1024}, KVC_F32);  // 12 MiB of 8
  EXPECT_EQ(KVC_E_NO_MEMORY, put("k", large.tensor));
  EXPECT_NE(std::string::npos, words(static_cast<kvc_engine_t*>(engine_)).find("12582912"))
      << words(static_cast<kvc_engine_t*>(engine_));
  Strided out({2, 3}, KVC_F32);
  int32_t found = 0;
  ASSERT_EQ(KVC_OK, get("k", &out.tensor, &found));
  ASSERT_EQ(1, found);
  EXPECT_EQ(good.bytes, out.bytes);
}

TEST(TensorDescribeTest, CompactBuffers) {
  float data[24];
  kvc_tensor_t t;
  ASSERT_EQ(KVC_OK, kvc_tensor_thd(&t, data, KVC_F32, 4, 2, 3));
  EXPECT_EQ(sizeof t, t.struct_size);
  EXPECT_EQ(96u, t.size);
  EXPECT_EQ(3u, t.n_dims);
  EXPECT_EQ((std::vector<int64_t>{4, 2, 3}), std::vector<int64_t>(t.shape, t.shape + 3));
  EXPECT_EQ((std::vector<int64_t>{6, 3, 1}), std::vector<int64_t>(t.strides, t.strides + 3));
  ASSERT_EQ(KVC_OK, kvc_tensor_htd(&t, data, KVC_F16, 4, 2, 3));
  EXPECT_EQ(48u, t.size);
  EXPECT_EQ((std::vector<int64_t>{4, 2, 3}), std::vector<int64_t>(t.shape, t.shape + 3))
      << "indices are [token][head][dim] all the same";
  EXPECT_EQ((std::vector<int64_t>{3, 12, 1}), std::vector<int64_t>(t.strides, t.strides + 3));
  EXPECT_EQ(KVC_E_NULL, kvc_tensor_thd(nullptr, data, KVC_F32, 1, 1, 1));
  EXPECT_EQ(KVC_E_NULL, kvc_tensor_thd(&t, nullptr, KVC_F32, 1, 1, 1));
  EXPECT_EQ(KVC_E_DTYPE, kvc_tensor_thd(&t, data, 0, 1, 1, 1));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_tensor_thd(&t, data, KVC_F32, 0, 1, 1));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_tensor_htd(&t, data, KVC_F32, 1, 0, 1));
  EXPECT_EQ(KVC_E_OUT_OF_RANGE, kvc_tensor_htd(&t, data, KVC_F32, SIZE_MAX, 2, 1));
}

}  // namespace
}  // namespace kvc_test
