// One request on its way through the engine: what is known when it is submitted, its place among the waiting ones, and
// the state of its computation. Everything that its end needs is allocated when it is submitted, so that it can always
// end.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/disk_fetch.h"
#include "cache/session.h"
#include "request/request.h"
#include "request/sampler.h"
#include "request/text_stream.h"

namespace kvc {

struct Job;

// The last unfinished request of each (tenant, session_id): they run one after the other.
using Lanes = std::map<std::pair<std::string, std::string>, Job*>;

enum class Phase {
  starting,  // not matched yet, perhaps waiting for another one that computes the same prefix
  prefill,   // computes the rest of its prompt
  decode,    // has a token that was sampled and not fed yet
  ended,
};

// The state of a computation; touched by steps alone.
struct Run {
  Phase phase = Phase::starting;
  std::unique_ptr<Fetch> fetch;  // starting: brings the prompt's pages from disk
  std::unique_ptr<Session> session;
  bool sequence_open = false;     // the backend knows the sequence; its number is the ticket
  uint32_t committed = 0;         // tokens that the model has, and, if it is paged, the session
  uint32_t stored = 0;            // not paged: tokens that the session has
  uint32_t reserved = 0;          // of the model's total_tokens
  bool stores = true;             // not paged: goes on storing
  int32_t next = -1;              // decode: the token to be fed
  std::span<const int32_t> feed;  // this step's tokens
  float* logits = nullptr;        // this step's result; nullptr: none wanted
  uint64_t started_ns = 0;        // first step
  uint64_t first_token_ns = 0;
  bool sampled = false;        // first_token_ns is set
  kvc_ticket_t leader = 0;     // starting: waits for this one ...
  uint32_t leader_tokens = 0;  // ... to have so many tokens committed
  int64_t rank = 0;            // the job's, or that of the first one that waits for it
  Sampler sampler;
  TextStream stream;
  std::string bytes;  // of one token
  std::string piece;  // text on its way out

  explicit Run(const Request& request) : sampler(request), stream(request.stop) {}
};

struct Job : std::enable_shared_from_this<Job> {
  explicit Job(Request r) : request(std::move(r)), answer(std::make_unique<Answer>()), entry(1), run(request) {}

  // Fixed once it is submitted.
  const Request request;
  std::vector<int32_t> prompt;
  kvc_ticket_t ticket = 0;
  uint64_t submitted_ns = 0;
  uint64_t deadline_at = UINT64_MAX;

  std::atomic<bool> cancel{false};  // asked for; seen by the next step

  // Guarded by the engine's lock.
  enum class State { queued, active, done } state = State::queued;
  std::unique_ptr<Answer> answer;  // its text grows while the job is active; the rest belongs to steps until it is done
  size_t handed = 0;               // bytes of text that next() gave out
  std::condition_variable changed;  // text came, or it is done
  std::list<kvc_ticket_t> entry;    // one node, in the engine's list of completed tickets until poll() has listed it
  std::list<kvc_ticket_t>::iterator entry_at;

  // The queue's.
  int64_t rank = 0;  // lower goes first
  bool in_lane = false;
  Lanes::iterator lane;
  Job* lane_ahead = nullptr;
  Job* lane_behind = nullptr;

  Run run;

  // Notes in the answer how the request ended; without its words where there is no memory for them: the status says it.
  void note_end(const Status& status, int32_t reason) noexcept;
};

}  // namespace kvc
