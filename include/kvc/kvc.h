/*
 * kvc.h - the K/V cache that any program can embed.           SPDX-License-Identifier: Apache-2.0
 *
 * A program that runs a language model computes, for every token, key and value tensors ("K/V") in every layer.
 * kvc keeps them in pages, finds them again for every later prompt that begins alike, bounds their memory and keeps
 * tenants apart. On top sits a request engine: prompt in, text out, around any model.
 *
 * WAYS TO USE IT
 *   1. Ask for text.     kvc_engine_create, kvc_process, kvc_stats, kvc_engine_destroy. A small model is built in.
 *   2. Bring tensors.    kvc_space_open, kvc_session_open, _match, _append, _commit, _read: your runtime computes,
 *                        kvc remembers. Plain tensors go under a byte key: kvc_put, kvc_get.
 *   3. Serve requests.   kvc_submit, kvc_next, kvc_wait, kvc_poll, kvc_cancel: queueing, priorities, deadlines, batching.
 *   4. Bring a model.    kvc_backend_t, a table of functions in any language, given to kvc_config_set_backend.
 *
 * The ten lines of way 1:
 *     kvc_engine_t *engine;  kvc_request_t request;  kvc_response_t *answer;
 *     if (kvc_engine_create(NULL, &engine) != KVC_OK) return 1;
 *     kvc_request_init(&request, sizeof request);
 *     request.prompt = "In the beginning";  request.max_tokens = 64;
 *     if (kvc_process(engine, &request, &answer) == KVC_OK) puts(answer->text);
 *     kvc_response_free(answer);  kvc_engine_destroy(engine);
 *
 * CONVENTIONS, once for all functions
 *   Status     Every call that can fail returns kvc_status_t: 0 is KVC_OK, negative is an error, positive (KVC_END,
 *              KVC_PENDING) is a result that is not an error. A cache miss is never an error. Output parameters come last
 *              and, unless a function says otherwise, are set only when the call returns KVC_OK.
 *   Messages   The text of an error is kept in the handle on which the call failed: kvc_engine_last_error,
 *              kvc_session_last_error, kvc_config_last_error; it names what was wrong, how much, and what to do. It is the
 *              text of the most recent failure on that handle. kvc_engine_create_with_error writes into the caller's struct.
 *   Handles    Opaque pointers, checked on every call: a handle that was closed, or never was one, gives KVC_E_CLOSED;
 *              NULL gives KVC_E_NULL. A handle is a name, not an address: never dereference it.
 *   Structs    Every public struct begins with `struct_size`, which the caller sets to sizeof the struct it was compiled
 *              with (the _init functions do it). Fields are only ever added at the end; zero means "the default". An older
 *              caller's smaller struct is accepted; a newer caller's larger one is accepted if what this library does not know
 *              is zero, else KVC_E_STRUCT_SIZE. A struct that kvc fills is filled up to the caller's struct_size.
 *              In an array of structs all elements have the same struct_size, and it is the distance between them.
 *   Text       UTF-8. Where a length is asked for beside a pointer, (size_t)-1 means "up to the terminating zero".
 *              Text that kvc writes is always zero-terminated if the capacity is not 0; the full length comes back.
 *   Units      Times are nanoseconds (_ns), sizes are bytes, lengths and positions are tokens. Token ids are int32_t >= 0.
 *   Ownership  kvc copies what it is given before a call returns, unless a function says otherwise. Objects that kvc
 *              allocates are released by the function that the comment names; those functions accept NULL.
 *   Threads    Any thread may call any function on any handle, at the same time as others. Calls on one session are
 *              carried out one after the other. Callbacks run on the threads that their comment names, without any kvc lock
 *              held; they must return, must not throw or longjmp, and may not destroy the engine that calls them.
 *   Processes  After fork(), every call in the child on handles of the parent returns KVC_E_FORKED and touches nothing;
 *              destroying or closing them is then a no-op. Make a new engine in the child.
 *   Quiet      kvc never writes to stdout or stderr, never exits or aborts, installs no signal handler, and changes
 *              neither locale nor floating-point mode. It starts no thread before the first request is submitted
 *              (with option disk_path: before the first page is to be written or read).
 *   ABI        KVC_ABI_VERSION is the number in the soname. Within it, functions and fields are only added.
 *
 * WORDS
 *   token      one vocabulary id                     page     a fixed number of tokens x all layers, K and V
 *   space      all that K/V depends on but the       chain    the pages of a prefix, each naming its parent
 *              tokens: weights, layout, RoPE ...     session  a token sequence that is being extended
 *   tenant     a security domain                     tier     a place that holds pages: device, host, disk, remote
 *   backend    a model behind a table of functions   codec    how the numbers of a page are encoded
 */
#ifndef KVC_KVC_H
#define KVC_KVC_H

#include <stddef.h>
#include <stdint.h>

#ifndef KVC_API
#  if defined(__GNUC__)
#    define KVC_API __attribute__((visibility("default")))
#  else
#    define KVC_API
#  endif
#endif

#if defined(__cplusplus) && __cplusplus >= 201103L
#  define KVC_NOEXCEPT noexcept
#else
#  define KVC_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------------------
 * Version
 * ------------------------------------------------------------------------------------------------------------------ */

#define KVC_VERSION_MAJOR 0
#define KVC_VERSION_MINOR 1
#define KVC_VERSION_PATCH 0
/* Changes only when a program compiled against an older header would break. */
#define KVC_ABI_VERSION 0

/* The library's version as "major.minor.patch", static text. Thread-safety: any thread. Since: 0.1.0 */
KVC_API const char *kvc_version_string(void) KVC_NOEXCEPT;

/* KVC_ABI_VERSION of the library that answers; compare it with the header's after dlopen.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API uint32_t kvc_abi_version(void) KVC_NOEXCEPT;

/* How this library was built, as one JSON object (compiler, options, versions of the libraries in use, path of the
 * library that answers). Static text, valid until the process ends. Thread-safety: any thread. Since: 0.1.0 */
KVC_API const char *kvc_build_info(void) KVC_NOEXCEPT;

/* 1 if the library has the named feature, else 0. Names: "builtin_model", "avx2", "f16c", "threads".
 * NULL and unknown names give 0. Thread-safety: any thread. Since: 0.1.0 */
KVC_API int32_t kvc_has_feature(const char *name) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Status codes. Values are pinned for ever, grouped by hundreds, and only ever added to.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef int32_t kvc_status_t;

#define KVC_OK                      0
/* results that are not errors */
#define KVC_END                     1    /* a stream or an iteration is over                                        */
#define KVC_PENDING                 2    /* not ready within the time allowed: ask again                            */
/* the caller's arguments */
#define KVC_E_INVALID            (-100)  /* an argument makes no sense; the message says which                      */
#define KVC_E_NULL               (-101)  /* a required pointer or handle is NULL                                    */
#define KVC_E_STRUCT_SIZE        (-102)  /* struct_size is too small, or the unknown tail of a larger one is not 0  */
#define KVC_E_UNKNOWN_OPTION     (-103)  /* no option of that name; kvc_option_info lists them                      */
#define KVC_E_OUT_OF_RANGE       (-104)  /* a value outside of its documented range                                 */
#define KVC_E_SHAPE              (-105)  /* a tensor's shape or strides do not fit the space or the buffer          */
#define KVC_E_DTYPE              (-106)  /* a tensor's dtype does not fit                                           */
#define KVC_E_TOKEN              (-107)  /* a token id is negative or beyond the vocabulary                         */
#define KVC_E_UTF8               (-108)  /* text is not valid UTF-8                                                 */
#define KVC_E_IDENTITY           (-109)  /* a space's identity is incomplete: give the field or say "none"          */
/* state */
#define KVC_E_CLOSED             (-200)  /* the handle was closed, or never was one                                 */
#define KVC_E_ORDER              (-201)  /* calls in the wrong order, or a position that is not the next one        */
#define KVC_E_MISSING_LAYERS     (-202)  /* commit before every layer has its tokens                                */
#define KVC_E_FORKED             (-203)  /* the handle belongs to the parent process                                */
#define KVC_E_BUSY               (-204)  /* the object is in use in a way that forbids this call now                */
#define KVC_E_CANCELLED          (-205)  /* the request was cancelled                                               */
#define KVC_E_DEADLINE           (-206)  /* the request's deadline has passed                                       */
#define KVC_E_NOT_FOUND          (-207)  /* no such ticket or page                                                  */
/* capacity */
#define KVC_E_NO_MEMORY          (-300)  /* the budget or the machine has no room; what is stored stays usable      */
#define KVC_E_BUDGET             (-301)  /* the memory budget cannot hold even one page of this layout              */
#define KVC_E_CONTEXT            (-302)  /* prompt (and answer) longer than the model's context                     */
#define KVC_E_QUEUE_FULL         (-303)  /* too many requests wait                                                  */
#define KVC_E_BUFFER             (-304)  /* the caller's buffer is too small; the needed size is reported           */
/* what is outside */
#define KVC_E_IO                 (-400)  /* the operating system refused                                            */
#define KVC_E_CORRUPT            (-500)  /* bytes failed their check                                                */
#define KVC_E_DEVICE             (-600)  /* an accelerator failed                                                   */
#define KVC_E_BACKEND            (-650)  /* the model backend failed; the message has its words                     */
#define KVC_E_INTERNAL           (-700)  /* a defect of kvc                                                         */
#define KVC_E_UNSUPPORTED        (-701)  /* known, but not in this build or not for this object                     */
#define KVC_E_USER               (-900)  /* free for callbacks to return; kvc itself never does                     */

/* The name of a status, as in this header ("KVC_E_NO_MEMORY"); "KVC_E_UNKNOWN" for any other value. Static text.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API const char *kvc_status_name(kvc_status_t status) KVC_NOEXCEPT;

/* One sentence on what a status means and what to do. Static text. Thread-safety: any thread. Since: 0.1.0 */
KVC_API const char *kvc_status_text(kvc_status_t status) KVC_NOEXCEPT;

/* For failures of calls that have no handle to keep a message in. The caller owns it. */
typedef struct kvc_error_t {
    size_t struct_size;      /* sizeof(kvc_error_t)                                */
    kvc_status_t status;     /* as returned                                        */
    char message[508];       /* zero-terminated, shortened if need be              */
} kvc_error_t;

/* ------------------------------------------------------------------------------------------------------------------
 * Handles and constants
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct kvc_config_t kvc_config_t;        /* options for an engine to be made                               */
typedef struct kvc_engine_t kvc_engine_t;        /* a cache, its memory, and a request engine around a model       */
typedef struct kvc_space_t kvc_space_t;          /* the identity and layout of one model's K/V                     */
typedef struct kvc_session_t kvc_session_t;      /* a token sequence that is being extended                        */
typedef struct kvc_page_iter_t kvc_page_iter_t;  /* a walk over the pages that an engine holds                     */

/* A request that was submitted; unique within its engine, never 0, never reused. */
typedef uint64_t kvc_ticket_t;

/* dtypes of tensors */
#define KVC_F32   1      /* IEEE 754 binary32  */
#define KVC_F16   2      /* IEEE 754 binary16  */
#define KVC_BF16  3      /* bfloat16           */
#define KVC_U8    4      /* opaque bytes, e.g. rows that a runtime has quantised: stored and given back as they are */

/* which plane of a layer */
#define KVC_KEY    0
#define KVC_VALUE  1

/* priorities of requests and sessions: the higher number goes first and is kept longer */
#define KVC_PRIORITY_BACKGROUND  (-200)
#define KVC_PRIORITY_LOW         (-100)
#define KVC_PRIORITY_NORMAL         0
#define KVC_PRIORITY_HIGH         100
#define KVC_PRIORITY_CRITICAL     200

