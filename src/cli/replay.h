// What `kvc replay` measures; replay.cpp runs a trace through an engine, replay_report.cpp writes the results.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "trace.h"

namespace kvc::cli {

// One policy (or "minimum") at one size.
struct ReplayResult {
  std::string policy;
  uint64_t pages = 0;
  double page_hit_ratio = 0;
  double token_hit_ratio = 0;
  double flops_saved = 0;    // share of the prefill's arithmetic
  double closure = 0;        // of the gap between lru and the minimum, in tokens; NaN where there is no gap
  double whatif_token_hit_ratio = 0;  // what kvc_whatif says of the same policy and size afterwards
  double ns_per_access = 0;  // whole replay, per page of the requests
};

struct ReplayOptions {
  double hint_recall = 0;  // share of the conversations that end of which the engine is told
  double false_hints = 0;  // share of these hints that are wrong
  bool finish = false;     // pass the trace's finish reasons on
  std::string log;         // file for the referee; empty: none
};

// Runs the trace through an engine that keeps this many pages.
ReplayResult replay(const Trace& trace, const std::string& policy, uint64_t pages, const ReplayOptions& options);
ReplayResult replay_minimum(const Trace& trace, uint64_t pages);
// Ratios from the leading pages that were hit, per request.
ReplayResult ratios(const Trace& trace, const std::vector<uint32_t>& hits);

std::string replay_table(const Trace& trace, const std::vector<ReplayResult>& results);
std::string replay_json(const Trace& trace, const ReplayOptions& options, const std::vector<ReplayResult>& results);
// Token hit ratio over pages, a line per policy, as an SVG.
std::string replay_plot(const std::vector<ReplayResult>& results);

}  // namespace kvc::cli
