#include "file_digest.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <vector>

#include "failure.h"

namespace kvc_llama {
namespace {

// One line of the file of digests.
struct Record {
  FileStamp stamp;
  Digest digest;
  std::array<uint8_t, 16> check;  // of what comes before
};
static_assert(sizeof(Record) == 88);

constexpr size_t kMostCacheBytes = 1 << 20;
constexpr uint64_t kSettledNs = 2'000'000'000;

class File {
 public:
  File(const std::string& path, int flags, mode_t mode = 0) : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

uint64_t ns_of(const timespec& t) {
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

FileStamp stamp_of(const struct stat& s) {
  return {static_cast<uint64_t>(s.st_dev), static_cast<uint64_t>(s.st_ino), static_cast<uint64_t>(s.st_size),
          ns_of(s.st_mtim), ns_of(s.st_ctim)};
}

[[noreturn]] void fail_io(const std::string& path) {
  fail(KVC_E_IO, "cannot read %s: %s", path.c_str(), std::strerror(errno));
}

std::array<uint8_t, 16> check_of(const Record& record) {
  static constexpr unsigned char kPersonal[crypto_generichash_blake2b_PERSONALBYTES] = "kvc digests v1";
  std::array<uint8_t, 16> check;
  crypto_generichash_blake2b_salt_personal(check.data(), check.size(), reinterpret_cast<const unsigned char*>(&record),
                                           offsetof(Record, check), nullptr, 0, nullptr, kPersonal);
  return check;
}

bool remembered(const std::string& cache, const FileStamp& stamp, Digest* out) {
  const File file(cache, O_RDONLY);
  if (file.fd() < 0) return false;
  std::vector<unsigned char> bytes(kMostCacheBytes);
  size_t size = 0;
  for (ssize_t got = 1; got > 0 && size < bytes.size();) {
    got = read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got > 0) size += static_cast<size_t>(got);
  }
  bool found = false;
  for (size_t at = 0; at + sizeof(Record) <= size; at += sizeof(Record)) {
    Record record;
    std::memcpy(&record, bytes.data() + at, sizeof record);
    if (!(record.stamp == stamp)) continue;
    if (record.check != check_of(record)) continue;
    *out = record.digest;
    found = true;  // the last one counts
  }
  return found;
}

void remember(const std::string& cache, const FileStamp& stamp, const Digest& digest) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (ns_of(now) < std::max(stamp.modified_ns, stamp.changed_ns) + kSettledNs) return;
  const size_t slash = cache.rfind('/');
  if (slash != std::string::npos) {
    const std::string folder = cache.substr(0, slash);
    const size_t above = folder.rfind('/');
    if (above != std::string::npos && above > 0) mkdir(folder.substr(0, above).c_str(), 0700);
    mkdir(folder.c_str(), 0700);
  }
  Record record{stamp, digest, {}};
  record.check = check_of(record);
  const File file(cache, O_WRONLY | O_CREAT | O_APPEND, 0600);
  struct stat s;
  if (file.fd() < 0 || fstat(file.fd(), &s) != 0) return;
  // Whatever is wrong with it, it starts anew: it is only a cache.
  if (static_cast<size_t>(s.st_size) + sizeof record > kMostCacheBytes || s.st_size % sizeof record != 0) {
    if (ftruncate(file.fd(), 0) != 0) return;
  }
  // One write, so that two processes do not mix. If it fails, the digest is computed again next time.
  if (write(file.fd(), &record, sizeof record) != static_cast<ssize_t>(sizeof record)) return;
}

Digest compute(int fd, const std::string& path) {
  crypto_generichash_blake2b_state state;
  crypto_generichash_blake2b_init(&state, nullptr, 0, Digest{}.size());
  constexpr size_t kChunk = 1 << 20;
  const auto buffer = std::make_unique<unsigned char[]>(kChunk);
  for (;;) {
    const ssize_t got = read(fd, buffer.get(), kChunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(path);
    if (got == 0) break;
    crypto_generichash_blake2b_update(&state, buffer.get(), static_cast<size_t>(got));
  }
  Digest digest;
  crypto_generichash_blake2b_final(&state, digest.data(), digest.size());
  return digest;
}

// The other parts of a model in several files. Empty: it is one file.
std::vector<std::string> parts_of(const std::string& path) {
  // "-00001-of-00003.gguf"
  constexpr size_t kTail = 20;
  if (path.size() < kTail) return {};
  unsigned first = 0, n = 0;
  const std::string tail = path.substr(path.size() - kTail);
  if (std::sscanf(tail.c_str(), "-%5u-of-%5u.gguf", &first, &n) != 2 || tail.substr(15) != ".gguf" || n < 2) return {};
  std::vector<std::string> parts;
  for (unsigned i = 1; i <= n; ++i) {
    char name[32];
    std::snprintf(name, sizeof name, "-%05u-of-%05u.gguf", i, n);
    parts.push_back(path.substr(0, path.size() - kTail) + name);
  }
  return parts;
}

}  // namespace

FileStamp stamp_of(const std::string& path) {
  struct stat s;
  if (stat(path.c_str(), &s) != 0) fail_io(path);
  if (!S_ISREG(s.st_mode)) fail(KVC_E_IO, "%s is no regular file", path.c_str());
  return stamp_of(s);
}

std::string digest_cache_path() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return std::string(cache) + "/kvc/digests";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.cache/kvc/digests";
  return "";
}

Digest digest_of_file(const std::string& path, const std::string& cache) {
  if (sodium_init() < 0) fail(KVC_E_INTERNAL, "libsodium does not start on this machine");
  const File file(path, O_RDONLY);
  struct stat s;
  if (file.fd() < 0 || fstat(file.fd(), &s) != 0) fail_io(path);
  const FileStamp before = stamp_of(s);
  Digest digest;
  if (!cache.empty() && remembered(cache, before, &digest)) return digest;
  digest = compute(file.fd(), path);
  if (fstat(file.fd(), &s) != 0 || !(stamp_of(s) == before)) {
    fail(KVC_E_IO, "%s changed while it was read: try again when it is complete", path.c_str());
  }
  if (!cache.empty()) remember(cache, before, digest);
  return digest;
}

Digest digest_of_model(const std::string& path) {
  const std::string cache = digest_cache_path();
  const std::vector<std::string> parts = parts_of(path);
  if (parts.empty()) return digest_of_file(path, cache);
  std::vector<unsigned char> all;
  for (const std::string& part : parts) {
    const Digest digest = digest_of_file(part, cache);
    all.insert(all.end(), digest.begin(), digest.end());
  }
  Digest digest;
  crypto_generichash_blake2b(digest.data(), digest.size(), all.data(), all.size(), nullptr, 0);
  return digest;
}

}  // namespace kvc_llama
