// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_MISS_* of kvc.h. More may come; so they are numbers. */
public final class MissReason {
    private MissReason() {}

    /** no miss: everything that can be reused was reused */
    public static final int NONE = 0;

    /** this prefix was never stored here */
    public static final int NEW = 1;

    /** a part was found; from there on the tokens differ */
    public static final int PARTIAL = 2;

    /** the tokens are stored, but in a space that differs (the text says in what) */
    public static final int IDENTITY = 3;

    /** reuse was switched off */
    public static final int DISABLED = 4;

    /** the prompt has no token that could be reused */
    public static final int SHORT = 5;

    /** stored on disk, but it did not come within option disk_timeout */
    public static final int TIMEOUT = 6;

    /** stored on disk, but to compute it is expected to be faster than to read it */
    public static final int RECOMPUTE = 7;

    /** stored on disk, but the bytes failed their check: they are not used */
    public static final int DAMAGED = 8;

    /** number of reasons above */
    public static final int COUNT = 9;
}
