package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_tensor_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * Memory with a shape. Memory outside the heap (a MemorySegment of an Arena, or of a direct buffer) is read and written where it lies;
 * arrays are copied at each call.
 */
public final class Tensor {
    private final MemorySegment data;
    private final int dtype;
    private final long[] shape;
    private final long[] strides;

    private Tensor(MemorySegment data, int dtype, long[] shape, long[] strides) {
        this.data = data;
        this.dtype = dtype;
        this.shape = shape;
        this.strides = strides;
    }

    /** Compact numbers of a DType, row by row. */
    public static Tensor of(MemorySegment data, int dtype, long... shape) {
        return new Tensor(data, dtype, shape.clone(), null);
    }

    /** Of an array of float32. */
    public static Tensor of(float[] data, long... shape) {
        return of(MemorySegment.ofArray(data), DType.F32, shape);
    }

    /** Of the bits of binary16 or bfloat16 numbers. */
    public static Tensor of(short[] bits, int dtype, long... shape) {
        return of(MemorySegment.ofArray(bits), dtype, shape);
    }

    /** Of opaque bytes. */
    public static Tensor of(byte[] bytes, long... shape) {
        return of(MemorySegment.ofArray(bytes), DType.U8, shape);
    }

    /** Heads before tokens: memory that lies [heads][tokens][dim], while its indices are [token][head][dim] all the same. */
    public static Tensor htd(MemorySegment data, int dtype, long heads, long tokens, long dim) {
        return of(data, dtype, tokens, heads, dim).strided(dim, tokens * dim, 1);
    }

    /** The same memory with strides, in elements. */
    public Tensor strided(long... strides) {
        if (strides.length != shape.length) {
            throw new KvcException(Status.SHAPE, strides.length + " strides for " + shape.length + " dimensions");
        }
        return new Tensor(data, dtype, shape, strides.clone());
    }

    /** What it describes. */
    public MemorySegment data() {
        return data;
    }

    /** A DType. */
    public int dtype() {
        return dtype;
    }

    /** Elements along each dimension. */
    public long[] shape() {
        return shape.clone();
    }

    /** All of it as an array. */
    public float[] toFloats() {
        return data.toArray(java.lang.foreign.ValueLayout.JAVA_FLOAT);
    }

    long dim(int index) {
        return index < shape.length ? shape[index] : 0;
    }

    static final int MAX_DIMS = 8;

    /** Tensors as C sees them during one call. */
    static final class Given {
        final long address;
        private final List<Tensor> tensors;
        private final MemorySegment[] copies;

        Given(Arena arena, List<Tensor> tensors, boolean fill) {
            this.tensors = tensors;
            copies = new MemorySegment[tensors.size()];
            MemorySegment all = Mem.structs(arena, kvc_tensor_t.LAYOUT, tensors.size());
            address = tensors.isEmpty() ? 0 : all.address();
            for (int i = 0; i < copies.length; i++) {
                Tensor t = tensors.get(i);
                if (t.shape.length == 0 || t.shape.length > MAX_DIMS) {
                    throw new KvcException(Status.SHAPE, "a tensor has " + t.shape.length + " dimensions; it must have 1 to " + MAX_DIMS);
                }
                MemorySegment memory = t.data;
                if (!memory.isNative()) {
                    memory = copies[i] = arena.allocate(Math.max(t.data.byteSize(), 1), 64);
                    if (fill) {
                        memory.copyFrom(t.data);
                    }
                }
                MemorySegment c = all.asSlice(i * kvc_tensor_t.SIZEOF, kvc_tensor_t.SIZEOF);
                c.set(JAVA_LONG, kvc_tensor_t.DATA, memory.address());
                c.set(JAVA_LONG, kvc_tensor_t.SIZE, t.data.byteSize());
                c.set(JAVA_INT, kvc_tensor_t.DTYPE, t.dtype);
                c.set(JAVA_INT, kvc_tensor_t.N_DIMS, t.shape.length);
                for (int d = 0; d < t.shape.length; d++) {
                    c.set(JAVA_LONG, kvc_tensor_t.SHAPE + 8L * d, t.shape[d]);
                    c.set(JAVA_LONG, kvc_tensor_t.STRIDES + 8L * d, t.strides == null ? 0 : t.strides[d]);
                }
            }
        }

        /** After a call that wrote: into the arrays. */
        void back() {
            for (int i = 0; i < copies.length; i++) {
                if (copies[i] != null) {
                    tensors.get(i).data.copyFrom(copies[i].asSlice(0, tensors.get(i).data.byteSize()));
                }
                java.lang.ref.Reference.reachabilityFence(tensors.get(i).data);
            }
        }
    }

    /** To be read. */
    static Given in(Arena arena, List<Tensor> tensors) {
        return new Given(arena, tensors, true);
    }

    /** To be written: what kvc does not touch stays as it is. */
    static Given out(Arena arena, List<Tensor> tensors) {
        return new Given(arena, tensors, !tensors.stream().allMatch(Tensor::whole));
    }

    /** Whether a write into all elements fills the whole memory. */
    private boolean whole() {
        long bytes = dtype == DType.F32 ? 4 : dtype == DType.U8 ? 1 : 2;
        for (long n : shape) {
            bytes *= n;
        }
        return strides == null && bytes == data.byteSize();
    }
}
