package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.Arena;

/** A call failed: {@link #code} is its status, {@link #name} as in kvc.h; the message says what was wrong, how much, and what to do. */
public class KvcException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The object was closed. */
    public static final class Closed extends KvcException {
        private static final long serialVersionUID = 1;

        Closed(int code, String words) {
            super(code, words);
        }
    }

    /** The budget or the machine has no room. */
    public static final class OutOfMemory extends KvcException {
        private static final long serialVersionUID = 1;

        OutOfMemory(int code, String words) {
            super(code, words);
        }
    }

    /** The request was cancelled, or its deadline has passed. */
    public static final class Cancelled extends KvcException {
        private static final long serialVersionUID = 1;

        Cancelled(int code, String words) {
            super(code, words);
        }
    }

    /** Known, but not in this build or not for this object. */
    public static final class Unsupported extends KvcException {
        private static final long serialVersionUID = 1;

        Unsupported(int code, String words) {
            super(code, words);
        }
    }

    private final int code;
    private final String words;
    private transient Response response;

    /** A failure that a backend reports may be of this kind as well; Status.USER is for such. */
    public KvcException(int code, String words) {
        super(Kvc.statusName(code) + ": " + words);
        this.code = code;
        this.words = words;
    }

    /** A value of {@link Status}. */
    public int code() {
        return code;
    }

    /** "KVC_E_NO_MEMORY" and the like. */
    public String name() {
        return Kvc.statusName(code);
    }

    /** The message without the name. */
    public String words() {
        return words;
    }

    /** What a request had generated until it failed, or null. */
    public Response response() {
        return response;
    }

    static KvcException of(int code, String words, Response response) {
        String said = words.isEmpty() ? Mem.textAt(Raw.kvc_status_text(code)) : words;
        KvcException e = switch (code) {
            case Status.CLOSED, Status.FORKED -> new Closed(code, said);
            case Status.NO_MEMORY, Status.BUDGET -> new OutOfMemory(code, said);
            case Status.CANCELLED, Status.DEADLINE -> new Cancelled(code, said);
            case Status.UNSUPPORTED -> new Unsupported(code, said);
            default -> new KvcException(code, said);
        };
        e.response = response;
        return e;
    }

    /** A handle's function that tells its last failure. */
    interface LastError {
        long ask(long handle, long buffer, long capacity);
    }

    static int check(int status, LastError last, long handle) {
        if (status < 0) {
            throw of(status, wordsOf(status, last, handle), null);
        }
        return status;
    }

    static String wordsOf(int status, LastError last, long handle) {
        if (last == null || status == Status.CLOSED || status == Status.NULL || status == Status.FORKED) {
            return "";
        }
        for (long capacity = 512; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                var buffer = arena.allocate(capacity, JAVA_BYTE.byteAlignment());
                long length = last.ask(handle, buffer.address(), capacity);
                if (length < capacity) {
                    return buffer.getString(0);
                }
                capacity = length + 1;
            }
        }
    }
}
