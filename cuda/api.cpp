// The C interface: checks arguments, turns structs into the module's own, keeps the words of failures. No logic.
#include "api.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>

#include "handle.h"
#include "kernels.h"
#include "placement.h"

namespace kvc_cuda {
namespace {

void say(kvc_error_t* error, kvc_status_t status, const char* words) {
  if (error == nullptr) return;
  error->status = status;
  std::snprintf(error->message, sizeof error->message, "%s", words);
}

Status swap(Gpu& gpu, Direction direction, const kvc_cuda_copy_t* copies, size_t n, const kvc_cuda_order_t* order,
            uint64_t* fence) {
  if (n > 0 && copies == nullptr) return error(KVC_E_NULL, "copies is NULL");
  Order own;
  KVC_RETURN_IF_ERROR(read_order(order, &own));
  std::vector<CopyRun> runs;
  runs.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    const uint64_t host = reinterpret_cast<uint64_t>(copies[i].host);
    runs.push_back(direction == Direction::to_device ? CopyRun{copies[i].device, host, copies[i].bytes}
                                                     : CopyRun{host, copies[i].device, copies[i].bytes});
  }
  return gpu.copy(direction, runs, own, fence);
}

void* allocate(void* self, size_t size, size_t alignment) {
  auto* cuda = static_cast<kvc_cuda_t*>(self);
  try {
    if (void* at = cuda->gpu->pinned().allocate(size, alignment)) return at;
  } catch (...) {
    return nullptr;
  }
  const size_t step = std::max(alignment, sizeof(void*));
  void* at = std::aligned_alloc(step, (size + step - 1) / step * step);
  if (at != nullptr) cuda->pool_missed.fetch_add(size, std::memory_order_relaxed);
  return at;
}

void release(void* self, void* pointer, size_t size, size_t) {
  auto* cuda = static_cast<kvc_cuda_t*>(self);
  try {
    if (cuda->gpu->pinned().release(pointer, size)) return;
  } catch (...) {
    return;  // no memory for the list: the piece is not used again
  }
  cuda->pool_missed.fetch_sub(size, std::memory_order_relaxed);
  std::free(pointer);
}

}  // namespace

kvc_status_t open_with(const char* driver_library, const void* kernels, const kvc_cuda_options_t* options,
                       kvc_cuda_t** out, kvc_error_t* error_out) noexcept {
  if (out == nullptr) return KVC_E_NULL;
  *out = nullptr;
  try {
    const auto open = [&]() -> Status {
      KVC_RETURN_IF_ERROR(check_struct(options, "options"));
      std::shared_ptr<const Driver> driver;
      KVC_RETURN_IF_ERROR(Driver::open(driver_library, &driver));
      auto cuda = std::make_unique<kvc_cuda_t>();
      GpuOptions own;
      own.device = options->device, own.slots = options->slots, own.slot_bytes = options->slot_bytes;
      if (options->reclaim != nullptr) {
        own.reclaim = [reclaim = options->reclaim, user_data = options->user_data](uint64_t bytes) {
          return reclaim(user_data, bytes) != 0;
        };
      }
      KVC_RETURN_IF_ERROR(Gpu::open(driver, kernels, std::move(own), &cuda->gpu));
      constexpr uint64_t kChunk = uint64_t{1} << 30;
      if (options->pinned_of != nullptr) cuda->gpu->pinned().share(&options->pinned_of->gpu->pinned());
      if (options->pinned_bytes > 0) KVC_RETURN_IF_ERROR(cuda->gpu->pinned().start_pool(options->pinned_bytes, kChunk));
      *out = cuda.release();
      return Status::ok();
    };
    const Status status = open();
    if (!status.is_ok()) say(error_out, status.code(), status.message().c_str());
    return status.code();
  } catch (const std::bad_alloc&) {
    say(error_out, KVC_E_NO_MEMORY, "no memory");
    return KVC_E_NO_MEMORY;
  } catch (const std::exception& exception) {
    say(error_out, KVC_E_INTERNAL, exception.what());
    return KVC_E_INTERNAL;
  }
}

kvc_status_t count_devices(const char* driver_library, uint32_t* devices, kvc_error_t* error_out) noexcept {
  if (devices == nullptr) return KVC_E_NULL;
  *devices = 0;
  try {
    std::shared_ptr<const Driver> driver;
    const Status status = Driver::open(driver_library, &driver);
    if (status.is_ok()) *devices = static_cast<uint32_t>(driver->devices());
    if (!status.is_ok()) say(error_out, status.code(), status.message().c_str());
    return status.code();
  } catch (...) {
    return KVC_E_NO_MEMORY;
  }
}

}  // namespace kvc_cuda

using namespace kvc_cuda;

kvc_status_t kvc_cuda_open(const kvc_cuda_options_t* options, kvc_cuda_t** cuda, kvc_error_t* error) noexcept {
  return open_with(kDriverLibrary, embedded_kernels().data(), options, cuda, error);
}

kvc_status_t kvc_cuda_devices(uint32_t* devices, kvc_error_t* error) noexcept {
  return count_devices(kDriverLibrary, devices, error);
}

