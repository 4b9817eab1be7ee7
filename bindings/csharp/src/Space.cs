using System;
using System.Collections.Generic;

namespace Kvc
{
    /// <summary>Rotary position embedding.</summary>
    public sealed class Rope
    {
        /// <summary>Theta, and the dimensions of a head that turn.</summary>
        public Rope(double theta, uint dims)
        {
            Base = theta;
            Dims = dims;
        }

        internal double Base { get; }
        internal uint Dims { get; }

        /// <summary>Position scale; 1 = none.</summary>
        public double FreqScale { get; set; } = 1;

        /// <summary>"none", "linear", "yarn", ...</summary>
        public string Scaling { get; set; } = "none";

        /// <summary>Of the scaling; 0 where it has none, like the next four.</summary>
        public double Factor { get; set; }

        /// <summary>See kvc.h.</summary>
        public double AttnFactor { get; set; }

        /// <summary>See kvc.h.</summary>
        public double BetaFast { get; set; }

        /// <summary>See kvc.h.</summary>
        public double BetaSlow { get; set; }

        /// <summary>See kvc.h.</summary>
        public uint OriginalContext { get; set; }

        /// <summary>Pairs (2i, 2i+1) instead of (i, i + dims/2).</summary>
        public bool Interleaved { get; set; }

        /// <summary>Keys come in after RoPE.</summary>
        public bool Applied { get; set; } = true;
    }

    /// <summary>An active adapter (LoRA), by the digest of its content.</summary>
    public struct Adapter
    {
        /// <summary>Of its content, 1..64 bytes.</summary>
        public byte[] Digest;

        /// <summary>Its scale.</summary>
        public double Scale;
    }

    /// <summary>
    /// The identity and layout of a model's K/V. A part that is neither given nor said to be absent (None) is an error, so what was
    /// forgotten cannot turn into a wrong hit.
    /// </summary>
    public sealed unsafe class SpaceDesc
    {
        /// <summary>Everything that a model may be without.</summary>
        public const Absent NothingElse = Absent.Tokenizer | Absent.Rope | Absent.Adapters | Absent.Attention;

        /// <summary>With the digest of the weights' content, 1..64 bytes.</summary>
        public SpaceDesc(byte[] weights)
        {
            Weights = weights;
        }

        internal byte[] Weights { get; }

        /// <summary>A name for messages; no part of the identity.</summary>
        public string Label { get; set; }

        /// <summary>Digest of the content, 1..64 bytes.</summary>
        public byte[] Tokenizer { get; set; }

        /// <summary>Rotary position embedding.</summary>
        public Rope Rope { get; set; }

        /// <summary>In the order of application.</summary>
        public Adapter[] Adapters { get; set; }

        /// <summary>Other options that K/V depends on.</summary>
        public string Attention { get; set; }

        /// <summary>What the model has not.</summary>
        public Absent None { get; set; }

        /// <summary>Layers of the model.</summary>
        public uint Layers { get; set; }

        /// <summary>K/V heads of a layer; 0: the engine's option num_heads.</summary>
        public uint KvHeads { get; set; }

        /// <summary>0: the engine's option head_dim.</summary>
        public uint KHeadDim { get; set; }

        /// <summary>0: KHeadDim.</summary>
        public uint VHeadDim { get; set; }

        /// <summary>What the numbers are.</summary>
        public DType DType { get; set; } = DType.F32;

        /// <summary>0: the engine's option page_tokens.</summary>
        public uint PageTokens { get; set; }

        /// <summary>Tokens are below it; 0: unknown.</summary>
        public int VocabSize { get; set; }

