// Sessions whose pages are encoded, and what attention on a device is compared with.
#pragma once

#include "session_rig.h"

namespace kvc_cuda {

class SessionCodedTest : public SessionDeviceTest {
 protected:
  // Large enough to become smaller.
  SessionCodedTest() { shape = {16, 32}; }
  ~SessionCodedTest() override {
    on_host_access = nullptr;
    shape = {};
  }

  static constexpr uint32_t kGroup = 2;
  static std::vector<float> any_query(uint64_t seed) {
    std::vector<float> query(kHeads * kGroup * shape.dim);
    Random random(seed);
    for (float& x : query) x = static_cast<float>(random.next() % 2000) / 1000.0f - 1;
    return query;
  }
  // Attention of a layer over all that the session has, on the host: what codecs that learn look at.
  std::vector<float> show_query(uint32_t layer, uint64_t seed) {
    std::vector<float> query = any_query(seed), result(query.size());
    TensorView q = tensor(query, 1), out = tensor(result, 1);
    q.shape[1] = out.shape[1] = kHeads * kGroup;
    q.strides[0] = out.strides[0] = kHeads * kGroup * shape.dim;
    kvc::AttendCall call;
    call.position = session->info().length - 1;
    EXPECT_OK(session->attend(layer, call, q, out));
    return result;
  }
  // The same there: what a call needs, in the application's memory.
  static constexpr uint64_t kQuery = 5;
  DeviceAttend any_attend(uint32_t layer) {
    const std::vector<float> query = any_query(kQuery);
    const size_t bytes = query.size() * sizeof(float);
    DeviceAttend attend;
    attend.query = reinterpret_cast<const void*>(bench().application->put(query.data(), bytes));
    attend.out = reinterpret_cast<void*>(bench().application->take(bytes));
    attend.group = kGroup, attend.splits = 2, attend.layer = layer;
    attend.query_dtype = attend.out_dtype = KVC_F32;
    EXPECT_OK(session->device_attend_bytes(attend, session->info().length, &attend.room_bytes));
    attend.room = bench().application->take(attend.room_bytes);
    return attend;
  }
  // It equals sums in double precision over what the host reads.
  void expect_attended(const DeviceAttend& attend, double bound) {
    const size_t n = session->info().length;
    const std::vector<float> query = any_query(kQuery);
    std::vector<float> k(n * kHeads * shape.dim), v(k.size());
    ASSERT_OK(session->read(attend.layer, KVC_KEY, 0, n, tensor(k, n)));
    ASSERT_OK(session->read(attend.layer, KVC_VALUE, 0, n, tensor(v, n)));
    const auto* got = static_cast<const float*>(attend.out);
    for (uint32_t head = 0; head < kHeads * kGroup; ++head) {
      const float* q = &query[head * shape.dim];
      const auto row = [&](const std::vector<float>& rows, size_t t) {
        return &rows[(t * kHeads + head / kGroup) * shape.dim];
      };
      std::vector<double> expected(shape.dim);
      double sum = 0;
      for (size_t t = 0; t < n; ++t) {
        double score = 0;
        for (uint32_t d = 0; d < shape.dim; ++d) score += double{q[d]} * double{row(k, t)[d]};
        const double weight = std::exp(score / std::sqrt(static_cast<double>(shape.dim)));
        sum += weight;
        for (uint32_t d = 0; d < shape.dim; ++d) expected[d] += weight * double{row(v, t)[d]};
      }
      for (uint32_t d = 0; d < shape.dim; ++d)
        ASSERT_NEAR(got[head * shape.dim + d], expected[d] / sum, bound) << head << " " << d;
    }
  }
  void expect_attention(uint32_t layer, double bound = 5e-6) {
    DeviceAttend attend = any_attend(layer);
    uint64_t fence = 0;
    ASSERT_OK(session->device_attend(attend, bench().on(1), &fence));
    ASSERT_OK(bench().pages().wait(fence));
    ASSERT_NO_FATAL_FAILURE(expect_attended(attend, bound));
    attend.room_bytes = 16;
    EXPECT_EQ(session->device_attend(attend, bench().on(1), &fence).code(), KVC_E_INVALID);
  }

  // The page from token `from` on, by the library's encoder, with what it learned.
  std::vector<std::byte> encoded(const char* codec, size_t from,
                                 const kvc::KltCalibration* calibration = nullptr) const {
    kvc::PageGeometry g;
    g.n_layers = kLayers, g.n_kv_heads = kHeads, g.k_dim = g.v_dim = shape.dim, g.page_tokens = shape.tokens,
    g.dtype = kvc::DType::f32;
    std::vector<std::byte> page(g.page_bytes());
    for (uint32_t layer = 0; layer < kLayers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const std::vector<float> rows = Content::rows(tokens, from, shape.tokens, layer, plane);
        for (uint32_t t = 0; t < shape.tokens; ++t) {
          for (uint32_t head = 0; head < kHeads; ++head) {
            std::memcpy(page.data() + g.head_offset(layer, plane, head) + t * g.row_bytes(plane),
                        &rows[(t * kHeads + head) * shape.dim], g.row_bytes(plane));
          }
        }
      }
    }
    const CacheOptions defaults;
    kvc::EncodeOptions options;
    options.key_bits = defaults.codec_key_bits, options.value_bits = defaults.codec_value_bits;
    options.position = from;
    options.calibration = calibration;
    options.exact_tokens = from == 0 ? kvc::kSinkTokens : 0;
    const kvc::Codec& encoder = *kvc::find_codec(codec);
    std::vector<std::byte> out(encoder.encoded_bytes(g, options));
    EXPECT_OK(encoder.encode(g, options, page, out));
    return out;
  }
};

}  // namespace kvc_cuda
