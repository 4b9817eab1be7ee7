// Pages in the clear to encoded ones, and back.
#include <algorithm>
#include <cmath>

#include "bench.h"
#include "klt_pages.h"

namespace kvc_cuda {

CodeArgs Bench::pages(uint32_t bits, uint32_t layers) const {
  CodeArgs a;
  a.n_layers = layers, a.n_heads = 8, a.dim[0] = a.dim[1] = 128, a.page_tokens = 64;
  a.bits[0] = a.bits[1] = bits, a.codec = bits == 8 ? 2 : 3, a.number = Number::bf16;
  a.norm = 1.0f / std::sqrt(128.0f);
  a.clear.base = a_;
  a.clear.token = 256, a.clear.head = a.clear.token * 64, a.clear.plane = a.clear.head * 8,
  a.clear.layer = a.clear.plane * 2;
  a.clear.page = a.clear.layer * layers;
  return a;
}

Status Bench::place_codes(CodeArgs* a, DevicePtr coded, uint64_t each) {
  std::vector<uint64_t> addresses(a->pages);
  for (uint32_t i = 0; i < a->pages; ++i) addresses[i] = coded + i * each;
  const std::vector<uint32_t> none(a->pages);
  DevicePtr table = 0, failed = 0;
  KVC_RETURN_IF_ERROR(take_with(addresses.data(), a->pages * 8, &table));
  KVC_RETURN_IF_ERROR(take_with(none.data(), a->pages * 4, &failed));
  a->coded_pages = reinterpret_cast<const uint64_t*>(table), a->failed = reinterpret_cast<uint32_t*>(failed);
  return Status::ok();
}

// Kernels are soon done with a page that they refuse.
Status Bench::check_encoded(const CodeArgs& a) {
  std::vector<uint32_t> failed(a.pages);
  KVC_RETURN_IF_ERROR(gpu_->download(failed.data(), reinterpret_cast<uint64_t>(a.failed), a.pages * 4, {}));
  const auto refused = failed.size() - static_cast<size_t>(std::count(failed.begin(), failed.end(), 0u));
  if (refused > 0) return error(KVC_E_INTERNAL, "%zu of %u pages were refused", refused, a.pages);
  return Status::ok();
}

Status Bench::codes() {
  // Numbers that can be encoded: small ones.
  const uint64_t bytes = size(128 << 20, 256 << 10);
  std::vector<uint16_t> numbers(bytes / 2);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(0x3f00 + i * 2654435761u % 200);
  KVC_RETURN_IF_ERROR(gpu_->upload(a_, numbers.data(), bytes, {}));
  struct Row {
    uint32_t bits;
    bool encode;
    const char* name;
    double least, goal;
  };
  for (const Row& row : {Row{8, true, "encode_int8", .80, .88}, Row{4, true, "encode_int4", .75, .88},
                         Row{8, false, "decode_int8", .75, .85}, Row{4, false, "decode_int4", .75, .85}}) {
    CodeArgs a = pages(row.bits, 1);
    const auto clear = static_cast<uint64_t>(a.clear.page);
    a.pages = static_cast<uint32_t>(bytes / clear);
    if (a.pages == 0) return error(KVC_E_INTERNAL, "a page is larger than the room");
    const uint64_t coded = CodedLayout(a).total();
    if (a.pages * coded > large_) return error(KVC_E_INTERNAL, "encoded pages are larger than the room");
    KVC_RETURN_IF_ERROR(place_codes(&a, b_, coded));
    double s = 0;
    const auto issue = [&](Stream on) {
      return row.encode ? gpu_->encode(a, {on, {}, {}, {}}, nullptr) : gpu_->decode(a, {on, {}, {}, {}}, nullptr);
    };
    KVC_RETURN_IF_ERROR(time(2, issue, &s));
    KVC_RETURN_IF_ERROR(check_encoded(a));
    add_code(row.name, a, coded, s, row.least, row.goal);
  }
  // Rows in the clear anew: those that were decoded are not the ones that were encoded.
  KVC_RETURN_IF_ERROR(gpu_->upload(a_, numbers.data(), bytes, {}));
  KVC_RETURN_IF_ERROR(encode_klt(bytes));
  return encode_svd(bytes);
}

void Bench::add_code(const char* name, const CodeArgs& a, uint64_t coded, double seconds, double least, double goal) {
  const auto bytes = static_cast<double>(static_cast<uint64_t>(a.clear.page) + coded);
  add(name, a.pages * bytes / seconds / hbm_, least, goal, "of the device's peak");
}

Status Bench::encode_klt(uint64_t bytes) {
  CodeArgs page = pages(8, 1);
  page.pages = static_cast<uint32_t>(bytes / static_cast<uint64_t>(page.clear.page));
  const KltBenchPages learned(8);
  const KltForm& form = learned.form;
  const uint64_t coded = learned.page_bytes();
  DevicePtr at = 0, tables = 0, calibration = 0, analysis = 0;
  KVC_RETURN_IF_ERROR(take(page.pages * coded, &at));
  KVC_RETURN_IF_ERROR(place_codes(&page, at, coded));
  std::vector<unsigned char> table;
  for (uint32_t i = 0; i < page.pages; ++i) {
    const std::vector<unsigned char> own = learned.table(at + i * coded, static_cast<int32_t>(i));
    table.insert(table.end(), own.begin(), own.end());
  }
  const std::vector<unsigned char> known = learned.calibration();
  const std::vector<float> basis = learned.analysis();
  KVC_RETURN_IF_ERROR(take_with(table.data(), table.size(), &tables));
  KVC_RETURN_IF_ERROR(take_with(known.data(), known.size(), &calibration));
  KVC_RETURN_IF_ERROR(take_with(basis.data(), basis.size() * sizeof(float), &analysis));
  KltEncodeArgs e;
  e.page.clear = page.clear, e.page.form = form, e.page.pages = page.pages;
  e.page.number = page.number, e.page.norm = page.norm;
  e.page.tables = reinterpret_cast<const unsigned char*>(tables), e.page.table_bytes = form.page_bytes();
  e.page.calibration = reinterpret_cast<const unsigned char*>(calibration);
  e.page.chunk = klt_encode_chunk(form.channels()), e.rows = klt_encode_rows(form.v_dim);
  e.analysis = reinterpret_cast<const unsigned char*>(analysis), e.failed = page.failed;
  double s = 0;
  KVC_RETURN_IF_ERROR(time(
      2,
      [&](Stream on) {
        return gpu_->encode_klt(e, {on, {}, {}, {}}, nullptr);
      },
      &s));
  KVC_RETURN_IF_ERROR(check_encoded(page));
  add_code("encode_klt", page, coded, s, 0, 0);
  return Status::ok();
}

Status Bench::encode_svd(uint64_t bytes) {
  SvdEncodeArgs e;
  e.page = pages(8, 1);
  e.page.codec = kSvdCodec;
  const auto clear = static_cast<uint64_t>(e.page.clear.page);
  e.page.pages = static_cast<uint32_t>(bytes / clear);
  e.bytes = clear * 3 / 10 / 64 * 64;  // the codec's own ratio
  DevicePtr at = 0, room = 0;
  KVC_RETURN_IF_ERROR(take(e.page.pages * e.bytes, &at));
  KVC_RETURN_IF_ERROR(take(e.page.pages * SvdRoom(e.page).bytes(), &room));
  KVC_RETURN_IF_ERROR(place_codes(&e.page, at, e.bytes));
  e.room = reinterpret_cast<unsigned char*>(room);
  double s = 0;
  KVC_RETURN_IF_ERROR(time(
      1,
      [&](Stream on) {
        return gpu_->encode_svd(e, {on, {}, {}, {}}, nullptr);
      },
      &s));
  KVC_RETURN_IF_ERROR(check_encoded(e.page));
  add_code("encode_svd", e.page, e.bytes, s, 0, 0);
  return Status::ok();
}

}  // namespace kvc_cuda
