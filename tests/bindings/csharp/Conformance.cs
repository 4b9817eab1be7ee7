using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Text;
using Kvc;
using Map = System.Collections.Generic.Dictionary<string, object>;

sealed class Failure : Exception
{
    public Failure(string words) : base(words) { }
}

/// <summary>Replays tests/bindings/conformance.json.</summary>
sealed class Conformance
{
    readonly Map named = new Map();
    string folder;

    public static bool Run(string path)
    {
        var cases = (List<object>)((Map)Json.Read(File.ReadAllText(path)))["cases"];
        int failed = 0, steps = 0;
        foreach (Map one in cases)
        {
            var replay = new Conformance();
            var list = (List<object>)one["steps"];
            steps += list.Count;
            try
            {
                for (int i = 0; i < list.Count; ++i) replay.Step(one["name"] + ", step " + (i + 1) + " (" + ((Map)list[i])["do"] + ")", (Map)list[i]);
            }
            catch (Exception e)
            {
                ++failed;
                Console.WriteLine(e);
            }
            foreach (object item in replay.named.Values) (item as IDisposable)?.Dispose();
            if (replay.folder != null) Directory.Delete(replay.folder, true);
        }
        Console.WriteLine("{0} cases, {1} steps, {2} failed", cases.Count, steps, failed);
        return failed == 0 && cases.Count >= 18;
    }

    static void Require(bool yes, string words)
    {
        if (!yes) throw new Failure(words);
    }

    void Step(string where, Map s)
    {
        object result;
        try
        {
            result = Act(s);
        }
        catch (KvcException e)
        {
            Require(s.ContainsKey("error") && e.Name == (string)s["error"], where + ": " + e.Message);
            return;
        }
        Require(!s.ContainsKey("error"), where + ": succeeded");
        if (s.ContainsKey("as")) named[(string)s["as"]] = result;
        if (s.ContainsKey("expect")) Compare(where, result, s["expect"]);
    }

    void Compare(string where, object result, object expected)
    {
        if (!(expected is Map wanted))
        {
            Require(Same(result, expected), where + ": " + Show(result) + ", expected " + Show(expected));
            return;
        }
        foreach (KeyValuePair<string, object> pair in wanted)
        {
            if (pair.Key == "same as")
            {
                Require(Same(Member(result, "ids"), Member(named[(string)pair.Value], "ids")), where + ": other identities");
                continue;
            }
            object value = pair.Value is Map same ? Member(named[(string)same["same as"]], pair.Key) : pair.Value;
            object found = Member(result, pair.Key);
            Require(Same(found, value), where + ": " + pair.Key + " is " + Show(found) + ", expected " + Show(value));
        }
    }

    static string Show(object value)
    {
        return value is IEnumerable list && !(value is string) ? "[" + string.Join(", ", list.Cast<object>().Select(Show)) + "]" : value + "";
    }

    static bool Same(object a, object b)
    {
        if (a == null || b == null || a is string || a is bool) return Equals(a, b);
        if (a is IEnumerable x) return b is IEnumerable y && x.Cast<object>().Count() == y.Cast<object>().Count() && x.Cast<object>().Zip(y.Cast<object>(), Same).All(t => t);
        return b is IConvertible && Convert.ToDouble(a) == Convert.ToDouble(b);
    }

    /// <summary>cached_tokens is CachedTokens.</summary>
    static object Member(object result, string name)
    {
        if (result is Map map) return map[name];
        if (result is Response r && name == "n_tokens") return r.Tokens.Length;
        FieldInfo field = result.GetType().GetFields().Single(f => string.Equals(f.Name, name.Replace("_", ""), StringComparison.OrdinalIgnoreCase));
        object value = field.GetValue(result);
        return value is Enum ? Convert.ToInt32(value) : value;
    }

    static int Number(Map s, string name)
    {
        return s.ContainsKey(name) && s[name] is double d ? (int)d : 0;
    }

    static string Text(Map s, string name)
    {
        return s.ContainsKey(name) ? (string)s[name] : null;
    }

