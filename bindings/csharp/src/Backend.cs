using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using System.Text;

namespace Kvc
{
    /// <summary>What a model is; the space's VocabSize is the number of logits.</summary>
    public sealed class ModelInfo
    {
        /// <summary>context: the longest sequence, tokens.</summary>
        public ModelInfo(string name, SpaceDesc space, uint context)
        {
            Name = name;
            Space = space;
            Context = context;
        }

        internal string Name { get; }
        internal SpaceDesc Space { get; }
        internal uint Context { get; }

        /// <summary>Most tokens in one Forward; 0: no limit.</summary>
        public uint MaxBatchTokens { get; set; }

        /// <summary>Token put before a text prompt; -1: none.</summary>
        public int Bos { get; set; } = -1;

        /// <summary>Token that ends a text; -1: none.</summary>
        public int Eos { get; set; } = -1;

        /// <summary>Further tokens that end a text.</summary>
        public int[] Ends { get; set; } = new int[0];

        /// <summary>Own K/V: most tokens over all open sequences; 0: no limit.</summary>
        public uint TotalTokens { get; set; }

        /// <summary>States: one about every so many tokens.</summary>
        public uint StateTokens { get; set; }

        /// <summary>For people: how it works.</summary>
        public string Details { get; set; }
    }

    /// <summary>One sequence's share of a call.</summary>
    public sealed unsafe class Forward
    {
        private readonly float* logits;
        private readonly int vocabulary;

        internal Forward(kvc_forward_t* c, int vocabulary)
        {
            Sequence = c->sequence;
            Session = c->session == 0 ? null : new SessionView(c->session);
            Tokens = Memory.Ints(c->tokens, c->n);
            Position = (int)c->position;
            logits = c->logits;
            this.vocabulary = vocabulary;
        }

        /// <summary>As given to SequenceOpen.</summary>
        public ulong Sequence { get; }

        /// <summary>null for models that keep their own K/V.</summary>
        public SessionView Session { get; }

        /// <summary>The next ones.</summary>
        public int[] Tokens { get; }

        /// <summary>Of the first of them.</summary>
        public int Position { get; }

        /// <summary>To be filled in for the last of the tokens; empty if nobody wants them.</summary>
        public Span<float> Logits => logits == null ? default(Span<float>) : new Span<float>(logits, vocabulary);
    }

    /// <summary>
    /// A model. One that keeps its own K/V derives from OwnKvBackend; without that, Forward reads the past from the session and appends the new
    /// to it. What is thrown fails the request with its words. Tokenize and Detokenize are called from any thread at any time, the others
    /// from one at a time.
    /// </summary>
    public abstract class Backend
    {
        /// <summary>Called once, when an engine is made.</summary>
        public abstract ModelInfo Describe();

        /// <summary>Text (UTF-8) to tokens, without bos.</summary>
        public abstract int[] Tokenize(byte[] text);

        /// <summary>The bytes of one token.</summary>
        public abstract byte[] Detokenize(int token);

        /// <summary>Computes the next tokens of some sequences. When it throws, kvc rolls all of them back.</summary>
        public abstract void Forward(IReadOnlyList<Forward> items);

        /// <summary>A new, empty sequence.</summary>
        public virtual void SequenceOpen(ulong sequence) { }

        /// <summary>Its end.</summary>
        public virtual void SequenceClose(ulong sequence) { }

        /// <summary>Whether ChatText is there.</summary>
        public virtual bool HasChatText => false;

        /// <summary>A conversation as the model's prompt. answer: it ends where the model's answer begins.</summary>
        public virtual string ChatText(IReadOnlyList<Message> messages, bool answer)
        {
            throw new KvcException(Status.Unsupported, "this model has no chat template");
        }

        /// <summary>It is no longer used.</summary>
        public virtual void Released() { }
    }

    /// <summary>A model that keeps its own K/V, which kvc has exported to, and imported from, sessions.</summary>
    public abstract class OwnKvBackend : Backend
    {
        /// <summary>Appends K/V of tokens [from, from + n) of every layer to the session.</summary>
        public abstract void ExportKv(ulong sequence, SessionView session, int from, int n);

