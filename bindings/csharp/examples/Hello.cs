using System;
using System.Collections.Generic;
using Kvc;

/// <summary>Asks for text twice - the second time the prompt's K/V is found in the cache -, reads an answer as it comes, and meets an error.</summary>
static class Hello
{
    const string Prompt = "In the beginning God created the heaven and the earth. And the earth was without form, and void; and darkness was "
        + "upon the face of the deep. And the Spirit of God moved upon the face of";

    static void Main()
    {
        using (var engine = new Engine(new Dictionary<string, object> { { "memory", "256MiB" } }))
        {
            for (int i = 0; i < 2; ++i)
            {
                Response answer = engine.Process(new Request(Prompt) { MaxTokens = 24 });
                Console.WriteLine("\"{0}\" ({1} of {2} prompt tokens were cached)", answer.Text, answer.CachedTokens, answer.PromptTokens);
            }
            // Leaving the loop would cancel the request. StreamAsync is the same for `await foreach`.
            foreach (string piece in engine.Stream(new Request("And God said, Let there be light: and") { MaxTokens = 16 })) Console.Write(piece);
            Console.WriteLine();
            try
            {
                engine.Process(new Request(Prompt) { MaxTokens = 100000 });
            }
            catch (KvcException e)
            {
                Console.WriteLine(e.Name);
            }
        }
    }
}