    static bool Is(Map s, string name, bool value)
    {
        return s.ContainsKey(name) && Equals(s[name], value);
    }

    static int[] Tokens(Map s)
    {
        var list = (List<object>)s["tokens"];
        if (list.Count == 3 && Equals(list[1], "to")) return Enumerable.Range((int)(double)list[0], (int)((double)list[2] - (double)list[0])).ToArray();
        return list.Select(t => (int)(double)t).ToArray();
    }

    static float[] Kv(int layer, int plane, int from, int n, int heads, int dim)
    {
        var rows = new float[n * heads * dim];
        int at = 0;
        for (int t = from; t < from + n; ++t)
        {
            for (int h = 0; h < heads; ++h)
            {
                for (int d = 0; d < dim; ++d) rows[at++] = (2 * layer + plane) * 1000 + t * 10 + h + d / 16f;
            }
        }
        return rows;
    }

    static Tensor Kv(Map s, int layer, int plane)
    {
        int n = Number(s, "n"), heads = Number(s, "heads"), dim = Number(s, "dim");
        return new Tensor(Kv(layer, plane, Number(s, "from"), n, heads, dim), n, heads, dim);
    }

    static long[] Shape(Map s)
    {
        return ((List<object>)s["shape"]).Select(n => (long)(double)n).ToArray();
    }

    static float[] Halves(IEnumerable<long> shape)
    {
        return Enumerable.Range(0, (int)shape.Aggregate(1L, (a, b) => a * b)).Select(i => i / 2f).ToArray();
    }

    static Request RequestOf(Map s)
    {
        Request request = s.ContainsKey("tokens") ? new Request(Tokens(s)) : new Request(Text(s, "prompt"));
        if (s.ContainsKey("max_tokens")) request.MaxTokens = (uint)Number(s, "max_tokens");
        if (s.ContainsKey("top_p")) request.TopP = (double)s["top_p"];
        if (s.ContainsKey("stop")) request.Stop = ((List<object>)s["stop"]).Cast<string>().ToArray();
        request.Priority = (Priority)Number(s, "priority");
        request.Action = (RequestAction)Number(s, "action");
        request.NoCache = Is(s, "no_cache", true);
        request.Tenant = Text(s, "tenant");
        request.SessionId = Text(s, "session_id");
        return request;
    }

    string Name(string name)
    {
        if (folder == null) Directory.CreateDirectory(folder = Path.Combine(Path.GetTempPath(), "kvc-conformance-" + Guid.NewGuid().ToString("N")));
        return Path.Combine(folder, name);
    }

    object Act(Map s)
    {
        string what = Text(s, "do"), on = Text(s, "on");
        object target = on == null ? null : named[on];
        if (target is Engine e) return OnEngine(e, what, s);
        if (target is Space space) return OnSpace(space, what, s);
        if (target is Session session) return OnSession(session, what, s);
        if (target is Config c)
        {
            if (what == "config.get") return c.Get(Text(s, "key"));
            c.Set(Text(s, "key"), s["value"]);
            return null;
        }
        if (target is Ticket t)
        {
            switch (what)
            {
                case "wait": return t.Wait();
                case "stream": return new Map { { "text", string.Concat(t.Pieces()) } };
                default: t.Cancel(); return null;
            }
        }
        if (target is Response r)
        {
            Require(!r.Text.Contains(Text(s, "what")), "the text has it");
            return null;
        }
        switch (what)
        {
            case "status_name": return Library.StatusName((Status)Number(s, "code"));
            case "has_feature": return Library.HasFeature(Text(s, "name"));
            case "option": return Library.Options().Single(o => o.Name == Text(s, "name"));
            case "config": return new Config(Text(s, "preset"));
            case "engine":
                var options = new Map(s.ContainsKey("options") ? (Map)s["options"] : new Map());
                if (options.ContainsKey("disk_path")) options["disk_path"] = Name((string)options["disk_path"]);
                return new Engine(options);
        }
        throw new Failure("unknown operation " + what);
    }

