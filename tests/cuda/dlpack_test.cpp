// Tensors by DLPack, as frameworks hand them over.
#include "dlpack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "api.h"
#include "fake_rig.h"

namespace kvc_cuda {
namespace {

// Has its own words for everything, as a framework would: the layout is what dlpack.h has on every 64-bit platform.
static_assert(sizeof(DLTensor) == 48 && offsetof(DLTensor, device_type) == 8 && offsetof(DLTensor, ndim) == 16 &&
              offsetof(DLTensor, code) == 20 && offsetof(DLTensor, lanes) == 22 && offsetof(DLTensor, shape) == 24 &&
              offsetof(DLTensor, byte_offset) == 40);
static_assert(offsetof(DLManagedTensor, manager_ctx) == 48 && offsetof(DLManagedTensor, deleter) == 56);
static_assert(offsetof(DLManagedTensorVersioned, manager_ctx) == 8 &&
              offsetof(DLManagedTensorVersioned, deleter) == 16 && offsetof(DLManagedTensorVersioned, flags) == 24 &&
              offsetof(DLManagedTensorVersioned, tensor) == 32);

class DlpackTest : public testing::Test {
 protected:
  void SetUp() override {
    FakeOptions fake;
    fake.devices = 2;
    fake_reset(&fake);
    kvc_cuda_options_t options{};
    options.struct_size = sizeof options;
    options.device = 1, options.slots = 2, options.slot_bytes = 65536;
    ASSERT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options, &cuda_, nullptr), KVC_OK);
    uint32_t slots[2];
    ASSERT_EQ(kvc_cuda_acquire(cuda_, 2, slots), KVC_OK);
    ASSERT_EQ(kvc_cuda_address(cuda_, slots[0], &memory_), KVC_OK);
    ASSERT_EQ(kvc_cuda_address(cuda_, slots[1], &other_), KVC_OK);
    tensor_ = {reinterpret_cast<void*>(memory_), kDLCUDA, 1, 5, kDLFloat, 16, 1, shape_, nullptr, 0};
  }
  void TearDown() override {
    kvc_cuda_close(cuda_);
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
  }
  kvc_status_t import(const DLTensor& tensor, kvc_cuda_tensor_t* out) {
    DLManagedTensor managed{tensor, nullptr, nullptr};
    out->struct_size = sizeof *out;
    return kvc_cuda_tensor_import(cuda_, &managed, 0, out);
  }
  std::string words() {
    char text[512];
    kvc_cuda_last_error(cuda_, text, sizeof text);
    return text;
  }
  kvc_cuda_t* cuda_ = nullptr;
  uint64_t memory_ = 0, other_ = 0;
  int64_t shape_[8] = {6, 2, 16, 4, 8};
  DLTensor tensor_{};
};

TEST_F(DlpackTest, DescribesCompactAndStridedTensors) {
  kvc_cuda_tensor_t out{};
  ASSERT_EQ(import(tensor_, &out), KVC_OK) << words();
  EXPECT_EQ(out.dtype, KVC_F16);
  EXPECT_EQ(out.n_dims, 5u);
  EXPECT_EQ(out.bytes, 6u * 2 * 16 * 4 * 8 * 2);
  EXPECT_EQ(out.strides[0], 2 * 16 * 4 * 8 * 2);
  EXPECT_EQ(out.strides[4], 2);
  int64_t strides[5] = {4096, 2048, 64, 16, 1};
  DLTensor strided = tensor_;
  strided.strides = strides;
  strided.byte_offset = 128;
  strided.code = kDLBfloat;
  ASSERT_EQ(import(strided, &out), KVC_OK);
  EXPECT_EQ(out.dtype, KVC_BF16);
  EXPECT_EQ(out.address, memory_ + 128);
  EXPECT_EQ(out.strides[2], 128);
  EXPECT_EQ(out.bytes, (5u * 4096 + 2048 + 15 * 64 + 3 * 16 + 7) * 2 + 2);
  DLManagedTensorVersioned versioned{1, 3, nullptr, nullptr, kDLReadOnly, tensor_};
  ASSERT_EQ(kvc_cuda_tensor_import(cuda_, &versioned, 1, &out), KVC_OK);
  EXPECT_EQ(out.read_only, 1);
  DLTensor host = tensor_;
  host.device_type = kDLCUDAHost, host.device_id = 0;
  ASSERT_EQ(import(host, &out), KVC_OK);
  EXPECT_EQ(out.on_host, 1);
}

