#include "gpu.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace kvc_cuda {

using namespace abi;

namespace {
// Of the device's processors, what a copy may occupy: two to four blocks keep a link of 64 GB/s busy.
constexpr uint32_t kCopyProcessors = 4;
}  // namespace

Status Gpu::open(std::shared_ptr<const Driver> driver, const void* kernels, GpuOptions options,
                 std::unique_ptr<Gpu>* out) {
  auto gpu = std::make_unique<Gpu>();
  KVC_RETURN_IF_ERROR(Device::open(std::move(driver), options.device, kernels, &gpu->device_));
  gpu->pinned_ = std::make_unique<Pinned>(gpu->device_.get());
  gpu->slots_ = std::make_unique<Slots>(gpu->device_.get(), std::move(options.reclaim));
  gpu->staging_bytes_ = std::max<uint64_t>((options.staging_bytes + 4095) / 4096 * 4096, 4096);
  KVC_RETURN_IF_ERROR(gpu->slots_->create(options.slot_bytes, options.slots));
  *out = std::move(gpu);
  return Status::ok();
}

Gpu::~Gpu() {
  if (device_ == nullptr) return;
  slots_.reset();
  bool reachable = false;
  if (staging_ != nullptr) {
    {
      const Device::Scope scope(*device_);
      for (const Fence fence : stages_) {
        if (scope.status().is_ok() && !device_->is_lost()) (void)device_->wait_host(fence);
      }
    }
    reachable = !pinned_->unpin(staging_).is_ok();
  }
  pinned_.reset();
  if (staging_ != nullptr && !reachable) munmap(staging_, kStages * staging_bytes_);
}

template <typename Work>
Status Gpu::run(const Order& order, bool capturable, Fence* done, Work&& work) {
  if (done != nullptr) *done = 0;
  const std::lock_guard lock(device_->mutex());
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  bool captured = false;
  Status status = device_->check_stream(order.stream);
  if (status.is_ok()) status = slots_->begin(order, &captured);
  if (status.is_ok() && captured && !capturable) {
    // The driver refuses a batch of copies, keeps the capture, and leaves the copies out of the graph.
    status = error(KVC_E_ORDER, "the stream is being captured: copies between host and device are not part of a graph");
  }
  if (!status.is_ok()) {
    if (captured) ++stats_.refused_captures;
    return status;
  }
  const Status issued = work();
  if (device_->is_lost()) return issued;
  // Also after a failure: a part may have been issued.
  const Status ended = slots_->end(order, captured, done);
  return issued.is_ok() ? ended : issued;
}

Status Gpu::issue_copies(const std::vector<CopyRun>& runs, Stream stream) {
  const bool legacy = stream == nullptr || stream == kLegacyStream;
  if (runs.size() > 1 && !legacy && device_->call().cuMemcpyBatchAsync != nullptr) {
    std::vector<DevicePtr> to, from;
    std::vector<size_t> bytes;
    for (const CopyRun& run : runs) to.push_back(run.to), from.push_back(run.from), bytes.push_back(run.bytes);
    // In the order of the stream: sources are read when what was issued before is done, not now.
    CopyAttributes attributes{kSourceOrderStream, {0, 0}, {0, 0}, kPreferOverlap};
    size_t first = 0;
    ++stats_.driver_copies;
    return device_->check(device_->call().cuMemcpyBatchAsync(to.data(), from.data(), bytes.data(), runs.size(),
                                                             &attributes, &first, 1, stream),
                          "cuMemcpyBatchAsync");
  }
  for (const CopyRun& run : runs) {
    ++stats_.driver_copies;
    KVC_RETURN_IF_ERROR(
        device_->check(device_->call().cuMemcpyAsync(run.to, run.from, run.bytes, stream), "cuMemcpyAsync"));
  }
  return Status::ok();
}

Status Gpu::issue(Engine engine, const std::vector<CopyRun>& runs, Stream stream) {
  if (engine == Engine::copy_engine) {
    stats_.by_copy_engine += runs.size();
    return issue_copies(runs, stream);
  }
  stats_.by_processors += runs.size();
  for (const CopyArgs& launch : copy_launches(runs)) {
    ++stats_.launches;
    KVC_RETURN_IF_ERROR(device_->launch(KernelId::copy_runs, copy_shape(launch, kCopyProcessors), &launch, stream));
  }
  return Status::ok();
}

