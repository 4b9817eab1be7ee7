// Pages of the codecs that learn, as the library's device tier asks for them.
#include <algorithm>
#include <cmath>

#include "api.h"
#include "handle.h"

namespace kvc_cuda {

namespace {

Status read_klt(const kvc::DeviceKlt* pages, KltArgs* args) {
  if (pages == nullptr || pages->tables == 0) return error(KVC_E_NULL, "pages, or their tables, are NULL");
  args->clear = read_view(pages->clear);
  args->form = pages->form;
  args->tables = reinterpret_cast<const unsigned char*>(pages->tables);
  args->calibration = reinterpret_cast<const unsigned char*>(pages->calibration);
  args->table_bytes = pages->form.page_bytes();
  args->pages = pages->pages;
  args->number = static_cast<Number>(pages->dtype);
  args->norm = 1.0f / std::sqrt(static_cast<float>(std::max(rotated_block(pages->form.v_dim), 1u)));
  args->chunk = klt_chunk(std::max(pages->form.channels(), 1u));
  return Status::ok();
}

}  // namespace

kvc_status_t decode_klt_pages(kvc_cuda_t* cuda, const kvc::DeviceKlt* pages, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    KltArgs args;
    KVC_RETURN_IF_ERROR(read_klt(pages, &args));
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.decode_klt(args, own, fence);
  });
}

kvc_status_t encode_klt_pages(kvc_cuda_t* cuda, const kvc::DeviceKlt* pages, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    KltEncodeArgs args;
    KVC_RETURN_IF_ERROR(read_klt(pages, &args.page));
    if (pages->calibration == 0 || pages->analysis == 0 || pages->failed == 0) {
      return error(KVC_E_NULL, "a calibration, or where failures go, is NULL");
    }
    args.page.chunk = klt_encode_chunk(std::max(pages->form.channels(), 1u));
    args.analysis = reinterpret_cast<const unsigned char*>(pages->analysis);
    args.rows = klt_encode_rows(std::clamp(pages->form.v_dim, 1u, kKltValueDim));
    args.failed = reinterpret_cast<uint32_t*>(pages->failed);
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.encode_klt(args, own, fence);
  });
}

kvc_status_t attend_klt_pages(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* attend,
                              const kvc::DeviceKltAttend* klt, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    AttendArgs args;
    KVC_RETURN_IF_ERROR(read_attend(pages, attend, &args));
    if (klt == nullptr || klt->tokens == nullptr || klt->tables == nullptr || attend->query == nullptr ||
        attend->out == nullptr || attend->lengths == nullptr) {
      return error(KVC_E_NULL, "query, out, lengths, or tables of pages are NULL");
    }
    if (args.sequences != 1 || args.window != 0) {
      return error(KVC_E_UNSUPPORTED, "%u sequences, a window of %llu: pages of klt are attended to one sequence at a time",
                   args.sequences, static_cast<unsigned long long>(args.window));
    }
    // Each kernel has splits of its own.
    args.other_splits = args.splits;
    KltAttendArgs own;
    own.attend = args;
    own.attend.first_split = args.splits;
    own.attend.lengths = klt->tokens;
    own.attend.coded_counts = nullptr, own.attend.coded_pages = klt->tables;
    own.form = klt->form;
    own.calibration = reinterpret_cast<const unsigned char*>(klt->calibration);
    own.chunk = klt_attend_chunk(klt->form, own.calibration != nullptr);
    Order when;
    KVC_RETURN_IF_ERROR(read_order(order, &when));
    return gpu.attend(args, when, fence, &own);
  });
}

}  // namespace kvc_cuda
