// Reads and writes in flight: io_uring, a pool of threads, or at once in the calling thread.
#pragma once

#include <cstdint>
#include <memory>

#include "tier/disk/store.h"
#include "tier/disk/vfs.h"

namespace kvc::disk {

// One transfer. The caller keeps it, and the memory that its parts name, until done() is called: exactly once.
struct Transfer {
  virtual ~Transfer() = default;
  // bytes: all of them, fewer at the end of the file, or -errno.
  virtual void done(ssize_t bytes) noexcept = 0;

  VfsFile* file = nullptr;
  bool write = false;
  iovec parts[2] = {};
  int n_parts = 1;
  uint64_t offset = 0;
  Transfer* next = nullptr;  // the engine's
  size_t total() const noexcept { return parts[0].iov_len + (n_parts == 2 ? parts[1].iov_len : 0); }
};

// Transfers all of it: goes on after short transfers and interruptions. `done_before`: bytes that are there already.
ssize_t transfer_all(const Transfer& transfer, size_t done_before) noexcept;

// One piece, in the calling thread; bytes moved, or -errno.
ssize_t transfer_block(VfsFile* file, bool write, uint64_t offset, void* data, size_t bytes) noexcept;

class IoEngine {
 public:
  virtual ~IoEngine() = default;  // completes what was submitted
  virtual void submit(Transfer* transfer) noexcept = 0;
  virtual bool is_uring() const noexcept { return false; }
};

std::unique_ptr<IoEngine> make_sync_engine();
std::unique_ptr<IoEngine> make_thread_engine(uint32_t threads);  // throws if no thread can be started
std::unique_ptr<IoEngine> make_uring_engine(uint32_t depth);     // nullptr: not here (kernel, sandbox)

}  // namespace kvc::disk
