// Traces of requests in Mooncake's JSON lines, as they are published and as kvc_trace_start writes them:
//   {"timestamp": 27000, "input_length": 6955, "output_length": 52, "hash_ids": [46, 47, 2353]}
// timestamp: ms; lengths: tokens; hash_ids: one per block of 512 tokens (or of "block_tokens"), the last one possibly
// unfinished; equal ids are equal content after equal content. "finish": how the turn ended, tool_use or end_turn.
// Other keys are ignored; without
// an output_length nothing is said of the answer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvc::cli {

struct TraceRequest {
  uint64_t time_ns = 0;
  uint64_t tokens = 0;           // of all blocks
  std::vector<uint32_t> blocks;  // numbered by first appearance in the trace
  uint64_t generated = 0;        // tokens of the answer; they are not in the blocks
  int32_t hint = 0;              // KVC_HINT_*, from "finish"
  bool over = false;             // no later request goes on from its last whole block
};

struct Trace {
  std::vector<TraceRequest> requests;
  uint32_t block_tokens = 512;
  uint32_t n_blocks = 0;    // different ones
  uint64_t accesses = 0;    // blocks of all requests
  uint64_t tokens = 0;      // of all requests

  // Tokens of the first n blocks of a request.
  uint64_t prefix_tokens(const TraceRequest& request, size_t n) const {
    return n == request.blocks.size() ? request.tokens : uint64_t{block_tokens} * n;
  }
};

// Throws Failure: the file cannot be read, or a line is no request (the message names the line).
Trace read_trace(const std::string& path);

// Hits of the offline minimum (Belady's MIN with bypass, deeper blocks first among equals) for every request: no page
// that it drops has a descendant that is used earlier, so these are the most hits that any policy can have under prefix
// semantics.
std::vector<uint32_t> minimum_hits(const Trace& trace, uint64_t pages);

}  // namespace kvc::cli
