#include "dlpack.h"

#include <cstring>

namespace kvc_cuda {
namespace {

constexpr int kMostDims = 8;
constexpr uint32_t kVersion = 1;

struct Type {
  uint8_t code, bits;
  int32_t dtype;
};
constexpr Type kTypes[] = {{kDLFloat, 32, KVC_F32},    {kDLFloat, 16, KVC_F16},
                           {kDLBfloat, 16, KVC_BF16},  {kDLFloat8E4m3fn, 8, KVC_CUDA_E4M3},
                           {kDLInt, 32, KVC_CUDA_I32}, {kDLUInt, 8, KVC_U8}};

void give_back_now(void* managed, bool versioned) {
  if (versioned) {
    auto* tensor = static_cast<DLManagedTensorVersioned*>(managed);
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  } else {
    auto* tensor = static_cast<DLManagedTensor*>(managed);
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  }
}

}  // namespace

Status describe_tensor(const void* managed, bool versioned, int32_t device, kvc_cuda_tensor_t* out) {
  uint64_t flags = 0;
  const DLTensor* tensor;
  if (versioned) {
    const auto* whole = static_cast<const DLManagedTensorVersioned*>(managed);
    // A later major version may have laid out everything after it differently.
    if (whole->major != kVersion) {
      return error(KVC_E_UNSUPPORTED, "a tensor of DLPack %u.%u; %u is known", whole->major, whole->minor, kVersion);
    }
    flags = whole->flags;
    tensor = &whole->tensor;
  } else {
    tensor = &static_cast<const DLManagedTensor*>(managed)->tensor;
  }
  if (tensor->device_type != kDLCUDA && tensor->device_type != kDLCUDAHost) {
    return error(
        KVC_E_UNSUPPORTED,
        "a tensor of device type %d: %d (CUDA) and %d (pinned host memory) can be used; managed memory cannot, because "
        "it moves",
        tensor->device_type, kDLCUDA, kDLCUDAHost);
  }
  if (tensor->device_type == kDLCUDA && tensor->device_id != device) {
    return error(KVC_E_INVALID, "the tensor is on device %d, this handle is of device %d", tensor->device_id, device);
  }
  const Type* type = nullptr;
  for (const Type& known : kTypes) {
    if (known.code == tensor->code && known.bits == tensor->bits) type = &known;
  }
  if (type == nullptr || tensor->lanes != 1) {
    return error(KVC_E_DTYPE,
                 "a tensor of type code %u, %u bits, %u lanes: f32, f16, bf16, e4m3fn, int32 and uint8 can be used",
                 tensor->code, tensor->bits, tensor->lanes);
  }
  if (tensor->ndim < 1 || tensor->ndim > kMostDims || tensor->shape == nullptr || tensor->data == nullptr) {
    return error(KVC_E_SHAPE, "a tensor of %d dims%s: 1 to %d, and memory, are needed", tensor->ndim,
                 tensor->data == nullptr ? " without memory" : "", kMostDims);
  }
  kvc_cuda_tensor_t made{};
  made.struct_size = sizeof made;
  made.dtype = type->dtype;
  made.n_dims = static_cast<uint32_t>(tensor->ndim);
  made.on_host = tensor->device_type == kDLCUDAHost ? 1 : 0;
  made.read_only = (flags & kDLReadOnly) != 0 ? 1 : 0;
  const uint64_t size = type->bits / 8;
  // From the last dimension on: what a compact tensor's strides would be, and how far the tensor reaches.
  uint64_t compact = size, reach = 0;
  for (int i = tensor->ndim - 1; i >= 0; --i) {
    const int64_t n = tensor->shape[i];
    uint64_t stride = compact;
    if (n <= 0 || __builtin_mul_overflow(compact, static_cast<uint64_t>(n), &compact)) {
      return error(KVC_E_SHAPE, "dimension %d of the tensor is %lld", i, static_cast<long long>(n));
    }
    if (tensor->strides != nullptr) {
      const int64_t given = tensor->strides[i];
      if (given < 0 || __builtin_mul_overflow(static_cast<uint64_t>(given), size, &stride)) {
        return error(KVC_E_SHAPE, "stride %d of the tensor is %lld: strides from 0 on can be used", i,
                     static_cast<long long>(given));
      }
    }
    uint64_t last;
    if (__builtin_mul_overflow(stride, static_cast<uint64_t>(n - 1), &last) ||
        __builtin_add_overflow(reach, last, &reach) || reach > INT64_MAX) {
      return error(KVC_E_SHAPE, "the tensor reaches further than an address does");
    }
    made.shape[i] = n;
    made.strides[i] = static_cast<int64_t>(stride);
  }
  made.bytes = reach + size;
  if (__builtin_add_overflow(reinterpret_cast<uint64_t>(tensor->data), tensor->byte_offset, &made.address)) {
    return error(KVC_E_SHAPE, "the tensor's byte_offset is %llu", static_cast<unsigned long long>(tensor->byte_offset));
  }
  *out = made;
  return Status::ok();
}

Status view_of_tensor(const kvc_cuda_tensor_t& tensor, const char* axes, kvc_cuda_view_t* out) {
  static constexpr char kAxes[] = "plkhtd";
  if (tensor.n_dims == 0 || tensor.n_dims > kMostDims || std::strlen(axes) != tensor.n_dims) {
    return error(KVC_E_SHAPE, "axes \"%.16s\" for a tensor of %u dims", axes, tensor.n_dims);
  }
  kvc_cuda_view_t view{};
  view.base = tensor.address;
  int64_t row = 0;
  int64_t* const strides[] = {&view.page_stride, &view.layer_stride, &view.plane_stride,
                              &view.head_stride, &view.token_stride, &row};
  bool seen[6] = {};
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    const char* at = std::strchr(kAxes, axes[i]);
    const size_t which = at != nullptr ? static_cast<size_t>(at - kAxes) : 0;
    if (at == nullptr || seen[which]) {
      return error(
          KVC_E_INVALID,
          "axes \"%.16s\": each of p (page), l (layer), k (K or V), h (head), t (token), d (number) once at most",
          axes);
    }
    seen[which] = true;
    *strides[which] = tensor.strides[i];
    if (axes[i] == 'd' && tensor.shape[i] > 1) {
      const int64_t size = tensor.dtype == KVC_F32 || tensor.dtype == KVC_CUDA_I32 ? 4
                           : tensor.dtype == KVC_F16 || tensor.dtype == KVC_BF16   ? 2
                                                                                   : 1;
      if (row != size)
        return error(KVC_E_SHAPE, "the numbers of a row are %lld bytes apart, not %lld", static_cast<long long>(row),
                     static_cast<long long>(size));
    }
  }
  if (!seen[5]) return error(KVC_E_INVALID, "axes \"%.16s\" have no d: rows of numbers", axes);
  *out = view;
  return Status::ok();
}

void Borrowed::finish(Gpu& gpu) noexcept {
  for (const Waiting& one : waiting_) {
    (void)gpu.wait(one.fence);
    give_back_now(one.managed, one.versioned);
  }
  waiting_.clear();
}

void Borrowed::give_back(Gpu& gpu, void* managed, bool versioned, Fence fence) {
  std::list<Waiting> ready;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({managed, versioned, fence});
    for (auto at = waiting_.begin(); at != waiting_.end();) {
      const auto next = std::next(at);
      bool done = false;
      // Of a lost device nobody knows when it stops: those are kept until it is closed.
      if (gpu.query(at->fence, &done).is_ok() && done) ready.splice(ready.end(), waiting_, at);
      at = next;
    }
  }
  // Without the lock: whose memory it is may call back.
  for (const Waiting& one : ready) give_back_now(one.managed, one.versioned);
}

}  // namespace kvc_cuda
