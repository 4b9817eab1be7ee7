// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_NONE_* of kvc.h. More may come; so they are numbers. */
public final class Absent {
    private Absent() {}

    /** tokenizer */
    public static final int TOKENIZER = 1;

    /** rope */
    public static final int ROPE = 2;

    /** adapters */
    public static final int ADAPTERS = 4;

    /** attention */
    public static final int ATTENTION = 8;
}