TEST_F(DlpackTest, RefusesWhatItCannotUseAndSaysWhy) {
  kvc_cuda_tensor_t out{};
  const auto refused = [&](auto change) {
    DLTensor bad = tensor_;
    change(bad);
    return import(bad, &out);
  };
  EXPECT_EQ(refused([](DLTensor& t) { t.device_id = 0; }), KVC_E_INVALID);
  EXPECT_NE(words().find("on device 0"), std::string::npos) << words();
  EXPECT_EQ(refused([](DLTensor& t) { t.device_type = 13; }), KVC_E_UNSUPPORTED) << "managed";
  EXPECT_EQ(refused([](DLTensor& t) { t.device_type = 1; }), KVC_E_UNSUPPORTED) << "processor";
  EXPECT_EQ(refused([](DLTensor& t) { t.lanes = 2; }), KVC_E_DTYPE);
  EXPECT_EQ(refused([](DLTensor& t) { t.bits = 64; }), KVC_E_DTYPE);
  EXPECT_EQ(refused([](DLTensor& t) { t.ndim = 9; }), KVC_E_SHAPE);
  EXPECT_EQ(refused([](DLTensor& t) { t.ndim = 0; }), KVC_E_SHAPE);
  EXPECT_EQ(refused([](DLTensor& t) { t.data = nullptr; }), KVC_E_SHAPE);
  EXPECT_EQ(refused([](DLTensor& t) { t.byte_offset = UINT64_MAX; }), KVC_E_SHAPE);
  int64_t strides[5] = {1, -1, 1, 1, 1};
  EXPECT_EQ(refused([&](DLTensor& t) { t.strides = strides; }), KVC_E_SHAPE);
  int64_t far[5] = {INT64_MAX, INT64_MAX, 1, 1, 1};
  EXPECT_EQ(refused([&](DLTensor& t) { t.strides = far; }), KVC_E_SHAPE);
  int64_t none[5] = {6, 0, 1, 1, 1}, huge[5] = {INT64_MAX, 8, 1, 1, 1};
  EXPECT_EQ(refused([&](DLTensor& t) { t.shape = none; }), KVC_E_SHAPE);
  EXPECT_EQ(refused([&](DLTensor& t) { t.shape = huge; }), KVC_E_SHAPE);
  DLManagedTensorVersioned later{2, 0, nullptr, nullptr, 0, tensor_};
  EXPECT_EQ(kvc_cuda_tensor_import(cuda_, &later, 1, &out), KVC_E_UNSUPPORTED);
  EXPECT_EQ(kvc_cuda_tensor_import(cuda_, nullptr, 1, &out), KVC_E_NULL);
}