Status Gpu::copy(Direction direction, const std::vector<CopyRun>& copies, const Order& order, Fence* done) {
  std::vector<CopyRun> runs = coalesce(copies);
  uint64_t total = 0;
  for (CopyRun& run : runs) {
    total += run.bytes;
    if (direction == Direction::within) continue;
    // A device may see host memory at another address than the processor does.
    uint64_t& host = direction == Direction::to_device ? run.from : run.to;
    DevicePtr alias = 0;
    if (!pinned_->find(reinterpret_cast<const void*>(host), run.bytes, &alias)) {
      return error(
          KVC_E_INVALID,
          "%llu bytes of host memory are not pinned, or not as one piece: pin them first, or use upload and download, "
          "which block",
          static_cast<unsigned long long>(run.bytes));
    }
    host = alias;
  }
  if (runs.empty()) return run(order, false, done, [] { return Status::ok(); });
  return run(order, false, done, [&] {
    const Engine engine = table_.choose(direction, total / runs.size(), runs.size());
    uint64_t* counter = direction == Direction::to_device ? &stats_.to_device_bytes
                        : direction == Direction::to_host ? &stats_.to_host_bytes
                                                          : &stats_.within_bytes;
    *counter += total;
    return issue(engine, runs, order.stream);
  });
}

Status Gpu::copy_to(Gpu& target, const CopyRun& copy_run, const Order& order, Fence* done) {
  if (&target == this) return copy(Direction::within, {copy_run}, order, done);
  if (done != nullptr) *done = 0;
  const std::scoped_lock lock(device_->mutex(), target.device_->mutex());
  const Device::Scope there(*target.device_);
  KVC_RETURN_IF_ERROR(there.status());
  Fence fence = 0;
  {
    const Device::Scope here(*device_);
    KVC_RETURN_IF_ERROR(here.status());
    KVC_RETURN_IF_ERROR(device_->check_stream(order.stream));
    const Order reads{order.stream, order.wait, order.reads, {}}, writes{order.stream, {}, {}, order.writes};
    bool captured = false;
    KVC_RETURN_IF_ERROR(slots_->begin(reads, &captured));
    if (captured)
      return error(KVC_E_ORDER, "the stream is being captured: copies between devices are not part of a graph");
    KVC_RETURN_IF_ERROR(target.slots_->begin(writes, &captured));
    KVC_RETURN_IF_ERROR(
        device_->check(device_->call().cuMemcpyPeerAsync(copy_run.to, target.device_->context(), copy_run.from,
                                                         device_->context(), copy_run.bytes, order.stream),
                       "cuMemcpyPeerAsync"));
    KVC_RETURN_IF_ERROR(slots_->end(reads, false, &fence));
    ++stats_.driver_copies;
    stats_.peer_bytes += copy_run.bytes;
  }
  // The other device has fences of its own: one that comes after this one.
  const abi::Stream relay = target.device_->stream();
  Status status = device_->wait_on(relay, fence);
  if (status.is_ok()) status = target.slots_->end({relay, {}, {}, order.writes}, false, nullptr);
  if (!status.is_ok() && !device_->is_lost()) {
    // No fence tells of the copy there: it is done before anything goes on.
    const Device::Scope here(*device_);
    if (here.status().is_ok()) (void)device_->drain(order.stream);
  }
  if (done != nullptr) *done = fence;
  return status;
}

