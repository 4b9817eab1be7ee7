// An NVML that is none: one device, whose UUID and utilisation the test sets.
#include <cstring>

#define FAKE_API extern "C" __attribute__((visibility("default")))

namespace {
char uuid[64];
unsigned percent = 0;
int result = 0, calls = 0;
}  // namespace

FAKE_API void fake_nvml_set(const char* id, unsigned gpu, int code) {
  std::strncpy(uuid, id, sizeof uuid - 1);
  percent = gpu, result = code, calls = 0;
}
FAKE_API int fake_nvml_calls() { return calls; }
FAKE_API int nvmlInit_v2() { return 0; }
FAKE_API int nvmlDeviceGetHandleByUUID(const char* id, void** device) {
  if (std::strcmp(id, uuid) != 0) return 6;  // NVML_ERROR_NOT_FOUND
  *device = uuid;
  return 0;
}
FAKE_API int nvmlDeviceGetUtilizationRates(void*, void* rates) {
  ++calls;
  const unsigned both[2] = {percent, 0};
  std::memcpy(rates, both, sizeof both);
  return result;
}
