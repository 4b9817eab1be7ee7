// cuda/driver_abi.h against the headers of CUDA: compiled, never run.
#include <cuda.h>
#include <cudaTypedefs.h>

#include <type_traits>

#include "driver_abi.h"

using namespace kvc_cuda;

// Functions of the same arguments and result, handles aside: those are pointers there and here, or numbers of one size.
template <typename A, typename B>
struct Same : std::bool_constant<sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>> {};
template <typename Ours, typename Theirs>
struct SameFunction : std::false_type {};
template <typename R, typename... A, typename S, typename... B>
struct SameFunction<R (*)(A...), S (*)(B...)> {
  template <bool equal, typename Dummy = void>
  struct Each : std::false_type {};
  template <typename Dummy>
  struct Each<true, Dummy> : std::bool_constant<(Same<A, B>::value && ...)> {};
  static constexpr bool value = Each<sizeof...(A) == sizeof...(B)>::value && sizeof(R) == sizeof(S);
};

// What the driver gives by this name since 12.5.
#undef cuStreamGetCtx
#define cuStreamGetCtx cuStreamGetCtx_v2
#define CHECK_FUNCTION(name, required, parameters) \
  static_assert(SameFunction<abi::name##_t, decltype(&::name)>::value, #name);
KVC_CUDA_DRIVER_FUNCTIONS(CHECK_FUNCTION)

static_assert(sizeof(abi::CopyAttributes) == sizeof(CUmemcpyAttributes));
static_assert(offsetof(abi::CopyAttributes, source) == offsetof(CUmemcpyAttributes, srcLocHint));
static_assert(offsetof(abi::CopyAttributes, destination) == offsetof(CUmemcpyAttributes, dstLocHint));
static_assert(offsetof(abi::CopyAttributes, flags) == offsetof(CUmemcpyAttributes, flags));
static_assert(sizeof(abi::MemLocation) == sizeof(CUmemLocation) && sizeof(abi::Uuid) == sizeof(CUuuid));
static_assert(sizeof(abi::DeviceHandle) == sizeof(CUdevice) && sizeof(abi::DevicePtr) == sizeof(CUdeviceptr));

#define CHECK(ours, theirs) static_assert(static_cast<long long>(abi::ours) == static_cast<long long>(theirs), #ours)
CHECK(kVersion, CUDA_VERSION / 1000 * 1000);
CHECK(kSuccess, CUDA_SUCCESS);
CHECK(kInvalidValue, CUDA_ERROR_INVALID_VALUE);
CHECK(kOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
CHECK(kNotInitialized, CUDA_ERROR_NOT_INITIALIZED);
CHECK(kDeinitialized, CUDA_ERROR_DEINITIALIZED);
CHECK(kStubLibrary, CUDA_ERROR_STUB_LIBRARY);
CHECK(kDeviceUnavailable, CUDA_ERROR_DEVICE_UNAVAILABLE);
CHECK(kNoDevice, CUDA_ERROR_NO_DEVICE);
CHECK(kInvalidDevice, CUDA_ERROR_INVALID_DEVICE);
CHECK(kInvalidContext, CUDA_ERROR_INVALID_CONTEXT);
CHECK(kNoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
CHECK(kEccUncorrectable, CUDA_ERROR_ECC_UNCORRECTABLE);
CHECK(kInvalidPtx, CUDA_ERROR_INVALID_PTX);
CHECK(kNvlinkUncorrectable, CUDA_ERROR_NVLINK_UNCORRECTABLE);
CHECK(kUnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
CHECK(kInvalidHandle, CUDA_ERROR_INVALID_HANDLE);
CHECK(kNotFound, CUDA_ERROR_NOT_FOUND);
CHECK(kNotReady, CUDA_ERROR_NOT_READY);
CHECK(kIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
CHECK(kLaunchTimeout, CUDA_ERROR_LAUNCH_TIMEOUT);
CHECK(kPeerAccessAlreadyEnabled, CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
CHECK(kContextIsDestroyed, CUDA_ERROR_CONTEXT_IS_DESTROYED);
CHECK(kAssert, CUDA_ERROR_ASSERT);
CHECK(kHostMemoryAlreadyRegistered, CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
CHECK(kHardwareStackError, CUDA_ERROR_HARDWARE_STACK_ERROR);
CHECK(kIllegalInstruction, CUDA_ERROR_ILLEGAL_INSTRUCTION);
CHECK(kMisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
CHECK(kInvalidAddressSpace, CUDA_ERROR_INVALID_ADDRESS_SPACE);
CHECK(kInvalidPc, CUDA_ERROR_INVALID_PC);
CHECK(kLaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
CHECK(kSystemDriverMismatch, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
CHECK(kCompatNotSupported, CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE);
CHECK(kCaptureUnsupported, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
CHECK(kCaptureInvalidated, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
CHECK(kCaptureIsolation, CUDA_ERROR_STREAM_CAPTURE_ISOLATION);
CHECK(kCapturedEvent, CUDA_ERROR_CAPTURED_EVENT);
CHECK(kCaptureWrongThread, CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
CHECK(kUnknown, CUDA_ERROR_UNKNOWN);
CHECK(kMultiprocessorCount, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
CHECK(kPciBusId, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID);
CHECK(kPciDeviceId, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID);
CHECK(kAsyncEngineCount, CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT);
CHECK(kPciDomainId, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID);
CHECK(kComputeMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
CHECK(kComputeMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
CHECK(kHostPointerForRegistered, CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM);
CHECK(kHostNumaId, CU_DEVICE_ATTRIBUTE_HOST_NUMA_ID);
CHECK(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);
CHECK(kEventDisableTiming, CU_EVENT_DISABLE_TIMING);
CHECK(kHostRegisterPortable, CU_MEMHOSTREGISTER_PORTABLE);
CHECK(kHostRegisterDeviceMap, CU_MEMHOSTREGISTER_DEVICEMAP);
CHECK(kCaptureNone, CU_STREAM_CAPTURE_STATUS_NONE);
CHECK(kCaptureModeRelaxed, CU_STREAM_CAPTURE_MODE_RELAXED);
CHECK(kSourceOrderStream, CU_MEMCPY_SRC_ACCESS_ORDER_STREAM);
CHECK(kPreferOverlap, CU_MEMCPY_FLAG_PREFER_OVERLAP_WITH_COMPUTE);