Status Gpu::start_staging(uint64_t bytes) {
  if (staging_ != nullptr) return Status::ok();
  void* at = mmap(nullptr, kStages * bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    return error(KVC_E_NO_MEMORY, "no memory to copy through: %d times %llu bytes", kStages,
                 static_cast<unsigned long long>(bytes));
  (void)madvise(at, kStages * bytes, MADV_DONTFORK);
  const Status status = pinned_->pin(at, kStages * bytes);
  if (!status.is_ok()) {
    munmap(at, kStages * bytes);
    return status;
  }
  staging_ = static_cast<unsigned char*>(at);
  return Status::ok();
}

Status Gpu::upload(uint64_t to, const void* from, uint64_t bytes, const Order& given) {
  const std::lock_guard staging(staging_mutex_);
  KVC_RETURN_IF_ERROR(start_staging(staging_bytes_));
  Order order = given;
  order.stream = device_->stream();
  Fence last = 0;
  for (uint64_t done = 0, stage = 0; done < bytes; stage = (stage + 1) % kStages) {
    unsigned char* piece = staging_ + stage * staging_bytes_;
    const uint64_t n = std::min(staging_bytes_, bytes - done);
    // The device may still read what this piece had before.
    KVC_RETURN_IF_ERROR(wait(stages_[stage]));
    device_->driver().note_host_access(piece, n, true);
    std::memcpy(piece, static_cast<const unsigned char*>(from) + done, n);
    const Status status = copy(Direction::to_device, {{to + done, reinterpret_cast<uint64_t>(piece), n}}, order, &last);
    stages_[stage] = last;
    KVC_RETURN_IF_ERROR(status);
    done += n;
    const std::lock_guard lock(device_->mutex());
    stats_.staged_bytes += n;
  }
  return wait(last);
}

Status Gpu::download(void* to, uint64_t from, uint64_t bytes, const Order& given) {
  const std::lock_guard staging(staging_mutex_);
  KVC_RETURN_IF_ERROR(start_staging(staging_bytes_));
  Order order = given;
  order.stream = device_->stream();
  // Pieces are under way while earlier ones are copied out.
  uint64_t asked = 0, done = 0;
  int ask = 0, take = 0;
  while (done < bytes) {
    while (asked < bytes && asked - done < (kStages - 1) * staging_bytes_) {
      unsigned char* piece = staging_ + ask * staging_bytes_;
      const uint64_t n = std::min(staging_bytes_, bytes - asked);
      KVC_RETURN_IF_ERROR(wait(stages_[ask]));
      Fence fence = 0;
      const Status status =
          copy(Direction::to_host, {{reinterpret_cast<uint64_t>(piece), from + asked, n}}, order, &fence);
      stages_[ask] = fence;
      KVC_RETURN_IF_ERROR(status);
      asked += n;
      ask = (ask + 1) % kStages;
    }
    unsigned char* piece = staging_ + take * staging_bytes_;
    const uint64_t n = std::min(staging_bytes_, bytes - done);
    KVC_RETURN_IF_ERROR(wait(stages_[take]));
    device_->driver().note_host_access(piece, n, false);
    std::memcpy(static_cast<unsigned char*>(to) + done, piece, n);
    done += n;
    take = (take + 1) % kStages;
    const std::lock_guard lock(device_->mutex());
    stats_.staged_bytes += n;
  }
  return Status::ok();
}

Status Gpu::move(MoveArgs args, const Order& order, Fence* done) {
  if (args.from_page_tokens == 0 || args.to_page_tokens == 0) return error(KVC_E_INVALID, "pages of no tokens");
  args.vector = std::min(vector_of(args.from, args.row_bytes), vector_of(args.to, args.row_bytes));
  // Bases that are in a table on the device are not seen here.
  if (args.from.layer_bases != nullptr || args.to.layer_bases != nullptr) {
    args.vector = args.row_bytes % 2 == 0 ? std::min(args.vector, 2u) : 1;
  }
  return run(order, true, done, [&] {
    ++stats_.launches;
    return device_->launch(KernelId::move_rows, move_shape(args, device_->processors()), &args, order.stream);
  });
}

Status Gpu::check_page(const CodeArgs& a) {
  const auto width = [](uint32_t bits) { return bits == 8 || bits == 4 || bits == 2; };
  if (a.n_layers == 0 || a.n_heads == 0 || a.dim[0] == 0 || a.dim[1] == 0 || a.page_tokens == 0) {
    return error(KVC_E_INVALID, "a page of %u layers, %u heads, dims %u and %u, %u tokens", a.n_layers, a.n_heads,
                 a.dim[0], a.dim[1], a.page_tokens);
  }
  if (!width(a.bits[0]) || !width(a.bits[1]) || a.exact > a.page_tokens || a.exact > kTile) {
    return error(KVC_E_INVALID,
                 "codes of %u and %u bits, %u exact tokens: there are 8, 4 and 2 bits, at most %u tokens", a.bits[0],
                 a.bits[1], a.exact, std::min(a.page_tokens, kTile));
  }
  return Status::ok();
}

namespace {

Status check_code(const CodeArgs& a) {
  KVC_RETURN_IF_ERROR(Gpu::check_page(a));
  if (a.dim[0] > kCodedDim || a.dim[1] > kCodedDim) {
    return error(KVC_E_UNSUPPORTED, "heads of %u and %u numbers; kernels encode and decode up to %u", a.dim[0],
                 a.dim[1], kCodedDim);
  }
  if (a.number != Number::f32 && a.number != Number::f16 && a.number != Number::bf16) {
    return error(KVC_E_DTYPE, "pages in the clear are f32, f16 or bf16 to be encoded");
  }
  return Status::ok();
}

}  // namespace

Status Gpu::encode(const CodeArgs& args, const Order& order, Fence* done) {
  KVC_RETURN_IF_ERROR(check_code(args));
  if (args.codec == kSvdCodec) {
    return error(KVC_E_UNSUPPORTED, "pages of codec svd are encoded by the engine alone; here they are decoded");
  }
  return run(order, true, done, [&] {
    ++stats_.launches;
    return device_->launch(KernelId::encode_pages, code_shape(args), &args, order.stream);
  });
}

Status Gpu::decode(const CodeArgs& args, const Order& order, Fence* done) {
  KVC_RETURN_IF_ERROR(check_code(args));
  return run(order, true, done, [&] {
    ++stats_.launches;
    return args.codec == kSvdCodec
               ? device_->launch(KernelId::decode_svd, svd_shape(args), &args, order.stream)
               : device_->launch(KernelId::decode_pages, code_shape(args), &args, order.stream);
  });
}

Status Gpu::check_svd(const CodeArgs& args) {
  KVC_RETURN_IF_ERROR(check_code(args));
  if (args.dim[0] != args.dim[1] || SvdRoom(args).terms > kSvdTerms) {
    return error(KVC_E_UNSUPPORTED, "heads of %u and %u numbers, pages of %u tokens: codec svd is encoded by kernels with "
                 "one length for both, and up to %u of either",
                 args.dim[0], args.dim[1], args.page_tokens, kSvdTerms);
  }
  return Status::ok();
}

Status Gpu::encode_svd(const SvdEncodeArgs& args, const Order& order, Fence* done) {
  KVC_RETURN_IF_ERROR(check_svd(args.page));
  const SvdShapes shapes = svd_encode_shapes(args);
  return run(order, true, done, [&] {
    stats_.launches += 3;
    KVC_RETURN_IF_ERROR(device_->launch(KernelId::svd_terms, shapes.terms, &args, order.stream));
    KVC_RETURN_IF_ERROR(device_->launch(KernelId::svd_share, shapes.share, &args, order.stream));
    return device_->launch(KernelId::svd_place, shapes.place, &args, order.stream);
  });
}

namespace {

Status check_form(const KltForm& form, uint32_t chunk, Number number) {
  if (form.n_layers == 0 || form.n_heads == 0 || form.page_tokens == 0 || form.v_dim == 0 || form.channels() == 0 ||
      form.n_heads % form.block_heads != 0 || 2 * form.pairs > form.k_dim) {
    return error(KVC_E_INVALID, "a page of %u layers, %u heads in blocks of %u, dims %u and %u, %u pairs, %u tokens",
                 form.n_layers, form.n_heads, form.block_heads, form.k_dim, form.v_dim, form.pairs, form.page_tokens);
  }
  if (chunk == 0 || form.v_dim > kKltValueDim) {
    return error(KVC_E_UNSUPPORTED, "%u numbers that share a basis, values of %u: a block has no room for them",
                 form.channels(), form.v_dim);
  }
  if (number != Number::f32 && number != Number::f16 && number != Number::bf16) {
    return error(KVC_E_DTYPE, "pages in the clear are f32, f16 or bf16 for klt and its like");
  }
  return Status::ok();
}

}  // namespace

Status Gpu::decode_klt(const KltArgs& args, const Order& order, Fence* done) {
  KVC_RETURN_IF_ERROR(check_form(args.form, args.chunk, args.number));
  return run(order, true, done, [&] {
    ++stats_.launches;
    return device_->launch(KernelId::decode_klt, klt_shape(args), &args, order.stream);
  });
}

Status Gpu::encode_klt(const KltEncodeArgs& args, const Order& order, Fence* done) {
  KVC_RETURN_IF_ERROR(check_form(args.page.form, args.page.chunk, args.page.number));
  return run(order, true, done, [&] {
    ++stats_.launches;
    return device_->launch(KernelId::encode_klt, klt_encode_shape(args), &args, order.stream);
  });
}

Status Gpu::attend(const AttendArgs& args, const Order& order, Fence* done, const KltAttendArgs* klt) {
  KVC_RETURN_IF_ERROR(check_page(args.page));
  if (args.page.dim[0] > kAttendDim || args.page.dim[1] > kAttendDim) {
    return error(KVC_E_UNSUPPORTED, "heads of %u and %u numbers; attention takes up to %u", args.page.dim[0],
                 args.page.dim[1], kAttendDim);
  }
  if (args.coded_counts != nullptr && args.page.codec == kSvdCodec) {
    return error(KVC_E_UNSUPPORTED, "attention does not read pages of codec svd: decode them");
  }
  if (args.group == 0 || args.splits == 0 || args.partial == nullptr || args.layer >= args.page.n_layers) {
    return error(KVC_E_INVALID, "a group of %u heads, %u splits, layer %u of %u, or no room for partial results",
                 args.group, args.splits, args.layer, args.page.n_layers);
  }
  if (args.out_number == Number::e4m3 || (args.coded_pages != nullptr && args.page.number == Number::e4m3)) {
    return error(KVC_E_DTYPE, "results, and rows of encoded pages, are f32, f16 or bf16");
  }
  if (klt != nullptr) KVC_RETURN_IF_ERROR(check_form(klt->form, klt->chunk, args.page.number));
  return run(order, true, done, [&] {
    stats_.launches += klt != nullptr ? 3 : 2;
    const bool mma = device_->has_mma() && fits_mma(args);
    KVC_RETURN_IF_ERROR(mma ? device_->launch(KernelId::attend_mma, mma_shape(args), &args, order.stream)
                            : device_->launch(KernelId::attend_pages, attend_shape(args), &args, order.stream));
    if (klt != nullptr) {
      KVC_RETURN_IF_ERROR(
          device_->has_mma() && fits_klt_mma(*klt)
              ? device_->launch(KernelId::attend_klt_mma, klt_mma_shape(*klt), klt, order.stream)
              : device_->launch(KernelId::attend_klt, klt_attend_shape(*klt), klt, order.stream));
    }
    return device_->launch(KernelId::merge_splits, merge_shape(args), &args, order.stream);
  });
}

Status Gpu::merge(const MergeArgs& args, const Order& order, Fence* done) {
  return run(order, true, done, [&] {
    ++stats_.launches;
    return device_->launch(KernelId::merge_parts, merge_parts_shape(args), &args, order.stream);
  });
}

Status Gpu::eigenvectors(const JacobiArgs& args, Stream stream) {
  const std::lock_guard lock(device_->mutex());
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  ++stats_.launches;
  return device_->launch(KernelId::jacobi, jacobi_shape(args), &args, stream);
}

Status Gpu::use(const Order& order) {
  const std::lock_guard lock(device_->mutex());
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  KVC_RETURN_IF_ERROR(device_->check_stream(order.stream));
  bool captured = false;
  const Status status = slots_->begin(order, &captured);
  if (captured && !status.is_ok()) ++stats_.refused_captures;
  return status;
}

Status Gpu::used(const Order& order, Fence* done) {
  const std::lock_guard lock(device_->mutex());
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  bool captured = false;
  KVC_RETURN_IF_ERROR(device_->capturing(order.stream, &captured));
  return slots_->end(order, captured, done);
}

Status Gpu::query(Fence fence, bool* done) {
  const std::lock_guard lock(device_->mutex());
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  return device_->is_done(fence, done);
}

Status Gpu::wait(Fence fence) {
  const Device::Scope scope(*device_);
  KVC_RETURN_IF_ERROR(scope.status());
  return device_->wait_host(fence);
}

GpuStats Gpu::stats() {
  const std::lock_guard lock(device_->mutex());
  GpuStats stats = stats_;
  stats.forced_waits = device_->fences_waited();
  return stats;
}

}  // namespace kvc_cuda
