using System;

namespace Kvc
{
    /// <summary>A call failed; the message says what was wrong, how much, and what to do.</summary>
    public class KvcException : Exception
    {
        /// <summary>For backends that report a failure of a kind; Status.User is for any.</summary>
        public KvcException(Status code, string words) : base(Library.StatusName(code) + ": " + words)
        {
            Code = code;
            Words = words;
        }

        /// <summary>The status.</summary>
        public Status Code { get; }

        /// <summary>"KVC_E_NO_MEMORY" and the like.</summary>
        public string Name => Library.StatusName(Code);

        /// <summary>The message without the name.</summary>
        public string Words { get; }

        /// <summary>What a request had generated until it failed, or null.</summary>
        public Response Response { get; internal set; }

        internal unsafe delegate ulong LastError(ulong handle, byte* buffer, ulong capacity);

        internal static unsafe KvcException Of(int status, string words, Response response = null)
        {
            var code = (Status)status;
            if (words.Length == 0) words = Memory.Text(Raw.kvc_status_text(status));
            KvcException made;
            switch (code)
            {
                case Status.Closed: case Status.Forked: made = new KvcClosedException(code, words); break;
                case Status.NoMemory: case Status.Budget: made = new KvcMemoryException(code, words); break;
                case Status.Cancelled: case Status.Deadline: made = new KvcCancelledException(code, words); break;
                case Status.Unsupported: made = new KvcUnsupportedException(code, words); break;
                default: made = new KvcException(code, words); break;
            }
            made.Response = response;
            return made;
        }

        internal static unsafe string WordsOf(int status, LastError last, ulong handle)
        {
            var code = (Status)status;
            if (last == null || code == Status.Closed || code == Status.Null || code == Status.Forked) return "";
            return Memory.Written((b, c, n) => *n = last(handle, b, c));
        }

        internal static int Check(int status, LastError last = null, ulong handle = 0)
        {
            if (status < 0) throw Of(status, WordsOf(status, last, handle));
            return status;
        }
    }

    /// <summary>The object was closed.</summary>
    public sealed class KvcClosedException : KvcException
    {
        internal KvcClosedException(Status code, string words) : base(code, words) { }
    }

    /// <summary>The budget or the machine has no room.</summary>
    public sealed class KvcMemoryException : KvcException
    {
        internal KvcMemoryException(Status code, string words) : base(code, words) { }
    }

    /// <summary>The request was cancelled, or its deadline has passed.</summary>
    public sealed class KvcCancelledException : KvcException
    {
        internal KvcCancelledException(Status code, string words) : base(code, words) { }
    }

    /// <summary>Known, but not in this build or not for this object.</summary>
    public sealed class KvcUnsupportedException : KvcException
    {
        internal KvcUnsupportedException(Status code, string words) : base(code, words) { }
    }
}
