// A codec of a caller's: a byte a number. Of f32 pages it is a code between the page's smallest and largest, of others the
// number's higher byte. With switches for going wrong.
#ifndef KVC_TESTS_TOY_CODEC_H_
#define KVC_TESTS_TOY_CODEC_H_

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "kvc/kvc.h"

namespace kvc_test {

struct ToyCodec {
  struct Range {
    float low, step;
  };
  std::atomic<kvc_status_t> encode_status{KVC_OK}, decode_status{KVC_OK};
  std::atomic<int> encode_overrun{0}, decode_overrun{0};  // bytes; negative: before the buffer
  std::atomic<uint64_t> encodes{0}, decodes{0}, largest_decode{0};

  static uint64_t numbers(const kvc_codec_page_t* page) {
    return uint64_t{page->n_layers} * page->n_kv_heads * page->page_tokens * (page->k_head_dim + page->v_head_dim);
  }
  static void spill(void* buffer, uint64_t size, int bytes) {
    auto* at = static_cast<unsigned char*>(buffer);
    if (bytes > 0) std::memset(at + size, 0, static_cast<size_t>(bytes));
    if (bytes < 0) std::memset(at + bytes, 0, static_cast<size_t>(-bytes));
  }
  kvc_codec_t table(const char* name = "toy", uint32_t version = 1) {
    kvc_codec_t codec{};
    codec.struct_size = sizeof codec;
    codec.user_data = this;
    codec.name = name;
    codec.version = version;
    codec.encoded_size = [](void*, const kvc_codec_page_t* page) {
      return sizeof(Range) + numbers(page);
    };
    codec.encode = [](void* user, const kvc_codec_page_t* page, const void* clear, void* encoded, uint64_t size,
                      char* error, size_t error_size) -> kvc_status_t {
      auto* self = static_cast<ToyCodec*>(user);
      ++self->encodes;
      if (self->encode_status != KVC_OK) {
        std::snprintf(error, error_size, "the toy was told to fail");
        return self->encode_status;
      }
      const uint64_t n = numbers(page);
      if (page->dtype != KVC_F32) {
        const auto* words = static_cast<const uint16_t*>(clear);
        const uint16_t exponent = page->dtype == KVC_F16 ? 0x7c00 : 0x7f80;
        for (uint64_t i = 0; i < n; ++i) {
          if ((words[i] & exponent) == exponent) return KVC_E_UNSUPPORTED;
          (static_cast<uint8_t*>(encoded) + sizeof(Range))[i] = static_cast<uint8_t>(words[i] >> 8);
        }
        spill(encoded, size, self->encode_overrun);
        return KVC_OK;
      }
      const auto* x = static_cast<const float*>(clear);
      if (!std::all_of(x, x + n, [](float number) { return std::isfinite(number); })) return KVC_E_UNSUPPORTED;
      const auto [low, high] = std::minmax_element(x, x + n);
      const Range range{*low, std::max((*high - *low) / 255, 1e-30f)};
      std::memcpy(encoded, &range, sizeof range);
      auto* codes = static_cast<uint8_t*>(encoded) + sizeof range;
      for (uint64_t i = 0; i < n; ++i) codes[i] = static_cast<uint8_t>(std::lround((x[i] - range.low) / range.step));
      spill(encoded, size, self->encode_overrun);
      return KVC_OK;
    };
    codec.decode = [](void* user, const kvc_codec_page_t* page, const void* encoded, uint64_t size, uint32_t layer,
                      int32_t plane, uint32_t head, uint32_t from, uint32_t n, void* rows, char* error,
                      size_t error_size) -> kvc_status_t {
      auto* self = static_cast<ToyCodec*>(user);
      ++self->decodes;
      if (n > self->largest_decode) self->largest_decode = n;
      if (self->decode_status != KVC_OK) {
        std::snprintf(error, error_size, "the toy was told to fail");
        return self->decode_status;
      }
      if (size != sizeof(Range) + numbers(page)) return KVC_E_CORRUPT;
      Range range;
      std::memcpy(&range, encoded, sizeof range);
      const uint64_t k = uint64_t{page->n_kv_heads} * page->page_tokens * page->k_head_dim;
      const uint64_t v = uint64_t{page->n_kv_heads} * page->page_tokens * page->v_head_dim;
      const uint32_t dim = plane == KVC_KEY ? page->k_head_dim : page->v_head_dim;
      const auto* codes = static_cast<const uint8_t*>(encoded) + sizeof range + layer * (k + v) +
                          (plane == KVC_KEY ? 0 : k) + (uint64_t{head} * page->page_tokens + from) * dim;
      const uint64_t count = uint64_t{n} * dim;
      if (page->dtype != KVC_F32) {
        for (uint64_t i = 0; i < count; ++i) static_cast<uint16_t*>(rows)[i] = static_cast<uint16_t>(codes[i] << 8);
        spill(rows, count * sizeof(uint16_t), self->decode_overrun);
        return KVC_OK;
      }
      auto* out = static_cast<float*>(rows);
      for (uint64_t i = 0; i < count; ++i) out[i] = range.low + range.step * static_cast<float>(codes[i]);
      spill(rows, count * sizeof(float), self->decode_overrun);
      return KVC_OK;
    };
    return codec;
  }
};

}  // namespace kvc_test

#endif  // KVC_TESTS_TOY_CODEC_H_