/* what a closing session says of its future (kvc_session_close) */
#define KVC_CLOSE_KEEP      0    /* nothing: the policy decides                                                    */
#define KVC_CLOSE_FINISHED  1    /* it will not come back: pages that only it used leave first                     */
#define KVC_CLOSE_IDLE      2    /* it comes back at about the given time: until then its own pages may leave      */
                                 /* Policy adaptive learns how far these are to be believed.                       */

/* what is known of an open session's future (kvc_session_hint) */
#define KVC_HINT_NONE       0    /* nothing: takes earlier hints back                                              */
#define KVC_HINT_TURN_END   1    /* an answer ended; a person reads it, and may go on                               */
#define KVC_HINT_TOOL_CALL  2    /* an answer asked for a tool; a program goes on, usually soon                     */
#define KVC_HINT_ONE_OFF    3    /* a request of its own: it belongs to no conversation                             */
#define KVC_HINT_SHARED     4    /* a prefix (system prompt, document) that others will begin with                  */

/* what a request wants */
#define KVC_ACTION_PROCESS   0   /* generate an answer                                                             */
#define KVC_ACTION_PREFETCH  1   /* make the cached part of the prompt recent; compute nothing                     */
#define KVC_ACTION_STORE     2   /* compute and cache what is missing of the prompt; generate nothing              */
#define KVC_ACTION_RETRIEVE  3   /* say how much of the prompt is cached; change nothing                           */

/* why an answer ended */
#define KVC_FINISH_NONE       0  /* nothing was to be generated                                                    */
#define KVC_FINISH_LENGTH     1  /* max_tokens reached                                                             */
#define KVC_FINISH_STOP       2  /* a stop string was met; it is not part of the text                              */
#define KVC_FINISH_EOS        3  /* the model ended its text                                                       */
#define KVC_FINISH_CANCELLED  4
#define KVC_FINISH_DEADLINE   5
#define KVC_FINISH_ERROR      6

/* why a request or a match found less than it could (kvc_response_t.miss_reason, kvc_stats_t.misses_by_reason) */
#define KVC_MISS_NONE       0    /* no miss: everything that can be reused was reused                              */
#define KVC_MISS_NEW        1    /* this prefix was never stored here                                              */
#define KVC_MISS_PARTIAL    2    /* a part was found; from there on the tokens differ                              */
#define KVC_MISS_IDENTITY   3    /* the tokens are stored, but in a space that differs (the text says in what)     */
#define KVC_MISS_DISABLED   4    /* reuse was switched off                                                         */
#define KVC_MISS_SHORT      5    /* the prompt has no token that could be reused                                   */
#define KVC_MISS_TIMEOUT    6    /* stored on disk, but it did not come within option disk_timeout                 */
#define KVC_MISS_RECOMPUTE  7    /* stored on disk, but to compute it is expected to be faster than to read it     */
#define KVC_MISS_DAMAGED    8    /* stored on disk, but the bytes failed their check: they are not used            */
#define KVC_MISS_COUNT      9    /* number of reasons above                                                        */

/* places that hold pages */
#define KVC_TIER_HOST    1
#define KVC_TIER_DEVICE  2
#define KVC_TIER_DISK    3
#define KVC_TIER_REMOTE  4

/* ------------------------------------------------------------------------------------------------------------------
 * Extension tables that an engine can be given
 * ------------------------------------------------------------------------------------------------------------------ */

/* Where an engine's pages and their metadata come from, in place of mimalloc. Both functions may be called from any
 * thread at the same time and must not call kvc. The table is copied; user_data must live until the engine is gone. */
typedef struct kvc_allocator_t {
    size_t struct_size;
    void *user_data;
    void *(*allocate)(void *user_data, size_t size, size_t alignment);                /* NULL = no memory; alignment 2^k */
    void (*release)(void *user_data, void *pointer, size_t size, size_t alignment);  /* as they were asked for          */
} kvc_allocator_t;

/* levels of log lines */
#define KVC_LOG_ERROR  1
#define KVC_LOG_WARN   2
#define KVC_LOG_INFO   3
#define KVC_LOG_DEBUG  4

/* Receives log lines up to `level`. Called from any thread that uses the engine, until kvc_engine_destroy returns. */
typedef struct kvc_logger_t {
    size_t struct_size;
    void *user_data;
    int32_t level;                                                       /* KVC_LOG_*                                  */
    void (*log)(void *user_data, int32_t level, const char *message);    /* message: valid during the call             */
} kvc_logger_t;

/* The engine's only source of time, for tests and simulators. Called from any thread; must never go backwards. */
typedef struct kvc_clock_t {
    size_t struct_size;
    void *user_data;
    uint64_t (*now_ns)(void *user_data);      /* nanoseconds since any fixed moment  */
} kvc_clock_t;

/* What a custom policy is told of a page (or of a plain tensor). Valid during the call. */
typedef struct kvc_policy_page_t {
    size_t struct_size;
    uint64_t key;                /* names it, also when it comes back after it was evicted                         */
    uint64_t now_ns;             /* the engine's clock                                                             */
    double score;                /* as `score` last gave it; 0 before                                              */
    uint64_t bytes;              /* of its K/V                                                                     */
    uint32_t depth;              /* pages before it in its sequence; 0 for a tensor                                */
    uint32_t tokens;             /* 0 for a tensor                                                                 */
    uint32_t hits;               /* uses since it came in                                                          */
    int32_t hint;                /* with KVC_POLICY_ENDED: KVC_HINT_*                                              */
    uint64_t return_ns;          /* with KVC_POLICY_ENDED: kvc_session_expect's in_ns; 0: nothing was said         */
    uint64_t generated;          /* with KVC_POLICY_ENDED: kvc_session_generated's tokens; 0: nothing was said     */
} kvc_policy_page_t;

/* events of pages */
#define KVC_POLICY_INSERTED  1   /* it came in                                                                     */
#define KVC_POLICY_USED      2   /* a match found it, or kvc_get a tensor                                          */
#define KVC_POLICY_ENDED     3   /* a session that led to it closed                                                */

/* An eviction policy of your own: it gives every page a score, and of what may leave the lowest leaves first. What holds for
 * every policy holds for yours: no page leaves that is in use, pinned, or continued by another; what kvc_session_close called
 * finished goes first, a lower priority before a higher one. Pages of a sequence are told from the last to the first.
 * The functions are called one at a time, from any thread that uses the engine, with a lock held: they must be short and must
 * not call kvc. The table is copied; name and user_data must live until the engine is gone. */
typedef struct kvc_policy_t {
    size_t struct_size;
    void *user_data;
    const char *name;                                                                    /* for people and statistics   */
    double (*score)(void *user_data, const kvc_policy_page_t *page, int32_t event);      /* NaN counts as lowest        */
    void (*removed)(void *user_data, const kvc_policy_page_t *page);                     /* it left; may be NULL        */
} kvc_policy_t;

/* The page that a codec is to encode or to decode. Valid during the call. In the clear a page is the rows
 * [layer][K, then V][head][token][dim], without gaps. */
typedef struct kvc_codec_page_t {
    size_t struct_size;
    uint32_t n_layers;
    uint32_t n_kv_heads;
    uint32_t k_head_dim;
    uint32_t v_head_dim;
    uint32_t page_tokens;
    int32_t dtype;               /* KVC_F32, KVC_F16 or KVC_BF16: of the page in the clear, and of the rows that decode gives */
    uint64_t position;           /* of the page's first token; encode alone: 0 in the others                       */
} kvc_codec_page_t;

/* A page codec of your own, in place of option codec. What holds for every lossy codec holds for yours: the first 4 tokens of a
 * sequence are kept beside it bit for bit, option codec_window keeps the latest in the clear, its pages count as approximate, and
 * sessions with `exact` neither make nor find them. A page says with which codec it was encoded, by name and version, in memory, on
 * disk and in packs: a page of another name or version is a miss, never decoded. Change the version whenever old bytes would be
 * read differently.
 * kvc_session_attend has it decode one tile at a time (64 tokens of one head), not pages. Numbers that are not finite come as they are.
 * The functions may be called from any thread, several at a time, and must not call kvc. What they write is guarded on both sides
 * and copied from there: a codec that writes beyond it makes the call fail with KVC_E_CORRUPT, and its bytes are not used. Any other
 * value than KVC_OK makes the call fail with it (what is no error of this header: with KVC_E_USER), but KVC_E_UNSUPPORTED of
 * encode: the page stays in the clear. An error may be said in words in `error`.
 * The table is copied; name and user_data must live until the engine is gone. */
typedef struct kvc_codec_t {
    size_t struct_size;
    void *user_data;
    const char *name;            /* 1..15 of a-z 0-9 _ -, and none of option codec's words                         */
    uint32_t version;            /* of the encoded form                                                            */
    uint32_t reserved;           /* 0                                                                              */
    /* Bytes of an encoded page: the same for every page of this geometry. 0, or not below the page's own bytes: pages of this
     * geometry stay in the clear. */
    uint64_t (*encoded_size)(void *user_data, const kvc_codec_page_t *page);
    /* The whole page, in the clear, into exactly encoded_size bytes, which are 0 before. Both are aligned to 64 bytes. */
    kvc_status_t (*encode)(void *user_data, const kvc_codec_page_t *page, const void *clear, void *encoded, uint64_t encoded_size,
                           char *error, size_t error_size);
    /* Tokens [from, from + n) of one head of one plane (KVC_KEY, KVC_VALUE) into `rows`, [n][dim]; n >= 1. `encoded` may have come
     * from a disk or another machine: its numbers are to be checked before they are used as sizes. */
    kvc_status_t (*decode)(void *user_data, const kvc_codec_page_t *page, const void *encoded, uint64_t encoded_size, uint32_t layer,
                           int32_t plane, uint32_t head, uint32_t from, uint32_t n, void *rows, char *error, size_t error_size);
} kvc_codec_t;

/* ------------------------------------------------------------------------------------------------------------------
 * Configuration: every option has a name, so that every language and every config file has every option.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Makes a configuration from a preset.
 *   preset  "seamless" (the default, also for NULL): balanced, nothing to tune; "adaptive": larger share of memory, policy that
 *           learns; "high_performance": most memory, largest batches; "memory_efficient": small budget, early collection;
 *           "bulk_optimized": throughput before latency. `kvc info` prints what each one sets.
 * Errors: KVC_E_INVALID for another preset, KVC_E_NULL, KVC_E_NO_MEMORY.
 * Ownership: kvc_config_destroy. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_create(const char *preset, kvc_config_t **config) KVC_NOEXCEPT;

/* Releases a configuration; engines made from it stay. NULL is allowed. Thread-safety: any thread. Since: 0.1.0 */
KVC_API void kvc_config_destroy(kvc_config_t *config) KVC_NOEXCEPT;

/* Sets an option by name, e.g. ("memory", "512MiB"). Sizes take B, KB, KiB, MB, MiB, GB, GiB; times ns, us, ms, s; switches
 * true/false/1/0/on/off. The value is checked now.
 * Errors: KVC_E_UNKNOWN_OPTION, KVC_E_OUT_OF_RANGE, KVC_E_INVALID (not a value of that type); the option keeps its value.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set(kvc_config_t *config, const char *key, const char *value) KVC_NOEXCEPT;

/* Reads an option as text into buffer (zero-terminated, at most `capacity` bytes); *length gets the full length without
 * the zero. buffer may be NULL when capacity is 0; length may be NULL. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_get(kvc_config_t *config, const char *key, char *buffer, size_t capacity,
                                    size_t *length) KVC_NOEXCEPT;

/* Text of the last failure on this configuration; returns its full length. Thread-safety: any thread. Since: 0.1.0 */
KVC_API size_t kvc_config_last_error(kvc_config_t *config, char *buffer, size_t capacity) KVC_NOEXCEPT;

struct kvc_backend_t; /* below */

