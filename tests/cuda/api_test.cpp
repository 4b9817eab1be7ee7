// The C interface on the fake driver, as a program uses it; and placement.
#include "api.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <deque>
#include <string>
#include <vector>

#include "fake_rig.h"
#include "placement.h"

namespace kvc_cuda {
namespace {

class ApiTest : public testing::Test {
 protected:
  void SetUp() override {
    FakeOptions fake;
    fake_reset(&fake);
    options_.struct_size = sizeof options_;
    options_.slots = 4, options_.slot_bytes = 16384;
  }
  void open() {
    kvc_error_t error{};
    error.struct_size = sizeof error;
    ASSERT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options_, &cuda_, &error), KVC_OK) << error.message;
  }
  void TearDown() override {
    kvc_cuda_close(cuda_);
    EXPECT_EQ(fake_live(), 0u);
    EXPECT_EQ(fake_races(), 0u) << fake_first_race();
    EXPECT_EQ(fake_violations(), 0u) << fake_first_violation();
  }
  std::string words() {
    char text[512];
    kvc_cuda_last_error(cuda_, text, sizeof text);
    return text;
  }
  kvc_cuda_order_t order(void* stream, std::initializer_list<uint32_t> reads, std::initializer_list<uint32_t> writes) {
    kvc_cuda_order_t o{};
    o.struct_size = sizeof o;
    o.stream = stream;
    o.reads = lists_.emplace_back(reads).data(), o.n_reads = static_cast<uint32_t>(reads.size());
    o.writes = lists_.emplace_back(writes).data(), o.n_writes = static_cast<uint32_t>(writes.size());
    return o;
  }
  std::deque<std::vector<uint32_t>> lists_;  // of orders
  kvc_cuda_stats_t stats() {
    kvc_cuda_stats_t s{};
    s.struct_size = sizeof s;
    EXPECT_EQ(kvc_cuda_stats(cuda_, &s), KVC_OK);
    return s;
  }
  kvc_cuda_options_t options_{};
  kvc_cuda_t* cuda_ = nullptr;
};

TEST_F(ApiTest, SaysWhyThereIsNoDevice) {
  kvc_error_t error{};
  error.struct_size = sizeof error;
  EXPECT_EQ(open_with("libcuda_that_is_nowhere.so.1", kNoKernels, &options_, &cuda_, &error), KVC_E_UNSUPPORTED);
  EXPECT_NE(std::string(error.message).find("no NVIDIA driver"), std::string::npos) << error.message;
  EXPECT_EQ(cuda_, nullptr);
  options_.device = 5;
  EXPECT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options_, &cuda_, &error), KVC_E_UNSUPPORTED);
  options_.struct_size = 3;
  EXPECT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, &options_, &cuda_, nullptr), KVC_E_STRUCT_SIZE);
  EXPECT_EQ(open_with(KVC_TEST_FAKE_DRIVER, kNoKernels, nullptr, &cuda_, nullptr), KVC_E_NULL);
  EXPECT_EQ(kvc_cuda_query(nullptr, 1), KVC_E_NULL);
}

TEST_F(ApiTest, RefusesArgumentsThatMakeNoSense) {
  open();
  EXPECT_EQ(kvc_cuda_acquire(cuda_, 1, nullptr), KVC_E_NULL);
  uint32_t slots[5];
  EXPECT_EQ(kvc_cuda_acquire(cuda_, 5, slots), KVC_E_NO_MEMORY);
  EXPECT_NE(words().find("5 slots were asked for"), std::string::npos) << words();
  EXPECT_EQ(kvc_cuda_begin(cuda_, nullptr), KVC_E_NULL);
  kvc_cuda_order_t o = order(fake_stream(0), {}, {});
  o.n_wait = 1;
  EXPECT_EQ(kvc_cuda_begin(cuda_, &o), KVC_E_NULL);
  o = order(fake_stream(0), {7}, {});
  EXPECT_EQ(kvc_cuda_begin(cuda_, &o), KVC_E_INVALID);
  o = order(fake_stream(0), {}, {});
  kvc_cuda_pages_t pages{};
  pages.struct_size = sizeof pages;
  pages.n_layers = pages.n_kv_heads = 1, pages.k_head_dim = pages.v_head_dim = 64, pages.page_tokens = 16,
  pages.dtype = KVC_F16;
  uint64_t bytes = 0;
  std::strcpy(pages.codec, "klt");
  EXPECT_EQ(kvc_cuda_encoded_bytes(cuda_, &pages, &bytes), KVC_E_UNSUPPORTED);
  std::strcpy(pages.codec, "mixed");
  EXPECT_EQ(kvc_cuda_encoded_bytes(cuda_, &pages, &bytes), KVC_E_INVALID) << "of no bits";
  pages.key_bits = 8, pages.value_bits = 4;
  EXPECT_EQ(kvc_cuda_encoded_bytes(cuda_, &pages, &bytes), KVC_OK);
  EXPECT_GT(bytes, 0u);
  pages.dtype = KVC_U8;
  EXPECT_EQ(kvc_cuda_encoded_bytes(cuda_, &pages, &bytes), KVC_E_DTYPE);
  EXPECT_EQ(kvc_cuda_decode(cuda_, &pages, 1, nullptr, nullptr, &o, nullptr), KVC_E_DTYPE);
}

