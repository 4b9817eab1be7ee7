// A process that puts pages is killed; the next one looks for what was put.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/random.h"
#include "bench.h"
#include "tier/disk/store.h"

namespace kvc::bench {
namespace {

constexpr uint64_t kPageBytes = 64 << 10;

// Page i, made anew wherever it is needed: what comes back is compared.
struct Made {
  explicit Made(uint64_t i) : tokens(64, static_cast<int32_t>(i)), payload(kPageBytes) {
    Random random(i);
    for (size_t at = 0; at < kPageBytes; at += 8) {
      const uint64_t word = random.next();
      std::memcpy(payload.data() + at, &word, 8);
    }
    std::memcpy(id.bytes.data(), payload.data(), id.bytes.size());
  }
  PageId id;
  std::vector<int32_t> tokens;
  std::vector<std::byte> payload;
};

std::unique_ptr<DiskStore> open(const std::string& directory) {
  StoreOptions options;
  options.directory = directory;
  options.budget = uint64_t{1} << 30;
  std::unique_ptr<DiskStore> store;
  const Status status = DiskStore::open(options, &store);
  if (status.is_ok()) return store;
  fprintf(stderr, "kvc-bench-store: %s\n", status.message().c_str());
  exit(1);
}

// Puts pages from `first` on, and says after each that it was put, until it is killed.
[[noreturn]] void live(const std::string& directory, uint64_t first, int say) {
  const auto store = open(directory);
  for (uint64_t i = first;; ++i) {
    const Made made(i);
    PutPage page;
    page.record.id = made.id;
    page.record.tokens = made.tokens;
    page.record.payload = made.payload;
    if (!store->put(page).is_ok() || write(say, &i, sizeof i) != sizeof i) _exit(1);
  }
}

}  // namespace

double hits_kept_after_kill(const std::string& directory, int lives) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  Random random(9);
  uint64_t put = 0, kept = 0, next = 0;
  for (int life = 0; life < lives; ++life) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) exit(1);
    const pid_t child = fork();
    if (child == 0) live(directory, next, ends[1]);
    close(ends[1]);
    usleep(static_cast<useconds_t>(20'000 + random.next() % 60'000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const uint64_t first = next;
    for (uint64_t i; read(ends[0], &i, sizeof i) == sizeof i;) next = i + 1;
    close(ends[0]);
    const auto store = open(directory);
    std::vector<std::byte> out(kPageBytes);
    for (uint64_t i = first; i < next; ++i) {
      const Made made(i);
      GetPage page;
      page.id = made.id;
      page.tokens = made.tokens;
      page.payload_bytes = kPageBytes;
      page.out = out;
      const bool hit = store->get(page) == DiskMiss::none;
      if (hit && out != made.payload) {
        fprintf(stderr, "kvc-bench-store: a page came back wrong after a kill\n");
        exit(1);
      }
      ++put;
      kept += hit;
    }
    ++next;  // the one that was under way may be there or not
  }
  std::filesystem::remove_all(directory);
  return put == 0 ? 0 : static_cast<double>(kept) / static_cast<double>(put);
}

}  // namespace kvc::bench
