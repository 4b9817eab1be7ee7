// The request engine: requests in, answers out, many at a time around one model.
//
// A request waits in the queue (priority, then order of arrival; requests of one session_id in order), becomes active,
// has its prompt matched and computed in chunks, then decodes one token a step together with all other active requests
// (continuous batching). One step is one forward call of the backend. Steps run on the engine's own thread (started by
// the first request), or with threads = 0 on whichever caller waits. There is one such thread, however many `threads`
// asks for: a model is called from one thread at a time.
//
// Locks: one mutex guards tickets and the queue; a step works on active requests without it. Callbacks, the clock, the
// log, the model and the cache are never called with it held.
//
// Time: timeouts of wait and next are real time; deadlines and what answers and statistics say are the given clock's.
//
// Counted: requests = completed + failed + cancelled + queued + active, at every moment. Hits, misses and tokens of
// prompts are those of requests that compute (PROCESS, STORE), counted when their computation begins; computed and
// generated tokens as they come.
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
  uint32_t threads = 1;          // 0: the host drives
  uint32_t max_batch = 8;        // active requests at a time
  uint32_t prefill_chunk = 256;  // most prompt tokens in one step, over all requests
  bool reproducible = false;     // of a model with K/V of its own: each request alone, in batches with fixed ends
  uint32_t max_queue = 1024;     // waiting requests
  uint32_t max_tokens = 4096;    // longest sequence (prompt and answer), besides the model's context
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

  // Refusals are counted. KVC_E_INVALID, KVC_E_OUT_OF_RANGE, KVC_E_UTF8, KVC_E_TOKEN, KVC_E_CONTEXT, KVC_E_DEADLINE
  // (passed while the prompt was tokenised), KVC_E_QUEUE_FULL, KVC_E_NO_MEMORY, KVC_E_CLOSED (after stop),
  // KVC_E_BACKEND.
  Status submit(Request request, kvc_ticket_t* ticket);
  // KVC_OK with an answer (whose own status may be a failure), KVC_PENDING, KVC_E_NOT_FOUND, KVC_E_BUSY (on the step
  // thread, from a callback: it would wait for itself).
  Status wait(kvc_ticket_t ticket, uint64_t timeout_ns, std::unique_ptr<Answer>* answer);
  size_t poll(kvc_ticket_t* tickets, size_t capacity);
  // KVC_OK with a zero-terminated piece that ends with a whole character, KVC_PENDING, KVC_END, KVC_E_NOT_FOUND,
  // KVC_E_BUFFER (capacity below 5), KVC_E_BUSY as above.
  Status next(kvc_ticket_t ticket, uint64_t timeout_ns, char* buffer, size_t capacity, size_t* size);
  // A waiting request ends at once, an active one at the next step: with the text that was given out.
  Status cancel(kvc_ticket_t ticket);
  Status forget(kvc_ticket_t ticket);
  // threads == 0: one step on this thread, after one in progress. Else nothing. *busy: requests wait or are active.
  // KVC_E_BUSY: from a callback.
  Status step(bool* busy);
  // Cancels everything, wakes every waiter, joins the thread. Idempotent. From a callback on the step thread: refused
  // (false).
  bool stop();
  RequestStats stats();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvc
