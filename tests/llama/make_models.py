#!/usr/bin/env python3
"""Writes tiny models with random weights as GGUF files, the same bytes every time: what tests of llama.cpp load.

usage: make_models.py FOLDER

    llama.gguf          attention over everything, grouped queries: 3 layers, 4 heads, 2 K/V heads of 64
    llama_copy.gguf     the same bytes under another name
    llama_weights.gguf  the same shapes, other weights
    llama_rope.gguf     the same weights, another RoPE base
    swa.gguf            gemma2: every other layer attends to a sliding window of 32 tokens
    mamba.gguf          recurrent: no K/V, a state per sequence
    hybrid.gguf         lfm2: two recurrent layers (short convolutions) and two of attention
    lora_a.gguf, lora_b.gguf   adapters for llama.gguf, on the keys and values

The tokenizer is one token per byte (3 + byte), after <unk>, <s> and </s>, and one for the space (259).
"""
import os
import random
import struct
import sys

U32, F32, BOOL, STRING, ARRAY = 4, 6, 7, 8, 9
I32 = 5
VOCABULARY = 260
ALIGNMENT = 32


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def scalar(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


class Gguf:
    """One file in the making: metadata and tensors in the order in which they are added."""

    def __init__(self, architecture, seed):
        self.architecture = architecture
        self.random = random.Random(seed)
        self.metadata, self.tensors = [], []
        self.set("general.architecture", STRING, architecture)

    def set(self, key, kind, value):
        self.metadata.append(text(key) + struct.pack("<I", kind) + scalar(kind, value))

    def set_list(self, key, kind, values):
        head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
        self.metadata.append(head + b"".join(scalar(kind, value) for value in values))

    def own(self, key, kind, value):
        self.set(f"{self.architecture}.{key}", kind, value)

    def tensor(self, name, shape, values, half):
        """shape: the fastest dimension first, as ggml counts."""
        data = struct.pack(f"<{len(values)}{'e' if half else 'f'}", *values)
        self.tensors.append((name, shape, 1 if half else 0, data))

    def matrix(self, name, columns, rows, gain=1.0, half=True):
        """Random weights that keep a vector's length, times gain."""
        spread = gain / columns ** 0.5
        self.tensor(name, (columns, rows), [self.random.gauss(0, spread) for _ in range(columns * rows)], half)

    def vector(self, name, n, middle=1.0, spread=0.1):
        self.tensor(name, (n,), [self.random.gauss(middle, spread) for _ in range(n)], False)

    def write(self, path):
        infos, blobs, offset = [], [], 0
        for name, shape, kind, data in self.tensors:
            infos.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
            data += bytes(-len(data) % ALIGNMENT)
            blobs.append(data)
            offset += len(data)
        head = struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.metadata))
        head += b"".join(self.metadata) + b"".join(infos)
        work = f"{path}.{os.getpid()}"
        with open(work, "wb") as file:
            file.write(head + bytes(-len(head) % ALIGNMENT) + b"".join(blobs))
        os.replace(work, path)


def tokenizer(model):
    normal, unknown, control, byte = 1, 2, 3, 6
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + ["\u2581"]
    kinds = [unknown, control, control] + [byte] * 256 + [normal]
    model.set("tokenizer.ggml.model", STRING, "llama")
    model.set_list("tokenizer.ggml.tokens", STRING, tokens)
    model.set_list("tokenizer.ggml.scores", F32, [0.0] * len(tokens))
    model.set_list("tokenizer.ggml.token_type", I32, kinds)
    model.set("tokenizer.ggml.bos_token_id", U32, 1)
    model.set("tokenizer.ggml.eos_token_id", U32, 2)
    model.set("tokenizer.ggml.add_bos_token", BOOL, True)
    model.set("tokenizer.ggml.add_space_prefix", BOOL, False)


def common(model, layers, width, feed_forward, context=4096):
    model.own("block_count", U32, layers)
    model.own("context_length", U32, context)
    model.own("embedding_length", U32, width)
    model.own("feed_forward_length", U32, feed_forward)
    model.own("attention.layer_norm_rms_epsilon", F32, 1e-5)
    tokenizer(model)
    model.matrix("token_embd.weight", width, VOCABULARY, gain=width ** 0.5)


def attention(model, layer, width, heads, kv_heads, dim):
    model.matrix(f"blk.{layer}.attn_q.weight", width, heads * dim, gain=2.0)  # attention that tells tokens apart
    model.matrix(f"blk.{layer}.attn_k.weight", width, kv_heads * dim, gain=2.0)
    model.matrix(f"blk.{layer}.attn_v.weight", width, kv_heads * dim)
    model.matrix(f"blk.{layer}.attn_output.weight", heads * dim, width)


def feed_forward_of(model, layer, width, feed_forward):
    model.vector(f"blk.{layer}.ffn_norm.weight", width)
    model.matrix(f"blk.{layer}.ffn_gate.weight", width, feed_forward)
    model.matrix(f"blk.{layer}.ffn_up.weight", width, feed_forward)
    model.matrix(f"blk.{layer}.ffn_down.weight", feed_forward, width)


