// The entries of the driver. Handles are addresses of the state's objects; a kernel's is that of its name.
#include "fake_driver.h"

#include <algorithm>
#include <cstring>

#include "state.h"

namespace fake {
namespace {

const char* const kKernels[] = {"kvc_move_rows",    "kvc_copy_runs",  "kvc_encode_pages", "kvc_decode_pages",
                                "kvc_attend_pages", "kvc_attend_mma", "kvc_jacobi",       "kvc_merge_splits",
                                "kvc_decode_klt",   "kvc_decode_svd",   "kvc_encode_klt",   "kvc_svd_terms",
                                "kvc_svd_share",    "kvc_svd_place",    "kvc_attend_klt",   "kvc_attend_klt_mma",
                                "kvc_merge_parts"};

int current() { return thread_state().contexts.empty() ? -1 : thread_state().contexts.back(); }

// Begins a call that needs a context.
int begin(const char* name) {
  State& s = state();
  const int device = current();
  if (device < 0) {
    ++s.calls;
    return s.violate(kInvalidContext, std::string(name) + " without a context");
  }
  return s.enter(name, device);
}

// Begins one that a capture elsewhere forbids.
int begin_unsafe(const char* name) {
  const int result = begin(name);
  if (result != kSuccess) return result;
  if (thread_state().capture_mode != kCaptureModeRelaxed && state().global_capture()) {
    state().invalidate_captures();
    return kCaptureUnsupported;
  }
  return kSuccess;
}

// What a wait says of a device, which is then told.
int tell(int device) {
  State& s = state();
  if (s.dead[static_cast<size_t>(device)] != 0) s.told[static_cast<size_t>(device)] = true;
  return s.dead[static_cast<size_t>(device)];
}

#define FAKE_TRY(expression)                                                   \
  do {                                                                         \
    if (const int result_ = (expression); result_ != kSuccess) return result_; \
  } while (false)

EventState* event_of(Event event) {
  auto* found = reinterpret_cast<EventState*>(event);
  return state().events.count(found) != 0 ? found : nullptr;
}

int bad(const char* words) { return state().violate(kInvalidHandle, words); }

int driver_get_version(int* version) {
  *version = state().options.version;
  return kSuccess;
}
int init(unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(state().enter("cuInit", -1));
  return state().options.init_result;
}
int device_get_count(int* count) {
  const Lock lock(state().mutex);
  FAKE_TRY(state().enter("cuDeviceGetCount", -1));
  *count = state().options.devices;
  return kSuccess;
}
int device_get(DeviceHandle* device, int ordinal) {
  const Lock lock(state().mutex);
  FAKE_TRY(state().enter("cuDeviceGet", -1));
  *device = ordinal;
  return ordinal < state().options.devices ? kSuccess : kInvalidDevice;
}
int device_get_name(char* name, int bytes, DeviceHandle) {
  std::strncpy(name, "fake device", static_cast<size_t>(bytes));
  return kSuccess;
}
int device_get_uuid(Uuid* uuid, DeviceHandle device) {
  std::memset(uuid, device + 1, sizeof *uuid);
  return kSuccess;
}
int device_get_attribute(int* value, int attribute, DeviceHandle) {
  const Lock lock(state().mutex);
  FAKE_TRY(state().enter("cuDeviceGetAttribute", -1));
  *value = attribute == kMultiprocessorCount ? 4 : attribute == kComputeMajor ? 9 : 0;
  return kSuccess;
}
int device_total_mem(size_t* bytes, DeviceHandle) {
  *bytes = state().options.device_bytes;
  return kSuccess;
}
int device_can_access_peer(int* can, DeviceHandle, DeviceHandle) {
  *can = 1;
  return kSuccess;
}
int primary_retain(Context* context, DeviceHandle device) {
  const Lock lock(state().mutex);
  FAKE_TRY(state().enter("cuDevicePrimaryCtxRetain", -1));
  ++state().retained[static_cast<size_t>(device)];
  *context = reinterpret_cast<Context>(static_cast<uintptr_t>(device) + 1);
  return kSuccess;
}
// Gives the context back also where it says that something failed: what failed was before it.
int primary_release(DeviceHandle device) {
  const Lock lock(state().mutex);
  State& s = state();
  const int result = s.enter("cuDevicePrimaryCtxRelease", -1);
  const auto at = static_cast<size_t>(device);
  if (--s.retained[at] < 0) return bad("a context is released too often");
  if (s.retained[at] > 0 || s.dead[at] == 0) return result;
  // A context that ended with an error takes everything with it.
  std::erase_if(s.streams, [&](StreamState* stream) {
    if (stream->device != device || stream->mine) return false;
    delete stream;
    return true;
  });
  std::erase_if(s.events, [&](const EventState* event) {
    if (event->device != device) return false;
    delete event;
    return true;
  });
  std::erase_if(s.registered, [&](const auto& entry) { return s.registrars[entry.first] == device; });
  std::erase_if(s.memory, [&](const auto& entry) { return entry.second.device == device; });
  s.libraries = 0;
  return result;
}
int ctx_push(Context context) {
  const Lock lock(state().mutex);
  const int device = static_cast<int>(reinterpret_cast<uintptr_t>(context)) - 1;
  if (device < 0 || device >= state().options.devices) return bad("no context is pushed");
  FAKE_TRY(state().enter("cuCtxPushCurrent", device));
  thread_state().contexts.push_back(device);
  return kSuccess;
}
int ctx_pop(Context* context) {
  const Lock lock(state().mutex);
  if (thread_state().contexts.empty()) return bad("no context is there to be popped");
  *context = reinterpret_cast<Context>(static_cast<uintptr_t>(thread_state().contexts.back()) + 1);
  thread_state().contexts.pop_back();
  return state().enter("cuCtxPopCurrent", -1);
}
int exchange_mode(int* mode) {
  const Lock lock(state().mutex);
  // Of the thread, whatever its context is like.
  const int device = current() >= 0 && state().dead[static_cast<size_t>(current())] == 0 ? current() : -1;
  FAKE_TRY(state().enter("cuThreadExchangeStreamCaptureMode", device));
  std::swap(*mode, thread_state().capture_mode);
  return kSuccess;
}
int mem_get_info(size_t* free, size_t* total) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuMemGetInfo"));
  *total = state().options.device_bytes;
  *free = *total - state().used[static_cast<size_t>(current())];
  return kSuccess;
}

constexpr uint64_t kRedZone = 64;

int mem_alloc(DevicePtr* out, size_t bytes) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuMemAlloc"));
  State& s = state();
  uint64_t& used = s.used[static_cast<size_t>(current())];
  if (bytes == 0) return kInvalidValue;
  if (used + bytes > s.options.device_bytes) return kOutOfMemory;
  Allocation allocation;
  allocation.bytes = bytes;
  allocation.device = current();
  allocation.memory.reset(new unsigned char[bytes + 2 * kRedZone + 256]);
  std::memset(allocation.memory.get(), 0xa5, bytes + 2 * kRedZone + 256);
  const uint64_t at = (reinterpret_cast<uint64_t>(allocation.memory.get()) + kRedZone + 255) / 256 * 256;
  used += bytes;
  s.memory.emplace(at, std::move(allocation));
  *out = at;
  return kSuccess;
}

