//! What kvc tells, as values; units and meaning as in `kvc.h`.
//!
//! Written by bindings/generate from include/kvc/kvc.h; do not edit.
use crate::text;
use kvc_sys::raw;

/// `kvc_option_info_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct OptionInfo {
    /// KVC_OPTION_*
    pub r#type: i32,
    /// name
    pub name: String,
    /// of the preset "seamless"
    pub default_value: String,
    /// "" where there is none
    pub minimum: String,
    /// "" where there is none
    pub maximum: String,
    /// "" unless type is KVC_OPTION_CHOICE
    pub choices: String,
    /// one or two sentences
    pub doc: String,
    /// version that introduced it
    pub since: String,
}

impl OptionInfo {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) unsafe fn of(s: &raw::kvc_option_info_t) -> Self {
        Self {
            r#type: s.r#type,
            name: text::terminated(s.name),
            default_value: text::terminated(s.default_value),
            minimum: text::terminated(s.minimum),
            maximum: text::terminated(s.maximum),
            choices: text::terminated(s.choices),
            doc: text::terminated(s.doc),
            since: text::terminated(s.since),
        }
    }
}

/// `kvc_response_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Response {
    /// KVC_OK, or why it failed; what was generated until then is here all the same
    pub status: i32,
    /// KVC_FINISH_*
    pub finish_reason: i32,
    /// the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)
    pub text: String,
    /// the answer's tokens
    pub tokens: Vec<i32>,
    /// 1 if any token of the prompt, but a bos alone, was found in the cache
    pub cache_hit: u32,
    /// length of the prompt
    pub prompt_tokens: u32,
    /// tokens of the prompt whose K/V was reused
    pub cached_tokens: u32,
    /// tokens of the prompt whose K/V was computed
    pub computed_tokens: u32,
    /// submission to first step
    pub queue_ns: u64,
    /// first step to first token
    pub prefill_ns: u64,
    /// first token to last
    pub decode_ns: u64,
    /// submission to end; queue + prefill + decode
    pub total_ns: u64,
    /// submission to first token; 0 if there was none
    pub ttft_ns: u64,
    /// estimate: cached_tokens at the measured speed of prefill
    pub saved_ns: u64,
    /// KVC_MISS_*
    pub miss_reason: i32,
    /// in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none
    pub miss_text: String,
    /// message of `status`; "" if KVC_OK
    pub error: String,
    /// of the request
    pub ticket: u64,
    /// of cached_tokens: their K/V went through a lossy codec
    pub approximate_tokens: u32,
    /// 0
    pub reserved2: u32,
}

impl Response {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) unsafe fn of(s: &raw::kvc_response_t) -> Self {
        Self {
            status: s.status,
            finish_reason: s.finish_reason,
            text: text::sized(s.text, s.text_size),
            tokens: text::ints(s.tokens, s.n_tokens as usize),
            cache_hit: s.cache_hit,
            prompt_tokens: s.prompt_tokens,
            cached_tokens: s.cached_tokens,
            computed_tokens: s.computed_tokens,
            queue_ns: s.queue_ns,
            prefill_ns: s.prefill_ns,
            decode_ns: s.decode_ns,
            total_ns: s.total_ns,
            ttft_ns: s.ttft_ns,
            saved_ns: s.saved_ns,
            miss_reason: s.miss_reason,
            miss_text: text::terminated(s.miss_text),
            error: text::terminated(s.error),
            ticket: s.ticket,
            approximate_tokens: s.approximate_tokens,
            reserved2: s.reserved2,
        }
    }
}

/// `kvc_space_info_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SpaceInfo {
    /// of the identity; the root of every chain
    pub digest: [u8; 32],
    /// n layers
    pub n_layers: u32,
    /// n kv heads
    pub n_kv_heads: u32,
    /// k head dim
    pub k_head_dim: u32,
    /// v head dim
    pub v_head_dim: u32,
    /// dtype
    pub dtype: i32,
    /// page tokens
    pub page_tokens: u32,
    /// K/V bytes of one page before any codec
    pub page_bytes: u64,
    /// vocab size
    pub vocab_size: i32,
}

