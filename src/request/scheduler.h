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
// A model that keeps its own K/V has it exported when pages fill and when the request ends, not at every token. Where its
// sequences are kept as states, prompts are computed up to where a state is to be taken, and restored from the deepest one
// that is stored for a prefix. A request for which the model has no room now waits, and those behind it with it.
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
  bool others_compute(const Job& job) const noexcept;
  void put_back(Job* job) noexcept;
  Status try_start(Job* job, bool* complete);
  bool waits_for_other(Job* job);
  bool waits_for_room(Job* job);
  bool waits_for_disk(Job* job);
  Job* find(kvc_ticket_t ticket) const noexcept;

  // A step's batch.
  void plan() noexcept;
  void compute() noexcept;
  // Whether somebody still waits for a job of the forward call that computes. From any thread, during the call.
  bool wanted(const Job& job) const noexcept;
  static int32_t stop_forward(void* scheduler) noexcept;
  Status forward(std::span<Job* const> batch) noexcept;
  Status try_forward(std::span<Job* const> batch);
  void roll_back(Job* job) noexcept;
  void advance(Job* job) noexcept;
  Status keep(Job* job);
  void sample(Job* job);

  // What models that keep their own K/V leave in the cache (keep.cpp).
  Status keep_own(Job* job);
  Status store(Job* job, uint32_t upto);
  void store_rest(Job* job) noexcept;
  bool is_state_place(const Job& job, uint32_t n) const noexcept;
  uint32_t next_state(const Job& job) const noexcept;
  Status save_state(Job* job);
  Status load_state(Job* job, std::span<const int32_t> tokens, size_t* restored);
  size_t find_state(const Request& request, std::span<const int32_t> tokens, PageId* id);

  // Option reproducible: tokens of a prompt's batches, which end at multiples of it; 0: batches of any size.
  uint32_t fixed_batch() const noexcept;
  // What of a prefix that is stored can be gone on from.
  size_t whole_batches(size_t tokens) const noexcept {
    const uint32_t batch = fixed_batch();
    return batch == 0 ? tokens : tokens - tokens % batch;
  }

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
  std::span<Job* const> computing_;  // during a forward call
  bool room_is_waited_for_ = false;  // in this step: who came later does not go ahead
  std::vector<float> logits_;
  // The speed of prefill: a line through the origin, fitted by least squares to (tokens, ns) of every forward call. In
  // a plain average the many calls for one last token, dear for what they compute, would pass for the usual speed; of
  // fewer tokens than kTellingPrefill nothing is taken, as after a restart there may be none but these.
  static constexpr size_t kTellingPrefill = 16;
  double fit_ns_tokens_ = 0;
  double fit_tokens_tokens_ = 0;
};

// A failure whose message needs no memory if there is none.
Status failure(kvc_status_t code, const char* message) noexcept;
// The failure that the exception being handled stands for. In a catch block.
Status caught() noexcept;

}  // namespace kvc
