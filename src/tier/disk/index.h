// The index in memory: about 45 bytes per page. Tokens, parents and spaces stay on disk.
//
// Not thread-safe: the store's lock guards it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "base/hash.h"
#include "memory/memory.h"

namespace kvc::disk {

// A record of a segment, in the order in which they were written.
struct Entry {
  uint64_t id[2];  // the first half of the identity; get compares all of it with what is stored
  uint32_t offset, blocks, payload_bytes;
  uint8_t hits;
  enum : uint8_t { kLive = 1, kWriting = 2 };
  static constexpr uint16_t kUnknown = 65535;
  uint8_t state;
  uint16_t chance = kUnknown;  // that it is used again, in 65,535ths

  // What keeping it is worth when its segment is made free. One that was hit, of which no more is known, is as likely
  // as not to be used again.
  uint32_t worth() const noexcept { return chance != kUnknown ? chance : hits > 0 ? kUnknown / 2 : 0; }

  bool is(const PageId& page) const noexcept { return std::memcmp(id, page.bytes.data(), sizeof id) == 0; }
};
static_assert(sizeof(Entry) == 32);

// A vector that counts its bytes and never throws.
template <typename T>
class CountedArray {
 public:
  explicit CountedArray(Memory* memory) noexcept : memory_(memory) {}
  CountedArray(CountedArray&& other) noexcept : memory_(other.memory_) { swap(other); }
  CountedArray& operator=(CountedArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~CountedArray() { memory_->release(data_, capacity_ * sizeof(T), alignof(T), MemoryUse::metadata); }
  T& operator[](size_t i) noexcept { return data_[i]; }
  const T& operator[](size_t i) const noexcept { return data_[i]; }
  size_t size() const noexcept { return size_; }
  size_t bytes() const noexcept { return capacity_ * sizeof(T); }
  void clear() noexcept { size_ = 0; }
  bool push_back(const T& value) noexcept {
    if (size_ == capacity_ && !set_capacity(std::max<size_t>(16, capacity_ + capacity_ / 2))) return false;
    data_[size_++] = value;
    return true;
  }
  bool fill(size_t n, const T& value) noexcept {
    if (n > capacity_ && !set_capacity(n)) return false;
    size_ = n;
    std::fill_n(data_, n, value);
    return true;
  }
  bool set_capacity(size_t capacity) noexcept {  // at least size()
    // The reclaimer is never asked: the caller holds the store's lock.
    T* fresh = static_cast<T*>(
        memory_->allocate(capacity * sizeof(T), alignof(T), MemoryUse::metadata, /*may_reclaim=*/false));
    if (fresh == nullptr) return false;
    std::copy_n(data_, size_, fresh);
    memory_->release(data_, capacity_ * sizeof(T), alignof(T), MemoryUse::metadata);
    data_ = fresh;
    capacity_ = capacity;
    return true;
  }
  void swap(CountedArray& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  Memory* memory_;
  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

// A page's place: segment in the upper half, record in the lower.
using Locator = uint32_t;
constexpr Locator kNowhere = 0xffffffff;
constexpr uint32_t kMaxSegments = 65535, kMaxRecords = 65536;  // so no locator is kNowhere
constexpr Locator locate(uint32_t segment, uint32_t record) noexcept { return segment << 16 | record; }

// Locators by identity: open addressing, linear probing, deletion by moving back. Source: an entry's identity, given by
// Entries::at(Locator).
template <typename Entries>
class Index {
 public:
  Index(Memory* memory, const Entries* entries, uint64_t seed) noexcept
      : memory_(memory), slots_(memory), entries_(entries), seed_(seed) {}
  uint64_t size() const noexcept { return size_; }
  uint64_t bytes() const noexcept { return slots_.bytes(); }

  Locator find(const PageId& id) const noexcept {
    if (slots_.size() == 0) return kNowhere;
    uint64_t words[2];
    std::memcpy(words, id.bytes.data(), sizeof words);
    for (size_t i = home(words);; i = next(i)) {
      if (slots_[i] == kNowhere || entries_->at(slots_[i]).is(id)) return slots_[i];
    }
  }
  // Brings a page's place nearer, to be looked at soon.
  void prefetch(const PageId& id) const noexcept {
    if (slots_.size() == 0) return;
    uint64_t words[2];
    std::memcpy(words, id.bytes.data(), sizeof words);
    __builtin_prefetch(&slots_[home(words)], 1);
  }
  // Makes room for n more. False: no memory.
  bool reserve(uint64_t n) noexcept {
    const uint64_t wanted = (size_ + n) * 10 / 7 + 16;
    if (wanted <= slots_.size()) return true;
    uint64_t capacity = std::max<uint64_t>(64, slots_.size());
    while (capacity < wanted) capacity *= 2;
    CountedArray<Locator> old(memory_);
    if (!old.fill(capacity, kNowhere)) return false;
    slots_.swap(old);
    for (size_t i = 0; i < old.size(); ++i) {
      if (old[i] != kNowhere) place(old[i]);
    }
    return true;
  }
  // Its identity is not there, and room was made.
  void insert(Locator locator) noexcept {
    place(locator);
    ++size_;
  }
  void erase(Locator locator) noexcept {
    size_t i = home(entries_->at(locator).id);
    while (slots_[i] != locator) {
      if (slots_[i] == kNowhere) return;
      i = next(i);
    }
    for (size_t j = next(i); slots_[j] != kNowhere; j = next(j)) {
      const size_t wanted = home(entries_->at(slots_[j]).id);
      if (((j - wanted) & (slots_.size() - 1)) >= ((j - i) & (slots_.size() - 1))) {
        slots_[i] = slots_[j];
        i = j;
      }
    }
    slots_[i] = kNowhere;
    --size_;
  }

 private:
  // Identities in files may be chosen by anybody: seeded, so that nobody can make them collide.
  size_t home(const uint64_t (&id)[2]) const noexcept {
    const uint64_t mixed = (id[0] ^ seed_) * 0x9e3779b97f4a7c15u + (id[1] ^ (seed_ >> 17)) * 0xc2b2ae3d27d4eb4fu;
    return (mixed ^ mixed >> 32) & (slots_.size() - 1);
  }
  size_t next(size_t i) const noexcept { return (i + 1) & (slots_.size() - 1); }
  void place(Locator locator) noexcept {
    size_t i = home(entries_->at(locator).id);
    while (slots_[i] != kNowhere) i = next(i);
    slots_[i] = locator;
  }

  Memory* memory_;
  CountedArray<Locator> slots_;
  const Entries* entries_;
  const uint64_t seed_;
  uint64_t size_ = 0;
};

}  // namespace kvc::disk
