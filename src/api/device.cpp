// Sessions on a device: what the module's kvc_cuda_session_* call.
#include "api/call.h"
#include "cache/session_device.h"
#include "tier/device_api.h"

namespace kvc {
namespace {

template <typename T>
Status check_struct(const T* given, const char* name) {
  if (given == nullptr) return null_argument(name);
  if (given->struct_size == sizeof(T)) return Status::ok();
  return error(KVC_E_STRUCT_SIZE, "%s has struct_size %zu, not %zu: install kvc_cuda.h and libkvc from one release",
               name, given->struct_size, sizeof(T));
}

Status read_order(const kvc_cuda_order_t* given, DeviceCall* out) {
  KVC_RETURN_IF_ERROR(check_struct(given, "order"));
  if (given->n_reads > 0 || given->n_writes > 0) {
    return error(KVC_E_INVALID, "order names %u slots: a session's calls name none", given->n_reads + given->n_writes);
  }
  if (given->n_wait > 0 && given->wait == nullptr) return null_argument("order.wait");
  out->stream = given->stream;
  out->wait.assign(given->wait, given->wait + given->n_wait);
  return Status::ok();
}

Status read_rows(const kvc_cuda_rows_t* given, const char* name, DeviceRows* out) {
  if (given == nullptr) return null_argument(name);
  if (given->address == 0) return error(KVC_E_NULL, "%s.address is 0", name);
  *out = {given->address, given->token_stride, given->head_stride};
  return Status::ok();
}

Status read_attend(const kvc_cuda_session_attend_t* given, DeviceAttend* out) {
  KVC_RETURN_IF_ERROR(check_struct(given, "attend"));
  *out = {given->query,      given->out,         reinterpret_cast<uint64_t>(given->room),
          given->room_bytes, given->layer,       given->group,
          given->splits,     given->query_dtype, given->out_dtype,
          given->scale};
  return Status::ok();
}

// body(Session&, fence) with a fence also where the caller wants none.
template <typename Body>
kvc_status_t issue(kvc_session_t* session, const kvc_cuda_order_t* order, uint64_t* fence, Body&& body) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    DeviceCall call;
    KVC_RETURN_IF_ERROR(read_order(order, &call));
    uint64_t own = 0;
    const Status status = body(*object.session, call, &own);
    if (fence != nullptr) *fence = own;
    return status;
  });
}

kvc_status_t session_device(kvc_session_t* session, int32_t device, kvc_cuda_t** cuda) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (cuda == nullptr) return null_argument("cuda");
    return object.session->device(device, cuda);
  });
}

kvc_status_t session_load(kvc_session_t* session, uint32_t from, uint32_t to, const kvc_cuda_order_t* order,
                          uint64_t* fence) noexcept {
  return issue(session, order, fence, [&](Session& on, const DeviceCall& call, uint64_t* done) {
    return on.device_load(from, to, call, done);
  });
}

kvc_status_t session_read(kvc_session_t* session, uint32_t layer, int32_t plane, size_t from, size_t n,
                          const kvc_cuda_rows_t* rows, const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return issue(session, order, fence, [&](Session& on, const DeviceCall& call, uint64_t* done) -> Status {
    DeviceRows to;
    KVC_RETURN_IF_ERROR(read_rows(rows, "rows", &to));
    return on.device_read(layer, plane, from, n, to, call, done);
  });
}

kvc_status_t session_append(kvc_session_t* session, uint32_t layer, const kvc_cuda_rows_t* k, const kvc_cuda_rows_t* v,
                            size_t n, const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return issue(session, order, fence, [&](Session& on, const DeviceCall& call, uint64_t* done) -> Status {
    DeviceRows keys, values;
    KVC_RETURN_IF_ERROR(read_rows(k, "k", &keys));
    KVC_RETURN_IF_ERROR(read_rows(v, "v", &values));
    return on.device_append(layer, keys, values, n, call, done);
  });
}

kvc_status_t session_attend_bytes(kvc_session_t* session, const kvc_cuda_session_attend_t* attend, size_t tokens,
                                  uint64_t* bytes) noexcept {
  return on_session(session, [&](SessionObject& object) -> Status {
    if (bytes == nullptr) return null_argument("bytes");
    DeviceAttend read;
    KVC_RETURN_IF_ERROR(read_attend(attend, &read));
    return object.session->device_attend_bytes(read, tokens, bytes);
  });
}

kvc_status_t session_attend(kvc_session_t* session, const kvc_cuda_session_attend_t* attend,
                            const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return issue(session, order, fence, [&](Session& on, const DeviceCall& call, uint64_t* done) -> Status {
    DeviceAttend read;
    KVC_RETURN_IF_ERROR(read_attend(attend, &read));
    if (read.query == nullptr || read.out == nullptr || read.room == 0)
      return null_argument("attend.query, out or room");
    return on.device_attend(read, call, done);
  });
}

constexpr DeviceHost kHost = {kDeviceApiVersion, sizeof(DeviceHost), session_device,       session_load,
                              session_read,      session_append,     session_attend_bytes, session_attend};

}  // namespace

const DeviceHost* device_host() noexcept { return &kHost; }

}  // namespace kvc