/* Gives engines made from this configuration a model (see kvc_backend_t); option "model" is then ignored. The table is
 * copied. NULL takes it back. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_backend(kvc_config_t *config, const struct kvc_backend_t *backend) KVC_NOEXCEPT;

/* Gives engines an allocator for pages and metadata (default: mimalloc). NULL takes it back.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_allocator(kvc_config_t *config, const kvc_allocator_t *allocator) KVC_NOEXCEPT;

/* Gives engines a logger (default: none). NULL takes it back. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_logger(kvc_config_t *config, const kvc_logger_t *logger) KVC_NOEXCEPT;

/* Gives engines a clock (default: the monotonic clock). NULL takes it back. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_clock(kvc_config_t *config, const kvc_clock_t *clock) KVC_NOEXCEPT;

/* Gives engines an eviction policy; option "policy" is then ignored. NULL takes it back.
 * Errors: KVC_E_NULL (no name, no score). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_policy(kvc_config_t *config, const kvc_policy_t *policy) KVC_NOEXCEPT;

/* Gives engines a page codec; option codec is then ignored. NULL takes it back.
 * Errors: KVC_E_NULL (no name or function), KVC_E_INVALID (a name that is not allowed or that a codec of kvc has).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_set_codec(kvc_config_t *config, const kvc_codec_t *codec) KVC_NOEXCEPT;

/* types of options */
#define KVC_OPTION_INTEGER  1
#define KVC_OPTION_SIZE     2
#define KVC_OPTION_TIME     3
#define KVC_OPTION_REAL     4
#define KVC_OPTION_SWITCH   5
#define KVC_OPTION_CHOICE   6    /* one of the words in `choices`, separated by '|' */
#define KVC_OPTION_TEXT     7

/* Everything about one option. All text is static. */
typedef struct kvc_option_info_t {
    size_t struct_size;
    int32_t type;                /* KVC_OPTION_*                                            */
    int32_t reserved;            /* 0                                                       */
    const char *name;
    const char *default_value;   /* of the preset "seamless"                                */
    const char *minimum;         /* "" where there is none                                  */
    const char *maximum;         /* "" where there is none                                  */
    const char *choices;         /* "" unless type is KVC_OPTION_CHOICE                     */
    const char *doc;             /* one or two sentences                                    */
    const char *since;           /* version that introduced it                              */
} kvc_option_info_t;

/* Number of options. Thread-safety: any thread. Since: 0.1.0 */
KVC_API uint32_t kvc_option_count(void) KVC_NOEXCEPT;

/* Describes option `index`, 0 <= index < kvc_option_count(). Errors: KVC_E_OUT_OF_RANGE, KVC_E_NULL, KVC_E_STRUCT_SIZE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_option_info(uint32_t index, kvc_option_info_t *info) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Engine
 * ------------------------------------------------------------------------------------------------------------------ */

/* Makes an engine. config NULL means the preset "seamless" with the built-in model. The configuration is copied.
 * Cost: no thread and no page memory yet; both come with use.
 * Errors: KVC_E_BUDGET (memory budget 0 or too small for one page of the model), KVC_E_BACKEND, KVC_E_NO_MEMORY, KVC_E_UNSUPPORTED
 * (a model or policy that is not in this build). Ownership: kvc_engine_destroy. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_engine_create(kvc_config_t *config, kvc_engine_t **engine) KVC_NOEXCEPT;

/* The same, with the words of a failure in *error (may be NULL). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_engine_create_with_error(kvc_config_t *config, kvc_engine_t **engine,
                                                  kvc_error_t *error) KVC_NOEXCEPT;

/* Ends an engine: requests that wait or run are cancelled (their kvc_wait and kvc_process return KVC_E_CANCELLED), calls in
 * progress on other threads are let finish, threads are joined, memory is released. Spaces, sessions and iterators of
 * this engine are closed with it; responses stay valid. What waits for the disk (option disk_path) is written. If the disk completes
 * nothing for ten times disk_timeout and at least 10 s, this returns all the same: files and memory of the cache are given back when
 * the disk answers. With an allocator, a clock, a policy or a codec of the caller it waits. NULL and closed handles are allowed (no-op). From a
 * callback of the same engine: does nothing. Thread-safety: any thread. Since: 0.1.0 */
KVC_API void kvc_engine_destroy(kvc_engine_t *engine) KVC_NOEXCEPT;

/* Text of the last failure on this engine; returns its full length. Thread-safety: any thread. Since: 0.1.0 */
KVC_API size_t kvc_engine_last_error(kvc_engine_t *engine, char *buffer, size_t capacity) KVC_NOEXCEPT;

/* What this engine is made of, as one JSON object: model, layout, budget, policy, codec, tiers, device, options. Written as
 * kvc_config_get writes. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_engine_info(kvc_engine_t *engine, char *buffer, size_t capacity, size_t *length) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Requests
 * ------------------------------------------------------------------------------------------------------------------ */

/* Called with each new piece of an answer, in order, on the thread that runs the engine's steps (the engine's own, or
 * with option threads=0 the caller of kvc_process, kvc_wait, kvc_next or kvc_step). `text` is whole UTF-8 characters where
 * the model writes UTF-8, not zero-terminated, valid during the call. Return KVC_OK to go on; anything else cancels. */
typedef kvc_status_t (*kvc_stream_fn)(void *user_data, kvc_ticket_t ticket, const char *text, size_t text_size);

/* A request. Initialise with kvc_request_init, then set `prompt` or `tokens`. kvc copies all of it. */
typedef struct kvc_request_t {
    size_t struct_size;
    int32_t action;              /* KVC_ACTION_*                                                                    */
    int32_t priority;            /* KVC_PRIORITY_*, or any value between                                            */
    const char *prompt;          /* text; NULL if `tokens` is given                                                 */
    size_t prompt_size;          /* bytes; (size_t)-1 (set by _init): up to the zero                                */
    const int32_t *tokens;       /* prompt as tokens; NULL if `prompt` is given                                     */
    size_t n_tokens;
    uint32_t max_tokens;         /* of the answer, >= 1 for KVC_ACTION_PROCESS; _init: 128                          */
    uint32_t top_k;              /* sample among the k likeliest; 0 = all                                           */
    double temperature;          /* 0 = always the likeliest (_init); up to 100                                     */
    double top_p;                /* sample within this probability mass, 0 < top_p <= 1; _init: 1                   */
    uint64_t seed;               /* same seed, same answer                                                          */
    const char *const *stop;     /* stop strings, UTF-8, not empty; the answer ends before the first one met        */
    uint32_t n_stop;             /* at most 16                                                                      */
    uint32_t no_cache;           /* 1 = neither look up nor store                                                   */
    const char *session_id;      /* names a conversation: its requests run in the order submitted; may be NULL      */
    const char *tenant;          /* security domain; NULL = the default one                                         */
    uint64_t deadline_ns;        /* time allowed from submission, 0 = none                                          */
    kvc_stream_fn on_text;       /* may be NULL                                                                     */
    void *user_data;             /* for on_text                                                                     */
} kvc_request_t;

/* An answer. kvc owns the memory: release with kvc_response_free. Pointers stay valid until then. */
typedef struct kvc_response_t {
    size_t struct_size;
    kvc_status_t status;         /* KVC_OK, or why it failed; what was generated until then is here all the same    */
    int32_t finish_reason;       /* KVC_FINISH_*                                                                    */
    const char *text;            /* the answer, zero-terminated UTF-8 (bytes that are no UTF-8 become U+FFFD)       */
    size_t text_size;            /* bytes without the zero                                                          */
    const int32_t *tokens;       /* the answer's tokens                                                             */
    size_t n_tokens;
    uint32_t cache_hit;          /* 1 if any token of the prompt, but a bos alone, was found in the cache           */
    uint32_t prompt_tokens;      /* length of the prompt                                                            */
    uint32_t cached_tokens;      /* tokens of the prompt whose K/V was reused                                       */
    uint32_t computed_tokens;    /* tokens of the prompt whose K/V was computed                                     */
    uint64_t queue_ns;           /* submission to first step                                                        */
    uint64_t prefill_ns;         /* first step to first token                                                       */
    uint64_t decode_ns;          /* first token to last                                                             */
    uint64_t total_ns;           /* submission to end; queue + prefill + decode                                     */
    uint64_t ttft_ns;            /* submission to first token; 0 if there was none                                  */
    uint64_t saved_ns;           /* estimate: cached_tokens at the measured speed of prefill                        */
    int32_t miss_reason;         /* KVC_MISS_*                                                                      */
    int32_t reserved;            /* 0                                                                               */
    const char *miss_text;       /* in words, e.g. "miss: rope_base 10000 != 500000"; "" if there was none          */
    const char *error;           /* message of `status`; "" if KVC_OK                                               */
    kvc_ticket_t ticket;         /* of the request                                                                  */
    uint32_t approximate_tokens; /* of cached_tokens: their K/V went through a lossy codec                          */
    uint32_t reserved2;          /* 0                                                                               */
} kvc_response_t;

/* Sets every field to its default and struct_size to `size`. Errors: KVC_E_NULL, KVC_E_STRUCT_SIZE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_request_init(kvc_request_t *request, size_t size) KVC_NOEXCEPT;

/* Prompt in, answer out; returns when it is complete. *response is set for every answered request, also one that failed
 * midway (then the status is returned as well); it is NULL if the request was refused.
 * Errors: KVC_E_CONTEXT, KVC_E_DEADLINE, KVC_E_TOKEN, KVC_E_UTF8, KVC_E_OUT_OF_RANGE, KVC_E_QUEUE_FULL, KVC_E_NO_MEMORY,
 * KVC_E_BACKEND, KVC_E_UNSUPPORTED (option model=none). Ownership: kvc_response_free.
 * Thread-safety: any thread; concurrent requests decode together. Not from a callback. Since: 0.1.0 */
KVC_API kvc_status_t kvc_process(kvc_engine_t *engine, const kvc_request_t *request,
                                 kvc_response_t **response) KVC_NOEXCEPT;

/* Processes n requests together and returns when all are complete; responses[i] belongs to requests[i] and is NULL if that one
 * was refused. Returns the first failure, else KVC_OK; the others are carried out all the same.
 * Ownership: kvc_response_free for each. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_process_batch(kvc_engine_t *engine, const kvc_request_t *requests, size_t n,
                                       kvc_response_t **responses) KVC_NOEXCEPT;

/* Queues a request and returns at once. The ticket lives until kvc_wait hands out its response or kvc_ticket_free drops it.
 * Errors: as kvc_process. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_submit(kvc_engine_t *engine, const kvc_request_t *request, kvc_ticket_t *ticket) KVC_NOEXCEPT;

/* Waits until a request is complete, at most timeout_ns (0: look only; UINT64_MAX: for ever), and hands out its response, which
 * ends the ticket. Returns the response's status, KVC_PENDING if it is not complete, KVC_E_NOT_FOUND for an unknown ticket.
 * Ownership: kvc_response_free. Thread-safety: any thread; of several waiters one gets the response. Since: 0.1.0 */
KVC_API kvc_status_t kvc_wait(kvc_engine_t *engine, kvc_ticket_t ticket, uint64_t timeout_ns,
                              kvc_response_t **response) KVC_NOEXCEPT;

