package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_allocator_t;
import io.github.libkvc.Structs.kvc_clock_t;
import io.github.libkvc.Structs.kvc_logger_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.function.ObjIntConsumer;

/** Options by name, and what else an engine can be given. */
public final class Config extends Handle {
    private final Map<String, Registry.Entry> entries;

    /** From the preset "seamless". */
    public Config() {
        this(null);
    }

    /** From a preset: "seamless", "adaptive", "high_performance", "memory_efficient", "bulk_optimized". */
    public Config(String preset) {
        this(create(preset), new HashMap<>());
    }

    private Config(long raw, Map<String, Registry.Entry> entries) {
        super(raw, handle -> {
            Raw.kvc_config_destroy(handle);
            synchronized (entries) {
                entries.values().forEach(Registry.Entry::drop);
                entries.clear();
            }
        });
        this.entries = entries;
    }

    private static long create(String preset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            KvcException.check(Raw.kvc_config_create(Mem.text(arena, preset), out.address()), null, 0);
            return out.get(JAVA_LONG, 0);
        }
    }

    private void check(int status) {
        KvcException.check(status, Raw::kvc_config_last_error, raw);
        java.lang.ref.Reference.reachabilityFence(this);
    }

    /** Sets an option: "memory" to "512MiB", or to a number, or a switch to true. */
    public Config set(String key, Object value) {
        try (Arena arena = Arena.ofConfined()) {
            check(Raw.kvc_config_set(raw, Mem.text(arena, key), Mem.text(arena, String.valueOf(value))));
        }
        return this;
    }

    /** Reads an option. */
    public String get(String key) {
        try (Arena arena = Arena.ofConfined()) {
            long k = Mem.text(arena, key);
            return Mem.written((b, c, n) -> check(Raw.kvc_config_get(raw, k, b, c, n)));
        }
    }

    /** Sets the options that the engine of a directory had, but secrets. key: its option disk_key, or null. */
    public Config load(String path, String key) {
        try (Arena arena = Arena.ofConfined()) {
            check(Raw.kvc_config_load(raw, Mem.text(arena, path), Mem.text(arena, key)));
        }
        return this;
    }

    /** Gives engines a model; null takes it back. */
    public Config backend(Backend backend) {
        return give("backend", backend == null ? null : new Backends.Running(backend), Raw::kvc_config_set_backend,
            (arena, number) -> Backends.table(arena, backend, number));
    }

    /** Has lines up to a level (LogLevel) told; null takes it back. Called from any thread. */
    public Config logger(int level, ObjIntConsumer<String> log) {
        return give("logger", log, Raw::kvc_config_set_logger, (arena, number) -> {
            MemorySegment c = Mem.struct(arena, kvc_logger_t.LAYOUT);
            c.set(JAVA_LONG, kvc_logger_t.USER_DATA, number);
            c.set(JAVA_INT, kvc_logger_t.LEVEL, level);
            c.set(JAVA_LONG, kvc_logger_t.LOG, Callbacks.LOG);
            return c;
        });
    }

    /** The engine's only source of time, in nanoseconds; it must never go backwards. null takes it back. */
    public Config clock(LongSupplier nowNs) {
        return give("clock", nowNs, Raw::kvc_config_set_clock, (arena, number) -> {
            MemorySegment c = Mem.struct(arena, kvc_clock_t.LAYOUT);
            c.set(JAVA_LONG, kvc_clock_t.USER_DATA, number);
            c.set(JAVA_LONG, kvc_clock_t.NOW_NS, Callbacks.NOW);
            return c;
        });
    }

    /** null takes it back. */
    public Config allocator(Allocator allocator) {
        return give("allocator", allocator, Raw::kvc_config_set_allocator, (arena, number) -> {
            MemorySegment c = Mem.struct(arena, kvc_allocator_t.LAYOUT);
            c.set(JAVA_LONG, kvc_allocator_t.USER_DATA, number);
            c.set(JAVA_LONG, kvc_allocator_t.ALLOCATE, Callbacks.ALLOCATE);
            c.set(JAVA_LONG, kvc_allocator_t.RELEASE, Callbacks.RELEASE);
            return c;
        });
    }

    private interface Set {
        int set(long config, long table);
    }

    private interface Table {
        MemorySegment of(Arena arena, long number);
    }

    private Config give(String name, Object object, Set set, Table table) {
        Registry.Entry fresh = object == null ? null : new Registry.Entry(object);
        try (Arena arena = Arena.ofConfined()) {
            check(set.set(raw, fresh == null ? 0 : table.of(arena, fresh.number).address()));
        } catch (Throwable e) {
            if (fresh != null) {
                fresh.drop();
            }
            throw e;
        }
        synchronized (entries) {
            Registry.Entry old = fresh == null ? entries.remove(name) : entries.put(name, fresh);
            if (old != null) {
                old.drop();
            }
        }
        return this;
    }

    /** For an engine made from this configuration. */
    List<Registry.Entry> share() {
        synchronized (entries) {
            return entries.values().stream().map(Registry.Entry::share).toList();
        }
    }
}
