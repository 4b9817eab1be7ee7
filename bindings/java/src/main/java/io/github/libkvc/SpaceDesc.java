package io.github.libkvc;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.libkvc.Structs.kvc_adapter_t;
import io.github.libkvc.Structs.kvc_rope_t;
import io.github.libkvc.Structs.kvc_space_desc_t;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The identity and layout of a model's K/V: {@code new SpaceDesc(digest).tokenizer(null).rope(null)...}. null says that the model has
 * none; what is neither given nor said to be absent is an error of {@link Engine#openSpace}.
 */
public final class SpaceDesc {
    private record Adapter(byte[] digest, double scale) {}

    private final byte[] weights;
    private String label;
    private byte[] tokenizer;
    private Rope rope;
    private final List<Adapter> adapters = new ArrayList<>();
    private String attention;
    private int none;
    private int layers;
    private int kvHeads;
    private int kHeadDim;
    private int vHeadDim;
    private int dtype = DType.F32;
    private int pageTokens;
    private int vocabSize;

    /** With the digest of the weights' content, 1..64 bytes. */
    public SpaceDesc(byte[] weights) {
        this.weights = weights.clone();
    }

    private SpaceDesc absent(boolean yes, int bit) {
        none = yes ? none | bit : none & ~bit;
        return this;
    }

    /** A name for messages; no part of the identity. */
    public SpaceDesc label(String text) {
        label = text;
        return this;
    }

    /** Digest of the tokenizer's content; null: there is none. */
    public SpaceDesc tokenizer(byte[] digest) {
        tokenizer = digest;
        return absent(digest == null, Absent.TOKENIZER);
    }

    /** null: there is none. */
    public SpaceDesc rope(Rope rope) {
        this.rope = rope;
        return absent(rope == null, Absent.ROPE);
    }

    /** An active adapter more, by the digest of its content, in the order of application. */
    public SpaceDesc adapter(byte[] digest, double scale) {
        adapters.add(new Adapter(digest.clone(), scale));
        return absent(false, Absent.ADAPTERS);
    }

    /** No adapter is active. */
    public SpaceDesc noAdapters() {
        adapters.clear();
        return absent(true, Absent.ADAPTERS);
    }

    /** Other options that K/V depends on; null: there is none. */
    public SpaceDesc attention(String text) {
        attention = text;
        return absent(text == null, Absent.ATTENTION);
    }

    /** None of tokenizer, RoPE, adapters and attention options. */
    public SpaceDesc nothingElse() {
        return tokenizer(null).rope(null).noAdapters().attention(null);
    }

    /** Layers of the model. */
    public SpaceDesc layers(int n) {
        layers = n;
        return this;
    }

    /** K/V heads of a layer; 0: the engine's option num_heads. */
    public SpaceDesc kvHeads(int n) {
        kvHeads = n;
        return this;
    }

    /** Dimensions of a head; 0: the engine's option head_dim, and for v the same as k. */
    public SpaceDesc headDim(int k, int v) {
        kHeadDim = k;
        vHeadDim = v;
        return this;
    }

    /** A DType; F32 if it is not said. */
    public SpaceDesc dtype(int value) {
        dtype = value;
        return this;
    }

    /** Tokens of a page; 0: the engine's option page_tokens. */
    public SpaceDesc pageTokens(int n) {
        pageTokens = n;
        return this;
    }

    /** Tokens are below it; 0: unknown. */
    public SpaceDesc vocabSize(int n) {
        vocabSize = n;
        return this;
    }

    int vocabSize() {
        return vocabSize;
    }

    /** The C form; what it points to lives as long as the arena. */
    MemorySegment c(Arena arena) {
        MemorySegment c = Mem.struct(arena, kvc_space_desc_t.LAYOUT);
        KvcException.check(Raw.kvc_space_desc_init(c.address(), kvc_space_desc_t.SIZEOF), null, 0);
        c.set(JAVA_LONG, kvc_space_desc_t.LABEL, Mem.text(arena, label));
        c.set(JAVA_LONG, kvc_space_desc_t.WEIGHTS_DIGEST, Mem.bytes(arena, weights));
        c.set(JAVA_LONG, kvc_space_desc_t.WEIGHTS_DIGEST_SIZE, weights.length);
        if (tokenizer != null) {
            c.set(JAVA_LONG, kvc_space_desc_t.TOKENIZER_DIGEST, Mem.bytes(arena, tokenizer));
            c.set(JAVA_LONG, kvc_space_desc_t.TOKENIZER_DIGEST_SIZE, tokenizer.length);
        }
        if (rope != null) {
            MemorySegment r = Mem.struct(arena, kvc_rope_t.LAYOUT);
            r.set(JAVA_DOUBLE, kvc_rope_t.BASE, rope.base());
            r.set(JAVA_DOUBLE, kvc_rope_t.FREQ_SCALE, rope.freqScale());
            r.set(JAVA_LONG, kvc_rope_t.SCALING, Mem.text(arena, rope.scaling()));
            r.set(JAVA_DOUBLE, kvc_rope_t.FACTOR, rope.factor());
            r.set(JAVA_DOUBLE, kvc_rope_t.ATTN_FACTOR, rope.attnFactor());
            r.set(JAVA_DOUBLE, kvc_rope_t.BETA_FAST, rope.betaFast());
            r.set(JAVA_DOUBLE, kvc_rope_t.BETA_SLOW, rope.betaSlow());
            r.set(JAVA_INT, kvc_rope_t.DIMS, rope.dims());
            r.set(JAVA_INT, kvc_rope_t.ORIGINAL_CONTEXT, rope.originalContext());
            r.set(JAVA_INT, kvc_rope_t.INTERLEAVED, rope.interleaved() ? 1 : 0);
            r.set(JAVA_INT, kvc_rope_t.APPLIED, rope.applied() ? 1 : 0);
            c.set(JAVA_LONG, kvc_space_desc_t.ROPE, r.address());
        }
        if (!adapters.isEmpty()) {
            MemorySegment all = Mem.structs(arena, kvc_adapter_t.LAYOUT, adapters.size());
            for (int i = 0; i < adapters.size(); i++) {
                MemorySegment a = all.asSlice(i * kvc_adapter_t.SIZEOF, kvc_adapter_t.SIZEOF);
                a.set(JAVA_LONG, kvc_adapter_t.DIGEST, Mem.bytes(arena, adapters.get(i).digest()));
                a.set(JAVA_LONG, kvc_adapter_t.DIGEST_SIZE, adapters.get(i).digest().length);
                a.set(JAVA_DOUBLE, kvc_adapter_t.SCALE, adapters.get(i).scale());
            }
            c.set(JAVA_LONG, kvc_space_desc_t.ADAPTERS, all.address());
            c.set(JAVA_INT, kvc_space_desc_t.N_ADAPTERS, adapters.size());
        }
        c.set(JAVA_INT, kvc_space_desc_t.NONE, none);
        c.set(JAVA_LONG, kvc_space_desc_t.ATTENTION, Mem.text(arena, attention));
        c.set(JAVA_INT, kvc_space_desc_t.N_LAYERS, layers);
        c.set(JAVA_INT, kvc_space_desc_t.N_KV_HEADS, kvHeads);
        c.set(JAVA_INT, kvc_space_desc_t.K_HEAD_DIM, kHeadDim);
        c.set(JAVA_INT, kvc_space_desc_t.V_HEAD_DIM, vHeadDim);
        c.set(JAVA_INT, kvc_space_desc_t.DTYPE, dtype);
        c.set(JAVA_INT, kvc_space_desc_t.PAGE_TOKENS, pageTokens);
        c.set(JAVA_INT, kvc_space_desc_t.VOCAB_SIZE, vocabSize);
        return c;
    }
}
