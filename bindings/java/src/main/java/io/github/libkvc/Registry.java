package io.github.libkvc;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/** Objects that kvc calls, found by the numbers that it hands back as user_data. */
final class Registry {
    private Registry() {}

    private static final ConcurrentHashMap<Long, Object> OBJECTS = new ConcurrentHashMap<>();
    private static final AtomicLong LAST = new AtomicLong();

    /** One registration, which ends with the last configuration or engine that has it. */
    static final class Entry {
        final long number = LAST.incrementAndGet();
        private final AtomicInteger users = new AtomicInteger(1);

        Entry(Object object) {
            OBJECTS.put(number, object);
        }

        Entry share() {
            users.incrementAndGet();
            return this;
        }

        void drop() {
            if (users.decrementAndGet() == 0) {
                OBJECTS.remove(number);
            }
        }
    }

    static <T> T find(long number, Class<T> kind) {
        Object object = OBJECTS.get(number);
        if (object == null) {
            throw new IllegalStateException("the Java object of this callback is gone");
        }
        return kind.cast(object);
    }
}
