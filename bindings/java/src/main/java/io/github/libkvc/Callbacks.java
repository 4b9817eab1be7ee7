package io.github.libkvc;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandles;
import java.util.function.LongSupplier;
import java.util.function.ObjIntConsumer;
import java.util.function.Predicate;

/**
 * Java functions that kvc calls. Each kind has one C function for the whole process; user_data is a number under which the object is
 * found. Nothing thrown may reach C: it would end the process.
 */
final class Callbacks {
    private Callbacks() {}

    static final long TEXT = stub(Callbacks.class, "onText", Raw.Callbacks.KVC_STREAM_FN);
    static final long LOG = stub(Callbacks.class, "onLog", Raw.Callbacks.KVC_LOGGER_LOG);
    static final long NOW = stub(Callbacks.class, "onNow", Raw.Callbacks.KVC_CLOCK_NOW_NS);
    static final long ALLOCATE = stub(Callbacks.class, "onAllocate", Raw.Callbacks.KVC_ALLOCATOR_ALLOCATE);
    static final long RELEASE = stub(Callbacks.class, "onRelease", Raw.Callbacks.KVC_ALLOCATOR_RELEASE);

    static long stub(Class<?> owner, String name, FunctionDescriptor descriptor) {
        try {
            var target = MethodHandles.privateLookupIn(owner, MethodHandles.lookup()).findStatic(owner, name, descriptor.toMethodType());
            return Linker.nativeLinker().upcallStub(target, descriptor, Arena.global()).address();
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Where the pieces of one request go; keeps what the function threw, for whoever asked. */
    static final class Sink {
        final Predicate<String> onText;
        volatile Throwable thrown;

        Sink(Predicate<String> onText) {
            this.onText = onText;
        }
    }

    /** Something was thrown, and there is nobody to throw it to. */
    static void report(Throwable e) {
        Thread thread = Thread.currentThread();
        try {
            thread.getUncaughtExceptionHandler().uncaughtException(thread, e);
        } catch (Throwable ignored) {
            // The handler itself failed.
        }
    }

    static int onText(long user, long ticket, long text, long size) {
        try {
            Sink sink = Registry.find(user, Sink.class);
            try {
                return sink.onText.test(Mem.textAt(text, size)) ? Status.OK : Status.USER;
            } catch (Throwable e) {
                sink.thrown = e;
                return Status.USER;
            }
        } catch (Throwable e) {
            return Status.USER;
        }
    }

    @SuppressWarnings("unchecked")
    static void onLog(long user, int level, long message) {
        try {
            Registry.find(user, ObjIntConsumer.class).accept(Mem.textAt(message), level);
        } catch (Throwable e) {
            report(e);
        }
    }

    static long onNow(long user) {
        try {
            return Registry.find(user, LongSupplier.class).getAsLong();
        } catch (Throwable e) {
            report(e);
            return 0;
        }
    }

    static long onAllocate(long user, long size, long alignment) {
        try {
            return Registry.find(user, Allocator.class).allocate(size, alignment);
        } catch (Throwable e) {
            report(e);
            return 0;
        }
    }

    static void onRelease(long user, long address, long size, long alignment) {
        try {
            Registry.find(user, Allocator.class).release(address, size, alignment);
        } catch (Throwable e) {
            report(e);
        }
    }
}
