// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

import static java.lang.foreign.ValueLayout.*;

import io.github.libkvc.Structs.kvc_whatif_t;
import java.lang.foreign.MemorySegment;

/**
 * kvc_whatif_t; units as in kvc.h, numbers without sign unless said.
 *
 * @param tokenHitRate of the tokens of the sessions looked at, those found in the cache
 * @param pageHitRate the same in pages
 * @param pages that the budget holds, at the bytes per page of now
 * @param sessions looked at
 * @param tokens of these sessions, estimated from the sample
 * @param spanNs from the first of these sessions' ends to the last
 * @param savedNs prefill that the hits spare over this span; 0: its speed is not known (kvc_adapt gives it, option prefill_speed, or the engine's own model)
 * @param sampled share of the pages that were looked at
 */
public record Whatif(
    double tokenHitRate,
    double pageHitRate,
    long pages,
    long sessions,
    long tokens,
    long spanNs,
    long savedNs,
    double sampled) {
    static Whatif of(MemorySegment s) {
        return new Whatif(
            s.get(JAVA_DOUBLE, kvc_whatif_t.TOKEN_HIT_RATE),
            s.get(JAVA_DOUBLE, kvc_whatif_t.PAGE_HIT_RATE),
            s.get(JAVA_LONG, kvc_whatif_t.PAGES),
            s.get(JAVA_LONG, kvc_whatif_t.SESSIONS),
            s.get(JAVA_LONG, kvc_whatif_t.TOKENS),
            s.get(JAVA_LONG, kvc_whatif_t.SPAN_NS),
            s.get(JAVA_LONG, kvc_whatif_t.SAVED_NS),
            s.get(JAVA_DOUBLE, kvc_whatif_t.SAMPLED));
    }
}
