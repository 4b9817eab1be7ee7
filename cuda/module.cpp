// The entry by which libkvc.so asks this module about itself (kvc_module_describe of kvc.h).
#include <algorithm>
#include <cstring>
#include <new>

#include "describe.h"
#include "driver.h"

extern "C" __attribute__((visibility("default"))) kvc_status_t kvc_module_describe(const kvc_module_request_t* request,
                                                                                   char* text, size_t capacity,
                                                                                   size_t* length) {
  try {
    if (request == nullptr || request->version != KVC_MODULE_VERSION) return KVC_E_UNSUPPORTED;
    const std::string object = kvc_cuda::describe(kvc_cuda::kDriverLibrary, "/proc/driver/nvidia/gpus");
    *length = object.size();
    if (capacity > 0) {
      const size_t n = std::min(capacity - 1, object.size());
      std::memcpy(text, object.data(), n);
      text[n] = 0;
    }
    return KVC_OK;
  } catch (const std::bad_alloc&) {
    return KVC_E_NO_MEMORY;
  } catch (...) {
    return KVC_E_INTERNAL;
  }
}
