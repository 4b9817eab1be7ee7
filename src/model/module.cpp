#include "model/module.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "base/json.h"

namespace kvc {
namespace {

// A kind of module: its file, and how a user names another.
struct Kind {
  const char* name;
  const char* variable;
  const char* purpose;
  const char* option;
};
constexpr Kind kModels = {"libkvc_llama.so", "KVC_LLAMA_MODULE", "runs model files", "option model_module or "};
constexpr Kind kDevices = {"libkvc_cuda.so", "KVC_CUDA_MODULE", "works with NVIDIA devices", ""};

// The folder of the library (or program) that this code is in.
std::filesystem::path own_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&own_folder), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code ignored;
  return std::filesystem::absolute(info.dli_fname, ignored).parent_path();
}

Status load(const Kind& kind, const std::string& file, void** out, std::string* path) {
  std::vector<std::string> places;
  const char* variable = std::getenv(kind.variable);
  if (!file.empty()) {
    places.push_back(file);
  } else if (variable != nullptr && variable[0] != 0) {
    places.emplace_back(variable);
  } else {
    const std::filesystem::path beside = own_folder() / kind.name;
    std::error_code ignored;
    if (std::filesystem::exists(beside, ignored)) places.push_back(beside.string());
    places.emplace_back(kind.name);
  }
  std::string why;
  for (const std::string& place : places) {
    // Its threads and the runtime beneath it outlive any engine: it stays.
    void* handle = dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle != nullptr) {
      *out = handle;
      *path = place;
      return Status::ok();
    }
    const char* words = dlerror();
    why += (why.empty() ? "" : "; ") + std::string(words != nullptr ? words : place + ": no reason given");
  }
  return error(
      KVC_E_UNSUPPORTED,
      "the module that %s cannot be loaded (%s): install %s beside libkvc.so, or name it in %sthe environment variable %s",
      kind.purpose, why.c_str(), kind.name, kind.option, kind.variable);
}

template <typename Function>
Status find(void* handle, const std::string& path, const char* name, Function* out) {
  *out = reinterpret_cast<Function>(dlsym(handle, name));
  if (*out != nullptr) return Status::ok();
  return error(KVC_E_UNSUPPORTED, "%s is no module of kvc: it has no %s", path.c_str(), name);
}

// What a module is told; the pointers lead into `options`.
class Told {
 public:
  Told(const ModuleOptions& options, const kvc_module_host_t* host) {
    for (const auto& [name, value] : options) {
      names_.push_back(name.c_str());
      values_.push_back(value.c_str());
    }
    request_.struct_size = sizeof request_;
    request_.version = KVC_MODULE_VERSION;
    request_.n_options = static_cast<uint32_t>(names_.size());
    request_.names = names_.data();
    request_.values = values_.data();
    request_.host = host;
  }
  Told(const Told&) = delete;
  Told& operator=(const Told&) = delete;
  const kvc_module_request_t* request() const noexcept { return &request_; }

 private:
  std::vector<const char*> names_, values_;
  kvc_module_request_t request_{};
};

std::string describe(const Kind& kind, const std::string& file, const ModuleOptions& options,
                     const kvc_module_host_t* host) {
  void* handle = nullptr;
  std::string path;
  kvc_module_describe_fn describe = nullptr;
  Status status = load(kind, file, &handle, &path);
  if (status.is_ok()) status = find(handle, path, "kvc_module_describe", &describe);
  if (!status.is_ok()) return "{\"module\":\"none\",\"why\":" + json_string(status.message()) + "}";
  const Told told(options, host);
  std::string text(4096, 0);
  for (int attempt = 0; attempt < 2; ++attempt) {
    size_t length = 0;
    const kvc_status_t said = describe(told.request(), text.data(), text.size(), &length);
    if (said != KVC_OK || length < text.size()) {
      text.resize(said == KVC_OK ? length : 0);
      break;
    }
    text.assign(length + 1, 0);
  }
  // The module's own object, with its path in front.
  const bool object = text.size() > 2 && text.front() == '{' && text.back() == '}';
  return "{\"module\":" + json_string(path) + (object ? "," + text.substr(1) : ",\"why\":\"it says nothing of itself\"}");
}

}  // namespace

Status open_module(const std::string& file, const ModuleOptions& options, const kvc_module_host_t* host,
                   kvc_backend_t* out) {
  void* handle = nullptr;
  std::string path;
  KVC_RETURN_IF_ERROR(load(kModels, file, &handle, &path));
  kvc_module_open_fn open = nullptr;
  KVC_RETURN_IF_ERROR(find(handle, path, "kvc_module_open", &open));
  const Told told(options, host);
  char words[1024] = {};
  kvc_backend_t backend{};
  backend.struct_size = sizeof backend;
  const kvc_status_t status = open(told.request(), &backend, words, sizeof words);
  words[sizeof words - 1] = 0;
  if (status != KVC_OK) {
    return error(status < 0 ? status : KVC_E_BACKEND, "%s", words[0] != 0 ? words : "the module gave no reason");
  }
  *out = backend;
  return Status::ok();
}

std::string describe_module(const std::string& file, const ModuleOptions& options, const kvc_module_host_t* host) {
  return describe(kModels, file, options, host);
}

Status open_device_module(const DeviceHost* host, DeviceApi* api) {
  void* handle = nullptr;
  std::string path;
  KVC_RETURN_IF_ERROR(load(kDevices, "", &handle, &path));
  DeviceEntry entry = nullptr;
  KVC_RETURN_IF_ERROR(find(handle, path, kDeviceEntry, &entry));
  if (entry(host, api) == KVC_OK) return Status::ok();
  return error(KVC_E_UNSUPPORTED, "%s is of another release than libkvc: install both from one", path.c_str());
}

std::string describe_device_module() { return describe(kDevices, "", {}, nullptr); }

}  // namespace kvc
