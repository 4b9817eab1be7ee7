// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_HINT_* of kvc.h. More may come; so they are numbers. */
public final class Hint {
    private Hint() {}

    /** nothing: takes earlier hints back */
    public static final int NONE = 0;

    /** an answer ended; a person reads it, and may go on */
    public static final int TURN_END = 1;

    /** an answer asked for a tool; a program goes on, usually soon */
    public static final int TOOL_CALL = 2;

    /** a request of its own: it belongs to no conversation */
    public static final int ONE_OFF = 3;

    /** a prefix (system prompt, document) that others will begin with */
    public static final int SHARED = 4;
}
