/* The host's malloc and operator new stay its own. The distribution's libmimalloc exports both; kvc is linked so that
 * everybody in the process, a C++ plug-in that is loaded later among them, finds those of libc and libstdc++ first.
 *
 * usage: allocator PLUGIN          linked with -lkvc, as a C program
 *        allocator PLUGIN LIBRARY  not linked: the library is loaded first */
#include "host.h"

typedef int (*in_heap_fn)(const void *pointer);
typedef void *(*allocate_fn)(size_t size, const void **operator_new);

int main(int argc, char **argv) {
    const void *operator_new = NULL;
    void *mimalloc, *plugin, *block;
    in_heap_fn in_heap;
    allocate_fn allocate;
    kvc_engine_t *engine = NULL;
    report = stderr;
    if (argc < 2) return 2;

#ifdef LINKED_WITH_KVC
    CHECK(kvc_engine_create(NULL, &engine) == KVC_OK);
#else
    {
        static struct kvc_functions kvc;
        CHECK(argc == 3);
        load_kvc(&kvc, argv[2]);
        engine = make_engine(&kvc, 0);
        use_tensors(&kvc, engine);
    }
#endif
    /* Already in the process: kvc brought it. */
    mimalloc = dlopen("libmimalloc.so.2", RTLD_NOW | RTLD_NOLOAD);
    CHECK(mimalloc);
    *(void **)&in_heap = dlsym(mimalloc, "mi_is_in_heap_region");
    CHECK(in_heap);

    fprintf(report, "malloc is found in %s, ", object_of(dlsym(RTLD_DEFAULT, "malloc")));
    CHECK(strncmp(object_of(dlsym(RTLD_DEFAULT, "malloc")), "libc.so", 7) == 0);
    CHECK(strncmp(object_of(dlsym(RTLD_DEFAULT, "free")), "libc.so", 7) == 0);
    block = malloc(1000);
    CHECK(block && !in_heap(block));
    free(block);
    block = strdup("allocated inside libc");
    CHECK(block && !in_heap(block));
    free(block);

    plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!plugin) fprintf(report, "%s\n", dlerror());
    CHECK(plugin);
    *(void **)&allocate = dlsym(plugin, "plugin_allocate");
    CHECK(allocate);
    block = allocate(1000, &operator_new);
    fprintf(report, "operator new of a later plug-in in %s\n", object_of(operator_new));
    CHECK(strncmp(object_of(operator_new), "libstdc++", 9) == 0);
    CHECK(block && !in_heap(block));
#ifdef LINKED_WITH_KVC
    kvc_engine_destroy(engine);
#endif
    return 0;
}
