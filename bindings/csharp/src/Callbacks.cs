using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Kvc
{
    /// <summary>Where an engine's pages and their metadata come from. Called from any thread; must not call kvc.</summary>
    public interface IAllocator
    {
        /// <summary>The address of so many bytes, aligned to a power of two; zero: no memory.</summary>
        IntPtr Allocate(ulong size, ulong alignment);

        /// <summary>With the sizes as they were asked for.</summary>
        void Release(IntPtr address, ulong size, ulong alignment);
    }

    /// <summary>Where the pieces of one request go; keeps what the function threw, for whoever asked.</summary>
    internal sealed class Sink
    {
        public readonly Func<string, bool> OnText;
        public volatile Exception Thrown;

        public Sink(Func<string, bool> onText)
        {
            OnText = onText;
        }
    }

    /// <summary>Functions that kvc calls. One of each kind for the whole process, never collected; nothing thrown may reach C.</summary>
    internal static unsafe class Callbacks
    {
        private static readonly kvc_stream_fn OnText = (user, ticket, text, size) =>
        {
            MonoThreads.Enter();
            try
            {
                var sink = Entry.Find<Sink>(user);
                try
                {
                    return sink.OnText(Memory.Text(text, size)) ? (int)Status.Ok : (int)Status.User;
                }
                catch (Exception e)
                {
                    sink.Thrown = e;
                    return (int)Status.User;
                }
            }
            catch (Exception)
            {
                return (int)Status.User;
            }
        };

        private static readonly kvc_logger_log_fn OnLog = (user, level, message) =>
        {
            MonoThreads.Enter();
            try
            {
                Entry.Find<Action<LogLevel, string>>(user)((LogLevel)level, Memory.Text(message));
            }
            catch (Exception e)
            {
                Config.Report(e);
            }
        };

        private static readonly kvc_clock_now_ns_fn OnNow = user =>
        {
            MonoThreads.Enter();
            try
            {
                return Entry.Find<Func<ulong>>(user)();
            }
            catch (Exception e)
            {
                Config.Report(e);
                return 0;
            }
        };

        private static readonly kvc_allocator_allocate_fn OnAllocate = (user, size, alignment) =>
        {
            MonoThreads.Enter();
            try
            {
                return (void*)Entry.Find<IAllocator>(user).Allocate(size, alignment);
            }
            catch (Exception e)
            {
                Config.Report(e);
                return null;
            }
        };

        private static readonly kvc_allocator_release_fn OnRelease = (user, pointer, size, alignment) =>
        {
            MonoThreads.Enter();
            try
            {
                Entry.Find<IAllocator>(user).Release((IntPtr)pointer, size, alignment);
            }
            catch (Exception e)
            {
                Config.Report(e);
            }
        };

        public static readonly IntPtr Text = Marshal.GetFunctionPointerForDelegate(OnText);
        public static readonly IntPtr Log = Marshal.GetFunctionPointerForDelegate(OnLog);
        public static readonly IntPtr Now = Marshal.GetFunctionPointerForDelegate(OnNow);
        public static readonly IntPtr Allocate = Marshal.GetFunctionPointerForDelegate(OnAllocate);
        public static readonly IntPtr Release = Marshal.GetFunctionPointerForDelegate(OnRelease);

        /// <summary>Runs a callback's body: what it throws becomes a status and words.</summary>
        public static int Guard(byte* words, ulong size, Action body)
        {
            MonoThreads.Enter();
            try
            {
                body();
                return (int)Status.Ok;
            }
            catch (Exception e)
            {
                var own = e as KvcException;
                if (words != null && size > 0)
                {
                    byte[] text = Encoding.UTF8.GetBytes(own != null ? own.Words : e.GetType().Name + ": " + e.Message);
                    int n = (int)Math.Min((ulong)text.Length, size - 1);
                    Marshal.Copy(text, 0, (IntPtr)words, n);
                    words[n] = 0;
                }
                return own != null && (int)own.Code < 0 ? (int)own.Code : (int)Status.User;
            }
        }
    }
}
