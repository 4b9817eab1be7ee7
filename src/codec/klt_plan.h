// Where the parts of an encoded page of klt, lowrank or auto lie, for decoders that are not the codec's: those of
// devices.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "codec/codec.h"
#include "codec/klt_calibration.h"

namespace kvc {

struct KltPlan {
  std::shared_ptr<const KltCalibration> calibration;  // nullptr: keys are coded as they are, all channels alike
  bool has_levels = false;                            // the page has levels of its own, after its header
  uint32_t exact = 0;                                 // first tokens that are kept as they came
  uint32_t key_bits = 0, value_bits = 0;              // without a calibration
  uint64_t position = 0;                              // of the first token
  // In bytes from the page's begin: of each tile, [layer][block of keys, then head of values][tile], and of the exact
  // rows.
  std::vector<size_t> tile_at;
  size_t exact_at = 0;
};

// Whether `codec` is one of the three.
bool is_klt(const Codec& codec) noexcept;

// is_klt(codec). Checks everything but the numbers, as decode does. Errors: KVC_E_CORRUPT. Throws std::bad_alloc.
Status plan_klt(const Codec& codec, const PageGeometry& geometry, std::span<const std::byte> encoded, KltPlan* plan);

// is_klt(codec). The same of the page that encode() makes of any numbers with this calibration, which is not nullptr
// and which options.calibration is, without levels; and its header, its first 64 bytes. Throws std::bad_alloc.
void plan_klt_encoding(const Codec& codec, const PageGeometry& geometry, const EncodeOptions& options,
                       std::shared_ptr<const KltCalibration> calibration, KltPlan* plan,
                       std::span<std::byte, 64> header);

}  // namespace kvc
