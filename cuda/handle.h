// What a kvc_cuda_t is, and how the C functions read their arguments.
#pragma once

#include "dlpack.h"
#include "gpu.h"
#include "kvc_cuda.h"
#include "low_rank.h"
#include "nvml.h"

struct kvc_cuda_t {
  std::unique_ptr<kvc_cuda::Gpu> gpu;
  std::mutex mutex;
  std::string words;
  std::atomic<uint64_t> pool_missed{0};
  kvc_cuda::Utilization utilization;
  kvc_cuda::Borrowed borrowed;
  kvc_cuda::LowRank low_rank;
};

namespace kvc_cuda {

// Calls what returns a Status or throws; the words go into the handle.
template <typename Body>
kvc_status_t guarded(kvc_cuda_t* cuda, Body&& body) noexcept {
  if (cuda == nullptr) return KVC_E_NULL;
  try {
    const Status status = body(*cuda->gpu);
    if (status.code() < 0) {
      const std::lock_guard lock(cuda->mutex);
      cuda->words = status.message();
    }
    return status.code();
  } catch (const std::bad_alloc&) {
    return KVC_E_NO_MEMORY;
  } catch (...) {
    return KVC_E_INTERNAL;
  }
}

template <typename T>
Status check_struct(const T* given, const char* name) {
  if (given == nullptr) return error(KVC_E_NULL, "%s is NULL", name);
  if (given->struct_size == sizeof(T)) return Status::ok();
  return error(KVC_E_STRUCT_SIZE, "%s has struct_size %zu, not %zu: install header and library from one release", name,
               given->struct_size, sizeof(T));
}

inline bool is_number(int32_t dtype) { return dtype == KVC_F32 || dtype == KVC_F16 || dtype == KVC_BF16; }
Status read_order(const kvc_cuda_order_t* given, Order* out);
View read_view(const kvc_cuda_view_t& given);
// Pages that have none of the codecs that learn (pages.cpp).
Status read_attend(const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* given, AttendArgs* out);

}  // namespace kvc_cuda
