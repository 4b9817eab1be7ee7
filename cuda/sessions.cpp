// Where the library and the module meet: the module's functions for the device tier, and sessions by the library's.
#include <atomic>

#include "api.h"
#include "kvc_cuda.h"
#include "tier/device_api.h"

namespace kvc_cuda {
namespace {

using kvc::DeviceApi;
using kvc::DeviceHost;

// Of the library that loaded the module first: sessions are handles, which one library knows.
std::atomic<const DeviceHost*> host{nullptr};

template <typename Function, typename... Arguments>
kvc_status_t forward(Function DeviceHost::*function, Arguments... arguments) noexcept {
  const DeviceHost* there = host.load(std::memory_order_acquire);
  // No engine has a device: no session can be on one.
  return there != nullptr ? (there->*function)(arguments...) : KVC_E_UNSUPPORTED;
}

}  // namespace
}  // namespace kvc_cuda

extern "C" __attribute__((visibility("default"))) kvc_status_t kvc_module_device(const kvc::DeviceHost* library,
                                                                                 kvc::DeviceApi* api) {
  if (library == nullptr || api == nullptr) return KVC_E_NULL;
  if (library->version != kvc::kDeviceApiVersion || library->bytes != sizeof(kvc::DeviceHost) ||
      api->version != kvc::kDeviceApiVersion || api->bytes != sizeof(kvc::DeviceApi)) {
    return KVC_E_UNSUPPORTED;
  }
  const kvc::DeviceHost* none = nullptr;
  kvc_cuda::host.compare_exchange_strong(none, library, std::memory_order_acq_rel);
  api->devices = kvc_cuda_devices;
  api->open = kvc_cuda_open;
  api->close = kvc_cuda_close;
  api->last_error = kvc_cuda_last_error;
  api->reserve = kvc_cuda_reserve;
  api->acquire_run = kvc_cuda_acquire_run;
  api->acquire_place = kvc_cuda_acquire_place;
  api->release = kvc_cuda_release;
  api->address = kvc_cuda_address;
  api->begin = kvc_cuda_begin;
  api->end = kvc_cuda_end;
  api->query = kvc_cuda_query;
  api->wait = kvc_cuda_wait;
  api->swap_in = kvc_cuda_swap_in;
  api->swap_out = kvc_cuda_swap_out;
  api->upload = kvc_cuda_upload;
  api->download = kvc_cuda_download;
  api->pin = kvc_cuda_pin;
  api->unpin = kvc_cuda_unpin;
  api->allocator = kvc_cuda_allocator;
  api->move = kvc_cuda_move;
  api->encode = kvc_cuda_encode;
  api->decode = kvc_cuda_decode;
  api->decode_klt = kvc_cuda::decode_klt_pages;
  api->encode_klt = kvc_cuda::encode_klt_pages;
  api->svd_room = kvc_cuda::svd_room_bytes;
  api->encode_svd = kvc_cuda::encode_svd_pages;
  api->attend_bytes = kvc_cuda_attend_bytes;
  api->attend = kvc_cuda_attend;
  api->merge = kvc_cuda::merge_results;
  api->attend_klt = kvc_cuda::attend_klt_pages;
  api->stats = kvc_cuda_stats;
  api->choose = kvc_cuda_choose;
  return KVC_OK;
}

using namespace kvc_cuda;

kvc_status_t kvc_cuda_session_device(kvc_session_t* session, int32_t device, kvc_cuda_t** cuda) noexcept {
  return forward(&DeviceHost::session_device, session, device, cuda);
}

kvc_status_t kvc_cuda_session_load(kvc_session_t* session, uint32_t from, uint32_t to, const kvc_cuda_order_t* order,
                                   uint64_t* fence) noexcept {
  return forward(&DeviceHost::session_load, session, from, to, order, fence);
}

kvc_status_t kvc_cuda_session_read(kvc_session_t* session, uint32_t layer, int32_t plane, size_t from, size_t n,
                                   const kvc_cuda_rows_t* rows, const kvc_cuda_order_t* order,
                                   uint64_t* fence) noexcept {
  return forward(&DeviceHost::session_read, session, layer, plane, from, n, rows, order, fence);
}

kvc_status_t kvc_cuda_session_append(kvc_session_t* session, uint32_t layer, const kvc_cuda_rows_t* k,
                                     const kvc_cuda_rows_t* v, size_t n, const kvc_cuda_order_t* order,
                                     uint64_t* fence) noexcept {
  return forward(&DeviceHost::session_append, session, layer, k, v, n, order, fence);
}

kvc_status_t kvc_cuda_session_attend_bytes(kvc_session_t* session, const kvc_cuda_session_attend_t* attend,
                                           size_t tokens, uint64_t* bytes) noexcept {
  return forward(&DeviceHost::session_attend_bytes, session, attend, tokens, bytes);
}

kvc_status_t kvc_cuda_session_attend(kvc_session_t* session, const kvc_cuda_session_attend_t* attend,
                                     const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return forward(&DeviceHost::session_attend, session, attend, order, fence);
}
