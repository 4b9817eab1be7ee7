// The disk store and its peers in one run. bench/README.md describes the figures.
//
// usage: kvc-bench-store [--json] [--directory DIR] [--mib N] [--rounds N] [--pages N] [--kv K.npy V.npy] [--io
// uring|threads]
#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <numeric>
#include <thread>

#include "base/random.h"
#include "bench.h"
#include "tier/disk/store.h"

namespace kvc::bench {
namespace {

namespace fs = std::filesystem;

struct Options {
  bool json = false;
  std::string directory = "build/bench-store", k, v;
  uint64_t mib = 512, rounds = 3, pages = 1'000'000;
  StoreOptions::Io io = StoreOptions::Io::automatic;
};

std::map<std::string, double> figures;
void figure(const std::string& name, double value) { figures[name] = value; }

void check(const Status& status) {
  if (status.is_ok()) return;
  fprintf(stderr, "kvc-bench-store: %s\n", status.message().c_str());
  exit(1);
}

Digest number_digest(uint64_t number) {
  Digest out;
  Random random(number);
  for (int w = 0; w < 4; ++w) {
    const uint64_t word = random.next();
    std::memcpy(out.bytes.data() + w * 8, &word, 8);
  }
  return out;
}

// Pages whose payload is one of the buffers.
struct Pages {
  uint64_t page_bytes;
  std::vector<std::byte*> buffers;
  std::vector<int32_t> tokens = std::vector<int32_t>(64, 11);
  std::shared_ptr<const void> kept = std::make_shared<int>();  // buffers outlive every get
  PutPage put(uint64_t i) const {
    PutPage page;
    page.record.id = number_digest(i);
    page.record.tokens = tokens;
    page.record.payload = {buffers[i % buffers.size()], page_bytes};
    return page;
  }
  GetPage get(uint64_t i, std::byte* out) const {
    GetPage page;
    page.id = number_digest(i);
    page.tokens = tokens;
    page.payload_bytes = page_bytes;
    page.out = {out, page_bytes};
    page.owner = kept;
    return page;
  }
};

struct Flight {  // how many are under way
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::byte*> idle;
  uint64_t wrong = 0;
  std::byte* take() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return !idle.empty(); });
    std::byte* one = idle.back();
    idle.pop_back();
    return one;
  }
  void give(std::byte* one, bool right) {
    const std::lock_guard lock(mutex);
    wrong += !right;
    idle.push_back(one);
    changed.notify_one();
  }
  void drain(size_t all) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return idle.size() == all; });
  }
};

StoreOptions store_options(const Options& options, const std::string& name, uint64_t budget) {
  StoreOptions out;
  out.directory = options.directory + "/" + name;
  out.budget = budget;
  out.io = options.io;
  out.zstd_level = 0;
  out.checkpoint_ns = 0;  // peers do not sync either
  out.queue_depth = kDepth;
  return out;
}

std::unique_ptr<DiskStore> open(const StoreOptions& options) {
  std::unique_ptr<DiskStore> store;
  check(DiskStore::open(options, &store));
  return store;
}

void put_all(DiskStore* store, const Pages& pages, uint64_t first, uint64_t n, std::vector<double>* latencies_ms) {
  std::mutex mutex;
  std::condition_variable changed;
  uint64_t under_way = 0;
  for (uint64_t i = first; i < first + n; ++i) {
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return under_way < kDepth; });
      ++under_way;
    }
    const double begun = latencies_ms != nullptr ? now().seconds : 0;
    const auto done = [&](const Status&) {
      const std::lock_guard lock(mutex);
      --under_way;
      changed.notify_all();
    };
    Status status = store->put(pages.put(i), done);
    while (status.code() == KVC_E_BUSY) {
      std::this_thread::yield();
      status = store->put(pages.put(i), done);
    }
    check(status);
    if (latencies_ms != nullptr) latencies_ms->push_back((now().seconds - begun) * 1e3);
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return under_way == 0; });
}

std::vector<uint64_t> random_order(uint64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<uint64_t> order(n);
  for (uint64_t& i : order) i = random.next() % n;
  return order;
}

void get_all(DiskStore* store, const Pages& pages, const std::vector<uint64_t>& order, Result* result) {
  Flight flight;
  std::vector<std::byte*> out;
  for (uint32_t i = 0; i < kDepth; ++i) {
    out.push_back(static_cast<std::byte*>(aligned_alloc(4096, pages.page_bytes)));
    std::memset(out.back(), 1, pages.page_bytes);
  }
  flight.idle = out;
  const Cost begun = now();
  for (const uint64_t i : order) {
    std::byte* to = flight.take();
    store->get(pages.get(i, to), [&flight, to](DiskMiss miss) { flight.give(to, miss == DiskMiss::none); });
  }
  flight.drain(kDepth);
  result->add(begun, static_cast<double>(order.size() * pages.page_bytes));
  for (std::byte* one : out) free(one);
  if (flight.wrong == 0) return;
  fprintf(stderr, "kvc-bench-store: %llu gets were no hits\n", static_cast<unsigned long long>(flight.wrong));
  exit(1);
}

