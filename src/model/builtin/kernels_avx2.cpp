// Compiled with -mavx2 -mfma where the compiler knows them (src/model/sources.cmake).
#if defined(__AVX2__) && defined(__FMA__)

#define KVC_KERNELS avx2
#define KVC_EIGEN kvc_eigen_avx2
#include "model/builtin/kernels_impl.h"

namespace kvc::builtin {

const Kernels* avx2_kernels() noexcept {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return nullptr;
  return avx2::table("avx2");
}

}  // namespace kvc::builtin

#else

#include "model/builtin/kernels.h"

namespace kvc::builtin {

const Kernels* avx2_kernels() noexcept { return nullptr; }

}  // namespace kvc::builtin

#endif
