// What kvc tells, as objects; units and meaning as in kvc.h.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.
namespace Kvc
{
    /// <summary>kvc_option_info_t.</summary>
    public sealed unsafe class OptionInfo
    {
        /// <summary>KVC_OPTION_*</summary>
        public readonly int Type;
        /// <summary>name</summary>
        public readonly string Name;
        /// <summary>of the preset "seamless"</summary>
        public readonly string DefaultValue;
        /// <summary>"" where there is none</summary>
        public readonly string Minimum;
        /// <summary>"" where there is none</summary>
        public readonly string Maximum;
        /// <summary>"" unless type is KVC_OPTION_CHOICE</summary>
        public readonly string Choices;
        /// <summary>one or two sentences</summary>
        public readonly string Doc;
        /// <summary>version that introduced it</summary>
        public readonly string Since;

        internal OptionInfo(kvc_option_info_t* s)
        {
            Type = s->type;
            Name = Memory.Text(s->name);
            DefaultValue = Memory.Text(s->default_value);
            Minimum = Memory.Text(s->minimum);
            Maximum = Memory.Text(s->maximum);
            Choices = Memory.Text(s->choices);
            Doc = Memory.Text(s->doc);
            Since = Memory.Text(s->since);
        }
    }

    /// <summary>kvc_response_t.</summary>
    public sealed unsafe class Response
    {
        /// <summary>KVC_OK, or why it failed; what was generated until then is here all the same</summary>
        public readonly Status Status;
        /// <summary>KVC_FINISH_*</summary>
        public readonly int FinishReason;
        /// <summary>the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)</summary>
        public readonly string Text;
        /// <summary>the answer's tokens</summary>
        public readonly int[] Tokens;
        /// <summary>1 if any token of the prompt, but a bos alone, was found in the cache</summary>
        public readonly uint CacheHit;
        /// <summary>length of the prompt</summary>
        public readonly uint PromptTokens;
        /// <summary>tokens of the prompt whose K/V was reused</summary>
        public readonly uint CachedTokens;
        /// <summary>tokens of the prompt whose K/V was computed</summary>
        public readonly uint ComputedTokens;
        /// <summary>submission to first step</summary>
        public readonly ulong QueueNs;
        /// <summary>first step to first token</summary>
        public readonly ulong PrefillNs;
        /// <summary>first token to last</summary>
        public readonly ulong DecodeNs;
        /// <summary>submission to end; queue + prefill + decode</summary>
        public readonly ulong TotalNs;
        /// <summary>submission to first token; 0 if there was none</summary>
        public readonly ulong TtftNs;
        /// <summary>estimate: cached_tokens at the measured speed of prefill</summary>
        public readonly ulong SavedNs;
        /// <summary>KVC_MISS_*</summary>
        public readonly int MissReason;
        /// <summary>in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none</summary>
        public readonly string MissText;
        /// <summary>message of `status`; "" if KVC_OK</summary>
        public readonly string Error;
        /// <summary>of the request</summary>
        public readonly ulong Ticket;
        /// <summary>of cached_tokens: their K/V went through a lossy codec</summary>
        public readonly uint ApproximateTokens;
        /// <summary>0</summary>
        public readonly uint Reserved2;

        internal Response(kvc_response_t* s)
        {
            Status = (Status)s->status;
            FinishReason = s->finish_reason;
            Text = Memory.Text(s->text, s->text_size);
            Tokens = Memory.Ints(s->tokens, s->n_tokens);
            CacheHit = s->cache_hit;
            PromptTokens = s->prompt_tokens;
            CachedTokens = s->cached_tokens;
            ComputedTokens = s->computed_tokens;
            QueueNs = s->queue_ns;
            PrefillNs = s->prefill_ns;
            DecodeNs = s->decode_ns;
            TotalNs = s->total_ns;
            TtftNs = s->ttft_ns;
            SavedNs = s->saved_ns;
            MissReason = s->miss_reason;
            MissText = Memory.Text(s->miss_text);
            Error = Memory.Text(s->error);
            Ticket = s->ticket;
            ApproximateTokens = s->approximate_tokens;
            Reserved2 = s->reserved2;
        }
    }

