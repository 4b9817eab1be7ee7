/* kvc_cuda.h - K/V pages on an NVIDIA device.                             SPDX-License-Identifier: Apache-2.0
 *
 * For programs that run a model on a device themselves. The module keeps page slots there, brings pages in and out, encodes and
 * decodes them and attends over them, on the program's own streams:
 *
 *     kvc_cuda_open(&options, &cuda, &error);                    KVC_E_UNSUPPORTED: no driver or device; go on without
 *     kvc_cuda_acquire(cuda, 1, &slot);
 *     kvc_cuda_swap_in(cuda, copies, n, &order, &fence);         order.stream waits for whoever used the slot before
 *     ...  kvc_cuda_begin(cuda, &order); your kernel; kvc_cuda_end(cuda, &order, &fence);
 *     kvc_cuda_release(cuda, 1, &slot);                          at once: its next owner waits on the device
 *
 * Link with -lkvc_cuda, or find the functions with dlsym. The driver is loaded by kvc_cuda_open.
 *
 *   Streams    A stream is the driver's CUstream (cudaStream_t is the same), of the device's primary context or a green context of it;
 *              one of another context gives KVC_E_INVALID. NULL is the legacy default stream. What is issued runs in the order of its
 *              stream. The calling thread's context is put back.
 *   Order      Each operation names the slots that it reads and writes. It waits, on the device, for those who wrote what it
 *              reads and for those who used what it writes, and leaves a fence with the slots. Memory that is no slot is the
 *              program's to order, by fences or its streams.
 *   Fences     Numbers of one kvc_cuda_t, for work that was issued; 0 is none. They need no release, and are never reused.
 *   Blocking   Only functions that say so block. None allocates device memory but kvc_cuda_open, _reserve and _measure.
 *   Capture    While a stream is captured into a graph, kernels may be issued that name no slots and no fences; everything else
 *              gives KVC_E_ORDER before it has issued anything. Captures on other streams and threads are not disturbed.
 *   Errors     A failed call leaves its words in the handle. After an error that ends a device's context (a fault in any kernel of
 *              the process among them) every call gives KVC_E_DEVICE, until kvc_cuda_close; host memory and disk are as they were.
 *   Processes  After fork() every call in the child gives KVC_E_FORKED.
 *   Threads    Any; one at a time on one slot, and none during or after kvc_cuda_close.
 *
 * Kernels are tested on processors, bit for bit against the library. This version has not been run on a device.
 */
#ifndef KVC_CUDA_H
#define KVC_CUDA_H

#include <kvc/kvc.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kvc_cuda_t kvc_cuda_t; /* one device of this process */

typedef struct kvc_cuda_options_t {
    size_t struct_size;
    int32_t device;          /* as the driver counts, from 0                                                            */
    uint32_t slots;          /* page slots: device memory of slots * slot_bytes is taken at once and never exceeded; 0 = none
                                yet: kvc_cuda_reserve                                                                   */
    uint64_t slot_bytes;     /* of one slot, rounded up to 256                                                          */
    uint64_t pinned_bytes;   /* host memory for kvc_cuda_allocator, registered in the background; 0 = none              */
    /* Asked when device memory or slots run out, up to three times: makes room (swaps pages out, releases slots) and returns
     * nonzero, or 0 to give up. Called on the thread that needs room, without locks. May be NULL.                      */
    int32_t (*reclaim)(void *user_data, uint64_t bytes);
    void *user_data;
    kvc_cuda_t *pinned_of;   /* another device of this process, closed later: memory pinned there is pinned here. May be NULL */
} kvc_cuda_options_t;

/* How many devices there are; initialises the driver, but no device. error may be NULL. Errors: KVC_E_UNSUPPORTED (no driver, an
 * old one, no device), KVC_E_NULL. */
KVC_API kvc_status_t kvc_cuda_devices(uint32_t *devices, kvc_error_t *error) KVC_NOEXCEPT;