void throughput(const Options& options, const std::vector<std::byte*>& buffers) {
  double worst_put = 1e9, worst_get = 1e9, worst_put_cpu = 0, worst_get_cpu = 0, raw_put = 1e9, raw_get = 1e9;
  bool with_fio = false;
  for (const uint64_t page_bytes : {64u << 10, 256u << 10, 1u << 20}) {
    const std::string suffix = "_" + std::to_string(page_bytes >> 10) + "k";
    const uint64_t total = options.mib << 20, n = total / page_bytes;
    Result put, get, bare_put, bare_get, fio_put, fio_get, files_put, files_get, rocks_put, rocks_get;
    for (uint64_t round = 0; round < options.rounds; ++round) {
      fio_write(options.directory, page_bytes, total, &fio_put);
      raw(options.directory, page_bytes, total, buffers, &bare_put, &bare_get);
      fs::remove_all(options.directory + "/store");
      Pages pages{page_bytes, buffers};
      {
        auto store = open(store_options(options, "store", total * 5 / 4 + (uint64_t{256} << 20)));
        const Cost from = now();
        put_all(store.get(), pages, 0, n, nullptr);
        put.add(from, static_cast<double>(n * page_bytes));
        // Both read the same files, in turns: neither always finds what the other left in a cache below.
        const auto where = stored_pages(options.directory + "/store");
        for (const bool peer : {round % 2 == 0, round % 2 != 0}) {
          const std::vector<uint64_t> order = random_order(n, 2 * round + peer);
          if (!peer) {
            get_all(store.get(), pages, order, &get);
          } else if (where.size() == n) {
            fio_read(options.directory, where, order, &fio_get);
          }
        }
      }
      fs::remove_all(options.directory + "/store");
      if (round == 0) {
        file_per_page(options.directory, page_bytes, total, buffers, &files_put, &files_get);
        rocksdb(options.directory, page_bytes, total, buffers, &rocks_put, &rocks_get);
      }
    }
    const auto report = [&](const std::string& what, const Result& result) {
      if (result.bytes_per_s == 0) return;
      figure(what + "_mb_per_s" + suffix, result.bytes_per_s / 1e6);
      if (result.cpu_s_per_gb > 0) figure(what + "_cpu_s_per_gb" + suffix, result.cpu_s_per_gb);
    };
    report("put", put);
    report("get", get);
    report("raw_put", bare_put);
    report("raw_get", bare_get);
    report("fio_put", fio_put);
    report("fio_get", fio_get);
    report("file_per_page_put", files_put);
    report("file_per_page_get", files_get);
    report("rocksdb_put", rocks_put);
    report("rocksdb_get", rocks_get);
    figure("put_vs_raw" + suffix, put.bytes_per_s / bare_put.bytes_per_s);
    figure("get_vs_raw" + suffix, get.bytes_per_s / bare_get.bytes_per_s);
    raw_put = std::min(raw_put, put.bytes_per_s / bare_put.bytes_per_s);
    raw_get = std::min(raw_get, get.bytes_per_s / bare_get.bytes_per_s);
    if (fio_put.bytes_per_s > 0 && fio_get.bytes_per_s > 0) {
      with_fio = true;
      figure("put_vs_fio" + suffix, put.bytes_per_s / fio_put.bytes_per_s);
      figure("get_vs_fio" + suffix, get.bytes_per_s / fio_get.bytes_per_s);
      worst_put = std::min(worst_put, put.bytes_per_s / fio_put.bytes_per_s);
      worst_get = std::min(worst_get, get.bytes_per_s / fio_get.bytes_per_s);
    }
    worst_put_cpu = std::max(worst_put_cpu, put.cpu_s_per_gb);
    worst_get_cpu = std::max(worst_get_cpu, get.cpu_s_per_gb);
  }
  if (with_fio) {
    figure("put_vs_fio", worst_put);
    figure("get_vs_fio", worst_get);
  }
  figure("put_vs_raw", raw_put);
  figure("get_vs_raw", raw_get);
  figure("put_cpu_s_per_gb", worst_put_cpu);
  figure("get_cpu_s_per_gb", worst_get_cpu);
}

