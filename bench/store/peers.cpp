// What the store is compared with: fio, a bare loop of transfers, a file per page, RocksDB's BlobDB.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>

#include "base/random.h"
#include "bench.h"
#include "tier/disk/format.h"
#include "tier/disk/io.h"

#ifdef KVC_BENCH_ROCKSDB
#include <rocksdb/db.h>
#include <rocksdb/options.h>
#endif

namespace kvc::bench {

namespace fs = std::filesystem;

uint64_t disk_usage(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code ignored;
  for (const auto& entry : fs::recursive_directory_iterator(directory, ignored)) {
    struct stat info{};
    if (stat(entry.path().c_str(), &info) == 0) bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values.empty()
             ? 0
             : values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

namespace {

// fio with these options, 16 in flight past the page cache; the best of the rounds counts.
void run_fio(const std::string& how, bool write, Result* result) {
  const std::string command = "fio --name=peer --direct=1 --ioengine=io_uring --iodepth=" + std::to_string(kDepth) + how +
                              " --output-format=terse --terse-version=3 2>/dev/null";
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  char line[8192];
  while (pipe && fgets(line, sizeof line, pipe.get()) != nullptr) {
    if (strncmp(line, "3;", 2) != 0) continue;
    int field = 1;  // 7: bandwidth of reads in KiB/s; 48: of writes
    for (const char* at = line; (at = strchr(at, ';')) != nullptr;) {
      ++at;
      if (++field != (write ? 48 : 7)) continue;
      result->bytes_per_s = std::max(result->bytes_per_s, atof(at) * 1024);
    }
  }
}

}  // namespace

void fio_write(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes, Result* put) {
  run_fio(" --filename=" + directory + "/fio.dat --bs=" + std::to_string(page_bytes) +
              " --size=" + std::to_string(total_bytes) + " --rw=write --fallocate=posix",
          true, put);
  unlink((directory + "/fio.dat").c_str());
}

void fio_read(const std::string& directory, const std::vector<StoredPage>& pages, const std::vector<uint64_t>& order,
              Result* get) {
  const std::string log = directory + "/fio.log";
  {
    std::ofstream out(log);
    out << "fio version 2 iolog\n";
    std::set<std::string> files;
    for (const StoredPage& page : pages) files.insert(page.file);
    for (const std::string& file : files) out << file << " add\n" << file << " open\n";
    for (const uint64_t i : order) out << pages[i].file << " read " << pages[i].offset << ' ' << pages[i].bytes << '\n';
    for (const std::string& file : files) out << file << " close\n";
  }
  run_fio(" --read_iolog=" + log + " --replay_no_stall=1", false, get);
  unlink(log.c_str());
}

std::vector<StoredPage> stored_pages(const std::string& directory) {
  std::vector<StoredPage> pages;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().rfind("seg-", 0) != 0) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    disk::RecordHeader header;
    for (uint64_t at = disk::kBlock;; at += uint64_t{header.descriptor.blocks} * disk::kBlock) {
      file.seekg(static_cast<std::streamoff>(at));
      if (!file.read(reinterpret_cast<char*>(&header), sizeof header) || header.magic != disk::kRecordMagic) break;
      const disk::Descriptor& d = header.descriptor;
      pages.push_back({fs::absolute(entry.path()).string(), at + d.payload_start, d.payload_bytes});
    }
  }
  return pages;
}

namespace {

// Keeps kDepth transfers in flight.
struct Loop {
  struct One final : disk::Transfer {
    void done(ssize_t bytes) noexcept override {
      const std::lock_guard lock(loop->mutex);
      loop->failed = loop->failed || bytes != static_cast<ssize_t>(total());
      loop->idle.push_back(this);
      loop->changed.notify_one();
    }
    Loop* loop = nullptr;
  };
  One* take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !idle.empty(); });
    One* one = idle.back();
    idle.pop_back();
    return one;
  }
  void drain() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return idle.size() == kDepth; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<One*> idle;
  bool failed = false;
};

}  // namespace

void raw(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
         const std::vector<std::byte*>& buffers, Result* put, Result* get) {
  auto engine = disk::make_uring_engine(64);
  if (!engine) engine = disk::make_thread_engine(kDepth);
  std::unique_ptr<VfsFile> file;
  const std::string path = directory + "/raw.dat";
  if (posix_vfs().open(path, Vfs::kWrite | Vfs::kCreate | Vfs::kTruncate | Vfs::kDirect, &file) != 0 ||
      file->allocate(total_bytes) != 0) {
    return;
  }
  std::vector<Loop::One> all(kDepth);
  Random random(1);
  for (const bool write : {true, false}) {
    Loop loop;
    for (auto& one : all) {
      one.loop = &loop;
      loop.idle.push_back(&one);
    }
    const uint64_t n = total_bytes / page_bytes;
    const Cost from = now();
    for (uint64_t i = 0; i < n; ++i) {
      Loop::One* one = loop.take();
      one->file = file.get();
      one->write = write;
      one->offset = (write ? i : random.next() % n) * page_bytes;
      one->parts[0] = {write ? buffers[i % buffers.size()] : buffers[static_cast<size_t>(one - all.data())],
                       page_bytes};
      engine->submit(one);
    }
    loop.drain();
    if (!loop.failed) (write ? put : get)->add(from, static_cast<double>(n * page_bytes));
  }
  file.reset();
  unlink(path.c_str());
}

