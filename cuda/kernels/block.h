// What a kernel body is written against: a block of threads, on a device or played by the host.
//
// A body is a function of a Block type. Work of one thread lies in block.each(lambda over the thread's number); what a
// thread keeps from one each() to the next is a Block::Local. Between each() that write shared or global memory and
// each() that read it stands block.sync(). The device runs an each() once in every thread; the host (HostBlock) runs
// it for all threads, one after the other, in any order: what depends on the order is a missing sync, and shows.
//
// Arithmetic is + - * / and conversions, one IEEE operation at a time (nvcc -fmad=false, -ffp-contract=off): device,
// host and the library's own kernels give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#ifdef __CUDACC__
#define KVC_BODY __device__ __forceinline__
#define KVC_BOTH __host__ __device__ __forceinline__
#define KVC_UNROLL _Pragma("unroll")
#define KVC_NO_UNROLL _Pragma("unroll 1")
#else
#define KVC_BODY inline
#define KVC_BOTH inline
#define KVC_UNROLL
#define KVC_NO_UNROLL
#endif

namespace kvc_cuda {

// Bytes of shared memory that any body may use: what every device gives a block unasked.
inline constexpr uint32_t kSharedBytes = 48 * 1024 - 512;

#ifdef __CUDACC__

class DeviceBlock {
 public:
  template <typename T>
  struct Local {
    T value;
    __device__ __forceinline__ explicit Local(DeviceBlock&) : value{} {}
    __device__ __forceinline__ T& operator[](uint32_t) { return value; }
  };

  __device__ __forceinline__ explicit DeviceBlock(unsigned char* shared) : shared_(shared) {}
  __device__ __forceinline__ uint32_t index() const { return blockIdx.x; }
  __device__ __forceinline__ uint32_t blocks() const { return gridDim.x; }
  __device__ __forceinline__ uint32_t threads() const { return blockDim.x; }
  __device__ __forceinline__ unsigned char* shared() const { return shared_; }
  template <typename Function>
  __device__ __forceinline__ void each(Function&& function) {
    function(threadIdx.x);
  }
  __device__ __forceinline__ void sync() { __syncthreads(); }

  // Of a warp. c += a * b of 16 x 16 and 16 x 8 numbers (f16 or bf16), each thread with its parts of them as mma.sync
  // has them; nothing on devices without it (below compute capability 8.0), which are not asked. c, a, b: thread -> its
  // part.
  template <class C, class A, class B>
  __device__ __forceinline__ void mma(bool bf16, C&& c, A&& a, B&& b) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
    float* to = c(threadIdx.x);
    const uint32_t* x = a(threadIdx.x);
    const uint32_t* y = b(threadIdx.x);
#define KVC_MMA(type)                                                                 \
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." type "." type                 \
               ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};" \
               : "+f"(to[0]), "+f"(to[1]), "+f"(to[2]), "+f"(to[3])                   \
               : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(y[0]), "r"(y[1]))
    if (bf16) {
      KVC_MMA("bf16");
    } else {
      KVC_MMA("f16");
    }
#undef KVC_MMA
#endif
  }
  // Two numbers of each thread, over the four threads 4n .. 4n+3 of a warp; all four get the result.
  template <class Get>
  __device__ __forceinline__ void quad_max(Get&& get) {
    float* own = get(threadIdx.x);
    for (int e = 0; e < 2; ++e) {
      for (int by = 1; by < 4; by *= 2) {
        const float other = __shfl_xor_sync(0xffffffffu, own[e], by);
        own[e] = other > own[e] ? other : own[e];
      }
    }
  }
  template <class Get>
  __device__ __forceinline__ void quad_sum(Get&& get) {
    float* own = get(threadIdx.x);
    for (int e = 0; e < 2; ++e) {
      for (int by = 1; by < 4; by *= 2) own[e] = own[e] + __shfl_xor_sync(0xffffffffu, own[e], by);
    }
  }

 private:
  unsigned char* shared_;
};

#endif

}  // namespace kvc_cuda