int mem_free(DevicePtr at) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuMemFree"));
  State& s = state();
  const auto found = s.memory.find(at);
  if (found == s.memory.end()) return s.violate(kInvalidValue, "memory is freed that is not allocated");
  // Not ordered after anything: that something still uses it is a mistake of the caller's.
  s.host[0]++;
  s.touch({at, found->second.bytes, true}, 0, s.host, s.host.at(0), "cuMemFree");
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  for (uint64_t i = 0; i < kRedZone; ++i) {
    if (bytes[-1 - static_cast<int64_t>(i)] != 0xa5 || bytes[found->second.bytes + i] != 0xa5) {
      s.violate(0, "bytes outside of an allocation were written");
      break;
    }
  }
  s.used[static_cast<size_t>(found->second.device)] -= found->second.bytes;
  s.forget(at, found->second.bytes);
  s.memory.erase(found);
  return kSuccess;
}

int host_register(void* at, size_t bytes, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuMemHostRegister"));
  State& s = state();
  const uint64_t from = reinterpret_cast<uint64_t>(at);
  if (bytes >= uint64_t{512} << 30) return kOutOfMemory;
  for (const auto& [other, length] : s.registered) {
    if (from < other + length && other < from + bytes) return kHostMemoryAlreadyRegistered;
  }
  s.registered.emplace(from, bytes);
  s.registrars[from] = current();
  return kSuccess;
}
int host_unregister(void* at) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuMemHostUnregister"));
  State& s = state();
  const auto found = s.registered.find(reinterpret_cast<uint64_t>(at));
  if (found == s.registered.end()) return s.violate(kInvalidValue, "memory is unregistered that is not registered");
  s.host[0]++;
  s.touch({found->first, found->second, true}, 0, s.host, s.host.at(0), "cuMemHostUnregister");
  s.forget(found->first, found->second);
  s.registered.erase(found);
  return kSuccess;
}
int host_pointer(DevicePtr* alias, void* at, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuMemHostGetDevicePointer"));
  *alias = reinterpret_cast<uint64_t>(at) + state().options.alias_offset;
  return kSuccess;
}

