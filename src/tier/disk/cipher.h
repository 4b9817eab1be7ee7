// Encryption at rest: authenticated, by libsodium. AES-256-GCM where the processor has it, else XChaCha20-Poly1305.
//
// Every record has its own key, derived from its tenant's key and a random salt, so that a nonce (the number of the
// frame) is never used twice with one key, also after a crash or a copied file. What identifies a record is
// authenticated with every frame: a frame of another record, tenant or store does not open.
#pragma once

#include <sodium.h>

#include <cstring>
#include <span>

#include "base/hash.h"
#include "tier/disk/format.h"

namespace kvc::disk {

constexpr uint32_t kTokensNonce = 0xffffffff;  // the frames' are their numbers

// Asked of libsodium, which knows it once it is initialised.
inline bool aes_available() noexcept { return sodium_init() >= 0 && crypto_aead_aes256gcm_is_available() != 0; }

// 32 bytes from a key and a purpose (and more words about it).
Digest derive(const Digest& key, const char* purpose, std::span<const uint8_t> more) noexcept;

class RecordCipher {
 public:
  // header: with descriptor, uuid and salt set.
  RecordCipher(const Digest& tenant_key, const RecordHeader& header) noexcept;
  ~RecordCipher();
  RecordCipher(const RecordCipher&) = delete;
  RecordCipher& operator=(const RecordCipher&) = delete;

  // In place.
  void seal(uint32_t nonce, std::byte* data, size_t bytes, Checksum* tag) const noexcept;
  // False: the tag does not match; `out` is then not to be used. out may be data.
  bool open(uint32_t nonce, const std::byte* data, size_t bytes, const Checksum& tag, std::byte* out) const noexcept;

 private:
  struct Words {  // authenticated with each frame
    Uuid uuid;
    PageId id, parent;
    Digest space;
    uint64_t tenant;
    uint32_t payload_bytes, n_tokens, groups, codec;
  };
  bool aes_;
  Words words_;
  Digest key_;
  crypto_aead_aes256gcm_state aes_key_;
};

// A small value under a key; the result is longer by kSealedOverhead.
constexpr size_t kSealedOverhead =
    crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES;
void seal_value(const Digest& key, std::span<const std::byte> value, std::byte* out) noexcept;
bool open_value(const Digest& key, std::span<const std::byte> sealed, std::byte* out) noexcept;

}  // namespace kvc::disk