/* Lists tickets that completed since the last call, each once, without waiting: up to `capacity` of them into `tickets`,
 * their number into *n. Their responses still wait for kvc_wait. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_poll(kvc_engine_t *engine, kvc_ticket_t *tickets, size_t capacity, size_t *n) KVC_NOEXCEPT;

/* Hands out the next piece of a request's text (pull streaming): waits at most timeout_ns for at least one byte. The pieces
 * together are the response's text.
 * Returns KVC_OK with *text_size bytes in buffer (zero-terminated), KVC_PENDING if none came in time, KVC_END when the
 * text is complete (the response still waits for kvc_wait). capacity must be at least 5 bytes (KVC_E_BUFFER).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_next(kvc_engine_t *engine, kvc_ticket_t ticket, uint64_t timeout_ns, char *buffer,
                              size_t capacity, size_t *text_size) KVC_NOEXCEPT;

/* Asks a request to end at its next step; its response then has status KVC_E_CANCELLED and the text so far. A request that is
 * already complete stays as it is (KVC_OK). Errors: KVC_E_NOT_FOUND. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_cancel(kvc_engine_t *engine, kvc_ticket_t ticket) KVC_NOEXCEPT;

/* Cancels a request if it still runs and drops its response. Errors: KVC_E_NOT_FOUND. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_ticket_free(kvc_engine_t *engine, kvc_ticket_t ticket) KVC_NOEXCEPT;

/* With option threads=0 the host drives the engine: one step (a batch of prompt chunks and next tokens) on this thread.
 * *busy (may be NULL) is 1 if there is more to do. With threads it does nothing and reports. Errors: those of the engine,
 * never of a single request. Thread-safety: any thread; steps run one at a time. Since: 0.1.0 */
KVC_API kvc_status_t kvc_step(kvc_engine_t *engine, int32_t *busy) KVC_NOEXCEPT;

/* Releases a response. NULL is allowed. Thread-safety: any thread. Since: 0.1.0 */
KVC_API void kvc_response_free(kvc_response_t *response) KVC_NOEXCEPT;

/* One message of a conversation. */
typedef struct kvc_message_t {
    size_t struct_size;
    const char *role;            /* "system", "user", "assistant", or what else the model knows                    */
    const char *content;
} kvc_message_t;

/* A conversation as the text of a prompt, in the form that the engine's model was trained on (its chat template). Give the text to
 * kvc_process; a longer conversation's text begins with a shorter one's, so that only what is new is computed.
 *   answer    1: the text ends where the model's answer begins
 * Written as kvc_config_get writes. Errors: KVC_E_UNSUPPORTED (the model has no template that is known), KVC_E_NULL,
 * KVC_E_UTF8, KVC_E_OUT_OF_RANGE (more than 65,536 messages), KVC_E_BACKEND. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_chat_text(kvc_engine_t *engine, const kvc_message_t *messages, size_t n, int32_t answer,
                                   char *buffer, size_t capacity, size_t *length) KVC_NOEXCEPT;

/* Text to tokens with the engine's model, without the bos that kvc_process puts before a text prompt. At most `capacity` are written; *n gets the full number.
 * Errors: KVC_E_BUFFER (n is set), KVC_E_UTF8, KVC_E_UNSUPPORTED (no model). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_tokenize(kvc_engine_t *engine, const char *text, size_t text_size, int32_t *tokens,
                                  size_t capacity, size_t *n) KVC_NOEXCEPT;

/* Tokens to text. Written as kvc_config_get writes. Errors: KVC_E_TOKEN, KVC_E_UNSUPPORTED.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_detokenize(kvc_engine_t *engine, const int32_t *tokens, size_t n, char *buffer, size_t capacity,
                                    size_t *length) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Spaces: the identity of a model's K/V. Two spaces with any difference never share a page.
 * ------------------------------------------------------------------------------------------------------------------ */

/* An adapter (LoRA) that is active, by the digest of its weights. */
typedef struct kvc_adapter_t {
    size_t struct_size;
    const void *digest;          /* of its content, not its name   */
    size_t digest_size;          /* bytes, 1..64                   */
    double scale;
} kvc_adapter_t;

/* Rotary position embedding. */
typedef struct kvc_rope_t {
    size_t struct_size;
    double base;                 /* theta, e.g. 10000; > 0                                                   */
    double freq_scale;           /* position scale; 1 = none                                                 */
    const char *scaling;         /* "none", "linear", "yarn", "llama3" ... free text; NULL = "none"          */
    double factor;               /* of the scaling; 0 where it has none                                      */
    double attn_factor;          /* 0 where there is none                                                    */
    double beta_fast;            /* 0 where there is none                                                    */
    double beta_slow;            /* 0 where there is none                                                    */
    uint32_t dims;               /* dimensions of a head that turn                                           */
    uint32_t original_context;   /* 0 where there is none                                                    */
    int32_t interleaved;         /* 1: pairs (2i, 2i+1); 0: pairs (i, i + dims/2)                            */
    int32_t applied;             /* 1: keys come in after RoPE; 0: before                                    */
} kvc_rope_t;

/* kvc_space_desc_t.none: fields of which the caller says that the model has none */
#define KVC_NONE_TOKENIZER  1u
#define KVC_NONE_ROPE       2u
#define KVC_NONE_ADAPTERS   4u
#define KVC_NONE_ATTENTION  8u

/* The full identity of a model's K/V. A field left out is an error (KVC_E_IDENTITY) unless `none` names it: what was forgotten
 * cannot turn into a wrong hit. `label` alone is for people and is no part of the identity. */
typedef struct kvc_space_desc_t {
    size_t struct_size;
    const char *label;                /* a name for messages; may be NULL                                           */
    const void *weights_digest;       /* of the content of the weights                                              */
    size_t weights_digest_size;       /* bytes, 1..64                                                               */
    const void *tokenizer_digest;     /* of the tokenizer's content                                                 */
    size_t tokenizer_digest_size;     /* bytes, 1..64                                                               */
    const kvc_rope_t *rope;
    const kvc_adapter_t *adapters;    /* active adapters, in the order of their application                         */
    uint32_t n_adapters;
    uint32_t none;                    /* KVC_NONE_* bits                                                            */
    const char *attention;            /* other options that K/V depends on, free text, e.g. "window=4096 flash=1"   */
    uint32_t n_layers;                /* 1..1024                                                                    */
    uint32_t n_kv_heads;              /* 1..1024; 0 = the engine's option num_heads (8)                             */
    uint32_t k_head_dim;              /* 1..8192; 0 = the engine's option head_dim (64)                             */
    uint32_t v_head_dim;              /* 1..8192; 0 = k_head_dim                                                    */
    int32_t dtype;                    /* KVC_F32, KVC_F16, KVC_BF16; KVC_U8: dims count bytes, and no codec applies   */
    uint32_t page_tokens;             /* 1..4096; 0 = the engine's option page_tokens (64)                          */
    int32_t vocab_size;               /* tokens are < vocab_size; 0 = unknown, any token >= 0                       */
    uint32_t reserved;                /* 0                                                                          */
} kvc_space_desc_t;

/* Sets all fields to 0, struct_size to `size`. Errors: KVC_E_NULL, KVC_E_STRUCT_SIZE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_space_desc_init(kvc_space_desc_t *desc, size_t size) KVC_NOEXCEPT;

/* Opens the space of an identity. Opening the same identity twice gives two handles on one space.
 * Errors: KVC_E_IDENTITY (the message names the field), KVC_E_OUT_OF_RANGE, KVC_E_BUDGET (one page is larger than the memory
 * budget). Ownership: kvc_space_close. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_space_open(kvc_engine_t *engine, const kvc_space_desc_t *desc, kvc_space_t **space) KVC_NOEXCEPT;

/* Opens the space of the engine's own model. Errors: KVC_E_UNSUPPORTED (no model). Ownership: kvc_space_close.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_engine_space(kvc_engine_t *engine, kvc_space_t **space) KVC_NOEXCEPT;

/* Closes a handle on a space. Its sessions and pages stay. NULL is allowed. Thread-safety: any thread. Since: 0.1.0 */
KVC_API void kvc_space_close(kvc_space_t *space) KVC_NOEXCEPT;

/* The layout of a space as resolved, and its digest. */
typedef struct kvc_space_info_t {
    size_t struct_size;
    uint8_t digest[32];          /* of the identity; the root of every chain                                       */
    uint32_t n_layers;
    uint32_t n_kv_heads;
    uint32_t k_head_dim;
    uint32_t v_head_dim;
    int32_t dtype;
    uint32_t page_tokens;
    uint64_t page_bytes;         /* K/V bytes of one page before any codec                                         */
    int32_t vocab_size;
    int32_t reserved;            /* 0                                                                              */
} kvc_space_info_t;

/* Describes a space. Errors: KVC_E_CLOSED, KVC_E_NULL, KVC_E_STRUCT_SIZE. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_space_info(kvc_space_t *space, kvc_space_info_t *info) KVC_NOEXCEPT;

/* In what two spaces differ, e.g. "rope_base 10000 != 500000; dtype f16 != bf16"; "" if in nothing. Written as
 * kvc_config_get writes. Both must be of one engine. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_space_diff(kvc_space_t *a, kvc_space_t *b, char *buffer, size_t capacity,
                                    size_t *length) KVC_NOEXCEPT;

/* The identities of the whole pages of a token sequence, as they are stored, compared and (later) shared between machines:
 * a 256-bit keyed BLAKE2b of tenant key, parent identity and tokens. For routers and indexes outside kvc.
 *   ids       room for `capacity` identities of 32 bytes; *n gets n_tokens / page_tokens
 * Errors: KVC_E_BUFFER (n is set), KVC_E_TOKEN. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_space_page_ids(kvc_space_t *space, const char *tenant, const int32_t *tokens, size_t n_tokens,
                                        uint8_t *ids, size_t capacity, size_t *n) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Tensors: borrowed memory with a shape. kvc reads or writes it during the call only.
 * ------------------------------------------------------------------------------------------------------------------ */

#define KVC_MAX_DIMS 8

/* For sessions the indices are always [token][head][dim]; the strides say how they lie in memory, so [tokens][heads][dim] and
 * [heads][tokens][dim] buffers are both described without a copy. */
typedef struct kvc_tensor_t {
    size_t struct_size;
    void *data;                     /* first element; aligned to the dtype                                          */
    uint64_t size;                  /* bytes that may be touched from data on: checked against shape and strides    */
    int32_t dtype;                  /* KVC_F32, KVC_F16, KVC_BF16, KVC_U8                                           */
    uint32_t n_dims;                /* 1..KVC_MAX_DIMS                                                              */
    int64_t shape[KVC_MAX_DIMS];    /* elements, >= 1                                                               */
    int64_t strides[KVC_MAX_DIMS];  /* elements; all 0 = compact row-major                                          */
} kvc_tensor_t;

/* Describes a compact buffer [tokens][heads][dim]. Errors: KVC_E_NULL, KVC_E_OUT_OF_RANGE, KVC_E_DTYPE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_tensor_thd(kvc_tensor_t *tensor, void *data, int32_t dtype, size_t tokens, uint32_t heads,
                                    uint32_t dim) KVC_NOEXCEPT;

/* Describes a compact buffer [heads][tokens][dim]. Errors: as kvc_tensor_thd. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_tensor_htd(kvc_tensor_t *tensor, void *data, int32_t dtype, size_t tokens, uint32_t heads,
                                    uint32_t dim) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Sessions
 *
 *   match    attaches the longest stored prefix of a prompt
 *   append   adds K and V of the next tokens, layer by layer (any order of layers)
 *   commit   names those tokens once every layer has them; whole pages are sealed and become findable for others
 *   close    leaves the unfinished last page behind as well, so that a prompt is found up to its last token
 *   read     gathers K or V of any range, sealed or not, into the caller's buffer
 *
 * An open session keeps its pages: they are not evicted before it is closed.
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct kvc_session_options_t {
    size_t struct_size;
    const char *tenant;          /* security domain; NULL = the default one. Tenants never see each other's pages   */
    const char *session_id;      /* a name for messages and statistics; may be NULL                                 */
    int32_t priority;            /* KVC_PRIORITY_*; pages of a higher one are kept longer                           */
    uint32_t no_publish;         /* 1: commit keeps pages private to this session and its forks                     */
    uint32_t exact;              /* 1: finds no approximate pages and keeps its own in the clear, whatever the codec; where an
                                    approximate page of the same tokens is stored, its own stay private            */
    uint32_t reserved;           /* 0                                                                              */
    uint32_t no_aged;            /* 1: finds no pages that were encoded again at rest (options codec_rest_bits and
                                    codec_rest_bound); where one of the same tokens is stored, its own stay private */
} kvc_session_options_t;

