// Modules: backends in libraries of their own, loaded when they are asked for and never unloaded. Nothing but kvc.h is
// between a module and this library (kvc_module_open_fn, kvc_module_describe_fn), and nothing here depends on one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "tier/device_api.h"

namespace kvc {

using ModuleOptions = std::vector<std::pair<std::string, std::string>>;  // all options of the engine, by name

// The backend of the module for the model file in `options`. `file` is option model_module: where the module is; empty:
// what the environment variable KVC_LLAMA_MODULE says, else libkvc_llama.so beside this library, else the loader's
// path. KVC_E_UNSUPPORTED: no module, or it has no runtime; the message says what was looked for. KVC_E_BACKEND: the
// model.
Status open_module(const std::string& file, const ModuleOptions& options, const kvc_module_host_t* host,
                   kvc_backend_t* out);

// What the module says of itself: one JSON object. Never fails for want of a module: then the object says why.
std::string describe_module(const std::string& file, const ModuleOptions& options, const kvc_module_host_t* host);

// The same of the module for NVIDIA devices: what KVC_CUDA_MODULE names, else libkvc_cuda.so beside this library, else on
// the loader's path. Initialises no device.
std::string describe_device_module();
// That module's functions. KVC_E_UNSUPPORTED: there is none, or it is of another release. host stays for ever.
Status open_device_module(const DeviceHost* host, DeviceApi* api);

}  // namespace kvc
