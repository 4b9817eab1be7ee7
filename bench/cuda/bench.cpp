// What the CUDA module does on a device, each figure beside a peak of the same run: the copy of a gigabyte within the
// device (bytes read and written) and over the link, both ways. Without a device it says so and measures nothing.
//
//     kvc bench cuda [--json] [--quick] [--driver LIBRARY]
//
// --quick: a pass with small sizes, whose figures say nothing; --driver: another libcuda, for tests.
// Source of the targets: the best that public projects report for each; see cuda/README.md.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/json.h"
#include "gpu.h"
#include "kernels.h"
#include "klt_pages.h"

namespace kvc_cuda {
namespace {

using abi::DevicePtr;
using abi::Event;
using abi::Stream;

struct Figure {
  std::string key;
  double value;
  double least, goal;  // 0: none
  const char* unit;
  bool less_is_better = false;
};

class Bench {
 public:
  Bench(std::shared_ptr<const Driver> driver, bool quick) : driver_(std::move(driver)), quick_(quick) {}
  ~Bench() {
    if (gpu_ == nullptr) return;
    Device& device = gpu_->device();
    {
      const Device::Scope scope(device);
      for (const Event event : {first_, last_}) {
        if (event != nullptr) (void)device.check(device.call().cuEventDestroy(event), "cuEventDestroy");
      }
      if (other_ != nullptr) (void)device.check(device.call().cuStreamDestroy(other_), "cuStreamDestroy");
    }
    for (const DevicePtr at : memory_) device.free(at);
    if (host_ != nullptr && gpu_->pinned().unpin(host_).is_ok()) munmap(host_, host_bytes_);
  }

  Status run() {
    KVC_RETURN_IF_ERROR(start());
    KVC_RETURN_IF_ERROR(peaks());
    KVC_RETURN_IF_ERROR(links());
    KVC_RETURN_IF_ERROR(moves());
    KVC_RETURN_IF_ERROR(codes());
    KVC_RETURN_IF_ERROR(attention());
    KVC_RETURN_IF_ERROR(interference());
    return peers();
  }

  std::string json() const {
    std::string figures;
    char number[64];
    for (const Figure& f : figures_) {
      std::snprintf(number, sizeof number, "%.5g", f.value);
      figures += (figures.empty() ? "" : ",") + kvc::json_string(f.key) + ":" + number;
    }
    return "{\"bench\":\"cuda\",\"device\":" + kvc::json_string(name_) +
           ",\"driver\":" + std::to_string(driver_->version()) + ",\"quick\":" + (quick_ ? "true" : "false") +
           ",\"figures\":{" + figures + "}}";
  }

  void print() const {
    std::printf("%s, CUDA %d.%d%s\n\n%-28s %12s %10s %10s\n", name_.c_str(), driver_->version() / 1000,
                driver_->version() % 1000 / 10, quick_ ? ", quick: no figures" : "", "", "reached", "least", "goal");
    for (const Figure& f : figures_) {
      std::printf("%-28s %12.4g", f.key.c_str(), f.value);
      if (f.goal != 0) {
        const bool met = f.less_is_better ? f.value <= f.least : f.value >= f.least;
        std::printf(" %10.4g %10.4g%s", f.least, f.goal, met ? "" : "  not reached");
      }
      std::printf("  %s\n", f.unit);
    }
  }

 private:
  // Sizes that are measured, or small ones.
  uint64_t size(uint64_t measured, uint64_t quick) const { return quick_ ? quick : measured; }

  void add(std::string key, double value, double least, double goal, const char* unit, bool less = false) {
    figures_.push_back({std::move(key), value, least, goal, unit, less});
  }

