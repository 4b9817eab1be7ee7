// Digests and keyed identities. 256-bit values are BLAKE2b (RFC 7693) as implemented by libsodium.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace kvc {

// 32 bytes; PageId, space digests and tenant keys are of this type.
struct Digest {
  std::array<uint8_t, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
  uint64_t word() const noexcept {  // uniformly distributed: good for buckets
    uint64_t w;
    std::memcpy(&w, bytes.data(), sizeof w);
    return w;
  }
};
using PageId = Digest;

std::string to_hex(std::span<const uint8_t> bytes);

// Must be called before the functions below; any number of times, from any thread. False: libsodium does not work here.
bool hash_init() noexcept;

// Unkeyed BLAKE2b-256.
Digest digest_of(std::span<const std::byte> bytes) noexcept;

// A tenant's key: BLAKE2b-256 keyed by the engine's secret over the tenant's name ("" is the default tenant).
Digest tenant_key(const Digest& engine_secret, std::string_view tenant) noexcept;

// 32 bytes that nobody can foresee.
Digest random_digest() noexcept;
// The first word of BLAKE2b-256 over a digest under a key.
uint64_t keyed_word(const Digest& key, const Digest& digest) noexcept;

// A page's identity: BLAKE2b-256 over its tokens (int32, little endian), keyed by tenant key || parent identity (64
// bytes: so the parent costs no extra block), personalised "kvc page v1". The parent of a first page is its space's
// digest.
PageId page_id(const Digest& tenant_key, const PageId& parent, std::span<const int32_t> tokens) noexcept;

}  // namespace kvc
