// Puts the weight file into the library's read-only data. KVC_BUILTIN_WEIGHTS is its path, given by the build.
#include "model/builtin/weights.h"

// clang-format off
asm(".pushsection .rodata.kvc_builtin_weights, \"a\"\n"
    ".balign 64\n"
    ".globl kvc_builtin_weights_begin\n"
    ".hidden kvc_builtin_weights_begin\n"
    "kvc_builtin_weights_begin:\n"
    ".incbin \"" KVC_BUILTIN_WEIGHTS "\"\n"
    ".globl kvc_builtin_weights_end\n"
    ".hidden kvc_builtin_weights_end\n"
    "kvc_builtin_weights_end:\n"
    ".byte 0\n"
    ".popsection\n");
// clang-format on

extern "C" {
extern const std::byte kvc_builtin_weights_begin[] __attribute__((visibility("hidden")));
extern const std::byte kvc_builtin_weights_end[] __attribute__((visibility("hidden")));
}

namespace kvc::builtin {

std::span<const std::byte> embedded_weights() noexcept { return {kvc_builtin_weights_begin, kvc_builtin_weights_end}; }

}  // namespace kvc::builtin
