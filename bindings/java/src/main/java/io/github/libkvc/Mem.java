package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.nio.charset.StandardCharsets;

/** Memory of C. */
final class Mem {
    private Mem() {}

    /** A struct, all zero but its size. */
    static MemorySegment struct(Arena arena, StructLayout layout) {
        MemorySegment s = arena.allocate(layout);
        s.set(JAVA_LONG, 0, layout.byteSize());
        return s;
    }

    static MemorySegment structs(Arena arena, StructLayout layout, int n) {
        MemorySegment all = arena.allocate(layout, Math.max(n, 1));
        for (int i = 0; i < n; i++) {
            all.set(JAVA_LONG, i * layout.byteSize(), layout.byteSize());
        }
        return all;
    }

    static MemorySegment at(long address, long size) {
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    /** Zero-terminated text for C; 0 for null. Text with a zero inside would be cut, so it is refused. */
    static long text(Arena arena, String text) {
        if (text == null) {
            return 0;
        }
        if (text.indexOf(0) >= 0) {
            throw new KvcException(Status.INVALID, "text with a zero character inside: '" + text + "'");
        }
        return arena.allocateFrom(text).address();
    }

    /** The address of a copy; an empty array has an address too. */
    static long bytes(Arena arena, byte[] bytes) {
        MemorySegment copy = arena.allocate(Math.max(bytes.length, 1));
        MemorySegment.copy(bytes, 0, copy, JAVA_BYTE, 0, bytes.length);
        return copy.address();
    }

    static long ints(Arena arena, int[] ints) {
        MemorySegment copy = arena.allocate(JAVA_INT, Math.max(ints.length, 1));
        MemorySegment.copy(ints, 0, copy, JAVA_INT, 0, ints.length);
        return copy.address();
    }

    static String textAt(long address) {
        return address == 0 ? "" : MemorySegment.ofAddress(address).reinterpret(Long.MAX_VALUE).getString(0);
    }

    static String textAt(long address, long size) {
        return address == 0 ? "" : new String(bytesAt(address, size), StandardCharsets.UTF_8);
    }

    static byte[] bytesAt(long address, long size) {
        return size == 0 ? new byte[0] : at(address, size).toArray(JAVA_BYTE);
    }

    static int[] intsAt(long address, long n) {
        return address == 0 || n == 0 ? new int[0] : at(address, n * 4).toArray(JAVA_INT);
    }

    // Fields of a struct, by their offsets.
    static String text(MemorySegment s, long field) {
        return textAt(s.get(JAVA_LONG, field));
    }

    static String text(MemorySegment s, long field, long size) {
        return textAt(s.get(JAVA_LONG, field), s.get(JAVA_LONG, size));
    }

    static int[] ints(MemorySegment s, long field, long n) {
        return intsAt(s.get(JAVA_LONG, field), s.get(JAVA_LONG, n));
    }

    /** A function that writes text: (buffer, capacity, length), after checking its own status. */
    interface Writer {
        void write(long buffer, long capacity, long length);
    }

    static String written(Writer writer) {
        for (long capacity = 512; ; ) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment length = arena.allocate(JAVA_LONG);
                MemorySegment buffer = arena.allocate(capacity);
                writer.write(buffer.address(), capacity, length.address());
                long n = length.get(JAVA_LONG, 0);
                if (n < capacity) {
                    return textAt(buffer.address(), n);
                }
                capacity = n + 1;
            }
        }
    }
}
