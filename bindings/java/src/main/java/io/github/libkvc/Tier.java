// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_TIER_* of kvc.h. More may come; so they are numbers. */
public final class Tier {
    private Tier() {}

    /** host */
    public static final int HOST = 1;

    /** device */
    public static final int DEVICE = 2;

    /** disk */
    public static final int DISK = 3;

    /** remote */
    public static final int REMOTE = 4;
}