/* Opens an empty session. options may be NULL. Ownership: kvc_session_close (or with the engine).
 * Errors: KVC_E_CLOSED, KVC_E_NO_MEMORY, KVC_E_STRUCT_SIZE. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_open(kvc_space_t *space, const kvc_session_options_t *options,
                                      kvc_session_t **session) KVC_NOEXCEPT;

/* Closes a session and says what becomes of it. Its committed tokens after the last whole page become a page of their own,
 * findable like the others, unless the session is private or finished; tokens that are not committed are dropped.
 *   hint      KVC_CLOSE_*
 *   until_ns  for KVC_CLOSE_IDLE: time from now at which it is expected back; else 0
 * Errors: KVC_E_CLOSED, KVC_E_NULL, KVC_E_OUT_OF_RANGE (hint; the session stays open).
 * Thread-safety: any thread; a call in progress on it is let finish. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_close(kvc_session_t *session, int32_t hint, uint64_t until_ns) KVC_NOEXCEPT;

/* Attaches the longest stored prefix of `tokens` (a sequence from position 0, the session's present tokens being its beginning),
 * to the token: a prefix that ends inside a page is reused up to its last common token. Every token is compared; a page of
 * another space or tenant is never found. Nothing may be appended and uncommitted.
 *   reused    length of the session afterwards
 * Errors: KVC_E_TOKEN, KVC_E_ORDER (uncommitted tokens, or the session's tokens are not the beginning of `tokens`).
 * Pages that come from disk are read and verified before the call returns, and decoded behind it, layer 0 first: a read of (or
 * attention over) one layer waits for that layer alone, other calls for all. KVC_E_CORRUPT from those: a file was made by hand, its
 * checksums right over what is no page; the session can only be closed, and the next match is a miss.
 * Cost: about 50 ns a page. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_match(kvc_session_t *session, const int32_t *tokens, size_t n, size_t *reused) KVC_NOEXCEPT;

/* Why the last kvc_session_match found no more, as a KVC_MISS_* in *reason (may be NULL) and in words. Written as
 * kvc_config_get writes. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_miss(kvc_session_t *session, int32_t *reason, char *buffer, size_t capacity,
                                      size_t *length) KVC_NOEXCEPT;

/* Adds K and V of the next n tokens of one layer, after what that layer already has.
 *   k, v      [n][n_kv_heads][k_head_dim] and [n][n_kv_heads][v_head_dim], the space's dtype, last stride 1
 * Errors: KVC_E_SHAPE, KVC_E_DTYPE, KVC_E_OUT_OF_RANGE (layer), KVC_E_NO_MEMORY: the session is as before.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_append(kvc_session_t *session, uint32_t layer, const kvc_tensor_t *k, const kvc_tensor_t *v,
                                        size_t n) KVC_NOEXCEPT;

/* Adds K and V of the next n tokens of all layers at once: k and v are arrays of n_layers tensors. All or nothing.
 * Errors: as kvc_session_append. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_append_all(kvc_session_t *session, const kvc_tensor_t *k, const kvc_tensor_t *v,
                                            uint32_t n_layers, size_t n) KVC_NOEXCEPT;

/* Names the n tokens that were appended. Every layer must have exactly n tokens more than are committed. Pages that are full
 * (and, with a lossy codec, behind option codec_window) are sealed, and published unless the session is private; where an equal page is stored already, that one is taken and
 * the session's copy is dropped.
 * Errors: KVC_E_MISSING_LAYERS (the message names the layer and the counts), KVC_E_TOKEN, KVC_E_NO_MEMORY: the session is as before.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_commit(kvc_session_t *session, const int32_t *tokens, size_t n) KVC_NOEXCEPT;

/* Gathers n tokens from position `from` of one plane of one layer, decoded, into the caller's tensor: [n][n_kv_heads][dim], of the
 * space's dtype or KVC_F32, last stride 1. What is appended but not committed can be read.
 * Errors: KVC_E_OUT_OF_RANGE (layer, plane, or beyond the end), KVC_E_SHAPE, KVC_E_DTYPE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_read(kvc_session_t *session, uint32_t layer, int32_t plane, size_t from, size_t n,
                                      const kvc_tensor_t *out) KVC_NOEXCEPT;

/* The same for K and V of all layers: k and v are arrays of n_layers tensors; either may be NULL.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_read_all(kvc_session_t *session, size_t from, size_t n, const kvc_tensor_t *k,
                                          const kvc_tensor_t *v, uint32_t n_layers) KVC_NOEXCEPT;

/* How kvc_session_attend attends. */
typedef struct kvc_attend_t {
    size_t struct_size;
    double scale;                /* of scores; 0 = 1 / sqrt(k_head_dim)                                             */
    double softcap;              /* c > 0: score := c * tanh(score / c); 0 = none                                   */
    uint64_t window;             /* a query sees only tokens less than so many positions away; 0 = no limit         */
    uint64_t sinks;              /* so many first tokens are seen whatever the window                               */
    uint64_t later;              /* tokens that the layer has after the last query; 0: the queries are its last tokens */
    uint32_t bidirectional;      /* 0: a query sees no later tokens (causal); 1: it does                            */
    uint32_t n_threads;          /* threads at work, the caller's included; 0 or 1 = the caller's alone             */
    const float *alibi_slopes;   /* one per query head, added times (position of key - of query); NULL = none       */
    const float *sink_scores;    /* one per query head: a score that takes weight and gives no value; NULL = none   */
    double *left_out;            /* gets the share of the layer's rows (tokens times K/V heads) that were left out, because codec
                                    sparse dropped them; 0: attention is over all. NULL = not wanted                */
    uint32_t restore;            /* 1: what codec sparse dropped is brought back for this call: attention is over all */
    uint32_t reserved;           /* 0                                                                              */
} kvc_attend_t;

/* Sets all fields to 0, struct_size to `size`. Errors: KVC_E_NULL, KVC_E_STRUCT_SIZE.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_attend_init(kvc_attend_t *how, size_t size) KVC_NOEXCEPT;

/* Attention of n queries over all that one layer has, straight over the pages where they lie, of any codec, and the tail;
 * what is appended and not committed counts. Softmax in f32; no page is decoded to memory.
 *   how      NULL = causal, nothing else
 *   query    [n][heads][k_head_dim], any dtype, last stride 1; heads is a multiple of n_kv_heads, and query head h reads K/V head
 *            h / (heads / n_kv_heads)
 *   out      [n][heads][v_head_dim], any dtype; a query that sees no token gets 0. Must not overlap query
 * Error of the arithmetic itself, against K/V as kvc_session_read gives it: below 1e-3 of the largest value.
 * Errors: KVC_E_SHAPE, KVC_E_OUT_OF_RANGE (layer, more queries than tokens, a negative number), KVC_E_NO_MEMORY. With
 * n_threads > 1, threads are started for the call and end with it; split by K/V head, and along the tokens beyond that.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_attend(kvc_session_t *session, uint32_t layer, const kvc_attend_t *how,
                                        const kvc_tensor_t *query, const kvc_tensor_t *out) KVC_NOEXCEPT;

/* Cuts the session to its first n committed tokens and drops what is appended and not committed. Shared pages stay.
 * Errors: KVC_E_OUT_OF_RANGE (n beyond the committed length). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_truncate(kvc_session_t *session, size_t n) KVC_NOEXCEPT;

/* Opens a second session with the same committed tokens. O(1): pages are shared, also the unfinished last one, which is copied
 * when either appends. Errors: KVC_E_ORDER (uncommitted tokens), KVC_E_NO_MEMORY. Ownership: kvc_session_close.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_fork(kvc_session_t *session, kvc_session_t **fork) KVC_NOEXCEPT;

/* Pins (pinned = 1) the session's sealed pages: they are not evicted, even after the session is closed, until a session over the same
 * tokens says pinned = 0. Pinned pages count against the budget. Errors: KVC_E_BUDGET (more pages would be pinned than option
 * pin_limit allows; none is pinned). Pages that a pinned session adds beyond it later stay unpinned. Thread-safety: any thread.
 * Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_pin(kvc_session_t *session, int32_t pinned) KVC_NOEXCEPT;

/* Sets the priority of the session's pages, present and to come. A shared page has the highest that was asked for.
 * Errors: KVC_E_OUT_OF_RANGE (outside of KVC_PRIORITY_BACKGROUND..CRITICAL). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_set_priority(kvc_session_t *session, int32_t priority) KVC_NOEXCEPT;

/* Says what is known of the session's future, for when it closes with KVC_CLOSE_KEEP; the last call counts.
 *   hint      KVC_HINT_*
 * Policy adaptive learns from what then happens what each hint is worth, so that wrong ones cost little; the other policies
 * heed KVC_CLOSE_* alone. Errors: KVC_E_OUT_OF_RANGE. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_hint(kvc_session_t *session, int32_t hint) KVC_NOEXCEPT;

/* Says that the session's tokens are expected to be used again, by a session to come, about `in_ns` nanoseconds after this one
 * closes with KVC_CLOSE_KEEP. Replaces what kvc_session_hint said. 0 takes it back.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_expect(kvc_session_t *session, uint64_t in_ns) KVC_NOEXCEPT;

/* Says how many tokens the model generated in this session, whether the session holds them or not; the last call counts, beside
 * kvc_session_hint or kvc_session_expect. How long an answer is says much of whether, and when, its conversation goes on: policy
 * adaptive learns how much. kvc_process says it of its own sessions. It becomes the output_length of a trace.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_generated(kvc_session_t *session, uint64_t tokens) KVC_NOEXCEPT;

typedef struct kvc_session_info_t {
    size_t struct_size;
    uint64_t length;             /* committed tokens                                                               */
    uint64_t matched;            /* of these, found by kvc_session_match                                           */
    uint64_t pages;              /* sealed pages                                                                   */
    uint64_t pending;            /* tokens appended to every layer and not committed                               */
    uint64_t tail_bytes;         /* memory of pages that are not sealed and not shared                             */
    int32_t priority;
    uint32_t pinned;             /* 1 if the sealed pages are pinned                                               */
    uint64_t domain;             /* equal for sessions of one tenant, else different; means nothing outside this engine */
    uint64_t approximate;        /* of length: tokens whose K/V went through a lossy codec                         */
    uint64_t sparse;             /* of approximate: tokens of pages of which attention sees a part (codec sparse)  */
    uint64_t aged;               /* of approximate: tokens whose pages were encoded again, to fewer bits, at rest  */
} kvc_session_info_t;

/* Describes a session. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_info(kvc_session_t *session, kvc_session_info_t *info) KVC_NOEXCEPT;

/* Copies n committed tokens from position `from`. Errors: KVC_E_OUT_OF_RANGE. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_session_tokens(kvc_session_t *session, size_t from, size_t n, int32_t *tokens) KVC_NOEXCEPT;

/* Text of the last failure on this session; returns its full length. Thread-safety: any thread. Since: 0.1.0 */
KVC_API size_t kvc_session_last_error(kvc_session_t *session, char *buffer, size_t capacity) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Plain tensors under a byte key: no tokens, no prefix. They live in the same budget and may be evicted like pages; with option
 * disk_path they are kept on disk as well, and come back from there.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Stores a copy of a tensor (any 1..8 dims, e.g. [batch][heads][tokens][dim]) under a key of 1..4096 bytes, in place of what
 * was there: bit for bit, unless option tensor_codec says otherwise. tenant NULL = the default one. To disk it is written in the background: a program that is killed finds the last value
 * that was written, or none; kvc_persist makes the present one durable.
 * Errors: KVC_E_SHAPE, KVC_E_DTYPE, KVC_E_NO_MEMORY (what was there stays).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_put(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                             const kvc_tensor_t *tensor) KVC_NOEXCEPT;

