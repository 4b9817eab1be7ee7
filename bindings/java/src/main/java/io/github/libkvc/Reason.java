// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_REASON_* of kvc.h. More may come; so they are numbers. */
public final class Reason {
    private Reason() {}

    /** it did not */
    public static final int NONE = 0;

    /** what it learned had cost hits that recency would have had */
    public static final int LOST = 1;

    /** another try with what was learned meanwhile */
    public static final int RETRY = 2;

    /** kvc_adapt asked for another objective */
    public static final int METRICS = 3;
}