void kvc_cuda_close(kvc_cuda_t* cuda) noexcept {
  if (cuda != nullptr) {
    cuda->borrowed.finish(*cuda->gpu);
    cuda->low_rank.finish(*cuda->gpu);
  }
  delete cuda;
}

size_t kvc_cuda_last_error(kvc_cuda_t* cuda, char* buffer, size_t capacity) noexcept {
  if (cuda == nullptr) return 0;
  const std::lock_guard lock(cuda->mutex);
  if (buffer != nullptr && capacity > 0) std::snprintf(buffer, capacity, "%s", cuda->words.c_str());
  return cuda->words.size();
}

kvc_status_t kvc_cuda_reserve(kvc_cuda_t* cuda, uint32_t slots, uint64_t slot_bytes) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return gpu.slots().create(slot_bytes, slots); });
}

kvc_status_t kvc_cuda_acquire_run(kvc_cuda_t* cuda, uint32_t n, uint32_t* first) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (first == nullptr) return error(KVC_E_NULL, "first is NULL");
    if (n == 0) return error(KVC_E_INVALID, "no slots were asked for");
    return gpu.slots().acquire_run(n, first);
  });
}

kvc_status_t kvc_cuda_acquire_place(kvc_cuda_t* cuda, uint64_t bytes, uint32_t* first) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (first == nullptr) return error(KVC_E_NULL, "first is NULL");
    if (bytes == 0) return error(KVC_E_INVALID, "a place of no bytes was asked for");
    return gpu.slots().acquire_place(bytes, first);
  });
}

kvc_status_t kvc_cuda_acquire(kvc_cuda_t* cuda, uint32_t n, uint32_t* slots) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (n > 0 && slots == nullptr) return error(KVC_E_NULL, "slots is NULL");
    return gpu.slots().acquire(n, slots);
  });
}

kvc_status_t kvc_cuda_release(kvc_cuda_t* cuda, uint32_t n, const uint32_t* slots) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (n > 0 && slots == nullptr) return error(KVC_E_NULL, "slots is NULL");
    return gpu.slots().release(n, slots);
  });
}

kvc_status_t kvc_cuda_address(kvc_cuda_t* cuda, uint32_t slot, uint64_t* address) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (address == nullptr) return error(KVC_E_NULL, "address is NULL");
    abi::DevicePtr at = 0;
    KVC_RETURN_IF_ERROR(gpu.slots().address(slot, &at));
    *address = at;
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_begin(kvc_cuda_t* cuda, const kvc_cuda_order_t* order) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.use(own);
  });
}

kvc_status_t kvc_cuda_end(kvc_cuda_t* cuda, const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.used(own, fence);
  });
}

kvc_status_t kvc_cuda_query(kvc_cuda_t* cuda, uint64_t fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    bool done = false;
    KVC_RETURN_IF_ERROR(gpu.query(fence, &done));
    return done ? Status::ok() : Status(KVC_PENDING, "");
  });
}

kvc_status_t kvc_cuda_wait(kvc_cuda_t* cuda, uint64_t fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return gpu.wait(fence); });
}

kvc_status_t kvc_cuda_swap_in(kvc_cuda_t* cuda, const kvc_cuda_copy_t* copies, size_t n, const kvc_cuda_order_t* order,
                              uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return swap(gpu, Direction::to_device, copies, n, order, fence); });
}

kvc_status_t kvc_cuda_swap_out(kvc_cuda_t* cuda, const kvc_cuda_copy_t* copies, size_t n, const kvc_cuda_order_t* order,
                               uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return swap(gpu, Direction::to_host, copies, n, order, fence); });
}

kvc_status_t kvc_cuda_upload(kvc_cuda_t* cuda, uint64_t device, const void* host, uint64_t bytes,
                             const kvc_cuda_order_t* order) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (host == nullptr && bytes > 0) return error(KVC_E_NULL, "host is NULL");
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.upload(device, host, bytes, own);
  });
}

kvc_status_t kvc_cuda_download(kvc_cuda_t* cuda, void* host, uint64_t device, uint64_t bytes,
                               const kvc_cuda_order_t* order) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (host == nullptr && bytes > 0) return error(KVC_E_NULL, "host is NULL");
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.download(host, device, bytes, own);
  });
}

kvc_status_t kvc_cuda_copy_to(kvc_cuda_t* from, kvc_cuda_t* to, uint64_t to_address, uint64_t from_address,
                              uint64_t bytes, const kvc_cuda_order_t* order, uint64_t* fence) noexcept {
  return guarded(from, [&](Gpu& gpu) -> Status {
    if (to == nullptr) return error(KVC_E_NULL, "to is NULL");
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    return gpu.copy_to(*to->gpu, {to_address, from_address, bytes}, own, fence);
  });
}

kvc_status_t kvc_cuda_measure(kvc_cuda_t* cuda) noexcept {
  return guarded(cuda, [](Gpu& gpu) { return gpu.measure(); });
}

kvc_status_t kvc_cuda_pin(kvc_cuda_t* cuda, void* memory, uint64_t bytes) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return gpu.pinned().pin(memory, bytes); });
}

