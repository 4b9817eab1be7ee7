// Types of constants.cjs and records.cjs.
// Written by bindings/generate from include/kvc/kvc.h; do not edit.

/** kvc_status_t of kvc.h. */
export const Status: {
  readonly OK: 0;
  /** a stream or an iteration is over */
  readonly END: 1;
  /** not ready within the time allowed: ask again */
  readonly PENDING: 2;
  /** an argument makes no sense; the message says which */
  readonly INVALID: -100;
  /** a required pointer or handle is NULL */
  readonly NULL: -101;
  /** struct_size is too small, or the unknown tail of a larger one is not 0 */
  readonly STRUCT_SIZE: -102;
  /** no option of that name; kvc_option_info lists them */
  readonly UNKNOWN_OPTION: -103;
  /** a value outside of its documented range */
  readonly OUT_OF_RANGE: -104;
  /** a tensor's shape or strides do not fit the space or the buffer */
  readonly SHAPE: -105;
  /** a tensor's dtype does not fit */
  readonly DTYPE: -106;
  /** a token id is negative or beyond the vocabulary */
  readonly TOKEN: -107;
  /** text is not valid UTF-8 */
  readonly UTF8: -108;
  /** a space's identity is incomplete: give the field or say "none" */
  readonly IDENTITY: -109;
  /** the handle was closed, or never was one */
  readonly CLOSED: -200;
  /** calls in the wrong order, or a position that is not the next one */
  readonly ORDER: -201;
  /** commit before every layer has its tokens */
  readonly MISSING_LAYERS: -202;
  /** the handle belongs to the parent process */
  readonly FORKED: -203;
  /** the object is in use in a way that forbids this call now */
  readonly BUSY: -204;
  /** the request was cancelled */
  readonly CANCELLED: -205;
  /** the request's deadline has passed */
  readonly DEADLINE: -206;
  /** no such ticket or page */
  readonly NOT_FOUND: -207;
  /** the budget or the machine has no room; what is stored stays usable */
  readonly NO_MEMORY: -300;
  /** the memory budget cannot hold even one page of this layout */
  readonly BUDGET: -301;
  /** prompt (and answer) longer than the model's context */
  readonly CONTEXT: -302;
  /** too many requests wait */
  readonly QUEUE_FULL: -303;
  /** the caller's buffer is too small; the needed size is reported */
  readonly BUFFER: -304;
  /** the operating system refused */
  readonly IO: -400;
  /** bytes failed their check */
  readonly CORRUPT: -500;
  /** an accelerator failed */
  readonly DEVICE: -600;
  /** the model backend failed; the message has its words */
  readonly BACKEND: -650;
  /** a defect of kvc */
  readonly INTERNAL: -700;
  /** known, but not in this build or not for this object */
  readonly UNSUPPORTED: -701;
  /** free for callbacks to return; kvc itself never does */
  readonly USER: -900;
};

/** KVC_DTYPE_* of kvc.h. */
export const DType: {
  /** IEEE 754 binary32 */
  readonly F32: 1;
  /** IEEE 754 binary16 */
  readonly F16: 2;
  /** bfloat16 */
  readonly BF16: 3;
  /** opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are */
  readonly U8: 4;
};

/** KVC_PLANE_* of kvc.h. */
export const Plane: {
  readonly KEY: 0;
  readonly VALUE: 1;
};

/** KVC_PRIORITY_* of kvc.h. */
export const Priority: {
  readonly BACKGROUND: -200;
  readonly LOW: -100;
  readonly NORMAL: 0;
  readonly HIGH: 100;
  readonly CRITICAL: 200;
};

/** KVC_CLOSE_* of kvc.h. */
export const CloseHint: {
  /** nothing: the policy decides */
  readonly KEEP: 0;
  /** it will not come back: pages that only it used leave first */
  readonly FINISHED: 1;
  /** it comes back at about the given time: until then its own pages may leave */
  readonly IDLE: 2;
};

/** KVC_HINT_* of kvc.h. */
export const Hint: {
  /** nothing: takes earlier hints back */
  readonly NONE: 0;
  /** an answer ended; a person reads it, and may go on */
  readonly TURN_END: 1;
  /** an answer asked for a tool; a program goes on, usually soon */
  readonly TOOL_CALL: 2;
  /** a request of its own: it belongs to no conversation */
  readonly ONE_OFF: 3;
  /** a prefix (system prompt, document) that others will begin with */
  readonly SHARED: 4;
};

