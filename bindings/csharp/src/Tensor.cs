using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;

namespace Kvc
{
    /// <summary>An array with a shape. kvc reads or writes it where it lies; it is pinned during a call.</summary>
    public sealed unsafe class Tensor
    {
        private readonly Array array;
        private readonly IntPtr memory;
        private readonly long bytes;
        private readonly long[] shape;
        private readonly long[] strides;

        private Tensor(Array array, IntPtr memory, long bytes, DType dtype, long[] shape, long[] strides)
        {
            if (shape.Length == 0 || shape.Length > MaxDims)
            {
                throw new KvcException(Status.Shape, "a tensor has " + shape.Length + " dimensions; it must have 1 to " + MaxDims);
            }
            if (strides != null && strides.Length != shape.Length)
            {
                throw new KvcException(Status.Shape, strides.Length + " strides for " + shape.Length + " dimensions");
            }
            this.array = array;
            this.memory = memory;
            this.bytes = bytes;
            DType = dtype;
            this.shape = shape;
            this.strides = strides;
        }

        internal const int MaxDims = 8;

        /// <summary>Of compact numbers, row by row.</summary>
        public Tensor(float[] data, params long[] shape) : this(data, IntPtr.Zero, 4L * data.Length, DType.F32, shape, null) { }

        /// <summary>Of the bits of F16 or BF16 numbers.</summary>
        public Tensor(ushort[] bits, DType dtype, params long[] shape) : this(bits, IntPtr.Zero, 2L * bits.Length, dtype, shape, null) { }

        /// <summary>Of opaque bytes.</summary>
        public Tensor(byte[] data, params long[] shape) : this(data, IntPtr.Zero, data.Length, DType.U8, shape, null) { }

        /// <summary>Of memory outside the heap, of so many bytes.</summary>
        public Tensor(IntPtr memory, long bytes, DType dtype, params long[] shape) : this(null, memory, bytes, dtype, shape, null) { }

        /// <summary>Of numbers that lie [heads][tokens][dim]; the indices are [token][head][dim] all the same.</summary>
        public static Tensor Htd(float[] data, long heads, long tokens, long dim)
        {
            return new Tensor(data, tokens, heads, dim).Strided(dim, tokens * dim, 1);
        }

        /// <summary>The same memory with strides, in elements.</summary>
        public Tensor Strided(params long[] elements)
        {
            return new Tensor(array, memory, bytes, DType, shape, elements);
        }

        internal static Tensor Empty(DType dtype, long[] shape)
        {
            long n = shape.Aggregate(1L, (a, b) => a * b);
            switch (dtype)
            {
                case DType.F32: return new Tensor(new float[n], shape);
                case DType.U8: return new Tensor(new byte[n], shape);
                default: return new Tensor(new ushort[n], dtype, shape);
            }
        }

        /// <summary>What its numbers are.</summary>
        public DType DType { get; }

        /// <summary>Elements along each dimension.</summary>
        public IReadOnlyList<long> Shape => shape;

        /// <summary>The array: float[], ushort[] or byte[]; null for memory outside the heap.</summary>
        public Array Data => array;

        /// <summary>Tensors as C sees them, until they are disposed of.</summary>
        internal sealed class Given : IDisposable
        {
            private readonly List<GCHandle> pins = new List<GCHandle>();
            private readonly Arena arena = new Arena();
            public readonly kvc_tensor_t* C;

            public Given(params Tensor[] tensors)
            {
                if (tensors.Length == 0) return;
                C = (kvc_tensor_t*)arena.Take((long)sizeof(kvc_tensor_t) * tensors.Length);
                for (int i = 0; i < tensors.Length; ++i)
                {
                    Tensor t = tensors[i];
                    kvc_tensor_t c = default(kvc_tensor_t);
                    c.struct_size = (ulong)sizeof(kvc_tensor_t);
                    IntPtr data = t.memory;
                    if (t.array != null)
                    {
                        pins.Add(GCHandle.Alloc(t.array, GCHandleType.Pinned));
                        data = t.array.Length == 0 ? IntPtr.Zero : pins[pins.Count - 1].AddrOfPinnedObject();
                    }
                    c.data = (void*)data;
                    c.size = (ulong)t.bytes;
                    c.dtype = (int)t.DType;
                    c.n_dims = (uint)t.shape.Length;
                    for (int d = 0; d < t.shape.Length; ++d)
                    {
                        c.shape[d] = t.shape[d];
                        c.strides[d] = t.strides == null ? 0 : t.strides[d];
                    }
                    C[i] = c;
                }
            }

            public void Dispose()
            {
                foreach (GCHandle pin in pins) pin.Free();
                pins.Clear();
                arena.Dispose();
            }
        }
    }
}
