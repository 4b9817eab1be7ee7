// Pages of the codecs that learn, as the library's device tier asks for them.
#include <algorithm>
#include <cmath>

#include "api.h"
#include "handle.h"

namespace kvc_cuda {

kvc_status_t decode_klt_pages(kvc_cuda_t* cuda, const kvc::DeviceKlt* pages, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (pages == nullptr || pages->tables == 0) return error(KVC_E_NULL, "pages, or their tables, are NULL");
    KltArgs args;
    args.clear = read_view(pages->clear);
    args.form = pages->form;
    args.tables = reinterpret_cast<const unsigned char*>(pages->tables);
    args.calibration = reinterpret_cast<const unsigned char*>(pages->calibration);
    args.table_bytes = pages->form.page_bytes();
    args.pages = pages->pages;
    args.number = static_cast<Number>(pages->dtype);
    args.norm = 1.0f / std::sqrt(static_cast<float>(std::max(rotated_block(pages->form.v_dim), 1u)));
    args.chunk = klt_chunk(std::max(pages->form.channels(), 1u));
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.decode_klt(args, own, fence);
  });
}

}  // namespace kvc_cuda
