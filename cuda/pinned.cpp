#include "pinned.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>

namespace kvc_cuda {

using namespace abi;

Pinned::~Pinned() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }
  for (const auto& [at, range] : ranges_) {
    const Device::Scope scope(*device_);
    const bool own = pool_ != nullptr && at >= reinterpret_cast<uint64_t>(pool_) &&
                     at < reinterpret_cast<uint64_t>(pool_) + pool_bytes_;
    const bool gone =
        scope.status().is_ok() &&
        device_->check(device_->call().cuMemHostUnregister(reinterpret_cast<void*>(at)), "cuMemHostUnregister").is_ok();
    // What a device may still reach is never given to anybody else.
    if (own && !gone) keep_mapped_ = true;
  }
  if (pool_ != nullptr && !keep_mapped_) munmap(pool_, pool_bytes_);
}

Status Pinned::add(void* at, uint64_t bytes) {
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  KVC_RETURN_IF_ERROR(
      device_->check(device_->call().cuMemHostRegister(at, bytes, kHostRegisterPortable | kHostRegisterDeviceMap),
                     "cuMemHostRegister"));
  DevicePtr alias = 0;
  const Status status =
      device_->check(device_->call().cuMemHostGetDevicePointer(&alias, at, 0), "cuMemHostGetDevicePointer");
  if (!status.is_ok()) {
    if (!device_->is_lost()) (void)device_->check(device_->call().cuMemHostUnregister(at), "cuMemHostUnregister");
    return status;
  }
  const std::lock_guard lock(mutex_);
  ranges_.emplace(reinterpret_cast<uint64_t>(at), Range{bytes, alias});
  registered_ += bytes;
  return Status::ok();
}

Status Pinned::pin(void* at, uint64_t bytes) {
  const uint64_t from = reinterpret_cast<uint64_t>(at);
  {
    const std::lock_guard lock(mutex_);
    auto next = ranges_.lower_bound(from);
    const bool after = next != ranges_.end() && next->first < from + bytes;
    const bool before = next != ranges_.begin() && std::prev(next)->first + std::prev(next)->second.bytes > from;
    if (bytes == 0 || after || before) {
      return error(KVC_E_INVALID, "%llu bytes cannot be pinned: %s", static_cast<unsigned long long>(bytes),
                   bytes == 0 ? "there are none" : "a part of them is pinned already");
    }
  }
  return add(at, bytes);
}

Status Pinned::unpin(void* at) {
  {
    const std::lock_guard lock(mutex_);
    if (ranges_.find(reinterpret_cast<uint64_t>(at)) == ranges_.end()) {
      return error(KVC_E_INVALID, "nothing was pinned at this address");
    }
  }
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  KVC_RETURN_IF_ERROR(device_->check(device_->call().cuMemHostUnregister(at), "cuMemHostUnregister"));
  const std::lock_guard lock(mutex_);
  const auto found = ranges_.find(reinterpret_cast<uint64_t>(at));
  registered_ -= found->second.bytes;
  ranges_.erase(found);
  return Status::ok();
}

bool Pinned::find(const void* at, uint64_t bytes, DevicePtr* alias) const {
  if (other_ != nullptr && other_->find(at, bytes, alias)) return true;
  const uint64_t from = reinterpret_cast<uint64_t>(at);
  const std::lock_guard lock(mutex_);
  auto found = ranges_.upper_bound(from);
  if (found == ranges_.begin()) return false;
  --found;
  if (from + bytes > found->first + found->second.bytes) return false;
  *alias = found->second.alias + (from - found->first);
  return true;
}

Status Pinned::start_pool(uint64_t bytes, uint64_t chunk_bytes) {
  const std::lock_guard lock(mutex_);
  if (pool_ != nullptr) return error(KVC_E_ORDER, "there is a pool already");
  chunk_bytes_ = std::max<uint64_t>((chunk_bytes + 4095) / 4096 * 4096, 4096);
  pool_bytes_ = (bytes + 4095) / 4096 * 4096;
  void* at = mmap(nullptr, pool_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return error(KVC_E_NO_MEMORY, "no %llu bytes of address space for pinned memory",
                 static_cast<unsigned long long>(bytes));
  }
  // A child that wrote to copies of these would not be seen by the device, and copying them would cost as much again.
  (void)madvise(at, pool_bytes_, MADV_DONTFORK);
  pool_ = static_cast<unsigned char*>(at);
  thread_ = std::thread([this] { run(); });
  return Status::ok();
}

void Pinned::run() {
  std::unique_lock lock(mutex_);
  while (!stop_ && ready_ < pool_bytes_ && pool_status_.is_ok()) {
    if (paused_) {
      changed_.wait(lock);
      continue;
    }
    unsigned char* chunk = pool_ + ready_;
    const uint64_t bytes = std::min(chunk_bytes_, pool_bytes_ - ready_);
    busy_ = true;
    lock.unlock();
    // Faulted in here, not under the driver's lock.
    for (uint64_t i = 0; i < bytes; i += 4096) static_cast<volatile unsigned char*>(chunk)[i] = 0;
    Status status = add(chunk, bytes);
    lock.lock();
    busy_ = false;
    if (status.is_ok()) {
      ready_ += bytes;
    } else if (status.code() == KVC_E_ORDER) {
      changed_.wait_for(lock, std::chrono::milliseconds(10));  // somebody captures: later
    } else {
      pool_status_ = std::move(status);  // what is ready stays in use
    }
    changed_.notify_all();
  }
  changed_.notify_all();
}

void* Pinned::allocate(uint64_t size, uint64_t alignment) {
  size = rounded(size);
  const std::lock_guard lock(mutex_);
  if (pool_ == nullptr || alignment > 4096) return nullptr;
  const auto [first, last] = free_.equal_range(size);
  for (auto at = first; at != last; ++at) {
    if (reinterpret_cast<uint64_t>(at->second) % alignment != 0) continue;
    unsigned char* piece = at->second;
    free_.erase(at);
    used_ += size;
    return piece;
  }
  uint64_t at = (next_ + alignment - 1) / alignment * alignment;
  // A piece lies in one chunk: ranges are registered, and copied, one by one.
  if (size > chunk_bytes_) return nullptr;
  if (at / chunk_bytes_ != (at + size - 1) / chunk_bytes_) at = (at / chunk_bytes_ + 1) * chunk_bytes_;
  if (at + size > ready_) return nullptr;
  next_ = at + size;
  used_ += size;
  return pool_ + at;
}

bool Pinned::release(void* at, uint64_t size) {
  auto* piece = static_cast<unsigned char*>(at);
  const std::lock_guard lock(mutex_);
  if (pool_ == nullptr || piece < pool_ || piece >= pool_ + pool_bytes_) return false;
  free_.emplace(rounded(size), piece);
  used_ -= rounded(size);
  return true;
}

void Pinned::pause(bool paused) {
  std::unique_lock lock(mutex_);
  paused_ = paused;
  changed_.notify_all();
  changed_.wait(lock, [this] { return !paused_ || !busy_; });
}

Status Pinned::wait_ready() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_ == pool_bytes_ || !pool_status_.is_ok() || stop_; });
  return pool_status_;
}

Pinned::Counts Pinned::counts() const {
  const std::lock_guard lock(mutex_);
  return {registered_, pool_bytes_, ready_, used_};
}

}  // namespace kvc_cuda
