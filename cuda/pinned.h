// Host memory that devices reach: registered with the driver ("pinned"), by whoever owns it, or a pool of this module's
// own.
//
// Registering is slow (about 0.1 s for a GiB) and holds the driver's lock: the pool does it in chunks, on a thread of
// its own, and can be told to pause. Addresses never span two chunks. Registered memory is not inherited by fork.
//
// Threads: any.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "device.h"

namespace kvc_cuda {

class Pinned {
 public:
  // What `other` registered counts as registered here as well: registrations hold for all devices of a process.
  void share(const Pinned* other) noexcept { other_ = other; }
  explicit Pinned(Device* device) : device_(device) {}
  ~Pinned();
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;

  // Registers memory of the caller's, who keeps it until unpin. KVC_E_INVALID: a part of it is registered already.
  Status pin(void* at, uint64_t bytes);
  Status unpin(void* at);
  // The address by which the device reaches [at, at + bytes), if all of it lies in one registered range.
  bool find(const void* at, uint64_t bytes, abi::DevicePtr* alias) const;

  // A pool of `bytes` in chunks, registered in the background. Once.
  Status start_pool(uint64_t bytes, uint64_t chunk_bytes);
  // nullptr: the chunks that are ready have no room.
  void* allocate(uint64_t size, uint64_t alignment);
  // False: not of the pool.
  bool release(void* at, uint64_t size);
  // While paused, the thread makes no call; returns when it makes none.
  void pause(bool paused);
  // Blocks until the pool is registered as a whole, or cannot be: then why not.
  Status wait_ready();

  struct Counts {
    uint64_t registered = 0, pool = 0, pool_ready = 0, pool_used = 0;
  };
  Counts counts() const;

 private:
  struct Range {
    uint64_t bytes;
    abi::DevicePtr alias;
  };
  Status add(void* at, uint64_t bytes);
  void run();
  static uint64_t rounded(uint64_t size) { return (size + 63) / 64 * 64; }

  Device* device_;
  const Pinned* other_ = nullptr;
  mutable std::mutex mutex_;
  std::map<uint64_t, Range> ranges_;
  uint64_t registered_ = 0;
  // The pool: [pool_, pool_ + ready_) is registered. Free pieces by size; what was never used begins at next_.
  unsigned char* pool_ = nullptr;
  uint64_t pool_bytes_ = 0, chunk_bytes_ = 0, ready_ = 0, next_ = 0, used_ = 0;
  std::multimap<uint64_t, unsigned char*> free_;
  bool paused_ = false, busy_ = false, stop_ = false, keep_mapped_ = false;
  Status pool_status_;
  std::condition_variable changed_;
  std::thread thread_;
};

}  // namespace kvc_cuda