// One copy, as an operation; code: what is wrong with it.
int copy_operation(DevicePtr to, DevicePtr from, size_t bytes, Operation* out) {
  State& s = state();
  uint64_t target = 0, source = 0;
  if (!s.resolve(to, bytes, &target) || !s.resolve(from, bytes, &source)) {
    return s.violate(kInvalidValue, "a copy of memory that is no device's and not registered");
  }
  out->name = "copy";
  const std::vector<Range> ranges = {{source, bytes, false}, {target, bytes, true}};
  out->ranges = [ranges] { return ranges; };
  out->run = [=] { std::memmove(reinterpret_cast<void*>(target), reinterpret_cast<const void*>(source), bytes); };
  return kSuccess;
}

int memcpy_async(DevicePtr to, DevicePtr from, size_t bytes, Stream stream) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuMemcpyAsync"));
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("cuMemcpyAsync on no stream");
  Operation operation;
  FAKE_TRY(copy_operation(to, from, bytes, &operation));
  state().issue(s, std::move(operation));
  return kSuccess;
}
int memcpy_peer_async(DevicePtr to, Context, DevicePtr from, Context, size_t bytes, Stream stream) {
  return memcpy_async(to, from, bytes, stream);
}
int memcpy_batch(DevicePtr* to, DevicePtr* from, size_t* bytes, size_t count, CopyAttributes* attributes, size_t*,
                 size_t n, Stream stream) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuMemcpyBatchAsync"));
  if (stream == nullptr || stream == kLegacyStream) return kInvalidValue;
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("cuMemcpyBatchAsync on no stream");
  // As the driver does: refused, the capture stays valid, and the graph has no copy.
  if (s->capturing) return kCaptureUnsupported;
  if (n == 0 || attributes[0].source_order != kSourceOrderStream) {
    return state().violate(kInvalidValue, "a batch that does not read its sources in stream order");
  }
  for (size_t i = 0; i < count; ++i) {
    Operation operation;
    FAKE_TRY(copy_operation(to[i], from[i], bytes[i], &operation));
    state().issue(s, std::move(operation));
  }
  return kSuccess;
}