/** KVC_ACTION_* of kvc.h. */
export const Action: {
  /** generate an answer */
  readonly PROCESS: 0;
  /** make the cached part of the prompt recent; compute nothing */
  readonly PREFETCH: 1;
  /** compute and cache what is missing of the prompt; generate nothing */
  readonly STORE: 2;
  /** say how much of the prompt is cached; change nothing */
  readonly RETRIEVE: 3;
};

/** KVC_FINISH_* of kvc.h. */
export const FinishReason: {
  /** nothing was to be generated */
  readonly NONE: 0;
  /** max_tokens reached */
  readonly LENGTH: 1;
  /** a stop string was met; it is not part of the text */
  readonly STOP: 2;
  /** the model ended its text */
  readonly EOS: 3;
  readonly CANCELLED: 4;
  readonly DEADLINE: 5;
  readonly ERROR: 6;
};

/** KVC_MISS_* of kvc.h. */
export const MissReason: {
  /** no miss: everything that can be reused was reused */
  readonly NONE: 0;
  /** this prefix was never stored here */
  readonly NEW: 1;
  /** a part was found; from there on the tokens differ */
  readonly PARTIAL: 2;
  /** the tokens are stored, but in a space that differs (the text says in what) */
  readonly IDENTITY: 3;
  /** reuse was switched off */
  readonly DISABLED: 4;
  /** the prompt has no token that could be reused */
  readonly SHORT: 5;
  /** stored on disk, but it did not come within option disk_timeout */
  readonly TIMEOUT: 6;
  /** stored on disk, but to compute it is expected to be faster than to read it */
  readonly RECOMPUTE: 7;
  /** stored on disk, but the bytes failed their check: they are not used */
  readonly DAMAGED: 8;
  /** number of reasons above */
  readonly COUNT: 9;
};

/** KVC_TIER_* of kvc.h. */
export const Tier: {
  readonly HOST: 1;
  readonly DEVICE: 2;
  readonly DISK: 3;
  readonly REMOTE: 4;
};

/** KVC_LOG_* of kvc.h. */
export const LogLevel: {
  readonly ERROR: 1;
  readonly WARN: 2;
  readonly INFO: 3;
  readonly DEBUG: 4;
};

/** KVC_POLICY_* of kvc.h. */
export const Policy: {
  /** it came in */
  readonly INSERTED: 1;
  /** a match found it, or kvc_get a tensor */
  readonly USED: 2;
  /** a session that led to it closed */
  readonly ENDED: 3;
};

/** KVC_OPTION_* of kvc.h. */
export const OptionType: {
  readonly INTEGER: 1;
  readonly SIZE: 2;
  readonly TIME: 3;
  readonly REAL: 4;
  readonly SWITCH: 5;
  /** one of the words in `choices`, separated by '|' */
  readonly CHOICE: 6;
  readonly TEXT: 7;
};

/** KVC_NONE_* of kvc.h. */
export const Absent: {
  readonly TOKENIZER: 1;
  readonly ROPE: 2;
  readonly ADAPTERS: 4;
  readonly ATTENTION: 8;
};

/** KVC_STRATEGY_* of kvc.h. */
export const Strategy: {
  /** its one rule */
  readonly FIXED: 0;
  /** adaptive: what it learned of reuse */
  readonly LEARNED: 1;
  /** adaptive: what was used longest ago leaves first */
  readonly RECENCY: 2;
};

/** KVC_REASON_* of kvc.h. */
export const Reason: {
  /** it did not */
  readonly NONE: 0;
  /** what it learned had cost hits that recency would have had */
  readonly LOST: 1;
  /** another try with what was learned meanwhile */
  readonly RETRY: 2;
  /** kvc_adapt asked for another objective */
  readonly METRICS: 3;
};

/** KVC_OBJECTIVE_* of kvc.h. */
export const Objective: {
  /** tokens found in the cache */
  readonly HITS: 0;
  /** time of prefill spared: a token late in a sequence costs more to compute again */
  readonly TIME: 1;
};

/** KVC_BACKEND_* of kvc.h. */
export const BackendKind: {
  /** keeps no K/V: `forward` reads the past from the session and appends the new to it */
  readonly PAGED: 1;
  /** keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions */
  readonly OWN_KV: 2;
};