// Twice the budget is put; one page of eight is got again, so that some are hit and move on.
void churn(const Options& options, const std::vector<std::byte*>& buffers) {
  const uint64_t page_bytes = 256 << 10, budget = options.mib << 20, total = budget * 2;
  fs::remove_all(options.directory + "/store");
  StoreOptions opening = store_options(options, "store", budget);
  uint64_t peak = 0;
  std::vector<double> latencies;
  {
    auto store = open(opening);
    Pages pages{page_bytes, buffers};
    std::vector<std::byte> out(page_bytes);
    for (uint64_t i = 0; i < total / page_bytes; i += 16) {
      put_all(store.get(), pages, i, 16, &latencies);
      for (int k = 0; k < 2; ++k) store->get(pages.get(i + static_cast<uint64_t>(k) * 7, out.data()));
      peak = std::max(peak, disk_usage(opening.directory) + 4096);
    }
    const StoreStats stats = store->stats();
    figure("write_amplification", static_cast<double>(stats.bytes_written) / static_cast<double>(stats.bytes_put));
    figure("pages_reinserted", static_cast<double>(stats.pages_reinserted));
  }
  figure("overshoot_bytes", peak > budget ? static_cast<double>(peak - budget) : 0);
  figure("budget_used", static_cast<double>(peak) / static_cast<double>(budget));
  figure("put_p99_ms", percentile(latencies, 0.99));
  figure("put_max_ms", percentile(latencies, 1));
  fs::remove_all(options.directory + "/store");
  Churn peer;
  if (rocksdb_churn(options.directory, page_bytes, budget, total, buffers, &peer)) {
    figure("rocksdb_overshoot_bytes", peer.peak_bytes > budget ? static_cast<double>(peer.peak_bytes - budget) : 0);
    figure("rocksdb_write_amplification", peer.write_amplification);
    figure("rocksdb_put_p99_ms", peer.put_p99_ms);
    figure("rocksdb_put_max_ms", peer.put_max_ms);
  }
}

void reopen(const Options& options, const std::vector<std::byte*>& buffers) {
  fs::remove_all(options.directory + "/store");
  StoreOptions opening = store_options(options, "store", options.pages * 4096 * 21 / 20 + (uint64_t{512} << 20));
  opening.queue_depth = 64;
  Pages pages{1024, buffers};
  {
    auto store = open(opening);
    put_all(store.get(), pages, 0, options.pages, nullptr);
  }
  double best = 1e9;
  for (int round = 0; round < 5; ++round) {
    const Cost from = now();
    auto store = open(opening);
    best = std::min(best, (now().seconds - from.seconds) * 1e3);
    const StoreStats stats = store->stats();
    figure("reopened_pages", static_cast<double>(stats.pages));
    figure("ram_bytes_per_page", static_cast<double>(stats.index_bytes) / static_cast<double>(stats.pages));
  }
  figure("reopen_ms", best);
  if (options.pages == 1'000'000) figure("reopen_1m_ms", best);
  fs::remove_all(options.directory + "/store");
}

// The elements of a .npy file of float16, [layer][token][head][dim].
struct Npy {
  std::vector<uint32_t> shape;
  std::vector<uint16_t> data;
};
bool read_npy(const std::string& path, Npy* out) {
  std::ifstream file(path, std::ios::binary);
  char start[10];
  if (!file.read(start, sizeof start)) return false;
  std::string header(static_cast<uint8_t>(start[8]) | static_cast<uint8_t>(start[9]) << 8, ' ');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  const size_t at = header.find("'shape': (");
  if (at == std::string::npos || header.find("'<f2'") == std::string::npos) return false;
  for (char* p = header.data() + at + 10; *p != ')';) {
    out->shape.push_back(static_cast<uint32_t>(strtoul(p, &p, 10)));
    while (*p == ',' || *p == ' ') ++p;
  }
  if (out->shape.size() != 4) return false;
  out->data.resize(std::accumulate(out->shape.begin(), out->shape.end(), size_t{1}, std::multiplies<>()));
  return !!file.read(reinterpret_cast<char*>(out->data.data()), static_cast<std::streamsize>(out->data.size() * 2));
}

uint16_t to_bf16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  float value = exponent == 0
                    ? static_cast<float>(fraction) * 0x1p-24f
                    : (1 + static_cast<float>(fraction) / 1024) * std::exp2f(static_cast<float>(exponent) - 15);
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  bits |= sign;
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);  // to nearest even
}

