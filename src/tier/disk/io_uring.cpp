// io_uring through its system calls: one ring, one thread that waits for completions. What is used of it (readv,
// writev, one wait) is smaller than a dependency on liburing would be, and a sandbox that forbids it is found out by
// the first call.
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "tier/disk/io.h"

namespace kvc::disk {
namespace {

#ifdef __NR_io_uring_setup

uint32_t load_acquire(const uint32_t* p) noexcept { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
void store_release(uint32_t* p, uint32_t value) noexcept { __atomic_store_n(p, value, __ATOMIC_RELEASE); }

class UringEngine final : public IoEngine {
 public:
  // False: not available.
  bool start(uint32_t depth) {
    io_uring_params params{};
    ring_ = static_cast<int>(syscall(__NR_io_uring_setup, depth, &params));
    if (ring_ < 0) return false;
    depth_ = params.sq_entries;
    if (!(params.features & IORING_FEAT_SINGLE_MMAP) || !(params.features & IORING_FEAT_NODROP)) return false;
    ring_bytes_ = std::max<size_t>(params.sq_off.array + params.sq_entries * sizeof(uint32_t),
                                   params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
    rings_ = map(ring_bytes_, IORING_OFF_SQ_RING);
    entries_bytes_ = params.sq_entries * sizeof(io_uring_sqe);
    entries_ = static_cast<io_uring_sqe*>(map(entries_bytes_, IORING_OFF_SQES));
    if (rings_ == nullptr || entries_ == nullptr) return false;
    char* base = static_cast<char*>(rings_);
    sq_tail_ = reinterpret_cast<uint32_t*>(base + params.sq_off.tail);
    sq_mask_ = *reinterpret_cast<uint32_t*>(base + params.sq_off.ring_mask);
    sq_array_ = reinterpret_cast<uint32_t*>(base + params.sq_off.array);
    cq_head_ = reinterpret_cast<uint32_t*>(base + params.cq_off.head);
    cq_tail_ = reinterpret_cast<uint32_t*>(base + params.cq_off.tail);
    cq_mask_ = *reinterpret_cast<uint32_t*>(base + params.cq_off.ring_mask);
    completions_ = reinterpret_cast<io_uring_cqe*>(base + params.cq_off.cqes);
    reaper_ = std::thread([this] { reap(); });
    return true;
  }

  ~UringEngine() override {
    if (reaper_.joinable()) {
      // A no-op without a transfer ends the reaper, once everything before it is complete.
      std::unique_lock lock(mutex_);
      ending_ = true;
      push(nullptr);
      lock.unlock();
      enter(1, 0);
      reaper_.join();
    }
    if (entries_ != nullptr) munmap(entries_, entries_bytes_);
    if (rings_ != nullptr) munmap(rings_, ring_bytes_);
    if (ring_ >= 0) close(ring_);
  }

  bool is_uring() const noexcept override { return true; }

  void submit(Transfer* transfer) noexcept override {
    if (transfer->file->descriptor() < 0) {  // a simulated file
      transfer->done(transfer_all(*transfer, 0));
      return;
    }
    transfer->next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (in_flight_ + 1 >= depth_) {  // one entry stays for the end
        (first_ == nullptr ? first_ : last_->next) = transfer;
        last_ = transfer;
        return;
      }
      push(transfer);
    }
    enter(1, 0);
  }

 private:
  void* map(size_t bytes, off_t what) const noexcept {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring_, what);
    return p == MAP_FAILED ? nullptr : p;
  }

  void enter(unsigned submit, unsigned wait) const noexcept {
    for (;;) {
      const long status =
          syscall(__NR_io_uring_enter, ring_, submit, wait, wait > 0 ? IORING_ENTER_GETEVENTS : 0u, nullptr, 0);
      if (status >= 0 || (errno != EINTR && errno != EAGAIN && errno != EBUSY)) return;
      if (errno == EINTR && wait > 0) return;
      if (errno != EINTR) std::this_thread::yield();
    }
  }

  void push(Transfer* transfer) noexcept {  // with the lock; fewer than depth_ are in flight
    ++in_flight_;
    const uint32_t tail = *sq_tail_, slot = tail & sq_mask_;
    io_uring_sqe& entry = entries_[slot];
    std::memset(&entry, 0, sizeof entry);
    if (transfer == nullptr) {
      entry.opcode = IORING_OP_NOP;
    } else {
      entry.opcode = transfer->write ? IORING_OP_WRITEV : IORING_OP_READV;
      entry.fd = transfer->file->descriptor();
      entry.addr = reinterpret_cast<uintptr_t>(transfer->parts);
      entry.len = static_cast<uint32_t>(transfer->n_parts);
      entry.off = transfer->offset;
      entry.user_data = reinterpret_cast<uintptr_t>(transfer);
    }
    sq_array_[slot] = slot;
    store_release(sq_tail_, tail + 1);
  }

  void reap() noexcept {
    for (;;) {
      uint32_t head = *cq_head_;
      if (head == load_acquire(cq_tail_)) {
        {
          const std::lock_guard lock(mutex_);
          if (ending_ && ended_ && in_flight_ == 0) return;
        }
        enter(0, 1);
        continue;
      }
      const io_uring_cqe completion = completions_[head & cq_mask_];
      store_release(cq_head_, head + 1);
      auto* transfer = reinterpret_cast<Transfer*>(static_cast<uintptr_t>(completion.user_data));
      bool more = false;
      {
        const std::lock_guard lock(mutex_);
        --in_flight_;
        if (transfer == nullptr) ended_ = true;
        if (first_ != nullptr) {
          Transfer* waiting = first_;
          first_ = waiting->next;
          push(waiting);
          more = true;
        }
        if (ending_ && ended_ && in_flight_ == 0 && transfer == nullptr) return;
      }
      if (more) enter(1, 0);
      if (transfer == nullptr) continue;
      ssize_t result = completion.res;
      if (result == -EINTR || result == -EAGAIN)
        result = 0;
      else if (result == 0 && !transfer->write) {
        transfer->done(0);
        continue;
      }  // the end of the file
      if (result >= 0 && static_cast<size_t>(result) < transfer->total()) {
        result = transfer_all(*transfer, static_cast<size_t>(result));
      }
      transfer->done(result);
    }
  }

  int ring_ = -1;
  uint32_t depth_ = 0;
  void* rings_ = nullptr;
  io_uring_sqe* entries_ = nullptr;
  size_t ring_bytes_ = 0, entries_bytes_ = 0;
  uint32_t *sq_tail_ = nullptr, *sq_array_ = nullptr, *cq_head_ = nullptr, *cq_tail_ = nullptr;
  uint32_t sq_mask_ = 0, cq_mask_ = 0;
  io_uring_cqe* completions_ = nullptr;

  std::mutex mutex_;
  uint32_t in_flight_ = 0;
  Transfer *first_ = nullptr, *last_ = nullptr;  // wait for an entry
  bool ending_ = false, ended_ = false;
  std::thread reaper_;
};

#endif

}  // namespace

std::unique_ptr<IoEngine> make_uring_engine([[maybe_unused]] uint32_t depth) {
#ifdef __NR_io_uring_setup
  auto engine = std::make_unique<UringEngine>();
  if (engine->start(depth)) return engine;
#endif
  return nullptr;
}

}  // namespace kvc::disk
