// A driver that is none: the entries of libcuda that the module calls, on host memory, for tests.
//
//   - Streams are queues. A seed chooses when which of them goes on: at every call, and when somebody waits.
//   - Every operation tells what it reads and writes; vector clocks tell which of them are ordered. Two that touch the
//   same
//     bytes, one of them writing, with no order between them, are a race, whatever came of it in this schedule.
//   - Kernels are the module's bodies, on the host.
//   - Rules of captures, contexts and registered memory are held as cuda.h and the field's reports say them.
//   - Calls can be made to fail: the k-th, with any code; sticky codes end the context.
//
// It says nothing of speed, and what it takes for rules is as good as the reading of them.
#pragma once

#include <cstdint>

#include "driver_abi.h"

#define KVC_FAKE_API extern "C" __attribute__((visibility("default")))

struct FakeOptions {
  uint64_t seed = 1;
  int version = 13000;
  int devices = 1;
  uint64_t device_bytes = 256 << 20;   // of each
  uint64_t alias_offset = 0;           // device address minus host address of registered memory
  bool batch = true;                   // whether there is cuMemcpyBatchAsync
  int init_result = 0;                 // of cuInit
  double copy_us = 2, kernel_us = 10;  // what one operation takes, for events that tell the time
};

// Of a stream: the primary context, a green one (a part of the device, CUDA 12.4), or one of the application's own.
enum class FakeContext { primary, green, other };

// Forgets everything: no handle of before may be used again.
KVC_FAKE_API void fake_reset(const FakeOptions* options);
// The k-th call from now on (0: none) returns `code`.
KVC_FAKE_API void fake_fail_call(uint64_t k, int code);
// The k-th operation that runs on a device from now on ends its context with `code`, which shows at a later call.
KVC_FAKE_API void fake_fail_operation(uint64_t k, int code);
KVC_FAKE_API uint64_t fake_calls();
// How often a kernel was launched.
KVC_FAKE_API uint64_t fake_launches(const char* kernel);
// Runs everything that is queued. With _synchronize the host has waited for it.
KVC_FAKE_API void fake_drain();
KVC_FAKE_API void fake_synchronize();
KVC_FAKE_API uint64_t fake_races();
KVC_FAKE_API const char* fake_first_race();
// Rules that were broken: a use after free, a call without context, a free of what is not allocated, ...
KVC_FAKE_API uint64_t fake_violations();
KVC_FAKE_API const char* fake_first_violation();
// Contexts, allocations, streams, events, libraries and registrations that are not given back.
KVC_FAKE_API uint64_t fake_live();

// What an application does: streams of its own, captures, kernels that read or write a range.
KVC_FAKE_API kvc_cuda::abi::Stream fake_stream(int device, FakeContext context = FakeContext::primary);
KVC_FAKE_API void fake_begin_capture(kvc_cuda::abi::Stream stream, int mode);
// Nodes of the graph, or -1: the capture became invalid.
KVC_FAKE_API int fake_end_capture(kvc_cuda::abi::Stream stream);
KVC_FAKE_API void fake_touch(kvc_cuda::abi::Stream stream, uint64_t at, uint64_t bytes, int write, uint8_t value);
// What a library issues: `run` when the stream comes to it, on what it touches. drop gives the context back.
struct FakeRange {
  uint64_t at, bytes;
  int write;
};
KVC_FAKE_API void fake_issue(kvc_cuda::abi::Stream stream, const FakeRange* ranges, int n, void (*run)(void*),
                             void (*drop)(void*), void* context);
// Whether `at` is memory of a device or registered.
KVC_FAKE_API int fake_is_device_memory(uint64_t at, uint64_t bytes);
KVC_FAKE_API void kvc_fake_note_host_access(const void* at, size_t bytes, int write);
