// Written by bindings/generate from include/kvc/kvc.h; do not edit.
package io.github.libkvc;

/** kvc_status_t of kvc.h. More may come; so they are numbers. */
public final class Status {
    private Status() {}

    /** ok */
    public static final int OK = 0;

    /** a stream or an iteration is over */
    public static final int END = 1;

    /** not ready within the time allowed: ask again */
    public static final int PENDING = 2;

    /** an argument makes no sense; the message says which */
    public static final int INVALID = -100;

    /** a required pointer or handle is NULL */
    public static final int NULL = -101;

    /** struct_size is too small, or the unknown tail of a larger one is not 0 */
    public static final int STRUCT_SIZE = -102;

    /** no option of that name; kvc_option_info lists them */
    public static final int UNKNOWN_OPTION = -103;

    /** a value outside of its documented range */
    public static final int OUT_OF_RANGE = -104;

    /** a tensor's shape or strides do not fit the space or the buffer */
    public static final int SHAPE = -105;

    /** a tensor's dtype does not fit */
    public static final int DTYPE = -106;

    /** a token id is negative or beyond the vocabulary */
    public static final int TOKEN = -107;

    /** text is not valid UTF-8 */
    public static final int UTF8 = -108;

    /** a space's identity is incomplete: give the field or say "none" */
    public static final int IDENTITY = -109;

    /** the handle was closed, or never was one */
    public static final int CLOSED = -200;

    /** calls in the wrong order, or a position that is not the next one */
    public static final int ORDER = -201;

    /** commit before every layer has its tokens */
    public static final int MISSING_LAYERS = -202;

    /** the handle belongs to the parent process */
    public static final int FORKED = -203;

    /** the object is in use in a way that forbids this call now */
    public static final int BUSY = -204;

    /** the request was cancelled */
    public static final int CANCELLED = -205;

    /** the request's deadline has passed */
    public static final int DEADLINE = -206;

    /** no such ticket or page */
    public static final int NOT_FOUND = -207;

    /** the budget or the machine has no room; what is stored stays usable */
    public static final int NO_MEMORY = -300;

    /** the memory budget cannot hold even one page of this layout */
    public static final int BUDGET = -301;

    /** prompt (and answer) longer than the model's context */
    public static final int CONTEXT = -302;

    /** too many requests wait */
    public static final int QUEUE_FULL = -303;

    /** the caller's buffer is too small; the needed size is reported */
    public static final int BUFFER = -304;

    /** the operating system refused */
    public static final int IO = -400;

    /** bytes failed their check */
    public static final int CORRUPT = -500;

    /** an accelerator failed */
    public static final int DEVICE = -600;

    /** the model backend failed; the message has its words */
    public static final int BACKEND = -650;

    /** a defect of kvc */
    public static final int INTERNAL = -700;

    /** known, but not in this build or not for this object */
    public static final int UNSUPPORTED = -701;

    /** free for callbacks to return; kvc itself never does */
    public static final int USER = -900;
}
