// Every kernel of the module, for the driver to find by name. The bodies are in the headers beside this file.
#include "kernels/attend_klt.h"
#include "kernels/jacobi.h"
#include "kernels/klt_encode.h"
#include "kernels/merge.h"
#include "kernels/move.h"
#include "kernels/svd_encode.h"

using namespace kvc_cuda;

// blocks: at least so many share a processor, which bounds the registers of a thread.
#define KVC_KERNEL(name, body, type, threads, blocks)                                                  \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ type a) { \
    extern __shared__ __align__(16) unsigned char shared[];                                            \
    DeviceBlock block(shared);                                                                         \
    body(block, a);                                                                                    \
  }

// What needs tensor cores' products is empty where there are none: Device::has_mma.
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define KVC_MMA_KERNEL KVC_KERNEL
#else
#define KVC_MMA_KERNEL(name, body, type, threads, blocks) \
  extern "C" __global__ void __launch_bounds__(threads, blocks) name(const __grid_constant__ type) {}
#endif

KVC_KERNEL(kvc_move_rows, move_rows, MoveArgs, 256, 4)
KVC_KERNEL(kvc_copy_runs, copy_runs, CopyArgs, 512, 1)
KVC_KERNEL(kvc_encode_pages, encode_pages, CodeArgs, 128, 6)
KVC_KERNEL(kvc_decode_pages, decode_pages, CodeArgs, 128, 6)
KVC_KERNEL(kvc_decode_klt, decode_klt, KltArgs, 128, 4)
KVC_KERNEL(kvc_encode_klt, encode_klt, KltEncodeArgs, 512, 1)
KVC_KERNEL(kvc_decode_svd, decode_svd, CodeArgs, 128, 8)
KVC_KERNEL(kvc_svd_terms, svd_terms, SvdEncodeArgs, 256, 2)
KVC_KERNEL(kvc_svd_share, svd_share, SvdEncodeArgs, 256, 1)
KVC_KERNEL(kvc_svd_place, svd_place, SvdEncodeArgs, 128, 8)
KVC_KERNEL(kvc_attend_pages, attend_pages, AttendArgs, 128, 3)
KVC_MMA_KERNEL(kvc_attend_mma, attend_mma, AttendArgs, 32, 8)
KVC_KERNEL(kvc_attend_klt, attend_klt, KltAttendArgs, 128, 3)
KVC_MMA_KERNEL(kvc_attend_klt_mma, attend_klt_mma, KltAttendArgs, 128, 3)
KVC_KERNEL(kvc_jacobi, jacobi, JacobiArgs, 256, 2)
KVC_KERNEL(kvc_merge_splits, merge_splits, AttendArgs, 128, 8)
KVC_KERNEL(kvc_merge_parts, merge_parts, MergeArgs, 256, 4)
