using System;

namespace Kvc
{
    /// <summary>How a session attends.</summary>
    public sealed class Attend
    {
        /// <summary>Of scores; 0 = 1 / sqrt(head dim).</summary>
        public double Scale { get; set; }

        /// <summary>0: none.</summary>
        public double Softcap { get; set; }

        /// <summary>A query sees only tokens less than so many positions away; 0: no limit.</summary>
        public ulong Window { get; set; }

        /// <summary>So many first tokens are seen whatever the window.</summary>
        public ulong Sinks { get; set; }

        /// <summary>Tokens that the layer has after the last query.</summary>
        public ulong Later { get; set; }

        /// <summary>A query sees later tokens too.</summary>
        public bool Bidirectional { get; set; }

        /// <summary>Threads at work; 0 or 1: the caller's.</summary>
        public uint NThreads { get; set; }

        /// <summary>One per query head, or null.</summary>
        public float[] AlibiSlopes { get; set; }

        /// <summary>One per query head, or null.</summary>
        public float[] SinkScores { get; set; }
    }

    /// <summary>A session that somebody else owns: what a backend finds, for the time of that call.</summary>
    public unsafe class SessionView : KvcObject
    {
        internal SessionView(ulong raw, Action<ulong> release = null) : base(raw, release) { }

        internal int Check(int status)
        {
            KvcException.Check(status, Kvc.Raw.kvc_session_last_error, Raw);
            GC.KeepAlive(this);
            return status;
        }

        /// <summary>Attaches the longest stored prefix of tokens; the session's length afterwards: so many need not be computed.</summary>
        public long Match(ReadOnlySpan<int> tokens)
        {
            ulong reused;
            int none = 0;
            fixed (int* p = tokens) Check(Kvc.Raw.kvc_session_match(Raw, p == null ? &none : p, (ulong)tokens.Length, &reused));
            return (long)reused;
        }

        /// <summary>Why the last match found no more.</summary>
        public MissReason Miss(out string text)
        {
            var reason = new int[1];
            text = Memory.Written((b, c, n) =>
            {
                fixed (int* p = reason) Check(Kvc.Raw.kvc_session_miss(Raw, p, b, c, n));
            });
            return (MissReason)reason[0];
        }

        /// <summary>Adds K and V, [n][heads][dim], of the next n tokens of one layer.</summary>
        public void Append(int layer, Tensor k, Tensor v, long n)
        {
            using (var both = new Tensor.Given(k, v)) Check(Kvc.Raw.kvc_session_append(Raw, (uint)layer, both.C, both.C + 1, (ulong)n));
        }

        /// <summary>The same for all layers at once; all or nothing.</summary>
        public void AppendAll(Tensor[] k, Tensor[] v, long n)
        {
            Even(k, v);
            using (var ks = new Tensor.Given(k))
            using (var vs = new Tensor.Given(v))
            {
                Check(Kvc.Raw.kvc_session_append_all(Raw, ks.C, vs.C, (uint)k.Length, (ulong)n));
            }
        }

        private static void Even(Tensor[] k, Tensor[] v)
        {
            if (k.Length == 0 || k.Length != v.Length)
            {
                throw new KvcException(Status.Shape, k.Length + " K tensors but " + v.Length + " V tensors; give one of each for every layer");
            }
        }

        /// <summary>Names the tokens that were appended; full pages can be found from now on.</summary>
        public void Commit(ReadOnlySpan<int> tokens)
        {
            int none = 0;
            fixed (int* p = tokens) Check(Kvc.Raw.kvc_session_commit(Raw, p == null ? &none : p, (ulong)tokens.Length));
        }

        /// <summary>Gathers n tokens of one plane of one layer into a tensor, [n][heads][dim].</summary>
        public void Read(int layer, Plane plane, long from, long n, Tensor into)
        {
            using (var c = new Tensor.Given(into)) Check(Kvc.Raw.kvc_session_read(Raw, (uint)layer, (int)plane, (ulong)from, (ulong)n, c.C));
        }

        /// <summary>K and V of all layers; an empty array: that plane is not wanted.</summary>
        public void ReadAll(long from, long n, Tensor[] k, Tensor[] v)
        {
            if (k.Length > 0 && v.Length > 0) Even(k, v);
            using (var ks = new Tensor.Given(k))
            using (var vs = new Tensor.Given(v))
            {
                Check(Kvc.Raw.kvc_session_read_all(Raw, (ulong)from, (ulong)n, ks.C, vs.C, (uint)Math.Max(k.Length, v.Length)));
            }
        }

