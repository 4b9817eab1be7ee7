#include "base/hash.h"

#include <sodium.h>

#include <algorithm>
#include <bit>

namespace kvc {
namespace {

constexpr uint8_t kPagePersonal[crypto_generichash_blake2b_PERSONALBYTES] = "kvc page v1";

const uint8_t* bytes_of(const void* p) { return static_cast<const uint8_t*>(p); }

}  // namespace

std::string to_hex(std::span<const uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

bool hash_init() noexcept { return sodium_init() >= 0; }

Digest digest_of(std::span<const std::byte> bytes) noexcept {
  Digest out;
  crypto_generichash_blake2b(out.bytes.data(), out.bytes.size(), bytes_of(bytes.data()), bytes.size(), nullptr, 0);
  return out;
}

Digest tenant_key(const Digest& engine_secret, std::string_view tenant) noexcept {
  Digest out;
  crypto_generichash_blake2b(out.bytes.data(), out.bytes.size(), bytes_of(tenant.data()), tenant.size(),
                             engine_secret.bytes.data(), engine_secret.bytes.size());
  return out;
}

Digest random_digest() noexcept {
  Digest out;
  randombytes_buf(out.bytes.data(), out.bytes.size());
  return out;
}

uint64_t keyed_word(const Digest& key, const Digest& digest) noexcept {
  Digest out;
  crypto_generichash_blake2b(out.bytes.data(), out.bytes.size(), digest.bytes.data(), digest.bytes.size(),
                             key.bytes.data(), key.bytes.size());
  return out.word();
}

PageId page_id(const Digest& tenant_key, const PageId& parent, std::span<const int32_t> tokens) noexcept {
  uint8_t key[crypto_generichash_blake2b_KEYBYTES_MAX];
  static_assert(sizeof key == 2 * sizeof(Digest));
  std::memcpy(key, tenant_key.bytes.data(), sizeof(Digest));
  std::memcpy(key + sizeof(Digest), parent.bytes.data(), sizeof(Digest));
  PageId id;
  if constexpr (std::endian::native == std::endian::little) {
    crypto_generichash_blake2b_salt_personal(id.bytes.data(), id.bytes.size(), bytes_of(tokens.data()),
                                             tokens.size_bytes(), key, sizeof key, nullptr, kPagePersonal);
  } else {
    crypto_generichash_blake2b_state state;
    crypto_generichash_blake2b_init_salt_personal(&state, key, sizeof key, id.bytes.size(), nullptr, kPagePersonal);
    for (const int32_t token : tokens) {
      const auto value = static_cast<uint32_t>(token);
      const uint8_t little[4] = {static_cast<uint8_t>(value), static_cast<uint8_t>(value >> 8),
                                 static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 24)};
      crypto_generichash_blake2b_update(&state, little, sizeof little);
    }
    crypto_generichash_blake2b_final(&state, id.bytes.data(), id.bytes.size());
  }
  return id;
}

}  // namespace kvc
