"""Turns a checkpoint of train.py into weights.bin and the C++ test fixture.

    python export.py run/checkpoint.npz            # writes everything
    python export.py run/checkpoint.npz --windows 2    # shorter evaluation

Writes (relative to this file)
    ../weights.bin                                 int8 weights
    ../../../../tests/model/builtin_reference.json expected logits and tokens
    ../../../../tests/model/heldout.txt            excerpt never trained on

The forward pass below is numpy only and independent of train.py.  It reads the
weights back from weights.bin and dequantises them, so that the fixture checks
exactly the bytes that are committed.  It is also the reference for a C++
implementer: follow Model.run().

weights.bin, little-endian; every section starts at a multiple of 64 bytes from
the start of the file, zero padded:
    header   8 bytes "KVCLM001"; u32 n_layers, d_model, n_heads, n_kv_heads,
             head_dim, ffn_dim, vocab, context; f32 rope_base, rms_eps
    tensors  embed; per layer attn_norm, wq, wk, wv, wo, ffn_norm, w_gate,
             w_up, w_down; final_norm
A norm is one section f32[d_model].  A matrix [out][in] is two sections:
f32 scale[out], then int8 data[out][in] row-major; value = scale[row] * data.
"""
import argparse
import json
import os
import struct

import numpy as np

import corpus

HERE = os.path.dirname(os.path.abspath(__file__))
WEIGHTS = os.path.join(HERE, "..", "weights.bin")
TESTS = os.path.join(HERE, "..", "..", "..", "..", "tests", "model")
MAGIC = b"KVCLM001"
HEADER = struct.Struct("<8s8I2f")
NORMS = ("attn_norm", "ffn_norm", "final_norm")
HELDOUT_BYTES = 16384
GREEDY_STEPS = 48


def tensor_shapes(c):
    """(name, shape) in file order."""
    d, q, kv, f = (c["d_model"], c["n_heads"] * c["head_dim"],
                   c["n_kv_heads"] * c["head_dim"], c["ffn_dim"])
    out = [("embed", (c["vocab"], d))]
    for i in range(c["n_layers"]):
        out += [("layers.%d.%s" % (i, n), s) for n, s in (
            ("attn_norm", (d,)), ("wq", (q, d)), ("wk", (kv, d)), ("wv", (kv, d)),
            ("wo", (d, q)), ("ffn_norm", (d,)), ("w_gate", (f, d)), ("w_up", (f, d)),
            ("w_down", (d, f)))]
    return out + [("final_norm", (d,))]


CONFIG_NAMES = ("n_layers", "d_model", "n_heads", "n_kv_heads", "head_dim", "ffn_dim",
                "vocab", "context", "rope_base", "rms_eps")


def write_weights(ckpt, path):
    z = np.load(ckpt)
    c = dict(zip(CONFIG_NAMES, [int(i) for i in z["config"]] + [float(x) for x in z["config_f"]]))
    # Replaced in one go: a test that runs meanwhile never sees half a file.
    with open(path + ".tmp", "wb") as f:
        def section(data):
            f.write(b"\0" * (-f.tell() % 64))
            f.write(data)

        section(HEADER.pack(MAGIC, *[c[n] for n in CONFIG_NAMES]))
        for name, shape in tensor_shapes(c):
            a = z[name]
            assert a.shape == shape, (name, a.shape, shape)
            if len(shape) == 1:
                section(a.astype("<f4").tobytes())
                continue
            scale = (np.abs(a).max(1) / 127).astype("<f4")
            scale[scale == 0] = 1
            section(scale.tobytes())
            section(np.clip(np.rint(a / scale[:, None]), -127, 127).astype(np.int8).tobytes())
    os.replace(path + ".tmp", path)
    return c


