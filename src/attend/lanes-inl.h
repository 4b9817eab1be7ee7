// The vectors that kernels over rows and tiles compute with: of floats, at most a unit (kUnitLanes) long. The same lanes
// hold the same numbers whatever the instruction set.
#if defined(KVC_ATTEND_LANES_INL_H_) == defined(HWY_TARGET_TOGGLE)  // once for each instruction set
#ifdef KVC_ATTEND_LANES_INL_H_
#undef KVC_ATTEND_LANES_INL_H_
#else
#define KVC_ATTEND_LANES_INL_H_
#endif

#include <hwy/highway.h>

#include <cstddef>

#include "attend/tile.h"

HWY_BEFORE_NAMESPACE();
namespace kvc {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F = HWY_CAPPED(float, kUnitLanes);
using I = hn::RebindToSigned<F>;

constexpr size_t kLanes = HWY_MIN(HWY_MAX_BYTES / sizeof(float), kUnitLanes);
// Vectors that are summed up side by side: enough of them hide the latency of the sums, too many do not fit the
// registers.
constexpr size_t kSide = HWY_MAX_BYTES >= 64 ? 4 : HWY_TARGET == HWY_EMU128 ? 1 : 2;

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace kvc
HWY_AFTER_NAMESPACE();

#endif  // KVC_ATTEND_LANES_INL_H_