// A prompt's K/V is appended, its page encoded, swapped out, brought back and attended over.
TEST_F(ApiTest, AppendsEncodesSwapsAndAttends) {
  open();
  uint32_t slot[4];
  uint64_t at[4];
  ASSERT_EQ(kvc_cuda_acquire(cuda_, 4, slot), KVC_OK);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(kvc_cuda_address(cuda_, slot[i], &at[i]), KVC_OK);
  void* model = fake_stream(0);
  void* copies = fake_stream(0);
  constexpr uint32_t kTokens = 16, kDim = 32;
  struct Device {  // what lies in slot 3
    uint64_t encoded;
    uint32_t one, length, failed;
    int32_t slots[kTokens];
    float query[kDim], out[kDim];
    float kv[2][kTokens][kDim];
  };
  std::vector<Device> tables(1);
  Device& t = tables[0];
  t.encoded = at[1], t.one = 1, t.length = kTokens, t.failed = 0;
  for (uint32_t i = 0; i < kTokens; ++i) {
    t.slots[i] = static_cast<int32_t>(i);
    for (uint32_t d = 0; d < kDim; ++d) {
      t.query[d] = 0.1f * static_cast<float>(d % 7);
      t.kv[0][i][d] = std::sin(static_cast<float>(i * 3 + d));
      t.kv[1][i][d] = std::cos(static_cast<float>(i + d * 5));
    }
  }
  static_assert(sizeof(Device) < 16384);
  kvc_cuda_order_t o = order(nullptr, {}, {slot[3]});
  ASSERT_EQ(kvc_cuda_upload(cuda_, at[3], &t, sizeof t, &o), KVC_OK) << words();
  const auto device = [&](size_t offset) { return at[3] + offset; };

  kvc_cuda_pages_t pages{};
  pages.struct_size = sizeof pages;
  pages.n_layers = pages.n_kv_heads = 1, pages.k_head_dim = pages.v_head_dim = kDim, pages.page_tokens = kTokens;
  pages.dtype = KVC_F32;
  std::strcpy(pages.codec, "int8");
  pages.exact_tokens = 2;
  pages.clear = {at[0], nullptr, 0, 0, kTokens * kDim * 4, kTokens * kDim * 4, kDim * 4};
  kvc_cuda_move_t append{};
  append.struct_size = sizeof append;
  append.from = {device(offsetof(Device, kv)), nullptr, 0, 0, kTokens * kDim * 4, 0, kDim * 4};
  append.to = pages.clear;
  append.to_slots = reinterpret_cast<const int32_t*>(device(offsetof(Device, slots)));
  append.from_page_tokens = append.to_page_tokens = append.tokens = kTokens;
  append.n_layers = append.n_heads = 1, append.n_planes = 2, append.row_bytes = kDim * 4;
  o = order(model, {slot[3]}, {slot[0]});
  ASSERT_EQ(kvc_cuda_move(cuda_, &append, &o, nullptr), KVC_OK) << words();
  o = order(copies, {slot[0]}, {slot[1], slot[3]});
  ASSERT_EQ(kvc_cuda_encode(cuda_, &pages, 1, nullptr, reinterpret_cast<const uint64_t*>(device(0)),
                            reinterpret_cast<uint32_t*>(device(offsetof(Device, failed))), &o, nullptr),
            KVC_OK)
      << words();
  uint64_t bytes = 0, out_fence = 0, in_fence = 0;
  ASSERT_EQ(kvc_cuda_encoded_bytes(cuda_, &pages, &bytes), KVC_OK);

  // Out to the host, over other bytes, and back.
  std::vector<unsigned char> host(bytes);
  ASSERT_EQ(kvc_cuda_pin(cuda_, host.data(), host.size()), KVC_OK);
  const kvc_cuda_copy_t copy = {at[1], host.data(), bytes};
  o = order(copies, {slot[1]}, {});
  ASSERT_EQ(kvc_cuda_swap_out(cuda_, &copy, 1, &o, &out_fence), KVC_OK) << words();
  o = order(model, {}, {slot[1]});
  ASSERT_EQ(kvc_cuda_begin(cuda_, &o), KVC_OK);
  fake_touch(static_cast<abi::Stream>(model), at[1], bytes, 1, 0xff);
  ASSERT_EQ(kvc_cuda_end(cuda_, &o, nullptr), KVC_OK);
  o = order(copies, {}, {slot[1]});
  o.wait = &out_fence, o.n_wait = 1;
  ASSERT_EQ(kvc_cuda_swap_in(cuda_, &copy, 1, &o, &in_fence), KVC_OK) << words();

  kvc_cuda_attend_t attend{};
  attend.struct_size = sizeof attend;
  attend.query = reinterpret_cast<const void*>(device(offsetof(Device, query)));
  attend.out = reinterpret_cast<void*>(device(offsetof(Device, out)));
  attend.lengths = reinterpret_cast<const uint32_t*>(device(offsetof(Device, length)));
  attend.n_encoded = reinterpret_cast<const uint32_t*>(device(offsetof(Device, one)));
  attend.encoded_pages = reinterpret_cast<const uint64_t*>(device(0)), attend.encoded_stride = 1;
  attend.n_sequences = attend.group = attend.splits = 1, attend.query_dtype = attend.out_dtype = KVC_F32;
  attend.room = reinterpret_cast<void*>(at[2]);
  ASSERT_EQ(kvc_cuda_attend_bytes(cuda_, &pages, &attend, &bytes), KVC_OK) << words();
  ASSERT_LE(bytes, 16384u);
  o = order(model, {slot[1]}, {slot[2], slot[3]});
  uint64_t fence = 0;
  ASSERT_EQ(kvc_cuda_attend(cuda_, &pages, &attend, &o, &fence), KVC_OK) << words();
  ASSERT_EQ(kvc_cuda_wait(cuda_, fence), KVC_OK);
  EXPECT_EQ(kvc_cuda_query(cuda_, fence), KVC_OK);
  EXPECT_EQ(kvc_cuda_query(cuda_, in_fence), KVC_OK);
  Device result;
  o = order(nullptr, {slot[3]}, {});
  ASSERT_EQ(kvc_cuda_download(cuda_, &result, at[3], sizeof result, &o), KVC_OK);
  EXPECT_EQ(result.failed, 0u);
  double total = 0, expected[kDim] = {};
  for (uint32_t i = 0; i < kTokens; ++i) {
    double score = 0;
    for (uint32_t d = 0; d < kDim; ++d) score += t.query[d] * t.kv[0][i][d];
    const double weight = std::exp(score / std::sqrt(kDim));
    total += weight;
    for (uint32_t d = 0; d < kDim; ++d) expected[d] += weight * t.kv[1][i][d];
  }
  for (uint32_t d = 0; d < kDim; ++d) EXPECT_NEAR(result.out[d], expected[d] / total, 0.02) << d;
  ASSERT_EQ(kvc_cuda_unpin(cuda_, host.data()), KVC_OK);
  ASSERT_EQ(kvc_cuda_release(cuda_, 4, slot), KVC_OK);
  const kvc_cuda_stats_t s = stats();
  EXPECT_EQ(s.slots_used, 0u);
  EXPECT_EQ(s.to_host_bytes, host.size() + sizeof result);
  EXPECT_EQ(s.to_device_bytes, host.size() + sizeof t);
  EXPECT_EQ(s.staged_bytes, sizeof t + sizeof result);
  EXPECT_EQ(s.launches, 4u);
  EXPECT_EQ(s.lost, 0);
}

