#define KVC_KERNELS baseline
#include "model/builtin/kernels_impl.h"

namespace kvc::builtin {

const Kernels* baseline_kernels() noexcept { return baseline::table("baseline"); }

const Kernels* best_kernels() noexcept {
  const Kernels* avx2 = avx2_kernels();
  return avx2 != nullptr ? avx2 : baseline_kernels();
}

}  // namespace kvc::builtin