class Model:
    """Independent forward pass.  With kv_f16, K (after RoPE) and V are rounded
    to f16 before use, as the C++ side stores them."""

    def __init__(self, c, tensors, kv_f16=True):
        self.c, self.t, self.kv_f16 = c, tensors, kv_f16
        half = c["head_dim"] // 2
        inv = c["rope_base"] ** (-np.arange(half) * 2.0 / c["head_dim"])
        ang = np.arange(c["context"])[:, None] * inv            # float64
        self.cos, self.sin = np.cos(ang).astype(np.float32), np.sin(ang).astype(np.float32)

    @staticmethod
    def from_checkpoint(ckpt, kv_f16):
        z = np.load(ckpt)
        c = dict(zip(CONFIG_NAMES,
                     [int(i) for i in z["config"]] + [float(x) for x in z["config_f"]]))
        return Model(c, {n: z[n] for n, _ in tensor_shapes(c)}, kv_f16)

    @staticmethod
    def from_file(path, kv_f16=True):
        raw = open(path, "rb").read()
        magic, *fields = HEADER.unpack_from(raw)
        assert magic == MAGIC
        c = dict(zip(CONFIG_NAMES, fields))
        pos, tensors = HEADER.size, {}

        def section(count, dtype):
            nonlocal pos
            pos += -pos % 64
            a = np.frombuffer(raw, dtype, count, pos)
            pos += a.nbytes
            return a

        for name, shape in tensor_shapes(c):
            if len(shape) == 1:
                tensors[name] = section(shape[0], "<f4")
            else:
                scale = section(shape[0], "<f4")
                data = section(shape[0] * shape[1], np.int8).reshape(shape)
                tensors[name] = scale[:, None] * data.astype(np.float32)
        assert pos == len(raw)
        return Model(c, tensors, kv_f16)

    def cache(self):
        """Empty K/V: one (K, V) pair of [n_kv_heads][n][head_dim] per layer."""
        e = np.zeros((self.c["n_kv_heads"], 0, self.c["head_dim"]), np.float32)
        return [(e, e) for _ in range(self.c["n_layers"])]

    def norm(self, x, w):
        ms = np.mean(x.astype(np.float64) ** 2, -1, keepdims=True) + self.c["rms_eps"]
        return (x / np.sqrt(ms)).astype(np.float32) * w

    def rope(self, x, pos):                       # x [heads][n][head_dim]
        half = self.c["head_dim"] // 2
        a, b = x[..., :half], x[..., half:]
        cos, sin = self.cos[pos], self.sin[pos]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    def run(self, tokens, cache):
        """Appends tokens to cache (in place); logits [n][vocab]."""
        c, t = self.c, self.t
        hd, nh, nkv = c["head_dim"], c["n_heads"], c["n_kv_heads"]
        n, past = len(tokens), cache[0][0].shape[1]
        pos = np.arange(past, past + n)
        x = t["embed"][np.asarray(tokens)]
        for i in range(c["n_layers"]):
            w = lambda name: t["layers.%d.%s" % (i, name)]
            split = lambda y, heads: y.reshape(n, heads, hd).transpose(1, 0, 2)
            h = self.norm(x, w("attn_norm"))
            q = self.rope(split(h @ w("wq").T, nh), pos)
            k = self.rope(split(h @ w("wk").T, nkv), pos)
            v = split(h @ w("wv").T, nkv)
            if self.kv_f16:
                k, v = (a.astype(np.float16).astype(np.float32) for a in (k, v))
            k = np.concatenate([cache[i][0], k], 1)
            v = np.concatenate([cache[i][1], v], 1)
            cache[i] = (k, v)
            heads = []
            for head in range(nh):                # query head -> K/V head
                g = head * nkv // nh
                s = (q[head] @ k[g].T) / np.sqrt(np.float32(hd))
                s[np.arange(past + n)[None, :] > pos[:, None]] = -np.inf
                s = np.exp(s - s.max(1, keepdims=True))
                heads.append((s / s.sum(1, keepdims=True)) @ v[g])
            x = x + np.concatenate(heads, 1) @ w("wo").T
            h = self.norm(x, w("ffn_norm"))
            gate = h @ w("w_gate").T
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w("w_up").T)) @ w("w_down").T
        return self.norm(x, t["final_norm"]) @ t["embed"].T


def nll_bits(model, window, block=512):
    """Bits of each byte of one window [BOS, b0, b1, ...]."""
    cache, out = model.cache(), []
    for s in range(0, len(window) - 1, block):
        inp = window[s:min(s + block, len(window) - 1)]
        lg = model.run(inp, cache).astype(np.float64)
        lg -= lg.max(1, keepdims=True)
        lse = np.log(np.exp(lg).sum(1))
        out.append((lse - lg[np.arange(len(inp)), window[s + 1:s + 1 + len(inp)]]) / np.log(2))
    return np.concatenate(out)


BUCKETS = ((0, 256), (256, 1024), (1024, 4095))


def evaluate(model, windows):
    bits = np.mean([nll_bits(model, w) for w in windows], 0)
    res = {"mean": round(float(bits.mean()), 4)}
    for a, b in BUCKETS:
        if len(bits) > a:
            res["%d-%d" % (a, b - 1)] = round(float(bits[a:b].mean()), 4)
    return res


