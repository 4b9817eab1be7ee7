// A cuBLAS that is none: products on the host, issued on the streams of the fake driver, with what they touch.
#include <dlfcn.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "fake/fake_driver.h"
#include "kernels/numbers.h"

#define FAKE_API extern "C" __attribute__((visibility("default")))

namespace {

using namespace kvc_cuda;

struct Handle {
  void* stream = nullptr;
  void* workspace = nullptr;
};
int live = 0, last_compute = 0, failure = 0;

Number number_of(int type) { return type == 0 ? Number::f32 : type == 2 ? Number::f16 : Number::bf16; }

struct Work {
  int transpose_a, transpose_b, m, n, k;
  uint64_t a, b, c;
  Number in, out;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c;
  int batch;
};

void multiply(void* context) {
  const Work& w = *static_cast<Work*>(context);
  const uint32_t in = bytes_of(w.in), out = bytes_of(w.out);
  const auto at = [&](uint64_t base, int64_t index) {
    return load_number(w.in, reinterpret_cast<const unsigned char*>(base) + index * in);
  };
  for (int64_t i = 0; i < w.batch; ++i)
    for (int64_t row = 0; row < w.m; ++row)
      for (int64_t column = 0; column < w.n; ++column) {
        float sum = 0;
        for (int64_t k = 0; k < w.k; ++k) {
          const float a = at(w.a, i * w.stride_a + (w.transpose_a != 0 ? row * w.lda + k : k * w.lda + row));
          const float b = at(w.b, i * w.stride_b + (w.transpose_b != 0 ? k * w.ldb + column : column * w.ldb + k));
          sum += a * b;
        }
        store_number(w.out, sum, reinterpret_cast<unsigned char*>(w.c) + (i * w.stride_c + column * w.ldc + row) * out);
      }
}

uint64_t reach(int64_t rows, int64_t columns, int64_t ld, int64_t stride, int64_t batch) {
  return static_cast<uint64_t>((batch - 1) * stride + (columns - 1) * ld + rows);
}

}  // namespace

FAKE_API int fake_cublas_live() { return live; }
FAKE_API int fake_cublas_compute() { return last_compute; }
FAKE_API void fake_cublas_fail(int code) { failure = code; }

FAKE_API int cublasCreate_v2(void** handle) {
  *handle = new Handle;
  ++live;
  return 0;
}
FAKE_API int cublasDestroy_v2(void* handle) {
  delete static_cast<Handle*>(handle);
  --live;
  return 0;
}
FAKE_API int cublasSetStream_v2(void* handle, void* stream) {
  static_cast<Handle*>(handle)->stream = stream;
  static_cast<Handle*>(handle)->workspace = nullptr;  // as cuBLAS says
  return 0;
}
FAKE_API int cublasSetWorkspace_v2(void* handle, void* at, size_t) {
  static_cast<Handle*>(handle)->workspace = at;
  return 0;
}
FAKE_API int cublasGemmStridedBatchedEx(void* handle, int transpose_a, int transpose_b, int m, int n, int k,
                                        const void* alpha, const void* a, int a_type, int lda, long long a_stride,
                                        const void* b, int b_type, int ldb, long long b_stride, const void* beta,
                                        void* c, int c_type, int ldc, long long c_stride, int batch, int compute, int) {
  auto* h = static_cast<Handle*>(handle);
  last_compute = compute;
  if (failure != 0) return failure;
  // What cuBLAS holds: one type on the left and right; leading dimensions; a scale of one and nothing added, here.
  if (h->workspace == nullptr || a_type != b_type || *static_cast<const float*>(alpha) != 1 ||
      *static_cast<const float*>(beta) != 0 || lda < (transpose_a != 0 ? k : m) || ldb < (transpose_b != 0 ? n : k) ||
      ldc < m) {
    return 7;
  }
  auto* work = new Work{transpose_a,
                        transpose_b,
                        m,
                        n,
                        k,
                        reinterpret_cast<uint64_t>(a),
                        reinterpret_cast<uint64_t>(b),
                        reinterpret_cast<uint64_t>(c),
                        number_of(a_type),
                        number_of(c_type),
                        lda,
                        ldb,
                        ldc,
                        a_stride,
                        b_stride,
                        c_stride,
                        batch};
  const uint64_t in = bytes_of(work->in);
  const FakeRange ranges[] = {
      {work->a, in * (transpose_a != 0 ? reach(k, m, lda, a_stride, batch) : reach(m, k, lda, a_stride, batch)), 0},
      {work->b, in * (transpose_b != 0 ? reach(n, k, ldb, b_stride, batch) : reach(k, n, ldb, b_stride, batch)), 0},
      {work->c, bytes_of(work->out) * reach(m, n, ldc, c_stride, batch), 1},
      {reinterpret_cast<uint64_t>(h->workspace), 256, 1}};
  fake_issue(
      static_cast<abi::Stream>(h->stream), ranges, 4, multiply, [](void* w) { delete static_cast<Work*>(w); }, work);
  return 0;
}
