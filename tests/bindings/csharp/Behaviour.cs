using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Kvc;
using Map = System.Collections.Generic.Dictionary<string, object>;

/// <summary>What the conformance script does not show: life, threads, callbacks, exceptions, models.</summary>
static class Behaviour
{
    const string Prompt = "In the beginning God created the heaven and the earth.";

    static int Main(string[] arguments)
    {
        if (arguments[0] == "conformance") return Conformance.Run(arguments[1]) ? 0 : 1;
        layout = arguments[1];
        int passed = 0, failed = 0;
        foreach (MethodInfo test in typeof(Tests).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly))
        {
            try
            {
                object result = test.Invoke(null, null);
                if (result is Task task && !task.Wait(60000)) throw new Failure("it takes too long");
                ++passed;
            }
            catch (Exception e)
            {
                ++failed;
                Console.WriteLine("FAILED: " + test.Name + "\n" + (e is TargetInvocationException ? e.InnerException : e));
            }
        }
        Console.WriteLine("{0} passed, {1} failed", passed, failed);
        return failed == 0 && passed > 10 ? 0 : 1;
    }

    static string layout;

    static void Require(bool yes, object words = null)
    {
        if (!yes) throw new Failure("not so: " + words);
    }

    static T Thrown<T>(Action act) where T : Exception
    {
        try
        {
            act();
        }
        catch (T e)
        {
            return e;
        }
        throw new Failure("no " + typeof(T).Name);
    }

    static void Until(Func<bool> condition)
    {
        for (DateTime end = DateTime.UtcNow.AddSeconds(30); !condition(); Thread.Sleep(1)) Require(DateTime.UtcNow < end, "waited in vain");
    }

    static SpaceDesc Desc()
    {
        return new SpaceDesc(Encoding.UTF8.GetBytes("counting")) { None = SpaceDesc.NothingElse, Layers = 2, KvHeads = 1, KHeadDim = 4, PageTokens = 8,
            VocabSize = 256 };
    }

    static float[] Rows(IEnumerable<int> tokens)
    {
        return tokens.SelectMany(t => Enumerable.Repeat((float)t, 4)).ToArray();
    }

    static int[] Expected(string prompt, int n)
    {
        int sum = prompt.Sum(c => c);
        return Enumerable.Range(0, n).Select(_ =>
        {
            int token = sum % 256;
            sum += token;
            return token;
        }).ToArray();
    }

    /// <summary>The next token is the sum of all before it, read back from K/V: every page is looked at.</summary>
    class Counting : Backend
    {
        public volatile Exception Broken;
        public volatile bool IsReleased;

        public override ModelInfo Describe()
        {
            if (Broken != null) throw Broken;
            return new ModelInfo("counting", Desc(), 512) { Ends = new[] { 255 }, Details = "adds" };
        }

        public override int[] Tokenize(byte[] text)
        {
            return text.Select(b => (int)b).ToArray();
        }

        public override byte[] Detokenize(int token)
        {
            return new[] { (byte)token };
        }

        public override void Forward(IReadOnlyList<Forward> items)
        {
            if (Broken != null) throw Broken;
            foreach (Forward item in items)
            {
                int n = item.Tokens.Length, all = item.Position + n;
                var tensor = new Tensor(Rows(item.Tokens), n, 1, 4);
                item.Session.AppendAll(new[] { tensor, tensor }, new[] { tensor, tensor }, n);
                var past = new float[all * 4];
                item.Session.Read(1, Plane.Value, 0, all, new Tensor(past, all, 1, 4));
                Answer(item, Enumerable.Range(0, all).Sum(i => (int)past[4 * i]));
            }
        }

        protected static void Answer(Forward item, int sum)
        {
            Span<float> logits = item.Logits;
            if (logits.Length == 0) return;
            logits.Clear();
            logits[sum % 256] = 1;
        }

        public override bool HasChatText => true;

        public override string ChatText(IReadOnlyList<Message> messages, bool answer)
        {
            return string.Concat(messages.Select(m => m.Role + ": " + m.Content + "\n")) + (answer ? ">" : "");
        }

        public override void Released()
        {
            IsReleased = true;
        }
    }

    /// <summary>The same with K/V of its own; what it needs of Counting it asks.</summary>
    sealed class Keeping : OwnKvBackend
    {
        readonly Counting counting = new Counting();
        public readonly ConcurrentDictionary<ulong, List<int>> Sequences = new ConcurrentDictionary<ulong, List<int>>();
        public int Imported;

        public override ModelInfo Describe() { return counting.Describe(); }
        public override int[] Tokenize(byte[] text) { return counting.Tokenize(text); }
        public override byte[] Detokenize(int token) { return counting.Detokenize(token); }
        public override void SequenceOpen(ulong sequence) { Sequences[sequence] = new List<int>(); }
        public override void SequenceClose(ulong sequence) { Sequences.TryRemove(sequence, out _); }

        public override void Forward(IReadOnlyList<Forward> items)
        {
            foreach (Forward item in items)
            {
                List<int> all = Sequences[item.Sequence];
                Require(all.Count == item.Position && item.Session == null, "another position");
                all.AddRange(item.Tokens);
                Span<float> logits = item.Logits;
                if (logits.Length == 0) continue;
                logits.Clear();
                logits[all.Sum() % 256] = 1;
            }
        }

        public override void ExportKv(ulong sequence, SessionView session, int from, int n)
        {
            var tensor = new Tensor(Rows(Sequences[sequence].Skip(from).Take(n)), n, 1, 4);
            session.Append(0, tensor, tensor, n);
            session.Append(1, tensor, tensor, n);
        }

        public override void ImportKv(ulong sequence, SessionView session, int[] tokens, int from)
        {
            var data = new float[tokens.Length * 4];
            session.Read(0, Plane.Key, from, tokens.Length, new Tensor(data, tokens.Length, 1, 4));
            Require(data.SequenceEqual(Rows(tokens)), "other K/V than was exported");
            Imported += tokens.Length;
            Sequences[sequence].AddRange(tokens);
        }

        public override void Truncate(ulong sequence, int n)
        {
            Sequences[sequence].RemoveRange(n, Sequences[sequence].Count - n);
        }
    }

    static Engine With(Backend backend)
    {
        using (Config config = new Config().Set("memory", "16MiB").SetBackend(backend)) return new Engine(config);
    }

    sealed class Counted : IAllocator
    {
        public long Held, Taken;
        readonly ConcurrentDictionary<IntPtr, IntPtr> blocks = new ConcurrentDictionary<IntPtr, IntPtr>();

        public IntPtr Allocate(ulong size, ulong alignment)
        {
            IntPtr block = Marshal.AllocHGlobal(new IntPtr((long)(size + alignment)));
            long address = ((long)block + (long)alignment - 1) & -(long)alignment;
            blocks[(IntPtr)address] = block;
            Interlocked.Add(ref Held, (long)size);
            Interlocked.Increment(ref Taken);
            return (IntPtr)address;
        }

        public void Release(IntPtr address, ulong size, ulong alignment)
        {
            blocks.TryRemove(address, out IntPtr block);
            Marshal.FreeHGlobal(block);
            Interlocked.Add(ref Held, -(long)size);
        }
    }

    static class Tests
    {
        public static void LayoutIsThatOfC()
        {
            var golden = (Map)Json.Read(File.ReadAllText(layout));
            var structs = (Map)golden["structs"];
            var constants = (Map)golden["constants"];
            Require(structs.Count >= 20 && constants.Count >= 90, "the golden file is not whole");
            foreach (KeyValuePair<string, object> one in structs)
            {
                Type type = Layouts.Structs[one.Key];
                Require(Marshal.SizeOf(type) == (int)(double)((Map)one.Value)["size"], one.Key);
                foreach (KeyValuePair<string, object> field in (Map)((Map)one.Value)["fields"])
                {
                    Require((int)Marshal.OffsetOf(type, field.Key) == (int)(double)((Map)field.Value)["offset"], one.Key + "." + field.Key);
                }
            }
            foreach (KeyValuePair<string, object> one in constants) Require(Layouts.Constants[one.Key] == (long)(double)one.Value, one.Key);
        }

        public static void ErrorsHaveCodesNamesAndKinds()
        {
            using (var engine = new Engine())
            {
                var e = Thrown<KvcException>(() => engine.Process(new Request(Prompt) { MaxTokens = 100000 }));
                Require(e.Code == Status.Context && e.Name == "KVC_E_CONTEXT" && e.Message.StartsWith("KVC_E_CONTEXT: "), e);
                Require(Thrown<KvcException>(() => engine.Process(new Request("x") { Tenant = "a\0b" })).Code == Status.Invalid);
            }
            Thrown<KvcMemoryException>(() => new Engine(new Map { { "memory", "1KiB" } }));
            Thrown<KvcUnsupportedException>(() => new Engine(new Map { { "model", "none" } }).Process(new Request("x")));
        }

        public static void ClosingLetsARunningCallEndAndMayBeRepeated()
        {
            var engine = new Engine();
            Task<KvcCancelledException> asking = Task.Run(() => Thrown<KvcCancelledException>(() => engine.Process(new Request(Prompt) { MaxTokens = 4000 })));
            Until(() => engine.Stats().RequestsActive == 1);
            engine.Dispose();
            engine.Dispose();
            Require(asking.Result.Code == Status.Cancelled);
            Thrown<KvcClosedException>(() => engine.Stats());
        }

        public static async Task TokensCancel()
        {
            using (var engine = new Engine())
            {
                Require((await engine.ProcessAsync(new Request(Prompt) { MaxTokens = 3 })).Tokens.Length == 3);
                var source = new CancellationTokenSource();
                Task<Response> endless = engine.ProcessAsync(new Request(Prompt) { MaxTokens = 4000 }, source.Token);
                Until(() => engine.Stats().RequestsActive == 1);
                source.Cancel();
                try
                {
                    await endless;
                    Require(false, "it ended");
                }
                catch (OperationCanceledException e)
                {
                    Require(e.CancellationToken == source.Token && e.InnerException is KvcCancelledException, e);
                }
                Until(() => engine.Stats().RequestsCancelled == 1);
            }
        }

        public static async Task LeavingAStreamCancels()
        {
            using (var engine = new Engine())
            {
                Require(engine.Stream(new Request(Prompt) { MaxTokens = 4000 }).Take(3).All(piece => piece.Length > 0));
                Until(() => engine.Stats().RequestsCancelled == 1);
                IAsyncEnumerator<string> pieces = engine.StreamAsync(new Request(Prompt) { MaxTokens = 4000 }).GetAsyncEnumerator();
                for (int i = 0; i < 3; ++i) Require(await pieces.MoveNextAsync() && pieces.Current.Length > 0);
                await pieces.DisposeAsync();
                Until(() => engine.Stats().RequestsCancelled == 2);
                string text = "", whole = engine.Process(new Request(Prompt) { MaxTokens = 20 }).Text;
                pieces = engine.StreamAsync(new Request(Prompt) { MaxTokens = 20 }).GetAsyncEnumerator();
                while (await pieces.MoveNextAsync()) text += pieces.Current;
                Require(text == whole, text);
                using (Ticket ticket = engine.Submit(new Request(Prompt) { MaxTokens = 4000 })) Require(ticket.Wait(TimeSpan.FromMilliseconds(1)) == null);
                Until(() => engine.Stats().RequestsCancelled == 3);
            }
        }

        public static void OnTextMayRefuseAndMayThrow()
        {
            using (var engine = new Engine())
            {
                var refused = Thrown<KvcCancelledException>(() => engine.Process(new Request(Prompt) { MaxTokens = 500, OnText = text => false }));
                Require(refused.Response.Tokens.Length < 500);
                var said = Thrown<FormatException>(() => engine.Process(new Request(Prompt) { OnText = text => { throw new FormatException("no more"); } }));
                Require(said.Message == "no more");
                int thread = 0;
                engine.Process(new Request(Prompt) { MaxTokens = 3, OnText = text => (thread = Thread.CurrentThread.ManagedThreadId) != 0 });
                Require(thread != 0 && thread != Thread.CurrentThread.ManagedThreadId, "the engine's thread calls");
            }
        }

        public static void LoggerClockAndAllocatorAreUsedAndMayThrow()
        {
            var memory = new Counted();
            long lines = 0, now = 0, failed = 0;
            Action<Exception> count = e => Interlocked.Increment(ref failed);
            Config.CallbackFailed += count;
            using (var config = new Config())
            {
                config.SetAllocator(memory).SetClock(() => (ulong)Interlocked.Add(ref now, 1000)).SetLogger(LogLevel.Debug, (level, line) =>
                {
                    Interlocked.Increment(ref lines);
                    throw new FormatException("in the logger");
                });
                using (var engine = new Engine(config))
                {
                    config.SetLogger(LogLevel.Error, null).SetClock(null).SetAllocator(null); // the engine keeps what it was given
                    engine.Process(new Request(Prompt) { MaxTokens = 2 });
                }
            }
            Config.CallbackFailed -= count;
            Require(lines > 0 && failed == lines && now > 1000 && memory.Taken > 0 && memory.Held == 0, lines + " " + failed + " " + now + " " + memory.Held);
        }

        public static void TensorsOfOtherTypesAndOrders()
        {
            byte[] h = { 1 };
            using (var engine = new Engine())
            {
                engine.Put(h, new Tensor(new ushort[] { 1, 2, 3 }, DType.F16, 3));
                Require(((ushort[])engine.Get(h).Data).SequenceEqual(new ushort[] { 1, 2, 3 }) && engine.Get(h).DType == DType.F16);
                Require(Thrown<KvcException>(() => engine.Get(h, new Tensor(new float[3], 3))).Code == Status.Dtype);
                engine.Put(h, Tensor.Htd(Enumerable.Range(0, 12).Select(i => (float)i).ToArray(), 2, 3, 2));
                Tensor found = engine.Get(h);
                Require(found.Shape.SequenceEqual(new long[] { 3, 2, 2 })
                    && ((float[])found.Data).SequenceEqual(new float[] { 0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11 }));
                Require(Thrown<KvcException>(() => engine.Put(h, new Tensor(new float[3], 5, 5))).Code == Status.Shape);
                Require(Thrown<KvcException>(() => engine.Put(new byte[0], new Tensor(new float[3], 3))).Code == Status.OutOfRange);
            }
        }

        public static void AModelInCSharpAnswersAndGetsItsKvBack()
        {
            var paged = new Counting();
            var own = new Keeping();
            foreach (Backend backend in new Backend[] { paged, own })
            {
                int cached = 0;
                using (Engine engine = With(backend))
                {
                    string[] prompts = { "counting", "counting again", "counting again and again", "counting" };
                    for (int i = 0; i < prompts.Length; ++i)
                    {
                        Response response = engine.Process(new Request(prompts[i]) { MaxTokens = 12 });
                        Require(response.Tokens.SequenceEqual(Expected(prompts[i], 12)) && (response.CachedTokens > 0) == (i > 0), prompts[i]);
                        cached += (int)response.CachedTokens;
                        GC.Collect();
                    }
                    if (backend == paged) Require(engine.ChatText(new[] { new Message("user", "Hi") }) == "user: Hi\n>");
                    else Thrown<KvcUnsupportedException>(() => engine.ChatText(new[] { new Message("user", "Hi") }));
                }
                if (backend == own) Require(own.Imported == cached && own.Sequences.IsEmpty, own.Imported);
            }
            Require(paged.IsReleased, "not released");
        }

        public static void ExceptionsOfAModelFailTheRequestWithTheirWords()
        {
            var backend = new Counting();
            using (Engine engine = With(backend))
            {
                backend.Broken = new FormatException("the accelerator is on fire");
                var e = Thrown<KvcException>(() => engine.Process(new Request("hello") { MaxTokens = 4 }));
                Require(e.Message.Contains("the accelerator is on fire"), e);
                backend.Broken = null;
                Require(engine.Process(new Request("hello") { MaxTokens = 4 }).Tokens.SequenceEqual(Expected("hello", 4)));
            }
            backend.Broken = new FormatException("no weights");
            Require(Thrown<KvcException>(() => With(backend)).Message.Contains("no weights"));
        }

        public static void PagesOutliveTheirEngineOnDisk()
        {
            string folder = Path.Combine(Path.GetTempPath(), "kvc-csharp-" + Guid.NewGuid().ToString("N"));
            for (int round = 0; round < 2; ++round)
            {
                using (var engine = new Engine(new Map { { "disk_path", folder }, { "secret", "s" } }))
                {
                    uint cached = engine.Process(new Request(Prompt) { MaxTokens = 4 }).CachedTokens;
                    Require(round == 0 ? cached == 0 : cached >= 54, cached);
                    Require(engine.Persist());
                }
            }
            Directory.Delete(folder, true);
        }

        public static void WhatIsDroppedIsClosedByTheCollector()
        {
            var all = Enumerable.Range(0, 8).Select(_ => Dropped()).ToArray();
            Until(() =>
            {
                GC.Collect();
                GC.WaitForPendingFinalizers();
                return all.Any(b => b.IsReleased); // a conservative collector may see a stale word on the stack
            });
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        static Counting Dropped()
        {
            var backend = new Counting();
            With(backend);
            return backend;
        }

        public static void AThousandEnginesLeaveNoMemoryBehind()
        {
            long before = 0;
            for (int cycle = 0; cycle < 1500; ++cycle)
            {
                using (var engine = new Engine(new Map { { "memory", "4MiB" }, { "model", "none" } }))
                using (Space space = engine.OpenSpace(Desc()))
                using (Session session = space.OpenSession())
                {
                    session.Match(new[] { 1, 2, 3 });
                }
                if (cycle == 499)
                {
                    GC.Collect();
                    before = Resident();
                }
            }
            GC.Collect();
            Require(Resident() < before + 6144, "grew from " + before + " KiB to " + Resident());
        }

        static long Resident()
        {
            return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * 4;
        }
    }
}
