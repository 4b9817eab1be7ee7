// Tensors of other frameworks, by DLPack (versions 0 and 1): checked, borrowed, and given back when the device is done
// with them.
#pragma once

#include <list>

#include "gpu.h"
#include "kvc_cuda.h"

namespace kvc_cuda {

// The part of dlpack.h that is used; its names are DLPack's.
struct DLTensor {
  void* data;
  int32_t device_type, device_id;
  int32_t ndim;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;  // in numbers; nullptr: compact
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor*);
};
struct DLManagedTensorVersioned {
  uint32_t major, minor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned*);
  uint64_t flags;
  DLTensor tensor;
};
inline constexpr int32_t kDLCUDA = 2, kDLCUDAHost = 3;
inline constexpr uint8_t kDLInt = 0, kDLUInt = 1, kDLFloat = 2, kDLBfloat = 4, kDLFloat8E4m3fn = 10;
inline constexpr uint64_t kDLReadOnly = 1;

// The module's description of a tensor; nothing is taken. KVC_E_INVALID (another device), KVC_E_UNSUPPORTED (version,
// device type), KVC_E_DTYPE, KVC_E_SHAPE.
Status describe_tensor(const void* managed, bool versioned, int32_t device, kvc_cuda_tensor_t* out);
// Its strides as a view; axes: see kvc_cuda_tensor_view.
Status view_of_tensor(const kvc_cuda_tensor_t& tensor, const char* axes, kvc_cuda_view_t* out);

// Tensors that wait for a fence before they are given back. Any thread.
class Borrowed {
 public:
  // At the end: waits for what uses them, and gives all back; what a lost device has under way never will be done.
  void finish(Gpu& gpu) noexcept;
  // Now, if the fence is done, else later: at another call, or at the end.
  void give_back(Gpu& gpu, void* managed, bool versioned, Fence fence);

 private:
  struct Waiting {
    void* managed;
    bool versioned;
    Fence fence;
  };
  std::mutex mutex_;
  std::list<Waiting> waiting_;
};

}  // namespace kvc_cuda
