#include "tier/disk/io.h"

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace kvc::disk {

ssize_t transfer_all(const Transfer& transfer, size_t done) noexcept {
  const size_t total = transfer.total();
  int retries = 0;
  while (done < total) {
    iovec parts[2];
    int n = 0;
    size_t skip = done;
    for (int i = 0; i < transfer.n_parts; ++i) {
      if (skip >= transfer.parts[i].iov_len) {
        skip -= transfer.parts[i].iov_len;
        continue;
      }
      parts[n++] = {static_cast<char*>(transfer.parts[i].iov_base) + skip, transfer.parts[i].iov_len - skip};
      skip = 0;
    }
    const uint64_t offset = transfer.offset + done;
    const ssize_t moved =
        transfer.write ? transfer.file->write(parts, n, offset) : transfer.file->read(parts, n, offset);
    if (moved == -EINTR || moved == -EAGAIN) {
      if (++retries > 100) return moved;
      continue;
    }
    if (moved < 0) return moved;
    if (moved == 0) return transfer.write ? -ENOSPC : static_cast<ssize_t>(done);
    done += static_cast<size_t>(moved);
  }
  return static_cast<ssize_t>(total);
}

ssize_t transfer_block(VfsFile* file, bool write, uint64_t offset, void* data, size_t bytes) noexcept {
  struct Now final : Transfer {
    void done(ssize_t) noexcept override {}
  } now;
  now.file = file;
  now.write = write;
  now.offset = offset;
  now.parts[0] = {data, bytes};
  return transfer_all(now, 0);
}

namespace {

class SyncEngine final : public IoEngine {
 public:
  void submit(Transfer* transfer) noexcept override { transfer->done(transfer_all(*transfer, 0)); }
};

class ThreadEngine final : public IoEngine {
 public:
  explicit ThreadEngine(uint32_t threads) {
    try {
      for (uint32_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
    } catch (...) {
      if (threads_.empty()) throw;  // fewer will do
    }
  }
  ~ThreadEngine() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }
  void submit(Transfer* transfer) noexcept override {
    transfer->next = nullptr;
    {
      const std::lock_guard lock(mutex_);
      (first_ == nullptr ? first_ : last_->next) = transfer;
      last_ = transfer;
    }
    wake_.notify_one();
  }

 private:
  void work() noexcept {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return first_ != nullptr || ending_; });
      if (first_ == nullptr) return;
      Transfer* transfer = first_;
      first_ = transfer->next;
      lock.unlock();
      transfer->done(transfer_all(*transfer, 0));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  Transfer *first_ = nullptr, *last_ = nullptr;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<IoEngine> make_sync_engine() { return std::make_unique<SyncEngine>(); }
std::unique_ptr<IoEngine> make_thread_engine(uint32_t threads) { return std::make_unique<ThreadEngine>(threads); }

}  // namespace kvc::disk
