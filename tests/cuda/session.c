/* A program that runs a model on a device, as users write it: an engine with a device tier, a session that is read and
 * appended to on a stream. The driver is what the loader finds as libcuda.so.1: in tests, one of our own (fake/). */
#include <dlfcn.h>
#include <kvc/kvc_cuda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static kvc_session_t *session = NULL;

static void fail(int line, const char *condition) {
    char words[512] = "";
    kvc_session_last_error(session, words, sizeof words);
    fprintf(stderr, "line %d: %s (%s)\n", line, condition, words);
    exit(1);
}
#define CHECK(condition)                            \
    do {                                            \
        if (!(condition)) fail(__LINE__, #condition); \
    } while (0)

enum { LAYERS = 2, HEADS = 2, DIM = 8, PAGE = 4, TOKENS = 10, ROW = HEADS * DIM };

static float number(int layer, int plane, int token, int i) { return (float)(layer * 1000 + plane * 500 + token * 20 + i); }

int main(int argc, char **argv) {
    const int with_driver = argc > 1 && strcmp(argv[1], "device") == 0;
    kvc_config_t *config = NULL;
    kvc_engine_t *engine = NULL;
    CHECK(kvc_config_create(NULL, &config) == KVC_OK);
    CHECK(kvc_config_set(config, "model", "none") == KVC_OK);
    CHECK(kvc_config_set(config, "memory", "8MiB") == KVC_OK);
    CHECK(kvc_config_set(config, "device_memory", "64KiB") == KVC_OK);
    CHECK(kvc_engine_create(config, &engine) == KVC_OK);
    kvc_config_destroy(config);
    char info[16384];
    size_t length = 0;
    CHECK(kvc_engine_info(engine, info, sizeof info, &length) == KVC_OK);

    kvc_space_desc_t desc;
    memset(&desc, 0, sizeof desc);
    desc.struct_size = sizeof desc;
    desc.weights_digest = "w", desc.weights_digest_size = 1;
    desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    desc.n_layers = LAYERS, desc.n_kv_heads = HEADS, desc.k_head_dim = DIM, desc.dtype = KVC_F32, desc.page_tokens = PAGE;
    kvc_space_t *space = NULL;
    CHECK(kvc_space_open(engine, &desc, &space) == KVC_OK);
    CHECK(kvc_session_open(space, NULL, &session) == KVC_OK);

    kvc_cuda_t *cuda = NULL;
    const kvc_status_t found = kvc_cuda_session_device(session, -1, &cuda);
    if (!with_driver) {
        char words[512];
        kvc_session_last_error(session, words, sizeof words);
        CHECK(found == KVC_E_UNSUPPORTED);
        CHECK(strstr(words, "no NVIDIA driver") != NULL);
        CHECK(strstr(info, "\"device_tier\": {\"why\": \"no NVIDIA driver") != NULL);
        printf("without a driver: %s\n", words);
    } else {
        CHECK(found == KVC_OK);
        CHECK(strstr(info, "\"tiers\": [\"device\",\"host\"]") != NULL);
        /* Room of the program's own, from the module: one slot for what goes in, one for what comes out. */
        kvc_cuda_options_t options;
        memset(&options, 0, sizeof options);
        options.struct_size = sizeof options, options.slots = 2, options.slot_bytes = 65536;
        kvc_cuda_t *own = NULL;
        uint32_t slots[2];
        uint64_t in = 0, out = 0;
        CHECK(kvc_cuda_open(&options, &own, NULL) == KVC_OK);
        CHECK(kvc_cuda_acquire(own, 2, slots) == KVC_OK);
        CHECK(kvc_cuda_address(own, slots[0], &in) == KVC_OK);
        CHECK(kvc_cuda_address(own, slots[1], &out) == KVC_OK);
        kvc_cuda_order_t order;
        memset(&order, 0, sizeof order);
        order.struct_size = sizeof order;
        /* The driver of ours has no legacy stream, but gives one; elsewhere it is that. */
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
        void *symbol = driver != NULL ? dlsym(driver, "fake_stream") : NULL;
        if (symbol != NULL) {
            void *(*stream)(int);
            memcpy(&stream, &symbol, sizeof symbol);
            order.stream = stream(0);
        }

        int32_t tokens[TOKENS];
        float host[TOKENS * ROW];
        uint64_t fence = 0;
        for (int layer = 0; layer < LAYERS; ++layer) {
            kvc_cuda_rows_t rows[2];
            for (int plane = 0; plane < 2; ++plane) {
                const uint64_t at = in + (uint64_t)(layer * 2 + plane) * sizeof host;
                for (int i = 0; i < TOKENS * ROW; ++i) host[i] = number(layer, plane, i / ROW, i % ROW);
                CHECK(kvc_cuda_upload(own, at, host, sizeof host, &order) == KVC_OK);
                rows[plane].address = at;
                rows[plane].token_stride = ROW * sizeof(float), rows[plane].head_stride = DIM * sizeof(float);
            }
            CHECK(kvc_cuda_session_append(session, (uint32_t)layer, &rows[0], &rows[1], TOKENS, &order, &fence) == KVC_OK);
        }
        for (int i = 0; i < TOKENS; ++i) tokens[i] = i + 1;
        CHECK(kvc_session_commit(session, tokens, TOKENS) == KVC_OK);
        CHECK(kvc_session_close(session, KVC_CLOSE_KEEP, 0) == KVC_OK);

        /* Another session finds it all, and reads it on the device. */
        size_t reused = 0;
        CHECK(kvc_session_open(space, NULL, &session) == KVC_OK);
        CHECK(kvc_session_match(session, tokens, TOKENS, &reused) == KVC_OK);
        CHECK(reused == TOKENS);
        for (uint32_t layer = 0; layer < LAYERS; ++layer) CHECK(kvc_cuda_session_load(session, layer, layer + 1, &order, NULL) == KVC_OK);
        CHECK(kvc_cuda_session_device(session, -1, &cuda) == KVC_OK);
        for (int layer = 0; layer < LAYERS; ++layer) {
            for (int plane = 0; plane < 2; ++plane) {
                const kvc_cuda_rows_t rows = {out, ROW * sizeof(float), DIM * sizeof(float)};
                CHECK(kvc_cuda_session_read(session, (uint32_t)layer, plane == 0 ? KVC_KEY : KVC_VALUE, 0, TOKENS, &rows, &order,
                                            &fence) == KVC_OK);
                CHECK(kvc_cuda_wait(cuda, fence) == KVC_OK);
                CHECK(kvc_cuda_download(own, host, out, sizeof host, &order) == KVC_OK);
                for (int i = 0; i < TOKENS * ROW; ++i) CHECK(host[i] == number(layer, plane, i / ROW, i % ROW));
            }
        }
        kvc_stats_t stats;
        memset(&stats, 0, sizeof stats);
        stats.struct_size = sizeof stats;
        CHECK(kvc_stats(engine, &stats) == KVC_OK);
        CHECK(stats.devices == 1 && stats.device_pages > 0 && stats.device_hits > 0 && stats.device_limit == 65536);
        printf("%u pages on a device, %u found there\n", (unsigned)stats.device_pages, (unsigned)stats.device_hits);
        kvc_cuda_close(own);
    }
    kvc_session_close(session, KVC_CLOSE_KEEP, 0);
    kvc_space_close(space);
    kvc_engine_destroy(engine);
    return 0;
}
