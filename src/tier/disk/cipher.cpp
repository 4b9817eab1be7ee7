#include "tier/disk/cipher.h"

namespace kvc::disk {
namespace {

const unsigned char* words(const void* p) noexcept { return static_cast<const unsigned char*>(p); }
unsigned char* words(void* p) noexcept { return static_cast<unsigned char*>(p); }

}  // namespace

Digest derive(const Digest& key, const char* purpose, std::span<const uint8_t> more) noexcept {
  crypto_generichash_state state;
  Digest out;
  crypto_generichash_init(&state, key.bytes.data(), key.bytes.size(), out.bytes.size());
  crypto_generichash_update(&state, words(purpose), std::strlen(purpose) + 1);
  crypto_generichash_update(&state, more.data(), more.size());
  crypto_generichash_final(&state, out.bytes.data(), out.bytes.size());
  return out;
}

RecordCipher::RecordCipher(const Digest& tenant_key, const RecordHeader& header) noexcept
    : aes_((header.descriptor.flags & kAes) != 0), key_(derive(tenant_key, "record", header.salt)) {
  const Descriptor& d = header.descriptor;
  words_ = {header.uuid, d.id, d.parent, d.space, d.tenant, d.payload_bytes, d.n_tokens, d.groups, d.codec};
  if (aes_ && aes_available()) crypto_aead_aes256gcm_beforenm(&aes_key_, key_.bytes.data());
}

RecordCipher::~RecordCipher() {
  sodium_memzero(&key_, sizeof key_);
  sodium_memzero(&aes_key_, sizeof aes_key_);
}

void RecordCipher::seal(uint32_t nonce, std::byte* data, size_t bytes, Checksum* tag) const noexcept {
  unsigned char npub[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {};
  std::memcpy(npub, &nonce, sizeof nonce);
  if (aes_) {
    crypto_aead_aes256gcm_encrypt_detached_afternm(words(data), tag->data(), nullptr, words(data), bytes,
                                                   words(&words_), sizeof words_, nullptr, npub, &aes_key_);
  } else {
    crypto_aead_xchacha20poly1305_ietf_encrypt_detached(words(data), tag->data(), nullptr, words(data), bytes,
                                                        words(&words_), sizeof words_, nullptr, npub,
                                                        key_.bytes.data());
  }
}

bool RecordCipher::open(uint32_t nonce, const std::byte* data, size_t bytes, const Checksum& tag,
                        std::byte* out) const noexcept {
  unsigned char npub[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES] = {};
  std::memcpy(npub, &nonce, sizeof nonce);
  if (aes_) {
    return aes_available() &&
           crypto_aead_aes256gcm_decrypt_detached_afternm(words(out), nullptr, words(data), bytes, tag.data(),
                                                          words(&words_), sizeof words_, npub, &aes_key_) == 0;
  }
  return crypto_aead_xchacha20poly1305_ietf_decrypt_detached(words(out), nullptr, words(data), bytes, tag.data(),
                                                             words(&words_), sizeof words_, npub,
                                                             key_.bytes.data()) == 0;
}

void seal_value(const Digest& key, std::span<const std::byte> value, std::byte* out) noexcept {
  constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  randombytes_buf(out, kNonce);
  crypto_aead_xchacha20poly1305_ietf_encrypt(words(out) + kNonce, nullptr, words(value.data()), value.size(), nullptr,
                                             0, nullptr, words(out), key.bytes.data());
}

bool open_value(const Digest& key, std::span<const std::byte> sealed, std::byte* out) noexcept {
  constexpr size_t kNonce = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
  return sealed.size() >= kSealedOverhead &&
         crypto_aead_xchacha20poly1305_ietf_decrypt(words(out), nullptr, nullptr, words(sealed.data()) + kNonce,
                                                    sealed.size() - kNonce, nullptr, 0, words(sealed.data()),
                                                    key.bytes.data()) == 0;
}

}  // namespace kvc::disk
