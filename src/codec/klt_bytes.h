// A calibration as bytes, for a store to keep: what pages name by digest is found again after a restart.
//
// The bytes come back from a disk, and may hold anything: every count is checked against what is there, every number
// for being usable, and the digest is computed anew. What passes is the calibration that was saved, or another whole one
// with a digest of its own, which no page of the first names.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "codec/klt_calibration.h"

namespace kvc {

// Little endian, without padding. Throws std::bad_alloc.
std::vector<std::byte> save_calibration(const KltCalibration& calibration);

// KVC_E_CORRUPT: these bytes are no calibration, or not that of `digest`. Throws std::bad_alloc, and takes no more memory
// than a few times the bytes given.
Status load_calibration(std::span<const std::byte> bytes, const Digest& digest,
                        std::shared_ptr<const KltCalibration>* out);

}  // namespace kvc