/* Opens a device. error may be NULL. Blocks (the driver initialises the device).
 * Errors: KVC_E_UNSUPPORTED (no driver, an old one, no such device, no kernels for it; the message says which), KVC_E_BUSY (another
 * process has it alone), KVC_E_NO_MEMORY, KVC_E_DEVICE, KVC_E_NULL, KVC_E_STRUCT_SIZE. Ownership: kvc_cuda_close. */
KVC_API kvc_status_t kvc_cuda_open(const kvc_cuda_options_t *options, kvc_cuda_t **cuda, kvc_error_t *error) KVC_NOEXCEPT;

/* Waits for what was issued with fences on slots, and gives everything back. Engines that use its allocator must be gone. NULL is
 * allowed. */
KVC_API void kvc_cuda_close(kvc_cuda_t *cuda) KVC_NOEXCEPT;

/* Text of the last failure; returns its full length. */
KVC_API size_t kvc_cuda_last_error(kvc_cuda_t *cuda, char *buffer, size_t capacity) KVC_NOEXCEPT;

/* --- slots ---------------------------------------------------------------------------------------------------------------- */

/* Takes the memory of the slots, where kvc_cuda_open took none. Errors: KVC_E_ORDER (there are some), KVC_E_INVALID, KVC_E_NO_MEMORY,
 * after reclaim was asked three times. */
KVC_API kvc_status_t kvc_cuda_reserve(kvc_cuda_t *cuda, uint32_t slots, uint64_t slot_bytes) KVC_NOEXCEPT;
/* Takes n slots, all or none. Errors: KVC_E_NO_MEMORY, after reclaim was asked three times. */
KVC_API kvc_status_t kvc_cuda_acquire(kvc_cuda_t *cuda, uint32_t n, uint32_t *slots) KVC_NOEXCEPT;
/* Takes n slots that lie side by side, for what is larger than one. Errors: KVC_E_NO_MEMORY; reclaim is not asked. */
KVC_API kvc_status_t kvc_cuda_acquire_run(kvc_cuda_t *cuda, uint32_t n, uint32_t *first) KVC_NOEXCEPT;
/* Takes a place of so many bytes. Where parts of slots hold them in less room than whole slots: a part, whose number in *first is
 * not less than that of slots; it is used, named in orders and released as one slot. Else slots side by side, from *first on. Slots
 * are cut up a few at a time, into equal parts, and are whole again when all of these are released. Errors: KVC_E_NO_MEMORY; reclaim is not asked. */
KVC_API kvc_status_t kvc_cuda_acquire_place(kvc_cuda_t *cuda, uint64_t bytes, uint32_t *first) KVC_NOEXCEPT;
/* Gives slots back; work on them may still be under way. Errors: KVC_E_INVALID (one is not in use: none is given back). */
KVC_API kvc_status_t kvc_cuda_release(kvc_cuda_t *cuda, uint32_t n, const uint32_t *slots) KVC_NOEXCEPT;
/* The device address of a slot. It never changes. Errors: KVC_E_INVALID (not in use). */
KVC_API kvc_status_t kvc_cuda_address(kvc_cuda_t *cuda, uint32_t slot, uint64_t *address) KVC_NOEXCEPT;

/* --- order ---------------------------------------------------------------------------------------------------------------- */

typedef struct kvc_cuda_order_t {
    size_t struct_size;
    void *stream;             /* where work is issued                                                                   */
    const uint64_t *wait;     /* fences it waits for besides                                                            */
    const uint32_t *reads;    /* slots                                                                                  */
    const uint32_t *writes;   /* slots                                                                                  */
    uint32_t n_wait, n_reads, n_writes;
    uint32_t reserved;        /* 0                                                                                      */
} kvc_cuda_order_t;

/* Around work of the program's own: after begin, the stream waits for what it must; end leaves the fence (may be NULL) of what was
 * issued between. Errors: KVC_E_INVALID (a slot is not in use), KVC_E_ORDER (the stream is captured), KVC_E_DEVICE. */