kvc_status_t kvc_cuda_unpin(kvc_cuda_t* cuda, void* memory) noexcept {
  return guarded(cuda, [&](Gpu& gpu) { return gpu.pinned().unpin(memory); });
}

kvc_status_t kvc_cuda_allocator(kvc_cuda_t* cuda, kvc_allocator_t* allocator) noexcept {
  if (cuda == nullptr || allocator == nullptr) return KVC_E_NULL;
  *allocator = {sizeof *allocator, cuda, allocate, release};
  return KVC_OK;
}

kvc_status_t kvc_cuda_pause(kvc_cuda_t* cuda, int32_t paused) noexcept {
  return guarded(cuda, [&](Gpu& gpu) {
    gpu.pinned().pause(paused != 0);
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_move(kvc_cuda_t* cuda, const kvc_cuda_move_t* move, const kvc_cuda_order_t* order,
                           uint64_t* fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    KVC_RETURN_IF_ERROR(check_struct(move, "move"));
    Order own;
    KVC_RETURN_IF_ERROR(read_order(order, &own));
    MoveArgs args;
    args.from = read_view(move->from), args.to = read_view(move->to);
    args.from_slots = move->from_slots, args.to_slots = move->to_slots;
    args.from_page_tokens = move->from_page_tokens, args.to_page_tokens = move->to_page_tokens;
    args.tokens = move->tokens, args.layers = move->n_layers, args.planes = move->n_planes, args.heads = move->n_heads;
    args.row_bytes = move->row_bytes;
    return gpu.move(args, own, fence);
  });
}

kvc_status_t kvc_cuda_tensor_import(kvc_cuda_t* cuda, const void* managed, int32_t versioned,
                                    kvc_cuda_tensor_t* tensor) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (managed == nullptr) return error(KVC_E_NULL, "managed is NULL");
    KVC_RETURN_IF_ERROR(check_struct(tensor, "tensor"));
    return describe_tensor(managed, versioned != 0, gpu.device().ordinal(), tensor);
  });
}

kvc_status_t kvc_cuda_tensor_release(kvc_cuda_t* cuda, void* managed, int32_t versioned, uint64_t fence) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (managed == nullptr) return error(KVC_E_NULL, "managed is NULL");
    cuda->borrowed.give_back(gpu, managed, versioned != 0, fence);
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_tensor_view(kvc_cuda_t* cuda, const kvc_cuda_tensor_t* tensor, const char* axes,
                                  kvc_cuda_view_t* view) noexcept {
  return guarded(cuda, [&](Gpu&) -> Status {
    KVC_RETURN_IF_ERROR(check_struct(tensor, "tensor"));
    if (axes == nullptr || view == nullptr) return error(KVC_E_NULL, "axes or view is NULL");
    return view_of_tensor(*tensor, axes, view);
  });
}

kvc_status_t kvc_cuda_stats(kvc_cuda_t* cuda, kvc_cuda_stats_t* out) noexcept {
  return guarded(cuda, [&](Gpu& gpu) -> Status {
    if (out == nullptr) return error(KVC_E_NULL, "stats is NULL");
    if (out->struct_size < sizeof(size_t)) return error(KVC_E_STRUCT_SIZE, "stats has no struct_size");
    const GpuStats from = gpu.stats();
    const Pinned::Counts pinned = gpu.pinned().counts();
    kvc_cuda_stats_t stats{};
    stats.struct_size = std::min(out->struct_size, sizeof stats);
    stats.slots = gpu.slots().count(), stats.slots_used = gpu.slots().in_use(),
    stats.slot_bytes = gpu.slots().slot_bytes();
    stats.to_device_bytes = from.to_device_bytes, stats.to_host_bytes = from.to_host_bytes;
    stats.staged_bytes = from.staged_bytes, stats.copy_engine_runs = from.by_copy_engine;
    stats.processor_runs = from.by_processors, stats.driver_copies = from.driver_copies, stats.launches = from.launches;
    stats.waits = from.forced_waits, stats.refused_captures = from.refused_captures;
    stats.pinned_bytes = pinned.registered, stats.pool_bytes = pinned.pool, stats.pool_ready = pinned.pool_ready;
    stats.pool_used = pinned.pool_used, stats.pool_missed = cuda->pool_missed.load(std::memory_order_relaxed);
    stats.peer_bytes = from.peer_bytes;
    stats.lost = gpu.device().is_lost() ? 1 : 0;
    stats.utilization = cuda->utilization.share(gpu.device());
    std::memcpy(out, &stats, stats.struct_size);
    return Status::ok();
  });
}

kvc_status_t kvc_cuda_choose(const kvc_cuda_candidate_t* candidates, uint32_t n, uint64_t prefix_bytes,
                             uint32_t* chosen) noexcept {
  if (chosen == nullptr || (n > 0 && candidates == nullptr)) return KVC_E_NULL;
  const int index = choose({candidates, n}, prefix_bytes);
  if (index < 0) return KVC_E_NOT_FOUND;
  *chosen = static_cast<uint32_t>(index);
  return KVC_OK;
}
