#include "codec/klt_tile.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kvc {
namespace {

// Half the width of the best uniform grid for Gaussian numbers, in standard deviations (Max 1960).
constexpr float kGaussian[] = {0, 0.798f, 1.494f, 2.4f};

struct Bounds {
  int8_t low = 0, high = 0;
};

int8_t to_byte(float x) { return static_cast<int8_t>(std::clamp(x, -127.0f, 127.0f)); }

Bounds find_bounds(const float* x, size_t n, uint32_t bits, float step, bool clip) {
  float low = x[0], high = x[0], sum = 0;
  for (size_t i = 0; i < n; ++i) {
    low = std::min(low, x[i]);
    high = std::max(high, x[i]);
    sum += x[i];
  }
  const float mean = sum / static_cast<float>(n);
  if (bits == 0) {
    const int8_t at = to_byte(std::nearbyint(mean / step));
    return {at, at};
  }
  if (bits <= (clip ? 3u : 2u)) {
    float squares = 0;
    for (size_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
    const float half = kGaussian[bits] * std::sqrt(squares / static_cast<float>(n));
    low = std::max(low, mean - half);
    high = std::min(high, mean + half);
  }
  return {to_byte(std::floor(low / step)), to_byte(std::ceil(high / step))};
}

// Eight codes of up to 8 bits, a byte each: a bit of every plane goes to the byte of its number.
uint64_t eight_codes(const std::byte* planes, size_t plane, uint32_t width) {
  uint64_t codes = 0;
  for (uint32_t bit = 0; bit < width; ++bit) {
    const auto byte = static_cast<uint64_t>(planes[bit * plane]);
    const uint64_t low_half = (byte & 0xf) * 0x00204081 & 0x01010101;
    const uint64_t high_half = (byte >> 4) * 0x00204081 & 0x01010101;
    codes |= (low_half | high_half << 32) << bit;
  }
  return codes;
}

}  // namespace

bool encode_groups(const float* numbers, size_t groups, size_t count, size_t skip, const float* deviation,
                   const uint8_t* bits, uint32_t same_bits, float floor, bool clip, std::byte* out) {
  const size_t total = groups * count;
  // Infinities and NaN turn this into a NaN.
  float finite = 0;
  for (size_t i = 0; i < total; ++i) finite += numbers[i] * 0.0f;
  if (finite != 0.0f) return false;
  float unit = floor;
  for (size_t g = 0; g < groups; ++g) {
    float largest = 0;
    for (size_t i = skip; i < count; ++i) largest = std::max(largest, std::abs(numbers[g * count + i]));
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
    const Bounds b = skip < count ? find_bounds(x + skip, count - skip, width, step, clip) : Bounds{};
    bounds[2 * g] = static_cast<std::byte>(b.low);
    bounds[2 * g + 1] = static_cast<std::byte>(b.high);
    const float low = static_cast<float>(b.low) * step;
    const float last = static_cast<float>((1u << width) - 1);
    const float range = static_cast<float>(b.high - b.low) * step;
    const float inverse = range > 0 ? last / range : 0;
    std::memset(planes, 0, width * plane);
    for (size_t i = skip; i < count && width > 0; ++i) {
      const auto code = static_cast<uint32_t>(std::nearbyint(std::clamp((x[i] - low) * inverse, 0.0f, last)));
      for (uint32_t bit = 0; bit < width; ++bit) {
        planes[bit * plane + i / 8] |= static_cast<std::byte>((code >> bit & 1) << (i % 8));
      }
    }
    planes += width * plane;
  }
  return true;
}

GroupDecoder::GroupDecoder(const std::byte* tile, size_t groups, size_t count, const float* deviation,
                           const uint8_t* bits, uint32_t same_bits)
    : bounds_(tile + sizeof(float)),
      planes_(bounds_ + 2 * groups),
      deviation_(deviation),
      bits_(bits),
      count_(count),
      same_bits_(same_bits) {
  std::memcpy(&unit_, tile, sizeof unit_);
}

void GroupDecoder::next(float* out) {
  const uint32_t width = this->width();
  const size_t plane = plane_bytes(count_);
  const float step = unit_ * (deviation_ != nullptr ? deviation_[group_] : 1.0f);
  const auto low = static_cast<float>(static_cast<int8_t>(bounds_[2 * group_])) * step;
  const auto high = static_cast<float>(static_cast<int8_t>(bounds_[2 * group_ + 1])) * step;
  if (width == 0) {
    std::fill_n(out, count_, low);
  } else {
    const float scale = (high - low) / static_cast<float>((1u << width) - 1);
    for (size_t j = 0; j < plane; ++j) {
      const uint64_t codes = eight_codes(planes_ + j, plane, std::min(width, 8u));
      if (width <= 8) {
        for (size_t i = 0; i < 8; ++i) {
          out[8 * j + i] = low + scale * static_cast<float>(static_cast<uint8_t>(codes >> (8 * i)));
        }
        continue;
      }
      const uint64_t upper = eight_codes(planes_ + 8 * plane + j, plane, width - 8);
      for (size_t i = 0; i < 8; ++i) {
        const uint32_t low_byte = static_cast<uint8_t>(codes >> (8 * i));
        const uint32_t code = low_byte | uint32_t{static_cast<uint8_t>(upper >> (8 * i))} << 8;
        out[8 * j + i] = low + scale * static_cast<float>(code);
      }
    }
  }
  skip();
}

void GroupDecoder::skip() {
  planes_ += width() * plane_bytes(count_);
  ++group_;
}

}  // namespace kvc
