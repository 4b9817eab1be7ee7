package io.github.libkvc;

/** Where an engine's pages and their metadata come from. Called from any thread; must not call kvc. Addresses are of memory outside the heap. */
public interface Allocator {
    /** The address of so many bytes, aligned to a power of two; 0: no memory. */
    long allocate(long size, long alignment);

    /** With the sizes as they were asked for. */
    void release(long address, long size, long alignment);
}
