"""What kvc tells, as frozen values; units and meaning as in kvc.h.

Written by bindings/generate from include/kvc/kvc.h; do not edit."""
from ctypes import c_int32, string_at
from dataclasses import dataclass
from typing import List


def _text(address_or_bytes, size=None):
    if not address_or_bytes:
        return ""
    raw = address_or_bytes if size is None else string_at(address_or_bytes, size)
    return raw.decode("utf-8", "replace")


def _ints(address, n):
    return list((c_int32 * n).from_address(address)) if n and address else []


@dataclass(frozen=True)
class OptionInfo:
    type: int  # KVC_OPTION_*
    name: str
    default_value: str  # of the preset "seamless"
    minimum: str  # "" where there is none
    maximum: str  # "" where there is none
    choices: str  # "" unless type is KVC_OPTION_CHOICE
    doc: str  # one or two sentences
    since: str  # version that introduced it

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(s.type,
                   _text(s.name),
                   _text(s.default_value),
                   _text(s.minimum),
                   _text(s.maximum),
                   _text(s.choices),
                   _text(s.doc),
                   _text(s.since))


@dataclass(frozen=True)
class Response:
    status: int  # KVC_OK, or why it failed; what was generated until then is here all the same
    finish_reason: int  # KVC_FINISH_*
    text: str  # the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)
    tokens: List[int]  # the answer's tokens
    cache_hit: int  # 1 if any token of the prompt, but a bos alone, was found in the cache
    prompt_tokens: int  # length of the prompt
    cached_tokens: int  # tokens of the prompt whose K/V was reused
    computed_tokens: int  # tokens of the prompt whose K/V was computed
    queue_ns: int  # submission to first step
    prefill_ns: int  # first step to first token
    decode_ns: int  # first token to last
    total_ns: int  # submission to end; queue + prefill + decode
    ttft_ns: int  # submission to first token; 0 if there was none
    saved_ns: int  # estimate: cached_tokens at the measured speed of prefill
    miss_reason: int  # KVC_MISS_*
    miss_text: str  # in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none
    error: str  # message of `status`; "" if KVC_OK
    ticket: int  # of the request
    approximate_tokens: int  # of cached_tokens: their K/V went through a lossy codec
    reserved2: int  # 0

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(s.status,
                   s.finish_reason,
                   _text(s.text, s.text_size),
                   _ints(s.tokens, s.n_tokens),
                   s.cache_hit,
                   s.prompt_tokens,
                   s.cached_tokens,
                   s.computed_tokens,
                   s.queue_ns,
                   s.prefill_ns,
                   s.decode_ns,
                   s.total_ns,
                   s.ttft_ns,
                   s.saved_ns,
                   s.miss_reason,
                   _text(s.miss_text),
                   _text(s.error),
                   s.ticket,
                   s.approximate_tokens,
                   s.reserved2)


@dataclass(frozen=True)
class SpaceInfo:
    digest: bytes  # of the identity; the root of every chain
    n_layers: int
    n_kv_heads: int
    k_head_dim: int
    v_head_dim: int
    dtype: int
    page_tokens: int
    page_bytes: int  # K/V bytes of one page before any codec
    vocab_size: int

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(bytes(s.digest),
                   s.n_layers,
                   s.n_kv_heads,
                   s.k_head_dim,
                   s.v_head_dim,
                   s.dtype,
                   s.page_tokens,
                   s.page_bytes,
                   s.vocab_size)


@dataclass(frozen=True)
class SessionInfo:
    length: int  # committed tokens
    matched: int  # of these, found by kvc_session_match
    pages: int  # sealed pages
    pending: int  # tokens appended to every layer and not committed
    tail_bytes: int  # memory of pages that are not sealed and not shared
    priority: int
    pinned: int  # 1 if the sealed pages are pinned
    domain: int  # equal for sessions of one tenant, else different; means nothing outside this engine
    approximate: int  # of length: tokens whose K/V went through a lossy codec
    sparse: int  # of approximate: tokens of pages of which attention sees a part (codec sparse)
    aged: int  # of approximate: tokens whose pages were encoded again, to fewer bits, at rest

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(s.length,
                   s.matched,
                   s.pages,
                   s.pending,
                   s.tail_bytes,
                   s.priority,
                   s.pinned,
                   s.domain,
                   s.approximate,
                   s.sparse,
                   s.aged)


@dataclass(frozen=True)
class TensorInfo:
    codec: str  # as in kvc_put_options_t; static text
    bytes: int  # of memory that its numbers take
    raw_bytes: int  # as it is given back
    error: float  # measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit
    approximate: int  # 1: not bit for bit what was put
    plane: int  # as it was asked for

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(_text(s.codec),
                   s.bytes,
                   s.raw_bytes,
                   s.error,
                   s.approximate,
                   s.plane)


