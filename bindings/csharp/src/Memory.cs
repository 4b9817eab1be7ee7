using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Kvc
{
    /// <summary>Memory of C: copies of what it holds.</summary>
    internal static unsafe class Memory
    {
        public const ulong ForEver = ulong.MaxValue;

        public static string Text(byte* text)
        {
            if (text == null) return "";
            ulong n = 0;
            while (text[n] != 0) ++n;
            return Text(text, n);
        }

        public static string Text(byte* text, ulong size)
        {
            return text == null || size == 0 ? "" : Encoding.UTF8.GetString(text, checked((int)size));
        }

        public static int[] Ints(int* numbers, ulong n)
        {
            return numbers == null ? Array<int>() : new ReadOnlySpan<int>(numbers, checked((int)n)).ToArray();
        }

        public static byte[] Bytes(void* bytes, ulong n)
        {
            return bytes == null ? Array<byte>() : new ReadOnlySpan<byte>(bytes, checked((int)n)).ToArray();
        }

        public static byte[] Array(byte* bytes, int n)
        {
            return new ReadOnlySpan<byte>(bytes, n).ToArray();
        }

        public static ulong[] Array(ulong* numbers, int n)
        {
            return new ReadOnlySpan<ulong>(numbers, n).ToArray();
        }

        private static T[] Array<T>()
        {
            return System.Array.Empty<T>();
        }

        /// <summary>Text that a function writes into (buffer, capacity, length), after checking its own status.</summary>
        public delegate void Writer(byte* buffer, ulong capacity, ulong* length);

        public static string Written(Writer write)
        {
            var buffer = new byte[512];
            while (true)
            {
                ulong length = 0;
                fixed (byte* p = buffer)
                {
                    write(p, (ulong)buffer.Length, &length);
                    if (length < (ulong)buffer.Length) return Text(p, length);
                }
                buffer = new byte[length + 1];
            }
        }
    }

    /// <summary>Memory outside the heap, for what a call is given; released together.</summary>
    internal sealed unsafe class Arena : IDisposable
    {
        private readonly List<IntPtr> blocks = new List<IntPtr>();

        public byte* Take(long size)
        {
            IntPtr block = Marshal.AllocHGlobal(new IntPtr(Math.Max(size, 1)));
            blocks.Add(block);
            return (byte*)block;
        }

        /// <summary>Zero-terminated text; null for null. Text with a zero inside would be cut, so it is refused.</summary>
        public byte* Text(string text)
        {
            if (text == null) return null;
            if (text.IndexOf('\0') >= 0) throw new KvcException(Status.Invalid, "text with a zero character inside: '" + text + "'");
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            byte* copy = Take(bytes.Length + 1);
            Marshal.Copy(bytes, 0, (IntPtr)copy, bytes.Length);
            copy[bytes.Length] = 0;
            return copy;
        }

        public byte* Bytes(byte[] bytes)
        {
            byte* copy = Take(bytes.Length);
            Marshal.Copy(bytes, 0, (IntPtr)copy, bytes.Length);
            return copy;
        }

        public int* Ints(int[] numbers)
        {
            int* copy = (int*)Take(4L * numbers.Length);
            Marshal.Copy(numbers, 0, (IntPtr)copy, numbers.Length);
            return copy;
        }

        public float* Floats(float[] numbers)
        {
            float* copy = (float*)Take(4L * numbers.Length);
            Marshal.Copy(numbers, 0, (IntPtr)copy, numbers.Length);
            return copy;
        }

        public void Dispose()
        {
            foreach (IntPtr block in blocks) Marshal.FreeHGlobal(block);
            blocks.Clear();
        }
    }
}