def greedy(model, prompt, steps):
    cache = model.cache()
    logits = model.run(prompt, cache)[-1]
    first, toks, margins = logits, [], []
    for _ in range(steps):
        o = np.argsort(-logits, kind="stable")
        toks.append(int(o[0]))
        margins.append(round(float(logits[o[0]] - logits[o[1]]), 6))
        logits = model.run([toks[-1]], cache)[-1]
    return first, toks, margins


def sample(model, prompt, steps, temperature, seed):
    rng, cache = np.random.default_rng(seed), model.cache()
    logits, toks = model.run(prompt, cache)[-1], []
    for _ in range(steps):
        z = logits.astype(np.float64) / temperature
        pr = np.exp(z - z.max())
        toks.append(int(rng.choice(len(pr), p=pr / pr.sum())))
        if toks[-1] >= 256:
            break
        logits = model.run([toks[-1]], cache)[-1]
    return toks


def text(toks):
    return bytes(t for t in toks if t < 256).decode("latin-1")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("checkpoint")
    ap.add_argument("--windows", type=int, default=0,
                    help="evaluate this many held-out windows, evenly spaced (0: all)")
    args = ap.parse_args()

    cfg = write_weights(args.checkpoint, WEIGHTS)
    model = Model.from_file(WEIGHTS)
    params = sum(int(np.prod(s)) for _, s in tensor_shapes(cfg))
    print("config", cfg, "parameters", params, "weights.bin", os.path.getsize(WEIGHTS), "bytes")

    # The excerpt is simply the start of the held-out books, in their order.
    _, held = corpus.split()
    excerpt = b"\n".join(t for _, t in held)[:HELDOUT_BYTES]
    os.makedirs(TESTS, exist_ok=True)
    with open(os.path.join(TESTS, "heldout.txt"), "wb") as f:
        f.write(excerpt)

    windows = corpus.heldout_windows(held, 4096)
    if args.windows:
        windows = windows[np.linspace(0, len(windows) - 1, args.windows).astype(int)]
    figures = {
        "float": evaluate(Model.from_checkpoint(args.checkpoint, False), windows),
        "int8": evaluate(Model.from_file(WEIGHTS, False), windows),
        "int8_kv_f16": evaluate(model, windows)}
    ex = np.frombuffer(excerpt, np.uint8).astype(np.int32)
    step = 4095
    ex_windows = [np.concatenate([[corpus.BOS], ex[i:i + step]])
                  for i in range(0, len(ex) - step + 1, step)]
    figures["heldout_txt_int8_kv_f16"] = evaluate(model, ex_windows)
    for k, r in figures.items():
        print(k, r)

    ruth = dict(held)["Ruth"]
    prompts = [("short", b"In the beginning "), ("medium", ruth[:300]),
               ("long", dict(held)["James"][:1500])]
    cases = []
    for name, b in prompts:
        ids = [corpus.BOS] + list(b)
        first, toks, margins = greedy(model, ids, GREEDY_STEPS)
        top = np.argsort(-first, kind="stable")[:5]
        cases.append({"name": name, "prompt": ids,
                      "top5": [[int(i), round(float(first[i]), 6)] for i in top],
                      "greedy": toks, "margins": margins})
        print(name, repr(text(toks)), "smallest margin", min(margins))
    ref = {"comment": "written by src/model/builtin/train/export.py from weights.bin; "
                      "int8 weights dequantised to float32, K (after RoPE) and V rounded to f16; "
                      "the text was held out from training",
           "config": cfg, "heldout_bits_per_byte": figures["int8_kv_f16"]["mean"],
           "heldout_txt_bits_per_byte": figures["heldout_txt_int8_kv_f16"]["mean"],
           "heldout_txt_note": "mean over consecutive windows of BOS + 4095 bytes of heldout.txt, "
                               "each scored from an empty cache; a last partial window is dropped",
           "figures": figures, "figures_windows": len(windows), "cases": cases}
    fixture = os.path.join(TESTS, "builtin_reference.json")
    with open(fixture + ".tmp", "w") as f:
        # One line per key: readable diffs without a line per token.
        f.write("{\n" + ",\n".join('  %s: %s' % (json.dumps(k), json.dumps(v) if k != "cases" else
                "[\n    " + ",\n    ".join(json.dumps(x) for x in v) + "\n  ]")
                for k, v in ref.items()) + "\n}\n")
    os.replace(fixture + ".tmp", fixture)

    prompt = [corpus.BOS] + list(b"And it came to pass")
    print("--- greedy\n" + text(prompt + greedy(model, prompt, 300)[1]))
    print("--- temperature 0.8\n" + text(prompt + sample(model, prompt, 500, 0.8, 1)))


if __name__ == "__main__":
    main()
