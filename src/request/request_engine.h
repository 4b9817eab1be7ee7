// The request engine: requests in, answers out, many at a time around one model.
//
// A request waits in the queue (priority, then order of arrival; requests of one session_id in order), becomes active, has its prompt
// matched and computed in chunks, then decodes one token a step together with all other active requests (continuous batching).
// One step is one forward call of the backend. Steps run on the engine's own thread (started by the first request), or with
// threads = 0 on whichever caller waits.
//
// Locks: queue_mutex_ guards tickets and the queue; a step works on active requests without it. Callbacks, the model and the cache are
// never called with it held.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "cache/cache.h"
#include "model/backend.h"
#include "request/request.h"

namespace kvc {

struct RequestOptions {
  uint32_t threads = 1;            // 0: the host drives
  uint32_t max_batch = 8;          // active requests at a time
  uint32_t prefill_chunk = 256;    // most prompt tokens in one step, over all requests
  uint32_t max_queue = 1024;       // waiting requests
  uint32_t max_tokens = 4096;      // longest sequence (prompt and answer), besides the model's context
};

struct RequestStats {
  uint64_t requests = 0, completed = 0, failed = 0, cancelled = 0, refused = 0, queued = 0, active = 0;
  uint64_t hits = 0, misses = 0;
  uint64_t prompt_tokens = 0, cached_tokens = 0, computed_tokens = 0, generated_tokens = 0, saved_ns = 0;
  uint64_t latency_avg_ns = 0, latency_p50_ns = 0, latency_p95_ns = 0, latency_p99_ns = 0;
  uint64_t ttft_avg_ns = 0, ttft_p50_ns = 0, ttft_p95_ns = 0, ttft_p99_ns = 0;
};

class RequestEngine {
 public:
  // cache and backend must outlive it; `space` is the backend's, opened in the cache.
  RequestEngine(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock, const Log& log,
                const RequestOptions& options);
  ~RequestEngine();  // stop()
  RequestEngine(const RequestEngine&) = delete;
  RequestEngine& operator=(const RequestEngine&) = delete;

  Status submit(Request request, kvc_ticket_t* ticket);
  // KVC_OK with an answer (whose own status may be a failure), KVC_PENDING, KVC_E_NOT_FOUND.
  Status wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer);
  size_t poll(kvc_ticket_t* tickets, size_t capacity);
  // KVC_OK, KVC_PENDING, KVC_END, KVC_E_NOT_FOUND.
  Status next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size);
  Status cancel(kvc_ticket_t ticket);
  Status forget(kvc_ticket_t ticket);
  Status step(bool* busy);  // threads == 0
  // Cancels everything, wakes every waiter, joins the thread. Idempotent. From a callback on the step thread: refused (false).
  bool stop();
  RequestStats stats();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvc
