// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_POLICY_* of kvc.h. More may come; so they are numbers. */
public final class Policy {
    private Policy() {}

    /** it came in */
    public static final int INSERTED = 1;

    /** a match found it, or kvc_get a tensor */
    public static final int USED = 2;

    /** a session that led to it closed */
    public static final int ENDED = 3;
}
