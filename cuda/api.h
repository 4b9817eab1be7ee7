// Behind the C interface.
#pragma once

#include "gpu.h"
#include "kvc_cuda.h"

namespace kvc_cuda {

// kvc_cuda_open with a driver and kernels of the caller's: for tests.
kvc_status_t open_with(const char* driver, const void* kernels, const kvc_cuda_options_t* options, kvc_cuda_t** cuda,
                       kvc_error_t* error) noexcept;

// kvc_cuda_devices with a driver of the caller's.
kvc_status_t count_devices(const char* driver, uint32_t* devices, kvc_error_t* error) noexcept;

}  // namespace kvc_cuda