    /// <summary>kvc_space_info_t.</summary>
    public sealed unsafe class SpaceInfo
    {
        /// <summary>of the identity; the root of every chain</summary>
        public readonly byte[] Digest;
        /// <summary>n layers</summary>
        public readonly uint NLayers;
        /// <summary>n kv heads</summary>
        public readonly uint NKvHeads;
        /// <summary>k head dim</summary>
        public readonly uint KHeadDim;
        /// <summary>v head dim</summary>
        public readonly uint VHeadDim;
        /// <summary>dtype</summary>
        public readonly int Dtype;
        /// <summary>page tokens</summary>
        public readonly uint PageTokens;
        /// <summary>K/V bytes of one page before any codec</summary>
        public readonly ulong PageBytes;
        /// <summary>vocab size</summary>
        public readonly int VocabSize;

        internal SpaceInfo(kvc_space_info_t* s)
        {
            Digest = Memory.Array(s->digest, 32);
            NLayers = s->n_layers;
            NKvHeads = s->n_kv_heads;
            KHeadDim = s->k_head_dim;
            VHeadDim = s->v_head_dim;
            Dtype = s->dtype;
            PageTokens = s->page_tokens;
            PageBytes = s->page_bytes;
            VocabSize = s->vocab_size;
        }
    }

    /// <summary>kvc_session_info_t.</summary>
    public sealed unsafe class SessionInfo
    {
        /// <summary>committed tokens</summary>
        public readonly ulong Length;
        /// <summary>of these, found by kvc_session_match</summary>
        public readonly ulong Matched;
        /// <summary>sealed pages</summary>
        public readonly ulong Pages;
        /// <summary>tokens appended to every layer and not committed</summary>
        public readonly ulong Pending;
        /// <summary>memory of pages that are not sealed and not shared</summary>
        public readonly ulong TailBytes;
        /// <summary>priority</summary>
        public readonly int Priority;
        /// <summary>1 if the sealed pages are pinned</summary>
        public readonly uint Pinned;
        /// <summary>equal for sessions of one tenant, else different; means nothing outside this engine</summary>
        public readonly ulong Domain;
        /// <summary>of length: tokens whose K/V went through a lossy codec</summary>
        public readonly ulong Approximate;
        /// <summary>of approximate: tokens of pages of which attention sees a part (codec sparse)</summary>
        public readonly ulong Sparse;
        /// <summary>of approximate: tokens whose pages were encoded again, to fewer bits, at rest</summary>
        public readonly ulong Aged;

        internal SessionInfo(kvc_session_info_t* s)
        {
            Length = s->length;
            Matched = s->matched;
            Pages = s->pages;
            Pending = s->pending;
            TailBytes = s->tail_bytes;
            Priority = s->priority;
            Pinned = s->pinned;
            Domain = s->domain;
            Approximate = s->approximate;
            Sparse = s->sparse;
            Aged = s->aged;
        }
    }

    /// <summary>kvc_tensor_info_t.</summary>
    public sealed unsafe class TensorInfo
    {
        /// <summary>as in kvc_put_options_t; static text</summary>
        public readonly string Codec;
        /// <summary>of memory that its numbers take</summary>
        public readonly ulong Bytes;
        /// <summary>as it is given back</summary>
        public readonly ulong RawBytes;
        /// <summary>measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit</summary>
        public readonly double Error;
        /// <summary>1: not bit for bit what was put</summary>
        public readonly uint Approximate;
        /// <summary>as it was asked for</summary>
        public readonly int Plane;

        internal TensorInfo(kvc_tensor_info_t* s)
        {
            Codec = Memory.Text(s->codec);
            Bytes = s->bytes;
            RawBytes = s->raw_bytes;
            Error = s->error;
            Approximate = s->approximate;
            Plane = s->plane;
        }
    }

