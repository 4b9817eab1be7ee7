// Aligned buffers for records in flight, kept for reuse: fresh pages from the system would cost more than the copy.
#pragma once

#include <cstddef>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "tier/disk/format.h"

namespace kvc::disk {

class BufferPool;

class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept { *this = std::move(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~Buffer();
  std::byte* data() const noexcept { return data_; }
  size_t size() const noexcept { return size_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  friend class BufferPool;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
  BufferPool* pool_ = nullptr;
};

class BufferPool {
 public:
  explicit BufferPool(size_t keep_bytes) : keep_(keep_bytes) { idle_.reserve(kMaxIdle); }
  ~BufferPool() {
    for (const auto& [data, size] : idle_) ::operator delete(data, std::align_val_t(kBlock));
  }
  // At least `bytes`, aligned to kBlock. May throw std::bad_alloc.
  Buffer take(size_t bytes) {
    bytes = align_up(bytes, 16 * kBlock);
    Buffer out;
    out.pool_ = this;
    out.size_ = bytes;
    {
      const std::lock_guard lock(mutex_);
      for (auto it = idle_.begin(); it != idle_.end(); ++it) {
        if (it->second < bytes || it->second > 2 * bytes) continue;
        out.data_ = it->first;
        out.size_ = it->second;
        kept_ -= it->second;
        *it = idle_.back();
        idle_.pop_back();
        return out;
      }
    }
    out.data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t(kBlock)));
    return out;
  }

 private:
  friend class Buffer;
  static constexpr size_t kMaxIdle = 64;
  void give_back(std::byte* data, size_t size) noexcept {
    {
      const std::lock_guard lock(mutex_);
      if (idle_.size() < kMaxIdle && kept_ + size <= keep_) {
        idle_.emplace_back(data, size);
        kept_ += size;
        return;
      }
    }
    ::operator delete(data, std::align_val_t(kBlock));
  }

  const size_t keep_;
  std::mutex mutex_;
  size_t kept_ = 0;
  std::vector<std::pair<std::byte*, size_t>> idle_;
};

inline Buffer::~Buffer() {
  if (data_ != nullptr) pool_->give_back(data_, size_);
}

}  // namespace kvc::disk