        /// <summary>Attention of queries [n][heads][k_head_dim] over all that one layer has, into a tensor [n][heads][v_head_dim].</summary>
        public void Attend(int layer, Tensor query, Tensor into, Attend how = null)
        {
            how = how ?? new Attend();
            using (var arena = new Arena())
            using (var both = new Tensor.Given(query, into))
            {
                kvc_attend_t c;
                KvcException.Check(Kvc.Raw.kvc_attend_init(&c, (ulong)sizeof(kvc_attend_t)));
                c.scale = how.Scale;
                c.softcap = how.Softcap;
                c.window = how.Window;
                c.sinks = how.Sinks;
                c.later = how.Later;
                c.bidirectional = how.Bidirectional ? 1u : 0;
                c.n_threads = how.NThreads;
                foreach (float[] list in new[] { how.AlibiSlopes, how.SinkScores })
                {
                    if (list != null && (query.Shape.Count < 2 || list.Length != query.Shape[1]))
                    {
                        throw new KvcException(Status.Shape, "a list has " + list.Length + " numbers; it needs one for each head of the query");
                    }
                }
                c.alibi_slopes = how.AlibiSlopes == null ? null : arena.Floats(how.AlibiSlopes);
                c.sink_scores = how.SinkScores == null ? null : arena.Floats(how.SinkScores);
                Check(Kvc.Raw.kvc_session_attend(Raw, (uint)layer, &c, both.C, both.C + 1));
            }
        }

        /// <summary>Cuts it to its first n committed tokens.</summary>
        public void Truncate(long n)
        {
            Check(Kvc.Raw.kvc_session_truncate(Raw, (ulong)n));
        }

        /// <summary>Keeps its sealed pages from eviction, even after it is closed; false takes it back.</summary>
        public void Pin(bool pinned = true)
        {
            Check(Kvc.Raw.kvc_session_pin(Raw, pinned ? 1 : 0));
        }

        /// <summary>For its pages, present and to come.</summary>
        public void SetPriority(Priority priority)
        {
            Check(Kvc.Raw.kvc_session_set_priority(Raw, (int)priority));
        }

        /// <summary>What is known of its future.</summary>
        public void Hint(Hint hint)
        {
            Check(Kvc.Raw.kvc_session_hint(Raw, (int)hint));
        }

        /// <summary>Its tokens are expected to be used again so long after it closes; zero takes it back.</summary>
        public void Expect(TimeSpan later)
        {
            Check(Kvc.Raw.kvc_session_expect(Raw, Engine.Ns(later)));
        }

        /// <summary>How many tokens the model generated in this session, held by it or not.</summary>
        public void Generated(long tokens)
        {
            Check(Kvc.Raw.kvc_session_generated(Raw, (ulong)tokens));
        }

        /// <summary>Describes it.</summary>
        public SessionInfo Info()
        {
            var info = default(kvc_session_info_t);
            info.struct_size = (ulong)sizeof(kvc_session_info_t);
            Check(Kvc.Raw.kvc_session_info(Raw, &info));
            return new SessionInfo(&info);
        }

        /// <summary>n committed tokens.</summary>
        public int[] Tokens(long from, int n)
        {
            // A range beyond the end is refused by kvc, in its words; no memory is taken for it.
            bool fits = from >= 0 && n >= 0 && (ulong)(from + n) <= Info().Length;
            var tokens = new int[fits ? n : 0];
            int none;
            fixed (int* p = tokens) Check(Kvc.Raw.kvc_session_tokens(Raw, (ulong)from, (ulong)n, p == null ? &none : p));
            return tokens;
        }
    }

    /// <summary>A session of one's own. While it is open, its pages are not evicted; Dispose leaves its tokens behind to be found.</summary>
    public sealed unsafe class Session : SessionView
    {
        private readonly Engine engine;

        internal Session(ulong raw, Engine engine) : base(raw, handle => Kvc.Raw.kvc_session_close(handle, (int)CloseHint.Keep, 0))
        {
            this.engine = engine;
        }

        /// <summary>Closes it and says what becomes of it; later: when an idle one is expected back.</summary>
        public void Close(CloseHint hint, TimeSpan later = default(TimeSpan))
        {
            int status = Kvc.Raw.kvc_session_close(Raw, (int)hint, Engine.Ns(later));
            if (status != (int)Status.Closed) Check(status);
            Handle.Forget();
        }

        /// <summary>A second session with the same tokens; pages are shared.</summary>
        public Session Fork()
        {
            ulong raw;
            Check(Kvc.Raw.kvc_session_fork(Raw, &raw));
            return new Session(raw, engine);
        }
    }
}