TEST_F(DlpackTest, ViewsOfPagedEnginesMoveTheRightRows) {
  // Six pages of 16 tokens, K and V, 4 heads of 8 numbers, as vLLM and FlashInfer lay them: the same rows come out.
  struct Layout {
    const char* axes;
    int64_t shape[5];
  };
  const Layout layouts[] = {{"pkthd", {6, 2, 16, 4, 8}}, {"pkhtd", {6, 2, 4, 16, 8}}, {"kpthd", {2, 6, 16, 4, 8}}};
  const auto value = [](int64_t page, int64_t plane, int64_t token, int64_t head, int64_t d) {
    return static_cast<uint16_t>(((page * 2 + plane) * 16 + token) * 32 + head * 8 + d);
  };
  for (const Layout& layout : layouts) {
    int64_t shape[5];
    std::copy_n(layout.shape, 5, shape);
    DLTensor tensor = tensor_;
    tensor.shape = shape;
    std::vector<uint16_t> content(6 * 2 * 16 * 4 * 8);
    int64_t at[5];
    for (size_t i = 0; i < content.size(); ++i) {
      size_t rest = i;
      int64_t by[128] = {};
      for (int dim = 4; dim >= 0; --dim) {
        at[dim] = static_cast<int64_t>(rest % static_cast<size_t>(shape[dim]));
        rest /= static_cast<size_t>(shape[dim]);
        by[static_cast<size_t>(layout.axes[dim])] = at[dim];
      }
      content[i] = value(by['p'], by['k'], by['t'], by['h'], by['d']);
    }
    kvc_cuda_order_t order{};
    order.struct_size = sizeof order;
    ASSERT_EQ(kvc_cuda_upload(cuda_, memory_, content.data(), content.size() * 2, &order), KVC_OK);
    kvc_cuda_tensor_t described{};
    ASSERT_EQ(import(tensor, &described), KVC_OK);
    // Tokens 5, 40 and 95 (page 0, 2 and 5), both planes, to rows [token][plane][head][d].
    const int32_t slots[3] = {5, 40, 95};
    const uint64_t table = other_ + 32768;
    ASSERT_EQ(kvc_cuda_upload(cuda_, table, slots, sizeof slots, &order), KVC_OK);
    kvc_cuda_move_t move{};
    move.struct_size = sizeof move;
    ASSERT_EQ(kvc_cuda_tensor_view(cuda_, &described, layout.axes, &move.from), KVC_OK) << words();
    move.to.base = other_, move.to.token_stride = 128, move.to.plane_stride = 64, move.to.head_stride = 16;
    move.from_slots = reinterpret_cast<const int32_t*>(table);
    move.from_page_tokens = 16, move.to_page_tokens = 3, move.tokens = 3;
    move.n_layers = 1, move.n_planes = 2, move.n_heads = 4, move.row_bytes = 16;
    order.stream = fake_stream(1);
    uint64_t fence = 0;
    ASSERT_EQ(kvc_cuda_move(cuda_, &move, &order, &fence), KVC_OK) << words();
    ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
    const auto* rows = reinterpret_cast<const uint16_t*>(other_);
    for (int i = 0; i < 3; ++i)
      for (int plane = 0; plane < 2; ++plane)
        for (int head = 0; head < 4; ++head)
          for (int d = 0; d < 8; ++d)
            ASSERT_EQ(rows[(i * 2 + plane) * 32 + head * 8 + d], value(slots[i] / 16, plane, slots[i] % 16, head, d))
                << layout.axes;
  }
  kvc_cuda_tensor_t described{};
  ASSERT_EQ(import(tensor_, &described), KVC_OK);
  kvc_cuda_view_t view;
  EXPECT_EQ(kvc_cuda_tensor_view(cuda_, &described, "pkth", &view), KVC_E_SHAPE);
  EXPECT_EQ(kvc_cuda_tensor_view(cuda_, &described, "pkthh", &view), KVC_E_INVALID);
  EXPECT_EQ(kvc_cuda_tensor_view(cuda_, &described, "pkthx", &view), KVC_E_INVALID);
  EXPECT_EQ(kvc_cuda_tensor_view(cuda_, &described, "pkdht", &view), KVC_E_SHAPE)
      << "numbers that do not follow each other";
}

TEST_F(DlpackTest, IsGivenBackWhenTheDeviceIsDone) {
  static int deleted;
  deleted = 0;
  DLManagedTensorVersioned managed{1, 0, nullptr, [](DLManagedTensorVersioned*) { ++deleted; }, 0, tensor_};
  DLManagedTensor plain{tensor_, nullptr, [](DLManagedTensor*) { deleted += 10; }};
  kvc_cuda_order_t order{};
  order.struct_size = sizeof order;
  order.stream = fake_stream(1);
  ASSERT_EQ(kvc_cuda_begin(cuda_, &order), KVC_OK);
  fake_touch(static_cast<abi::Stream>(order.stream), memory_, 256, 0, 0);
  uint64_t fence = 0;
  ASSERT_EQ(kvc_cuda_end(cuda_, &order, &fence), KVC_OK);
  ASSERT_EQ(kvc_cuda_tensor_release(cuda_, &managed, 1, fence), KVC_OK);
  const bool at_once = kvc_cuda_query(cuda_, fence) == KVC_OK;
  EXPECT_TRUE(at_once || deleted == 0);
  ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
  ASSERT_EQ(kvc_cuda_tensor_release(cuda_, &plain, 0, 0), KVC_OK);
  EXPECT_EQ(deleted, 11);
}

TEST_F(DlpackTest, IsGivenBackAtTheEndAtLast) {
  static int deleted;
  deleted = 0;
  DLManagedTensor plain{tensor_, nullptr, [](DLManagedTensor*) { ++deleted; }};
  kvc_cuda_order_t order{};
  order.struct_size = sizeof order;
  order.stream = fake_stream(1);
  uint64_t fence = 0;
  fake_touch(static_cast<abi::Stream>(order.stream), other_, 256, 1, 0);
  ASSERT_EQ(kvc_cuda_end(cuda_, &order, &fence), KVC_OK);
  fake_fail_operation(1, 700);
  ASSERT_EQ(kvc_cuda_tensor_release(cuda_, &plain, 0, fence), KVC_OK);
  kvc_cuda_close(cuda_);
  cuda_ = nullptr;
  EXPECT_EQ(deleted, 1);
}

}  // namespace
}  // namespace kvc_cuda
