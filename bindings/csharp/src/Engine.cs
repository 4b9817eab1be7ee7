using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.ExceptionServices;
using System.Text;
using System.Threading;

namespace Kvc
{
    /// <summary>One message of a conversation.</summary>
    public struct Message
    {
        /// <summary>"system", "user", "assistant", or what else the model knows.</summary>
        public string Role;

        /// <summary>The text.</summary>
        public string Content;

        /// <summary>By its parts.</summary>
        public Message(string role, string content)
        {
            Role = role;
            Content = content;
        }
    }

    /// <summary>A cache, its memory, and requests around a model. Any thread may use it; Dispose cancels what runs and lets calls end.</summary>
    public sealed unsafe partial class Engine : KvcObject
    {
        /// <summary>From the preset "seamless" and the built-in model, with options by name.</summary>
        public Engine(IReadOnlyDictionary<string, object> options = null) : this(Configured(options), true) { }

        /// <summary>From a configuration, which is copied.</summary>
        public Engine(Config config) : this(config, false) { }

        private Engine(Config config, bool own) : this(config, config.Share(), own) { }

        private Engine(Config config, Entry[] entries, bool own) : base(Create(config, entries, own), raw =>
        {
            Kvc.Raw.kvc_engine_destroy(raw);
            Entry.DropAll(entries);
        }) { }

        private static Config Configured(IReadOnlyDictionary<string, object> options)
        {
            var config = new Config();
            try
            {
                foreach (KeyValuePair<string, object> option in options ?? new Dictionary<string, object>()) config.Set(option.Key, option.Value);
                return config;
            }
            catch
            {
                config.Dispose();
                throw;
            }
        }

        private static ulong Create(Config config, Entry[] entries, bool own)
        {
            ulong raw;
            var failed = default(kvc_error_t);
            failed.struct_size = (ulong)sizeof(kvc_error_t);
            int status = Kvc.Raw.kvc_engine_create_with_error(config.Raw, &raw, &failed);
            GC.KeepAlive(config);
            if (own) config.Dispose();
            if (status >= 0) return raw;
            Entry.DropAll(entries);
            throw KvcException.Of(status, Memory.Text(failed.message));
        }

        internal static ulong Ns(TimeSpan time)
        {
            return time.Ticks < 0 ? Memory.ForEver : (ulong)time.Ticks * 100;
        }

        internal int Check(int status)
        {
            if (status < 0) KvcException.Check(status, Kvc.Raw.kvc_engine_last_error, Raw);
            GC.KeepAlive(this);
            return status;
        }

        // --- requests

        private static Response Take(kvc_response_t* answer)
        {
            if (answer == null) return null;
            try
            {
                return new Response(answer);
            }
            finally
            {
                Kvc.Raw.kvc_response_free(answer);
            }
        }

        /// <summary>The response, or the exception: what OnText threw, what the token says, or what kvc says.</summary>
        internal Response Finish(int status, kvc_response_t* answer, Sink sink, CancellationToken token)
        {
            Response response = Take(answer);
            if (sink != null && sink.Thrown != null) ExceptionDispatchInfo.Capture(sink.Thrown).Throw();
            if (status >= 0) return response;
            string words = response == null || response.Error.Length == 0 ? KvcException.WordsOf(status, Kvc.Raw.kvc_engine_last_error, Raw) : response.Error;
            KvcException failed = KvcException.Of(status, words, response);
            GC.KeepAlive(this);
            if (token.IsCancellationRequested && failed.Code == Status.Cancelled) throw new OperationCanceledException(failed.Message, failed, token);
            throw failed;
        }

        /// <summary>Prompt in, answer out.</summary>
        public Response Process(Request request)
        {
            using (var arena = new Arena())
            {
                kvc_request_t c;
                kvc_response_t* answer = null;
                Request.Given given = request.Fill(arena, &c);
                try
                {
                    int status = Kvc.Raw.kvc_process(Raw, &c, &answer);
                    return Finish(status, answer, given.Sink, CancellationToken.None);
                }
                finally
                {
                    given.Drop();
                }
            }
        }

