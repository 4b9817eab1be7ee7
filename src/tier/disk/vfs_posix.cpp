// The machine's files.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <new>

#include "tier/disk/vfs.h"

namespace kvc {
namespace {

class PosixFile final : public VfsFile {
 public:
  PosixFile(int fd, bool direct) noexcept : fd_(fd), direct_(direct) {}
  ~PosixFile() override { close(fd_); }

  ssize_t read(const iovec* parts, int n, uint64_t offset) override {
    return result(preadv(fd_, parts, n, static_cast<off_t>(offset)));
  }
  ssize_t write(const iovec* parts, int n, uint64_t offset) override {
    return result(pwritev(fd_, parts, n, static_cast<off_t>(offset)));
  }
  int sync() override { return static_cast<int>(result(fdatasync(fd_))); }
  int allocate(uint64_t bytes) override {
    // posix_fallocate writes zeros where the file system cannot promise room: slow, but the promise holds.
    int failure;
    do {
      failure = posix_fallocate(fd_, 0, static_cast<off_t>(bytes));
    } while (failure == EINTR);
    return -failure;
  }
  int64_t size() override {
    struct stat info{};
    return fstat(fd_, &info) == 0 ? info.st_size : -errno;
  }
  uint64_t allocated() override {
    struct stat info{};
    return fstat(fd_, &info) == 0 ? static_cast<uint64_t>(info.st_blocks) * 512 : 0;
  }
  int lock_exclusive() override {
    // Of the open file description: it outlives neither this object nor the process, and a second open in this process
    // conflicts as well. (Classic locks would be dropped when any descriptor of the file is closed.)
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const int status = static_cast<int>(result(fcntl(fd_, F_OFD_SETLK, &lock)));
    return status == -EACCES ? -EAGAIN : status;
  }
  int descriptor() const noexcept override { return fd_; }
  uint32_t alignment() const noexcept override { return direct_ ? 4096 : 1; }

 private:
  static ssize_t result(ssize_t value) noexcept { return value < 0 ? -errno : value; }
  const int fd_;
  const bool direct_;
};

class PosixVfs final : public Vfs {
 public:
  int open(const std::string& path, uint32_t flags, std::unique_ptr<VfsFile>* out) override {
    // Links are not followed at the last step: a store's files are its own.
    const int mode = ((flags & kWrite) ? O_RDWR : O_RDONLY) | ((flags & kCreate) ? O_CREAT : 0) |
                     ((flags & kTruncate) ? O_TRUNC : 0) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    bool direct = (flags & kDirect) != 0;
    int fd = retry(path, mode | (direct ? O_DIRECT : 0));
    if (fd == -EINVAL && direct) {  // tmpfs and others
      direct = false;
      fd = retry(path, mode);
    }
    if (fd < 0) return fd;
    struct stat info{};
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
      close(fd);
      return -EINVAL;
    }
    *out = std::make_unique<PosixFile>(fd, direct);
    return 0;
  }
  int list(const std::string& directory, std::vector<std::string>* names) override {
    DIR* dir = opendir(directory.c_str());
    if (dir == nullptr) return -errno;
    names->clear();
    while (const dirent* entry = readdir(dir)) names->emplace_back(entry->d_name);
    closedir(dir);
    return 0;
  }
  int make_directory(const std::string& path) override {
    for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      if (mkdir(path.substr(0, slash).c_str(), 0777) != 0 && errno != EEXIST && errno != EROFS && errno != EACCES) {
        return -errno;
      }
    }
    // What is kept here are people's prompts.
    return mkdir(path.c_str(), 0700) == 0 || errno == EEXIST ? 0 : -errno;
  }
  int rename(const std::string& from, const std::string& to) override {
    return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : -errno;
  }
  int remove(const std::string& path) override { return unlink(path.c_str()) == 0 ? 0 : -errno; }
  int sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int status = fsync(fd) == 0 ? 0 : -errno;
    close(fd);
    return status;
  }

 private:
  static int retry(const std::string& path, int mode) noexcept {
    int fd;
    do {
      fd = ::open(path.c_str(), mode, 0600);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
  }
};

}  // namespace

Vfs& posix_vfs() noexcept {
  // Never destroyed: a destructor at the end of the process could find the library unmapped. It has no state.
  alignas(PosixVfs) static std::byte storage[sizeof(PosixVfs)];
  static PosixVfs* const vfs = new (storage) PosixVfs;
  return *vfs;
}

}  // namespace kvc
