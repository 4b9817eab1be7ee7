// A simulated disk: what was synced stays, what was not may be lost, torn or kept, block by block, when the power goes;
// any call may fail.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "tier/disk/vfs.h"

namespace kvc::disk_test {

class SimulatedDisk final : public Vfs {
 public:
  static constexpr size_t kBlock = 4096;
  struct Node {
    std::vector<std::byte> now, durable;
    std::set<size_t> dirty;  // blocks that differ, maybe
    bool locked = false;
  };
  enum class Call { open, list, directory, rename, remove, sync_directory, read, write, sync, allocate };
  // Asked before every call: 0 goes on, -errno fails, n > 0: a transfer moves at most n bytes.
  std::function<int(Call)> fault;

  // The disk after a power cut.
  std::unique_ptr<SimulatedDisk> cut(Random* random) const {
    auto after = std::make_unique<SimulatedDisk>();
    std::map<const Node*, std::shared_ptr<Node>> copies;
    const auto copy = [&](const std::shared_ptr<Node>& node) {
      auto& out = copies[node.get()];
      if (out) return out;
      out = std::make_shared<Node>();
      out->durable = node->durable;
      if (node->durable.size() != node->now.size() && random->next() % 2 == 0) out->durable.resize(node->now.size());
      for (const size_t block : node->dirty) {
        const size_t from = block * kBlock;
        if (from >= out->durable.size()) continue;
        const size_t bytes = std::min({kBlock, out->durable.size() - from, node->now.size() - from});
        size_t kept = 0;
        switch (random->next() % 4) {
          case 0:
            break;  // lost
          case 1:
            kept = std::min(bytes, random->next() % 8 * 512);
            break;  // torn
          default:
            kept = bytes;
        }
        std::memcpy(out->durable.data() + from, node->now.data() + from, kept);
      }
      out->now = out->durable;
      return out;
    };
    std::set<std::string> names;
    for (const auto& [name, node] : now_) names.insert(name);
    for (const auto& [name, node] : durable_) names.insert(name);
    for (const std::string& name : names) {
      const auto is = now_.find(name), was = durable_.find(name);
      const bool same = is != now_.end() && was != durable_.end() && is->second == was->second;
      const bool later = same || random->next() % 2 == 0;
      const auto& chosen = later ? is : was;
      if (chosen == (later ? now_.end() : durable_.end())) continue;
      after->now_[name] = after->durable_[name] = copy(chosen->second);
    }
    return after;
  }

