#include "nvml.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>

namespace kvc_cuda {
namespace {

std::atomic<const char*> library_name{"libnvidia-ml.so.1"};

// The part of nvml.h that is used.
struct UtilizationRates {
  unsigned gpu, memory;  // percent
};
struct Nvml {
  int (*init)() = nullptr;
  int (*by_uuid)(const char*, void**) = nullptr;
  int (*rates)(void*, UtilizationRates*) = nullptr;

  bool load() noexcept {
    // Never closed: another part of the program may use it.
    void* library = dlopen(library_name.load(std::memory_order_acquire), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == nullptr) return false;
    init = reinterpret_cast<int (*)()>(dlsym(library, "nvmlInit_v2"));
    by_uuid = reinterpret_cast<int (*)(const char*, void**)>(dlsym(library, "nvmlDeviceGetHandleByUUID"));
    rates = reinterpret_cast<int (*)(void*, UtilizationRates*)>(dlsym(library, "nvmlDeviceGetUtilizationRates"));
    return init != nullptr && by_uuid != nullptr && rates != nullptr;
  }
};

// As NVML writes it. Devices are found by that, not by number: CUDA_VISIBLE_DEVICES changes the driver's.
void write_uuid(const abi::Uuid& uuid, char (&text)[48]) noexcept {
  int at = std::snprintf(text, sizeof text, "GPU-");
  for (int i = 0; i < 16; ++i) {
    const bool dash = i == 4 || i == 6 || i == 8 || i == 10;
    at += std::snprintf(text + at, sizeof text - at, dash ? "-%02x" : "%02x",
                        static_cast<unsigned>(static_cast<unsigned char>(uuid.bytes[i])));
  }
}

}  // namespace

void Utilization::set_library(const char* path) noexcept {
  library_name.store(path != nullptr ? path : "libnvidia-ml.so.1", std::memory_order_release);
}

double Utilization::share(const Device& device) noexcept {
  constexpr auto kLeast = std::chrono::milliseconds(100);
  if (!device.usable().is_ok()) return -1;
  const std::lock_guard lock(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (asked_ && (handle_ == nullptr || now - at_ < kLeast)) return last_;
  Nvml nvml;
  const bool first = !asked_;
  asked_ = true;
  at_ = now;
  last_ = -1;
  if (!nvml.load()) return last_;
  if (first) {
    abi::Uuid uuid{};
    char text[48];
    if (device.call().cuDeviceGetUuid(&uuid, device.handle()) != abi::kSuccess || nvml.init() != 0) return last_;
    write_uuid(uuid, text);
    if (nvml.by_uuid(text, &handle_) != 0) handle_ = nullptr;
  }
  UtilizationRates rates{};
  if (handle_ != nullptr && nvml.rates(handle_, &rates) == 0 && rates.gpu <= 100) last_ = rates.gpu / 100.0;
  return last_;
}

}  // namespace kvc_cuda
