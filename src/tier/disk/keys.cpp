#include "tier/disk/keys.h"

#include <cstring>

#include "tier/disk/cipher.h"

namespace kvc::disk {

Keys::Keys(std::span<const std::byte> key, const Uuid& uuid) noexcept {
  Digest root;
  std::memcpy(root.bytes.data(), key.data(), root.bytes.size());
  wrap_key_ = derive(root, "wrap", uuid);
  check_ = derive(root, "check", uuid);
  blob_key_ = derive(root, "blob", uuid);
  tag_key_ = derive(root, "tenant", uuid);
  sodium_memzero(&root, sizeof root);
}

Keys::~Keys() {
  for (auto& [tenant, key] : keys_) sodium_memzero(&key, sizeof key);
  sodium_memzero(&wrap_key_, sizeof wrap_key_);
  sodium_memzero(&blob_key_, sizeof blob_key_);
}

bool Keys::find(uint64_t tenant, Digest* out) const {
  const std::lock_guard lock(mutex_);
  const auto it = keys_.find(tenant);
  if (it == keys_.end()) return false;
  *out = it->second;
  return true;
}

Digest Keys::make(uint64_t tenant) {
  const std::lock_guard lock(mutex_);
  auto [it, added] = keys_.try_emplace(tenant);
  if (added) randombytes_buf(&it->second, sizeof(Digest));
  return it->second;
}

bool Keys::forget(uint64_t tenant) {
  const std::lock_guard lock(mutex_);
  const auto it = keys_.find(tenant);
  if (it == keys_.end()) return false;
  sodium_memzero(&it->second, sizeof(Digest));
  keys_.erase(it);
  return true;
}

struct Keys::Wrapped {
  uint64_t tenant;
  Digest key;
};

std::vector<std::byte> Keys::save() const {
  const std::lock_guard lock(mutex_);
  std::vector<Wrapped> plain;
  plain.reserve(keys_.size());  // no copy of a key is left behind by growing
  for (const auto& [tenant, key] : keys_) plain.push_back({tenant, key});
  const auto bytes = std::as_bytes(std::span(plain));
  std::vector<std::byte> out(bytes.size() + kSealedOverhead);
  seal_value(wrap_key_, bytes, out.data());
  sodium_memzero(plain.data(), bytes.size());
  return out;
}

bool Keys::load(std::span<const std::byte> wrapped) {
  if (wrapped.size() < kSealedOverhead || (wrapped.size() - kSealedOverhead) % sizeof(Wrapped) != 0) return false;
  std::vector<Wrapped> plain((wrapped.size() - kSealedOverhead) / sizeof(Wrapped));
  const std::lock_guard lock(mutex_);
  if (!open_value(wrap_key_, wrapped, reinterpret_cast<std::byte*>(plain.data()))) return false;
  for (const Wrapped& one : plain) keys_[one.tenant] = one.key;
  sodium_memzero(plain.data(), plain.size() * sizeof(Wrapped));
  return true;
}

}  // namespace kvc::disk