int stream_create(Stream* out, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuStreamCreate"));
  *out = reinterpret_cast<Stream>(new_stream(current(), false));
  return kSuccess;
}
int stream_destroy(Stream stream) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuStreamDestroy"));
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("a stream is destroyed that is none");
  state().drain_until([&] { return s->queue.empty(); });
  state().streams.erase(s);
  delete s;
  return kSuccess;
}
int stream_synchronize(Stream stream) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuStreamSynchronize"));
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("a stream is waited for that is none");
  if (s->capturing) {
    s->invalid = true;
    return kCaptureUnsupported;
  }
  if (!state().drain_until([&] { return s->queue.empty(); })) return state().violate(kUnknown, "a wait without end");
  state().host.join(s->clock);
  return tell(s->device);
}
int stream_wait_event(Stream stream, Event event, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuStreamWaitEvent"));
  StreamState* s = stream_of(stream);
  EventState* e = event_of(event);
  if (s == nullptr || e == nullptr) return bad("cuStreamWaitEvent of no stream or event");
  if (s->capturing && !e->captured) {
    s->invalid = true;
    return kCaptureIsolation;
  }
  if (e->record == nullptr) return kSuccess;
  Operation operation;
  operation.name = "wait";
  operation.wait = e->record;
  state().issue(s, std::move(operation));
  return kSuccess;
}
int stream_is_capturing(Stream stream, int* status) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuStreamIsCapturing"));
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("cuStreamIsCapturing of no stream");
  *status = s->capturing ? (s->invalid ? 2 : 1) : 0;
  return kSuccess;
}
int stream_get_ctx(Stream stream, Context* context, GreenContext* green) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuStreamGetCtx"));
  const StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("cuStreamGetCtx of no stream");
  const auto primary = static_cast<uintptr_t>(s->device) + 1;
  *context = reinterpret_cast<Context>(s->context == FakeContext::other ? primary + 0x1000 : primary);
  *green = reinterpret_cast<GreenContext>(s->context == FakeContext::green ? primary + 0x2000 : 0);
  return kSuccess;
}
int event_create(Event* out, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuEventCreate"));
  auto* event = new EventState;
  event->device = current();
  state().events.insert(event);
  *out = reinterpret_cast<Event>(event);
  return kSuccess;
}
int event_destroy(Event event) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuEventDestroy"));
  EventState* e = event_of(event);
  if (e == nullptr) return bad("an event is destroyed that is none");
  state().events.erase(e);
  delete e;
  return kSuccess;
}
int event_record(Event event, Stream stream) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuEventRecord"));
  StreamState* s = stream_of(stream);
  EventState* e = event_of(event);
  if (s == nullptr || e == nullptr) return bad("cuEventRecord of no stream or event");
  if (current() != s->device || s->context == FakeContext::other)
    return bad("an event is recorded on another context's stream");
  e->record = std::make_shared<Record>();
  e->record->device = s->device;
  e->captured = s->capturing;
  Operation operation;
  operation.name = "record";
  operation.record = e->record;
  state().issue(s, std::move(operation));
  return kSuccess;
}
int event_result(EventState* e) {
  if (e->captured) return kCapturedEvent;
  state().host.join(e->record->clock);
  return tell(e->record->device);
}
int event_query(Event event) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuEventQuery"));
  EventState* e = event_of(event);
  if (e == nullptr) return bad("an event is asked that is none");
  if (e->record == nullptr) return kSuccess;
  if (!e->record->done) return state().dead[static_cast<size_t>(e->record->device)] != 0 ? event_result(e) : kNotReady;
  return event_result(e);
}
int event_synchronize(Event event) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuEventSynchronize"));
  EventState* e = event_of(event);
  if (e == nullptr) return bad("an event is waited for that is none");
  if (e->record == nullptr) return kSuccess;
  if (!state().drain_until([&] { return e->record->done; })) return state().violate(kUnknown, "a wait without end");
  return event_result(e);
}
int event_elapsed(float* milliseconds, Event from, Event to) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuEventElapsedTime"));
  const EventState* first = event_of(from);
  const EventState* last = event_of(to);
  if (first == nullptr || last == nullptr || first->record == nullptr || last->record == nullptr)
    return bad("no time between events");
  if (!first->record->done || !last->record->done) return kNotReady;
  *milliseconds = static_cast<float>((last->record->us - first->record->us) / 1000);
  return kSuccess;
}
int library_load(Library* out, const void*, int*, void**, unsigned, int*, void**, unsigned) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin_unsafe("cuLibraryLoadData"));
  ++state().libraries;
  *out = reinterpret_cast<Library>(uintptr_t{1});
  return kSuccess;
}
int library_unload(Library) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuLibraryUnload"));
  --state().libraries;
  return kSuccess;
}
int library_get_kernel(Kernel* out, Library, const char* name) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuLibraryGetKernel"));
  for (const char* const& kernel : kKernels) {
    if (std::strcmp(kernel, name) != 0) continue;
    *out = reinterpret_cast<Kernel>(const_cast<char**>(&kernel));
    return kSuccess;
  }
  return kNotFound;
}
int launch_kernel(Function function, unsigned grid, unsigned, unsigned, unsigned threads, unsigned, unsigned,
                  unsigned shared, Stream stream, void** parameters, void**) {
  const Lock lock(state().mutex);
  FAKE_TRY(begin("cuLaunchKernel"));
  StreamState* s = stream_of(stream);
  if (s == nullptr) return bad("a launch on no stream");
  if (current() != s->device || s->context == FakeContext::other) return bad("a launch on another context's stream");
  const auto* name = reinterpret_cast<const char* const*>(function);
  if (grid == 0 || threads == 0 || threads > 1024 || shared > 48 * 1024) return kInvalidValue;
  Launch launch;
  if (!launch_of(*name, grid, threads, shared, parameters[0], state().random.next(), &launch))
    return bad("no such kernel");
  ++state().launches[*name];
  Operation operation;
  operation.name = *name;
  operation.ranges = std::move(launch.ranges);
  operation.run = std::move(launch.run);
  state().issue(s, std::move(operation));
  return kSuccess;
}