/* How kvc_put_with stores a tensor. */
typedef struct kvc_put_options_t {
    size_t struct_size;
    const char *codec;           /* "identity": as it is; "lossless": compressed, bit for bit; "int8", "int4": approximate, for F32,
                                    F16 and BF16. NULL = option tensor_codec ("identity")                           */
    int32_t plane;               /* of int8 and int4. KVC_KEY: 64 rows share a range for each channel (the last dim);
                                    KVC_VALUE: each row has its own, and is rotated first                          */
    uint32_t reserved;           /* 0                                                                              */
} kvc_put_options_t;

/* kvc_put in a form that the caller chooses. A row is the last dim; rows follow one another over all other dims, but those of a range
 * never reach beyond the last but one. What does not get smaller, or has a number that is not finite, is stored as it is:
 * kvc_tensor_info tells. kvc_get gives the tensor decoded, whatever its form; the form stays with it on disk and after a restart.
 * options NULL = kvc_put. Errors: as kvc_put, KVC_E_INVALID (no such codec), KVC_E_OUT_OF_RANGE (plane).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_put_with(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                                  const kvc_tensor_t *tensor, const kvc_put_options_t *options) KVC_NOEXCEPT;

/* In what form a tensor is stored. */
typedef struct kvc_tensor_info_t {
    size_t struct_size;
    const char *codec;           /* as in kvc_put_options_t; static text                                           */
    uint64_t bytes;              /* of memory that its numbers take                                                */
    uint64_t raw_bytes;          /* as it is given back                                                            */
    double error;                /* measured when it was stored: root mean square of (decoded - original) over that of the
                                    original; 0 = bit for bit                                                      */
    uint32_t approximate;        /* 1: not bit for bit what was put                                                */
    int32_t plane;               /* as it was asked for                                                            */
} kvc_tensor_info_t;

/* Describes a tensor that is in memory or on disk (from there it is read, as kvc_get does). *found gets 1 or 0.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_tensor_info(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                                     kvc_tensor_info_t *info, int32_t *found) KVC_NOEXCEPT;

/* Looks a tensor up. *found gets 1 or 0 (a miss is KVC_OK).
 *   tensor    data NULL: n_dims, shape, dtype and size are filled in, strides set to compact;
 *             data set: dtype and shape must equal the stored ones, and the numbers are copied.
 * Errors: KVC_E_SHAPE, KVC_E_DTYPE. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_get(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                             kvc_tensor_t *tensor, int32_t *found) KVC_NOEXCEPT;

/* *found gets 1 if the key is stored, else 0. Does not count as a use. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_contains(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                                  int32_t *found) KVC_NOEXCEPT;

/* Removes a key; *removed (may be NULL) gets 1 if it was stored, else 0. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_remove(kvc_engine_t *engine, const char *tenant, const void *key, size_t key_size,
                                int32_t *removed) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Pages
 * ------------------------------------------------------------------------------------------------------------------ */

typedef struct kvc_page_info_t {
    size_t struct_size;
    uint8_t id[32];
    uint8_t parent[32];          /* the space's root for a first page                                              */
    uint8_t space[32];           /* digest of the space                                                            */
    uint64_t position;           /* of its first token                                                             */
    uint64_t bytes;              /* K/V as stored                                                                  */
    uint64_t metadata_bytes;
    uint64_t hits;               /* matches that used it                                                           */
    uint64_t age_ns;             /* since it was sealed                                                            */
    uint64_t idle_ns;            /* since it was last used                                                         */
    uint32_t n_tokens;           /* page_tokens; fewer in the last page of a session that was closed              */
    uint32_t references;         /* sessions that end in this page                                                 */
    uint32_t children;           /* pages that continue it                                                         */
    int32_t tier;                /* KVC_TIER_*                                                                     */
    int32_t priority;
    uint32_t pinned;
    char codec[16];              /* name of its codec, e.g. "identity"                                             */
    uint32_t approximate;        /* 1: its K/V is not bit for bit what was appended                                */
    uint32_t reserved;           /* 0                                                                              */
    uint32_t aged;               /* 1: encoded again, to fewer bits, after nobody had used it for codec_rest_after  */
    uint32_t reserved2;          /* 0                                                                              */
} kvc_page_info_t;

/* Opens a walk over the pages held now; later changes are not seen. tenant NULL = all tenants (for operators), else one.
 * Ownership: kvc_page_iter_close. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_page_iter_open(kvc_engine_t *engine, const char *tenant, kvc_page_iter_t **iter) KVC_NOEXCEPT;

/* The next page, parents before children, or KVC_END. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_page_iter_next(kvc_page_iter_t *iter, kvc_page_info_t *info) KVC_NOEXCEPT;

/* Ends a walk. NULL is allowed. Thread-safety: any thread. Since: 0.1.0 */
KVC_API void kvc_page_iter_close(kvc_page_iter_t *iter) KVC_NOEXCEPT;

/* Describes the page with this identity (32 bytes). Errors: KVC_E_NOT_FOUND. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_page_info(kvc_engine_t *engine, const uint8_t *id, kvc_page_info_t *info) KVC_NOEXCEPT;

/* Copies the tokens of a page; *n gets their number. Errors: KVC_E_NOT_FOUND, KVC_E_BUFFER (n is set).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_page_tokens(kvc_engine_t *engine, const uint8_t *id, int32_t *tokens, size_t capacity,
                                     size_t *n) KVC_NOEXCEPT;

/* Evicts what is neither in use nor pinned until at most `bytes` of the memory budget are used; *freed (may be NULL) gets the
 * bytes given back to the allocator. 0 empties the cache. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_trim(kvc_engine_t *engine, uint64_t bytes, uint64_t *freed) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Persistence: pages on disk (option disk_path)
 *
 * Pages are written in the background as soon as they are sealed, and found again by identity: by this engine when they have
 * left memory, and by the next one that is given the same directory, the same secret and the same space, after a restart as
 * after a crash. What is read is compared token by token, like a hit in memory, and checksummed (authenticated, with option
 * disk_key); damage is a miss (KVC_MISS_DAMAGED). A program that is killed loses the pages that were still waiting to be
 * written (kvc_stats_t.disk_waiting); a power cut also what was written after the last moment that is durable.
 * Plain tensors (kvc_put) are kept likewise, and what a codec that learns has learned, so that its pages can be read again (one that
 * is lost or damaged makes its pages misses). Private sessions are not kept.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Makes everything that is sealed now durable: writes what still waits and the unfinished last pages of open sessions, so that they
 * are found up to their last committed token, and returns when all of it would survive a power cut.
 *   timeout_ns  longest wait (0: begin and return; UINT64_MAX: for ever)
 * Returns KVC_OK; KVC_PENDING if it goes on in the background: call again to learn when it is done.
 * Errors: KVC_E_UNSUPPORTED (no option disk_path, or read_only), KVC_E_IO (the disk is full or failed; the message says what is
 * lost). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_persist(kvc_engine_t *engine, uint64_t timeout_ns) KVC_NOEXCEPT;

/* Writes a copy of the pages and plain tensors in memory, and of the unfinished last pages of open sessions, into a directory of its own, durable on
 * return. The engine needs no option disk_path. The copy is encrypted if the engine has option disk_key. What only option
 * disk_path's directory holds is not copied: that directory can be copied as it is.
 *   tenant  NULL = all tenants, else one
 *   path    a directory that no engine has open; made if it is missing, added to if it holds pages
 *   n       gets the number of records in it: pages, their clues, tensors (may be NULL)
 * Errors: KVC_E_BUSY (an engine has it open), KVC_E_IO, KVC_E_NO_MEMORY. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_persist_to(kvc_engine_t *engine, const char *tenant, const char *path, uint64_t *n) KVC_NOEXCEPT;

/* Lets an engine find the pages and plain tensors of a directory that kvc_persist_to or another engine with the same secret (option secret, and
 * disk_key if it has one) wrote. They stay where they are, are read when a prompt needs them, and must not be changed or removed
 * while the engine lives. At most 64 directories and packs.
 *   n       gets the number of records in it: pages and their clues (may be NULL)
 * Errors: KVC_E_NOT_FOUND (no such directory), KVC_E_CORRUPT (it is none of ours, or its head is damaged), KVC_E_UNSUPPORTED (a
 * version of the format that this library does not know), KVC_E_OUT_OF_RANGE (too many).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_load(kvc_engine_t *engine, const char *path, uint64_t *n) KVC_NOEXCEPT;

/* Removes what is kept of a tenant: its pages and plain tensors in memory and its pages on disk, which with option disk_key become
 * unreadable for ever by the destruction of the tenant's key. Copies and packs that were written from them stay.
 *   tenant  NULL = the default one
 *   n       gets the number of pages, tensors and records removed (may be NULL)
 * Errors: KVC_E_BUSY (all is removed but pages that open sessions use: close them and call again), KVC_E_UNSUPPORTED (read_only),
 * KVC_E_IO. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_tenant_purge(kvc_engine_t *engine, const char *tenant, uint64_t *n) KVC_NOEXCEPT;

/* Writes the stored prefix of `tokens` into a prefix pack: one file to ship with an application, checksummed, that needs neither
 * the engine's secret nor its tenant. Whoever has the pack can read it: put nothing into it that is not public.
 *   tenant  whose pages; NULL = the default one
 *   path    the file, which appears whole or not at all; what was there is replaced
 *   n       gets the number of tokens written: the stored prefix of `tokens`, cut at a page's end where a codec cannot cut it
 *           (may be NULL)
 * Errors: KVC_E_NOT_FOUND (nothing of it is stored), KVC_E_TOKEN, KVC_E_NO_MEMORY, KVC_E_IO. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_pack_write(kvc_space_t *space, const char *tenant, const int32_t *tokens, size_t n_tokens,
                                    const char *path, size_t *n) KVC_NOEXCEPT;

/* Lets an engine find the pages of a prefix pack, for every tenant and every space that it was written for. Otherwise as kvc_load.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_pack_open(kvc_engine_t *engine, const char *path, uint64_t *n) KVC_NOEXCEPT;

/* What a directory or pack holds: filled in by the functions below. */
typedef struct kvc_store_report_t {
    size_t struct_size;
    uint64_t pages;              /* that can be found                                                              */
    uint64_t clues;              /* small records beside them, by which prompts that end inside a page find it     */
    uint64_t payload_bytes;      /* of all records, before compression                                             */
    uint64_t stored_bytes;       /* of all records, as they lie on disk                                            */
    uint64_t file_bytes;         /* room that all files take                                                       */
    uint64_t segments;           /* files of pages                                                                 */
    uint64_t checked_bytes;      /* that verify read and checked                                                   */
    uint64_t damaged;            /* records that failed their check                                                */
    uint64_t locked;             /* records that could not be looked into without the key                          */
    uint32_t encrypted;          /* 1 if pages are encrypted                                                       */
    uint32_t pack;               /* 1 if it is a prefix pack                                                       */
    uint64_t tensors;            /* plain ones (kvc_put)                                                           */
    uint64_t calibrations;       /* records of what codecs have learned                                            */
} kvc_store_report_t;

/* Called now and then with the work done and the whole of it, in bytes, on the thread of the call. Return 0 to go on; anything
 * else ends the call with KVC_E_CANCELLED. */
typedef int32_t (*kvc_progress_fn)(void *user_data, uint64_t done, uint64_t total);

