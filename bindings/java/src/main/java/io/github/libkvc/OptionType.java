// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_OPTION_* of kvc.h. More may come; so they are numbers. */
public final class OptionType {
    private OptionType() {}

    /** integer */
    public static final int INTEGER = 1;

    /** size */
    public static final int SIZE = 2;

    /** time */
    public static final int TIME = 3;

    /** real */
    public static final int REAL = 4;

    /** switch */
    public static final int SWITCH = 5;

    /** one of the words in `choices`, separated by '|' */
    public static final int CHOICE = 6;

    /** text */
    public static final int TEXT = 7;
}