void file_per_page(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
                   const std::vector<std::byte*>& buffers, Result* put, Result* get) {
  const std::string base = directory + "/files";
  fs::create_directories(base);
  const uint64_t n = total_bytes / page_bytes;
  Cost from = now();
  for (uint64_t i = 0; i < n; ++i) {
    const std::string name = base + "/" + std::to_string(i), temporary = name + ".tmp";
    const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, buffers[i % buffers.size()], page_bytes) != static_cast<ssize_t>(page_bytes)) return;
    close(fd);
    if (rename(temporary.c_str(), name.c_str()) != 0) return;
  }
  put->add(from, static_cast<double>(n * page_bytes));
  for (uint64_t i = 0; i < n; ++i) {  // cold
    const int fd = open((base + "/" + std::to_string(i)).c_str(), O_RDONLY);
    fdatasync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
  Random random(1);
  from = now();
  for (uint64_t i = 0; i < n; ++i) {
    const int fd = open((base + "/" + std::to_string(random.next() % n)).c_str(), O_RDONLY);
    if (fd < 0 || read(fd, buffers[0], page_bytes) != static_cast<ssize_t>(page_bytes)) return;
    close(fd);
  }
  get->add(from, static_cast<double>(n * page_bytes));
  fs::remove_all(base);
}

#ifdef KVC_BENCH_ROCKSDB

namespace {

rocksdb::Options blob_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  options.enable_blob_files = true;
  options.enable_blob_garbage_collection = true;
  options.use_direct_reads = true;
  options.write_buffer_size = 64 << 20;
  return options;
}

std::string key_of(uint64_t i) {
  Random random(i);
  std::string key(32, '\0');
  for (int w = 0; w < 4; ++w) {
    const uint64_t word = random.next();
    std::memcpy(key.data() + w * 8, &word, 8);
  }
  return key;
}

}  // namespace

bool rocksdb(const std::string& directory, uint64_t page_bytes, uint64_t total_bytes,
             const std::vector<std::byte*>& buffers, Result* put, Result* get) {
  rocksdb::DB* db = nullptr;
  const std::string path = directory + "/rocksdb";
  fs::remove_all(path);
  if (!rocksdb::DB::Open(blob_options(), path, &db).ok()) return false;
  std::unique_ptr<rocksdb::DB> owner(db);
  rocksdb::WriteOptions writing;
  writing.disableWAL = true;
  const uint64_t n = total_bytes / page_bytes;
  Cost from = now();
  for (uint64_t i = 0; i < n; ++i) {
    db->Put(writing, key_of(i), {reinterpret_cast<const char*>(buffers[i % buffers.size()]), page_bytes});
  }
  db->Flush({});
  put->add(from, static_cast<double>(n * page_bytes));
  Random random(1);
  std::string value;
  from = now();
  for (uint64_t i = 0; i < n; ++i) db->Get({}, key_of(random.next() % n), &value);
  get->add(from, static_cast<double>(n * page_bytes));
  owner.reset();
  fs::remove_all(path);
  return true;
}

bool rocksdb_churn(const std::string& directory, uint64_t page_bytes, uint64_t budget, uint64_t total_bytes,
                   const std::vector<std::byte*>& buffers, Churn* out) {
  rocksdb::DB* db = nullptr;
  const std::string path = directory + "/rocksdb";
  fs::remove_all(path);
  rocksdb::Options options = blob_options();
  options.statistics = rocksdb::CreateDBStatistics();
  if (!rocksdb::DB::Open(options, path, &db).ok()) return false;
  std::unique_ptr<rocksdb::DB> owner(db);
  rocksdb::WriteOptions writing;
  writing.disableWAL = true;
  out->budget = budget;
  std::vector<double> latencies;
  const uint64_t n = total_bytes / page_bytes, live = budget / page_bytes * 9 / 10;
  for (uint64_t i = 0; i < n; ++i) {
    const double begun = now().seconds;
    db->Put(writing, key_of(i), {reinterpret_cast<const char*>(buffers[i % buffers.size()]), page_bytes});
    if (i >= live) db->Delete(writing, key_of(i - live));
    latencies.push_back((now().seconds - begun) * 1e3);
    if (i % 64 == 0) out->peak_bytes = std::max(out->peak_bytes, disk_usage(path));
  }
  db->Flush({});
  const auto ticker = [&](rocksdb::Tickers t) { return static_cast<double>(options.statistics->getTickerCount(t)); };
  out->write_amplification = (ticker(rocksdb::BLOB_DB_BLOB_FILE_BYTES_WRITTEN) + ticker(rocksdb::COMPACT_WRITE_BYTES) +
                              ticker(rocksdb::FLUSH_WRITE_BYTES)) /
                             static_cast<double>(n * page_bytes);
  out->put_p99_ms = percentile(latencies, 0.99);
  out->put_max_ms = percentile(latencies, 1);
  owner.reset();
  fs::remove_all(path);
  return true;
}

#else

bool rocksdb(const std::string&, uint64_t, uint64_t, const std::vector<std::byte*>&, Result*, Result*) { return false; }
bool rocksdb_churn(const std::string&, uint64_t, uint64_t, uint64_t, const std::vector<std::byte*>&, Churn*) {
  return false;
}

#endif

}  // namespace kvc::bench
