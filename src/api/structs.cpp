#include "api/structs.h"

namespace kvc {

Status SpaceDesc::read(const kvc_space_desc_t* in) {
  KVC_RETURN_IF_ERROR(read_struct(in, "desc", &desc_));
  if (desc_.rope != nullptr) {
    KVC_RETURN_IF_ERROR(read_struct(desc_.rope, "desc.rope", &rope_));
    desc_.rope = &rope_;
  }
  if (desc_.n_adapters > 0 && desc_.adapters != nullptr) {
    constexpr uint32_t kMostAdapters = 1024;
    if (desc_.n_adapters > kMostAdapters) {
      return error(KVC_E_OUT_OF_RANGE, "desc.n_adapters is %u; the most allowed is %u", desc_.n_adapters,
                   kMostAdapters);
    }
    size_t stride = 0;
    KVC_RETURN_IF_ERROR(array_stride(desc_.adapters, "desc.adapters", &stride));
    adapters_.assign(desc_.n_adapters, kvc_adapter_t{});
    for (size_t i = 0; i < adapters_.size(); ++i) {
      KVC_RETURN_IF_ERROR(read_element(desc_.adapters, stride, i, "desc.adapters", &adapters_[i]));
    }
    desc_.adapters = adapters_.data();
  }
  return Status::ok();
}

}  // namespace kvc
