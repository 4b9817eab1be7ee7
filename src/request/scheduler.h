// The active requests, and the step that moves them all on: one forward call of the backend.
//
// A step ends what was cancelled or is late, starts what is new (match, sequence, import), plans a batch (one token of
// every decoding request, then chunks of prompts in the queue's order), computes it, commits, samples and gives text
// out.
//
// The same prefix is computed once: a request whose prompt shares a whole page or more, that is not stored yet, with a
// prompt being computed now (same tenant) waits until that page is committed or the other one has ended, and looks
// again. Only computing requests are waited for, and those wait for nobody: there is always one that goes on. It
// inherits the rank of who waits.
//
// A failing batch of several is computed again one by one, so that one bad request does not take the others down.
//
// One thread at a time, without locks; nothing here throws.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "cache/cache.h"
#include "model/backend.h"
#include "observe/metrics.h"
#include "request/job.h"
#include "request/request_engine.h"

namespace kvc {

// Counted where it happens.
struct RequestCounters {
  Counter requests, completed, failed, cancelled, refused, hits, misses;
  Counter prompt_tokens, cached_tokens, computed_tokens, generated_tokens, saved_ns;
  Histogram latency, ttft;
};

class Scheduler {
 public:
  // Who hears of results; called within step() and cancel_all().
  class Listener {
   public:
    virtual ~Listener() = default;
    // A piece of text, never empty, belongs to the answer. A failure: the caller wants no more.
    virtual Status on_piece(Job& job, std::string_view piece) = 0;
    // The answer is complete, its session and sequence are closed.
    virtual void on_done(Job& job) noexcept = 0;
  };

  Scheduler(Cache* cache, std::shared_ptr<const Space> space, Backend* backend, const Clock& clock, const Log& log,
            const RequestOptions& options, RequestCounters* counters, Listener* listener);

  bool full() const noexcept { return jobs_.size() >= options_.max_batch; }
  void admit(std::shared_ptr<Job> job, uint64_t now) noexcept;  // !full()
  void step() noexcept;
  void cancel_all() noexcept;

 private:
  // Beginning (start.cpp).
  void start(Job* job) noexcept;
  Status try_start(Job* job, bool* complete);
  bool waits_for_other(Job* job);
  Job* find(kvc_ticket_t ticket) const noexcept;

  // A step's batch.
  void plan() noexcept;
  void compute() noexcept;
  Status forward(std::span<Job* const> batch) noexcept;
  Status try_forward(std::span<Job* const> batch);
  void roll_back(Job* job) noexcept;
  void advance(Job* job) noexcept;
  Status keep(Job* job);
  void sample(Job* job);

  // The end (finish.cpp).
  Status emit(Job* job);
  void fail(Job* job, Status status) noexcept;
  void finish(Job* job, Status status, int32_t reason) noexcept;
  void settle_times(Job* job) noexcept;
  uint64_t saved_ns(uint32_t cached_tokens) const noexcept;
  void sweep() noexcept;

  Cache* const cache_;
  const std::shared_ptr<const Space> space_;
  Backend* const backend_;
  const Clock clock_;
  const Log log_;
  const RequestOptions options_;
  RequestCounters* const counters_;
  Listener* const listener_;

  std::vector<std::shared_ptr<Job>> jobs_;  // reserved for max_batch, like the next three
  std::vector<Job*> order_;
  std::vector<Job*> batch_;
  std::vector<ForwardItem> items_;
  std::vector<float> logits_;
  // The speed of prefill: a line through the origin, fitted by least squares to (tokens, ns) of every forward call. In
  // a plain average the many calls for one last token, dear for what they compute, would pass for the usual speed.
  double fit_ns_tokens_ = 0;
  double fit_tokens_tokens_ = 0;
};

// A failure whose message needs no memory if there is none.
Status failure(kvc_status_t code, const char* message) noexcept;
// The failure that the exception being handled stands for. In a catch block.
Status caught() noexcept;

}  // namespace kvc
