package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.Optional;

/** A submitted request. await() gives its answer; iterating gives its text piece by piece; close() cancels what still runs. */
public final class Ticket extends Handle implements Iterable<String> {
    private static final long FOR_EVER = -1;

    private final Engine engine;
    private final Request.Given given;

    Ticket(Engine engine, long id, Request.Given given) {
        super(id, free(engine.raw, given));
        this.engine = engine;
        this.given = given;
    }

    private static java.util.function.LongConsumer free(long engine, Request.Given given) {
        return id -> {
            Raw.kvc_ticket_free(engine, id);
            given.drop();
        };
    }

    /** Unique within its engine; Engine.poll lists it when the request is complete. */
    public long id() {
        return raw;
    }

    /** The answer, when it is complete, which ends the ticket. */
    public Response await() {
        return await(FOR_EVER);
    }

    /** The answer, if it is complete within a time. */
    public Optional<Response> await(Duration timeout) {
        return Optional.ofNullable(await(timeout.toNanos()));
    }

    private Response await(long ns) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            int status = Raw.kvc_wait(engine.raw, raw, ns, out.address());
            if (status == Status.PENDING) {
                return null;
            }
            long answer = out.get(JAVA_LONG, 0);
            try {
                return engine.finish(status, answer, given.sink);
            } finally {
                if (answer != 0) {
                    close(); // frees nothing more than the callback's number
                }
            }
        }
    }

    /** The next piece of the text, waited for at most so long: "" if none came in time, empty when the text is complete. */
    public Optional<String> next(Duration timeout) {
        return Optional.ofNullable(next(timeout.toNanos()));
    }

    private String next(long ns) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment size = arena.allocate(JAVA_LONG);
            MemorySegment buffer = arena.allocate(1024);
            int status = engine.check(Raw.kvc_next(engine.raw, raw, ns, buffer.address(), 1024, size.address()));
            java.lang.ref.Reference.reachabilityFence(this);
            return status == Status.END ? null : status == Status.PENDING ? "" : Mem.textAt(buffer.address(), size.get(JAVA_LONG, 0));
        }
    }

    /** The pieces of the text, each waited for. */
    @Override
    public Iterator<String> iterator() {
        return new Iterator<>() {
            private String piece;
            private boolean ended;

            @Override
            public boolean hasNext() {
                if (piece == null && !ended) {
                    piece = Ticket.this.next(FOR_EVER);
                    ended = piece == null;
                }
                return !ended;
            }

            @Override
            public String next() {
                if (!hasNext()) {
                    throw new NoSuchElementException();
                }
                String found = piece;
                piece = null;
                return found;
            }
        };
    }

    /** Asks it to end at its next step: its answer then has the text so far and KVC_E_CANCELLED. */
    public void cancel() {
        engine.check(Raw.kvc_cancel(engine.raw, raw));
    }
}
