// Scratch memory of a fixed size, aligned for vector instructions. Not touched before it is used, so it costs an idle
// engine nothing.
#pragma once

#include <cstddef>
#include <new>

namespace kvc::builtin {

template <typename T>
class Buffer {
 public:
  explicit Buffer(size_t n) : data_(static_cast<T*>(::operator new(n * sizeof(T), kAlignment))) {}
  ~Buffer() { ::operator delete(data_, kAlignment); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  T* get() const noexcept { return data_; }

 private:
  static constexpr std::align_val_t kAlignment{64};
  T* const data_;
};

}  // namespace kvc::builtin