        /// <summary>All together.</summary>
        public Batch ProcessBatch(IReadOnlyList<Request> requests)
        {
            int n = requests.Count;
            var all = new List<Request.Given>();
            using (var arena = new Arena())
            {
                try
                {
                    var cs = (kvc_request_t*)arena.Take((long)sizeof(kvc_request_t) * n);
                    var answers = (kvc_response_t**)arena.Take((long)sizeof(kvc_response_t*) * n);
                    for (int i = 0; i < n; ++i)
                    {
                        answers[i] = null;
                        all.Add(requests[i].Fill(arena, cs + i));
                    }
                    int status = Kvc.Raw.kvc_process_batch(Raw, cs, (ulong)n, answers);
                    KvcException error = status < 0 ? KvcException.Of(status, KvcException.WordsOf(status, Kvc.Raw.kvc_engine_last_error, Raw)) : null;
                    var responses = new Response[n];
                    for (int i = 0; i < n; ++i) responses[i] = Take(answers[i]);
                    Sink thrown = all.Select(g => g.Sink).FirstOrDefault(s => s != null && s.Thrown != null);
                    if (thrown != null) ExceptionDispatchInfo.Capture(thrown.Thrown).Throw();
                    GC.KeepAlive(this);
                    return new Batch(error, responses);
                }
                finally
                {
                    foreach (Request.Given given in all) given.Drop();
                }
            }
        }

        /// <summary>Queues a request and returns at once.</summary>
        public Ticket Submit(Request request)
        {
            using (var arena = new Arena())
            {
                kvc_request_t c;
                ulong id;
                Request.Given given = request.Fill(arena, &c);
                try
                {
                    Check(Kvc.Raw.kvc_submit(Raw, &c, &id));
                }
                catch
                {
                    given.Drop();
                    throw;
                }
                return new Ticket(this, id, given);
            }
        }

        /// <summary>The answer's text piece by piece. Leaving the loop cancels the request.</summary>
        public IEnumerable<string> Stream(Request request)
        {
            using (Ticket ticket = Submit(request))
            {
                foreach (string piece in ticket.Pieces()) yield return piece;
                ticket.Wait();
            }
        }

        /// <summary>Ids of tickets that completed since the last call, without waiting.</summary>
        public ulong[] Poll()
        {
            ulong n;
            ulong* tickets = stackalloc ulong[64];
            Check(Kvc.Raw.kvc_poll(Raw, tickets, 64, &n));
            return Memory.Array(tickets, (int)n);
        }

        /// <summary>Option threads=0: one step on this thread; true if there is more to do.</summary>
        public bool Step()
        {
            int busy;
            Check(Kvc.Raw.kvc_step(Raw, &busy));
            return busy != 0;
        }

        private delegate int TokenWriter(int* tokens, ulong capacity, ulong* n);

        private int[] Tokens(TokenWriter write, int capacity)
        {
            while (true)
            {
                var tokens = new int[Math.Max(capacity, 1)];
                ulong n;
                int status;
                fixed (int* p = tokens) status = write(p, (ulong)tokens.Length, &n);
                if (status != (int)Status.Buffer)
                {
                    Check(status);
                    System.Array.Resize(ref tokens, (int)n);
                    return tokens;
                }
                capacity = checked((int)n);
            }
        }

        /// <summary>Text to tokens, without the bos that a request puts before it.</summary>
        public int[] Tokenize(string text)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            using (var arena = new Arena())
            {
                byte* p = arena.Bytes(bytes);
                return Tokens((t, c, n) => Kvc.Raw.kvc_tokenize(Raw, p, (ulong)bytes.Length, t, c, n), bytes.Length + 8);
            }
        }

        /// <summary>Tokens to text.</summary>
        public string Detokenize(int[] tokens)
        {
            using (var arena = new Arena())
            {
                int* p = arena.Ints(tokens);
                return Memory.Written((b, c, n) => Check(Kvc.Raw.kvc_detokenize(Raw, p, (ulong)tokens.Length, b, c, n)));
            }
        }

        /// <summary>A conversation as the text of a prompt, in the model's own form. answer: it ends where the model's answer begins.</summary>
        public string ChatText(IReadOnlyList<Message> messages, bool answer = true)
        {
            using (var arena = new Arena())
            {
                var all = (kvc_message_t*)arena.Take((long)sizeof(kvc_message_t) * messages.Count);
                for (int i = 0; i < messages.Count; ++i)
                {
                    all[i] = new kvc_message_t { struct_size = (ulong)sizeof(kvc_message_t), role = arena.Text(messages[i].Role),
                        content = arena.Text(messages[i].Content) };
                }
                return Memory.Written((b, c, n) => Check(Kvc.Raw.kvc_chat_text(Raw, all, (ulong)messages.Count, answer ? 1 : 0, b, c, n)));
            }
        }

