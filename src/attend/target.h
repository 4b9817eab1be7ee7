// Kernels are written once, with Highway, and compiled for every instruction set below; the best one that the processor
// has is chosen at run time. Highway's headers alone are used: nothing is linked.
#pragma once

#include <span>

namespace kvc {

enum class Target { portable, sse4, avx2, avx512_vnni, neon };

const char* target_name(Target target) noexcept;  // "portable", "sse4", "avx2", "avx512-vnni", "neon"

// What this build has and this processor runs, best first; never empty. "portable" is plain C++, on every x86.
std::span<const Target> targets() noexcept;
inline Target best_target() noexcept { return targets().front(); }

}  // namespace kvc
