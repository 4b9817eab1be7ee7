// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** KVC_LOG_* of kvc.h. More may come; so they are numbers. */
public final class LogLevel {
    private LogLevel() {}

    /** error */
    public static final int ERROR = 1;

    /** warn */
    public static final int WARN = 2;

    /** info */
    public static final int INFO = 3;

    /** debug */
    public static final int DEBUG = 4;
}