/* Describes a directory or pack from its tables, without reading pages; engines may have it open.
 *   key     option disk_key of whoever wrote it, NULL or "" if none
 *   error   gets the words of a failure (may be NULL)
 * Errors: as kvc_load. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_store_inspect(const char *path, const char *key, kvc_store_report_t *report,
                                       kvc_error_t *error) KVC_NOEXCEPT;

/* Reads every byte of a directory or pack and checks it. Changes nothing. Returns KVC_E_CORRUPT with *report filled in if
 * anything is damaged: an engine will not use that, and everything else stays usable.
 *   progress  may be NULL
 * Errors: as kvc_load, KVC_E_CANCELLED. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_store_verify(const char *path, const char *key, kvc_progress_fn progress, void *user_data,
                                      kvc_store_report_t *report, kvc_error_t *error) KVC_NOEXCEPT;

/* Writes the pages of sparse files of a directory together and gives the room of the emptied files back. No engine may have it open.
 * Errors: as kvc_load, KVC_E_BUSY, KVC_E_IO, KVC_E_CANCELLED, KVC_E_UNSUPPORTED (a pack: it holds nothing else).
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_store_compact(const char *path, const char *key, kvc_progress_fn progress, void *user_data,
                                       kvc_store_report_t *report, kvc_error_t *error) KVC_NOEXCEPT;

/* Reads a text that an engine keeps in its directory, as of its last kvc_persist or its end. Written as kvc_config_get writes.
 *   name  "settings": its options but secrets, one "name=value" a line; "statistics.json": what it had counted, one JSON object
 * Errors: as kvc_load; KVC_E_NOT_FOUND (no such text). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_store_text(const char *path, const char *key, const char *name, char *buffer, size_t capacity,
                                    size_t *length, kvc_error_t *error) KVC_NOEXCEPT;

/* Sets the options that the engine of a directory had (kvc_store_text, "settings"), but those that this library does not know, so
 * that an engine with the same settings can be made: "checkpoint" and "restore" of everything but secrets.
 * Errors: as kvc_store_text. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_config_load(kvc_config_t *config, const char *path, const char *key) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Statistics
 * ------------------------------------------------------------------------------------------------------------------ */

/* what a policy goes by (kvc_stats_t.policy_strategy) */
#define KVC_STRATEGY_FIXED    0  /* its one rule                                                                    */
#define KVC_STRATEGY_LEARNED  1  /* adaptive: what it learned of reuse                                              */
#define KVC_STRATEGY_RECENCY  2  /* adaptive: what was used longest ago leaves first                                */

/* why it changed (kvc_stats_t.policy_reason) */
#define KVC_REASON_NONE       0  /* it did not                                                                      */
#define KVC_REASON_LOST       1  /* what it learned had cost hits that recency would have had                       */
#define KVC_REASON_RETRY      2  /* another try with what was learned meanwhile                                     */
#define KVC_REASON_METRICS    3  /* kvc_adapt asked for another objective                                           */

typedef struct kvc_stats_t {
    size_t struct_size;
    /* requests */
    uint64_t requests;               /* submitted and accepted                                                      */
    uint64_t requests_completed;     /* with KVC_OK                                                                 */
    uint64_t requests_failed;
    uint64_t requests_cancelled;     /* by the caller or by a deadline                                              */
    uint64_t requests_refused;       /* never queued: bad arguments or a full queue                                 */
    uint64_t requests_queued;        /* waiting now                                                                 */
    uint64_t requests_active;        /* in the batch now                                                            */
    uint64_t request_hits;           /* requests that reused at least one token                                     */
    uint64_t request_misses;
    double hit_rate;                 /* request_hits / (request_hits + request_misses); 0 before the first          */
    /* tokens of requests' prompts and answers */
    uint64_t prompt_tokens;
    uint64_t cached_tokens;          /* of the prompts, reused                                                      */
    uint64_t computed_tokens;        /* of the prompts, computed                                                    */
    uint64_t generated_tokens;
    double token_hit_rate;           /* cached / (cached + computed)                                                */
    uint64_t saved_ns;               /* sum of the responses' saved_ns                                              */
    /* latency of completed requests, submission to end, and to the first token; histogram error below 1.6 %        */
    uint64_t latency_avg_ns;
    uint64_t latency_p50_ns;
    uint64_t latency_p95_ns;
    uint64_t latency_p99_ns;
    uint64_t ttft_avg_ns;
    uint64_t ttft_p50_ns;
    uint64_t ttft_p95_ns;
    uint64_t ttft_p99_ns;
    /* the page core, with or without requests */
    uint64_t matches;                /* kvc_session_match calls, the request engine's included                      */
    uint64_t match_hits;             /* of these, with at least one token                                           */
    uint64_t matched_tokens;
    uint64_t match_asked_tokens;
    uint64_t misses_by_reason[8];    /* by KVC_MISS_* below 8; of matches. KVC_MISS_DAMAGED: misses_damaged         */
    uint64_t pages;                  /* held now                                                                    */
    uint64_t pages_sealed;           /* ever                                                                        */
    uint64_t pages_deduplicated;     /* sealed twice, kept once                                                     */
    uint64_t pages_evicted;
    uint64_t pages_pinned;           /* now                                                                         */
    uint64_t sessions;               /* open now                                                                    */
    uint64_t tensors;                /* plain tensors held now                                                      */
    uint64_t tensors_evicted;
    /* memory, bytes */
    uint64_t memory_budget;
    uint64_t memory_used;            /* payload + metadata + pooled; never more than the budget                     */
    uint64_t memory_payload;         /* K/V and tensors                                                             */
    uint64_t memory_metadata;
    uint64_t memory_pooled;          /* free pages kept for reuse                                                   */
    uint64_t memory_peak;
    uint64_t host_bytes;             /* of pages, per tier                                                          */
    uint64_t device_bytes;
    uint64_t disk_bytes;
    uint64_t remote_bytes;
    double gpu_utilization;          /* 0..1; -1 when there is none                                                 */
    uint64_t uptime_ns;
    /* codecs */
    uint64_t approximate_tokens;     /* of matched_tokens: their K/V went through a lossy codec                     */
    uint64_t pages_encoded;          /* ever, by a lossy codec                                                      */
    uint64_t pages_kept_clear;       /* ever: not finite, or no smaller when encoded                                */
    uint64_t encoded_raw_bytes;      /* of pages_encoded, before ...                                                */
    uint64_t encoded_bytes;          /* ... and after                                                               */
    double codec_key_error;          /* measured: root mean square error of encoded keys over that of the keys ...  */
    double codec_value_error;        /* ... and of values; a layer of every page                                    */
    /* the disk (option disk_path) and packs; all 0 without                                                         */
    uint64_t misses_damaged;         /* matches that ended with KVC_MISS_DAMAGED                                    */
    uint64_t disk_limit;             /* option disk_limit                                                           */
    uint64_t disk_pages;             /* records on disk now: pages, and for each a small one, its clue, by which prompts
                                        that end inside the page find it                                            */
    uint64_t disk_hits;              /* pages that matches found on disk and read into memory                       */
    uint64_t disk_hit_tokens;        /* tokens that those pages added to matches                                    */
    uint64_t disk_misses;            /* matches that looked for more on disk and found none                         */
    uint64_t disk_written;           /* pages written, most of them ahead of eviction                               */
    uint64_t disk_demoted;           /* of these, when they were evicted from memory                                */
    uint64_t disk_dropped;           /* pages that were not written: the disk was slower than what came, or full    */
    uint64_t disk_damaged;           /* pages whose bytes failed their check; each was a miss                       */
    uint64_t disk_timeouts;          /* matches that gave up waiting                                                */
    uint64_t disk_recomputed;        /* pages on disk that were left there because to compute is faster             */
    uint64_t disk_errors;            /* writes, reads and syncs that the operating system refused                   */
    uint64_t disk_written_bytes;     /* to the files, records and metadata                                          */
    uint64_t disk_read_bytes;
    uint64_t disk_waiting;           /* pages that wait to be written                                               */
    uint64_t disk_durable_ns;        /* age of the state that would survive a power cut now; 0: nothing was made
                                        durable yet                                                                 */
    /* the eviction policy                                                                                          */
    int32_t policy_strategy;         /* KVC_STRATEGY_*: what it goes by now                                         */
    int32_t policy_reason;           /* KVC_REASON_*: why it last changed that                                      */
    uint64_t policy_changes;         /* how often it did                                                            */
    uint64_t policy_changed_ns;      /* time since it last did; 0: never                                            */
    /* devices (option device_memory), all of them together; all 0 without. device_bytes are of pages there          */
    uint64_t device_limit;           /* option device_memory, times the devices in use                              */
    uint64_t device_pages;           /* that have a copy there now                                                  */
    uint64_t device_hits;            /* pages that a call on a device found there ...                               */
    uint64_t device_promoted;        /* ... and pages that were copied there for one                                */
    uint64_t device_demoted;         /* copies that made room for others; the pages are in memory as before         */
    uint64_t device_in_bytes;        /* copied to devices                                                           */
    uint64_t device_out_bytes;       /* copied from devices                                                         */
    uint64_t devices;                /* in use now                                                                  */
    uint64_t devices_lost;           /* that failed; memory and disk serve on                                       */
    /* more of codecs                                                                                               */
    uint64_t codec_failures;         /* ever: calls that a codec of the caller's (kvc_codec_t) failed               */
    uint64_t pages_sparse;           /* ever: pages of which codec sparse keeps a part of the rows in memory        */
    uint64_t sparse_by_recency;      /* of these, chosen without kvc_session_attend's scores: the latest rows stayed */
    uint64_t sparse_restored;        /* pages brought back in full for a read or an attend                          */
    double sparse_mass_left_out;     /* of sparse pages chosen by scores: mean share of their attention, by the latest queries,
                                        that the dropped rows had                                                   */
    /* codec auto and pages at rest                                                                                 */
    uint64_t codec_checked;          /* pages that real queries attended to, exactly and over codes, before they were
                                        kept: their bits are their own (option codec_bound)                         */
    uint64_t codec_raised;           /* of these, pages where a head needed more bits than its space had learned    */
    uint64_t codec_heads_exact;      /* K/V heads of checked pages that no codes served: kept as they came          */
    double codec_bound_error;        /* largest relative error of a query head's output that a check found in a page
                                        as it was kept, its margin included; never above codec_bound                */
    uint64_t pages_aged;             /* ever encoded again at rest (codec_rest_bits, codec_rest_bound)              */
    uint64_t aged_before_bytes;      /* of these, before ...                                                        */
    uint64_t aged_bytes;             /* ... and after                                                               */
    uint64_t aged_tokens;            /* of approximate_tokens: of such pages                                        */
} kvc_stats_t;

/* Fills in the statistics of now. Errors: KVC_E_NULL, KVC_E_STRUCT_SIZE, KVC_E_CLOSED.
 * Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_stats(kvc_engine_t *engine, kvc_stats_t *stats) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Sizing and adapting a cache that runs
 * ------------------------------------------------------------------------------------------------------------------ */

/* What another budget or another policy would have hit (kvc_whatif). */
typedef struct kvc_whatif_t {
    size_t struct_size;
    double token_hit_rate;       /* of the tokens of the sessions looked at, those found in the cache              */
    double page_hit_rate;        /* the same in pages                                                              */
    uint64_t pages;              /* that the budget holds, at the bytes per page of now                            */
    uint64_t sessions;           /* looked at                                                                      */
    uint64_t tokens;             /* of these sessions, estimated from the sample                                   */
    uint64_t span_ns;            /* from the first of these sessions' ends to the last                             */
    uint64_t saved_ns;           /* prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt
                                    gives it, option prefill_speed, or the engine's own model)                     */
    double sampled;              /* share of the pages that were looked at                                         */
} kvc_whatif_t;

