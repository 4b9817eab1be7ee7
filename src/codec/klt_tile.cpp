#include "codec/klt_tile.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

namespace kvc {
namespace {

// Half the width of the best uniform grid for Gaussian numbers, in standard deviations (Max 1960).
constexpr float kGaussian[] = {0, 0.798f, 1.494f, 2.4f};

struct Bounds {
  int8_t low = 0, high = 0;
};

int8_t to_byte(float x) { return static_cast<int8_t>(std::clamp(x, -127.0f, 127.0f)); }

// low, high: of the n numbers at x.
Bounds find_bounds(const float* x, size_t n, uint32_t bits, float low, float high, float step, bool clip) {
  if (bits <= (clip ? 3u : 2u)) {
    float sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[i];
    const float mean = sum / static_cast<float>(n);
    if (bits == 0) {
      const int8_t at = to_byte(std::nearbyint(mean / step));
      return {at, at};
    }
    float squares = 0;
    for (size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float half = kGaussian[bits] * std::sqrt(squares / static_cast<float>(n));
    low = std::max(low, mean - half);
    high = std::min(high, mean + half);
  }
  return {to_byte(std::floor(low / step)), to_byte(std::ceil(high / step))};
}

}  // namespace

bool encode_groups(const float* numbers, size_t groups, size_t count, size_t skip, const float* deviation,
                   const uint8_t* bits, uint32_t same_bits, float floor, bool clip, std::byte* out) {
  const TransformKernels& kernels = transform_kernels();
  struct Range {
    float low = 0, high = 0;
  };
  std::vector<Range> ranges(groups);
  float unit = floor;
  for (size_t g = 0; g < groups; ++g) {
    Range& r = ranges[g];
    float low, high;
    // What does not count must be finite all the same.
    if (skip > 0 && !kernels.range(numbers + g * count, std::min(skip, count), &low, &high)) return false;
    if (skip < count && !kernels.range(numbers + g * count + skip, count - skip, &r.low, &r.high)) return false;
    const float largest = std::max(std::abs(r.low), std::abs(r.high));
    unit = std::max(unit, largest / (deviation != nullptr ? deviation[g] : 1.0f) / 126.0f);
  }
  if (!std::isfinite(unit)) return false;
  unit = std::max(unit, 1e-30f);
  std::memcpy(out, &unit, sizeof unit);
  std::byte* bounds = out + sizeof unit;
  std::byte* planes = bounds + 2 * groups;
  const size_t plane = plane_bytes(count);
  for (size_t g = 0; g < groups; ++g) {
    const float* x = numbers + g * count;
    const uint32_t width = bits != nullptr ? bits[g] : same_bits;
    const float step = unit * (deviation != nullptr ? deviation[g] : 1.0f);
    const Bounds b =
        skip < count ? find_bounds(x + skip, count - skip, width, ranges[g].low, ranges[g].high, step, clip) : Bounds{};
    bounds[2 * g] = static_cast<std::byte>(b.low);
    bounds[2 * g + 1] = static_cast<std::byte>(b.high);
    const float low = static_cast<float>(b.low) * step;
    const float last = static_cast<float>((1u << width) - 1);
    const float range = static_cast<float>(b.high - b.low) * step;
    const float inverse = range > 0 ? last / range : 0;
    kernels.pack(x, skip, count, low, inverse, width, reinterpret_cast<uint8_t*>(planes));
    planes += width * plane;
  }
  return true;
}

GroupDecoder::GroupDecoder(const std::byte* tile, size_t groups, size_t count, const float* deviation,
                           const uint8_t* bits, uint32_t same_bits)
    : kernels_(transform_kernels()),
      bounds_(tile + sizeof(float)),
      planes_(bounds_ + 2 * groups),
      deviation_(deviation),
      bits_(bits),
      count_(count),
      same_bits_(same_bits) {
  std::memcpy(&unit_, tile, sizeof unit_);
}

void GroupDecoder::next(float* out) {
  const uint32_t width = this->width();
  const float step = unit_ * (deviation_ != nullptr ? deviation_[group_] : 1.0f);
  const auto low = static_cast<float>(static_cast<int8_t>(bounds_[2 * group_])) * step;
  const auto high = static_cast<float>(static_cast<int8_t>(bounds_[2 * group_ + 1])) * step;
  const float scale = width == 0 ? 0 : (high - low) / static_cast<float>((1u << width) - 1);
  kernels_.unpack(reinterpret_cast<const uint8_t*>(planes_), width, count_, low, scale, out);
  skip();
}

void GroupDecoder::skip() {
  planes_ += width() * plane_bytes(count_);
  ++group_;
}

}  // namespace kvc
