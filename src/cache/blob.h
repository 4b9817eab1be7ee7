// A page's bytes in a tier, shared by reference: the sealed page, and sessions that borrow it as their tail.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "memory/memory.h"
#include "tier/tier.h"

namespace kvc {

struct Blob {
  std::atomic<uint32_t> references{1};
  uint32_t bytes = 0;
  Memory* memory = nullptr;  // of this header
  Tier* tier = nullptr;
  Slot slot;
};

// Counted reference to a Blob; the last one gives slot and header back.
class BlobRef {
 public:
  BlobRef() noexcept = default;
  explicit BlobRef(Blob* owned) noexcept : blob_(owned) {}
  BlobRef(const BlobRef& other) noexcept : blob_(other.blob_) {
    if (blob_ != nullptr) blob_->references.fetch_add(1, std::memory_order_relaxed);
  }
  BlobRef(BlobRef&& other) noexcept : blob_(std::exchange(other.blob_, nullptr)) {}
  BlobRef& operator=(BlobRef other) noexcept {
    std::swap(blob_, other.blob_);
    return *this;
  }
  ~BlobRef() {
    if (blob_ == nullptr || blob_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    Memory* memory = blob_->memory;
    blob_->tier->release(blob_->slot);
    blob_->~Blob();
    memory->release(blob_, sizeof(Blob), alignof(Blob), MemoryUse::metadata);
  }

  explicit operator bool() const noexcept { return blob_ != nullptr; }
  // True if nobody else refers to it: it may be written to. Acquire: what former sharers read is read.
  bool exclusive() const noexcept { return blob_->references.load(std::memory_order_acquire) == 1; }
  std::byte* data() const noexcept { return blob_->tier->map(blob_->slot); }
  uint32_t bytes() const noexcept { return blob_->bytes; }
  int32_t tier_kind() const noexcept { return blob_->tier->kind(); }

 private:
  Blob* blob_ = nullptr;
};

}  // namespace kvc
