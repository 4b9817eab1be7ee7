#include "kernels.h"

// KVC_CUDA_FATBIN is the file that compile_kernels wrote.
asm(".pushsection .rodata\n"
    ".balign 64\n"
    "kvc_cuda_fatbin_begin:\n"
    ".incbin \"" KVC_CUDA_FATBIN
    "\"\n"
    "kvc_cuda_fatbin_end:\n"
    ".popsection\n");

extern "C" {
extern const std::byte kvc_cuda_fatbin_begin[] __attribute__((visibility("hidden")));
extern const std::byte kvc_cuda_fatbin_end[] __attribute__((visibility("hidden")));
}

namespace kvc_cuda {

std::span<const std::byte> embedded_kernels() noexcept { return {kvc_cuda_fatbin_begin, kvc_cuda_fatbin_end}; }

}  // namespace kvc_cuda