        /// <summary>The C form, in the arena as is what it points to.</summary>
        internal kvc_space_desc_t* C(Arena arena)
        {
            var c = (kvc_space_desc_t*)arena.Take(sizeof(kvc_space_desc_t));
            *c = default(kvc_space_desc_t);
            KvcException.Check(Raw.kvc_space_desc_init(c, (ulong)sizeof(kvc_space_desc_t)));
            c->label = arena.Text(Label);
            c->weights_digest = arena.Bytes(Weights);
            c->weights_digest_size = (ulong)Weights.Length;
            if (Tokenizer != null)
            {
                c->tokenizer_digest = arena.Bytes(Tokenizer);
                c->tokenizer_digest_size = (ulong)Tokenizer.Length;
            }
            if (Rope != null)
            {
                var r = (kvc_rope_t*)arena.Take(sizeof(kvc_rope_t));
                *r = new kvc_rope_t { struct_size = (ulong)sizeof(kvc_rope_t), @base = Rope.Base, freq_scale = Rope.FreqScale,
                    scaling = arena.Text(Rope.Scaling), factor = Rope.Factor, attn_factor = Rope.AttnFactor, beta_fast = Rope.BetaFast,
                    beta_slow = Rope.BetaSlow, dims = Rope.Dims, original_context = Rope.OriginalContext, interleaved = Rope.Interleaved ? 1 : 0,
                    applied = Rope.Applied ? 1 : 0 };
                c->rope = r;
            }
            if (Adapters != null && Adapters.Length > 0)
            {
                var all = (kvc_adapter_t*)arena.Take((long)sizeof(kvc_adapter_t) * Adapters.Length);
                for (int i = 0; i < Adapters.Length; ++i)
                {
                    all[i] = new kvc_adapter_t { struct_size = (ulong)sizeof(kvc_adapter_t), digest = arena.Bytes(Adapters[i].Digest),
                        digest_size = (ulong)Adapters[i].Digest.Length, scale = Adapters[i].Scale };
                }
                c->adapters = all;
                c->n_adapters = (uint)Adapters.Length;
            }
            c->none = (uint)None;
            c->attention = arena.Text(Attention);
            c->n_layers = Layers;
            c->n_kv_heads = KvHeads;
            c->k_head_dim = KHeadDim;
            c->v_head_dim = VHeadDim;
            c->dtype = (int)DType;
            c->page_tokens = PageTokens;
            c->vocab_size = VocabSize;
            return c;
        }
    }

    /// <summary>The identity of one model's K/V. Two spaces with any difference never share a page.</summary>
    public sealed unsafe class Space : KvcObject
    {
        private readonly Engine engine;

        internal Space(ulong raw, Engine engine) : base(raw, Kvc.Raw.kvc_space_close)
        {
            this.engine = engine;
        }

        private int Check(int status)
        {
            GC.KeepAlive(this);
            return engine.Check(status);
        }

        /// <summary>Its layout as resolved, and its digest.</summary>
        public SpaceInfo Info()
        {
            var info = default(kvc_space_info_t);
            info.struct_size = (ulong)sizeof(kvc_space_info_t);
            Check(Kvc.Raw.kvc_space_info(Raw, &info));
            return new SpaceInfo(&info);
        }

        /// <summary>In what it differs from another of the same engine; "" if in nothing.</summary>
        public string Diff(Space other)
        {
            return Memory.Written((b, c, n) => Check(Kvc.Raw.kvc_space_diff(Raw, other.Raw, b, c, n)));
        }

        /// <summary>The identities of the whole pages of a token sequence.</summary>
        public IReadOnlyList<byte[]> PageIds(int[] tokens, string tenant = null)
        {
            using (var arena = new Arena())
            {
                for (ulong capacity = 64; ;)
                {
                    ulong n;
                    byte* ids = arena.Take(32 * (long)capacity);
                    int status = Kvc.Raw.kvc_space_page_ids(Raw, arena.Text(tenant), arena.Ints(tokens), (ulong)tokens.Length, ids, capacity, &n);
                    if (status == (int)Status.Buffer)
                    {
                        capacity = n;
                        continue;
                    }
                    Check(status);
                    var found = new List<byte[]>();
                    for (ulong i = 0; i < n; ++i) found.Add(Memory.Bytes(ids + 32 * i, 32));
                    return found;
                }
            }
        }

        /// <summary>Writes the stored prefix of tokens into a prefix pack, one file to ship with an application; the number of tokens in it.</summary>
        public ulong PackWrite(string path, int[] tokens, string tenant = null)
        {
            ulong n;
            using (var arena = new Arena())
            {
                Check(Kvc.Raw.kvc_pack_write(Raw, arena.Text(tenant), arena.Ints(tokens), (ulong)tokens.Length, arena.Text(path), &n));
            }
            return n;
        }

        /// <summary>Opens an empty session. noPublish: its pages stay private; exact: it takes no approximate pages;
        /// noAged: none that were encoded again at rest.</summary>
        public Session OpenSession(string tenant = null, string sessionId = null, Priority priority = Priority.Normal, bool noPublish = false,
            bool exact = false, bool noAged = false)
        {
            ulong raw;
            using (var arena = new Arena())
            {
                var c = new kvc_session_options_t { struct_size = (ulong)sizeof(kvc_session_options_t), tenant = arena.Text(tenant),
                    session_id = arena.Text(sessionId), priority = (int)priority, no_publish = noPublish ? 1u : 0, exact = exact ? 1u : 0,
                    no_aged = noAged ? 1u : 0 };
                Check(Kvc.Raw.kvc_session_open(Raw, &c, &raw));
            }
            return new Session(raw, engine);
        }
    }
}
