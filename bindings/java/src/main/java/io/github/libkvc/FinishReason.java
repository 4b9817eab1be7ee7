// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_FINISH_* of kvc.h. More may come; so they are numbers. */
public final class FinishReason {
    private FinishReason() {}

    /** nothing was to be generated */
    public static final int NONE = 0;

    /** max_tokens reached */
    public static final int LENGTH = 1;

    /** a stop string was met; it is not part of the text */
    public static final int STOP = 2;

    /** the model ended its text */
    public static final int EOS = 3;

    /** cancelled */
    public static final int CANCELLED = 4;

    /** deadline */
    public static final int DEADLINE = 5;

    /** error */
    public static final int ERROR = 6;
}
