/* What the C ABI itself takes: the peer of every language in bench/bindings. Prints one figure a line: name value.
 *
 *   contains_ns   kvc_contains of a key that is stored: the best of some chunks of calls, as other programs may take the processor
 *   read_ns       64 pages of K of one layer (4,096 tokens x 8 heads x 64, float32: 8 MiB) into one buffer
 *   piece_ns      one piece of a streamed answer by kvc_next, with threads=0: a step of the built-in model, and handing it over
 *
 * Rounds alternate between languages: each program runs one round and is called again.
 */
#define _POSIX_C_SOURCE 200112L
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kvc/kvc.h"

enum { CALLS = 10000, CHUNKS = 30, TOKENS = 4096, HEADS = 8, DIM = 64, READS = 20, PIECES = 400 };

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void must(kvc_status_t status) {
    if (status >= 0) return;
    fprintf(stderr, "bench: %s\n", kvc_status_name(status));
    exit(1);
}

int main(void) {
    kvc_engine_t *engine;
    kvc_space_t *space;
    kvc_session_t *session;
    kvc_tensor_t tensor;
    kvc_space_desc_t desc;
    int32_t found = 0, tokens[TOKENS];
    float one = 1, *rows = calloc((size_t)TOKENS * HEADS * DIM, sizeof *rows);

    must(kvc_engine_create(NULL, &engine));
    memset(&tensor, 0, sizeof tensor);
    tensor.struct_size = sizeof tensor;
    tensor.data = &one, tensor.size = sizeof one, tensor.dtype = KVC_F32, tensor.n_dims = 1, tensor.shape[0] = 1;
    must(kvc_put(engine, NULL, "key", 3, &tensor));
    uint64_t begin, cheapest = UINT64_MAX;
    for (int chunk = 0; chunk < CHUNKS; ++chunk) {
        begin = now_ns();
        for (int i = 0; i < CALLS; ++i) must(kvc_contains(engine, NULL, "key", 3, &found));
        const uint64_t spent = now_ns() - begin;
        if (spent < cheapest) cheapest = spent;
    }
    printf("contains_ns %.2f\n", (double)cheapest / CALLS);

    must(kvc_space_desc_init(&desc, sizeof desc));
    desc.weights_digest = "w", desc.weights_digest_size = 1, desc.none = 15;
    desc.n_layers = 1, desc.n_kv_heads = HEADS, desc.k_head_dim = DIM, desc.dtype = KVC_F32, desc.page_tokens = 64;
    must(kvc_space_open(engine, &desc, &space));
    must(kvc_session_open(space, NULL, &session));
    for (int i = 0; i < TOKENS; ++i) tokens[i] = i;
    must(kvc_tensor_thd(&tensor, rows, KVC_F32, TOKENS, HEADS, DIM));
    must(kvc_session_append_all(session, &tensor, &tensor, 1, TOKENS));
    must(kvc_session_commit(session, tokens, TOKENS));
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < READS; ++i) {
        begin = now_ns();
        must(kvc_session_read(session, 0, KVC_KEY, 0, TOKENS, &tensor));
        const uint64_t took = now_ns() - begin;
        if (took < best) best = took;
    }
    printf("read_ns %llu\n", (unsigned long long)best);

    kvc_request_t request;
    kvc_ticket_t ticket;
    kvc_config_t *config;
    kvc_engine_t *stepped;
    static uint64_t took[PIECES + 8];
    int n = 0;
    must(kvc_config_create(NULL, &config));
    must(kvc_config_set(config, "threads", "0"));
    must(kvc_engine_create(config, &stepped));
    must(kvc_request_init(&request, sizeof request));
    request.prompt = "In the beginning", request.max_tokens = PIECES;
    must(kvc_submit(stepped, &request, &ticket));
    for (;;) {
        char piece[1024];
        size_t size = 0;
        begin = now_ns();
        const kvc_status_t status = kvc_next(stepped, ticket, UINT64_MAX, piece, sizeof piece, &size);
        must(status);
        if (status == KVC_END) break;
        if (n < PIECES) took[n++] = now_ns() - begin;
    }
    qsort(took, (size_t)n, sizeof *took, compare);
    printf("piece_ns %llu\n", (unsigned long long)(n ? took[n / 2] : 0));
    kvc_engine_destroy(stepped);
    kvc_config_destroy(config);
    kvc_engine_destroy(engine);
    free(rows);
    return 0;
}
