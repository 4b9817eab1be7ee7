/* A game loop at 60 frames per second in which characters talk.
 *
 *   - kvc starts no thread (option threads=0): the loop drives it with kvc_step, within a share of each frame.
 *   - kvc's memory comes from the game's own arena through the allocator hook, which refuses what goes beyond its bound.
 *   - All characters share the rules of the world, the beginning of every prompt: its K/V is computed once.
 *
 * usage: game [FRAMES]       prints what the characters say and what it cost
 */
#define _POSIX_C_SOURCE 200112L
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kvc/kvc.h"

#define CHARACTERS 3
#define MEMORY (24u << 20)             /* the game's bound on kvc, bytes   */
#define FRAME_NS 16666667u             /* 60 frames per second             */
#define TALK_NS 6000000u               /* of a frame, for kvc_step         */
#define MAX_FRAMES 100000

static const char *const world = "And it came to pass in those days, that there went out a decree, that all the world should be told: ";

typedef struct character_t {
    const char *name, *says;
    kvc_ticket_t ticket;
    char line[256];
    size_t length;
    unsigned turns, cached;
} character_t;

/* --- the game's memory: counted, and bounded --- */

typedef struct arena_t {
    size_t used, peak;
    unsigned refused;
} arena_t;

static void *arena_allocate(void *user, size_t size, size_t alignment) {
    arena_t *arena = user;
    void *pointer = NULL;
    if (arena->used + size > MEMORY) {
        arena->refused++;
        return NULL;
    }
    if (posix_memalign(&pointer, alignment < sizeof(void *) ? sizeof(void *) : alignment, size) != 0) return NULL;
    arena->used += size;
    if (arena->used > arena->peak) arena->peak = arena->used;
    return pointer;
}

static void arena_release(void *user, void *pointer, size_t size, size_t alignment) {
    (void)alignment;
    ((arena_t *)user)->used -= size;
    free(pointer);
}

/* --- the game --- */

static uint64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned threads_of_process(void) {
    unsigned n = 0;
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return 0;
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

/* A piece of what a character says: with threads=0 it comes inside kvc_step, on the game's own thread. */
static kvc_status_t hear(void *user, kvc_ticket_t ticket, const char *text, size_t size) {
    character_t *who = user;
    (void)ticket;
    if (who->length + size < sizeof who->line) {
        memcpy(who->line + who->length, text, size);
        who->length += size;
    }
    return KVC_OK;
}

static kvc_status_t speak(kvc_engine_t *engine, character_t *who) {
    char prompt[512];
    kvc_request_t request;
    snprintf(prompt, sizeof prompt, "%sand %s said unto them, %s", world, who->name, who->says);
    kvc_request_init(&request, sizeof request);
    request.prompt = prompt;
    request.max_tokens = 24;
    request.session_id = who->name;
    request.on_text = hear;
    request.user_data = who;
    who->length = 0;
    return kvc_submit(engine, &request, &who->ticket);
}

/* What completed since the last frame; a character that has finished begins its next line. */
static int listen_to(kvc_engine_t *engine, character_t *cast, int print) {
    kvc_ticket_t done[CHARACTERS];
    size_t n = 0;
    if (kvc_poll(engine, done, CHARACTERS, &n) != KVC_OK) return 1;
    for (size_t i = 0; i < n; ++i)
        for (character_t *who = cast; who < cast + CHARACTERS; ++who) {
            kvc_response_t *response = NULL;
            if (who->ticket != done[i]) continue;
            if (kvc_wait(engine, who->ticket, 0, &response) != KVC_OK) return 1;
            if (print && who->turns == 0) printf("%s: %s%.*s\n", who->name, who->says, (int)who->length, who->line);
            who->turns++;
            who->cached += response->cached_tokens;
            kvc_response_free(response);
            if (speak(engine, who) != KVC_OK) return 1;
        }
    return 0;
}

static int compare(const void *a, const void *b) {
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
    const int frames = argc > 1 ? atoi(argv[1]) : 600;
    static uint64_t poll_ns[MAX_FRAMES];
    character_t cast[CHARACTERS] = {{.name = "Moses", .says = "Let"}, {.name = "Ruth", .says = "I will"}, {.name = "David", .says = "The LORD"}};
    arena_t arena = {0, 0, 0};
    kvc_allocator_t allocator = {sizeof allocator, &arena, arena_allocate, arena_release};
    kvc_config_t *config = NULL;
    kvc_engine_t *engine = NULL;
    kvc_error_t error = {.struct_size = sizeof error};
    const unsigned threads = threads_of_process();
    unsigned late = 0, turns = 0, cached = 0;
    int failed;

    if (frames < 1 || frames > MAX_FRAMES) return fprintf(stderr, "usage: game [FRAMES], 1 to %d\n", MAX_FRAMES), 2;
    failed = kvc_config_create("memory_efficient", &config) != KVC_OK || kvc_config_set(config, "threads", "0") != KVC_OK ||
             kvc_config_set(config, "memory", "16MiB") != KVC_OK ||
             kvc_config_set(config, "prefill_chunk", "16") != KVC_OK || /* steps that fit into a share of a frame */
             kvc_config_set_allocator(config, &allocator) != KVC_OK;
    if (failed || kvc_engine_create_with_error(config, &engine, &error) != KVC_OK) {
        fprintf(stderr, "no engine: %s\n", error.message);
        return 1;
    }
    for (int i = 0; i < CHARACTERS && !failed; ++i) failed = speak(engine, &cast[i]) != KVC_OK;

    for (int frame = 0; frame < frames && !failed; ++frame) {
        const uint64_t begin = now_ns();
        int32_t busy = 1;
        while (busy && now_ns() - begin < TALK_NS && !failed) failed = kvc_step(engine, &busy) != KVC_OK;
        const uint64_t before = now_ns();
        failed = failed || listen_to(engine, cast, 1);
        poll_ns[frame] = now_ns() - before;
        /* here the game would move and draw */
        const uint64_t spent = now_ns() - begin;
        if (spent < FRAME_NS) {
            const struct timespec rest = {0, (long)(FRAME_NS - spent)};
            nanosleep(&rest, NULL);
        } else {
            ++late;
        }
    }

    const unsigned threads_now = threads_of_process();
    for (int i = 0; i < CHARACTERS; ++i) turns += cast[i].turns, cached += cast[i].cached;
    qsort(poll_ns, (size_t)frames, sizeof *poll_ns, compare);
    printf("%d frames, %u late; %u lines said, %u tokens of their prompts reused\n", frames, late, turns, cached);
    printf("poll: median %.1f us, 99.9 %% %.1f us\n", (double)poll_ns[frames / 2] / 1e3,
           (double)poll_ns[frames - 1 - frames / 1000] / 1e3);
    printf("memory: at most %.1f of %u MiB, %u refusals; threads begun by kvc: %u\n", (double)arena.peak / (1 << 20), MEMORY >> 20,
           arena.refused, threads_now - threads);
    if (failed) {
        char words[256];
        kvc_engine_last_error(engine, words, sizeof words);
        fprintf(stderr, "failed: %s\n", words);
    }
    kvc_engine_destroy(engine);
    kvc_config_destroy(config);
    if (arena.used != 0) return fprintf(stderr, "%zu bytes were not given back\n", arena.used), 1;
    return failed || turns == 0 || threads_now != threads;
}