void lossless(const Options& options) {
  Npy planes[2];
  if (options.k.empty() || !read_npy(options.k, &planes[0]) || !read_npy(options.v, &planes[1])) return;
  PageGeometry geometry;
  geometry.n_layers = planes[0].shape[0];
  geometry.n_kv_heads = planes[0].shape[2];
  geometry.k_dim = planes[0].shape[3];
  geometry.v_dim = planes[1].shape[3];
  geometry.page_tokens = 64;
  const uint32_t tokens = planes[0].shape[1];
  for (const bool bf16 : {false, true}) {
    geometry.dtype = bf16 ? DType::bf16 : DType::f16;
    fs::remove_all(options.directory + "/store");
    StoreOptions opening = store_options(options, "store", uint64_t{256} << 20);
    opening.zstd_level = 1;
    auto store = open(opening);
    Cost put_cost{}, get_cost{};
    for (uint32_t page = 0; page < tokens / 64; ++page) {
      std::vector<std::byte> payload(geometry.page_bytes()), out(geometry.page_bytes());
      for (uint32_t layer = 0; layer < geometry.n_layers; ++layer) {
        for (int plane = 0; plane < 2; ++plane) {
          const uint32_t dim = plane == 0 ? geometry.k_dim : geometry.v_dim;
          auto* to = reinterpret_cast<uint16_t*>(payload.data() +
                                                 geometry.plane_offset(layer, plane == 0 ? KVC_KEY : KVC_VALUE));
          for (uint32_t head = 0; head < geometry.n_kv_heads; ++head) {
            for (uint32_t t = 0; t < 64; ++t) {
              const uint16_t* from =
                  planes[plane].data.data() +
                  ((static_cast<size_t>(layer) * tokens + page * 64 + t) * geometry.n_kv_heads + head) * dim;
              for (uint32_t i = 0; i < dim; ++i) *to++ = bf16 ? to_bf16(from[i]) : from[i];
            }
          }
        }
      }
      PutPage put;
      put.record.id = number_digest(page);
      put.record.payload = payload;
      put.geometry = &geometry;
      Cost from = now();
      check(store->put(put));
      Cost to = now();
      put_cost.cpu += to.cpu - from.cpu;
      GetPage get;
      get.id = put.record.id;
      get.payload_bytes = payload.size();
      get.out = out;
      from = now();
      if (store->get(get) != DiskMiss::none || out != payload) {
        fprintf(stderr, "kvc-bench-store: a compressed page came back wrong\n");
        exit(1);
      }
      to = now();
      get_cost.cpu += to.cpu - from.cpu;
    }
    const StoreStats stats = store->stats();
    const std::string suffix = bf16 ? "_bf16" : "_f16";
    figure("lossless_ratio" + suffix,
           static_cast<double>(stats.stored_bytes) / static_cast<double>(stats.payload_bytes));
    figure("compressed_put_cpu_s_per_gb" + suffix, put_cost.cpu / (static_cast<double>(stats.payload_bytes) / 1e9));
    figure("compressed_get_cpu_s_per_gb" + suffix, get_cost.cpu / (static_cast<double>(stats.payload_bytes) / 1e9));
    store.reset();
    fs::remove_all(opening.directory);
  }
}

int run(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 >= argc) {
        fprintf(stderr, "kvc-bench-store: %s needs a value\n", arg.c_str());
        exit(2);
      }
      return argv[++i];
    };
    if (arg == "--json")
      options.json = true;
    else if (arg == "--directory")
      options.directory = value();
    else if (arg == "--mib")
      options.mib = std::stoull(value());
    else if (arg == "--rounds")
      options.rounds = std::stoull(value());
    else if (arg == "--pages")
      options.pages = std::stoull(value());
    else if (arg == "--kv")
      options.k = value(), options.v = value();
    else if (arg == "--io")
      options.io = value() == "threads" ? StoreOptions::Io::threads : StoreOptions::Io::uring;
    else {
      fprintf(stderr,
              "usage: kvc-bench-store [--json] [--directory DIR] [--mib N] [--rounds N] [--pages N] [--kv K V] [--io "
              "uring|threads]\n");
      return 2;
    }
  }
  fs::create_directories(options.directory);
  std::vector<std::byte*> buffers;  // noise, so that nothing between here and the disk makes it smaller
  Random random(1);
  for (int i = 0; i < 32; ++i) {
    buffers.push_back(static_cast<std::byte*>(aligned_alloc(4096, 1 << 20)));
    auto* words = reinterpret_cast<uint64_t*>(buffers.back());
    for (size_t w = 0; w < (1 << 17); ++w) words[w] = random.next();
  }
  figure("hits_kept_after_kill", hits_kept_after_kill(options.directory + "/killed", options.mib < 64 ? 3 : 50));
  lossless(options);
  if (options.mib > 0) {
    throughput(options, buffers);
    churn(options, buffers);
  }
  if (options.pages > 0) reopen(options, buffers);
  for (std::byte* buffer : buffers) free(buffer);
  bool first = true;
  for (const auto& [name, value] : figures) {
    if (options.json)
      printf("%s\"%s\": %.6g", first ? "{" : ", ", name.c_str(), value);
    else
      printf("%-36s %.6g\n", name.c_str(), value);
    first = false;
  }
  if (options.json) printf("}\n");
  return 0;
}

}  // namespace
}  // namespace kvc::bench

int main(int argc, char** argv) { return kvc::bench::run(argc, argv); }