/** kvc_option_info_t; units and meaning as in kvc.h. */
export interface OptionInfo {
  /** KVC_OPTION_* */
  readonly type: number;
  readonly name: string;
  /** of the preset "seamless" */
  readonly defaultValue: string;
  /** "" where there is none */
  readonly minimum: string;
  /** "" where there is none */
  readonly maximum: string;
  /** "" unless type is KVC_OPTION_CHOICE */
  readonly choices: string;
  /** one or two sentences */
  readonly doc: string;
  /** version that introduced it */
  readonly since: string;
}

/** kvc_response_t; units and meaning as in kvc.h. */
export interface Response {
  /** KVC_OK, or why it failed; what was generated until then is here all the same */
  readonly status: number;
  /** KVC_FINISH_* */
  readonly finishReason: number;
  /** the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD) */
  readonly text: string;
  /** the answer's tokens */
  readonly tokens: Int32Array;
  /** 1 if any token of the prompt, but a bos alone, was found in the cache */
  readonly cacheHit: number;
  /** length of the prompt */
  readonly promptTokens: number;
  /** tokens of the prompt whose K/V was reused */
  readonly cachedTokens: number;
  /** tokens of the prompt whose K/V was computed */
  readonly computedTokens: number;
  /** submission to first step */
  readonly queueNs: number;
  /** first step to first token */
  readonly prefillNs: number;
  /** first token to last */
  readonly decodeNs: number;
  /** submission to end; queue + prefill + decode */
  readonly totalNs: number;
  /** submission to first token; 0 if there was none */
  readonly ttftNs: number;
  /** estimate: cached_tokens at the measured speed of prefill */
  readonly savedNs: number;
  /** KVC_MISS_* */
  readonly missReason: number;
  /** in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none */
  readonly missText: string;
  /** message of `status`; "" if KVC_OK */
  readonly error: string;
  /** of the request */
  readonly ticket: bigint;
  /** of cached_tokens: their K/V went through a lossy codec */
  readonly approximateTokens: number;
  /** 0 */
  readonly reserved2: number;
}

/** kvc_space_info_t; units and meaning as in kvc.h. */
export interface SpaceInfo {
  /** of the identity; the root of every chain */
  readonly digest: Uint8Array;
  readonly nLayers: number;
  readonly nKvHeads: number;
  readonly kHeadDim: number;
  readonly vHeadDim: number;
  readonly dtype: number;
  readonly pageTokens: number;
  /** K/V bytes of one page before any codec */
  readonly pageBytes: number;
  readonly vocabSize: number;
}

/** kvc_session_info_t; units and meaning as in kvc.h. */
export interface SessionInfo {
  /** committed tokens */
  readonly length: number;
  /** of these, found by kvc_session_match */
  readonly matched: number;
  /** sealed pages */
  readonly pages: number;
  /** tokens appended to every layer and not committed */
  readonly pending: number;
  /** memory of pages that are not sealed and not shared */
  readonly tailBytes: number;
  readonly priority: number;
  /** 1 if the sealed pages are pinned */
  readonly pinned: number;
  /** equal for sessions of one tenant, else different; means nothing outside this engine */
  readonly domain: bigint;
  /** of length: tokens whose K/V went through a lossy codec */
  readonly approximate: number;
  /** of approximate: tokens of pages of which attention sees a part (codec sparse) */
  readonly sparse: number;
  /** of approximate: tokens whose pages were encoded again, to fewer bits, at rest */
  readonly aged: number;
}

/** kvc_tensor_info_t; units and meaning as in kvc.h. */
export interface TensorInfo {
  /** as in kvc_put_options_t; static text */
  readonly codec: string;
  /** of memory that its numbers take */
  readonly bytes: number;
  /** as it is given back */
  readonly rawBytes: number;
  /** measured when it was stored: root mean square of (decoded - original) over that of the original; 0 = bit for bit */
  readonly error: number;
  /** 1: not bit for bit what was put */
  readonly approximate: number;
  /** as it was asked for */
  readonly plane: number;
}