TEST_F(ApiTest, AnEnginesPagesLieInPinnedMemory) {
  options_.pinned_bytes = 8 << 20;
  open();
  while (stats().pool_ready < stats().pool_bytes) {
  }
  kvc_allocator_t allocator{};
  ASSERT_EQ(kvc_cuda_allocator(cuda_, &allocator), KVC_OK);
  kvc_config_t* config = nullptr;
  ASSERT_EQ(kvc_config_create(nullptr, &config), KVC_OK);
  ASSERT_EQ(kvc_config_set(config, "model", "none"), KVC_OK);
  ASSERT_EQ(kvc_config_set(config, "memory", "32MiB"), KVC_OK);
  ASSERT_EQ(kvc_config_set_allocator(config, &allocator), KVC_OK);
  kvc_engine_t* engine = nullptr;
  ASSERT_EQ(kvc_engine_create(config, &engine), KVC_OK);
  std::vector<float> numbers(300000, 1.5f);
  kvc_tensor_t tensor{};
  tensor.struct_size = sizeof tensor;
  tensor.data = numbers.data(), tensor.size = numbers.size() * 4, tensor.dtype = KVC_F32, tensor.n_dims = 1;
  tensor.shape[0] = static_cast<int64_t>(numbers.size());
  // Twelve of 1.2 MB: more than the pool has.
  for (char key = 'a'; key < 'm'; ++key) ASSERT_EQ(kvc_put(engine, nullptr, &key, 1, &tensor), KVC_OK);
  const kvc_cuda_stats_t full = stats();
  EXPECT_GT(full.pool_used, 6u << 20);
  EXPECT_LE(full.pool_used, full.pool_bytes);
  EXPECT_GT(full.pool_missed, 0u);
  kvc_engine_destroy(engine);
  kvc_config_destroy(config);
  EXPECT_EQ(stats().pool_used, 0u);
  EXPECT_EQ(stats().pool_missed, 0u);
}

