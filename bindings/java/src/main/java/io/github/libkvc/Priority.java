// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_PRIORITY_* of kvc.h. More may come; so they are numbers. */
public final class Priority {
    private Priority() {}

    /** background */
    public static final int BACKGROUND = -200;

    /** low */
    public static final int LOW = -100;

    /** normal */
    public static final int NORMAL = 0;

    /** high */
    public static final int HIGH = 100;

    /** critical */
    public static final int CRITICAL = 200;
}
