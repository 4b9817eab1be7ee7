/* What the hosts of the loading tests share: checks, the process as /proc sees it, and a small use of every part of kvc. */
#ifndef KVC_TESTS_DL_HOST_H
#define KVC_TESTS_DL_HOST_H

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "kvc/kvc.h"

#define CHECK(condition)                                                                        \
    do {                                                                                        \
        if (!(condition)) {                                                                     \
            fprintf(report, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition);       \
            fflush(report);                                                                     \
            _Exit(1);                                                                           \
        }                                                                                       \
    } while (0)

/* Where a host reports: its real stderr, also while file descriptors 1 and 2 are watched for output of the library. */
static FILE *report;

/* The functions that the hosts call, found by name in one copy of the library. */
#define KVC_USED(X)                                                                                                   \
    X(kvc_abi_version) X(kvc_config_create) X(kvc_config_set) X(kvc_config_destroy) X(kvc_engine_create)              \
    X(kvc_engine_destroy) X(kvc_engine_last_error) X(kvc_request_init) X(kvc_process) X(kvc_response_free)            \
    X(kvc_space_desc_init) X(kvc_space_open) X(kvc_space_close) X(kvc_session_open) X(kvc_session_append_all)         \
    X(kvc_session_commit) X(kvc_session_match) X(kvc_session_read) X(kvc_session_close) X(kvc_tensor_thd) X(kvc_put)  \
    X(kvc_get) X(kvc_stats)

struct kvc_functions {
    void *library;
#define X(name) __typeof__(name) *name;
    KVC_USED(X)
#undef X
};

static inline void load_kvc(struct kvc_functions *kvc, const char *path) {
    kvc->library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!kvc->library) fprintf(report, "%s\n", dlerror());
    CHECK(kvc->library);
#define X(name)                                  \
    *(void **)&kvc->name = dlsym(kvc->library, #name); \
    CHECK(kvc->name);
    KVC_USED(X)
#undef X
    CHECK(kvc->kvc_abi_version() == KVC_ABI_VERSION);
}

/* An engine with the built-in model, or without any, and with a budget that a test machine has. */
static inline kvc_engine_t *make_engine(const struct kvc_functions *kvc, int with_model) {
    kvc_config_t *config = NULL;
    kvc_engine_t *engine = NULL;
    CHECK(kvc->kvc_config_create(NULL, &config) == KVC_OK);
    CHECK(kvc->kvc_config_set(config, "memory", "64MiB") == KVC_OK);
    if (!with_model) CHECK(kvc->kvc_config_set(config, "model", "none") == KVC_OK);
    CHECK(kvc->kvc_engine_create(config, &engine) == KVC_OK);
    kvc->kvc_config_destroy(config);
    return engine;
}

/* A tensor in, the same tensor out. */
static inline void use_tensors(const struct kvc_functions *kvc, kvc_engine_t *engine) {
    float in[24], out[24];
    kvc_tensor_t tensor;
    int32_t found = 0, i;
    for (i = 0; i < 24; i++) in[i] = (float)i;
    memset(out, 0, sizeof out);
    CHECK(kvc->kvc_tensor_thd(&tensor, in, KVC_F32, 3, 2, 4) == KVC_OK);
    CHECK(kvc->kvc_put(engine, NULL, "key", 3, &tensor) == KVC_OK);
    tensor.data = out;
    CHECK(kvc->kvc_get(engine, NULL, "key", 3, &tensor, &found) == KVC_OK && found == 1);
    CHECK(memcmp(in, out, sizeof in) == 0);
}