TEST_F(ApiTest, AsksForRoomThroughTheTable) {
  struct Owner {
    kvc_cuda_t* cuda = nullptr;
    uint32_t slots[4] = {};
    uint32_t kept = 4;
  } owner;
  options_.user_data = &owner;
  options_.reclaim = [](void* user_data, uint64_t) -> int32_t {
    auto* own = static_cast<Owner*>(user_data);
    return own->kept > 0 && kvc_cuda_release(own->cuda, 1, &own->slots[--own->kept]) == KVC_OK;
  };
  open();
  owner.cuda = cuda_;
  ASSERT_EQ(kvc_cuda_acquire(cuda_, 4, owner.slots), KVC_OK);
  uint32_t more[2];
  EXPECT_EQ(kvc_cuda_acquire(cuda_, 2, more), KVC_OK);
  EXPECT_EQ(owner.kept, 2u);
}

// --- placement
// --------------------------------------------------------------------------------------------------------

kvc_cuda_candidate_t candidate(uint64_t cached, uint64_t queued, uint64_t free, uint64_t busy) {
  return {cached, queued, 50'000'000'000, free, busy, 1, 0};
}

TEST(PlacementTest, PrefersWhereThePrefixLies) {
  const kvc_cuda_candidate_t devices[] = {candidate(0, 0, 1 << 30, 0), candidate(1 << 28, 0, 1 << 30, 0)};
  EXPECT_EQ(choose(devices, 1 << 28), 1);
  EXPECT_EQ(choose(devices, 0), 0) << "without a prefix, the first of equals";
}

TEST(PlacementTest, LeavesABusyDeviceWhenCopyingIsQuicker) {
  // 256 MiB over 50 GB/s: 5.4 ms.
  const uint64_t prefix = 1 << 28;
  kvc_cuda_candidate_t devices[] = {candidate(prefix, 0, 1 << 30, 5'000'000), candidate(0, 0, 1 << 30, 0)};
  EXPECT_EQ(choose(devices, prefix), 0);
  devices[0].busy_ns = 6'000'000;
  EXPECT_EQ(choose(devices, prefix), 1);
  devices[1].queued_bytes = 1 << 28;  // but its link has as much to do already
  EXPECT_EQ(choose(devices, prefix), 0);
  devices[1].queued_bytes = 0, devices[1].free_bytes = 0;  // or as much has to leave first
  EXPECT_EQ(choose(devices, prefix), 0);
}

TEST(PlacementTest, NeverChoosesALostDevice) {
  kvc_cuda_candidate_t devices[] = {candidate(1 << 28, 0, 1 << 30, 0), candidate(0, 1ull << 40, 0, ~0ull)};
  devices[0].usable = 0;
  uint32_t chosen = 9;
  EXPECT_EQ(kvc_cuda_choose(devices, 2, 1 << 28, &chosen), KVC_OK);
  EXPECT_EQ(chosen, 1u);
  devices[1].usable = 0;
  EXPECT_EQ(kvc_cuda_choose(devices, 2, 1 << 28, &chosen), KVC_E_NOT_FOUND);
  EXPECT_EQ(kvc_cuda_choose(nullptr, 0, 0, &chosen), KVC_E_NOT_FOUND);
  EXPECT_EQ(kvc_cuda_choose(nullptr, 1, 0, &chosen), KVC_E_NULL);
}

// Sessions one after the other: work spreads until every device has about the same ahead.
TEST(PlacementTest, SpreadsSessions) {
  std::vector<kvc_cuda_candidate_t> devices(8, candidate(0, 0, 1ull << 40, 0));
  for (int i = 0; i < 800; ++i) {
    const int chosen = choose(devices, 1 << 20);
    ASSERT_GE(chosen, 0);
    devices[static_cast<size_t>(chosen)].queued_bytes += 1 << 20;
  }
  for (const auto& device : devices) EXPECT_EQ(device.queued_bytes, 100u << 20);
}

}  // namespace
}  // namespace kvc_cuda