  Status start() {
    GpuOptions options;
    KVC_RETURN_IF_ERROR(Gpu::open(driver_, embedded_kernels().data(), options, &gpu_));
    Device& device = gpu_->device();
    host_bytes_ = size(uint64_t{2} << 30, 1 << 20);
    void* at = mmap(nullptr, host_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
      return error(KVC_E_NO_MEMORY, "no %llu bytes of host memory", static_cast<unsigned long long>(host_bytes_));
    host_ = static_cast<unsigned char*>(at);
    const auto touched = std::chrono::steady_clock::now();
    std::memset(host_, 1, host_bytes_);
    KVC_RETURN_IF_ERROR(gpu_->pinned().pin(host_, host_bytes_));
    const std::chrono::duration<double> pinned = std::chrono::steady_clock::now() - touched;
    if (!gpu_->pinned().find(host_, host_bytes_, &alias_)) return error(KVC_E_INTERNAL, "pinned memory is not");
    const Device::Scope scope(device);
    KVC_RETURN_IF_ERROR(scope.status());
    char name[128] = "";
    KVC_RETURN_IF_ERROR(
        device.check(device.call().cuDeviceGetName(name, sizeof name, device.handle()), "cuDeviceGetName"));
    name_ = name;
    KVC_RETURN_IF_ERROR(device.check(device.call().cuEventCreate(&first_, 0), "cuEventCreate"));
    KVC_RETURN_IF_ERROR(device.check(device.call().cuEventCreate(&last_, 0), "cuEventCreate"));
    KVC_RETURN_IF_ERROR(device.check(device.call().cuStreamCreate(&other_, abi::kStreamNonBlocking), "cuStreamCreate"));
    add("pinned_gib_per_s", static_cast<double>(host_bytes_) / (1 << 30) / pinned.count(), 8, 8,
        "GiB/s, one thread touches, pins");
    return Status::ok();
  }

  Status take(uint64_t bytes, DevicePtr* out) {
    KVC_RETURN_IF_ERROR(gpu_->device().allocate(bytes, out));
    memory_.push_back(*out);
    return Status::ok();
  }

  // Seconds of one call on the device: the best of some rounds, each of `repeat` calls.
  Status time(int repeat, const std::function<Status(Stream)>& issue, double* seconds) {
    Device& device = gpu_->device();
    const Stream stream = device.stream();
    *seconds = 1e30;
    const int rounds = quick_ ? 1 : 6;
    if (quick_) repeat = 1;
    for (int round = 0; round <= rounds; ++round) {
      const Device::Scope scope(device);
      KVC_RETURN_IF_ERROR(scope.status());
      KVC_RETURN_IF_ERROR(device.check(device.call().cuEventRecord(first_, stream), "cuEventRecord"));
      for (int i = 0; i < repeat; ++i) KVC_RETURN_IF_ERROR(issue(stream));
      KVC_RETURN_IF_ERROR(device.check(device.call().cuEventRecord(last_, stream), "cuEventRecord"));
      KVC_RETURN_IF_ERROR(device.check(device.call().cuEventSynchronize(last_), "cuEventSynchronize"));
      float ms = 0;
      KVC_RETURN_IF_ERROR(device.check(device.call().cuEventElapsedTime(&ms, first_, last_), "cuEventElapsedTime"));
      if (round > 0) *seconds = std::min(*seconds, ms / 1e3 / repeat);
    }
    return Status::ok();
  }

  Status peaks() {
    large_ = size(uint64_t{1} << 30, 256 << 10);
    KVC_RETURN_IF_ERROR(take(large_, &a_));
    KVC_RETURN_IF_ERROR(take(large_, &b_));
    double s = 0;
    KVC_RETURN_IF_ERROR(time(
        4,
        [&](Stream on) {
          return gpu_->copy(Direction::within, {{b_, a_, large_}}, {on, {}, {}, {}}, nullptr);
        },
        &s));
    hbm_ = 2 * static_cast<double>(large_) / s;
    add("peak_hbm_gb_per_s", hbm_ / 1e9, 0, 0, "GB/s, read and written");
    const uint64_t host = reinterpret_cast<uint64_t>(host_);
    KVC_RETURN_IF_ERROR(time(
        2,
        [&](Stream on) {
          return gpu_->copy(Direction::to_device, {{a_, host, large_}}, {on, {}, {}, {}}, nullptr);
        },
        &s));
    link_[0] = static_cast<double>(large_) / s;
    KVC_RETURN_IF_ERROR(time(
        2,
        [&](Stream on) {
          return gpu_->copy(Direction::to_host, {{host, a_, large_}}, {on, {}, {}, {}}, nullptr);
        },
        &s));
    link_[1] = static_cast<double>(large_) / s;
    add("peak_to_device_gb_per_s", link_[0] / 1e9, 0, 0, "GB/s");
    add("peak_to_host_gb_per_s", link_[1] / 1e9, 0, 0, "GB/s");
    return Status::ok();
  }

  // Fragments over the link, as the measured table routes them.
  Status links() {
    KVC_RETURN_IF_ERROR(gpu_->measure(size(32 << 20, 64 << 10)));
    struct Row {
      uint64_t bytes;
      const char* name;
      double least[2], goal[2];  // to device, to host
    };
    const Row rows[] = {{2 << 20, "2m", {.97, .97}, {.99, .99}},
                        {256 << 10, "256k", {.88, .90}, {.95, .96}},
                        {64 << 10, "64k", {.78, .80}, {.90, .92}},
                        {16 << 10, "16k", {.58, .60}, {.80, .85}},
                        {4 << 10, "4k", {.30, .35}, {.60, .70}}};
    const uint64_t host = reinterpret_cast<uint64_t>(host_);
    for (int way = 0; way < 2; ++way) {
      for (const Row& row : rows) {
        const uint64_t bytes = std::min<uint64_t>(row.bytes, large_ / 4), all = size(256 << 20, large_ / 2);
        std::vector<CopyRun> runs;
        // Every second place, so that none is put together with its neighbour.
        for (uint64_t at = 0; at + bytes <= all; at += 2 * bytes) {
          runs.push_back(way == 0 ? CopyRun{a_ + at, host + at / 2 * 2, bytes}
                                  : CopyRun{host + at / 2 * 2, a_ + at, bytes});
        }
        double s = 0;
        KVC_RETURN_IF_ERROR(time(
            1,
            [&](Stream on) {
              return gpu_->copy(way == 0 ? Direction::to_device : Direction::to_host, runs, {on, {}, {}, {}}, nullptr);
            },
            &s));
        const double share = static_cast<double>(bytes * runs.size()) / s / link_[way];
        add(std::string(way == 0 ? "to_device_" : "to_host_") + row.name, share, row.least[way], row.goal[way],
            "of the link's peak");
      }
    }
    // What issuing costs the processor.
    std::vector<CopyRun> runs;
    for (uint64_t i = 0; i < 1000; ++i) runs.push_back({a_ + i * 128, host + i * 128, 64});
    double best = 1e30;
    for (int i = 0; i < (quick_ ? 1 : 20); ++i) {
      const auto begin = std::chrono::steady_clock::now();
      KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, runs, {gpu_->device().stream(), {}, {}, {}}, nullptr));
      best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
      KVC_RETURN_IF_ERROR(drain());
    }
    add("submit_1000_us", best * 1e6, 60, 30, "us of the processor", true);
    // Both ways at once.
    const uint64_t half = large_ / 2;
    double s = 0;
    KVC_RETURN_IF_ERROR(time(
        1,
        [&](Stream on) -> Status {
          Fence begun = 0, done = 0;
          KVC_RETURN_IF_ERROR(gpu_->used({on, {}, {}, {}}, &begun));
          KVC_RETURN_IF_ERROR(
              gpu_->copy(Direction::to_host, {{host + half, b_, half}}, {other_, {begun}, {}, {}}, &done));
          KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, {{a_, host, half}}, {on, {}, {}, {}}, nullptr));
          return gpu_->use({on, {done}, {}, {}});
        },
        &s));
    add("both_ways", 2 * static_cast<double>(half) / s / std::max(link_[0], link_[1]), 1.5, 1.65, "of one way's peak");
    add("copy_processors", 4, 8, 4, "processors that a copy by kernels may use", true);
    return Status::ok();
  }

  Status drain() {
    const Device::Scope scope(gpu_->device());
    KVC_RETURN_IF_ERROR(scope.status());
    return gpu_->device().drain(gpu_->device().stream());
  }

  Status moves() {
    struct Row {
      uint32_t bytes;
      const char* name;
      double least, goal;
    };
    for (const Row& row :
         {Row{4096, "gather_4k", .85, .95}, Row{1024, "gather_1k", .70, .85}, Row{256, "gather_256", .45, .60}}) {
      const uint32_t rows = static_cast<uint32_t>(size(256 << 20, 64 << 10) / row.bytes);
      std::vector<int32_t> table(rows);
      // A stride that is odd: every row once, none beside the one before.
      for (uint32_t i = 0; i < rows; ++i) table[i] = static_cast<int32_t>((uint64_t{i} * 40503) % rows);
      DevicePtr slots = 0;
      KVC_RETURN_IF_ERROR(take(rows * 4, &slots));
      KVC_RETURN_IF_ERROR(gpu_->upload(slots, table.data(), rows * 4, {}));
      MoveArgs move;
      move.from.base = a_, move.from.token = row.bytes, move.to.base = b_, move.to.token = row.bytes;
      move.from_slots = reinterpret_cast<const int32_t*>(slots);
      move.from_page_tokens = move.to_page_tokens = rows;
      move.tokens = rows, move.layers = move.planes = move.heads = 1, move.row_bytes = row.bytes;
      double s = 0;
      KVC_RETURN_IF_ERROR(time(
          4,
          [&](Stream on) {
            return gpu_->move(move, {on, {}, {}, {}}, nullptr);
          },
          &s));
      add(row.name, 2.0 * rows * row.bytes / s / hbm_, row.least, row.goal, "of the device's peak");
    }
    MoveArgs append;
    append.from.base = a_, append.from.token = 8 * 256, append.from.head = 256;
    append.to.base = b_, append.to.token = 256, append.to.head = 64 * 256, append.to.page = 8 * 64 * 256;
    append.from_page_tokens = 256, append.to_page_tokens = 64;
    append.tokens = static_cast<uint32_t>(size(256, 16)), append.layers = append.planes = 1, append.heads = 8,
    append.row_bytes = 256;
    double s = 0;
    KVC_RETURN_IF_ERROR(time(
        200,
        [&](Stream on) {
          return gpu_->move(append, {on, {}, {}, {}}, nullptr);
        },
        &s));
    add("append_us", s * 1e6, 4, 3, "us, 256 tokens of 8 heads", true);
    return Status::ok();
  }

  // Pages of a model with 8 K/V heads of 128 numbers, 64 tokens.
  CodeArgs pages(uint32_t bits, uint32_t layers) const {
    CodeArgs a;
    a.n_layers = layers, a.n_heads = 8, a.dim[0] = a.dim[1] = 128, a.page_tokens = 64;
    a.bits[0] = a.bits[1] = bits, a.codec = bits == 8 ? 2 : 3, a.number = Number::bf16;
    a.norm = 1.0f / std::sqrt(128.0f);
    a.clear.base = a_;
    a.clear.token = 256, a.clear.head = a.clear.token * 64, a.clear.plane = a.clear.head * 8,
    a.clear.layer = a.clear.plane * 2;
    a.clear.page = a.clear.layer * layers;
    return a;
  }

  Status codes() {
    // Numbers that can be encoded: small ones.
    const uint64_t bytes = size(128 << 20, 256 << 10);
    std::vector<uint16_t> numbers(bytes / 2);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint16_t>(0x3f00 + i * 2654435761u % 200);
    KVC_RETURN_IF_ERROR(gpu_->upload(a_, numbers.data(), bytes, {}));
    struct Row {
      uint32_t bits;
      bool encode;
      const char* name;
      double least, goal;
    };
    for (const Row& row : {Row{8, true, "encode_int8", .80, .88}, Row{4, true, "encode_int4", .75, .88},
                           Row{8, false, "decode_int8", .75, .85}, Row{4, false, "decode_int4", .75, .85}}) {
      CodeArgs a = pages(row.bits, 1);
      a.pages = static_cast<uint32_t>(bytes / static_cast<uint64_t>(a.clear.page));
      if (a.pages == 0) return error(KVC_E_INTERNAL, "a page is larger than the room");
      const uint64_t coded = CodedLayout(a).total();
      std::vector<uint64_t> addresses(a.pages);
      for (uint32_t i = 0; i < a.pages; ++i) addresses[i] = b_ + i * coded;
      if (a.pages * coded > large_) return error(KVC_E_INTERNAL, "encoded pages are larger than the room");
      DevicePtr table = 0, failed = 0;
      KVC_RETURN_IF_ERROR(take(a.pages * 8, &table));
      KVC_RETURN_IF_ERROR(take(a.pages * 4, &failed));
      KVC_RETURN_IF_ERROR(gpu_->upload(table, addresses.data(), a.pages * 8, {}));
      a.coded_pages = reinterpret_cast<const uint64_t*>(table), a.failed = reinterpret_cast<uint32_t*>(failed);
      double s = 0;
      const auto issue = [&](Stream on) {
        return row.encode ? gpu_->encode(a, {on, {}, {}, {}}, nullptr) : gpu_->decode(a, {on, {}, {}, {}}, nullptr);
      };
      KVC_RETURN_IF_ERROR(time(2, issue, &s));
      add(row.name,
          static_cast<double>(a.pages) * static_cast<double>(static_cast<uint64_t>(a.clear.page) + coded) / s / hbm_,
          row.least, row.goal, "of the device's peak");
    }
    return Status::ok();
  }

  // Seconds of attention of b sequences of n tokens; bytes: of K/V that it reads. kind: 0 as it is, else bits of codes;
  // 1: e4m3.
  Status attend_once(uint32_t b, uint32_t n, uint32_t group, int kind, double* seconds, double* bytes) {
    CodeArgs page = pages(kind > 1 ? static_cast<uint32_t>(kind) : 8, 1);
    if (kind == 1) {
      page.number = Number::e4m3;
      page.clear.token /= 2, page.clear.head /= 2, page.clear.plane /= 2, page.clear.layer /= 2, page.clear.page /= 2;
    }
    const uint32_t each = (n + 63) / 64;
    const uint64_t coded = CodedLayout(page).total();
    const uint64_t one = kind > 1 ? coded : static_cast<uint64_t>(page.clear.page);
    // As many different pages as there is room for; of more, the first again.
    const uint64_t base = kind > 1 ? b_ : a_, distinct = large_ / one;
    std::vector<int32_t> clear(uint64_t{b} * each);
    std::vector<uint64_t> encoded(clear.size());
    std::vector<uint32_t> lengths(b, n), counts(b, each);
    for (size_t i = 0; i < clear.size(); ++i)
      clear[i] = static_cast<int32_t>(i * 7 % distinct), encoded[i] = base + i * 7 % distinct * one;
    const uint64_t table_bytes = clear.size() * 12 + b * 8 + 64;
    DevicePtr tables = 0;
    KVC_RETURN_IF_ERROR(take(table_bytes, &tables));
    std::vector<unsigned char> table(table_bytes);
    const uint64_t clear_at = encoded.size() * 8, lengths_at = clear_at + clear.size() * 4,
                   counts_at = lengths_at + b * 4;
    std::memcpy(table.data(), encoded.data(), clear_at);
    std::memcpy(table.data() + clear_at, clear.data(), clear.size() * 4);
    std::memcpy(table.data() + lengths_at, lengths.data(), b * 4);
    std::memcpy(table.data() + counts_at, counts.data(), b * 4);
    KVC_RETURN_IF_ERROR(gpu_->upload(tables, table.data(), table_bytes, {}));
    AttendArgs a;
    a.page = page, a.clear = page.clear;
    a.sequences = b, a.kv_heads = 8, a.group = group;
    a.splits = std::max(1u, std::min((n + 255) / 256, gpu_->device().processors() * 12 / (b * 8) + 1));
    a.query_number = a.out_number = kind == 1 ? Number::f32 : Number::bf16;
    a.scale = 0.12f;
    a.lengths = reinterpret_cast<const uint32_t*>(tables + lengths_at);
    a.clear_pages = reinterpret_cast<const int32_t*>(tables + clear_at), a.clear_stride = each;
    if (kind > 1) {
      a.coded_counts = reinterpret_cast<const uint32_t*>(tables + counts_at);
      a.coded_pages = reinterpret_cast<const uint64_t*>(tables), a.coded_stride = each;
    }
    KVC_RETURN_IF_ERROR(take_attend_room(&a));
    // Codes of whatever lies there are codes of something: only sizes count for time. Pages were encoded before.
    *bytes = static_cast<double>(clear.size()) * static_cast<double>(one);
    return time(
        4,
        [&](Stream on) {
          return gpu_->attend(a, {on, {}, {}, {}}, nullptr);
        },
        seconds);
  }

  // Device memory for queries, results, and results of splits.
  Status take_attend_room(AttendArgs* a) {
    const uint64_t heads = uint64_t{a->sequences} * 8 * a->group, partial = partial_bytes(*a), rows = heads * 128 * 4;
    DevicePtr room = 0;
    KVC_RETURN_IF_ERROR(take(partial + 2 * rows + 512, &room));
    a->partial = reinterpret_cast<float*>(room);
    a->query = reinterpret_cast<const unsigned char*>((room + partial + 255) / 256 * 256);
    a->out = reinterpret_cast<unsigned char*>((room + partial + rows + 511) / 256 * 256);
    const std::vector<uint16_t> query(heads * 256, 0x3e80);
    return gpu_->upload(reinterpret_cast<uint64_t>(a->query), query.data(), rows, {});
  }

  // The same of pages of klt. Where codes lie are pages of others: only sizes count for time.
  Status attend_klt_once(uint32_t b, uint32_t n, uint32_t group, double* seconds) {
    const KltBenchPages pages(8);
    const uint32_t each = (n + 63) / 64;
    const uint64_t distinct = large_ / pages.page_bytes(), one = pages.form.page_bytes();
    std::vector<unsigned char> tables;
    for (uint64_t i = 0; i < std::min<uint64_t>(distinct, uint64_t{b} * each); ++i) {
      const std::vector<unsigned char> table = pages.table(b_ + i * pages.page_bytes());
      tables.insert(tables.end(), table.begin(), table.end());
    }
    const uint64_t there = tables.size() / one;
    const std::vector<unsigned char> calibration = pages.calibration();
    DevicePtr at = 0, learned = 0, lists = 0;
    KVC_RETURN_IF_ERROR(take(tables.size(), &at));
    KVC_RETURN_IF_ERROR(take(calibration.size(), &learned));
    KVC_RETURN_IF_ERROR(gpu_->upload(at, tables.data(), tables.size(), {}));
    KVC_RETURN_IF_ERROR(gpu_->upload(learned, calibration.data(), calibration.size(), {}));
    std::vector<uint64_t> list(uint64_t{b} * each);
    for (size_t i = 0; i < list.size(); ++i) list[i] = at + i * 7 % there * one;
    std::vector<uint32_t> lengths(2 * b, n);
    std::fill(lengths.begin(), lengths.begin() + b, 0u);  // of pages that are none of klt
    KVC_RETURN_IF_ERROR(take(list.size() * 8 + lengths.size() * 4, &lists));
    KVC_RETURN_IF_ERROR(gpu_->upload(lists, list.data(), list.size() * 8, {}));
    KVC_RETURN_IF_ERROR(gpu_->upload(lists + list.size() * 8, lengths.data(), lengths.size() * 4, {}));
    AttendArgs a;
    a.page = this->pages(8, 1), a.clear = a.page.clear;
    a.sequences = b, a.kv_heads = 8, a.group = group;
    a.splits = a.other_splits =
        std::max(1u, std::min((n + 255) / 256, gpu_->device().processors() * 4 / (b * 8) + 1));
    a.query_number = a.out_number = Number::bf16;
    a.scale = 0.12f;
    a.lengths = reinterpret_cast<const uint32_t*>(lists + list.size() * 8);
    KVC_RETURN_IF_ERROR(take_attend_room(&a));
    KltAttendArgs klt;
    klt.attend = a;
    klt.attend.first_split = a.splits;
    klt.attend.lengths = a.lengths + b;
    klt.attend.coded_pages = reinterpret_cast<const uint64_t*>(lists), klt.attend.coded_stride = each;
    klt.form = pages.form;
    klt.calibration = reinterpret_cast<const unsigned char*>(learned);
    klt.chunk = klt_attend_chunk(pages.form, true);
    return time(
        4,
        [&](Stream on) {
          return gpu_->attend(a, {on, {}, {}, {}}, nullptr, &klt);
        },
        seconds);
  }

  Status attention() {
    const auto n = [&](uint32_t tokens) { return static_cast<uint32_t>(size(tokens, 128)); };
    const uint32_t b = static_cast<uint32_t>(size(32, 2));
    double s = 0, bytes = 0, plain = 0;
    KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, 0, &s, &bytes));
    plain = s;
    add("attend_bf16_group4", bytes / s / hbm_, .65, .80, "of the device's peak, 32 x 4096 tokens");
    KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 8, 0, &s, &bytes));
    add("attend_bf16_group8", bytes / s / hbm_, .60, .80, "of the device's peak");
    double s32 = 0, bytes32 = 0;
    KVC_RETURN_IF_ERROR(attend_once(1, n(32768), 4, 0, &s32, &bytes32));
    add("attend_one_32k", bytes32 / s32 / hbm_, .40, .60, "of the device's peak, one sequence");
    KVC_RETURN_IF_ERROR(attend_once(1, quick_ ? 256 : 131072, 4, 0, &s, &bytes));
    add("attend_slope", (bytes - bytes32) / std::max(s - s32, 1e-12) / hbm_, .80, .88,
        "of the device's peak, from 32k to 128k tokens");
    // Encoded pages of codes(): int4 lies at b_ last, so int8 is written anew.
    for (const int bits : {8, 4}) {
      KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, bits, &s, &bytes));
      add(bits == 8 ? "attend_int8_over_bf16" : "attend_int4_over_bf16", plain / s, bits == 8 ? 1.6 : 2.2,
          bits == 8 ? 1.8 : 3.0, "times as fast");
    }
    KVC_RETURN_IF_ERROR(attend_once(b, n(4096), 4, 1, &s, &bytes));
    add("attend_fp8_over_bf16", plain / s, 1.6, 1.8, "times as fast");
    KVC_RETURN_IF_ERROR(attend_klt_once(b, n(4096), 4, &s));
    add("attend_klt_over_bf16", plain / s, 0, 0, "times as fast, keys that turn, 2.5 and 3 bits a number");
    return Status::ok();
  }

  // How much slower a kernel gets while copies go on all the time.
  Status interference() {
    const uint64_t host = reinterpret_cast<uint64_t>(host_), bytes = size(64 << 20, 64 << 10);
    MoveArgs work;  // stands for a model: reads and writes the device's memory
    work.from.base = a_, work.from.token = 4096, work.to.base = b_, work.to.token = 4096;
    work.tokens = static_cast<uint32_t>(size(128 << 20, 64 << 10) / 4096),
    work.from_page_tokens = work.to_page_tokens = work.tokens;
    work.layers = work.planes = work.heads = 1, work.row_bytes = 4096;
    double alone = 0;
    KVC_RETURN_IF_ERROR(time(
        8,
        [&](Stream on) {
          return gpu_->move(work, {on, {}, {}, {}}, nullptr);
        },
        &alone));
    for (const uint64_t piece : {uint64_t{2} << 20, uint64_t{4} << 10}) {
      std::vector<CopyRun> runs;
      for (uint64_t at = 0; at + piece <= bytes; at += 2 * piece)
        runs.push_back({a_ + large_ / 2 + at, host + at, piece});
      if (runs.empty()) runs.push_back({a_ + large_ / 2, host, bytes / 2});
      double s = 0;
      KVC_RETURN_IF_ERROR(time(
          8,
          [&](Stream on) -> Status {
            KVC_RETURN_IF_ERROR(gpu_->copy(Direction::to_device, runs, {other_, {}, {}, {}}, nullptr));
            return gpu_->move(work, {on, {}, {}, {}}, nullptr);
          },
          &s));
      const bool large = piece > 4096;
      add(large ? "slower_by_large_copies" : "slower_by_small_copies", s / alone - 1, large ? .02 : .08,
          large ? .01 : .05, "of a kernel's time, copies beside it", true);
      const Device::Scope scope(gpu_->device());
      KVC_RETURN_IF_ERROR(gpu_->device().drain(other_));
    }
    return Status::ok();
  }

  Status peers() {
    if (driver_->devices() < 2) return Status::ok();
    GpuOptions options;
    options.device = 1, options.slots = 1, options.slot_bytes = size(256 << 20, 64 << 10);
    std::unique_ptr<Gpu> second;
    KVC_RETURN_IF_ERROR(Gpu::open(driver_, embedded_kernels().data(), options, &second));
    uint32_t slot = 0;
    DevicePtr there = 0;
    KVC_RETURN_IF_ERROR(second->slots().acquire(1, &slot));
    KVC_RETURN_IF_ERROR(second->slots().address(slot, &there));
    double s = 0;
    const uint64_t all = options.slot_bytes, piece = std::min<uint64_t>(256 << 10, all);
    KVC_RETURN_IF_ERROR(time(
        1,
        [&](Stream on) {
          return gpu_->copy_to(*second, {there, a_, all}, {on, {}, {}, {slot}}, nullptr);
        },
        &s));
    const double peak = static_cast<double>(all) / s;
    KVC_RETURN_IF_ERROR(time(
        1,
        [&](Stream on) -> Status {
          for (uint64_t at = 0; at + piece <= all; at += piece) {
            KVC_RETURN_IF_ERROR(gpu_->copy_to(*second, {there + at, a_ + at, piece}, {on, {}, {}, {slot}}, nullptr));
          }
          return Status::ok();
        },
        &s));
    add("peer_256k", static_cast<double>(all) / s / peak, .90, .96, "of the peak between devices");
    return drain();
  }

  const std::shared_ptr<const Driver> driver_;
  const bool quick_;
  std::unique_ptr<Gpu> gpu_;
  std::string name_;
  std::vector<Figure> figures_;
  std::vector<DevicePtr> memory_;
  Event first_ = nullptr, last_ = nullptr;
  Stream other_ = nullptr;
  unsigned char* host_ = nullptr;
  uint64_t host_bytes_ = 0, large_ = 0;
  DevicePtr alias_ = 0, a_ = 0, b_ = 0;
  double hbm_ = 1, link_[2] = {1, 1};
};

