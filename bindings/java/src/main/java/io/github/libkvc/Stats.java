// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_stats_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_stats_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param requests submitted and accepted
 * @param requestsCompleted with KVC_OK
 * @param requestsFailed requests failed
 * @param requestsCancelled by the caller or by a deadline
 * @param requestsRefused never queued: bad arguments or a full queue
 * @param requestsQueued waiting now
 * @param requestsActive in the batch now
 * @param requestHits requests that reused at least one token
 * @param requestMisses request misses
 * @param hitRate request_hits / (request_hits + request_misses); 0 before the first
 * @param promptTokens prompt tokens
 * @param cachedTokens of the prompts, reused
 * @param computedTokens of the prompts, computed
 * @param generatedTokens generated tokens
 * @param tokenHitRate cached / (cached + computed)
 * @param savedNs sum of the responses' saved_ns
 * @param latencyAvgNs latency avg ns
 * @param latencyP50Ns latency p50 ns
 * @param latencyP95Ns latency p95 ns
 * @param latencyP99Ns latency p99 ns
 * @param ttftAvgNs ttft avg ns
 * @param ttftP50Ns ttft p50 ns
 * @param ttftP95Ns ttft p95 ns
 * @param ttftP99Ns the page core, with or without requests
 * @param matches kvc_session_match calls, the request engine's included
 * @param matchHits of these, with at least one token
 * @param matchedTokens matched tokens
 * @param matchAskedTokens match asked tokens
 * @param missesByReason by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged
 * @param pages held now
 * @param pagesSealed ever
 * @param pagesDeduplicated sealed twice, kept once
 * @param pagesEvicted pages evicted
 * @param pagesPinned now
 * @param sessions open now
 * @param tensors plain tensors held now
 * @param tensorsEvicted memory, bytes
 * @param memoryBudget memory budget
 * @param memoryUsed payload + metadata + pooled; never more than the budget
 * @param memoryPayload K/V and tensors
 * @param memoryMetadata memory metadata
 * @param memoryPooled free pages kept for reuse
 * @param memoryPeak memory peak
 * @param hostBytes of pages, per tier
 * @param deviceBytes device bytes
 * @param diskBytes disk bytes
 * @param remoteBytes remote bytes
 * @param gpuUtilization 0..1; -1 when there is none
 * @param uptimeNs codecs
 * @param approximateTokens of matched_tokens: their K/V went through a lossy codec
 * @param pagesEncoded ever, by a lossy codec
 * @param pagesKeptClear ever: not finite, or no smaller when encoded
 * @param encodedRawBytes of pages_encoded, before ...
 * @param encodedBytes ... and after
 * @param codecKeyError measured: root mean square error of encoded keys over that of the keys ...
 * @param codecValueError ... and of values; a layer of every page
 * @param missesDamaged matches that ended with KVC_MISS_DAMAGED
 * @param diskLimit option disk_limit
 * @param diskPages records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it
 * @param diskHits pages that matches found on disk and read into memory
 * @param diskHitTokens tokens that those pages added to matches
 * @param diskMisses matches that looked for more on disk and found none
 * @param diskWritten pages written, most of them ahead of eviction
 * @param diskDemoted of these, when they were evicted from memory
 * @param diskDropped pages that were not written: the disk was slower than what came, or full
 * @param diskDamaged pages whose bytes failed their check; each was a miss
 * @param diskTimeouts matches that gave up waiting
 * @param diskRecomputed pages on disk that were left there because to compute is faster
 * @param diskErrors writes, reads and syncs that the operating system refused
 * @param diskWrittenBytes to the files, records and metadata
 * @param diskReadBytes disk read bytes
 * @param diskWaiting pages that wait to be written
 * @param diskDurableNs age of the state that would survive a power cut now; 0: nothing was made durable yet
 * @param policyStrategy KVC_STRATEGY_*: what it goes by now
 * @param policyReason KVC_REASON_*: why it last changed that
 * @param policyChanges how often it did
 * @param policyChangedNs time since it last did; 0: never
 * @param deviceLimit option device_memory, times the devices in use
 * @param devicePages that have a copy there now
 * @param deviceHits pages that a call on a device found there ...
 * @param devicePromoted ... and pages that were copied there for one
 * @param deviceDemoted copies that made room for others; the pages are in memory as before
 * @param deviceInBytes copied to devices
 * @param deviceOutBytes copied from devices
 * @param devices in use now
 * @param devicesLost that failed; memory and disk serve on
 * @param codecFailures ever: calls that a codec of the caller's (kvc_codec_t) failed
 * @param pagesSparse ever: pages of which codec sparse keeps a part of the rows in memory
 * @param sparseByRecency of these, chosen without kvc_session_attend's scores: the latest rows stayed
 * @param sparseRestored pages brought back in full for a read or an attend
 * @param sparseMassLeftOut of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had
 * @param codecChecked pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound)
 * @param codecRaised of these, pages where a head needed more bits than its space had learned
 * @param codecHeadsExact K/V heads of checked pages that no codes served: kept as they came
 * @param codecBoundError largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound
 * @param pagesAged ever encoded again at rest (codec_rest_bits, codec_rest_bound)
 * @param agedBeforeBytes of these, before ...
 * @param agedBytes ... and after
 * @param agedTokens of approximate_tokens: of such pages
 */