    /// <summary>kvc_page_info_t.</summary>
    public sealed unsafe class PageInfo
    {
        /// <summary>id</summary>
        public readonly byte[] Id;
        /// <summary>the space's root for a first page</summary>
        public readonly byte[] Parent;
        /// <summary>digest of the space</summary>
        public readonly byte[] Space;
        /// <summary>of its first token</summary>
        public readonly ulong Position;
        /// <summary>K/V as stored</summary>
        public readonly ulong Bytes;
        /// <summary>metadata bytes</summary>
        public readonly ulong MetadataBytes;
        /// <summary>matches that used it</summary>
        public readonly ulong Hits;
        /// <summary>since it was sealed</summary>
        public readonly ulong AgeNs;
        /// <summary>since it was last used</summary>
        public readonly ulong IdleNs;
        /// <summary>page_tokens; fewer in the last page of a session that was closed</summary>
        public readonly uint NTokens;
        /// <summary>sessions that end in this page</summary>
        public readonly uint References;
        /// <summary>pages that continue it</summary>
        public readonly uint Children;
        /// <summary>KVC_TIER_*</summary>
        public readonly int Tier;
        /// <summary>priority</summary>
        public readonly int Priority;
        /// <summary>pinned</summary>
        public readonly uint Pinned;
        /// <summary>name of its codec, e.g. "identity"</summary>
        public readonly string Codec;
        /// <summary>1: its K/V is not bit for bit what was appended</summary>
        public readonly uint Approximate;
        /// <summary>1: encoded again, to fewer bits, after nobody had used it for codec_rest_after</summary>
        public readonly uint Aged;
        /// <summary>0</summary>
        public readonly uint Reserved2;

        internal PageInfo(kvc_page_info_t* s)
        {
            Id = Memory.Array(s->id, 32);
            Parent = Memory.Array(s->parent, 32);
            Space = Memory.Array(s->space, 32);
            Position = s->position;
            Bytes = s->bytes;
            MetadataBytes = s->metadata_bytes;
            Hits = s->hits;
            AgeNs = s->age_ns;
            IdleNs = s->idle_ns;
            NTokens = s->n_tokens;
            References = s->references;
            Children = s->children;
            Tier = s->tier;
            Priority = s->priority;
            Pinned = s->pinned;
            Codec = Memory.Text(s->codec);
            Approximate = s->approximate;
            Aged = s->aged;
            Reserved2 = s->reserved2;
        }
    }