int main_with(bool json, bool quick, const char* library) {
  std::shared_ptr<const Driver> driver;
  Status status = Driver::open(library, &driver);
  if (status.code() == KVC_E_UNSUPPORTED) {
    if (json) {
      std::printf("{\"bench\":\"cuda\",\"skipped\":%s}\n", kvc::json_string(status.message()).c_str());
    } else {
      std::printf("SKIPPED: %s\n", status.message().c_str());
    }
    return 0;
  }
  if (status.is_ok()) {
    Bench bench(driver, quick);
    status = bench.run();
    if (status.is_ok() && json) std::printf("%s\n", bench.json().c_str());
    if (status.is_ok() && !json) bench.print();
  }
  if (!status.is_ok()) std::fprintf(stderr, "%s\n", status.message().c_str());
  return status.is_ok() ? 0 : 1;
}

}  // namespace
}  // namespace kvc_cuda

int main(int argc, char** argv) {
  bool json = false, quick = false;
  const char* library = kvc_cuda::kDriverLibrary;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--json") {
      json = true;
    } else if (word == "--quick") {
      quick = true;
    } else if (word == "--driver" && i + 1 < argc) {
      library = argv[++i];
    } else {
      std::fprintf(stderr, "usage: kvc bench cuda [--json] [--quick] [--driver LIBRARY]\n");
      return word == "--help" ? 0 : 2;
    }
  }
  return kvc_cuda::main_with(json, quick, library);
}
