// The keys of an encrypted store: one per tenant, kept wrapped by the store's key. Destroying one makes everything that
// was stored for its tenant unreadable.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "base/hash.h"
#include "tier/disk/format.h"

namespace kvc::disk {

class Keys {
 public:
  Keys(std::span<const std::byte> key, const Uuid& uuid) noexcept;
  ~Keys();
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  const Digest& check() const noexcept { return check_; }  // kept in the superblock: is this the right key?
  const Digest& blob_key() const noexcept { return blob_key_; }
  const Digest& tag_key() const noexcept { return tag_key_; }

  bool find(uint64_t tenant, Digest* out) const;  // false: never made, or destroyed
  Digest make(uint64_t tenant);                   // a new one; save() it before use
  bool forget(uint64_t tenant);                   // false: there was none
  // All of them, wrapped.
  std::vector<std::byte> save() const;
  bool load(std::span<const std::byte> wrapped);  // false: not written by save() under this key

 private:
  struct Wrapped;
  Digest wrap_key_, check_, blob_key_, tag_key_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Digest> keys_;
};

}  // namespace kvc::disk
