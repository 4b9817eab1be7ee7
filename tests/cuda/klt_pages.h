// Encoded pages of klt, lowrank and auto as the library writes them, with what kernels are given of them.
#pragma once

#include "klt_rig.h"

namespace kvc_cuda {

// Encoded pages of random numbers, one after the other, and their tables.
struct KltPages {
  KltPages(const KltCase& c, uint32_t n) : codec(*kvc::find_codec(c.codec)) {
    Random random(c.dim * 131 + c.page_tokens);
    g = geometry_of(c);
    kvc::EncodeOptions options;
    options.exact_tokens = c.exact;
    options.position = 12345;
    options.key_bits = 5, options.value_bits = 3;
    KltLevels levels;
    if (c.learned != Learned::no) {
      calibration = any_calibration(c, g, &random);
      register_calibration(calibration);
      options.calibration = calibration.get();
    }
    EXPECT_TRUE(is_klt(codec));
    coded.resize(n);
    for (uint32_t page = 0; page < n; ++page) {
      // Each page has levels of its own.
      levels = {};
      if (c.learned == Learned::levels) {
        for (size_t i = 0; i < size_t{g.n_layers} * calibration->blocks(); ++i) {
          const auto steps =
              static_cast<uint16_t>(random.next() % (calibration->channels() * KltCalibration::kMaxBits + 1));
          levels.key_steps.push_back(i == 1 ? KltLevels::kRawKeys : steps);
        }
        for (uint32_t i = 0; i < g.n_layers * g.n_kv_heads; ++i) {
          const auto bits = static_cast<uint8_t>(random.next() % KltCalibration::kMaxBits + 1);
          levels.value_bits.push_back(i == 1 ? KltLevels::kRawValues : bits);
        }
        options.levels = &levels;
      }
      const std::vector<std::byte> clear = any_page(c, g, &random);
      options.position += c.page_tokens;
      coded[page].resize(codec.encoded_bytes(g, options));
      const kvc::Status encoded = codec.encode(g, options, clear, coded[page]);
      EXPECT_TRUE(encoded.is_ok()) << encoded.message();
      kvc::KltPlan plan;
      const kvc::Status planned = plan_klt(codec, g, coded[page], &plan);
      EXPECT_TRUE(planned.is_ok()) << planned.message();
      form = klt_form(g, plan.calibration.get());
      const std::vector<std::byte> table = make_klt_table(form, plan);
      EXPECT_EQ(table.size(), form.page_bytes());
      tables.insert(tables.end(), table.begin(), table.end());
      this->page(page).coded = reinterpret_cast<uint64_t>(coded[page].data());
      this->page(page).clear = static_cast<int32_t>(n - 1 - page);
    }
    if (calibration == nullptr) return;
    uploaded.resize(form.calibration_bytes());
    write_klt_calibration(*calibration, form, uploaded);
  }
  KltPage& page(uint32_t i) { return *reinterpret_cast<KltPage*>(tables.data() + i * form.page_bytes()); }
  const unsigned char* learned() const {
    return uploaded.empty() ? nullptr : reinterpret_cast<const unsigned char*>(uploaded.data());
  }
  // As the library decodes it.
  std::vector<std::byte> decoded(uint32_t page) const {
    std::vector<std::byte> out(g.page_bytes());
    for (uint32_t layer = 0; layer < g.n_layers; ++layer) {
      for (const int plane : {KVC_KEY, KVC_VALUE}) {
        const kvc::Status status =
            codec.decode(g, coded[page], layer, plane, 0, g.page_tokens, out.data() + g.plane_offset(layer, plane),
                         g.head_bytes(plane), g.row_bytes(plane));
        EXPECT_TRUE(status.is_ok()) << status.message();
      }
    }
    return out;
  }

  const kvc::Codec& codec;
  kvc::PageGeometry g;
  std::shared_ptr<const KltCalibration> calibration;
  std::vector<std::vector<std::byte>> coded;
  KltForm form;
  std::vector<std::byte> tables, uploaded;
};

}  // namespace kvc_cuda
