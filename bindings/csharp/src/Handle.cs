using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Threading;

namespace Kvc
{
    /// <summary>
    /// A handle of C. kvc checks every handle, so it may be closed while calls run, and a call after it fails as it should. What is dropped
    /// without Dispose is closed by the finalizer.
    /// </summary>
    internal sealed class RawHandle : SafeHandle
    {
        private readonly Action<ulong> release;
        private int closed;

        public RawHandle(ulong raw, Action<ulong> release) : base(IntPtr.Zero, true)
        {
            this.release = release;
            SetHandle(unchecked((IntPtr)(long)raw));
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        public ulong Value => unchecked((ulong)(long)handle);

        /// <summary>Now, even if calls with it are in progress; the second time nothing happens.</summary>
        public void CloseNow()
        {
            if (Forget()) release(Value);
        }

        /// <summary>It is closed already; tells whether that is new.</summary>
        public bool Forget()
        {
            if (Interlocked.Exchange(ref closed, 1) != 0) return false;
            GC.SuppressFinalize(this);
            return true;
        }

        protected override bool ReleaseHandle()
        {
            if (Interlocked.Exchange(ref closed, 1) == 0) release(Value);
            return true;
        }
    }

    /// <summary>What objects with a handle share.</summary>
    public abstract class KvcObject : IDisposable
    {
        internal readonly RawHandle Handle;
        internal readonly ulong Raw;

        internal KvcObject(ulong raw, Action<ulong> release)
        {
            Raw = raw;
            if (release != null) Handle = new RawHandle(raw, release);
        }

        /// <summary>May be called twice, and while calls run on other threads.</summary>
        public void Dispose()
        {
            Handle?.CloseNow();
        }
    }

    /// <summary>An object that kvc calls, found by the number that it hands back as user_data; ends with its last user.</summary>
    internal sealed class Entry
    {
        private static readonly ConcurrentDictionary<ulong, object> Objects = new ConcurrentDictionary<ulong, object>();
        private static long last;

        public readonly ulong Number = (ulong)Interlocked.Increment(ref last);
        private int users = 1;

        public Entry(object target)
        {
            Objects[Number] = target;
        }

        public Entry Share()
        {
            Interlocked.Increment(ref users);
            return this;
        }

        public void Drop()
        {
            if (Interlocked.Decrement(ref users) == 0) Objects.TryRemove(Number, out _);
        }

        public static T Find<T>(ulong number)
        {
            if (!Objects.TryGetValue(number, out object found)) throw new InvalidOperationException("the object of this callback is gone");
            return (T)found;
        }

        public static void DropAll(IEnumerable<Entry> entries)
        {
            foreach (Entry entry in entries) entry.Drop();
        }
    }
}
