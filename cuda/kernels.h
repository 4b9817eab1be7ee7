// The compiled kernels, inside this library.
#pragma once

#include <cstddef>
#include <span>

namespace kvc_cuda {

// The fat binary. Tests, which have their own driver, link an empty one.
std::span<const std::byte> embedded_kernels() noexcept;

}  // namespace kvc_cuda
