package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;

/** A session of one's own. While it is open, its pages are not evicted; close() leaves its tokens behind to be found. */
public final class Session extends SessionView {
    private final Engine engine;

    Session(long raw, Engine engine) {
        super(raw, handle -> Raw.kvc_session_close(handle, CloseHint.KEEP, 0));
        this.engine = engine;
    }

    /** Closes it and says what becomes of it (CloseHint); in: when an idle one is expected back. */
    public void close(int hint, Duration in) {
        int status = Raw.kvc_session_close(raw, hint, in.toNanos());
        if (status != Status.CLOSED) {
            check(status);
            forget();
        }
    }

    /** A second session with the same tokens; pages are shared. */
    public Session fork() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            check(Raw.kvc_session_fork(raw, out.address()));
            return new Session(out.get(JAVA_LONG, 0), engine);
        }
    }
}