/* Two layers of 12 tokens go in by one session; another finds them and reads them back. */
static inline void use_sessions(const struct kvc_functions *kvc, kvc_engine_t *engine) {
    enum { TOKENS = 12, LAYERS = 2, HEADS = 2, DIM = 8, NUMBERS = TOKENS * HEADS * DIM };
    static const int32_t tokens[TOKENS] = {5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    float planes[2 * LAYERS][NUMBERS], out[NUMBERS];
    kvc_tensor_t k[LAYERS], v[LAYERS], gathered;
    kvc_space_desc_t desc;
    kvc_space_t *space = NULL;
    kvc_session_t *session = NULL;
    size_t reused = 0;
    int i, layer;

    CHECK(kvc->kvc_space_desc_init(&desc, sizeof desc) == KVC_OK);
    desc.weights_digest = "weights";
    desc.weights_digest_size = 7;
    desc.none = KVC_NONE_TOKENIZER | KVC_NONE_ROPE | KVC_NONE_ADAPTERS | KVC_NONE_ATTENTION;
    desc.n_layers = LAYERS;
    desc.n_kv_heads = HEADS;
    desc.k_head_dim = DIM;
    desc.dtype = KVC_F32;
    desc.page_tokens = 4;
    CHECK(kvc->kvc_space_open(engine, &desc, &space) == KVC_OK);

    CHECK(kvc->kvc_session_open(space, NULL, &session) == KVC_OK);
    for (layer = 0; layer < 2 * LAYERS; layer++)
        for (i = 0; i < NUMBERS; i++) planes[layer][i] = (float)(layer * 1000 + i);
    for (layer = 0; layer < LAYERS; layer++) {
        CHECK(kvc->kvc_tensor_thd(&k[layer], planes[layer], KVC_F32, TOKENS, HEADS, DIM) == KVC_OK);
        CHECK(kvc->kvc_tensor_thd(&v[layer], planes[LAYERS + layer], KVC_F32, TOKENS, HEADS, DIM) == KVC_OK);
    }
    CHECK(kvc->kvc_session_append_all(session, k, v, LAYERS, TOKENS) == KVC_OK);
    CHECK(kvc->kvc_session_commit(session, tokens, TOKENS) == KVC_OK);
    CHECK(kvc->kvc_session_close(session, KVC_CLOSE_KEEP, 0) == KVC_OK);

    CHECK(kvc->kvc_session_open(space, NULL, &session) == KVC_OK);
    CHECK(kvc->kvc_session_match(session, tokens, TOKENS, &reused) == KVC_OK && reused == TOKENS);
    CHECK(kvc->kvc_tensor_thd(&gathered, out, KVC_F32, TOKENS, HEADS, DIM) == KVC_OK);
    CHECK(kvc->kvc_session_read(session, 1, KVC_VALUE, 0, TOKENS, &gathered) == KVC_OK);
    CHECK(memcmp(out, planes[LAYERS + 1], sizeof out) == 0);
    CHECK(kvc->kvc_session_close(session, KVC_CLOSE_FINISHED, 0) == KVC_OK);
    kvc->kvc_space_close(space);
}

/* A prompt in, a text out: the engine's own threads start here. */
static inline void use_model(const struct kvc_functions *kvc, kvc_engine_t *engine) {
    kvc_request_t request;
    kvc_response_t *answer = NULL;
    kvc_status_t status;
    CHECK(kvc->kvc_request_init(&request, sizeof request) == KVC_OK);
    request.prompt = "In the beginning";
    request.max_tokens = 4;
    status = kvc->kvc_process(engine, &request, &answer);
    if (status != KVC_OK) {
        char text[512];
        kvc->kvc_engine_last_error(engine, text, sizeof text);
        fprintf(report, "kvc_process: %d: %s\n", (int)status, text);
    }
    CHECK(status == KVC_OK && answer && answer->n_tokens >= 1);
    kvc->kvc_response_free(answer);
}

/* Resident memory of this process, bytes. */
static inline size_t resident_bytes(void) {
    unsigned long size = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file && fscanf(file, "%lu %lu", &size, &resident) == 2);
    fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static inline int count_threads(void) {
    int n = 0;
    struct dirent *entry;
    DIR *directory = opendir("/proc/self/task");
    CHECK(directory);
    while ((entry = readdir(directory)) != NULL) n += entry->d_name[0] != '.';
    closedir(directory);
    return n;
}

/* A joined thread leaves /proc a moment after pthread_join returns; a thread that was not joined stays. */
static inline int only_this_thread(void) {
    int i;
    for (i = 0; i < 2000; i++) {
        struct timespec moment = {0, 1000000};
        if (count_threads() == 1) return 1;
        nanosleep(&moment, NULL);
    }
    return 0;
}

static inline int count_mappings(const char *name) {
    char line[4096];
    int n = 0;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file)) n += strstr(line, name) != NULL;
    fclose(file);
    return n;
}

/* The file name (without directory) of the object that an address lies in. */
static inline const char *object_of(const void *address) {
    Dl_info info;
    const char *slash;
    if (!address || !dladdr(address, &info) || !info.dli_fname) return "nothing";
    slash = strrchr(info.dli_fname, '/');
    return slash ? slash + 1 : info.dli_fname;
}

#endif
