#include "library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "failure.h"

namespace kvc_llama {
namespace {

namespace fs = std::filesystem;

std::mutex g_mutex;  // guards the three below
std::unique_ptr<Library> g_library;
std::unique_ptr<Library> g_host;
std::string g_log;

// Functions and words of levels 3 and 4 (warnings and errors); 5 continues the line before.
void keep_log(int32_t level, const char* text, void*) {
  constexpr int32_t kWarn = 3, kError = 4;
  constexpr size_t kMost = 600;
  if (text == nullptr || (level != kWarn && level != kError)) return;
  const std::lock_guard lock(g_mutex);
  g_log += text;
  if (g_log.size() > kMost) g_log.erase(0, g_log.size() - kMost);
}

void resolve(void* handle, Library* library){
#define KVC_LLAMA_RESOLVE(result, name, parameters)                                                   \
  library->name = reinterpret_cast<result(*) parameters>(dlsym(handle, #name));                       \
  if (library->name == nullptr) {                                                                     \
    fail(KVC_E_UNSUPPORTED,                                                                           \
         "%s lacks the function %s: kvc works with llama.cpp v0.5.0 and what has the same interface", \
         library->path.c_str(), #name);                                                               \
  }
    KVC_LLAMA_FUNCTIONS(KVC_LLAMA_RESOLVE)
#undef KVC_LLAMA_RESOLVE
}

// How many bytes a function writes that returns a struct by value. The System V ABI of x86-64 passes the address of a
// large result as a hidden first argument, so that the function can be called as one that takes a pointer; what it did
// not touch still differs between two fillings. 0 where that cannot be done.
size_t result_size(void* function) {
#if defined(__x86_64__)
  constexpr size_t kRoom = 4096;
  std::vector<unsigned char> a(kRoom, 0x00), b(kRoom, 0xff);
  const auto call = reinterpret_cast<void (*)(void*)>(function);
  call(a.data());
  call(b.data());
  size_t size = kRoom;
  while (size > 0 && a[size - 1] != b[size - 1]) --size;
  return (size + 7) / 8 * 8;
#else
  (void)function;
  return 0;
#endif
}

// A library of another release may have other structs. Their sizes and defaults must be those that this module knows.
void check_layout(Library* library) {
  const auto differs = [&](const char* what, size_t has, size_t known) {
    fail(KVC_E_UNSUPPORTED,
         "%s (version %s) has %s of %zu bytes, this module knows %zu (llama.cpp v0.5.0): give it a library of that "
         "release",
         library->path.c_str(), library->version.c_str(), what, has, known);
  };
  const size_t context_bytes = result_size(reinterpret_cast<void*>(&*library->llama_context_default_params));
  const size_t model_bytes = result_size(reinterpret_cast<void*>(&*library->llama_model_default_params));
  if (context_bytes != 0 && context_bytes != sizeof(context_params))
    differs("llama_context_params", context_bytes, sizeof(context_params));
  if (model_bytes != 0 && model_bytes != sizeof(model_params))
    differs("llama_model_params", model_bytes, sizeof(model_params));

  library->context_defaults = library->llama_context_default_params();
  library->model_defaults = library->llama_model_default_params();
  const context_params& c = library->context_defaults;
  const model_params& m = library->model_defaults;
  const bool as_known =
      c.n_ctx == 512 && c.n_batch == 2048 && c.n_ubatch == 512 && c.n_seq_max == 1 && c.n_threads > 0 &&
      c.n_threads == c.n_threads_batch && c.rope_scaling_type == kRopeScalingUnspecified && c.pooling_type == -1 &&
      c.attention_type == -1 && c.flash_attn_type == kFlashAuto && c.rope_freq_base == 0 && c.rope_freq_scale == 0 &&
      c.yarn_ext_factor == -1 && c.defrag_threshold == -1 && c.type_k == kTypeF16 && c.type_v == kTypeF16 &&
      c.abort_callback == nullptr && !c.embeddings && c.offload_kqv && c.swa_full && !c.kv_unified &&
      c.other == nullptr && m.devices == nullptr && m.n_gpu_layers == -1 && m.split_mode == 1 &&
      m.progress == nullptr && m.kv_overrides == nullptr && !m.vocab_only && m.use_extra_buffers && !m.load_mtp;
  if (!as_known) {
    fail(KVC_E_UNSUPPORTED,
         "%s (version %s) has other default parameters than llama.cpp v0.5.0: its interface differs from the one that "
         "this module knows",
         library->path.c_str(), library->version.c_str());
  }
}

std::string folder_of_this_module() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&folder_of_this_module), &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code ignored;
  return fs::absolute(info.dli_fname, ignored).parent_path().string();
}

bool is_llama_name(const std::string& name) {
  // libllama.so, libllama.so.1, libllama.v0.5.0.so; not libllama-common.so.
  return name.rfind("libllama.", 0) == 0 && name.find(".so") != std::string::npos;
}

// The library in a folder; "" if there is none.
std::string library_in(const fs::path& folder) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (is_llama_name(it->path().filename().string())) found.push_back(it->path().string());
  }
  if (found.empty()) return "";
  return *std::min_element(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
}

std::unique_ptr<Library> open_file(const std::string& path) {
  // Global symbols of another llama.cpp in the process must not be mixed with this one's: local, and its own first.
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    const char* why = dlerror();
    fail(KVC_E_UNSUPPORTED, "cannot load %s: %s", path.c_str(), why != nullptr ? why : "no reason given");
  }
  auto library = std::make_unique<Library>();
  library->path = path;
  resolve(handle, library.get());
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(&*library->llama_version), &info) != 0 && info.dli_fname != nullptr) {
    library->path = info.dli_fname;
  }
  const char* version = library->llama_version();
  library->version = version != nullptr ? version : "unknown";
  check_layout(library.get());
  library->llama_log_set(keep_log, nullptr);
  library->llama_backend_init();
  // The variants of the CPU backend are libraries beside it, of which the best for this machine is loaded.
  if (library->ggml_backend_dev_count() == 0) {
    library->ggml_backend_load_all_from_path(fs::path(library->path).parent_path().c_str());
  }
  if (library->ggml_backend_dev_count() == 0) {
    fail(KVC_E_UNSUPPORTED,
         "%s has no compute backend: put the libggml-cpu libraries of the same release into its folder",
         library->path.c_str());
  }
  return library;
}

