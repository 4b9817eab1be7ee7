using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;

namespace Kvc
{
    /// <summary>What to ask. What is not set has kvc's default.</summary>
    public sealed unsafe class Request
    {
        /// <summary>A prompt as text.</summary>
        public Request(string prompt)
        {
            Prompt = prompt;
        }

        /// <summary>A prompt as tokens.</summary>
        public Request(int[] tokens)
        {
            Tokens = tokens;
        }

        internal string Prompt { get; }
        internal int[] Tokens { get; }

        /// <summary>Of the answer.</summary>
        public uint? MaxTokens { get; set; }

        /// <summary>0: always the likeliest.</summary>
        public double Temperature { get; set; }

        /// <summary>Sample among the k likeliest; 0: all.</summary>
        public uint TopK { get; set; }

        /// <summary>Sample within this probability mass.</summary>
        public double? TopP { get; set; }

        /// <summary>Same seed, same answer.</summary>
        public ulong Seed { get; set; }

        /// <summary>The answer ends before the first of these that is met.</summary>
        public IReadOnlyList<string> Stop { get; set; } = new string[0];

        /// <summary>Neither look up nor store.</summary>
        public bool NoCache { get; set; }

        /// <summary>What is wanted.</summary>
        public RequestAction Action { get; set; } = RequestAction.Process;

        /// <summary>Or any value between.</summary>
        public Priority Priority { get; set; } = Priority.Normal;

        /// <summary>Names a conversation: its requests run in the order submitted.</summary>
        public string SessionId { get; set; }

        /// <summary>Security domain.</summary>
        public string Tenant { get; set; }

        /// <summary>Time allowed from submission.</summary>
        public TimeSpan Deadline { get; set; }

        /// <summary>Gets each new piece, on the engine's thread; false cancels. What it throws is thrown to whoever asked.</summary>
        public Func<string, bool> OnText { get; set; }

        /// <summary>What a request has beside its struct.</summary>
        internal sealed class Given
        {
            public Sink Sink;
            public Entry Entry;

            public void Drop()
            {
                Entry?.Drop();
            }
        }

        internal Given Fill(Arena arena, kvc_request_t* c)
        {
            KvcException.Check(Raw.kvc_request_init(c, (ulong)sizeof(kvc_request_t)));
            if (Tokens != null)
            {
                c->tokens = arena.Ints(Tokens);
                c->n_tokens = (ulong)Tokens.Length;
            }
            else
            {
                byte[] text = Encoding.UTF8.GetBytes(Prompt);
                c->prompt = arena.Bytes(text);
                c->prompt_size = (ulong)text.Length;
            }
            if (MaxTokens.HasValue) c->max_tokens = MaxTokens.Value;
            if (TopP.HasValue) c->top_p = TopP.Value;
            c->temperature = Temperature;
            c->top_k = TopK;
            c->seed = Seed;
            if (Stop.Count > 0)
            {
                var stops = (byte**)arena.Take(sizeof(byte*) * Stop.Count);
                for (int i = 0; i < Stop.Count; ++i) stops[i] = arena.Text(Stop[i]);
                c->stop = stops;
                c->n_stop = (uint)Stop.Count;
            }
            c->no_cache = NoCache ? 1u : 0;
            c->action = (int)Action;
            c->priority = (int)Priority;
            c->session_id = arena.Text(SessionId);
            c->tenant = arena.Text(Tenant);
            c->deadline_ns = Engine.Ns(Deadline);
            var given = new Given();
            if (OnText != null)
            {
                given.Sink = new Sink(OnText);
                given.Entry = new Entry(given.Sink);
                c->on_text = Callbacks.Text;
                c->user_data = given.Entry.Number;
            }
            return given;
        }
    }

    /// <summary>A submitted request. Wait gives its answer, Next its text piece by piece; Dispose cancels what still runs.</summary>
    public sealed unsafe partial class Ticket : KvcObject
    {
        private readonly Engine engine;
        private readonly Request.Given given;

        internal Ticket(Engine engine, ulong id, Request.Given given) : base(id, Free(engine.Raw, given))
        {
            this.engine = engine;
            this.given = given;
        }

        private static Action<ulong> Free(ulong engine, Request.Given given)
        {
            return id =>
            {
                Kvc.Raw.kvc_ticket_free(engine, id);
                given.Drop();
            };
        }

        /// <summary>Unique within its engine; Engine.Poll lists it when the request is complete.</summary>
        public ulong Id => Raw;

        /// <summary>The answer, when it is complete, which ends the ticket.</summary>
        public Response Wait()
        {
            return Wait(Memory.ForEver, CancellationToken.None);
        }

        /// <summary>The answer, or null if it is not complete within a time.</summary>
        public Response Wait(TimeSpan timeout)
        {
            return Wait(Engine.Ns(timeout), CancellationToken.None);
        }

        internal Response Wait(ulong ns, CancellationToken token)
        {
            kvc_response_t* answer = null;
            int status = Kvc.Raw.kvc_wait(engine.Raw, Raw, ns, &answer);
            if (status == (int)Status.Pending) return null;
            bool ended = answer != null;
            try
            {
                return engine.Finish(status, answer, given.Sink, token);
            }
            finally
            {
                if (ended) Dispose(); // frees nothing more than the callback's number
            }
        }

        internal void CancelQuietly()
        {
            Kvc.Raw.kvc_cancel(engine.Raw, Raw);
        }

        /// <summary>The next piece of the text; null when the text is complete.</summary>
        public string Next()
        {
            return Next(Memory.ForEver);
        }

        /// <summary>The next piece of the text: "" if none came in time, null when the text is complete.</summary>
        public string Next(TimeSpan timeout)
        {
            return Next(Engine.Ns(timeout));
        }

        private string Next(ulong ns)
        {
            byte* buffer = stackalloc byte[1024];
            ulong size;
            int status = engine.Check(Kvc.Raw.kvc_next(engine.Raw, Raw, ns, buffer, 1024, &size));
            GC.KeepAlive(this);
            return status == (int)Status.End ? null : status == (int)Status.Pending ? "" : Memory.Text(buffer, size);
        }

        /// <summary>The pieces of the text, each waited for.</summary>
        public IEnumerable<string> Pieces()
        {
            for (string piece = Next(); piece != null; piece = Next()) yield return piece;
        }

        /// <summary>Asks it to end at its next step: its answer then has the text so far and KVC_E_CANCELLED.</summary>
        public void Cancel()
        {
            engine.Check(Kvc.Raw.kvc_cancel(engine.Raw, Raw));
        }
    }

    /// <summary>Answers of ProcessBatch.</summary>
    public sealed class Batch
    {
        internal Batch(KvcException error, Response[] responses)
        {
            Error = error;
            Responses = responses;
        }

        /// <summary>The first failure, or null.</summary>
        public KvcException Error { get; }

        /// <summary>In the order of the requests; null where one was refused.</summary>
        public IReadOnlyList<Response> Responses { get; }
    }
}
