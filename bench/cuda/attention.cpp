// Attention over pages in the clear and encoded ones.
#include <algorithm>
#include <cstring>

#include "bench.h"
#include "klt_pages.h"

namespace kvc_cuda {

Status Bench::attend_once(uint32_t b, uint32_t n, uint32_t group, int kind, double* seconds, double* bytes) {
  CodeArgs page = pages(kind > 1 ? static_cast<uint32_t>(kind) : 8, 1);
  if (kind == 1) {
    page.number = Number::e4m3;
    page.clear.token /= 2, page.clear.head /= 2, page.clear.plane /= 2, page.clear.layer /= 2, page.clear.page /= 2;
  }
  const uint32_t each = (n + 63) / 64;
  const uint64_t coded = CodedLayout(page).total();
  const uint64_t one = kind > 1 ? coded : static_cast<uint64_t>(page.clear.page);
  // As many different pages as there is room for; of more, the first again.
  const uint64_t base = kind > 1 ? b_ : a_, distinct = large_ / one;
  std::vector<int32_t> clear(uint64_t{b} * each);
  std::vector<uint64_t> encoded(clear.size());
  std::vector<uint32_t> lengths(b, n), counts(b, each);
  for (size_t i = 0; i < clear.size(); ++i)
    clear[i] = static_cast<int32_t>(i * 7 % distinct), encoded[i] = base + i * 7 % distinct * one;
  const uint64_t table_bytes = clear.size() * 12 + b * 8 + 64;
  DevicePtr tables = 0;
  KVC_RETURN_IF_ERROR(take(table_bytes, &tables));
  std::vector<unsigned char> table(table_bytes);
  const uint64_t clear_at = encoded.size() * 8, lengths_at = clear_at + clear.size() * 4,
                 counts_at = lengths_at + b * 4;
  std::memcpy(table.data(), encoded.data(), clear_at);
  std::memcpy(table.data() + clear_at, clear.data(), clear.size() * 4);
  std::memcpy(table.data() + lengths_at, lengths.data(), b * 4);
  std::memcpy(table.data() + counts_at, counts.data(), b * 4);
  KVC_RETURN_IF_ERROR(gpu_->upload(tables, table.data(), table_bytes, {}));
  AttendArgs a;
  a.page = page, a.clear = page.clear;
  a.sequences = b, a.kv_heads = 8, a.group = group;
  a.splits = std::max(1u, std::min((n + 255) / 256, gpu_->device().processors() * 12 / (b * 8) + 1));
  a.query_number = a.out_number = kind == 1 ? Number::f32 : Number::bf16;
  a.scale = 0.12f;
  a.lengths = reinterpret_cast<const uint32_t*>(tables + lengths_at);
  a.clear_pages = reinterpret_cast<const int32_t*>(tables + clear_at), a.clear_stride = each;
  if (kind > 1) {
    a.coded_counts = reinterpret_cast<const uint32_t*>(tables + counts_at);
    a.coded_pages = reinterpret_cast<const uint64_t*>(tables), a.coded_stride = each;
  }
  KVC_RETURN_IF_ERROR(take_attend_room(&a));
  // Codes of whatever lies there are codes of something: only sizes count for time. Pages were encoded before.
  *bytes = static_cast<double>(clear.size()) * static_cast<double>(one);
  return time(
      4,
      [&](Stream on) {
        return gpu_->attend(a, {on, {}, {}, {}}, nullptr);
      },
      seconds);
}

Status Bench::take_attend_room(AttendArgs* a) {
  const uint64_t heads = uint64_t{a->sequences} * 8 * a->group, partial = partial_bytes(*a), rows = heads * 128 * 4;
  DevicePtr room = 0;
  KVC_RETURN_IF_ERROR(take(partial + 2 * rows + 512, &room));
  a->partial = reinterpret_cast<float*>(room);
  a->query = reinterpret_cast<const unsigned char*>((room + partial + 255) / 256 * 256);
  a->out = reinterpret_cast<unsigned char*>((room + partial + rows + 511) / 256 * 256);
  const std::vector<uint16_t> query(heads * 256, 0x3e80);
  return gpu_->upload(reinterpret_cast<uint64_t>(a->query), query.data(), rows, {});
}

Status Bench::attend_klt_once(uint32_t b, uint32_t n, uint32_t group, double* seconds) {
  const KltBenchPages pages(8);
  const uint32_t each = (n + 63) / 64;
  const uint64_t distinct = large_ / pages.page_bytes(), one = pages.form.page_bytes();
  std::vector<unsigned char> tables;
  for (uint64_t i = 0; i < std::min<uint64_t>(distinct, uint64_t{b} * each); ++i) {
    const std::vector<unsigned char> table = pages.table(b_ + i * pages.page_bytes());
    tables.insert(tables.end(), table.begin(), table.end());
  }
  const uint64_t there = tables.size() / one;
  const std::vector<unsigned char> calibration = pages.calibration();
  DevicePtr at = 0, learned = 0, lists = 0;
  KVC_RETURN_IF_ERROR(take(tables.size(), &at));
  KVC_RETURN_IF_ERROR(take(calibration.size(), &learned));
  KVC_RETURN_IF_ERROR(gpu_->upload(at, tables.data(), tables.size(), {}));
  KVC_RETURN_IF_ERROR(gpu_->upload(learned, calibration.data(), calibration.size(), {}));
  std::vector<uint64_t> list(uint64_t{b} * each);
  for (size_t i = 0; i < list.size(); ++i) list[i] = at + i * 7 % there * one;
  std::vector<uint32_t> lengths(2 * b, n);
  std::fill(lengths.begin(), lengths.begin() + b, 0u);  // of pages that are none of klt
  KVC_RETURN_IF_ERROR(take(list.size() * 8 + lengths.size() * 4, &lists));
  KVC_RETURN_IF_ERROR(gpu_->upload(lists, list.data(), list.size() * 8, {}));
  KVC_RETURN_IF_ERROR(gpu_->upload(lists + list.size() * 8, lengths.data(), lengths.size() * 4, {}));
  AttendArgs a;
  a.page = this->pages(8, 1), a.clear = a.page.clear;
  a.sequences = b, a.kv_heads = 8, a.group = group;
  a.splits = a.other_splits =
      std::max(1u, std::min((n + 255) / 256, gpu_->device().processors() * 4 / (b * 8) + 1));
  a.query_number = a.out_number = Number::bf16;
  a.scale = 0.12f;
  a.lengths = reinterpret_cast<const uint32_t*>(lists + list.size() * 8);
  KVC_RETURN_IF_ERROR(take_attend_room(&a));
  KltAttendArgs klt;
  klt.attend = a;
  klt.attend.first_split = a.splits;
  klt.attend.lengths = a.lengths + b;
  klt.attend.coded_pages = reinterpret_cast<const uint64_t*>(lists), klt.attend.coded_stride = each;
  klt.form = pages.form;
  klt.calibration = reinterpret_cast<const unsigned char*>(learned);
  klt.chunk = klt_attend_chunk(pages.form, true);
  return time(
      4,
      [&](Stream on) {
        return gpu_->attend(a, {on, {}, {}, {}}, nullptr, &klt);
      },
      seconds);
}

Status Bench::attention() {
  const auto n = [&](uint32_t tokens) { return static_cast<uint32_t>(size(tokens, 128)); };
  const uint32_t b = static_cast<uint32_t>(size(32, 2));
  double s = 0, bytes = 0, plain = 0;
  KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, 0, &s, &bytes));
  plain = s;
  add("attend_bf16_group4", bytes / s / hbm_, .65, .80, "of the device's peak, 32 x 4096 tokens");
  KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 8, 0, &s, &bytes));
  add("attend_bf16_group8", bytes / s / hbm_, .60, .80, "of the device's peak");
  double s32 = 0, bytes32 = 0;
  KVC_RETURN_IF_ERROR(attend_once(1, n(32768), 4, 0, &s32, &bytes32));
  add("attend_one_32k", bytes32 / s32 / hbm_, .40, .60, "of the device's peak, one sequence");
  KVC_RETURN_IF_ERROR(attend_once(1, quick_ ? 256 : 131072, 4, 0, &s, &bytes));
  add("attend_slope", (bytes - bytes32) / std::max(s - s32, 1e-12) / hbm_, .80, .88,
      "of the device's peak, from 32k to 128k tokens");
  // Encoded pages of codes(): int4 lies at b_ last, so int8 is written anew.
  for (const int bits : {8, 4}) {
    KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, bits, &s, &bytes));
    add(bits == 8 ? "attend_int8_over_bf16" : "attend_int4_over_bf16", plain / s, bits == 8 ? 1.6 : 2.2,
        bits == 8 ? 1.8 : 3.0, "times as fast");
  }
  KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, 1, &s, &bytes));
  add("attend_fp8_over_bf16", plain / s, 1.6, 1.8, "times as fast");
  KVC_RETURN_IF_ERROR(attend_klt_once(b, n(4096), 4, &s));
  add("attend_klt_over_bf16", plain / s, 0, 0, "times as fast, keys that turn, 2.5 and 3 bits a number");
  return Status::ok();
}

}  // namespace kvc_cuda