    byte[] Page(Map s)
    {
        if (s.ContainsKey("page")) return ((byte[][])((Map)named[Text(s, "page")])["ids"])[Number(s, "index")];
        return Enumerable.Repeat(Convert.ToByte(Text(s, "id"), 16), 32).ToArray();
    }

    object OnEngine(Engine e, string what, Map s)
    {
        byte[] key = Text(s, "key") == null ? null : Encoding.UTF8.GetBytes(Text(s, "key"));
        string tenant = Text(s, "tenant");
        switch (what)
        {
            case "engine.close": e.Dispose(); return null;
            case "process": return e.Process(RequestOf(s));
            case "process_batch":
                Batch batch = e.ProcessBatch(((List<object>)s["requests"]).Select(r => RequestOf((Map)r)).ToArray());
                return new Map { { "error", batch.Error.Name }, { "answered", batch.Responses.Select(r => r != null).ToArray() },
                    { "text", batch.Responses.First(r => r != null).Text } };
            case "submit": return e.Submit(RequestOf(s));
            case "poll": return e.Poll().Length;
            case "step": return e.Step();
            case "stats": return e.Stats();
            case "tokenize": return e.Tokenize(Text(s, "text"));
            case "detokenize": return e.Detokenize(Tokens(s));
            case "chat_text":
                var messages = ((List<object>)s["messages"]).Cast<List<object>>().Select(m => new Message((string)m[0], (string)m[1])).ToArray();
                return e.ChatText(messages, !Is(s, "answer", false));
            case "space":
                var d = (Map)s["desc"];
                Absent none = SpaceDesc.NothingElse;
                if (Text(d, "without") == "rope") none &= ~Absent.Rope;
                if (Text(d, "without") == "tokenizer") none &= ~Absent.Tokenizer;
                return e.OpenSpace(new SpaceDesc(Encoding.UTF8.GetBytes(Text(d, "weights"))) { None = none, Layers = (uint)Number(d, "layers"),
                    KvHeads = (uint)Number(d, "heads"), KHeadDim = (uint)Number(d, "dim"), PageTokens = (uint)Number(d, "page_tokens") });
            case "trim": return e.Trim((ulong)Number(s, "bytes"));
            case "pages":
                IReadOnlyList<PageInfo> pages = e.Pages();
                return new Map { { "count", pages.Count }, { "positions", pages.Select(p => p.Position).ToArray() },
                    { "n_tokens", pages.Select(p => p.NTokens).ToArray() }, { "codec", pages[0].Codec }, { "ids", pages.Select(p => p.Id).ToArray() } };
            case "page_tokens": return e.PageTokens(Page(s));
            case "page_info": return e.PageInfo(Page(s));
            case "put": e.Put(key, new Tensor(Halves(Shape(s)), Shape(s)), tenant); return null;
            case "get":
                Tensor found = e.Get(key, tenant);
                Require(found == null || Same(found.Data, Halves(found.Shape)), "other numbers");
                return found?.Shape;
            case "contains": return e.Contains(key, tenant);
            case "remove": return e.Remove(key, tenant);
            case "persist": return e.Persist();
            case "persist_to": return e.PersistTo(Name(Text(s, "path")), tenant);
            case "load": return e.Load(Name(Text(s, "path")));
            case "pack_open": return e.PackOpen(Name(Text(s, "path")));
            case "purge": return e.Purge(tenant);
            case "trace_start": e.TraceStart(Name(Text(s, "path"))); return null;
            case "trace_stop": return e.TraceStop();
            case "whatif": return e.Whatif((ulong)Number(s, "budget"), Text(s, "policy"));
            case "adapt": e.Adapt((Objective)Number(s, "objective"), Number(s, "prefill_speed")); return null;
        }
        throw new Failure("unknown operation " + what);
    }