        /// <summary>Reads K/V of tokens from a position on out of the session.</summary>
        public abstract void ImportKv(ulong sequence, SessionView session, int[] tokens, int from);

        /// <summary>Cuts a sequence to its first n tokens.</summary>
        public abstract void Truncate(ulong sequence, int n);

        /// <summary>Whether its sequences are kept as states (ModelInfo.StateTokens).</summary>
        public virtual bool HasStates => false;

        /// <summary>The whole state of a sequence of n tokens.</summary>
        public virtual byte[] SaveState(ulong sequence, int n)
        {
            throw new NotSupportedException();
        }

        /// <summary>Takes it into an empty sequence.</summary>
        public virtual void LoadState(ulong sequence, int[] tokens, byte[] state)
        {
            throw new NotSupportedException();
        }
    }

    /// <summary>A backend that kvc has; its arena holds what kvc_model_info_t points to.</summary>
    internal sealed class Running
    {
        public readonly Backend Backend;
        public readonly Arena Arena = new Arena();
        public int Vocabulary;

        public Running(Backend backend)
        {
            Backend = backend;
        }
    }

    /// <summary>The table of functions of a backend.</summary>
    internal static unsafe class Backends
    {
        private static Running Find(ulong user)
        {
            return Entry.Find<Running>(user);
        }

        private static OwnKvBackend Own(ulong user)
        {
            return (OwnKvBackend)Find(user).Backend;
        }

        private static void Give(byte[] data, void* target, ulong capacity, ulong* size)
        {
            *size = (ulong)data.Length;
            if (target != null) Marshal.Copy(data, 0, (IntPtr)target, (int)Math.Min((ulong)data.Length, capacity));
        }

        private static void Tell(Running running, kvc_model_info_t* info)
        {
            ModelInfo told = running.Backend.Describe();
            Arena arena = running.Arena;
            running.Vocabulary = told.Space.VocabSize;
            info->name = arena.Text(told.Name);
            // The space that kvc gives may be the smaller struct of an older library: point to ours, which says its own size.
            info->space = told.Space.C(arena);
            info->context = told.Context;
            info->max_batch_tokens = told.MaxBatchTokens;
            info->bos = told.Bos;
            info->eos = told.Eos;
            info->ends = told.Ends.Length == 0 ? null : arena.Ints(told.Ends);
            info->n_ends = (uint)told.Ends.Length;
            info->total_tokens = told.TotalTokens;
            info->state_tokens = told.StateTokens;
            info->details = arena.Text(told.Details);
        }

        private static void Step(Running running, kvc_forward_t* items, uint n)
        {
            var all = new List<Forward>();
            var at = (byte*)items;
            for (uint i = 0; i < n; ++i)
            {
                var c = (kvc_forward_t*)at;
                all.Add(new Forward(c, running.Vocabulary));
                at += c->struct_size; // kvc's elements may be larger than this package's struct
            }
            running.Backend.Forward(all);
        }

        private static string Chat(Running running, kvc_message_t* messages, ulong n, bool answer)
        {
            var list = new List<Message>();
            var at = (byte*)messages;
            for (ulong i = 0; i < n; ++i)
            {
                var c = (kvc_message_t*)at;
                list.Add(new Message(Memory.Text(c->role), Memory.Text(c->content)));
                at += c->struct_size;
            }
            return running.Backend.ChatText(list, answer);
        }

        // One of each kind for the whole process, never collected.
        private static readonly kvc_backend_describe_fn Describe = (user, info, words, size) =>
            Callbacks.Guard(words, size, () => Tell(Find(user), info));

        private static readonly kvc_backend_tokenize_fn Tokenize = (user, text, length, tokens, capacity, n, words, size) =>
            Callbacks.Guard(words, size, () =>
            {
                int[] found = Find(user).Backend.Tokenize(Memory.Bytes(text, length));
                *n = (ulong)found.Length;
                if (tokens != null) Marshal.Copy(found, 0, (IntPtr)tokens, (int)Math.Min((ulong)found.Length, capacity));
            });

