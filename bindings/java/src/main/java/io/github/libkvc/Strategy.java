// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_STRATEGY_* of kvc.h. More may come; so they are numbers. */
public final class Strategy {
    private Strategy() {}

    /** its one rule */
    public static final int FIXED = 0;

    /** adaptive: what it learned of reuse */
    public static final int LEARNED = 1;

    /** adaptive: what was used longest ago leaves first */
    public static final int RECENCY = 2;
}
