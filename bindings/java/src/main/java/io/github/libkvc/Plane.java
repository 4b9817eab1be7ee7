// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_PLANE_* of kvc.h. More may come; so they are numbers. */
public final class Plane {
    private Plane() {}

    /** key */
    public static final int KEY = 0;

    /** value */
    public static final int VALUE = 1;
}