    /// <summary>kvc_stats_t.</summary>
    public sealed unsafe class Stats
    {
        /// <summary>submitted and accepted</summary>
        public readonly ulong Requests;
        /// <summary>with KVC_OK</summary>
        public readonly ulong RequestsCompleted;
        /// <summary>requests failed</summary>
        public readonly ulong RequestsFailed;
        /// <summary>by the caller or by a deadline</summary>
        public readonly ulong RequestsCancelled;
        /// <summary>never queued: bad arguments or a full queue</summary>
        public readonly ulong RequestsRefused;
        /// <summary>waiting now</summary>
        public readonly ulong RequestsQueued;
        /// <summary>in the batch now</summary>
        public readonly ulong RequestsActive;
        /// <summary>requests that reused at least one token</summary>
        public readonly ulong RequestHits;
        /// <summary>request misses</summary>
        public readonly ulong RequestMisses;
        /// <summary>request_hits / (request_hits + request_misses); 0 before the first</summary>
        public readonly double HitRate;
        /// <summary>prompt tokens</summary>
        public readonly ulong PromptTokens;
        /// <summary>of the prompts, reused</summary>
        public readonly ulong CachedTokens;
        /// <summary>of the prompts, computed</summary>
        public readonly ulong ComputedTokens;
        /// <summary>generated tokens</summary>
        public readonly ulong GeneratedTokens;
        /// <summary>cached / (cached + computed)</summary>
        public readonly double TokenHitRate;
        /// <summary>sum of the responses' saved_ns</summary>
        public readonly ulong SavedNs;
        /// <summary>latency avg ns</summary>
        public readonly ulong LatencyAvgNs;
        /// <summary>latency p50 ns</summary>
        public readonly ulong LatencyP50Ns;
        /// <summary>latency p95 ns</summary>
        public readonly ulong LatencyP95Ns;
        /// <summary>latency p99 ns</summary>
        public readonly ulong LatencyP99Ns;
        /// <summary>ttft avg ns</summary>
        public readonly ulong TtftAvgNs;
        /// <summary>ttft p50 ns</summary>
        public readonly ulong TtftP50Ns;
        /// <summary>ttft p95 ns</summary>
        public readonly ulong TtftP95Ns;
        /// <summary>the page core, with or without requests</summary>
        public readonly ulong TtftP99Ns;
        /// <summary>kvc_session_match calls, the request engine's included</summary>
        public readonly ulong Matches;
        /// <summary>of these, with at least one token</summary>
        public readonly ulong MatchHits;
        /// <summary>matched tokens</summary>
        public readonly ulong MatchedTokens;
        /// <summary>match asked tokens</summary>
        public readonly ulong MatchAskedTokens;
        /// <summary>by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged</summary>
        public readonly ulong[] MissesByReason;
        /// <summary>held now</summary>
        public readonly ulong Pages;
        /// <summary>ever</summary>
        public readonly ulong PagesSealed;
        /// <summary>sealed twice, kept once</summary>
        public readonly ulong PagesDeduplicated;
        /// <summary>pages evicted</summary>
        public readonly ulong PagesEvicted;
        /// <summary>now</summary>
        public readonly ulong PagesPinned;
        /// <summary>open now</summary>
        public readonly ulong Sessions;
        /// <summary>plain tensors held now</summary>
        public readonly ulong Tensors;
        /// <summary>memory, bytes</summary>
        public readonly ulong TensorsEvicted;
        /// <summary>memory budget</summary>
        public readonly ulong MemoryBudget;
        /// <summary>payload + metadata + pooled; never more than the budget</summary>
        public readonly ulong MemoryUsed;
        /// <summary>K/V and tensors</summary>
        public readonly ulong MemoryPayload;
        /// <summary>memory metadata</summary>
        public readonly ulong MemoryMetadata;
        /// <summary>free pages kept for reuse</summary>
        public readonly ulong MemoryPooled;
        /// <summary>memory peak</summary>
        public readonly ulong MemoryPeak;
        /// <summary>of pages, per tier</summary>
        public readonly ulong HostBytes;
        /// <summary>device bytes</summary>
        public readonly ulong DeviceBytes;
        /// <summary>disk bytes</summary>
        public readonly ulong DiskBytes;
        /// <summary>remote bytes</summary>
        public readonly ulong RemoteBytes;
        /// <summary>0..1; -1 when there is none</summary>
        public readonly double GpuUtilization;
        /// <summary>codecs</summary>
        public readonly ulong UptimeNs;
        /// <summary>of matched_tokens: their K/V went through a lossy codec</summary>
        public readonly ulong ApproximateTokens;
        /// <summary>ever, by a lossy codec</summary>
        public readonly ulong PagesEncoded;
        /// <summary>ever: not finite, or no smaller when encoded</summary>
        public readonly ulong PagesKeptClear;
        /// <summary>of pages_encoded, before ...</summary>
        public readonly ulong EncodedRawBytes;
        /// <summary>... and after</summary>
        public readonly ulong EncodedBytes;
        /// <summary>measured: root mean square error of encoded keys over that of the keys ...</summary>
        public readonly double CodecKeyError;
        /// <summary>... and of values; a layer of every page</summary>
        public readonly double CodecValueError;
        /// <summary>matches that ended with KVC_MISS_DAMAGED</summary>
        public readonly ulong MissesDamaged;
        /// <summary>option disk_limit</summary>
        public readonly ulong DiskLimit;
        /// <summary>records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it</summary>
        public readonly ulong DiskPages;
        /// <summary>pages that matches found on disk and read into memory</summary>
        public readonly ulong DiskHits;
        /// <summary>tokens that those pages added to matches</summary>
        public readonly ulong DiskHitTokens;
        /// <summary>matches that looked for more on disk and found none</summary>
        public readonly ulong DiskMisses;
        /// <summary>pages written, most of them ahead of eviction</summary>
        public readonly ulong DiskWritten;
        /// <summary>of these, when they were evicted from memory</summary>
        public readonly ulong DiskDemoted;
        /// <summary>pages that were not written: the disk was slower than what came, or full</summary>
        public readonly ulong DiskDropped;
        /// <summary>pages whose bytes failed their check; each was a miss</summary>
        public readonly ulong DiskDamaged;
        /// <summary>matches that gave up waiting</summary>
        public readonly ulong DiskTimeouts;
        /// <summary>pages on disk that were left there because to compute is faster</summary>
        public readonly ulong DiskRecomputed;
        /// <summary>writes, reads and syncs that the operating system refused</summary>
        public readonly ulong DiskErrors;
        /// <summary>to the files, records and metadata</summary>
        public readonly ulong DiskWrittenBytes;
        /// <summary>disk read bytes</summary>
        public readonly ulong DiskReadBytes;
        /// <summary>pages that wait to be written</summary>
        public readonly ulong DiskWaiting;
        /// <summary>age of the state that would survive a power cut now; 0: nothing was made durable yet</summary>
        public readonly ulong DiskDurableNs;
        /// <summary>KVC_STRATEGY_*: what it goes by now</summary>
        public readonly int PolicyStrategy;
        /// <summary>KVC_REASON_*: why it last changed that</summary>
        public readonly int PolicyReason;
        /// <summary>how often it did</summary>
        public readonly ulong PolicyChanges;
        /// <summary>time since it last did; 0: never</summary>
        public readonly ulong PolicyChangedNs;
        /// <summary>option device_memory, times the devices in use</summary>
        public readonly ulong DeviceLimit;
        /// <summary>that have a copy there now</summary>
        public readonly ulong DevicePages;
        /// <summary>pages that a call on a device found there ...</summary>
        public readonly ulong DeviceHits;
        /// <summary>... and pages that were copied there for one</summary>
        public readonly ulong DevicePromoted;
        /// <summary>copies that made room for others; the pages are in memory as before</summary>
        public readonly ulong DeviceDemoted;
        /// <summary>copied to devices</summary>
        public readonly ulong DeviceInBytes;
        /// <summary>copied from devices</summary>
        public readonly ulong DeviceOutBytes;
        /// <summary>in use now</summary>
        public readonly ulong Devices;
        /// <summary>that failed; memory and disk serve on</summary>
        public readonly ulong DevicesLost;
        /// <summary>ever: calls that a codec of the caller's (kvc_codec_t) failed</summary>
        public readonly ulong CodecFailures;
        /// <summary>ever: pages of which codec sparse keeps a part of the rows in memory</summary>
        public readonly ulong PagesSparse;
        /// <summary>of these, chosen without kvc_session_attend's scores: the latest rows stayed</summary>
        public readonly ulong SparseByRecency;
        /// <summary>pages brought back in full for a read or an attend</summary>
        public readonly ulong SparseRestored;
        /// <summary>of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had</summary>
        public readonly double SparseMassLeftOut;
        /// <summary>pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound)</summary>
        public readonly ulong CodecChecked;
        /// <summary>of these, pages where a head needed more bits than its space had learned</summary>
        public readonly ulong CodecRaised;
        /// <summary>K/V heads of checked pages that no codes served: kept as they came</summary>
        public readonly ulong CodecHeadsExact;
        /// <summary>largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound</summary>
        public readonly double CodecBoundError;
        /// <summary>ever encoded again at rest (codec_rest_bits, codec_rest_bound)</summary>
        public readonly ulong PagesAged;
        /// <summary>of these, before ...</summary>
        public readonly ulong AgedBeforeBytes;
        /// <summary>... and after</summary>
        public readonly ulong AgedBytes;
        /// <summary>of approximate_tokens: of such pages</summary>
        public readonly ulong AgedTokens;

