// Versions, features, and how this library was built.
#include <dlfcn.h>
#include <mimalloc.h>
#include <sodium.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "kvc/kvc.h"
#include "model/builtin/weights.h"

namespace kvc {
namespace {

#define KVC_TEXT_OF(x) KVC_TEXT(x)
#define KVC_TEXT(x) #x
constexpr const char* kVersion =
    KVC_TEXT_OF(KVC_VERSION_MAJOR) "." KVC_TEXT_OF(KVC_VERSION_MINOR) "." KVC_TEXT_OF(KVC_VERSION_PATCH);

constexpr const char* kCompiler =
#if defined(__clang__)
    "clang " __clang_version__;
#elif defined(__GNUC__)
    "gcc " __VERSION__;
#else
    "unknown";
#endif

constexpr std::string_view sanitizer() {
#if defined(__SANITIZE_ADDRESS__)
  return "address";
#elif defined(__SANITIZE_THREAD__)
  return "thread";
#else
  return "none";
#endif
}

constexpr bool assertions() {
#ifdef NDEBUG
  return false;
#else
  return true;
#endif
}

// The file that this very code was loaded from: with several copies on a machine, the one that answers.
std::string library_path() {
  static const char anchor = 0;
  Dl_info info{};
  if (dladdr(&anchor, &info) == 0 || info.dli_fname == nullptr) return "";
  return info.dli_fname;
}

bool cpu_has(std::string_view feature) {
#if defined(__x86_64__)
  if (feature == "avx2") return __builtin_cpu_supports("avx2") != 0;
  if (feature == "f16c") return __builtin_cpu_supports("f16c") != 0;
#endif
  (void)feature;
  return false;
}

std::string mimalloc_version() {
  const int version = mi_version();  // 209 is 2.0.9
  return std::to_string(version / 100) + "." + std::to_string(version / 10 % 10) + "." + std::to_string(version % 10);
}

std::string build_info() {
  JsonObject libraries;
  libraries.string("mimalloc", mimalloc_version()).string("libsodium", sodium_version_string());
  JsonObject features;
  for (const char* name : {"builtin_model", "avx2", "f16c", "threads"})
    features.boolean(name, kvc_has_feature(name) == 1);
  JsonObject json;
  json.string("version", kVersion)
      .number("abi", KVC_ABI_VERSION)
      .string("compiler", kCompiler)
      .integer("cplusplus", __cplusplus)
      .boolean("assertions", assertions())
      .string("sanitizer", sanitizer())
      .raw("libraries", libraries.text())
      .raw("features", features.text())
      .number("builtin_weights_bytes", builtin::embedded_weights().size())
      .string("path", library_path());
  return json.text();
}

}  // namespace
}  // namespace kvc

const char* kvc_version_string() noexcept { return kvc::kVersion; }

uint32_t kvc_abi_version() noexcept { return KVC_ABI_VERSION; }

const char* kvc_build_info() noexcept {
  // Made once and kept; whoever is first publishes it. No lock, so that a fork cannot find one held.
  static constinit std::atomic<const std::string*> kept{nullptr};
  const std::string* info = kept.load(std::memory_order_acquire);
  if (info != nullptr) return info->c_str();
  try {
    auto made = std::make_unique<const std::string>(kvc::build_info());
    if (kept.compare_exchange_strong(info, made.get(), std::memory_order_acq_rel)) info = made.release();
    return info->c_str();
  } catch (...) {
    return "{}";  // no memory now; a later call tries again
  }
}

int32_t kvc_has_feature(const char* name) noexcept {
  if (name == nullptr) return 0;
  const std::string_view feature(name);
  return feature == "builtin_model" || feature == "threads" || kvc::cpu_has(feature) ? 1 : 0;
}