    object OnSpace(Space space, string what, Map s)
    {
        switch (what)
        {
            case "space.info": return space.Info();
            case "diff": return space.Diff((Space)named[Text(s, "other")]);
            case "page_ids":
                IReadOnlyList<byte[]> ids = space.PageIds(Tokens(s));
                return new Map { { "count", ids.Count }, { "ids", ids.ToArray() } };
            case "pack_write": return space.PackWrite(Name(Text(s, "path")), Tokens(s), Text(s, "tenant"));
            case "session": return space.OpenSession(Text(s, "tenant"), noPublish: Is(s, "publish", false));
        }
        throw new Failure("unknown operation " + what);
    }

    object OnSession(Session session, string what, Map s)
    {
        int n = Number(s, "n"), from = Number(s, "from"), heads = Number(s, "heads"), dim = Number(s, "dim"), layer = Number(s, "layer");
        int layers = Number(s, "layers");
        switch (what)
        {
            case "session.close": session.Close((CloseHint)Number(s, "hint"), TimeSpan.FromTicks(Number(s, "until_ns") / 100)); return null;
            case "match": return session.Match(Tokens(s));
            case "miss": return (int)session.Miss(out string words);
            case "append": session.Append(layer, Kv(s, layer, 0), Kv(s, layer, 1), n); return null;
            case "append_all":
                session.AppendAll(Enumerable.Range(0, layers).Select(l => Kv(s, l, 0)).ToArray(), Enumerable.Range(0, layers).Select(l => Kv(s, l, 1)).ToArray(), n);
                return null;
            case "commit": session.Commit(Tokens(s)); return null;
            case "read":
                var rows = new float[n * heads * dim];
                session.Read(layer, (Plane)Number(s, "plane"), from, n, new Tensor(rows, n, heads, dim));
                Require(Same(rows, Kv(layer, Number(s, "plane"), from, n, heads, dim)), "other numbers");
                return null;
            case "read_all":
                float[][] data = Enumerable.Range(0, 2 * layers).Select(_ => new float[n * heads * dim]).ToArray();
                Tensor[] tensors = data.Select(d => new Tensor(d, n, heads, dim)).ToArray();
                session.ReadAll(from, n, tensors.Take(layers).ToArray(), tensors.Skip(layers).ToArray());
                for (int i = 0; i < data.Length; ++i) Require(Same(data[i], Kv(i % layers, i / layers, from, n, heads, dim)), "other numbers");
                return null;
            case "attend":
                int queryHeads = Number(s, "query_heads");
                var answer = new float[n * queryHeads * dim];
                session.Attend(layer, new Tensor(new float[answer.Length], n, queryHeads, dim), new Tensor(answer, n, queryHeads, dim),
                    new Attend { Window = (ulong)Number(s, "window") });
                var span = (List<object>)s["mean_of_tokens"];
                Near(answer, (int)(double)span[0], (int)(double)span[1], layer, heads, dim);
                return null;
            case "session.info": return session.Info();
            case "session.tokens": return session.Tokens(from, n);
            case "truncate": session.Truncate(n); return null;
            case "fork": return session.Fork();
            case "pin": session.Pin(Is(s, "pinned", true)); return null;
            case "set_priority": session.SetPriority((Priority)Number(s, "priority")); return null;
            case "hint": session.Hint((Hint)Number(s, "hint")); return null;
            case "expect": session.Expect(TimeSpan.FromTicks(Number(s, "in_ns") / 100)); return null;
        }
        throw new Failure("unknown operation " + what);
    }

    /// <summary>Attention of queries of zeros is the mean of V over the tokens that they see.</summary>
    static void Near(float[] answer, int first, int to, int layer, int heads, int dim)
    {
        float[] values = Kv(layer, 1, first, to - first, heads, dim);
        int group = answer.Length / dim / heads;
        for (int i = 0; i < answer.Length; ++i)
        {
            double mean = 0;
            for (int t = 0; t < to - first; ++t) mean += values[(t * heads + i / dim / group % heads) * dim + i % dim] / (double)(to - first);
            Require(Math.Abs(answer[i] - mean) < mean / 1000, "attention gives " + answer[i] + ", expected " + mean);
        }
    }
}
