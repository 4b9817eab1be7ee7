using System;
using System.Runtime.InteropServices;

namespace Kvc
{
    /// <summary>
    /// Mono's collector stops threads by signals, and waits for those that were ever in managed code. kvc's threads block all signals, so
    /// that a program's are handled by its own threads: a callback lets Mono's through on the thread that it runs on. .NET needs none of it.
    /// </summary>
    internal static unsafe class MonoThreads
    {
        private static readonly bool IsMono = Type.GetType("Mono.Runtime") != null;

        [ThreadStatic]
        private static bool open;

        [DllImport("libpthread.so.0")]
        private static extern int pthread_sigmask(int how, ulong* set, ulong* old);

        /// <summary>At the beginning of every callback.</summary>
        public static void Enter()
        {
            if (!IsMono || open) return;
            open = true;
            // A sigset_t has a bit for each of 1,024 signals. Mono takes SIGXCPU and SIGPWR, or the first real-time ones that nobody handles.
            ulong* set = stackalloc ulong[16];
            for (int i = 0; i < 16; ++i) set[i] = 0;
            set[0] = 1ul << (24 - 1) | 1ul << (30 - 1) | ~0ul << (34 - 1);
            pthread_sigmask(1 /* SIG_UNBLOCK */, set, null);
        }
    }
}
