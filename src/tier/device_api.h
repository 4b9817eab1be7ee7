// What the library and the module of a kind of device know of each other: two tables of functions, exchanged once, when
// an engine with a device budget loads the module. Neither links the other.
//
// DeviceApi is the module's: the C functions of cuda/kvc_cuda.h by which the device tier works. DeviceHost is the
// library's: what the module's functions on sessions (kvc_cuda_session_*) call.
#pragma once

#include "cuda/kernels/klt_tables.h"
#include "cuda/kvc_cuda.h"

namespace kvc {

inline constexpr uint32_t kDeviceApiVersion = 4;

struct DeviceHost {
  uint32_t version = kDeviceApiVersion;
  uint32_t bytes = sizeof(DeviceHost);
  decltype(&kvc_cuda_session_device) session_device = nullptr;
  decltype(&kvc_cuda_session_load) session_load = nullptr;
  decltype(&kvc_cuda_session_read) session_read = nullptr;
  decltype(&kvc_cuda_session_append) session_append = nullptr;
  decltype(&kvc_cuda_session_attend_bytes) session_attend_bytes = nullptr;
  decltype(&kvc_cuda_session_attend) session_attend = nullptr;
};

// Pages of klt, lowrank and auto, to be decoded on a device, or of the first two to be encoded; addresses are of its
// memory.
struct DeviceKlt {
  kvc_cuda_view_t clear{};
  kvc_cuda::KltForm form;
  uint64_t tables = 0;       // form.page_bytes() for each page
  uint64_t calibration = 0;  // form.calibration_bytes(); 0: none
  uint64_t analysis = 0;     // to encode: form.analysis_bytes()
  uint64_t failed = 0;       // to encode: u32 for each page, 0; 1 where a number is not finite: the page is none then
  uint32_t pages = 0;
  int32_t dtype = 0;
};

// Pages that codec svd encodes on a device; all of its memory, as of kvc_cuda_encode.
struct DeviceSvd {
  const int32_t* clear_pages = nullptr;
  const uint64_t* encoded_pages = nullptr;
  uint32_t* failed = nullptr;
  uint64_t room = 0;   // svd_room() for each page, only while they are encoded
  uint64_t bytes = 0;  // of an encoded page, as the codec says
  uint32_t pages = 0;
};

// Such pages among a sequence's, to be attended to from their codes.
struct DeviceKltAttend {
  kvc_cuda::KltForm form;
  uint64_t calibration = 0;          // form.calibration_bytes(); 0: none
  const uint32_t* tokens = nullptr;  // device memory: one number, of tokens in these pages
  const uint64_t* tables = nullptr;  // device memory: the address of each page's table
};

// Results of `attend`, f32, with their states, to be put together; device memory.
struct DeviceMerge {
  const void* values = nullptr;  // f32 [row][dim] of the first part; the next lies `stride` bytes further on
  const void* state = nullptr;   // as kvc_cuda_attend_t, likewise
  void* out = nullptr;           // [row][dim] of out_dtype
  uint64_t stride = 0;
  uint32_t parts = 0, rows = 0, dim = 0;
  int32_t out_dtype = 0;
};

struct DeviceApi {
  uint32_t version = kDeviceApiVersion;
  uint32_t bytes = sizeof(DeviceApi);
  decltype(&kvc_cuda_devices) devices = nullptr;
  decltype(&kvc_cuda_open) open = nullptr;
  decltype(&kvc_cuda_close) close = nullptr;
  decltype(&kvc_cuda_last_error) last_error = nullptr;
  decltype(&kvc_cuda_reserve) reserve = nullptr;
  decltype(&kvc_cuda_acquire_run) acquire_run = nullptr;
  decltype(&kvc_cuda_acquire_place) acquire_place = nullptr;
  decltype(&kvc_cuda_release) release = nullptr;
  decltype(&kvc_cuda_address) address = nullptr;
  decltype(&kvc_cuda_begin) begin = nullptr;
  decltype(&kvc_cuda_end) end = nullptr;
  decltype(&kvc_cuda_query) query = nullptr;
  decltype(&kvc_cuda_wait) wait = nullptr;
  decltype(&kvc_cuda_swap_in) swap_in = nullptr;
  decltype(&kvc_cuda_swap_out) swap_out = nullptr;
  decltype(&kvc_cuda_upload) upload = nullptr;
  decltype(&kvc_cuda_download) download = nullptr;
  decltype(&kvc_cuda_pin) pin = nullptr;
  decltype(&kvc_cuda_unpin) unpin = nullptr;
  decltype(&kvc_cuda_allocator) allocator = nullptr;
  decltype(&kvc_cuda_move) move = nullptr;
  decltype(&kvc_cuda_encode) encode = nullptr;
  decltype(&kvc_cuda_decode) decode = nullptr;
  // Errors: those of kvc_cuda_decode.
  kvc_status_t (*decode_klt)(kvc_cuda_t* cuda, const DeviceKlt* pages, const kvc_cuda_order_t* order,
                             uint64_t* fence) = nullptr;
  // Everything of a page but its header, which the caller writes to its begin. With a calibration.
  kvc_status_t (*encode_klt)(kvc_cuda_t* cuda, const DeviceKlt* pages, const kvc_cuda_order_t* order,
                             uint64_t* fence) = nullptr;
  // 0: kernels do not encode such pages.
  uint64_t (*svd_room)(const kvc_cuda_pages_t* pages) = nullptr;
  kvc_status_t (*encode_svd)(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const DeviceSvd* svd,
                             const kvc_cuda_order_t* order, uint64_t* fence) = nullptr;
  decltype(&kvc_cuda_attend_bytes) attend_bytes = nullptr;
  decltype(&kvc_cuda_attend) attend = nullptr;
  // kvc_cuda_attend of one sequence that has both kinds of pages. attend->lengths: of the pages that are none of klt's.
  // attend->room: twice what attend_bytes says.
  kvc_status_t (*attend_klt)(kvc_cuda_t* cuda, const kvc_cuda_pages_t* pages, const kvc_cuda_attend_t* attend,
                             const DeviceKltAttend* klt, const kvc_cuda_order_t* order, uint64_t* fence) = nullptr;
  kvc_status_t (*merge)(kvc_cuda_t* cuda, const DeviceMerge* merge, const kvc_cuda_order_t* order,
                        uint64_t* fence) = nullptr;
  decltype(&kvc_cuda_stats) stats = nullptr;
  decltype(&kvc_cuda_choose) choose = nullptr;
  // For tests: told of what the processor does with memory that a device may reach. nullptr: nobody wants to know.
  void (*note)(const void* at, size_t bytes, int write) = nullptr;
};

// Exported by a module under this name. The host's table must stay.
inline constexpr const char* kDeviceEntry = "kvc_module_device";
using DeviceEntry = kvc_status_t (*)(const DeviceHost* host, DeviceApi* api);

}  // namespace kvc