def llama(seed=1, rope_base=10000.0):
    layers, width, heads, kv_heads, dim, feed_forward = 3, 128, 4, 2, 64, 128
    model = Gguf("llama", seed)
    common(model, layers, width, feed_forward)
    model.own("attention.head_count", U32, heads)
    model.own("attention.head_count_kv", U32, kv_heads)
    model.own("attention.key_length", U32, dim)
    model.own("attention.value_length", U32, dim)
    model.own("rope.dimension_count", U32, dim)
    model.own("rope.freq_base", F32, rope_base)
    # llama.cpp tells the ChatML form by its markers.
    model.set("tokenizer.chat_template", STRING, "{% for m in messages %}<|im_start|>{{ m.role }} ...<|im_end|>{% endfor %}")
    model.vector("output_norm.weight", width)
    for i in range(layers):
        model.vector(f"blk.{i}.attn_norm.weight", width)
        attention(model, i, width, heads, kv_heads, dim)
        feed_forward_of(model, i, width, feed_forward)
    return model


def sliding_window(seed=2):
    layers, width, heads, kv_heads, dim, feed_forward = 4, 128, 2, 1, 64, 128
    model = Gguf("gemma2", seed)
    common(model, layers, width, feed_forward)
    model.own("attention.head_count", U32, heads)
    model.own("attention.head_count_kv", U32, kv_heads)
    model.own("attention.key_length", U32, dim)
    model.own("attention.value_length", U32, dim)
    model.own("attention.sliding_window", U32, 32)
    model.vector("output_norm.weight", width)
    for i in range(layers):
        for norm in ("attn_norm", "post_attention_norm", "post_ffw_norm"):
            model.vector(f"blk.{i}.{norm}.weight", width)
        attention(model, i, width, heads, kv_heads, dim)
        feed_forward_of(model, i, width, feed_forward)
    return model


def mamba(seed=3):
    layers, width, state, kernel, rank = 3, 96, 8, 4, 6
    inner = 2 * width
    model = Gguf("mamba", seed)
    common(model, layers, width, 0)
    model.own("attention.head_count", U32, 0)
    model.own("ssm.conv_kernel", U32, kernel)
    model.own("ssm.inner_size", U32, inner)
    model.own("ssm.state_size", U32, state)
    model.own("ssm.time_step_rank", U32, rank)
    model.vector("output_norm.weight", width)
    for i in range(layers):
        model.vector(f"blk.{i}.attn_norm.weight", width)
        model.matrix(f"blk.{i}.ssm_in.weight", width, 2 * inner)
        model.matrix(f"blk.{i}.ssm_conv1d.weight", kernel, inner, half=False)
        model.vector(f"blk.{i}.ssm_conv1d.bias", inner, middle=0)
        model.matrix(f"blk.{i}.ssm_x.weight", inner, rank + 2 * state)
        model.matrix(f"blk.{i}.ssm_dt.weight", rank, inner)
        # Steps of about 0.05 and slow decay: the state remembers some hundred tokens.
        model.vector(f"blk.{i}.ssm_dt.bias", inner, middle=-3.0, spread=0.5)
        decay = [-(0.1 + 0.05 * (j % state)) for j in range(state * inner)]
        model.tensor(f"blk.{i}.ssm_a", (state, inner), decay, False)
        model.vector(f"blk.{i}.ssm_d", inner)
        model.matrix(f"blk.{i}.ssm_out.weight", inner, width)
    return model


def hybrid(seed=4):
    width, heads, dim, feed_forward, kernel = 128, 2, 64, 128, 3
    kv_heads = [0, 1, 0, 1]  # 0: a recurrent layer
    model = Gguf("lfm2", seed)
    common(model, len(kv_heads), width, feed_forward)
    model.own("attention.head_count", U32, heads)
    model.set_list("lfm2.attention.head_count_kv", I32, kv_heads)
    model.own("shortconv.l_cache", U32, kernel)
    model.own("vocab_size", U32, VOCABULARY)
    model.vector("token_embd_norm.weight", width)
    for i, kv in enumerate(kv_heads):
        model.vector(f"blk.{i}.attn_norm.weight", width)
        if kv:
            model.vector(f"blk.{i}.attn_q_norm.weight", dim)
            model.vector(f"blk.{i}.attn_k_norm.weight", dim)
            attention(model, i, width, heads, kv, dim)
        else:
            model.matrix(f"blk.{i}.shortconv.conv.weight", kernel, width, half=False)
            model.matrix(f"blk.{i}.shortconv.in_proj.weight", width, 3 * width)
            model.matrix(f"blk.{i}.shortconv.out_proj.weight", width, width)
        feed_forward_of(model, i, width, feed_forward)
    return model


def adapter(seed):
    rank, width, kv_width = 4, 128, 128
    model = Gguf("llama", seed)
    model.set("general.type", STRING, "adapter")
    model.set("adapter.type", STRING, "lora")
    model.set("adapter.lora.alpha", F32, 2.0 * rank)
    for i in range(3):
        for part in ("attn_k", "attn_v"):
            model.matrix(f"blk.{i}.{part}.weight.lora_a", width, rank, half=False)
            model.matrix(f"blk.{i}.{part}.weight.lora_b", rank, kv_width, half=False)
    return model


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    models = {
        "llama": llama(), "llama_copy": llama(), "llama_weights": llama(seed=11), "llama_rope": llama(rope_base=500000.0),
        "swa": sliding_window(), "mamba": mamba(), "hybrid": hybrid(), "lora_a": adapter(21), "lora_b": adapter(22),
    }
    for name, model in models.items():
        model.write(os.path.join(folder, name + ".gguf"))


if __name__ == "__main__":
    main()
