#include "low_rank.h"

#include <dlfcn.h>

#include <atomic>

namespace kvc_cuda {
namespace {

constexpr uint64_t kWorkspace = 4 << 20;  // of cuBLAS, so that it allocates none
constexpr int kTransposed = 1, kPlain = 0, kDefaultAlgorithm = -1;
constexpr int kCompute32 = 68, kComputeTf32 = 77;  // cublasComputeType_t

std::atomic<const char*> library_name{nullptr};

// The part of cublas_api.h that is used. Types are cudaDataType.
struct Cublas {
  int (*create)(void**) = nullptr;
  int (*destroy)(void*) = nullptr;
  int (*set_stream)(void*, void*) = nullptr;
  int (*set_workspace)(void*, void*, size_t) = nullptr;
  int (*multiply)(void* handle, int transpose_a, int transpose_b, int m, int n, int k, const void* alpha, const void* a,
                  int a_type, int lda, long long a_stride, const void* b, int b_type, int ldb, long long b_stride,
                  const void* beta, void* c, int c_type, int ldc, long long c_stride, int batch, int compute,
                  int algorithm) = nullptr;

  Status load() {
    const char* named = library_name.load(std::memory_order_acquire);
    const char* const names[] = {named != nullptr ? named : "libcublas.so.13",
                                 named != nullptr ? nullptr : "libcublas.so.12"};
    std::string why;
    for (const char* name : names) {
      if (name == nullptr) continue;
      // Never closed: it has threads and a context of its own.
      void* library = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
      if (library == nullptr) {
        const char* words = dlerror();
        why += (why.empty() ? "" : "; ") + std::string(words != nullptr ? words : name);
        continue;
      }
      create = reinterpret_cast<decltype(create)>(dlsym(library, "cublasCreate_v2"));
      destroy = reinterpret_cast<decltype(destroy)>(dlsym(library, "cublasDestroy_v2"));
      set_stream = reinterpret_cast<decltype(set_stream)>(dlsym(library, "cublasSetStream_v2"));
      set_workspace = reinterpret_cast<decltype(set_workspace)>(dlsym(library, "cublasSetWorkspace_v2"));
      multiply = reinterpret_cast<decltype(multiply)>(dlsym(library, "cublasGemmStridedBatchedEx"));
      if (create != nullptr && destroy != nullptr && set_stream != nullptr && set_workspace != nullptr &&
          multiply != nullptr) {
        return Status::ok();
      }
      why += (why.empty() ? "" : "; ") + std::string(name) + " is no cuBLAS";
    }
    return error(KVC_E_UNSUPPORTED,
                 "low rank needs cuBLAS, which cannot be loaded (%s): install it, or do without low rank on devices",
                 why.c_str());
  }
};

int cuda_type(int32_t dtype) { return dtype == KVC_F32 ? 0 : dtype == KVC_F16 ? 2 : 14; }

}  // namespace

// c = a * b, as cuBLAS sees memory: column after column.
struct LowRank::Product {
  Cublas* cublas;
  int transpose_a, transpose_b, m, n, k;
  uint64_t a, b, c;
  int type_a, type_c;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c;
  int batch, compute;
};

void LowRank::set_library(const char* path) noexcept { library_name.store(path, std::memory_order_release); }

uint64_t LowRank::room_bytes(const kvc_cuda_low_rank_t& what) {
  return kWorkspace + 2 * uint64_t{what.matrices} * what.dim * what.dim * sizeof(float);
}

Status LowRank::check(int result, const char* what) const {
  constexpr int kAllocationFailed = 3, kExecutionFailed = 13, kInternal = 14;
  if (result == 0) return Status::ok();
  const kvc_status_t status = result == kAllocationFailed                         ? KVC_E_NO_MEMORY
                              : result == kExecutionFailed || result == kInternal ? KVC_E_DEVICE
                                                                                  : KVC_E_UNSUPPORTED;
  return error(status, "%s: error %d of cuBLAS", what, result);
}

Status LowRank::multiply(Gpu&, const Product& p) {
  const float one = 1.0f, zero = 0.0f;
  return check(
      p.cublas->multiply(handle_, p.transpose_a, p.transpose_b, p.m, p.n, p.k, &one, reinterpret_cast<const void*>(p.a),
                         p.type_a, static_cast<int>(p.lda), p.stride_a, reinterpret_cast<const void*>(p.b), p.type_a,
                         static_cast<int>(p.ldb), p.stride_b, &zero, reinterpret_cast<void*>(p.c), p.type_c,
                         static_cast<int>(p.ldc), p.stride_c, p.batch, p.compute, kDefaultAlgorithm),
      "cublasGemmStridedBatchedEx");
}

Status LowRank::run(Gpu& gpu, Step step, const kvc_cuda_low_rank_t& what, const Order& order, Fence* done) {
  const std::lock_guard lock(mutex_);
  if (done != nullptr) *done = 0;
  if (what.matrices == 0) return gpu.used(order, done);
  Cublas cublas;
  KVC_RETURN_IF_ERROR(cublas.load());
  Device& device = gpu.device();
  const Device::Scope scope(device);
  KVC_RETURN_IF_ERROR(scope.status());
  if (handle_ == nullptr) KVC_RETURN_IF_ERROR(check(cublas.create(&handle_), "cublasCreate"));
  // A handle's stream decides whose room it may use: both at every call.
  KVC_RETURN_IF_ERROR(check(cublas.set_stream(handle_, order.stream), "cublasSetStream"));
  KVC_RETURN_IF_ERROR(check(cublas.set_workspace(handle_, what.room, kWorkspace), "cublasSetWorkspace"));
  KVC_RETURN_IF_ERROR(gpu.use(order));

  const int64_t size = bytes_of(static_cast<Number>(what.dtype)), dim = what.dim, rank = what.rank;
  const int type = cuda_type(what.dtype), compute = what.tf32 != 0 && what.dtype == KVC_F32 ? kComputeTf32 : kCompute32;
  const int64_t token = what.token_stride / size, matrix = what.matrix_stride / size;
  const uint64_t gram = reinterpret_cast<uint64_t>(what.room) + kWorkspace;
  const uint64_t basis = reinterpret_cast<uint64_t>(what.basis),
                 coefficients = reinterpret_cast<uint64_t>(what.coefficients);
  const int d = static_cast<int>(dim), r = static_cast<int>(rank), t = static_cast<int>(what.tokens),
            batch = static_cast<int>(what.matrices);
  // Rows that follow each other are columns to cuBLAS: X is dim x tokens, the basis W rank x dim, coefficients rank x
  // tokens.
  const auto issue = [&]() -> Status {
    if (step == Step::project) {
      return multiply(gpu, {&cublas, kPlain, kPlain, r, t, d, basis, what.rows, coefficients, type, type, rank, token,
                            rank, dim * rank, matrix, int64_t{t} * rank, batch, compute});
    }
    if (step == Step::restore) {
      return multiply(gpu, {&cublas, kTransposed, kPlain, d, t, r, basis, coefficients, what.rows, type, type, rank,
                            rank, token, dim * rank, int64_t{t} * rank, matrix, batch, compute});
    }
    KVC_RETURN_IF_ERROR(multiply(gpu, {&cublas, kPlain, kTransposed, d, d, t, what.rows, what.rows, gram, type, 0,
                                       token, token, dim, matrix, matrix, dim * dim, batch, compute}));
    JacobiArgs args;
    args.gram = reinterpret_cast<float*>(gram);
    args.vectors = args.gram + uint64_t{what.matrices} * what.dim * what.dim;
    args.basis = static_cast<unsigned char*>(what.basis);
    args.values = what.values;
    args.matrices = what.matrices, args.dim = what.dim, args.rank = what.rank;
    args.number = static_cast<Number>(what.dtype);
    return gpu.eigenvectors(args, order.stream);
  };
  const Status issued = issue();
  if (device.is_lost()) return issued;
  // Also after a failure: a part may have been issued.
  const Status ended = gpu.used(order, done);
  return issued.is_ok() ? ended : issued;
}

void LowRank::finish(Gpu& gpu) noexcept {
  if (handle_ == nullptr) return;
  const Device::Scope scope(gpu.device());
  Cublas cublas;
  // On a lost device nothing of CUDA is called any more.
  if (scope.status().is_ok() && cublas.load().is_ok()) (void)cublas.destroy(handle_);
  handle_ = nullptr;
}

}  // namespace kvc_cuda