        internal Stats(kvc_stats_t* s)
        {
            Requests = s->requests;
            RequestsCompleted = s->requests_completed;
            RequestsFailed = s->requests_failed;
            RequestsCancelled = s->requests_cancelled;
            RequestsRefused = s->requests_refused;
            RequestsQueued = s->requests_queued;
            RequestsActive = s->requests_active;
            RequestHits = s->request_hits;
            RequestMisses = s->request_misses;
            HitRate = s->hit_rate;
            PromptTokens = s->prompt_tokens;
            CachedTokens = s->cached_tokens;
            ComputedTokens = s->computed_tokens;
            GeneratedTokens = s->generated_tokens;
            TokenHitRate = s->token_hit_rate;
            SavedNs = s->saved_ns;
            LatencyAvgNs = s->latency_avg_ns;
            LatencyP50Ns = s->latency_p50_ns;
            LatencyP95Ns = s->latency_p95_ns;
            LatencyP99Ns = s->latency_p99_ns;
            TtftAvgNs = s->ttft_avg_ns;
            TtftP50Ns = s->ttft_p50_ns;
            TtftP95Ns = s->ttft_p95_ns;
            TtftP99Ns = s->ttft_p99_ns;
            Matches = s->matches;
            MatchHits = s->match_hits;
            MatchedTokens = s->matched_tokens;
            MatchAskedTokens = s->match_asked_tokens;
            MissesByReason = Memory.Array(s->misses_by_reason, 8);
            Pages = s->pages;
            PagesSealed = s->pages_sealed;
            PagesDeduplicated = s->pages_deduplicated;
            PagesEvicted = s->pages_evicted;
            PagesPinned = s->pages_pinned;
            Sessions = s->sessions;
            Tensors = s->tensors;
            TensorsEvicted = s->tensors_evicted;
            MemoryBudget = s->memory_budget;
            MemoryUsed = s->memory_used;
            MemoryPayload = s->memory_payload;
            MemoryMetadata = s->memory_metadata;
            MemoryPooled = s->memory_pooled;
            MemoryPeak = s->memory_peak;
            HostBytes = s->host_bytes;
            DeviceBytes = s->device_bytes;
            DiskBytes = s->disk_bytes;
            RemoteBytes = s->remote_bytes;
            GpuUtilization = s->gpu_utilization;
            UptimeNs = s->uptime_ns;
            ApproximateTokens = s->approximate_tokens;
            PagesEncoded = s->pages_encoded;
            PagesKeptClear = s->pages_kept_clear;
            EncodedRawBytes = s->encoded_raw_bytes;
            EncodedBytes = s->encoded_bytes;
            CodecKeyError = s->codec_key_error;
            CodecValueError = s->codec_value_error;
            MissesDamaged = s->misses_damaged;
            DiskLimit = s->disk_limit;
            DiskPages = s->disk_pages;
            DiskHits = s->disk_hits;
            DiskHitTokens = s->disk_hit_tokens;
            DiskMisses = s->disk_misses;
            DiskWritten = s->disk_written;
            DiskDemoted = s->disk_demoted;
            DiskDropped = s->disk_dropped;
            DiskDamaged = s->disk_damaged;
            DiskTimeouts = s->disk_timeouts;
            DiskRecomputed = s->disk_recomputed;
            DiskErrors = s->disk_errors;
            DiskWrittenBytes = s->disk_written_bytes;
            DiskReadBytes = s->disk_read_bytes;
            DiskWaiting = s->disk_waiting;
            DiskDurableNs = s->disk_durable_ns;
            PolicyStrategy = s->policy_strategy;
            PolicyReason = s->policy_reason;
            PolicyChanges = s->policy_changes;
            PolicyChangedNs = s->policy_changed_ns;
            DeviceLimit = s->device_limit;
            DevicePages = s->device_pages;
            DeviceHits = s->device_hits;
            DevicePromoted = s->device_promoted;
            DeviceDemoted = s->device_demoted;
            DeviceInBytes = s->device_in_bytes;
            DeviceOutBytes = s->device_out_bytes;
            Devices = s->devices;
            DevicesLost = s->devices_lost;
            CodecFailures = s->codec_failures;
            PagesSparse = s->pages_sparse;
            SparseByRecency = s->sparse_by_recency;
            SparseRestored = s->sparse_restored;
            SparseMassLeftOut = s->sparse_mass_left_out;
            CodecChecked = s->codec_checked;
            CodecRaised = s->codec_raised;
            CodecHeadsExact = s->codec_heads_exact;
            CodecBoundError = s->codec_bound_error;
            PagesAged = s->pages_aged;
            AgedBeforeBytes = s->aged_before_bytes;
            AgedBytes = s->aged_bytes;
            AgedTokens = s->aged_tokens;
        }
    }

    /// <summary>kvc_whatif_t.</summary>
    public sealed unsafe class Whatif
    {
        /// <summary>of the tokens of the sessions looked at, those found in the cache</summary>
        public readonly double TokenHitRate;
        /// <summary>the same in pages</summary>
        public readonly double PageHitRate;
        /// <summary>that the budget holds, at the bytes per page of now</summary>
        public readonly ulong Pages;
        /// <summary>looked at</summary>
        public readonly ulong Sessions;
        /// <summary>of these sessions, estimated from the sample</summary>
        public readonly ulong Tokens;
        /// <summary>from the first of these sessions' ends to the last</summary>
        public readonly ulong SpanNs;
        /// <summary>prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model)</summary>
        public readonly ulong SavedNs;
        /// <summary>share of the pages that were looked at</summary>
        public readonly double Sampled;

        internal Whatif(kvc_whatif_t* s)
        {
            TokenHitRate = s->token_hit_rate;
            PageHitRate = s->page_hit_rate;
            Pages = s->pages;
            Sessions = s->sessions;
            Tokens = s->tokens;
            SpanNs = s->span_ns;
            SavedNs = s->saved_ns;
            Sampled = s->sampled;
        }
    }

}
