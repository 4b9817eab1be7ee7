// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_CLOSE_* of kvc.h. More may come; so they are numbers. */
public final class CloseHint {
    private CloseHint() {}

    /** nothing: the policy decides */
    public static final int KEEP = 0;

    /** it will not come back: pages that only it used leave first */
    public static final int FINISHED = 1;

    /** it comes back at about the given time: until then its own pages may leave */
    public static final int IDLE = 2;
}