@dataclass(frozen=True)
class PageInfo:
    id: bytes
    parent: bytes  # the space's root for a first page
    space: bytes  # digest of the space
    position: int  # of its first token
    bytes: int  # K/V as stored
    metadata_bytes: int
    hits: int  # matches that used it
    age_ns: int  # since it was sealed
    idle_ns: int  # since it was last used
    n_tokens: int  # page_tokens; fewer in the last page of a session that was closed
    references: int  # sessions that end in this page
    children: int  # pages that continue it
    tier: int  # KVC_TIER_*
    priority: int
    pinned: int
    codec: str  # name of its codec, e.g. "identity"
    approximate: int  # 1: its K/V is not bit for bit what was appended
    aged: int  # 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after
    reserved2: int  # 0

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(bytes(s.id),
                   bytes(s.parent),
                   bytes(s.space),
                   s.position,
                   s.bytes,
                   s.metadata_bytes,
                   s.hits,
                   s.age_ns,
                   s.idle_ns,
                   s.n_tokens,
                   s.references,
                   s.children,
                   s.tier,
                   s.priority,
                   s.pinned,
                   _text(s.codec),
                   s.approximate,
                   s.aged,
                   s.reserved2)


@dataclass(frozen=True)
class Stats:
    requests: int  # submitted and accepted
    requests_completed: int  # with KVC_OK
    requests_failed: int
    requests_cancelled: int  # by the caller or by a deadline
    requests_refused: int  # never queued: bad arguments or a full queue
    requests_queued: int  # waiting now
    requests_active: int  # in the batch now
    request_hits: int  # requests that reused at least one token
    request_misses: int
    hit_rate: float  # request_hits / (request_hits + request_misses); 0 before the first
    prompt_tokens: int
    cached_tokens: int  # of the prompts, reused
    computed_tokens: int  # of the prompts, computed
    generated_tokens: int
    token_hit_rate: float  # cached / (cached + computed)
    saved_ns: int  # sum of the responses' saved_ns
    latency_avg_ns: int
    latency_p50_ns: int
    latency_p95_ns: int
    latency_p99_ns: int
    ttft_avg_ns: int
    ttft_p50_ns: int
    ttft_p95_ns: int
    ttft_p99_ns: int  # the page core, with or without requests
    matches: int  # kvc_session_match calls, the request engine's included
    match_hits: int  # of these, with at least one token
    matched_tokens: int
    match_asked_tokens: int
    misses_by_reason: List[int]  # by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged
    pages: int  # held now
    pages_sealed: int  # ever
    pages_deduplicated: int  # sealed twice, kept once
    pages_evicted: int
    pages_pinned: int  # now
    sessions: int  # open now
    tensors: int  # plain tensors held now
    tensors_evicted: int  # memory, bytes
    memory_budget: int
    memory_used: int  # payload + metadata + pooled; never more than the budget
    memory_payload: int  # K/V and tensors
    memory_metadata: int
    memory_pooled: int  # free pages kept for reuse
    memory_peak: int
    host_bytes: int  # of pages, per tier
    device_bytes: int
    disk_bytes: int
    remote_bytes: int
    gpu_utilization: float  # 0..1; -1 when there is none
    uptime_ns: int  # codecs
    approximate_tokens: int  # of matched_tokens: their K/V went through a lossy codec
    pages_encoded: int  # ever, by a lossy codec
    pages_kept_clear: int  # ever: not finite, or no smaller when encoded
    encoded_raw_bytes: int  # of pages_encoded, before ...
    encoded_bytes: int  # ... and after
    codec_key_error: float  # measured: root mean square error of encoded keys over that of the keys ...
    codec_value_error: float  # ... and of values; a layer of every page
    misses_damaged: int  # matches that ended with KVC_MISS_DAMAGED
    disk_limit: int  # option disk_limit
    disk_pages: int  # records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it
    disk_hits: int  # pages that matches found on disk and read into memory
    disk_hit_tokens: int  # tokens that those pages added to matches
    disk_misses: int  # matches that looked for more on disk and found none
    disk_written: int  # pages written, most of them ahead of eviction
    disk_demoted: int  # of these, when they were evicted from memory
    disk_dropped: int  # pages that were not written: the disk was slower than what came, or full
    disk_damaged: int  # pages whose bytes failed their check; each was a miss
    disk_timeouts: int  # matches that gave up waiting
    disk_recomputed: int  # pages on disk that were left there because to compute is faster
    disk_errors: int  # writes, reads and syncs that the operating system refused
    disk_written_bytes: int  # to the files, records and metadata
    disk_read_bytes: int
    disk_waiting: int  # pages that wait to be written
    disk_durable_ns: int  # age of the state that would survive a power cut now; 0: nothing was made durable yet
    policy_strategy: int  # KVC_STRATEGY_*: what it goes by now
    policy_reason: int  # KVC_REASON_*: why it last changed that
    policy_changes: int  # how often it did
    policy_changed_ns: int  # time since it last did; 0: never
    device_limit: int  # option device_memory, times the devices in use
    device_pages: int  # that have a copy there now
    device_hits: int  # pages that a call on a device found there ...
    device_promoted: int  # ... and pages that were copied there for one
    device_demoted: int  # copies that made room for others; the pages are in memory as before
    device_in_bytes: int  # copied to devices
    device_out_bytes: int  # copied from devices
    devices: int  # in use now
    devices_lost: int  # that failed; memory and disk serve on
    codec_failures: int  # ever: calls that a codec of the caller's (kvc_codec_t) failed
    pages_sparse: int  # ever: pages of which codec sparse keeps a part of the rows in memory
    sparse_by_recency: int  # of these, chosen without kvc_session_attend's scores: the latest rows stayed
    sparse_restored: int  # pages brought back in full for a read or an attend
    sparse_mass_left_out: float  # of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had
    codec_checked: int  # pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound)
    codec_raised: int  # of these, pages where a head needed more bits than its space had learned
    codec_heads_exact: int  # K/V heads of checked pages that no codes served: kept as they came
    codec_bound_error: float  # largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound
    pages_aged: int  # ever encoded again at rest (codec_rest_bits, codec_rest_bound)
    aged_before_bytes: int  # of these, before ...
    aged_bytes: int  # ... and after
    aged_tokens: int  # of approximate_tokens: of such pages

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(s.requests,
                   s.requests_completed,
                   s.requests_failed,
                   s.requests_cancelled,
                   s.requests_refused,
                   s.requests_queued,
                   s.requests_active,
                   s.request_hits,
                   s.request_misses,
                   s.hit_rate,
                   s.prompt_tokens,
                   s.cached_tokens,
                   s.computed_tokens,
                   s.generated_tokens,
                   s.token_hit_rate,
                   s.saved_ns,
                   s.latency_avg_ns,
                   s.latency_p50_ns,
                   s.latency_p95_ns,
                   s.latency_p99_ns,
                   s.ttft_avg_ns,
                   s.ttft_p50_ns,
                   s.ttft_p95_ns,
                   s.ttft_p99_ns,
                   s.matches,
                   s.match_hits,
                   s.matched_tokens,
                   s.match_asked_tokens,
                   list(s.misses_by_reason),
                   s.pages,
                   s.pages_sealed,
                   s.pages_deduplicated,
                   s.pages_evicted,
                   s.pages_pinned,
                   s.sessions,
                   s.tensors,
                   s.tensors_evicted,
                   s.memory_budget,
                   s.memory_used,
                   s.memory_payload,
                   s.memory_metadata,
                   s.memory_pooled,
                   s.memory_peak,
                   s.host_bytes,
                   s.device_bytes,
                   s.disk_bytes,
                   s.remote_bytes,
                   s.gpu_utilization,
                   s.uptime_ns,
                   s.approximate_tokens,
                   s.pages_encoded,
                   s.pages_kept_clear,
                   s.encoded_raw_bytes,
                   s.encoded_bytes,
                   s.codec_key_error,
                   s.codec_value_error,
                   s.misses_damaged,
                   s.disk_limit,
                   s.disk_pages,
                   s.disk_hits,
                   s.disk_hit_tokens,
                   s.disk_misses,
                   s.disk_written,
                   s.disk_demoted,
                   s.disk_dropped,
                   s.disk_damaged,
                   s.disk_timeouts,
                   s.disk_recomputed,
                   s.disk_errors,
                   s.disk_written_bytes,
                   s.disk_read_bytes,
                   s.disk_waiting,
                   s.disk_durable_ns,
                   s.policy_strategy,
                   s.policy_reason,
                   s.policy_changes,
                   s.policy_changed_ns,
                   s.device_limit,
                   s.device_pages,
                   s.device_hits,
                   s.device_promoted,
                   s.device_demoted,
                   s.device_in_bytes,
                   s.device_out_bytes,
                   s.devices,
                   s.devices_lost,
                   s.codec_failures,
                   s.pages_sparse,
                   s.sparse_by_recency,
                   s.sparse_restored,
                   s.sparse_mass_left_out,
                   s.codec_checked,
                   s.codec_raised,
                   s.codec_heads_exact,
                   s.codec_bound_error,
                   s.pages_aged,
                   s.aged_before_bytes,
                   s.aged_bytes,
                   s.aged_tokens)


@dataclass(frozen=True)
class Whatif:
    token_hit_rate: float  # of the tokens of the sessions looked at, those found in the cache
    page_hit_rate: float  # the same in pages
    pages: int  # that the budget holds, at the bytes per page of now
    sessions: int  # looked at
    tokens: int  # of these sessions, estimated from the sample
    span_ns: int  # from the first of these sessions' ends to the last
    saved_ns: int  # prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model)
    sampled: float  # share of the pages that were looked at

    @classmethod
    def of(cls, s):
        """Copies the C struct."""
        return cls(s.token_hit_rate,
                   s.page_hit_rate,
                   s.pages,
                   s.sessions,
                   s.tokens,
                   s.span_ns,
                   s.saved_ns,
                   s.sampled)


__all__ = ["OptionInfo", "Response", "SpaceInfo", "SessionInfo", "TensorInfo", "PageInfo", "Stats", "Whatif"]
