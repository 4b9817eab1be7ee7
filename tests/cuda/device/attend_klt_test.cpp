// Attention over codes of klt on a device, against the same bodies on the host: bit for bit, by tensor cores to rounding.
#include "bench/cuda/klt_pages.h"
#include "device_rig.h"

namespace kvc_cuda {
namespace {

TEST_F(DeviceTest, AttendsToCodesOfLearnedPagesAsTheHostDoes) {
  constexpr uint32_t kHeads = 4, kPages = 3, kLength = kPages * kKltTile - 5;
  for (const bool turn : {false, true}) {
    for (const uint32_t group : {2u, 9u}) {
      KltBenchPages pages(kHeads);
      if (!turn) pages.form.pairs = 0;
      const KltForm& form = pages.form;
      kvc::Random random(group);
      std::vector<unsigned char> learned = pages.calibration();
      std::vector<float> sane(form.ranks_at() / 4);
      for (float& x : sane) x = static_cast<float>(random.unit() - .5) * .1f;
      for (size_t i = form.deviation_at() / 4; i < form.steps_at() / 4; ++i) sane[i] += .1f;
      std::memcpy(learned.data(), sane.data(), sane.size() * 4);
      const uint64_t one = pages.page_bytes();
      std::vector<unsigned char> coded = noise(kPages * one, group), tables, host_tables;
      std::vector<uint64_t> list, host_list;
      for (uint32_t page = 0; page < kPages; ++page) {
        const uint64_t here = reinterpret_cast<uint64_t>(&coded[page * one]);
        std::vector<unsigned char> table = pages.table(at_[0] + page * one), host_table = pages.table(here);
        for (std::vector<unsigned char>* each : {&table, &host_table})
          std::memcpy(each->data() + form.turns_at(), sane.data(), uint64_t{form.pairs} * 8);
        for (uint32_t part = 0; part < form.parts(); ++part) {
          const float unit = .05f;
          uint32_t tile = 0;
          std::memcpy(&tile, &table[form.tile_at(0, part, 0)], 4);
          std::memcpy(&coded[page * one + tile], &unit, 4);
        }
        list.push_back(at_[1] + tables.size());
        tables.insert(tables.end(), table.begin(), table.end());
        host_tables.insert(host_tables.end(), host_table.begin(), host_table.end());
      }
      for (uint32_t page = 0; page < kPages; ++page)
        host_list.push_back(reinterpret_cast<uint64_t>(&host_tables[page * form.page_bytes()]));

      AttendArgs a;
      a.page.n_layers = 1, a.page.n_heads = kHeads, a.page.dim[0] = a.page.dim[1] = 128, a.page.page_tokens = kKltTile;
      a.page.number = Number::f16, a.page.norm = 1.0f / std::sqrt(128.0f);
      a.sequences = 1, a.kv_heads = kHeads, a.group = group, a.splits = a.other_splits = 2, a.scale = 0.3f;
      const size_t heads = kHeads * group;
      const std::vector<unsigned char> query = numbers(Number::f32, heads * 128, 3);
      std::vector<float> expected(heads * 128), out(expected.size());
      const uint32_t lengths[2] = {0, kLength};
      const auto make = [&](const void* q, void* to, void* partial, const uint32_t* n, const uint64_t* at,
                            const void* calibration) {
        a.query = static_cast<const unsigned char*>(q), a.out = static_cast<unsigned char*>(to);
        a.partial = static_cast<float*>(partial), a.lengths = n;
        KltAttendArgs klt;
        klt.attend = a;
        klt.attend.first_split = a.splits, klt.attend.lengths = n + 1;
        klt.attend.coded_pages = at, klt.attend.coded_stride = kPages;
        klt.form = form, klt.calibration = static_cast<const unsigned char*>(calibration);
        klt.chunk = klt_attend_chunk(form, true);
        return klt;
      };
      std::vector<float> partial(partial_bytes(a) / 4);
      KltAttendArgs klt = make(query.data(), expected.data(), partial.data(), lengths, host_list.data(), learned.data());
      const bool mma = gpu_->device().has_mma() && fits_klt_mma(klt);
      host_attend(a, attend_shape(a), 1);
      if (mma) {
        host_attend_klt_mma(klt, klt_mma_shape(klt), 1);
      } else {
        host_attend_klt(klt, klt_attend_shape(klt), 1);
      }
      host_merge(a, merge_shape(a), 1);

      put(0, coded.data(), coded.size());
      put(1, tables.data(), tables.size());
      put(2, learned.data(), learned.size());
      put(3, query.data(), query.size());
      put(4, lengths, sizeof lengths);
      put(5, list.data(), list.size() * 8);
      klt = make(in<void>(3), in<void>(6), in<void>(7), in<uint32_t>(4), in<uint64_t>(5), in<void>(2));
      ASSERT_OK(gpu_->attend(a, order({0, 1, 2, 3, 4, 5}, {6, 7}), nullptr, &klt));
      get(6, out.data(), out.size() * 4);
      float largest = 0;
      for (const float x : expected) largest = std::max(largest, std::abs(x));
      ASSERT_GT(largest, 0.0f);
      for (size_t i = 0; i < out.size(); ++i)
        ASSERT_NEAR(out[i], expected[i], mma ? largest * 0x1p-10f : 0.0f) << turn << " " << group << " " << i;
    }
  }
}

}  // namespace
}  // namespace kvc_cuda
