// What an engine says of itself: statistics and info.
#include <algorithm>

#include "base/hash.h"
#include "engine/engine.h"
#include "engine/json.h"
#include "engine/values.h"

namespace kvc {
namespace {

double ratio(uint64_t part, uint64_t rest) {
  return part + rest == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(part + rest);
}

void fill_requests(const RequestStats& from, kvc_stats_t* to) {
  to->requests = from.requests;
  to->requests_completed = from.completed;
  to->requests_failed = from.failed;
  to->requests_cancelled = from.cancelled;
  to->requests_refused = from.refused;
  to->requests_queued = from.queued;
  to->requests_active = from.active;
  to->request_hits = from.hits;
  to->request_misses = from.misses;
  to->hit_rate = ratio(from.hits, from.misses);
  to->prompt_tokens = from.prompt_tokens;
  to->cached_tokens = from.cached_tokens;
  to->computed_tokens = from.computed_tokens;
  to->generated_tokens = from.generated_tokens;
  to->token_hit_rate = ratio(from.cached_tokens, from.computed_tokens);
  to->saved_ns = from.saved_ns;
  to->latency_avg_ns = from.latency_avg_ns;
  to->latency_p50_ns = from.latency_p50_ns;
  to->latency_p95_ns = from.latency_p95_ns;
  to->latency_p99_ns = from.latency_p99_ns;
  to->ttft_avg_ns = from.ttft_avg_ns;
  to->ttft_p50_ns = from.ttft_p50_ns;
  to->ttft_p95_ns = from.ttft_p95_ns;
  to->ttft_p99_ns = from.ttft_p99_ns;
}

void fill_cache(const CacheStats& from, kvc_stats_t* to) {
  to->matches = from.matches;
  to->match_hits = from.match_hits;
  to->matched_tokens = from.matched_tokens;
  to->match_asked_tokens = from.match_asked_tokens;
  std::copy(std::begin(from.misses_by_reason), std::end(from.misses_by_reason), to->misses_by_reason);
  to->pages = from.pages;
  to->pages_sealed = from.pages_sealed;
  to->pages_deduplicated = from.pages_deduplicated;
  to->pages_evicted = from.pages_evicted;
  to->pages_pinned = from.pages_pinned;
  to->sessions = from.sessions;
  to->tensors = from.tensors;
  to->tensors_evicted = from.tensors_evicted;
  to->memory_budget = from.memory_limit;
  to->memory_used = from.memory_used;
  to->memory_payload = from.memory_payload;
  to->memory_metadata = from.memory_metadata;
  to->memory_pooled = from.memory_pooled;
  to->memory_peak = from.memory_peak;
  to->host_bytes = from.host_bytes;
  to->approximate_tokens = from.approximate_tokens;
  to->pages_encoded = from.pages_encoded;
  to->pages_kept_clear = from.pages_kept_clear;
  to->encoded_raw_bytes = from.encoded_raw_bytes;
  to->encoded_bytes = from.encoded_bytes;
  to->codec_key_error = from.key_error;
  to->codec_value_error = from.value_error;
}

std::string layout_json(const Space& space) {
  const PageGeometry& geometry = space.geometry();
  JsonObject json;
  json.number("n_layers", geometry.n_layers)
      .number("n_kv_heads", geometry.n_kv_heads)
      .number("k_head_dim", geometry.k_dim)
      .number("v_head_dim", geometry.v_dim)
      .string("dtype", dtype_name(geometry.dtype))
      .number("page_tokens", geometry.page_tokens)
      .number("page_bytes", geometry.page_bytes())
      .string("space", to_hex(space.digest().bytes));
  return json.text();
}

}  // namespace

kvc_stats_t Engine::stats() {
  kvc_stats_t stats{};
  stats.struct_size = sizeof stats;
  if (requests_ != nullptr) fill_requests(requests_->stats(), &stats);
  stats.requests_refused += refused_.load(std::memory_order_relaxed);
  fill_cache(cache_->stats(), &stats);
  stats.gpu_utilization = -1;
  stats.uptime_ns = clock_.now_ns() - created_ns_;
  return stats;
}

std::string Engine::info() {
  JsonObject json;
  json.string("version", kvc_version_string()).string("preset", preset_);
  if (backend_ != nullptr) {
    const ModelInfo& info = backend_->info();
    JsonObject model;
    model.string("name", info.name)
        .string("kind", backend_->paged() ? "paged" : "own_kv")
        .number("vocab_size", info.vocab_size)
        .number("context", info.context)
        .number("max_batch_tokens", info.max_batch_tokens)
        .integer("bos", info.bos)
        .integer("eos", info.eos);
    if (!info.details.empty()) model.string("details", info.details);
    json.raw("model", model.text()).raw("layout", layout_json(*space_));
  } else {
    json.raw("model", "null").raw("layout", "null");
  }
  json.number("memory_budget", cache_->options().memory_limit)
      .string("allocator", has_allocator_ ? "caller" : "mimalloc")
      .string("policy", cache_->policy_name())
      .string("codec", cache_->codec_name())
      .raw("tiers", "[\"host\"]");
  JsonObject options;
  for (const auto& [name, value] : options_) options.string(name, value);
  return json.raw("options", options.text()).text();
}

}  // namespace kvc
