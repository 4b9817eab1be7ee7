// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_BACKEND_* of kvc.h. More may come; so they are numbers. */
public final class BackendKind {
    private BackendKind() {}

    /** keeps no K/V: `forward` reads the past from the session and appends the new to it */
    public static final int PAGED = 1;

    /** keeps its own K/V per sequence; kvc has it exported to, and imported from, sessions */
    public static final int OWN_KV = 2;
}
