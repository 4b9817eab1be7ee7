// Behind the C interface.
#pragma once

#include "gpu.h"
#include "kvc_cuda.h"
#include "tier/device_api.h"

namespace kvc_cuda {

// kvc_cuda_open with a driver and kernels of the caller's: for tests.
kvc_status_t open_with(const char* driver, const void* kernels, const kvc_cuda_options_t* options, kvc_cuda_t** cuda,
                       kvc_error_t* error) noexcept;

// kvc::DeviceApi::decode_klt and encode_klt.
kvc_status_t decode_klt_pages(kvc_cuda_t* cuda, const kvc::DeviceKlt* pages, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept;
kvc_status_t encode_klt_pages(kvc_cuda_t* cuda, const kvc::DeviceKlt* pages, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept;

// kvc::DeviceApi::svd_room and encode_svd.
uint64_t svd_room_bytes(const kvc_cuda_pages_t* pages) noexcept;
kvc_status_t encode_svd_pages(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc::DeviceSvd* svd,
                              const kvc_cuda_order_t* order, uint64_t* fence) noexcept;

// kvc::DeviceApi::attend_klt.
kvc_status_t attend_klt_pages(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* attend,
                              const kvc::DeviceKltAttend* klt, const kvc_cuda_order_t* order, uint64_t* fence) noexcept;

// kvc::DeviceApi::merge.
kvc_status_t merge_results(kvc_cuda_t* cuda, const kvc::DeviceMerge* merge, const kvc_cuda_order_t* order,
                           uint64_t* fence) noexcept;

// kvc_cuda_devices with a driver of the caller's.
kvc_status_t count_devices(const char* driver, uint32_t* devices, kvc_error_t* error) noexcept;

}  // namespace kvc_cuda
