// Parts of attention put together on a device, against the same body on the host: bit for bit.
#include <limits>

#include "device_rig.h"

namespace kvc_cuda {
namespace {

TEST_F(DeviceTest, PutsPartsTogetherToTheBitsOfTheHost) {
  constexpr uint32_t kRows = 37, kDim = 80, kParts = 3, kNan = kDim + 5;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  kvc::Random random(11);
  // More than the state takes, so that a part's lie apart.
  constexpr uint64_t kState = kRows * kDim * 4, kStride = kState + kRows * 8 + 64;
  std::vector<unsigned char> parts = noise(kParts * kStride, 3);
  for (uint32_t part = 0; part < kParts; ++part) {
    for (uint32_t row = 0; row < kRows; ++row) {
      // Scores far apart and near each other; every seventh row has a part that saw nothing, the last row all of them.
      const bool nothing = row % 7 == part || row + 1 == kRows;
      const float state[2] = {nothing ? -kInfinity : static_cast<float>(random.unit() - .5) * (row % 2 == 0 ? 4 : 400),
                              nothing ? 0.0f : static_cast<float>(random.unit()) * 900 + 1};
      std::memcpy(&parts[part * kStride + kState + row * 8], state, 8);
      for (uint32_t d = 0; d < kDim; ++d) {
        // What a part that saw nothing left there counts as nothing, whatever it is.
        float value = nothing ? kInfinity : static_cast<float>(random.unit() * 6 - 3);
        if (row * kDim + d == kNan) value = std::numeric_limits<float>::quiet_NaN();
        std::memcpy(&parts[part * kStride + (row * kDim + d) * 4], &value, 4);
      }
    }
  }
  put(0, parts.data(), parts.size());
  for (const uint32_t n : {1u, 2u, kParts}) {
    for (const Number number : {Number::f32, Number::f16, Number::bf16}) {
      MergeArgs a;
      a.stride = kStride, a.parts = n, a.rows = kRows, a.dim = kDim, a.number = number;
      // Something follows what is written.
      std::vector<unsigned char> out(kRows * kDim * bytes_of(number) + 64, 0xcd), expected = out;
      MergeArgs host = a;
      host.values = parts.data(), host.state = parts.data() + kState, host.out = expected.data();
      host_merge_parts(host, merge_parts_shape(host), 1);
      put(1, out.data(), out.size());
      a.values = in<unsigned char>(0), a.state = in<unsigned char>(0, kState), a.out = in<unsigned char>(1);
      ASSERT_OK(gpu_->merge(a, order({0}, {1}), nullptr));
      get(1, out.data(), out.size());
      // Which NaN it is differs from processor to processor.
      EXPECT_TRUE(std::isnan(load_number(number, &out[kNan * bytes_of(number)])));
      EXPECT_TRUE(std::isnan(load_number(number, &expected[kNan * bytes_of(number)])));
      std::memcpy(&expected[kNan * bytes_of(number)], &out[kNan * bytes_of(number)], bytes_of(number));
      EXPECT_EQ(out, expected) << n << " parts";
      if (number != Number::f32) continue;
      // And what it has to be: the mean by the weights.
      const auto at = [&](uint64_t byte) {
        float x = 0;
        std::memcpy(&x, &parts[byte], 4);
        return double{x};
      };
      for (uint32_t i = 0; i < kRows * kDim; ++i) {
        double most = -kInfinity, sum = 0, weights = 0;
        for (uint32_t part = 0; part < n; ++part) most = std::max(most, at(part * kStride + kState + i / kDim * 8));
        for (uint32_t part = 0; part < n; ++part) {
          const double score = at(part * kStride + kState + i / kDim * 8);
          if (score == -kInfinity) continue;
          const double weight = std::exp2(score - most) * at(part * kStride + kState + i / kDim * 8 + 4);
          weights += weight, sum += weight * at(part * kStride + uint64_t{i} * 4);
        }
        const float got = load_number(number, &out[uint64_t{i} * 4]);
        if (i == kNan) continue;
        ASSERT_NEAR(got, weights == 0 ? 0 : sum / weights, 1e-5) << n << " parts, number " << i;
      }
    }
  }
}

}  // namespace
}  // namespace kvc_cuda
