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
#else
#define KVC_BODY inline
#define KVC_BOTH inline
#define KVC_UNROLL
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

 private:
  unsigned char* shared_;
};

#endif

}  // namespace kvc_cuda
