/* Two copies of the library in one process, as when two packages bring their own: each works, neither sees the other.
 *
 * usage: copies LIBRARY OTHER_COPY */
#include "host.h"

int main(int argc, char **argv) {
    struct kvc_functions a, b;
    kvc_engine_t *engine_a, *engine_b;
    kvc_stats_t stats;
    report = stderr;
    if (argc != 3) return 2;
    load_kvc(&a, argv[1]);
    load_kvc(&b, argv[2]);
    CHECK(a.kvc_engine_create != b.kvc_engine_create);
    engine_a = make_engine(&a, 1);
    engine_b = make_engine(&b, 1);
    use_tensors(&a, engine_a);
    use_tensors(&b, engine_b);
    use_sessions(&a, engine_a);
    use_sessions(&b, engine_b);
    use_model(&a, engine_a);
    use_model(&b, engine_b);

    /* The end of one leaves the other as it is. */
    a.kvc_engine_destroy(engine_a);
    CHECK(dlclose(a.library) == 0);
    use_sessions(&b, engine_b);
    use_model(&b, engine_b);
    memset(&stats, 0, sizeof stats);
    stats.struct_size = sizeof stats;
    CHECK(b.kvc_stats(engine_b, &stats) == KVC_OK && stats.requests == 2 && stats.tensors == 1);
    b.kvc_engine_destroy(engine_b);
    CHECK(dlclose(b.library) == 0);
    return 0;
}