/** kvc_page_info_t; units and meaning as in kvc.h. */
export interface PageInfo {
  readonly id: Uint8Array;
  /** the space's root for a first page */
  readonly parent: Uint8Array;
  /** digest of the space */
  readonly space: Uint8Array;
  /** of its first token */
  readonly position: number;
  /** K/V as stored */
  readonly bytes: number;
  readonly metadataBytes: number;
  /** matches that used it */
  readonly hits: number;
  /** since it was sealed */
  readonly ageNs: number;
  /** since it was last used */
  readonly idleNs: number;
  /** page_tokens; fewer in the last page of a session that was closed */
  readonly nTokens: number;
  /** sessions that end in this page */
  readonly references: number;
  /** pages that continue it */
  readonly children: number;
  /** KVC_TIER_* */
  readonly tier: number;
  readonly priority: number;
  readonly pinned: number;
  /** name of its codec, e.g. "identity" */
  readonly codec: string;
  /** 1: its K/V is not bit for bit what was appended */
  readonly approximate: number;
  /** 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after */
  readonly aged: number;
  /** 0 */
  readonly reserved2: number;
}

/** kvc_stats_t; units and meaning as in kvc.h. */
export interface Stats {
  /** submitted and accepted */
  readonly requests: number;
  /** with KVC_OK */
  readonly requestsCompleted: number;
  readonly requestsFailed: number;
  /** by the caller or by a deadline */
  readonly requestsCancelled: number;
  /** never queued: bad arguments or a full queue */
  readonly requestsRefused: number;
  /** waiting now */
  readonly requestsQueued: number;
  /** in the batch now */
  readonly requestsActive: number;
  /** requests that reused at least one token */
  readonly requestHits: number;
  readonly requestMisses: number;
  /** request_hits / (request_hits + request_misses); 0 before the first */
  readonly hitRate: number;
  readonly promptTokens: number;
  /** of the prompts, reused */
  readonly cachedTokens: number;
  /** of the prompts, computed */
  readonly computedTokens: number;
  readonly generatedTokens: number;
  /** cached / (cached + computed) */
  readonly tokenHitRate: number;
  /** sum of the responses' saved_ns */
  readonly savedNs: number;
  readonly latencyAvgNs: number;
  readonly latencyP50Ns: number;
  readonly latencyP95Ns: number;
  readonly latencyP99Ns: number;
  readonly ttftAvgNs: number;
  readonly ttftP50Ns: number;
  readonly ttftP95Ns: number;
  /** the page core, with or without requests */
  readonly ttftP99Ns: number;
  /** kvc_session_match calls, the request engine's included */
  readonly matches: number;
  /** of these, with at least one token */
  readonly matchHits: number;
  readonly matchedTokens: number;
  readonly matchAskedTokens: number;
  /** by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged */
  readonly missesByReason: number[];
  /** held now */
  readonly pages: number;
  /** ever */
  readonly pagesSealed: number;
  /** sealed twice, kept once */
  readonly pagesDeduplicated: number;
  readonly pagesEvicted: number;
  /** now */
  readonly pagesPinned: number;
  /** open now */
  readonly sessions: number;
  /** plain tensors held now */
  readonly tensors: number;
  /** memory, bytes */
  readonly tensorsEvicted: number;
  readonly memoryBudget: number;
  /** payload + metadata + pooled; never more than the budget */
  readonly memoryUsed: number;
  /** K/V and tensors */
  readonly memoryPayload: number;
  readonly memoryMetadata: number;
  /** free pages kept for reuse */
  readonly memoryPooled: number;
  readonly memoryPeak: number;
  /** of pages, per tier */
  readonly hostBytes: number;
  readonly deviceBytes: number;
  readonly diskBytes: number;
  readonly remoteBytes: number;
  /** 0..1; -1 when there is none */
  readonly gpuUtilization: number;
  /** codecs */
  readonly uptimeNs: number;
  /** of matched_tokens: their K/V went through a lossy codec */
  readonly approximateTokens: number;
  /** ever, by a lossy codec */
  readonly pagesEncoded: number;
  /** ever: not finite, or no smaller when encoded */
  readonly pagesKeptClear: number;
  /** of pages_encoded, before ... */
  readonly encodedRawBytes: number;
  /** ... and after */
  readonly encodedBytes: number;
  /** measured: root mean square error of encoded keys over that of the keys ... */
  readonly codecKeyError: number;
  /** ... and of values; a layer of every page */
  readonly codecValueError: number;
  /** matches that ended with KVC_MISS_DAMAGED */
  readonly missesDamaged: number;
  /** option disk_limit */
  readonly diskLimit: number;
  /** records on disk now: pages, and for each a small one, its clue, by which prompts that end inside the page find it */
  readonly diskPages: number;
  /** pages that matches found on disk and read into memory */
  readonly diskHits: number;
  /** tokens that those pages added to matches */
  readonly diskHitTokens: number;
  /** matches that looked for more on disk and found none */
  readonly diskMisses: number;
  /** pages written, most of them ahead of eviction */
  readonly diskWritten: number;
  /** of these, when they were evicted from memory */
  readonly diskDemoted: number;
  /** pages that were not written: the disk was slower than what came, or full */
  readonly diskDropped: number;
  /** pages whose bytes failed their check; each was a miss */
  readonly diskDamaged: number;
  /** matches that gave up waiting */
  readonly diskTimeouts: number;
  /** pages on disk that were left there because to compute is faster */
  readonly diskRecomputed: number;
  /** writes, reads and syncs that the operating system refused */
  readonly diskErrors: number;
  /** to the files, records and metadata */
  readonly diskWrittenBytes: number;
  readonly diskReadBytes: number;
  /** pages that wait to be written */
  readonly diskWaiting: number;
  /** age of the state that would survive a power cut now; 0: nothing was made durable yet */
  readonly diskDurableNs: number;
  /** KVC_STRATEGY_*: what it goes by now */
  readonly policyStrategy: number;
  /** KVC_REASON_*: why it last changed that */
  readonly policyReason: number;
  /** how often it did */
  readonly policyChanges: number;
  /** time since it last did; 0: never */
  readonly policyChangedNs: number;
  /** option device_memory, times the devices in use */
  readonly deviceLimit: number;
  /** that have a copy there now */
  readonly devicePages: number;
  /** pages that a call on a device found there ... */
  readonly deviceHits: number;
  /** ... and pages that were copied there for one */
  readonly devicePromoted: number;
  /** copies that made room for others; the pages are in memory as before */
  readonly deviceDemoted: number;
  /** copied to devices */
  readonly deviceInBytes: number;
  /** copied from devices */
  readonly deviceOutBytes: number;
  /** in use now */
  readonly devices: number;
  /** that failed; memory and disk serve on */
  readonly devicesLost: number;
  /** ever: calls that a codec of the caller's (kvc_codec_t) failed */
  readonly codecFailures: number;
  /** ever: pages of which codec sparse keeps a part of the rows in memory */
  readonly pagesSparse: number;
  /** of these, chosen without kvc_session_attend's scores: the latest rows stayed */
  readonly sparseByRecency: number;
  /** pages brought back in full for a read or an attend */
  readonly sparseRestored: number;
  /** of sparse pages chosen by scores: mean share of their attention, by the latest queries, that the dropped rows had */
  readonly sparseMassLeftOut: number;
  /** pages that real queries attended to, exactly and over codes, before they were kept: their bits are their own (option codec_bound) */
  readonly codecChecked: number;
  /** of these, pages where a head needed more bits than its space had learned */
  readonly codecRaised: number;
  /** K/V heads of checked pages that no codes served: kept as they came */
  readonly codecHeadsExact: number;
  /** largest relative error of a query head's output that a check found in a page as it was kept, its margin included; never above codec_bound */
  readonly codecBoundError: number;
  /** ever encoded again at rest (codec_rest_bits, codec_rest_bound) */
  readonly pagesAged: number;
  /** of these, before ... */
  readonly agedBeforeBytes: number;
  /** ... and after */
  readonly agedBytes: number;
  /** of approximate_tokens: of such pages */
  readonly agedTokens: number;
}

/** kvc_whatif_t; units and meaning as in kvc.h. */
export interface Whatif {
  /** of the tokens of the sessions looked at, those found in the cache */
  readonly tokenHitRate: number;
  /** the same in pages */
  readonly pageHitRate: number;
  /** that the budget holds, at the bytes per page of now */
  readonly pages: number;
  /** looked at */
  readonly sessions: number;
  /** of these sessions, estimated from the sample */
  readonly tokens: number;
  /** from the first of these sessions' ends to the last */
  readonly spanNs: number;
  /** prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model) */
  readonly savedNs: number;
  /** share of the pages that were looked at */
  readonly sampled: number;
}
