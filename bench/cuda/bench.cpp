// What the CUDA module does on a device, each figure beside a peak of the same run: the copy of a gigabyte within the
// device (bytes read and written) and over the link, both ways. Without a device it says so and measures nothing.
//
//     kvc bench cuda [--json] [--quick] [--driver LIBRARY]
//
// --quick: a pass with small sizes, whose figures say nothing; --driver: another libcuda, for tests.
// Source of the targets: the best that public projects report for each; see cuda/README.md.
#include "bench.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/json.h"
#include "kernels.h"

namespace kvc_cuda {

Bench::~Bench() {
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

Status Bench::run() {
  KVC_RETURN_IF_ERROR(start());
  KVC_RETURN_IF_ERROR(peaks());
  KVC_RETURN_IF_ERROR(links());
  KVC_RETURN_IF_ERROR(moves());
  KVC_RETURN_IF_ERROR(codes());
  KVC_RETURN_IF_ERROR(attention());
  KVC_RETURN_IF_ERROR(interference());
  return peers();
}

std::string Bench::json() const {
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

void Bench::print() const {
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

Status Bench::start() {
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

Status Bench::take(uint64_t bytes, DevicePtr* out) {
  KVC_RETURN_IF_ERROR(gpu_->device().allocate(bytes, out));
  memory_.push_back(*out);
  return Status::ok();
}

Status Bench::take_with(const void* from, uint64_t bytes, DevicePtr* out) {
  KVC_RETURN_IF_ERROR(take(bytes, out));
  return gpu_->upload(*out, from, bytes, {});
}

Status Bench::time(int repeat, const std::function<Status(Stream)>& issue, double* seconds) {
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

Status Bench::drain() {
  const Device::Scope scope(gpu_->device());
  KVC_RETURN_IF_ERROR(scope.status());
  return gpu_->device().drain(gpu_->device().stream());
}

namespace {

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
