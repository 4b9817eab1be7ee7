// XXH3-128 in the instructions that the including file is compiled for. Nothing but C is included, and everything is
// static: no function of this file's flags is ever linked in another's place.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

static inline void xxh3_result(XXH128_hash_t hash, unsigned char* out) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  memcpy(out, canonical.digest, sizeof canonical.digest);
}

static inline void xxh3(const void* data, size_t bytes, unsigned char* out) { xxh3_result(XXH3_128bits(data, bytes), out); }

// Copies on the way: memory is walked through once.
static inline void xxh3_copy(const void* data, size_t bytes, void* to, unsigned char* out) {
  const size_t chunk = 16384;  // stays in the first-level cache between the two
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  for (size_t done = 0; done < bytes; done += chunk) {
    const size_t n = bytes - done < chunk ? bytes - done : chunk;
    XXH3_128bits_update(&state, (const char*)data + done, n);
    memcpy((char*)to + done, (const char*)data + done, n);
  }
  xxh3_result(XXH3_128bits_digest(&state), out);
}
