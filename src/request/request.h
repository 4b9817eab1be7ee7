// A request and its answer inside the engine: the checked, owning forms of kvc_request_t and kvc_response_t.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvc/kvc.h"

namespace kvc {

struct Request {
  int32_t action = KVC_ACTION_PROCESS;
  int32_t priority = KVC_PRIORITY_NORMAL;
  bool has_text = false;  // prompt is given as text, else as tokens
  std::string prompt;
  std::vector<int32_t> tokens;
  uint32_t max_tokens = 128;
  uint32_t top_k = 0;
  double temperature = 0;
  double top_p = 1;
  uint64_t seed = 0;
  std::vector<std::string> stop;
  bool no_cache = false;
  std::string session_id;
  std::string tenant;
  uint64_t deadline_ns = 0;
  kvc_stream_fn on_text = nullptr;
  void* user_data = nullptr;
};

struct Answer {
  kvc_status_t status = KVC_OK;
  std::string error;
  int32_t finish_reason = KVC_FINISH_NONE;
  std::string text;
  std::vector<int32_t> tokens;
  uint32_t prompt_tokens = 0, cached_tokens = 0, approximate_tokens = 0, computed_tokens = 0;
  uint64_t queue_ns = 0, prefill_ns = 0, decode_ns = 0, total_ns = 0, ttft_ns = 0, saved_ns = 0;
  int32_t miss_reason = KVC_MISS_NONE;
  std::string miss_text;
  kvc_ticket_t ticket = 0;
};

}  // namespace kvc