impl SpaceInfo {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) fn of(s: &raw::kvc_space_info_t) -> Self {
        Self {
            digest: s.digest,
            n_layers: s.n_layers,
            n_kv_heads: s.n_kv_heads,
            k_head_dim: s.k_head_dim,
            v_head_dim: s.v_head_dim,
            dtype: s.dtype,
            page_tokens: s.page_tokens,
            page_bytes: s.page_bytes,
            vocab_size: s.vocab_size,
        }
    }
}

/// `kvc_session_info_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// committed tokens
    pub length: u64,
    /// of these, found by kvc_session_match
    pub matched: u64,
    /// sealed pages
    pub pages: u64,
    /// tokens appended to every layer and not committed
    pub pending: u64,
    /// memory of pages that are not sealed and not shared
    pub tail_bytes: u64,
    /// priority
    pub priority: i32,
    /// 1 if the sealed pages are pinned
    pub pinned: u32,
    /// equal for sessions of one tenant, else different; means nothing outside this engine
    pub domain: u64,
    /// of length: tokens whose K/V went through a lossy codec
    pub approximate: u64,
    /// of approximate: tokens of pages of which attention sees a part (codec sparse)
    pub sparse: u64,
    /// of approximate: tokens whose pages were encoded again, to fewer bits, at rest
    pub aged: u64,
}

impl SessionInfo {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) fn of(s: &raw::kvc_session_info_t) -> Self {
        Self {
            length: s.length,
            matched: s.matched,
            pages: s.pages,
            pending: s.pending,
            tail_bytes: s.tail_bytes,
            priority: s.priority,
            pinned: s.pinned,
            domain: s.domain,
            approximate: s.approximate,
            sparse: s.sparse,
            aged: s.aged,
        }
    }
}

/// `kvc_tensor_info_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TensorInfo {
    /// as in kvc_put_options_t; static text
    pub codec: String,
    /// of memory that its numbers take
    pub bytes: u64,
    /// as it is given back
    pub raw_bytes: u64,
    /// measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit
    pub error: f64,
    /// 1: not bit for bit what was put
    pub approximate: u32,
    /// as it was asked for
    pub plane: i32,
}

impl TensorInfo {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) unsafe fn of(s: &raw::kvc_tensor_info_t) -> Self {
        Self {
            codec: text::terminated(s.codec),
            bytes: s.bytes,
            raw_bytes: s.raw_bytes,
            error: s.error,
            approximate: s.approximate,
            plane: s.plane,
        }
    }
}

/// `kvc_page_info_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PageInfo {
    /// id
    pub id: [u8; 32],
    /// the space's root for a first page
    pub parent: [u8; 32],
    /// digest of the space
    pub space: [u8; 32],
    /// of its first token
    pub position: u64,
    /// K/V as stored
    pub bytes: u64,
    /// metadata bytes
    pub metadata_bytes: u64,
    /// matches that used it
    pub hits: u64,
    /// since it was sealed
    pub age_ns: u64,
    /// since it was last used
    pub idle_ns: u64,
    /// page_tokens; fewer in the last page of a session that was closed
    pub n_tokens: u32,
    /// sessions that end in this page
    pub references: u32,
    /// pages that continue it
    pub children: u32,
    /// KVC_TIER_*
    pub tier: i32,
    /// priority
    pub priority: i32,
    /// pinned
    pub pinned: u32,
    /// name of its codec, e.g. "identity"
    pub codec: String,
    /// 1: its K/V is not bit for bit what was appended
    pub approximate: u32,
    /// 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after
    pub aged: u32,
    /// 0
    pub reserved2: u32,
}

impl PageInfo {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) unsafe fn of(s: &raw::kvc_page_info_t) -> Self {
        Self {
            id: s.id,
            parent: s.parent,
            space: s.space,
            position: s.position,
            bytes: s.bytes,
            metadata_bytes: s.metadata_bytes,
            hits: s.hits,
            age_ns: s.age_ns,
            idle_ns: s.idle_ns,
            n_tokens: s.n_tokens,
            references: s.references,
            children: s.children,
            tier: s.tier,
            priority: s.priority,
            pinned: s.pinned,
            codec: text::terminated(s.codec.as_ptr()),
            approximate: s.approximate,
            aged: s.aged,
            reserved2: s.reserved2,
        }
    }
}

