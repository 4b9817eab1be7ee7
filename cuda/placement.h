// Which device a session goes to: a pure function of what is known of the devices.
#pragma once

#include <cstdint>
#include <span>

#include "kvc_cuda.h"

namespace kvc_cuda {

// Nanoseconds until a session with a prefix of so many bytes could begin on a device: its work, its link's queue, what
// is missing there, what must leave first. No sum overflows.
double start_ns(const kvc_cuda_candidate_t& candidate, uint64_t prefix_bytes) noexcept;
// The index of the first with the least, or -1.
int choose(std::span<const kvc_cuda_candidate_t> candidates, uint64_t prefix_bytes) noexcept;

}  // namespace kvc_cuda