        private static readonly kvc_backend_detokenize_fn Detokenize = (user, token, bytes, capacity, length, words, size) =>
            Callbacks.Guard(words, size, () => Give(Find(user).Backend.Detokenize(token), bytes, capacity, length));

        private static readonly kvc_backend_sequence_open_fn SequenceOpen = (user, sequence, words, size) =>
            Callbacks.Guard(words, size, () => Find(user).Backend.SequenceOpen(sequence));

        private static readonly kvc_backend_sequence_close_fn SequenceClose = (user, sequence) =>
            Callbacks.Guard(null, 0, () => Find(user).Backend.SequenceClose(sequence));

        private static readonly kvc_backend_forward_fn Forward = (user, items, n, words, size) =>
            Callbacks.Guard(words, size, () => Step(Find(user), items, n));

        private static readonly kvc_backend_export_kv_fn ExportKv = (user, sequence, session, from, n, words, size) =>
            Callbacks.Guard(words, size, () => Own(user).ExportKv(sequence, new SessionView(session), (int)from, (int)n));

        private static readonly kvc_backend_import_kv_fn ImportKv = (user, sequence, session, tokens, from, n, words, size) =>
            Callbacks.Guard(words, size, () => Own(user).ImportKv(sequence, new SessionView(session), Memory.Ints(tokens, n), (int)from));

        private static readonly kvc_backend_truncate_fn Truncate = (user, sequence, n, words, size) =>
            Callbacks.Guard(words, size, () => Own(user).Truncate(sequence, (int)n));

        private static readonly kvc_backend_destroy_fn Destroy = user => Callbacks.Guard(null, 0, () =>
        {
            Running running = Find(user);
            running.Backend.Released();
            running.Arena.Dispose();
        });

        private static readonly kvc_backend_chat_text_fn ChatText = (user, messages, n, answer, text, capacity, length, words, size) =>
            Callbacks.Guard(words, size, () => Give(Encoding.UTF8.GetBytes(Chat(Find(user), messages, n, answer != 0)), text, capacity, length));

        private static readonly kvc_backend_save_state_fn SaveState = (user, sequence, n, bytes, capacity, length, words, size) =>
            Callbacks.Guard(words, size, () =>
            {
                byte[] state = Own(user).SaveState(sequence, (int)n);
                Give(state, capacity >= (ulong)state.Length ? bytes : null, capacity, length);
            });

        private static readonly kvc_backend_load_state_fn LoadState = (user, sequence, tokens, n, bytes, length, words, size) =>
            Callbacks.Guard(words, size, () => Own(user).LoadState(sequence, Memory.Ints(tokens, n), Memory.Bytes(bytes, length)));

        private static IntPtr Of(Delegate function)
        {
            return Marshal.GetFunctionPointerForDelegate(function);
        }

        public static kvc_backend_t Table(Backend backend, ulong number)
        {
            var own = backend as OwnKvBackend;
            var c = new kvc_backend_t { struct_size = (ulong)sizeof(kvc_backend_t), user_data = number,
                kind = (int)(own == null ? BackendKind.Paged : BackendKind.OwnKv), describe = Of(Describe), tokenize = Of(Tokenize),
                detokenize = Of(Detokenize), sequence_open = Of(SequenceOpen), sequence_close = Of(SequenceClose), forward = Of(Forward),
                destroy = Of(Destroy) };
            if (own != null)
            {
                c.export_kv = Of(ExportKv);
                c.import_kv = Of(ImportKv);
                c.truncate = Of(Truncate);
                if (own.HasStates)
                {
                    c.save_state = Of(SaveState);
                    c.load_state = Of(LoadState);
                }
            }
            if (backend != null && backend.HasChatText) c.chat_text = Of(ChatText);
            return c;
        }
    }
}