/// `kvc_stats_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// submitted and accepted
    pub requests: u64,
    /// with KVC_OK
    pub requests_completed: u64,
    /// requests failed
    pub requests_failed: u64,
    /// by the caller or by a deadline
    pub requests_cancelled: u64,
    /// never queued: bad arguments or a full queue
    pub requests_refused: u64,
    /// waiting now
    pub requests_queued: u64,
    /// in the batch now
    pub requests_active: u64,
    /// requests that reused at least one token
    pub request_hits: u64,
    /// request misses
    pub request_misses: u64,
    /// request_hits / (request_hits + request_misses); 0 before the first
    pub hit_rate: f64,
    /// prompt tokens
    pub prompt_tokens: u64,
    /// of the prompts, reused
    pub cached_tokens: u64,
    /// of the prompts, computed
    pub computed_tokens: u64,
    /// generated tokens
    pub generated_tokens: u64,
    /// cached / (cached + computed)
    pub token_hit_rate: f64,
    /// sum of the responses' saved_ns
    pub saved_ns: u64,
    /// latency avg ns
    pub latency_avg_ns: u64,
    /// latency p50 ns
    pub latency_p50_ns: u64,
    /// latency p95 ns
    pub latency_p95_ns: u64,
    /// latency p99 ns
    pub latency_p99_ns: u64,
    /// ttft avg ns
    pub ttft_avg_ns: u64,
    /// ttft p50 ns
    pub ttft_p50_ns: u64,
    /// ttft p95 ns
    pub ttft_p95_ns: u64,
    /// the page core, with or without requests
    pub ttft_p99_ns: u64,
    /// kvc_session_match calls, the request engine's included
    pub matches: u64,
    /// of these, with at least one token
    pub match_hits: u64,
    /// matched tokens
    pub matched_tokens: u64,
    /// match asked tokens
    pub match_asked_tokens: u64,
    /// by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged
    pub misses_by_reason: [u64; 8],
    /// held now
    pub pages: u64,
    /// ever
    pub pages_sealed: u64,
    /// sealed twice, kept once
    pub pages_deduplicated: u64,
    /// pages evicted
    pub pages_evicted: u64,
    /// now
    pub pages_pinned: u64,
    /// open now
    pub sessions: u64,
    /// plain tensors held now
    pub tensors: u64,
    /// memory, bytes
    pub tensors_evicted: u64,
    /// memory budget
    pub memory_budget: u64,
    /// payload + metadata + pooled; never more than the budget
    pub memory_used: u64,
    /// K/V and tensors
    pub memory_payload: u64,
    /// memory metadata
    pub memory_metadata: u64,
    /// free pages kept for reuse
    pub memory_pooled: u64,
    /// memory peak
    pub memory_peak: u64,
    /// of pages, per tier
    pub host_bytes: u64,
    /// device bytes
    pub device_bytes: u64,
    /// disk bytes
    pub disk_bytes: u64,
    /// remote bytes
    pub remote_bytes: u64,
    /// 0..1; -1 when there is none
    pub gpu_utilization: f64,
    /// codecs
    pub uptime_ns: u64,
    /// of matched_tokens: their K/V went through a lossy codec
    pub approximate_tokens: u64,
    /// ever, by a lossy codec
    pub pages_encoded: u64,
    /// ever: not finite, or no smaller when encoded
    pub pages_kept_clear: u64,
    /// of pages_encoded, before ...
    pub encoded_raw_bytes: u64,
    /// ... and after
    pub encoded_bytes: u64,
    /// measured: root mean square error of encoded keys over that of the keys ...
    pub codec_key_error: f64,
    /// ... and of values; a layer of every page
    pub codec_value_error: f64,
    /// matches that ended with KVC_MISS_DAMAGED
    pub misses_damaged: u64,
    /// option disk_limit
    pub disk_limit: u64,
    /// records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it
    pub disk_pages: u64,
    /// pages that matches found on disk and read into memory
    pub disk_hits: u64,
    /// tokens that those pages added to matches
    pub disk_hit_tokens: u64,
    /// matches that looked for more on disk and found none
    pub disk_misses: u64,
    /// pages written, most of them ahead of eviction
    pub disk_written: u64,
    /// of these, when they were evicted from memory
    pub disk_demoted: u64,
    /// pages that were not written: the disk was slower than what came, or full
    pub disk_dropped: u64,
    /// pages whose bytes failed their check; each was a miss
    pub disk_damaged: u64,
    /// matches that gave up waiting
    pub disk_timeouts: u64,
    /// pages on disk that were left there because to compute is faster
    pub disk_recomputed: u64,
    /// writes, reads and syncs that the operating system refused
    pub disk_errors: u64,
    /// to the files, records and metadata
    pub disk_written_bytes: u64,
    /// disk read bytes
    pub disk_read_bytes: u64,
    /// pages that wait to be written
    pub disk_waiting: u64,
    /// age of the state that would survive a power cut now; 0: nothing was made durable yet
    pub disk_durable_ns: u64,
    /// KVC_STRATEGY_*: what it goes by now
    pub policy_strategy: i32,
    /// KVC_REASON_*: why it last changed that
    pub policy_reason: i32,
    /// how often it did
    pub policy_changes: u64,
    /// time since it last did; 0: never
    pub policy_changed_ns: u64,
    /// option device_memory, times the devices in use
    pub device_limit: u64,
    /// that have a copy there now
    pub device_pages: u64,
    /// pages that a call on a device found there ...
    pub device_hits: u64,
    /// ... and pages that were copied there for one
    pub device_promoted: u64,
    /// copies that made room for others; the pages are in memory as before
    pub device_demoted: u64,
    /// copied to devices
    pub device_in_bytes: u64,
    /// copied from devices
    pub device_out_bytes: u64,
    /// in use now
    pub devices: u64,
    /// that failed; memory and disk serve on
    pub devices_lost: u64,
    /// ever: calls that a codec of the caller's (kvc_codec_t) failed
    pub codec_failures: u64,
    /// ever: pages of which codec sparse keeps a part of the rows in memory
    pub pages_sparse: u64,
    /// of these, chosen without kvc_session_attend's scores: the latest rows stayed
    pub sparse_by_recency: u64,
    /// pages brought back in full for a read or an attend
    pub sparse_restored: u64,
    /// of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had
    pub sparse_mass_left_out: f64,
    /// pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound)
    pub codec_checked: u64,
    /// of these, pages where a head needed more bits than its space had learned
    pub codec_raised: u64,
    /// K/V heads of checked pages that no codes served: kept as they came
    pub codec_heads_exact: u64,
    /// largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound
    pub codec_bound_error: f64,
    /// ever encoded again at rest (codec_rest_bits, codec_rest_bound)
    pub pages_aged: u64,
    /// of these, before ...
    pub aged_before_bytes: u64,
    /// ... and after
    pub aged_bytes: u64,
    /// of approximate_tokens: of such pages
    pub aged_tokens: u64,
}

