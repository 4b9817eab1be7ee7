// Pages of codec klt as far as their time goes: where their parts lie and how many bits they have, of a model whose
// keys turn (RoPE). What numbers the codes stand for is nothing to a clock.
#pragma once

#include <cstring>
#include <vector>

#include "kernels/klt_tables.h"

namespace kvc_cuda {

struct KltBenchPages {
  // Keys of 2.5 bits a number, as learned ones mostly are: many of the first channels, none of the last; values of 3.
  static constexpr uint32_t kValueBits = 3;
  static uint8_t key_bits(uint32_t channel) { return channel < 16 ? 6 : channel < 48 ? 4 : channel < 96 ? 2 : 0; }

  explicit KltBenchPages(uint32_t heads) {
    form = {1, heads, 128, 128, kKltTile, 1, 64};
    uint32_t all_bits = 0;
    for (uint32_t c = 0; c < form.channels(); ++c) all_bits += key_bits(c);
    key_tile_ = 4 + 2 * form.channels() + all_bits * (kKltTile / 8);
    value_tile_ = 4 + 2 * kKltTile + kKltTile * kValueBits * (form.v_dim / 8);
  }
  uint64_t page_bytes() const {
    return (kKltHeader + uint64_t{form.n_heads} * (key_tile_ + value_tile_) + 63) / 64 * 64;
  }
  // Of the page at `coded` in device memory, in the clear page `clear` of a view.
  std::vector<unsigned char> table(uint64_t coded, int32_t clear = 0) const {
    std::vector<unsigned char> out(form.page_bytes());
    KltPage page;
    page.coded = coded, page.clear = clear;
    page.exact_at = page_bytes();
    std::memcpy(out.data(), &page, sizeof page);
    uint32_t at = kKltHeader;
    for (uint32_t part = 0; part < form.parts(); ++part) {
      std::memcpy(&out[form.tile_at(0, part, 0)], &at, sizeof at);
      at += part < form.blocks() ? key_tile_ : value_tile_;
    }
    // By no angle: a cosine and a sine of each pair.
    for (uint32_t pair = 0; pair < form.pairs; ++pair) put(1, &out[form.turns_at() + pair * 2 * sizeof(float)]);
    return out;
  }
  std::vector<unsigned char> calibration() const {
    std::vector<unsigned char> out(form.calibration_bytes());
    for (uint64_t i = 0; i < form.vectors(); ++i)
      out[form.key_bits_at() + i] = key_bits(static_cast<uint32_t>(i) % form.channels());
    std::memset(&out[form.value_bits_at()], static_cast<int>(kValueBits), form.n_heads);
    // Encoding divides by the deviation of a channel.
    for (uint64_t i = 0; i < form.vectors(); ++i) put(1, &out[form.deviation_at() + i * sizeof(float)]);
    // Cosines of a pair's steps, then its sines.
    for (uint64_t i = 0; i < uint64_t{form.pairs} * kKltTile; ++i) {
      const uint64_t cosine = i / kKltTile * 2 * kKltTile + i % kKltTile;
      put(1, &out[form.steps_at() + cosine * sizeof(float)]);
    }
    return out;
  }
  // A basis, of any numbers.
  std::vector<float> analysis() const {
    std::vector<float> out(form.analysis_bytes() / sizeof(float));
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(i * 2654435761u % 1000) / 10000.0f - .05f;
    return out;
  }

  KltForm form;

 private:
  static void put(float number, unsigned char* to) { std::memcpy(to, &number, sizeof number); }

  uint32_t key_tile_ = 0, value_tile_ = 0;
};

}  // namespace kvc_cuda
