// What an engine says of itself: statistics and info.
#include <algorithm>
#include <charconv>
#include <new>
#include <span>

#include "base/hash.h"
#include "base/json.h"
#include "engine/engine.h"
#include "engine/values.h"
#include "model/module.h"

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
  std::copy_n(from.misses_by_reason, std::size(to->misses_by_reason), to->misses_by_reason);
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
  to->codec_checked = from.pages_checked;
  to->codec_raised = from.pages_raised;
  to->codec_heads_exact = from.heads_raw;
  to->codec_bound_error = from.bound_error;
  to->pages_aged = from.pages_aged;
  to->aged_before_bytes = from.aged_before_bytes;
  to->aged_bytes = from.aged_bytes;
  to->aged_tokens = from.aged_tokens;
  const DiskStats& disk = from.disk;
  to->misses_damaged = from.misses_by_reason[KVC_MISS_DAMAGED];
  to->disk_bytes = disk.bytes;
  to->disk_limit = disk.limit;
  to->disk_pages = disk.pages;
  to->disk_hits = disk.hits;
  to->disk_hit_tokens = disk.hit_tokens;
  to->disk_misses = disk.misses;
  to->disk_written = disk.written;
  to->disk_demoted = disk.demoted;
  to->disk_dropped = disk.dropped;
  to->disk_damaged = disk.damaged;
  to->disk_timeouts = disk.timeouts;
  to->disk_recomputed = disk.recomputed;
  to->disk_errors = disk.errors;
  to->disk_written_bytes = disk.written_bytes;
  to->disk_read_bytes = disk.read_bytes;
  to->disk_waiting = disk.waiting;
  to->disk_durable_ns = disk.durable_ns;
  to->device_bytes = from.device.bytes;
  to->device_limit = from.device.limit;
  to->device_pages = from.device.pages;
  to->device_hits = from.device.hits;
  to->device_promoted = from.device.promoted;
  to->device_demoted = from.device.demoted;
  to->device_in_bytes = from.device.in_bytes;
  to->device_out_bytes = from.device.out_bytes;
  to->devices = from.device.devices;
  to->devices_lost = from.device.lost;
  to->policy_strategy = from.policy.strategy;
  to->policy_reason = from.policy.reason;
  to->policy_changes = from.policy.changes;
  to->policy_changed_ns = from.policy.changed_ns;
  to->codec_failures = from.codec_failures;
  to->pages_sparse = from.pages_sparse;
  to->sparse_by_recency = from.sparse_by_recency;
  to->sparse_restored = from.sparse_restored;
  to->sparse_mass_left_out = from.sparse_mass_left_out;
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

std::string strategy_text(const PolicyState& state) {
  static constexpr const char* kStrategies[] = {"fixed", "learned reuse", "recency"};
  static constexpr const char* kReasons[] = {"", ": what was learned cost hits lately",
                                             ": another try with what was learned meanwhile",
                                             ": kvc_adapt asked for another objective"};
  return std::string(kStrategies[state.strategy]) + kReasons[state.reason];
}

// In four digits, whatever the locale.
std::string number_json(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 4);
  return std::string(text, end.ptr);
}

std::string calibrations_json(const std::vector<CalibrationInfo>& spaces) {
  std::string list;
  for (const CalibrationInfo& space : spaces) {
    JsonObject json;
    json.string("space", to_hex(space.space.bytes)).string("state", space.state);
    if (!space.why.empty()) json.string("why", space.why);
    json.raw("bits", number_json(space.report.bits))
        .raw("output_error", number_json(space.report.worst_error))
        .number("queries", space.report.queries);
    list += (list.empty() ? "" : ",") + json.text();
  }
  return "[" + list + "]";
}

