// An engine: the cache, the model and the request engine around it, built from a configuration and owned.
//
// Threads: everything may be called from any thread at any time, until the destructor.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/cache.h"
#include "engine/config.h"
#include "engine/log_gate.h"
#include "model/backend.h"
#include "request/request_engine.h"

namespace kvc {

// A secret as options give it ("secret", "disk_key"): 64 hex digits are the 32 bytes, other text is hashed, "" is 0.
Digest secret_of(std::string_view text);

// Names of what an engine keeps in its directory besides pages: the options that were set, one "name=value" a line, and
// the statistics, one JSON object.
inline constexpr std::string_view kSettingsBlob = "settings";
inline constexpr std::string_view kStatisticsBlob = "statistics.json";
inline constexpr std::string_view kPolicyBlob = "policy";  // what the policy learned

class Engine {
 public:
  // handles: how a caller's model sees sessions. A caller's backend table is destroyed (its `destroy`) exactly once,
  // also when this fails. Starts no thread and takes no page memory.
  static Status create(const Config& config, const SessionHandles& handles, std::unique_ptr<Engine>* out);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  Cache& cache() noexcept { return *cache_; }
  // nullptr with option model=none.
  Backend* backend() noexcept { return backend_.get(); }
  RequestEngine* requests() noexcept { return requests_.get(); }
  const std::shared_ptr<const Space>& model_space() const noexcept { return space_; }
  const Settings& settings() const noexcept { return settings_; }

  // Requests were refused before they reached the request engine.
  void count_refused(uint64_t n) noexcept { refused_.fetch_add(n, std::memory_order_relaxed); }
  // Everything in progress ends with KVC_E_CANCELLED. False: called from the thread that runs the steps; nothing was
  // done.
  bool stop();

  kvc_stats_t stats();
  Status what_if(uint64_t budget, std::string_view policy, kvc_whatif_t* out);
  // One JSON object: see kvc_engine_info.
  std::string info();

 private:
  Engine(const Config& config, Settings settings);
  Disk::Texts checkpoint();
  void take_up_policy() noexcept;

  const Settings settings_;
  const std::string preset_;
  const std::vector<std::pair<std::string, std::string>> options_;  // name and canonical text, but not the secret's
  const bool has_allocator_;
  // What the caller gave besides, which is called as long as the cache lives.
  const bool needs_caller_;
  const std::shared_ptr<LogGate> log_gate_;
  const Log log_;
  const Clock clock_;
  const uint64_t created_ns_;
  std::atomic<uint64_t> refused_{0};
  // In the order of construction: the later use the earlier.
  std::unique_ptr<Cache> cache_;
  std::unique_ptr<Backend> backend_;
  std::shared_ptr<const Space> space_;
  std::unique_ptr<RequestEngine> requests_;
};

}  // namespace kvc
