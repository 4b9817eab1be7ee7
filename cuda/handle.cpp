#include "handle.h"

namespace kvc_cuda {

Status read_order(const kvc_cuda_order_t* given, Order* out) {
  KVC_RETURN_IF_ERROR(check_struct(given, "order"));
  if ((given->n_wait > 0 && given->wait == nullptr) || (given->n_reads > 0 && given->reads == nullptr) ||
      (given->n_writes > 0 && given->writes == nullptr)) {
    return error(KVC_E_NULL, "order counts fences or slots that it does not have");
  }
  out->stream = static_cast<abi::Stream>(given->stream);
  out->wait.assign(given->wait, given->wait + given->n_wait);
  out->reads.assign(given->reads, given->reads + given->n_reads);
  out->writes.assign(given->writes, given->writes + given->n_writes);
  return Status::ok();
}

View read_view(const kvc_cuda_view_t& given) {
  View view;
  view.base = given.base;
  view.layer_bases = given.layer_bases;
  view.page = given.page_stride, view.layer = given.layer_stride, view.plane = given.plane_stride;
  view.head = given.head_stride, view.token = given.token_stride;
  return view;
}

}  // namespace kvc_cuda