impl Stats {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) fn of(s: &raw::kvc_stats_t) -> Self {
        Self {
            requests: s.requests,
            requests_completed: s.requests_completed,
            requests_failed: s.requests_failed,
            requests_cancelled: s.requests_cancelled,
            requests_refused: s.requests_refused,
            requests_queued: s.requests_queued,
            requests_active: s.requests_active,
            request_hits: s.request_hits,
            request_misses: s.request_misses,
            hit_rate: s.hit_rate,
            prompt_tokens: s.prompt_tokens,
            cached_tokens: s.cached_tokens,
            computed_tokens: s.computed_tokens,
            generated_tokens: s.generated_tokens,
            token_hit_rate: s.token_hit_rate,
            saved_ns: s.saved_ns,
            latency_avg_ns: s.latency_avg_ns,
            latency_p50_ns: s.latency_p50_ns,
            latency_p95_ns: s.latency_p95_ns,
            latency_p99_ns: s.latency_p99_ns,
            ttft_avg_ns: s.ttft_avg_ns,
            ttft_p50_ns: s.ttft_p50_ns,
            ttft_p95_ns: s.ttft_p95_ns,
            ttft_p99_ns: s.ttft_p99_ns,
            matches: s.matches,
            match_hits: s.match_hits,
            matched_tokens: s.matched_tokens,
            match_asked_tokens: s.match_asked_tokens,
            misses_by_reason: s.misses_by_reason,
            pages: s.pages,
            pages_sealed: s.pages_sealed,
            pages_deduplicated: s.pages_deduplicated,
            pages_evicted: s.pages_evicted,
            pages_pinned: s.pages_pinned,
            sessions: s.sessions,
            tensors: s.tensors,
            tensors_evicted: s.tensors_evicted,
            memory_budget: s.memory_budget,
            memory_used: s.memory_used,
            memory_payload: s.memory_payload,
            memory_metadata: s.memory_metadata,
            memory_pooled: s.memory_pooled,
            memory_peak: s.memory_peak,
            host_bytes: s.host_bytes,
            device_bytes: s.device_bytes,
            disk_bytes: s.disk_bytes,
            remote_bytes: s.remote_bytes,
            gpu_utilization: s.gpu_utilization,
            uptime_ns: s.uptime_ns,
            approximate_tokens: s.approximate_tokens,
            pages_encoded: s.pages_encoded,
            pages_kept_clear: s.pages_kept_clear,
            encoded_raw_bytes: s.encoded_raw_bytes,
            encoded_bytes: s.encoded_bytes,
            codec_key_error: s.codec_key_error,
            codec_value_error: s.codec_value_error,
            misses_damaged: s.misses_damaged,
            disk_limit: s.disk_limit,
            disk_pages: s.disk_pages,
            disk_hits: s.disk_hits,
            disk_hit_tokens: s.disk_hit_tokens,
            disk_misses: s.disk_misses,
            disk_written: s.disk_written,
            disk_demoted: s.disk_demoted,
            disk_dropped: s.disk_dropped,
            disk_damaged: s.disk_damaged,
            disk_timeouts: s.disk_timeouts,
            disk_recomputed: s.disk_recomputed,
            disk_errors: s.disk_errors,
            disk_written_bytes: s.disk_written_bytes,
            disk_read_bytes: s.disk_read_bytes,
            disk_waiting: s.disk_waiting,
            disk_durable_ns: s.disk_durable_ns,
            policy_strategy: s.policy_strategy,
            policy_reason: s.policy_reason,
            policy_changes: s.policy_changes,
            policy_changed_ns: s.policy_changed_ns,
            device_limit: s.device_limit,
            device_pages: s.device_pages,
            device_hits: s.device_hits,
            device_promoted: s.device_promoted,
            device_demoted: s.device_demoted,
            device_in_bytes: s.device_in_bytes,
            device_out_bytes: s.device_out_bytes,
            devices: s.devices,
            devices_lost: s.devices_lost,
            codec_failures: s.codec_failures,
            pages_sparse: s.pages_sparse,
            sparse_by_recency: s.sparse_by_recency,
            sparse_restored: s.sparse_restored,
            sparse_mass_left_out: s.sparse_mass_left_out,
            codec_checked: s.codec_checked,
            codec_raised: s.codec_raised,
            codec_heads_exact: s.codec_heads_exact,
            codec_bound_error: s.codec_bound_error,
            pages_aged: s.pages_aged,
            aged_before_bytes: s.aged_before_bytes,
            aged_bytes: s.aged_bytes,
            aged_tokens: s.aged_tokens,
        }
    }
}

/// `kvc_whatif_t`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Whatif {
    /// of the tokens of the sessions looked at, those found in the cache
    pub token_hit_rate: f64,
    /// the same in pages
    pub page_hit_rate: f64,
    /// that the budget holds, at the bytes per page of now
    pub pages: u64,
    /// looked at
    pub sessions: u64,
    /// of these sessions, estimated from the sample
    pub tokens: u64,
    /// from the first of these sessions' ends to the last
    pub span_ns: u64,
    /// prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model)
    pub saved_ns: u64,
    /// share of the pages that were looked at
    pub sampled: f64,
}

impl Whatif {
    /// Copies the C struct, whose pointers must be valid.
    pub(crate) fn of(s: &raw::kvc_whatif_t) -> Self {
        Self {
            token_hit_rate: s.token_hit_rate,
            page_hit_rate: s.page_hit_rate,
            pages: s.pages,
            sessions: s.sessions,
            tokens: s.tokens,
            span_ns: s.span_ns,
            saved_ns: s.saved_ns,
            sampled: s.sampled,
        }
    }
}