KVC_API kvc_status_t kvc_cuda_begin(kvc_cuda_t *cuda, const kvc_cuda_order_t *order) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_end(kvc_cuda_t *cuda, const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;
/* KVC_OK: the work is done; KVC_PENDING: not yet. Errors: KVC_E_DEVICE: it never will be. */
KVC_API kvc_status_t kvc_cuda_query(kvc_cuda_t *cuda, uint64_t fence) KVC_NOEXCEPT;
/* Blocks until it is done. */
KVC_API kvc_status_t kvc_cuda_wait(kvc_cuda_t *cuda, uint64_t fence) KVC_NOEXCEPT;

/* --- between host and device ---------------------------------------------------------------------------------------------- */

typedef struct kvc_cuda_copy_t {
    uint64_t device;   /* address                                        */
    void *host;        /* pinned: kvc_cuda_pin, or kvc_cuda_allocator    */
    uint64_t bytes;
} kvc_cuda_copy_t;

/* Copies in any order, by the device's copy engines or by a few of its processors, as the pieces' length and number suggest.
 * Pieces that follow each other on both sides are one. To wait layer by layer, call it layer by layer.
 * Errors: KVC_E_INVALID (host memory is not pinned; nothing was issued), KVC_E_ORDER (captured), KVC_E_DEVICE. fence may be NULL. */
KVC_API kvc_status_t kvc_cuda_swap_in(kvc_cuda_t *cuda, const kvc_cuda_copy_t *copies, size_t n, const kvc_cuda_order_t *order,
                                      uint64_t *fence) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_swap_out(kvc_cuda_t *cuda, const kvc_cuda_copy_t *copies, size_t n,
                                       const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;

/* From one device to another of this process. order.reads are slots of `from`, order.writes slots of `to`; stream and fence are of
 * `from`. Errors: KVC_E_ORDER (captured), KVC_E_INVALID, KVC_E_DEVICE (either is lost). fence may be NULL. */
KVC_API kvc_status_t kvc_cuda_copy_to(kvc_cuda_t *from, kvc_cuda_t *to, uint64_t to_address, uint64_t from_address,
                                      uint64_t bytes, const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;

/* The same as swap_in and swap_out with any host memory, in pinned pieces of the module's. Block until all is done; order.stream is not used. */
KVC_API kvc_status_t kvc_cuda_upload(kvc_cuda_t *cuda, uint64_t device, const void *host, uint64_t bytes,
                                     const kvc_cuda_order_t *order) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_download(kvc_cuda_t *cuda, void *host, uint64_t device, uint64_t bytes,
                                       const kvc_cuda_order_t *order) KVC_NOEXCEPT;

/* Measures which engine is quicker for which pieces on this device, in place of published figures. Blocks, about a second; takes
 * 32 MiB of device memory meanwhile. Errors: KVC_E_NO_MEMORY, KVC_E_DEVICE; the choice stays as it was. */
KVC_API kvc_status_t kvc_cuda_measure(kvc_cuda_t *cuda) KVC_NOEXCEPT;

/* Registers host memory of the program's, which must stay until kvc_cuda_unpin; a copy of it must be done before that. Block: about
 * 0.1 s for a GiB. Errors: KVC_E_INVALID (a part of it is registered; or it is not), KVC_E_NO_MEMORY, KVC_E_DEVICE. */
KVC_API kvc_status_t kvc_cuda_pin(kvc_cuda_t *cuda, void *memory, uint64_t bytes) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_unpin(kvc_cuda_t *cuda, void *memory) KVC_NOEXCEPT;

/* An allocator for kvc_config_set_allocator: an engine's pages then lie in pinned memory, as far as option pinned_bytes has room
 * and is registered, and in ordinary memory beyond. kvc_cuda_stats tells how much of either. */
KVC_API kvc_status_t kvc_cuda_allocator(kvc_cuda_t *cuda, kvc_allocator_t *allocator) KVC_NOEXCEPT;
/* Nonzero: registering in the background stops, and this returns when it has; 0: it goes on. */
KVC_API kvc_status_t kvc_cuda_pause(kvc_cuda_t *cuda, int32_t paused) KVC_NOEXCEPT;

/* --- kernels -------------------------------------------------------------------------------------------------------------- */

#define KVC_CUDA_E4M3 100 /* dtype of device pages, besides those of kvc.h: 8-bit float, 4 bits of exponent */

/* K/V of pages wherever it lies on the device. The row of a page, layer, plane (KVC_KEY, KVC_VALUE), head and token begins at
 *   base + page * page_stride + layer * layer_stride + plane * plane_stride + head * head_stride + token * token_stride (bytes)
 * and its numbers follow each other. Pages of kvc (equal head dims) have token_stride = row, head_stride = page_tokens * row,
 * plane_stride = n_kv_heads * head_stride, layer_stride = 2 * plane_stride. */
typedef struct kvc_cuda_view_t {
    uint64_t base;
    const uint64_t *layer_bases;   /* device memory: an address for each layer, in place of base and layer_stride; or NULL */
    int64_t page_stride, layer_stride, plane_stride, head_stride, token_stride;
} kvc_cuda_view_t;

/* Tensors of other frameworks, by DLPack. What `managed` points to is a DLManagedTensor, or (versioned nonzero) a
 * DLManagedTensorVersioned of major version 1; the struct has no stream: order what its framework has under way by
 * order.wait or by issuing on its stream. */
typedef struct kvc_cuda_tensor_t {
    size_t struct_size;
    uint64_t address;              /* byte_offset counted in                                                                */
    uint64_t bytes;                /* from the first number to behind the last                                              */
    int64_t shape[8], strides[8];  /* strides in bytes                                                                      */
    uint32_t n_dims;
    int32_t dtype;                 /* KVC_F32, KVC_F16, KVC_BF16, KVC_U8, KVC_CUDA_E4M3, KVC_CUDA_I32                       */
    int32_t on_host;               /* 1: pinned host memory, which the device reaches                                       */
    int32_t read_only;             /* 1: its owner forbids writing                                                          */
} kvc_cuda_tensor_t;
#define KVC_CUDA_I32 101           /* indices                                                                               */
/* Describes a tensor; takes nothing: it must stay until kvc_cuda_tensor_release, or until what uses it is done.
 * Errors: KVC_E_UNSUPPORTED (another major version; device memory that is not CUDA's, or is managed), KVC_E_INVALID (on another
 * device than this), KVC_E_DTYPE, KVC_E_SHAPE (no numbers, negative strides, more than 8 dims), KVC_E_NULL. */
KVC_API kvc_status_t kvc_cuda_tensor_import(kvc_cuda_t *cuda, const void *managed, int32_t versioned,
                                            kvc_cuda_tensor_t *tensor) KVC_NOEXCEPT;
/* Takes the tensor and calls its deleter once the fence (0: none) is done: in this call, a later one, or kvc_cuda_close. */
KVC_API kvc_status_t kvc_cuda_tensor_release(kvc_cuda_t *cuda, void *managed, int32_t versioned, uint64_t fence) KVC_NOEXCEPT;
/* A tensor's strides as a view. axes: a letter for each dimension: p page, l layer, k K or V, h head, t token, d number; d must be
 * there and contiguous. Pages of vLLM are "kpthd", of FlashInfer "pkthd" (NHD) or "pkhtd" (HND), rows "thd".
 * Errors: KVC_E_INVALID, KVC_E_SHAPE, KVC_E_STRUCT_SIZE, KVC_E_NULL. */
KVC_API kvc_status_t kvc_cuda_tensor_view(kvc_cuda_t *cuda, const kvc_cuda_tensor_t *tensor, const char *axes,
                                          kvc_cuda_view_t *view) KVC_NOEXCEPT;

/* Rows from one view to another: gather, scatter, append and copies of pages. */
typedef struct kvc_cuda_move_t {
    size_t struct_size;
    kvc_cuda_view_t from, to;
    const int32_t *from_slots;     /* device memory, tokens entries: page * page_tokens + token in page; < 0: not moved;   */
    const int32_t *to_slots;       /*   NULL: token i is token i                                                           */
    uint32_t from_page_tokens, to_page_tokens;
    uint32_t tokens, n_layers, n_planes, n_heads;
    uint32_t row_bytes;
    uint32_t reserved;             /* 0 */
} kvc_cuda_move_t;
/* Errors: KVC_E_INVALID, KVC_E_ORDER, KVC_E_DEVICE. fence may be NULL, here and below. */
KVC_API kvc_status_t kvc_cuda_move(kvc_cuda_t *cuda, const kvc_cuda_move_t *move, const kvc_cuda_order_t *order,
                                   uint64_t *fence) KVC_NOEXCEPT;

/* The form of pages, and what encodes them. Encoded pages are those of the library's codecs, byte for byte. */
typedef struct kvc_cuda_pages_t {
    size_t struct_size;
    kvc_cuda_view_t clear;         /* pages in the clear                                                                   */
    uint32_t n_layers, n_kv_heads, k_head_dim, v_head_dim, page_tokens;
    int32_t dtype;                 /* of numbers in the clear: KVC_F32, KVC_F16, KVC_BF16; to attend also KVC_CUDA_E4M3    */
    char codec[16];                /* "int8", "int4", "mixed"; "svd": decoded only, each page as the library made and checked
                                      it; "" = no page is encoded                                                          */
    uint32_t key_bits, value_bits; /* of "mixed": 8, 4 or 2                                                                */
    uint32_t exact_tokens;         /* first tokens of each encoded page that are kept as they are; at most 64              */
    uint32_t reserved;             /* 0 */
} kvc_cuda_pages_t;

/* Bytes of an encoded page. Errors: KVC_E_INVALID, KVC_E_UNSUPPORTED (another codec). */
KVC_API kvc_status_t kvc_cuda_encoded_bytes(kvc_cuda_t *cuda, const kvc_cuda_pages_t *pages, uint64_t *bytes) KVC_NOEXCEPT;

/* Encodes n pages, or decodes them.
 *   clear_pages    device memory, n entries: which page of the view; NULL = 0 .. n-1
 *   encoded_pages  device memory, n entries: addresses, multiples of 64
 *   failed         device memory, n entries, cleared by the caller: 1 where a number is not finite; that page must stay in the clear
 * Errors: KVC_E_INVALID, KVC_E_DTYPE, KVC_E_UNSUPPORTED (codec, heads of more than 512 numbers), KVC_E_ORDER, KVC_E_DEVICE. */
KVC_API kvc_status_t kvc_cuda_encode(kvc_cuda_t *cuda, const kvc_cuda_pages_t *pages, uint32_t n, const int32_t *clear_pages,
                                     const uint64_t *encoded_pages, uint32_t *failed, const kvc_cuda_order_t *order,
                                     uint64_t *fence) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_decode(kvc_cuda_t *cuda, const kvc_cuda_pages_t *pages, uint32_t n, const int32_t *clear_pages,
                                     const uint64_t *encoded_pages, const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;

/* Attention of one query token a sequence over its pages: first encoded ones, then pages in the clear. All pointers are of device
 * memory. */
typedef struct kvc_cuda_attend_t {
    size_t struct_size;
    const void *query;             /* [sequence][query head][k_head_dim]                                                   */
    void *out;                     /* [sequence][query head][v_head_dim]; 0 where nothing is seen                          */
    float *state;                  /* [sequence][query head][2]: largest score times log2(e), sum of weights; may be NULL  */
    void *room;                    /* kvc_cuda_attend_bytes                                                                */
    const uint32_t *lengths;       /* [sequence]: tokens                                                                   */
    const uint32_t *n_encoded;     /* [sequence]: encoded pages; NULL = none                                               */
    const uint64_t *encoded_pages; /* [sequence][encoded_stride]: addresses                                                */
    const int32_t *clear_pages;    /* [sequence][clear_stride]: pages of the view                                          */
    uint64_t window;               /* the last tokens that are seen; 0 = all                                               */
    uint32_t encoded_stride, clear_stride;
    uint32_t n_sequences, group;   /* group: query heads of one K/V head                                                   */
    uint32_t splits;               /* parts that a sequence is cut into; about processors / (n_sequences * n_kv_heads)     */
    uint32_t layer;
    int32_t query_dtype, out_dtype; /* KVC_F32, KVC_F16, KVC_BF16                                                           */
    float scale;                   /* of scores; 0 = 1 / sqrt(k_head_dim)                                                  */
    float key_scale, value_scale;  /* of KVC_CUDA_E4M3 numbers                                                             */
    uint32_t reserved;             /* 0 */
} kvc_cuda_attend_t;
KVC_API kvc_status_t kvc_cuda_attend_bytes(kvc_cuda_t *cuda, const kvc_cuda_pages_t *pages, const kvc_cuda_attend_t *attend,
                                           uint64_t *bytes) KVC_NOEXCEPT;
/* Errors: KVC_E_INVALID, KVC_E_DTYPE, KVC_E_UNSUPPORTED (heads of more than 256 numbers), KVC_E_ORDER, KVC_E_DEVICE. */
KVC_API kvc_status_t kvc_cuda_attend(kvc_cuda_t *cuda, const kvc_cuda_pages_t *pages, const kvc_cuda_attend_t *attend,
                                     const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;

/* --- low rank ------------------------------------------------------------------------------------------------------------- */

/* Rows of K/V in fewer numbers: each matrix's rows in the basis of its `rank` largest principal directions (eigenvectors of its
 * Gram matrix, by Jacobi's rotations; not centred). Products are cuBLAS's, which the first of these calls loads (libcublas.so.13 or
 * .12): that takes about a second and some hundred MiB of memory, and nobody else pays for it. */
typedef struct kvc_cuda_low_rank_t {
    size_t struct_size;
    uint64_t rows;                 /* device memory: row t of matrix m at rows + m * matrix_stride + t * token_stride       */
    int64_t matrix_stride, token_stride; /* bytes; multiples of a number                                                  */
    void *basis;                   /* device memory, [matrix][dim][rank], of dtype                                          */
    void *coefficients;            /* device memory, [matrix][token][rank], of dtype                                        */
    float *values;                 /* device memory, [matrix][dim]: squared lengths along all directions; may be NULL      */
    void *room;                    /* device memory, kvc_cuda_low_rank_bytes; until the fence                               */
    uint32_t matrices, tokens, dim, rank;
    int32_t dtype;                 /* KVC_F32, KVC_F16, KVC_BF16                                                            */
    int32_t tf32;                  /* 1: products of f32 may round their factors to 10 bits (TF32)                          */
} kvc_cuda_low_rank_t;
KVC_API kvc_status_t kvc_cuda_low_rank_bytes(kvc_cuda_t *cuda, const kvc_cuda_low_rank_t *low_rank, uint64_t *bytes) KVC_NOEXCEPT;
/* fit finds the basis, project gives coefficients of rows, restore writes rows of coefficients. Block at the first call of all.
 * Errors: KVC_E_UNSUPPORTED (no cuBLAS; the message says what was looked for), KVC_E_DTYPE, KVC_E_INVALID, KVC_E_NO_MEMORY,
 * KVC_E_ORDER, KVC_E_DEVICE. fence may be NULL. */
KVC_API kvc_status_t kvc_cuda_low_rank_fit(kvc_cuda_t *cuda, const kvc_cuda_low_rank_t *low_rank, const kvc_cuda_order_t *order,
                                           uint64_t *fence) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_low_rank_project(kvc_cuda_t *cuda, const kvc_cuda_low_rank_t *low_rank, const kvc_cuda_order_t *order,
                                               uint64_t *fence) KVC_NOEXCEPT;
KVC_API kvc_status_t kvc_cuda_low_rank_restore(kvc_cuda_t *cuda, const kvc_cuda_low_rank_t *low_rank, const kvc_cuda_order_t *order,
                                               uint64_t *fence) KVC_NOEXCEPT;

/* --- statistics and placement --------------------------------------------------------------------------------------------- */

typedef struct kvc_cuda_stats_t {
    size_t struct_size;
    uint64_t slots, slots_used, slot_bytes;
    uint64_t to_device_bytes, to_host_bytes;
    uint64_t staged_bytes;             /* of these, through pieces of the module's                                         */
    uint64_t copy_engine_runs, processor_runs;
    uint64_t driver_copies;            /* calls of the driver for copies                                                   */
    uint64_t launches;                 /* kernels                                                                          */
    uint64_t waits;                    /* edges that streams were given                                                    */
    uint64_t refused_captures;
    uint64_t pinned_bytes;             /* registered in all                                                                */
    uint64_t pool_bytes, pool_ready, pool_used; /* of kvc_cuda_allocator                                                   */
    uint64_t pool_missed;              /* bytes that its pool had no room for, now in ordinary memory                      */
    uint64_t peer_bytes;               /* copied to other devices                                                          */
    int32_t lost;                      /* 1: every call gives KVC_E_DEVICE                                                 */
    int32_t reserved;
    double utilization;                /* of the device by everyone, lately: 0..1; -1: not known (no NVML; a part of a device, MIG) */
} kvc_cuda_stats_t;
/* Fills in up to stats->struct_size. Also of a lost device. */
KVC_API kvc_status_t kvc_cuda_stats(kvc_cuda_t *cuda, kvc_cuda_stats_t *stats) KVC_NOEXCEPT;

typedef struct kvc_cuda_candidate_t {
    uint64_t cached_bytes;      /* of the session's prefix that lie on this device already                              */
    uint64_t queued_bytes;      /* copies that its link still has to do                                                 */
    uint64_t link_bytes_per_s;
    uint64_t free_bytes;        /* of its slots                                                                         */
    uint64_t busy_ns;           /* work that the device itself has ahead                                                */
    int32_t usable;             /* 0: lost, or not to be used                                                           */
    int32_t reserved;
} kvc_cuda_candidate_t;
/* Chooses a device for a session whose prefix has prefix_bytes: the one where it can begin first, counting the queue, what has to
 * be brought in, and what has to leave for it. The first of equals. Looks at nothing but its arguments.
 * Errors: KVC_E_NOT_FOUND (none is usable), KVC_E_NULL. */
KVC_API kvc_status_t kvc_cuda_choose(const kvc_cuda_candidate_t *candidates, uint32_t n, uint64_t prefix_bytes,
                                     uint32_t *chosen) KVC_NOEXCEPT;

/* --- sessions on a device ------------------------------------------------------------------------------------------------- */

/* An engine with option device_memory keeps copies of pages on devices: that budget for each, never exceeded, of the devices that
 * option device names. The pages themselves are in the engine's memory (and on disk), so a device that is full, or fails, costs
 * time and nothing else: its copies make room for others in the order of option policy. Pages are copied to a device when a call
 * below needs them there, layer by layer. Encoded pages of int8, int4 and mixed (but for a sequence's first), klt, lowrank, auto and
 * svd go as they are, whole, and are decoded there; with the first page of what a codec learned that goes too, if it takes at most a
 * quarter of device_memory. Of codec sparse the rows that are kept go, and attention there is over those, as of kvc_session_attend;
 * to be read, such pages are brought back by the processor. Pages of an application's codec are decoded on the way, by the processor.
 *
 * A session's calls below are issued on order.stream, and name no slots (order.n_reads and n_writes are 0). They follow one another
 * in any mixture of streams, with the other calls of kvc.h, and need no synchronisation for it:
 *   - Rows that were appended from a device are copied to the engine's memory by page, when a page is full. With codec int8, int4 or
 *     mixed, svd, and with klt or lowrank once the space is learned, the device encodes such a page first, as the engine would,
 *     and without codec_window its codes are all that is copied.
 *     kvc_session_commit waits for none of that: it seals the pages whose copies have arrived, and the others later.
 *   - Calls of kvc.h that need such rows on the processor (kvc_session_read, _attend, _append, _match, _fork, _truncate, _close)
 *     wait until they have arrived; that needs a page's worth of the link, and the streams that they were appended on.
 *   - Option pin_memory keeps the engine's pages in pinned memory. Without it (or with an allocator of the application's, or before
 *     the memory is registered) copies go through pinned pieces and block, kvc_session_commit among those who wait.
 *   - While a stream is captured, all of these give KVC_E_ORDER.
 *   - If the device fails, rows that had not arrived are gone: calls that need them give KVC_E_DEVICE, and kvc_session_truncate to
 *     what the message says mends the session. kvc_session_close keeps what has arrived.
 * Errors of all: KVC_E_UNSUPPORTED (the engine has no device; the message says why), KVC_E_DEVICE, KVC_E_NO_MEMORY (device memory,
 * after three tries with copies of other pages let go between them), KVC_E_INVALID, KVC_E_ORDER, and those of the calls of kvc.h
 * that they stand for. The words are in the session's kvc_session_last_error. Ownership: none passes. Threads: any. */

/* The engine's handle of the session's device, for streams' fences, begin and end, and everything else above; never to be closed.
 * It is chosen at the session's first call: where most of its prefix lies, and least is waiting (kvc_cuda_choose).
 *   device    as the driver counts: that one from now on; -1: as it was, or by choice. */
KVC_API kvc_status_t kvc_cuda_session_device(kvc_session_t *session, int32_t device, kvc_cuda_t **cuda) KVC_NOEXCEPT;

/* Brings layers [from, to) of all that the session holds to its device, where they are not there yet: one call for each layer, and a
 * model can begin with the first while the last is still on its way. fence (may be NULL): when they are there. */
KVC_API kvc_status_t kvc_cuda_session_load(kvc_session_t *session, uint32_t from, uint32_t to, const kvc_cuda_order_t *order,
                                           uint64_t *fence) KVC_NOEXCEPT;

/* K or V of one layer on a device: head h of token t begins at address + t * token_stride + h * head_stride (bytes); its numbers
 * follow each other and have the space's dtype. */
typedef struct kvc_cuda_rows_t {
    uint64_t address;
    int64_t token_stride, head_stride;
} kvc_cuda_rows_t;

/* kvc_session_read to device memory, decoded. */
KVC_API kvc_status_t kvc_cuda_session_read(kvc_session_t *session, uint32_t layer, int32_t plane, size_t from, size_t n,
                                           const kvc_cuda_rows_t *rows, const kvc_cuda_order_t *order,
                                           uint64_t *fence) KVC_NOEXCEPT;
/* kvc_session_append from device memory; the rows may be written again by what comes after the fence, or on the same stream. */
KVC_API kvc_status_t kvc_cuda_session_append(kvc_session_t *session, uint32_t layer, const kvc_cuda_rows_t *k,
                                             const kvc_cuda_rows_t *v, size_t n, const kvc_cuda_order_t *order,
                                             uint64_t *fence) KVC_NOEXCEPT;

/* Attention of one token's queries over all that the session's layer holds (as kvc_cuda_attend over its pages). */
typedef struct kvc_cuda_session_attend_t {
    size_t struct_size;
    const void *query;              /* device memory, [query head][k_head_dim]                                            */
    void *out;                      /* device memory, [query head][v_head_dim]                                            */
    void *room;                     /* device memory, kvc_cuda_session_attend_bytes; of this call until its fence         */
    uint64_t room_bytes;
    uint32_t layer, group, splits;  /* as kvc_cuda_attend_t                                                               */
    int32_t query_dtype, out_dtype;
    float scale;
} kvc_cuda_session_attend_t;
/* Bytes of room that are enough until the session has `tokens` tokens. */
KVC_API kvc_status_t kvc_cuda_session_attend_bytes(kvc_session_t *session, const kvc_cuda_session_attend_t *attend, size_t tokens,
                                                   uint64_t *bytes) KVC_NOEXCEPT;
/* Errors also: KVC_E_UNSUPPORTED (K and V heads of different length). */
KVC_API kvc_status_t kvc_cuda_session_attend(kvc_session_t *session, const kvc_cuda_session_attend_t *attend,
                                             const kvc_cuda_order_t *order, uint64_t *fence) KVC_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* KVC_CUDA_H */