        // --- tensors

        /// <summary>The space of an identity.</summary>
        public Space OpenSpace(SpaceDesc desc)
        {
            ulong raw;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_space_open(Raw, desc.C(arena), &raw));
            return new Space(raw, this);
        }

        /// <summary>The space of the engine's own model.</summary>
        public Space ModelSpace()
        {
            ulong raw;
            Check(Kvc.Raw.kvc_engine_space(Raw, &raw));
            return new Space(raw, this);
        }

        /// <summary>Stores a copy of a tensor under a key of 1..4096 bytes.</summary>
        public void Put(byte[] key, Tensor tensor, string tenant = null)
        {
            using (var arena = new Arena())
            using (var given = new Tensor.Given(tensor))
            {
                Check(Kvc.Raw.kvc_put(Raw, arena.Text(tenant), arena.Bytes(key), (ulong)key.Length, given.C));
            }
        }

        /// <summary>Copies what is stored under a key into a tensor of its shape and type; false if nothing is.</summary>
        public bool Get(byte[] key, Tensor into, string tenant = null)
        {
            int found;
            using (var arena = new Arena())
            using (var given = new Tensor.Given(into))
            {
                Check(Kvc.Raw.kvc_get(Raw, arena.Text(tenant), arena.Bytes(key), (ulong)key.Length, given.C, &found));
            }
            return found != 0;
        }

        /// <summary>What is stored under a key, in an array of its own; null if nothing is.</summary>
        public Tensor Get(byte[] key, string tenant = null)
        {
            while (true)
            {
                var c = default(kvc_tensor_t);
                c.struct_size = (ulong)sizeof(kvc_tensor_t);
                int found;
                using (var arena = new Arena()) Check(Kvc.Raw.kvc_get(Raw, arena.Text(tenant), arena.Bytes(key), (ulong)key.Length, &c, &found));
                if (found == 0) return null;
                var shape = new long[c.n_dims];
                for (int i = 0; i < shape.Length; ++i) shape[i] = c.shape[i];
                Tensor room = Tensor.Empty((DType)c.dtype, shape);
                try
                {
                    return Get(key, room, tenant) ? room : null;
                }
                catch (KvcException e) when (e.Code == Status.Shape || e.Code == Status.Dtype)
                {
                    // Another thread stored a tensor of another shape meanwhile.
                }
            }
        }

        /// <summary>Whether a key is stored; no use of it.</summary>
        public bool Contains(ReadOnlySpan<byte> key, string tenant = null)
        {
            int found;
            byte none = 0;
            fixed (byte* p = key)
            {
                byte* k = p == null ? &none : p;
                if (tenant == null)
                {
                    Check(Kvc.Raw.kvc_contains(Raw, null, k, (ulong)key.Length, &found));
                }
                else
                {
                    using (var arena = new Arena()) Check(Kvc.Raw.kvc_contains(Raw, arena.Text(tenant), k, (ulong)key.Length, &found));
                }
            }
            return found != 0;
        }

        /// <summary>True if it was stored.</summary>
        public bool Remove(byte[] key, string tenant = null)
        {
            int removed;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_remove(Raw, arena.Text(tenant), arena.Bytes(key), (ulong)key.Length, &removed));
            return removed != 0;
        }

        // --- pages and figures

        /// <summary>The pages held now, parents before children; without a tenant, of all.</summary>
        public IReadOnlyList<PageInfo> Pages(string tenant = null)
        {
            ulong walk;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_page_iter_open(Raw, arena.Text(tenant), &walk));
            try
            {
                var pages = new List<PageInfo>();
                while (true)
                {
                    var info = default(kvc_page_info_t);
                    info.struct_size = (ulong)sizeof(kvc_page_info_t);
                    if (Check(Kvc.Raw.kvc_page_iter_next(walk, &info)) == (int)Status.End) return pages;
                    pages.Add(new PageInfo(&info));
                }
            }
            finally
            {
                Kvc.Raw.kvc_page_iter_close(walk);
            }
        }

        private static byte[] Page(byte[] id)
        {
            if (id.Length != 32) throw new KvcException(Status.Invalid, "a page's identity has 32 bytes, not " + id.Length);
            return id;
        }

        /// <summary>The page with this identity.</summary>
        public PageInfo PageInfo(byte[] id)
        {
            var info = default(kvc_page_info_t);
            info.struct_size = (ulong)sizeof(kvc_page_info_t);
            fixed (byte* p = Page(id)) Check(Kvc.Raw.kvc_page_info(Raw, p, &info));
            return new PageInfo(&info);
        }

        /// <summary>Its tokens.</summary>
        public int[] PageTokens(byte[] id)
        {
            using (var arena = new Arena())
            {
                byte* p = arena.Bytes(Page(id));
                return Tokens((t, c, n) => Kvc.Raw.kvc_page_tokens(Raw, p, t, c, n), 256);
            }
        }

        /// <summary>Evicts until at most so many bytes are used; the bytes given back.</summary>
        public ulong Trim(ulong bytes = 0)
        {
            ulong freed;
            Check(Kvc.Raw.kvc_trim(Raw, bytes, &freed));
            return freed;
        }

        /// <summary>The statistics of now.</summary>
        public Stats Stats()
        {
            var stats = default(kvc_stats_t);
            stats.struct_size = (ulong)sizeof(kvc_stats_t);
            Check(Kvc.Raw.kvc_stats(Raw, &stats));
            return new Stats(&stats);
        }

        /// <summary>What this engine is made of, as JSON.</summary>
        public string Info()
        {
            return Memory.Written((b, c, n) => Check(Kvc.Raw.kvc_engine_info(Raw, b, c, n)));
        }

        /// <summary>What another budget in bytes (0: the engine's own) and policy (null: its own) would have hit over the sessions so far.</summary>
        public Whatif Whatif(ulong budget = 0, string policy = null)
        {
            var result = default(kvc_whatif_t);
            result.struct_size = (ulong)sizeof(kvc_whatif_t);
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_whatif(Raw, budget, arena.Text(policy), &result));
            return new Whatif(&result);
        }

        /// <summary>Tells the policy what to go for, and what prefill costs (tokens per second, and balanced_position of kvc.h; 0: not known).</summary>
        public void Adapt(Objective objective, double prefillSpeed = 0, double balancedPosition = 0)
        {
            var c = new kvc_metrics_t { struct_size = (ulong)sizeof(kvc_metrics_t), objective = (int)objective, prefill_speed = prefillSpeed,
                balanced_position = balancedPosition };
            Check(Kvc.Raw.kvc_adapt(Raw, &c));
        }

        /// <summary>Writes a line per session that closes to a file, for `kvc replay`; pages are in it as digests.</summary>
        public void TraceStart(string path)
        {
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_trace_start(Raw, arena.Text(path)));
        }

        /// <summary>Ends the trace; the number of sessions in it.</summary>
        public ulong TraceStop()
        {
            ulong n;
            Check(Kvc.Raw.kvc_trace_stop(Raw, &n));
            return n;
        }

        // --- pages on disk (option disk_path)

        /// <summary>Makes everything sealed durable; false if that goes on in the background after the timeout (none: however long it takes).</summary>
        public bool Persist(TimeSpan? timeout = null)
        {
            return Check(Kvc.Raw.kvc_persist(Raw, timeout.HasValue ? Ns(timeout.Value) : Memory.ForEver)) != (int)Status.Pending;
        }

        /// <summary>Copies the pages in memory into a directory of their own; the number of records in it. Without a tenant, of all.</summary>
        public ulong PersistTo(string path, string tenant = null)
        {
            ulong n;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_persist_to(Raw, arena.Text(tenant), arena.Text(path), &n));
            return n;
        }

        /// <summary>Lets the pages of a directory be found; their number.</summary>
        public ulong Load(string path)
        {
            ulong n;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_load(Raw, arena.Text(path), &n));
            return n;
        }

        /// <summary>Lets the pages of a prefix pack be found; their number.</summary>
        public ulong PackOpen(string path)
        {
            ulong n;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_pack_open(Raw, arena.Text(path), &n));
            return n;
        }

        /// <summary>Removes what is kept of a tenant, in memory and on disk; the number of pages, tensors and records.</summary>
        public ulong Purge(string tenant = null)
        {
            ulong n;
            using (var arena = new Arena()) Check(Kvc.Raw.kvc_tenant_purge(Raw, arena.Text(tenant), &n));
            return n;
        }
    }
}