  int open(const std::string& path, uint32_t flags, std::unique_ptr<VfsFile>* out) override {
    const std::lock_guard lock(mutex_);
    if (const int status = ask(Call::open); status < 0) return status;
    auto it = now_.find(path);
    if (it == now_.end()) {
      if (!(flags & kCreate)) return -ENOENT;
      it = now_.emplace(path, std::make_shared<Node>()).first;
    } else if (flags & kTruncate) {
      it->second->now.clear();
    }
    *out = std::make_unique<File>(this, it->second);
    return 0;
  }
  int list(const std::string& directory, std::vector<std::string>* names) override {
    const std::lock_guard lock(mutex_);
    if (const int status = ask(Call::list); status < 0) return status;
    names->clear();
    for (const auto& [name, node] : now_) {
      if (name.compare(0, directory.size() + 1, directory + "/") == 0)
        names->push_back(name.substr(directory.size() + 1));
    }
    return 0;
  }
  int make_directory(const std::string&) override {
    const std::lock_guard lock(mutex_);
    return std::min(0, ask(Call::directory));
  }
  int rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (const int status = ask(Call::rename); status < 0) return status;
    const auto it = now_.find(from);
    if (it == now_.end()) return -ENOENT;
    now_[to] = it->second;
    now_.erase(from);
    return 0;
  }
  int remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (const int status = ask(Call::remove); status < 0) return status;
    return now_.erase(path) == 1 ? 0 : -ENOENT;
  }
  int sync_directory(const std::string&) override {
    const std::lock_guard lock(mutex_);
    if (const int status = ask(Call::sync_directory); status < 0) return status;
    durable_ = now_;
    return 0;
  }

  // For tests that damage files.
  std::map<std::string, std::shared_ptr<Node>>& files() { return now_; }
  std::unique_ptr<SimulatedDisk> clone() const {
    auto out = std::make_unique<SimulatedDisk>();
    for (const auto& [name, node] : now_) {
      auto copy = std::make_shared<Node>();
      copy->now = copy->durable = node->now;
      out->now_[name] = out->durable_[name] = copy;
    }
    return out;
  }
  uint64_t room() const {
    uint64_t bytes = 0;
    for (const auto& [name, node] : now_) bytes += (node->now.size() + kBlock - 1) / kBlock * kBlock;
    return bytes;
  }

 private:
  class File final : public VfsFile {
   public:
    File(SimulatedDisk* disk, std::shared_ptr<Node> node) : disk_(disk), node_(std::move(node)) {}
    ~File() override {
      if (locked_) node_->locked = false;
    }
    ssize_t read(const iovec* parts, int n, uint64_t offset) override { return transfer(Call::read, parts, n, offset); }
    ssize_t write(const iovec* parts, int n, uint64_t offset) override {
      return transfer(Call::write, parts, n, offset);
    }
    int sync() override {
      const std::lock_guard lock(disk_->mutex_);
      if (const int status = disk_->ask(Call::sync); status < 0) {
        node_->dirty.clear();  // as Linux does: the error is reported once, and forgotten with the data
        return status;
      }
      node_->durable.resize(node_->now.size());
      for (const size_t block : node_->dirty) {
        const size_t from = block * kBlock;
        if (from >= node_->now.size()) continue;
        std::memcpy(node_->durable.data() + from, node_->now.data() + from, std::min(kBlock, node_->now.size() - from));
      }
      node_->dirty.clear();
      return 0;
    }
    int allocate(uint64_t bytes) override {
      const std::lock_guard lock(disk_->mutex_);
      if (const int status = disk_->ask(Call::allocate); status < 0) return status;
      if (node_->now.size() < bytes) node_->now.resize(bytes);
      return 0;
    }
    int64_t size() override { return static_cast<int64_t>(node_->now.size()); }
    uint64_t allocated() override { return (node_->now.size() + kBlock - 1) / kBlock * kBlock; }
    int lock_exclusive() override {
      const std::lock_guard lock(disk_->mutex_);
      if (node_->locked) return -EAGAIN;
      return node_->locked = locked_ = true, 0;
    }

   private:
    ssize_t transfer(Call call, const iovec* parts, int n, uint64_t offset) {
      const std::lock_guard lock(disk_->mutex_);
      const int status = disk_->ask(call);
      if (status < 0) return status;
      size_t most = status > 0 ? static_cast<size_t>(status) : SIZE_MAX, moved = 0;
      for (int i = 0; i < n && most > 0; ++i) {
        size_t bytes = std::min(parts[i].iov_len, most);
        if (call == Call::read) {
          if (offset >= node_->now.size()) break;
          bytes = std::min<size_t>(bytes, node_->now.size() - offset);
          std::memcpy(parts[i].iov_base, node_->now.data() + offset, bytes);
        } else {
          if (node_->now.size() < offset + bytes) node_->now.resize(offset + bytes);
          std::memcpy(node_->now.data() + offset, parts[i].iov_base, bytes);
          for (size_t b = offset / kBlock; b <= (offset + bytes - 1) / kBlock; ++b) node_->dirty.insert(b);
        }
        offset += bytes;
        moved += bytes;
        most -= bytes;
        if (bytes < parts[i].iov_len) break;
      }
      return static_cast<ssize_t>(moved);
    }
    SimulatedDisk* disk_;
    std::shared_ptr<Node> node_;
    bool locked_ = false;
  };

  int ask(Call call) { return fault ? fault(call) : 0; }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Node>> now_, durable_;
};

}  // namespace kvc::disk_test
