/* Loads, uses and unloads kvc many times, each time in a thread that ends afterwards. What must hold:
 * nothing is printed, every thread of kvc is joined, memory stays flat, the library is mapped once, and the thread's end
 * does not call into a library that is gone (it is linked -z nodelete for that).
 *
 * usage: cycles LIBRARY CYCLES [LIMIT_KIB]     LIMIT_KIB: growth of resident memory allowed after the first tenth; 0: do not look */
#include "host.h"

#include <pthread.h>
#include <sys/stat.h>

static const char *path;

static void *one_cycle(void *argument) {
    long cycle = *(long *)argument;
    struct kvc_functions kvc;
    kvc_engine_t *engine;
    load_kvc(&kvc, path);
    engine = make_engine(&kvc, cycle % 100 == 0);
    use_tensors(&kvc, engine);
    use_sessions(&kvc, engine);
    if (cycle % 100 == 0) use_model(&kvc, engine);
    kvc.kvc_engine_destroy(engine);
    CHECK(dlclose(kvc.library) == 0);
    return NULL;
}

int main(int argc, char **argv) {
    long cycle, cycles = argc > 2 ? atol(argv[2]) : 1000;
    long limit_kib = argc > 3 ? atol(argv[3]) : 0;
    long growth_kib;
    size_t before = 0, after;
    int watched, mappings = 0;
    struct stat written;
    char name[] = "/tmp/kvc-dl-XXXXXX";

    report = fdopen(dup(2), "w");
    if (argc < 2 || !report) return 2;
    path = argv[1];
    watched = mkstemp(name);
    CHECK(watched >= 0 && unlink(name) == 0);
    CHECK(dup2(watched, 1) == 1 && dup2(watched, 2) == 2);

    for (cycle = 0; cycle < cycles; cycle++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, one_cycle, &cycle) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK(only_this_thread());
        if (cycle == 0) mappings = count_mappings("libkvc");
        if (cycle == cycles / 10) before = resident_bytes();
    }
    after = resident_bytes();
    growth_kib = ((long)after - (long)before) / 1024;

    CHECK(fstat(watched, &written) == 0);
    if (written.st_size != 0) fprintf(report, "the library wrote %ld bytes to stdout or stderr\n", (long)written.st_size);
    CHECK(written.st_size == 0);
    CHECK(count_mappings("libkvc") == mappings);
    fprintf(report, "%ld cycles, resident %lu KiB, grown by %ld KiB since cycle %ld\n", cycles, (unsigned long)(after / 1024),
            growth_kib, cycles / 10);
    CHECK(limit_kib == 0 || growth_kib <= limit_kib);
    return 0;
}
