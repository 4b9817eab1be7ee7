// Checksums where the processor has AVX2: half the time of what every x86-64 has.
#ifdef __AVX2__
#include "tier/disk/checksum_kernel.h"

namespace kvc::disk {

void checksum_avx2(const void* data, size_t bytes, unsigned char* out) noexcept { xxh3(data, bytes, out); }

void checksum_copy_avx2(const void* data, size_t bytes, void* to, unsigned char* out) noexcept {
  xxh3_copy(data, bytes, to, out);
}

}  // namespace kvc::disk
#endif
