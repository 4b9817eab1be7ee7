// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_OBJECTIVE_* of kvc.h. More may come; so they are numbers. */
public final class Objective {
    private Objective() {}

    /** tokens found in the cache */
    public static final int HITS = 0;

    /** time of prefill spared: a token late in a sequence costs more to compute again */
    public static final int TIME = 1;
}