// Where bindings/llama/setup puts what it fetches; "" where there is no home.
std::string fetched_folder() {
  const char* cache = secure_getenv("XDG_CACHE_HOME");
  const char* home = secure_getenv("HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/kvc/llama.cpp/lib";
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/kvc/llama.cpp/lib";
  return "";
}

std::unique_ptr<Library> find_library(const std::string& place) {
  const char* variable = std::getenv("KVC_LLAMA_LIB");
  const bool from_environment = place.empty() && variable != nullptr && variable[0] != 0;
  const std::string asked = from_environment ? variable : place;
  if (!asked.empty()) {
    std::error_code ignored;
    if (!fs::is_directory(asked, ignored)) return open_file(asked);
    const std::string file = library_in(asked);
    if (file.empty()) {
      fail(KVC_E_UNSUPPORTED, "no libllama*.so in %s (%s)", asked.c_str(),
           from_environment ? "from the environment variable KVC_LLAMA_LIB" : "from option model_library");
    }
    return open_file(file);
  }
  const std::string folder = folder_of_this_module();
  if (const std::string file = folder.empty() ? "" : library_in(folder); !file.empty()) return open_file(file);
  const std::string fetched = fetched_folder();
  if (const std::string file = fetched.empty() ? "" : library_in(fetched); !file.empty()) return open_file(file);
  try {
    return open_file("libllama.so");
  } catch (const Failure& failure) {
    fail(failure.status(),
         "no llama.cpp: no libllama*.so beside this module (%s) nor in %s, and %s; name its folder in option "
         "model_library or "
         "in the environment variable KVC_LLAMA_LIB",
         folder.c_str(), fetched.empty() ? "the user's cache" : fetched.c_str(), failure.what());
  }
}

}  // namespace

const Library& load_library(const std::string& place) {
  // dlopen and the constructors of llama.cpp run under no lock of ours but this one, which its log does not take.
  static std::mutex loading;
  const std::lock_guard lock(loading);
  if (g_library == nullptr) {
    std::unique_ptr<Library> library = find_library(place);
    const std::lock_guard publish(g_mutex);
    g_library = std::move(library);
  } else if (!place.empty()) {
    std::error_code error;
    const fs::path had(g_library->path);
    if (!fs::equivalent(place, had, error) && !fs::equivalent(place, had.parent_path(), error)) {
      fail(KVC_E_UNSUPPORTED, "this process has loaded %s already; a second llama.cpp (%s) cannot be added to it",
           g_library->path.c_str(), place.c_str());
    }
  }
  return *g_library;
}

const Library& host_library() {
  static std::mutex loading;
  const std::lock_guard lock(loading);
  if (g_host == nullptr) {
    auto library = std::make_unique<Library>();
    library->path = "the llama.cpp of this program";
    resolve(RTLD_DEFAULT, library.get());
    const char* version = library->llama_version();
    library->version = version != nullptr ? version : "unknown";
    check_layout(library.get());
    g_host = std::move(library);
  }
  return *g_host;
}

std::string device_names(const Library& library) {
  std::string names;
  for (size_t i = 0; i < library.ggml_backend_dev_count(); ++i) {
    ggml_device* device = library.ggml_backend_dev_get(i);
    if (!names.empty()) names += ", ";
    names +=
        std::string(library.ggml_backend_dev_name(device)) + " (" + library.ggml_backend_dev_description(device) + ")";
  }
  return names;
}

std::string take_log() {
  const std::lock_guard lock(g_mutex);
  std::string log;
  log.swap(g_log);
  while (!log.empty() && (log.back() == '\n' || log.back() == ' ')) log.pop_back();
  std::replace(log.begin(), log.end(), '\n', ' ');
  return log;
}

}  // namespace kvc_llama
