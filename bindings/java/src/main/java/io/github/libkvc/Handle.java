package io.github.libkvc;

import java.lang.ref.Cleaner;
import java.util.function.LongConsumer;

/**
 * Owns a handle of C. close() may be called twice and from any thread; kvc checks every handle, so a call after it throws
 * {@link KvcException.Closed}. Whoever forgets it leaves that to the garbage collector.
 */
abstract class Handle implements AutoCloseable {
    private static final Cleaner CLEANER = Cleaner.create();

    final long raw;
    private final Release release;
    private final Cleaner.Cleanable cleanable;

    private static final class Release implements Runnable {
        final long raw;
        volatile LongConsumer how;

        Release(long raw, LongConsumer how) {
            this.raw = raw;
            this.how = how;
        }

        @Override
        public void run() {
            how.accept(raw);
        }
    }

    /** how must not refer to this object. */
    Handle(long raw, LongConsumer how) {
        this.raw = raw;
        release = how == null ? null : new Release(raw, how);
        cleanable = how == null ? null : CLEANER.register(this, release);
    }

    /** The handle is closed already, or is not ours to close. */
    final void forget() {
        release.how = handle -> {};
        cleanable.clean();
    }

    @Override
    public void close() {
        if (cleanable != null) {
            cleanable.clean();
        }
    }
}