struct Entry {
  const char* name;
  void* address;
};
const Entry kEntries[] = {
    {"cuDriverGetVersion", reinterpret_cast<void*>(driver_get_version)},
    {"cuInit", reinterpret_cast<void*>(init)},
    {"cuDeviceGetCount", reinterpret_cast<void*>(device_get_count)},
    {"cuDeviceGet", reinterpret_cast<void*>(device_get)},
    {"cuDeviceGetName", reinterpret_cast<void*>(device_get_name)},
    {"cuDeviceGetUuid", reinterpret_cast<void*>(device_get_uuid)},
    {"cuDeviceGetAttribute", reinterpret_cast<void*>(device_get_attribute)},
    {"cuDeviceTotalMem", reinterpret_cast<void*>(device_total_mem)},
    {"cuDeviceCanAccessPeer", reinterpret_cast<void*>(device_can_access_peer)},
    {"cuDevicePrimaryCtxRetain", reinterpret_cast<void*>(primary_retain)},
    {"cuDevicePrimaryCtxRelease", reinterpret_cast<void*>(primary_release)},
    {"cuCtxPushCurrent", reinterpret_cast<void*>(ctx_push)},
    {"cuCtxPopCurrent", reinterpret_cast<void*>(ctx_pop)},
    {"cuThreadExchangeStreamCaptureMode", reinterpret_cast<void*>(exchange_mode)},
    {"cuMemGetInfo", reinterpret_cast<void*>(mem_get_info)},
    {"cuMemAlloc", reinterpret_cast<void*>(mem_alloc)},
    {"cuMemFree", reinterpret_cast<void*>(mem_free)},
    {"cuMemHostRegister", reinterpret_cast<void*>(host_register)},
    {"cuMemHostUnregister", reinterpret_cast<void*>(host_unregister)},
    {"cuMemHostGetDevicePointer", reinterpret_cast<void*>(host_pointer)},
    {"cuMemcpyAsync", reinterpret_cast<void*>(memcpy_async)},
    {"cuMemcpyPeerAsync", reinterpret_cast<void*>(memcpy_peer_async)},
    {"cuMemcpyBatchAsync", reinterpret_cast<void*>(memcpy_batch)},
    {"cuStreamCreate", reinterpret_cast<void*>(stream_create)},
    {"cuStreamDestroy", reinterpret_cast<void*>(stream_destroy)},
    {"cuStreamSynchronize", reinterpret_cast<void*>(stream_synchronize)},
    {"cuStreamWaitEvent", reinterpret_cast<void*>(stream_wait_event)},
    {"cuStreamGetCtx", reinterpret_cast<void*>(stream_get_ctx)},
    {"cuStreamIsCapturing", reinterpret_cast<void*>(stream_is_capturing)},
    {"cuEventCreate", reinterpret_cast<void*>(event_create)},
    {"cuEventDestroy", reinterpret_cast<void*>(event_destroy)},
    {"cuEventRecord", reinterpret_cast<void*>(event_record)},
    {"cuEventQuery", reinterpret_cast<void*>(event_query)},
    {"cuEventSynchronize", reinterpret_cast<void*>(event_synchronize)},
    {"cuEventElapsedTime", reinterpret_cast<void*>(event_elapsed)},
    {"cuLibraryLoadData", reinterpret_cast<void*>(library_load)},
    {"cuLibraryUnload", reinterpret_cast<void*>(library_unload)},
    {"cuLibraryGetKernel", reinterpret_cast<void*>(library_get_kernel)},
    {"cuLaunchKernel", reinterpret_cast<void*>(launch_kernel)},
};

}  // namespace
}  // namespace fake

using namespace fake;

KVC_FAKE_API int cuDriverGetVersion(int* version) { return driver_get_version(version); }

KVC_FAKE_API int cuGetProcAddress_v2(const char* name, void** out, int, uint64_t, int* found) {
  *out = nullptr;
  for (const Entry& entry : kEntries) {
    if (std::strcmp(entry.name, name) == 0) *out = entry.address;
  }
  if (!state().options.batch && std::strcmp(name, "cuMemcpyBatchAsync") == 0) *out = nullptr;
  if (found != nullptr) *found = *out != nullptr ? 0 : 1;
  return *out != nullptr ? kSuccess : kNotFound;
}

// What a test of the real driver looks up by name: captures, whose graphs are the number of their nodes.
KVC_FAKE_API int cuStreamBeginCapture_v2(Stream stream, int mode) {
  fake_begin_capture(stream, mode);
  return kSuccess;
}
KVC_FAKE_API int cuStreamEndCapture(Stream stream, void** graph) {
  const int nodes = fake_end_capture(stream);
  *graph = reinterpret_cast<void*>(static_cast<intptr_t>(nodes + 1));
  return nodes < 0 ? kCaptureInvalidated : kSuccess;
}
KVC_FAKE_API int cuGraphGetNodes(void* graph, void*, size_t* n) {
  *n = static_cast<size_t>(reinterpret_cast<intptr_t>(graph) - 1);
  return kSuccess;
}
KVC_FAKE_API int cuGraphDestroy(void*) { return kSuccess; }
