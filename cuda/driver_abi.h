// The part of NVIDIA's driver interface that this module calls, declared here so that it is built without CUDA's
// headers. tests/cuda/abi_check.cu compares every type and number with cuda.h where a CUDA toolkit is installed.
//
// Functions are found by cuGetProcAddress for version 13.0: the names are those without suffix.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvc_cuda::abi {

using Result = int;
using DeviceHandle = int;
using DevicePtr = unsigned long long;
using Context = struct CUctx_st*;
using GreenContext = struct CUgreenCtx_st*;
using Stream = struct CUstream_st*;
using Event = struct CUevent_st*;
using Function = struct CUfunc_st*;
using Library = struct CUlib_st*;
using Kernel = struct CUkern_st*;

struct Uuid {
  char bytes[16];
};
struct MemLocation {
  int type;  // 0: no hint
  int id;
};
// How the copies of a batch see their sources.
struct CopyAttributes {
  int source_order;
  MemLocation source, destination;
  unsigned flags;
};

inline constexpr int kVersion = 13000;  // what the functions are asked for as, and the oldest driver that has them

enum : Result {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kStubLibrary = 34,
  kInsufficientDriver = 35,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kInvalidPtx = 218,
  kNvlinkUncorrectable = 220,
  kUnsupportedPtxVersion = 222,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchTimeout = 702,
  kPeerAccessAlreadyEnabled = 704,
  kContextIsDestroyed = 709,
  kAssert = 710,
  kHostMemoryAlreadyRegistered = 712,
  kHardwareStackError = 714,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kInvalidAddressSpace = 717,
  kInvalidPc = 718,
  kLaunchFailed = 719,
  kSystemDriverMismatch = 803,
  kCompatNotSupported = 804,
  kCaptureUnsupported = 900,
  kCaptureInvalidated = 901,
  kCaptureIsolation = 905,
  kCapturedEvent = 907,
  kCaptureWrongThread = 908,
  kUnknown = 999,
};

enum Attribute : int {
  kMultiprocessorCount = 16,
  kPciBusId = 33,
  kPciDeviceId = 34,
  kAsyncEngineCount = 40,
  kPciDomainId = 50,
  kComputeMajor = 75,
  kComputeMinor = 76,
  kHostPointerForRegistered = 91,
  kHostNumaId = 134,
};

inline constexpr unsigned kStreamNonBlocking = 1;
inline constexpr unsigned kEventDisableTiming = 2;
inline constexpr unsigned kHostRegisterPortable = 1;
inline constexpr unsigned kHostRegisterDeviceMap = 2;
inline constexpr int kCaptureNone = 0;
inline constexpr int kCaptureModeRelaxed = 2;
inline constexpr int kSourceOrderStream = 1;
inline constexpr unsigned kPreferOverlap = 1;
inline const Stream kLegacyStream = reinterpret_cast<Stream>(1);
inline const Stream kPerThreadStream = reinterpret_cast<Stream>(2);

// X(name, required, parameters)
#define KVC_CUDA_DRIVER_FUNCTIONS(X)                                                                            \
  X(cuDriverGetVersion, 1, (int*))                                                                              \
  X(cuInit, 1, (unsigned))                                                                                      \
  X(cuDeviceGetCount, 1, (int*))                                                                                \
  X(cuDeviceGet, 1, (DeviceHandle*, int))                                                                       \
  X(cuDeviceGetName, 1, (char*, int, DeviceHandle))                                                             \
  X(cuDeviceGetUuid, 1, (Uuid*, DeviceHandle))                                                                  \
  X(cuDeviceGetAttribute, 1, (int*, int, DeviceHandle))                                                         \
  X(cuDeviceTotalMem, 1, (size_t*, DeviceHandle))                                                               \
  X(cuDeviceCanAccessPeer, 1, (int*, DeviceHandle, DeviceHandle))                                               \
  X(cuDevicePrimaryCtxRetain, 1, (Context*, DeviceHandle))                                                      \
  X(cuDevicePrimaryCtxRelease, 1, (DeviceHandle))                                                               \
  X(cuCtxPushCurrent, 1, (Context))                                                                             \
  X(cuCtxPopCurrent, 1, (Context*))                                                                             \
  X(cuMemGetInfo, 1, (size_t*, size_t*))                                                                        \
  X(cuMemAlloc, 1, (DevicePtr*, size_t))                                                                        \
  X(cuMemFree, 1, (DevicePtr))                                                                                  \
  X(cuMemHostRegister, 1, (void*, size_t, unsigned))                                                            \
  X(cuMemHostUnregister, 1, (void*))                                                                            \
  X(cuMemHostGetDevicePointer, 1, (DevicePtr*, void*, unsigned))                                                \
  X(cuMemcpyAsync, 1, (DevicePtr, DevicePtr, size_t, Stream))                                                   \
  X(cuMemcpyPeerAsync, 1, (DevicePtr, Context, DevicePtr, Context, size_t, Stream))                             \
  X(cuMemcpyBatchAsync, 0, (DevicePtr*, DevicePtr*, size_t*, size_t, CopyAttributes*, size_t*, size_t, Stream)) \
  X(cuStreamCreate, 1, (Stream*, unsigned))                                                                     \
  X(cuStreamDestroy, 1, (Stream))                                                                               \
  X(cuStreamSynchronize, 1, (Stream))                                                                           \
  X(cuStreamWaitEvent, 1, (Stream, Event, unsigned))                                                            \
  X(cuStreamIsCapturing, 1, (Stream, int*))                                                                     \
  X(cuStreamGetCtx, 0, (Stream, Context*, GreenContext*))                                                       \
  X(cuThreadExchangeStreamCaptureMode, 1, (int*))                                                               \
  X(cuEventCreate, 1, (Event*, unsigned))                                                                       \
  X(cuEventDestroy, 1, (Event))                                                                                 \
  X(cuEventRecord, 1, (Event, Stream))                                                                          \
  X(cuEventQuery, 1, (Event))                                                                                   \
  X(cuEventSynchronize, 1, (Event))                                                                             \
  X(cuEventElapsedTime, 1, (float*, Event, Event))                                                              \
  X(cuLibraryLoadData, 1, (Library*, const void*, int*, void**, unsigned, int*, void**, unsigned))              \
  X(cuLibraryUnload, 1, (Library))                                                                              \
  X(cuLibraryGetKernel, 1, (Kernel*, Library, const char*))                                                     \
  X(cuLaunchKernel, 1,                                                                                          \
    (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Stream, void**, void**))

#define KVC_CUDA_TYPE(name, required, parameters) using name##_t = Result(*) parameters;
KVC_CUDA_DRIVER_FUNCTIONS(KVC_CUDA_TYPE)
#undef KVC_CUDA_TYPE

using GetProcAddress = Result (*)(const char*, void**, int, uint64_t, int*);

}  // namespace kvc_cuda::abi
