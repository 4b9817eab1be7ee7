// What the measurements of the store share with those of its peers.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kvc::bench {

struct Cost {
  double seconds = 0, cpu = 0;
};

inline Cost now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return {std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(),
          seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

struct Result {
  double bytes_per_s = 0, cpu_s_per_gb = 0;
  void add(const Cost& from, double bytes) {  // the best of the rounds
    const Cost to = now();
    bytes_per_s = std::max(bytes_per_s, bytes / (to.seconds - from.seconds));
    const double cpu = (to.cpu - from.cpu) / (bytes / 1e9);
    cpu_s_per_gb = cpu_s_per_gb == 0 ? cpu : std::min(cpu_s_per_gb, cpu);
  }
};

struct Churn {
  uint64_t budget = 0, peak_bytes = 0;
  double write_amplification = 0, put_p99_ms = 0, put_max_ms = 0;
};

// Room that a directory's files take.
uint64_t disk_usage(const std::string& directory);
double percentile(std::vector<double> values, double share);

// Where a page's payload lies.
struct StoredPage {
  std::string file;
  uint64_t offset = 0, bytes = 0;
};
// Of a store whose pages are all written, in no order.
std::vector<StoredPage> stored_pages(const std::string& directory);

// Peers. Results are empty where the peer is not installed. fio reads pages where the store has them, from the same files,
// so that whatever caches blocks below does it for both.
void fio_write(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes, Result* put);
void fio_read(const std::string& directory, const std::vector<StoredPage>& pages, const std::vector<uint64_t>& order,
              Result* get);
void raw(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
         const std::vector<std::byte*>& buffers, Result* put, Result* get);
void file_per_page(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
                   const std::vector<std::byte*>& buffers, Result* put, Result* get);
bool rocksdb(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
             const std::vector<std::byte*>& buffers, Result* put, Result* get);
bool rocksdb_churn(const std::string& directory, uint64_t page_bytes, uint64_t budget, uint64_t total_bytes,
                   const std::vector<std::byte*>& buffers, Churn* out);

// Of the pages that a process had put when it was killed (SIGKILL, `lives` times at random moments), the share that hits
// afterwards. Call it while this process has one thread.
double hits_kept_after_kill(const std::string& directory, int lives);

constexpr uint32_t kDepth = 16;

}  // namespace kvc::bench
