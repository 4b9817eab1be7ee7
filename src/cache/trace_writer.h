// Writes what sessions used to a file, a line each, as `kvc replay` reads it (cli/trace.h). Page identities leave as keyed
// digests; the key is drawn for each trace and not kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <string>

#include "base/hash.h"
#include "base/status.h"
#include "policy/policy.h"

namespace kvc {

struct Page;

class TraceWriter {
 public:
  ~TraceWriter();
  // KVC_E_BUSY: one is being written. KVC_E_IO.
  Status start(const std::string& path, uint64_t now_ns);
  // KVC_E_NOT_FOUND: none is being written. KVC_E_IO: not everything was.
  Status stop(uint64_t* sessions);

  bool active() const noexcept { return active_.load(std::memory_order_relaxed); }
  // A session ended with `last`, which the caller references: its chain does not change.
  void add(const Page* last, const SessionEnd& end, uint64_t now_ns) noexcept;

 private:
  std::atomic<bool> active_{false};
  std::mutex mutex_;  // guards all below
  std::FILE* file_ = nullptr;
  std::string path_;
  Digest key_;
  uint64_t started_ns_ = 0, sessions_ = 0;
  bool failed_ = false;
};

}  // namespace kvc
