// The few file operations that the store uses. Tests put a simulated disk behind them: power cuts, errors, short reads.
//
// Results are those of the system calls, with -errno in the place of -1. Any thread may call anything.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace kvc {

class VfsFile {
 public:
  virtual ~VfsFile() = default;
  virtual ssize_t read(const iovec* parts, int n, uint64_t offset) = 0;   // may be short
  virtual ssize_t write(const iovec* parts, int n, uint64_t offset) = 0;  // may be short
  virtual int sync() = 0;                                                 // data, and what is needed to read it
  virtual int allocate(uint64_t bytes) = 0;  // at least so large, its room taken now: later writes inside find it
  virtual int64_t size() = 0;
  virtual uint64_t allocated() = 0;                       // bytes of room taken on the device
  virtual int lock_exclusive() = 0;                       // -EAGAIN: another holder. Held until the file is closed
  virtual int descriptor() const noexcept { return -1; }  // for io_uring; -1: only through this interface
  // What reads and writes must be aligned to (buffer, offset, length); 1: nothing.
  virtual uint32_t alignment() const noexcept { return 1; }
};

class Vfs {
 public:
  // Flags of open. kDirect: past the page cache, where the file system can.
  static constexpr uint32_t kWrite = 1, kCreate = 2, kDirect = 4, kTruncate = 8;

  virtual ~Vfs() = default;
  virtual int open(const std::string& path, uint32_t flags, std::unique_ptr<VfsFile>* out) = 0;
  virtual int list(const std::string& directory, std::vector<std::string>* names) = 0;
  virtual int make_directory(const std::string& path) = 0;  // and its parents; 0 if it is there
  virtual int rename(const std::string& from, const std::string& to) = 0;
  virtual int remove(const std::string& path) = 0;
  virtual int sync_directory(const std::string& path) = 0;
};

Vfs& posix_vfs() noexcept;

}  // namespace kvc