std::string device_json(DevicePages& pages) {
  const DeviceTier& tier = pages.tier();
  DeviceStats stats;
  pages.add_stats(&stats);
  kvc_cuda_stats_t own{};
  own.struct_size = sizeof own;
  (void)tier.api().stats(tier.handle(), &own);
  JsonObject json;
  json.integer("device", tier.ordinal())
      .raw("lost", stats.lost != 0 ? "true" : "false")
      .number("limit", tier.limit())
      .number("bytes", stats.bytes)
      .number("pages", stats.pages)
      .number("hits", stats.hits)
      .number("promoted", stats.promoted)
      .number("demoted", stats.demoted)
      .number("in_bytes", stats.in_bytes)
      .number("out_bytes", stats.out_bytes)
      .number("staged_bytes", own.staged_bytes)
      .number("pinned_bytes", own.pinned_bytes)
      .number("pool_ready", own.pool_ready)
      .number("waits", own.waits)
      .raw("utilization", own.utilization < 0 ? "null" : number_json(own.utilization));
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
  for (size_t i = 0; cache_->devices() != nullptr && i < cache_->devices()->size(); ++i) {
    const DeviceTier& tier = cache_->devices()->at(i).tier();
    kvc_cuda_stats_t own{};
    own.struct_size = sizeof own;
    if (tier.api().stats(tier.handle(), &own) == KVC_OK) stats.gpu_utilization = std::max(stats.gpu_utilization, own.utilization);
  }
  stats.uptime_ns = clock_.now_ns() - created_ns_;
  return stats;
}

// Settings, statistics: what a later engine, or an operator, wants to know of this one.
Disk::Texts Engine::checkpoint() {
  std::string settings;
  for (const auto& [name, value] : options_) {
    if (name != "secret" && name != "disk_key") settings += name + "=" + value + "\n";
  }
  const kvc_stats_t now = stats();
  JsonObject json;
  json.string("version", kvc_version_string())
      .number("uptime_ns", now.uptime_ns)
      .number("requests", now.requests)
      .number("requests_completed", now.requests_completed)
      .number("request_hits", now.request_hits)
      .number("request_misses", now.request_misses)
      .number("prompt_tokens", now.prompt_tokens)
      .number("cached_tokens", now.cached_tokens)
      .number("computed_tokens", now.computed_tokens)
      .number("generated_tokens", now.generated_tokens)
      .number("saved_ns", now.saved_ns)
      .number("matches", now.matches)
      .number("match_hits", now.match_hits)
      .number("matched_tokens", now.matched_tokens)
      .number("pages_sealed", now.pages_sealed)
      .number("pages_evicted", now.pages_evicted)
      .number("sessions", now.sessions)
      .number("disk_hits", now.disk_hits)
      .number("disk_misses", now.disk_misses)
      .number("disk_written", now.disk_written)
      .number("disk_damaged", now.disk_damaged);
  Disk::Texts texts = {{std::string(kSettingsBlob), settings}, {std::string(kStatisticsBlob), json.text()}};
  const std::vector<std::byte> learned = cache_->policy_state();
  if (!learned.empty()) {
    texts.emplace_back(kPolicyBlob, std::string(reinterpret_cast<const char*>(learned.data()), learned.size()));
  }
  return texts;
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
  Devices* const devices = cache_->devices();
  const std::string tiers = std::string("[") + (devices != nullptr ? "\"device\"," : "") + "\"host\"" +
                            (cache_->disk().store() != nullptr ? ",\"disk\"]" : "]");
  json.number("memory_budget", cache_->options().memory_limit)
      .string("allocator", has_allocator_ ? "caller" : "mimalloc")
      .string("policy", cache_->policy_name())
      .string("policy_strategy", strategy_text(cache_->stats().policy))
      .string("codec", cache_->codec_name())
      .raw("codec_learned", calibrations_json(cache_->calibrations()))
      .raw("tiers", tiers);
  json.raw("device", describe_device_module());
  JsonObject tier;
  if (devices != nullptr) {
    std::string list;
    for (size_t i = 0; i < devices->size(); ++i) list += (list.empty() ? "" : ",") + device_json(devices->at(i));
    tier.raw("devices", "[" + list + "]");
  }
  if (!cache_->options().devices_why.empty()) tier.string("why", cache_->options().devices_why);
  if (settings_.device_memory > 0) json.raw("device_tier", tier.text());
  JsonObject options;
  for (const auto& [name, value] : options_) options.string(name, value);
  return json.raw("options", options.text()).text();
}

}  // namespace kvc