/* Says what a cache would have hit over the sessions that closed so far, had it had this budget and policy from their begin, by
 * replaying a sample that the engine keeps (at most 1 MiB of its budget, option whatif_memory). Takes milliseconds to a
 * second; the engine goes on meanwhile.
 *   budget    bytes, as option memory; 0: the engine's own
 *   policy    as option policy; NULL: the engine's own
 * Errors: KVC_E_INVALID (no such policy), KVC_E_UNSUPPORTED (a custom policy), KVC_E_NOT_FOUND (nothing was seen yet),
 * KVC_E_NO_MEMORY. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_whatif(kvc_engine_t *engine, uint64_t budget, const char *policy,
                                kvc_whatif_t *result) KVC_NOEXCEPT;

/* Begins to write a line per session that closes to a file (made anew), for `kvc replay`: JSON with timestamp (ms since the
 * begin), input_length (tokens), output_length (kvc_session_generated's tokens), block_tokens, hash_ids and, where it was
 * said, finish. An id is a digest of the page's identity under a key that is drawn for this trace and not kept: equal pages have
 * equal ids, and nothing else can be told from them.
 * Errors: KVC_E_BUSY (a trace is being written), KVC_E_IO, KVC_E_INVALID. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_trace_start(kvc_engine_t *engine, const char *path) KVC_NOEXCEPT;

/* Ends the trace; *sessions (may be NULL) gets the lines written. Errors: KVC_E_NOT_FOUND (none was begun), KVC_E_IO (not
 * everything could be written). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_trace_stop(kvc_engine_t *engine, uint64_t *sessions) KVC_NOEXCEPT;

/* what a policy is to get more of (kvc_metrics_t.objective) */
#define KVC_OBJECTIVE_HITS  0    /* tokens found in the cache                                                      */
#define KVC_OBJECTIVE_TIME  1    /* time of prefill spared: a token late in a sequence costs more to compute again  */

/* What an application knows of its model and wants of its cache. */
typedef struct kvc_metrics_t {
    size_t struct_size;
    int32_t objective;           /* KVC_OBJECTIVE_*                                                                */
    int32_t reserved;            /* 0                                                                              */
    double prefill_speed;        /* tokens per second at the beginning of a sequence; 0: not known                 */
    double balanced_position;    /* position at which attention costs a token as much as all else; 0: as in a model of 8
                                    billion parameters, 30632                                                      */
} kvc_metrics_t;

/* Tells the engine what to adapt to; the last call counts. Policy adaptive then ranks pages by the objective, kvc_whatif tells
 * time by the speed. Errors: KVC_E_OUT_OF_RANGE (another objective; a number that is negative or not finite),
 * KVC_E_UNSUPPORTED (KVC_OBJECTIVE_TIME, but the policy has no objective). Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_adapt(kvc_engine_t *engine, const kvc_metrics_t *metrics) KVC_NOEXCEPT;

/* ------------------------------------------------------------------------------------------------------------------
 * Backends: a model behind a table of functions
 *
 * All functions but `tokenize` and `detokenize` are called from one thread at a time (the one that runs the engine's steps);
 * those two may be called from any thread at any time. They return KVC_OK or an error, usually KVC_E_USER, and may say why
 * by writing a zero-terminated text into `error` (capacity error_size).
 * ------------------------------------------------------------------------------------------------------------------ */

/* kvc_backend_t.kind */
#define KVC_BACKEND_PAGED   1    /* keeps no K/V: `forward` reads the past from the session and appends the new to it      */
#define KVC_BACKEND_OWN_KV  2    /* keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions    */

/* What a model is. Pointers must stay valid while the backend is in use. */
typedef struct kvc_model_info_t {
    size_t struct_size;
    const char *name;            /* for people                                                                     */
    kvc_space_desc_t *space;     /* identity and layout, given by kvc with all fields 0 and struct_size set: fill it
                                    in, or point to your own; vocab_size is the number of logits, >= 1             */
    uint32_t context;            /* longest sequence, tokens                                                       */
    uint32_t max_batch_tokens;   /* most tokens in one forward call; 0 = no limit                                  */
    int32_t bos;                 /* token put before a text prompt; -1 = none                                      */
    int32_t eos;                 /* token that ends a text; -1 = none                                              */
    const int32_t *ends;         /* further tokens that end a text; NULL if there are none                         */
    uint32_t n_ends;
    uint32_t total_tokens;       /* OWN_KV: most tokens over all its open sequences together; 0 = no limit. Requests that
                                    would need more wait                                                           */
    uint32_t state_tokens;       /* OWN_KV: 0, or its sequences cannot be rebuilt from K/V (recurrent models): they are kept
                                    as states (save_state), one about every so many tokens                        */
    uint32_t reserved;           /* 0                                                                              */
    const char *details;         /* for people: how it works, in one line; kvc_engine_info shows it; may be NULL   */
} kvc_model_info_t;

/* One sequence's share of a forward call. */
typedef struct kvc_forward_t {
    size_t struct_size;
    uint64_t sequence;           /* as given to sequence_open                                                      */
    kvc_session_t *session;      /* PAGED: read the past from it, append n tokens to every layer, do not commit.
                                    OWN_KV: NULL                                                                   */
    const int32_t *tokens;       /* the next n tokens                                                              */
    uint32_t n;                  /* >= 1                                                                           */
    uint32_t position;           /* of tokens[0]; the sequence holds this many tokens                              */
    float *logits;               /* space->vocab_size floats for the last of the tokens, to be filled in; may be NULL */
} kvc_forward_t;

/* Given to kvc_backend_t.set_stop: non-zero if what a forward call computes is wanted no more. */
typedef int32_t (*kvc_stop_fn)(void *stop_data);

typedef struct kvc_backend_t {
    size_t struct_size;
    void *user_data;
    int32_t kind;                /* KVC_BACKEND_*                                                                  */
    int32_t reserved;            /* 0                                                                              */
    /* Fills in *info. Called once, by kvc_engine_create. */
    kvc_status_t (*describe)(void *user_data, kvc_model_info_t *info, char *error, size_t error_size);
    /* Text to tokens, without bos: writes at most `capacity`, sets *n to the full number. */
    kvc_status_t (*tokenize)(void *user_data, const char *text, size_t text_size, int32_t *tokens, size_t capacity,
                             size_t *n, char *error, size_t error_size);
    /* One token to bytes: writes at most `capacity`, sets *size to the full number. Special tokens have none. */
    kvc_status_t (*detokenize)(void *user_data, int32_t token, char *bytes, size_t capacity, size_t *size, char *error,
                               size_t error_size);
    /* A new, empty sequence. May be NULL if the backend needs no state of its own. */
    kvc_status_t (*sequence_open)(void *user_data, uint64_t sequence, char *error, size_t error_size);
    /* The end of a sequence. May be NULL. */
    void (*sequence_close)(void *user_data, uint64_t sequence);
    /* Computes the next tokens of n sequences. On an error the engine rolls every sequence of the call back. */
    kvc_status_t (*forward)(void *user_data, const kvc_forward_t *items, uint32_t n, char *error, size_t error_size);
    /* OWN_KV: gives K/V of tokens [from, from + n) of a sequence by kvc_session_append for every layer; no commit. Asked for when
     * pages fill and when a request ends, before sequence_close. KVC_E_NO_MEMORY: the request goes on and stores no more. */
    kvc_status_t (*export_kv)(void *user_data, uint64_t sequence, kvc_session_t *session, uint32_t from, uint32_t n,
                              char *error, size_t error_size);
    /* OWN_KV: takes K/V of tokens [from, from + n), which are `tokens`, into a sequence by kvc_session_read. */
    kvc_status_t (*import_kv)(void *user_data, uint64_t sequence, kvc_session_t *session, const int32_t *tokens,
                              uint32_t from, uint32_t n, char *error, size_t error_size);
    /* OWN_KV: cuts a sequence to its first n tokens (after a failed step). */
    kvc_status_t (*truncate)(void *user_data, uint64_t sequence, uint32_t n, char *error, size_t error_size);
    /* The backend is no longer used. Called once, by kvc_engine_destroy or a failing kvc_engine_create. May be NULL. */
    void (*destroy)(void *user_data);
    /* Each of what follows may be NULL. */
    /* A conversation as the model's prompt text: writes at most `capacity`, sets *size to the full number. From any thread. */
    kvc_status_t (*chat_text)(void *user_data, const kvc_message_t *messages, size_t n, int32_t answer, char *text,
                              size_t capacity, size_t *size, char *error, size_t error_size);
    /* OWN_KV with state_tokens: the whole state of a sequence, which holds n tokens. *size gets the full number of bytes; they
     * are written if capacity is enough. kvc gives them back as they are, or not at all: it keeps a digest with them. */
    kvc_status_t (*save_state)(void *user_data, uint64_t sequence, uint32_t n, void *bytes, size_t capacity, size_t *size,
                               char *error, size_t error_size);
    /* OWN_KV with state_tokens: takes the state of n tokens, which are `tokens`, into an empty sequence. */
    kvc_status_t (*load_state)(void *user_data, uint64_t sequence, const int32_t *tokens, uint32_t n, const void *bytes,
                               size_t size, char *error, size_t error_size);
    /* How a forward call can end early. Called once, before any sequence is opened; `stop` and its data stay valid until destroy. While
     * it computes, forward may call stop(stop_data), as often as it likes and from any thread: non-zero once nobody waits for any of
     * its sequences any more (cancelled, deadline passed). It may then return KVC_E_CANCELLED; the engine rolls all of them back.
     * Without it a request that is cancelled ends after the step. */
    void (*set_stop)(void *user_data, kvc_stop_fn stop, void *stop_data);
} kvc_backend_t;

/* ------------------------------------------------------------------------------------------------------------------
 * Modules: a backend in a library of its own, loaded when option "model" names a model file
 * ------------------------------------------------------------------------------------------------------------------ */

/* What both sides of the two functions below must agree on. */
#define KVC_MODULE_VERSION 1

/* The functions of the kvc that loads a module. A module calls these: a linker might find it another copy's. */
typedef struct kvc_module_host_t {
    size_t struct_size;
    kvc_status_t (*session_append_all)(kvc_session_t *session, const kvc_tensor_t *k, const kvc_tensor_t *v,
                                       uint32_t n_layers, size_t n);
    kvc_status_t (*session_read_all)(kvc_session_t *session, size_t from, size_t n, const kvc_tensor_t *k,
                                     const kvc_tensor_t *v, uint32_t n_layers);
    kvc_status_t (*session_info)(kvc_session_t *session, kvc_session_info_t *info);
    size_t (*session_last_error)(kvc_session_t *session, char *buffer, size_t capacity);
} kvc_module_host_t;

/* What a module is given. Pointers are valid during the call, those in `host` for ever. */
typedef struct kvc_module_request_t {
    size_t struct_size;
    uint32_t version;            /* KVC_MODULE_VERSION of the caller                                               */
    uint32_t n_options;
    const char *const *names;    /* all options of the engine, by name ...                                         */
    const char *const *values;   /* ... and as kvc_config_get gives them                                           */
    const kvc_module_host_t *host;
} kvc_module_request_t;

/* Exported by a module under the name "kvc_module_open": fills in the table for the model file in option "model". The table's
 * `destroy` releases it. On an error nothing is to be released. */
typedef kvc_status_t (*kvc_module_open_fn)(const kvc_module_request_t *request, kvc_backend_t *backend, char *error,
                                           size_t error_size);

/* Exported by a module under the name "kvc_module_describe": says as one JSON object what it works with on this machine, or why it
 * cannot. Writes at most `capacity` bytes with the zero, sets *length to the full number without it. */
typedef kvc_status_t (*kvc_module_describe_fn)(const kvc_module_request_t *request, char *text, size_t capacity,
                                               size_t *length);

/* What the module of model files works with: one JSON object with "module" (its path, or "none"), and what it says of itself (the
 * library it found, version and compute devices), or "why" it cannot work. Loads the module. config: whose options
 * model_module and model_library count; may be NULL. Written as kvc_config_get writes.
 * Errors: KVC_E_NULL, KVC_E_NO_MEMORY; a module that is missing is none. Thread-safety: any thread. Since: 0.1.0 */
KVC_API kvc_status_t kvc_module_info(kvc_config_t *config, char *buffer, size_t capacity, size_t *length) KVC_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* KVC_KVC_H */
