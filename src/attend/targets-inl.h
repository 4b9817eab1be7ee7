// What Highway compiles for; included first of all, before <hwy/foreach_target.h>. See attend/target.h.
#ifndef KVC_ATTEND_TARGETS_INL_H_
#define KVC_ATTEND_TARGETS_INL_H_

#define HWY_WANT_AVX3_DL
#define HWY_IS_DEBUG_BUILD 0  // its assertions would abort the host program
// Highway shuns its portable form before GCC 12.3, which miscompiles high halves of vectorised 16-bit products (GCC bug
// 106322). The kernels take none, and are compiled without automatic vectorisation.
#define HWY_BROKEN_EMU128 0

// Not worth their size: AVX-512 without VNNI does with AVX2. The scalable vectors of Arm have no fixed number of lanes, which the kernels assume.
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_AVX3 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

#include <hwy/detect_targets.h>

// KVC_SELECT_TABLE(target, table): a pointer to the object `table` of the target's namespace. The portable form is
// Highway's emulation of 128-bit vectors in plain C++; where the compiler's baseline is a vector instruction set
// already, as on Arm, the baseline stands in for it.
#if defined(__x86_64__) && !defined(__SSSE3__)
#define KVC_SELECT_TABLE(target, table)                                  \
  ((target) == Target::avx512_vnni ? &N_AVX3_DL::table                   \
   : (target) == Target::avx2      ? &N_AVX2::table                      \
   : (target) == Target::sse4      ? &N_SSE4::table                      \
                                   : &N_EMU128::table)
#else
#define KVC_SELECT_TABLE(target, table) ((void)(target), &HWY_STATIC_DISPATCH(table))
#endif

#endif  // KVC_ATTEND_TARGETS_INL_H_
