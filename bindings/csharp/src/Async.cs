using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Kvc
{
    public sealed partial class Engine
    {
        /// <summary>Process for programs that do not wait. Cancelling the token cancels the request.</summary>
        public Task<Response> ProcessAsync(Request request, CancellationToken token = default(CancellationToken))
        {
            return AsyncCalls.Process(this, request, token);
        }

        /// <summary>The answer's text piece by piece, for `await foreach`. Leaving the loop, or the token, cancels the request.</summary>
        public IAsyncEnumerable<string> StreamAsync(Request request)
        {
            return new PieceStream(this, request);
        }
    }

    public sealed partial class Ticket
    {
        /// <summary>The answer; cancelling the token cancels the request.</summary>
        public Task<Response> WaitAsync(CancellationToken token = default(CancellationToken))
        {
            return AsyncCalls.Wait(this, token);
        }
    }

    /// <summary>What waits; apart, because await and pointers do not go together.</summary>
    internal static class AsyncCalls
    {
        public static async Task<Response> Process(Engine engine, Request request, CancellationToken token)
        {
            using (Ticket ticket = engine.Submit(request)) return await Wait(ticket, token).ConfigureAwait(false);
        }

        public static async Task<Response> Wait(Ticket ticket, CancellationToken token)
        {
            using (token.Register(ticket.CancelQuietly))
            {
                return await Task.Factory.StartNew(() => ticket.Wait(Memory.ForEver, token), CancellationToken.None,
                    TaskCreationOptions.LongRunning, TaskScheduler.Default).ConfigureAwait(false);
            }
        }
    }

    /// <summary>The text of one request piece by piece, for `await foreach`. Leaving the loop, or the token, cancels the request.</summary>
    internal sealed class PieceStream : IAsyncEnumerable<string>
    {
        private readonly Engine engine;
        private readonly Request request;

        public PieceStream(Engine engine, Request request)
        {
            this.engine = engine;
            this.request = request;
        }

        public IAsyncEnumerator<string> GetAsyncEnumerator(CancellationToken token = default(CancellationToken))
        {
            return new Pieces(engine.Submit(request), token);
        }

        private sealed class Pieces : IAsyncEnumerator<string>
        {
            private readonly Ticket ticket;
            private readonly CancellationToken token;
            private readonly CancellationTokenRegistration registration;

            public Pieces(Ticket ticket, CancellationToken token)
            {
                this.ticket = ticket;
                this.token = token;
                registration = token.Register(ticket.CancelQuietly);
            }

            public string Current { get; private set; }

            public ValueTask<bool> MoveNextAsync()
            {
                // What is there already needs no thread.
                Current = ticket.Next(TimeSpan.Zero);
                if (Current != null && Current.Length > 0) return new ValueTask<bool>(true);
                return new ValueTask<bool>(Task.Run(() =>
                {
                    if (Current != null) Current = ticket.Next();
                    if (Current == null) ticket.Wait(Memory.ForEver, token);
                    return Current != null;
                }));
            }

            public ValueTask DisposeAsync()
            {
                registration.Dispose();
                ticket.Dispose();
                return default(ValueTask);
            }
        }
    }
}
