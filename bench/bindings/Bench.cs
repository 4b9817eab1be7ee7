using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using Kvc;

/// <summary>bench.c through the C# package: the same figures.</summary>
static class Bench
{
    const int Calls = 10000, Tokens = 4096, Heads = 8, Dim = 64;

    static double Ns(long ticks)
    {
        return ticks * 1e9 / Stopwatch.Frequency;
    }

    static void Main()
    {
        using (var engine = new Engine())
        {
            byte[] key = Encoding.UTF8.GetBytes("key");
            engine.Put(key, new Tensor(new float[] { 1 }, 1));
            long took = long.MaxValue;
            for (int chunk = 0; chunk < 30; ++chunk) // the first ones are the compiler's
            {
                long begin = Stopwatch.GetTimestamp();
                for (int i = 0; i < Calls; ++i) engine.Contains(key);
                took = Math.Min(took, Stopwatch.GetTimestamp() - begin);
            }
            Console.WriteLine("contains_ns {0:F2}", Ns(took) / Calls);

            var desc = new SpaceDesc(Encoding.UTF8.GetBytes("w")) { None = SpaceDesc.NothingElse, Layers = 1, KvHeads = Heads, KHeadDim = Dim, PageTokens = 64 };
            Session session = engine.OpenSpace(desc).OpenSession();
            var rows = new Tensor(new float[Tokens * Heads * Dim], Tokens, Heads, Dim);
            session.AppendAll(new[] { rows }, new[] { rows }, Tokens);
            session.Commit(Enumerable.Range(0, Tokens).ToArray());
            long best = long.MaxValue;
            for (int i = 0; i < 20; ++i)
            {
                long begin = Stopwatch.GetTimestamp();
                session.Read(0, Plane.Key, 0, Tokens, rows);
                best = Math.Min(best, Stopwatch.GetTimestamp() - begin);
            }
            Console.WriteLine("read_ns {0:F0}", Ns(best));
        }
        using (var engine = new Engine(new Dictionary<string, object> { { "threads", 0 } }))
        using (Ticket ticket = engine.Submit(new Request("In the beginning") { MaxTokens = 400 }))
        {
            var pieces = new List<long>();
            long begin = Stopwatch.GetTimestamp();
            while (ticket.Next() != null)
            {
                pieces.Add(Stopwatch.GetTimestamp() - begin);
                begin = Stopwatch.GetTimestamp();
            }
            pieces.Sort();
            Console.WriteLine("piece_ns {0:F0}", Ns(pieces[pieces.Count / 2]));
        }
    }
}
