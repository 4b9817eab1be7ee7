// What the module says of this machine, without initialising anything.
#pragma once

#include <string>

namespace kvc_cuda {

// One JSON object: {"runtime":"cuda","driver":"13.0","kernels":bytes,"devices":[{"name":..,"uuid":..,"pci":..}]}, or
// {"runtime":"none","why":..}. Devices are those that the system lists, not those that CUDA_VISIBLE_DEVICES leaves.
std::string describe(const char* driver_library, const char* proc_folder);

}  // namespace kvc_cuda
