// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_ACTION_* of kvc.h. More may come; so they are numbers. */
public final class Action {
    private Action() {}

    /** generate an answer */
    public static final int PROCESS = 0;

    /** make the cached part of the prompt recent; compute nothing */
    public static final int PREFETCH = 1;

    /** compute and cache what is missing of the prompt; generate nothing */
    public static final int STORE = 2;

    /** say how much of the prompt is cached; change nothing */
    public static final int RETRIEVE = 3;
}