public record Stats(
    long requests,
    long requestsCompleted,
    long requestsFailed,
    long requestsCancelled,
    long requestsRefused,
    long requestsQueued,
    long requestsActive,
    long requestHits,
    long requestMisses,
    double hitRate,
    long promptTokens,
    long cachedTokens,
    long computedTokens,
    long generatedTokens,
    double tokenHitRate,
    long savedNs,
    long latencyAvgNs,
    long latencyP50Ns,
    long latencyP95Ns,
    long latencyP99Ns,
    long ttftAvgNs,
    long ttftP50Ns,
    long ttftP95Ns,
    long ttftP99Ns,
    long matches,
    long matchHits,
    long matchedTokens,
    long matchAskedTokens,
    long[] missesByReason,
    long pages,
    long pagesSealed,
    long pagesDeduplicated,
    long pagesEvicted,
    long pagesPinned,
    long sessions,
    long tensors,
    long tensorsEvicted,
    long memoryBudget,
    long memoryUsed,
    long memoryPayload,
    long memoryMetadata,
    long memoryPooled,
    long memoryPeak,
    long hostBytes,
    long deviceBytes,
    long diskBytes,
    long remoteBytes,
    double gpuUtilization,
    long uptimeNs,
    long approximateTokens,
    long pagesEncoded,
    long pagesKeptClear,
    long encodedRawBytes,
    long encodedBytes,
    double codecKeyError,
    double codecValueError,
    long missesDamaged,
    long diskLimit,
    long diskPages,
    long diskHits,
    long diskHitTokens,
    long diskMisses,
    long diskWritten,
    long diskDemoted,
    long diskDropped,
    long diskDamaged,
    long diskTimeouts,
    long diskRecomputed,
    long diskErrors,
    long diskWrittenBytes,
    long diskReadBytes,
    long diskWaiting,
    long diskDurableNs,
    int policyStrategy,
    int policyReason,
    long policyChanges,
    long policyChangedNs,
    long deviceLimit,
    long devicePages,
    long deviceHits,
    long devicePromoted,
    long deviceDemoted,
    long deviceInBytes,
    long deviceOutBytes,
    long devices,
    long devicesLost,
    long codecFailures,
    long pagesSparse,
    long sparseByRecency,
    long sparseRestored,
    double sparseMassLeftOut,
    long codecChecked,
    long codecRaised,
    long codecHeadsExact,
    double codecBoundError,
    long pagesAged,
    long agedBeforeBytes,
    long agedBytes,
    long agedTokens) {
    static Stats of(MemorySegment s) {
        return new Stats(
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_COMPLETED),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_FAILED),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_CANCELLED),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_REFUSED),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_QUEUED),
            s.get(JAVA_LONG, kvc_stats_t.REQUESTS_ACTIVE),
            s.get(JAVA_LONG, kvc_stats_t.REQUEST_HITS),
            s.get(JAVA_LONG, kvc_stats_t.REQUEST_MISSES),
            s.get(JAVA_DOUBLE, kvc_stats_t.HIT_RATE),
            s.get(JAVA_LONG, kvc_stats_t.PROMPT_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.CACHED_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.COMPUTED_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.GENERATED_TOKENS),
            s.get(JAVA_DOUBLE, kvc_stats_t.TOKEN_HIT_RATE),
            s.get(JAVA_LONG, kvc_stats_t.SAVED_NS),
            s.get(JAVA_LONG, kvc_stats_t.LATENCY_AVG_NS),
            s.get(JAVA_LONG, kvc_stats_t.LATENCY_P50_NS),
            s.get(JAVA_LONG, kvc_stats_t.LATENCY_P95_NS),
            s.get(JAVA_LONG, kvc_stats_t.LATENCY_P99_NS),
            s.get(JAVA_LONG, kvc_stats_t.TTFT_AVG_NS),
            s.get(JAVA_LONG, kvc_stats_t.TTFT_P50_NS),
            s.get(JAVA_LONG, kvc_stats_t.TTFT_P95_NS),
            s.get(JAVA_LONG, kvc_stats_t.TTFT_P99_NS),
            s.get(JAVA_LONG, kvc_stats_t.MATCHES),
            s.get(JAVA_LONG, kvc_stats_t.MATCH_HITS),
            s.get(JAVA_LONG, kvc_stats_t.MATCHED_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.MATCH_ASKED_TOKENS),
            s.asSlice(kvc_stats_t.MISSES_BY_REASON, 64).toArray(JAVA_LONG),
            s.get(JAVA_LONG, kvc_stats_t.PAGES),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_SEALED),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_DEDUPLICATED),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_EVICTED),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_PINNED),
            s.get(JAVA_LONG, kvc_stats_t.SESSIONS),
            s.get(JAVA_LONG, kvc_stats_t.TENSORS),
            s.get(JAVA_LONG, kvc_stats_t.TENSORS_EVICTED),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_BUDGET),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_USED),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_PAYLOAD),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_METADATA),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_POOLED),
            s.get(JAVA_LONG, kvc_stats_t.MEMORY_PEAK),
            s.get(JAVA_LONG, kvc_stats_t.HOST_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DISK_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.REMOTE_BYTES),
            s.get(JAVA_DOUBLE, kvc_stats_t.GPU_UTILIZATION),
            s.get(JAVA_LONG, kvc_stats_t.UPTIME_NS),
            s.get(JAVA_LONG, kvc_stats_t.APPROXIMATE_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_ENCODED),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_KEPT_CLEAR),
            s.get(JAVA_LONG, kvc_stats_t.ENCODED_RAW_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.ENCODED_BYTES),
            s.get(JAVA_DOUBLE, kvc_stats_t.CODEC_KEY_ERROR),
            s.get(JAVA_DOUBLE, kvc_stats_t.CODEC_VALUE_ERROR),
            s.get(JAVA_LONG, kvc_stats_t.MISSES_DAMAGED),
            s.get(JAVA_LONG, kvc_stats_t.DISK_LIMIT),
            s.get(JAVA_LONG, kvc_stats_t.DISK_PAGES),
            s.get(JAVA_LONG, kvc_stats_t.DISK_HITS),
            s.get(JAVA_LONG, kvc_stats_t.DISK_HIT_TOKENS),
            s.get(JAVA_LONG, kvc_stats_t.DISK_MISSES),
            s.get(JAVA_LONG, kvc_stats_t.DISK_WRITTEN),
            s.get(JAVA_LONG, kvc_stats_t.DISK_DEMOTED),
            s.get(JAVA_LONG, kvc_stats_t.DISK_DROPPED),
            s.get(JAVA_LONG, kvc_stats_t.DISK_DAMAGED),
            s.get(JAVA_LONG, kvc_stats_t.DISK_TIMEOUTS),
            s.get(JAVA_LONG, kvc_stats_t.DISK_RECOMPUTED),
            s.get(JAVA_LONG, kvc_stats_t.DISK_ERRORS),
            s.get(JAVA_LONG, kvc_stats_t.DISK_WRITTEN_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DISK_READ_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DISK_WAITING),
            s.get(JAVA_LONG, kvc_stats_t.DISK_DURABLE_NS),
            s.get(JAVA_INT, kvc_stats_t.POLICY_STRATEGY),
            s.get(JAVA_INT, kvc_stats_t.POLICY_REASON),
            s.get(JAVA_LONG, kvc_stats_t.POLICY_CHANGES),
            s.get(JAVA_LONG, kvc_stats_t.POLICY_CHANGED_NS),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_LIMIT),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_PAGES),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_HITS),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_PROMOTED),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_DEMOTED),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_IN_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DEVICE_OUT_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.DEVICES),
            s.get(JAVA_LONG, kvc_stats_t.DEVICES_LOST),
            s.get(JAVA_LONG, kvc_stats_t.CODEC_FAILURES),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_SPARSE),
            s.get(JAVA_LONG, kvc_stats_t.SPARSE_BY_RECENCY),
            s.get(JAVA_LONG, kvc_stats_t.SPARSE_RESTORED),
            s.get(JAVA_DOUBLE, kvc_stats_t.SPARSE_MASS_LEFT_OUT),
            s.get(JAVA_LONG, kvc_stats_t.CODEC_CHECKED),
            s.get(JAVA_LONG, kvc_stats_t.CODEC_RAISED),
            s.get(JAVA_LONG, kvc_stats_t.CODEC_HEADS_EXACT),
            s.get(JAVA_DOUBLE, kvc_stats_t.CODEC_BOUND_ERROR),
            s.get(JAVA_LONG, kvc_stats_t.PAGES_AGED),
            s.get(JAVA_LONG, kvc_stats_t.AGED_BEFORE_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.AGED_BYTES),
            s.get(JAVA_LONG, kvc_stats_t.AGED_TOKENS));
    }
}
