"""Trains the built-in byte-level language model of kvc (JAX, CPU).

    python train.py --minutes 60 --out run        # writes run/checkpoint.npz
    python train.py --minutes 2 --out smoke       # smoke test
    python train.py --minutes 60 --resume run/checkpoint.npz --start 0.85 --out run2

The run is limited by wall time, not by steps: learning rate and stages follow
the fraction of the budget that is used up.  A checkpoint is saved every few
minutes, so that a result always exists.  export.py turns it into weights.bin.

The model is a Llama-style decoder: RMSNorm, RoPE (half-split), grouped-query
attention, SwiGLU, no biases, tied embedding.  export.py holds an independent
numpy version of the forward pass.
"""
import argparse
import json
import os
import time

import jax
import jax.numpy as jnp
import numpy as np

import corpus

# ---------------------------------------------------------------- settings
SEED = 1611
N_LAYERS, D_MODEL, N_HEADS, N_KV_HEADS, HEAD_DIM, FFN_DIM = 4, 192, 4, 2, 64, 512
CONTEXT, ROPE_BASE, RMS_EPS = 4096, 10000.0, 1e-5

# (until this fraction of the budget, window length, windows per step).  Most
# of the time goes to short windows, which are cheap; the last stages teach the
# model to use positions up to CONTEXT - 1.
STAGES = ((0.70, 256, 16), (0.85, 1024, 6), (1.00, 4096, 1))

MUON_LR, MUON_MOMENTUM, MUON_DECAY = 0.02, 0.95, 0.02   # matrices of the layers
ADAM_LR, ADAM_B1, ADAM_B2 = 4e-3, 0.9, 0.98             # embedding and norms
WARMUP, DECAY_FROM = 0.01, 0.30    # fractions of the budget: flat in between
ATTN_BLOCK = 512                   # queries handled at once in long windows
SAVE_SECONDS, LOG_STEPS = 60, 50
# -------------------------------------------------------------------------

MATRICES = ("wq", "wk", "wv", "wo", "w_gate", "w_up", "w_down")


def init_params(rng):
    def mat(out_dim, in_dim, zero=False):
        w = rng.standard_normal((out_dim, in_dim)).astype(np.float32) / np.sqrt(in_dim)
        return np.zeros_like(w) if zero else w

    layers = []
    for _ in range(N_LAYERS):
        # wo and w_down start at zero: each block starts as the identity.
        layers.append(dict(
            attn_norm=np.ones(D_MODEL, np.float32),
            wq=mat(N_HEADS * HEAD_DIM, D_MODEL), wk=mat(N_KV_HEADS * HEAD_DIM, D_MODEL),
            wv=mat(N_KV_HEADS * HEAD_DIM, D_MODEL),
            wo=mat(D_MODEL, N_HEADS * HEAD_DIM, zero=True),
            ffn_norm=np.ones(D_MODEL, np.float32),
            w_gate=mat(FFN_DIM, D_MODEL), w_up=mat(FFN_DIM, D_MODEL),
            w_down=mat(D_MODEL, FFN_DIM, zero=True)))
    embed = (0.05 * rng.standard_normal((corpus.VOCAB, D_MODEL))).astype(np.float32)
    return jax.tree.map(jnp.asarray, dict(
        embed=embed, layers=layers, final_norm=np.ones(D_MODEL, np.float32)))


def rms_norm(x, w):
    return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + RMS_EPS) * w


def rope_tables(length):
    inv = ROPE_BASE ** (-np.arange(HEAD_DIM // 2) * 2.0 / HEAD_DIM)
    ang = np.arange(length)[:, None] * inv[None, :]
    return np.cos(ang).astype(np.float32), np.sin(ang).astype(np.float32)


def rope(x, cos, sin):                       # x [B][H][T][64], pairs (i, i+32)
    a, b = jnp.split(x, 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def attention(q, k, v):
    """Causal; q [B][KV][G][T][D], k and v [B][KV][T][D].  Blocks of queries
    see only the keys up to their end, which halves the work of long windows."""
    t = q.shape[3]
    outs = []
    for s in range(0, t, ATTN_BLOCK):
        e = min(s + ATTN_BLOCK, t)
        qb = q[:, :, :, s:e]
        b, h, g, n, d = qb.shape
        sc = jnp.matmul(qb.reshape(b, h, g * n, d), k[:, :, :e].swapaxes(2, 3)) * HEAD_DIM ** -0.5
        sc = sc.reshape(b, h, g, n, e)
        mask = np.arange(e)[None, :] <= np.arange(s, e)[:, None]
        sc = jnp.where(mask, sc, -1e30)
        p = jax.nn.softmax(sc, -1).reshape(b, h, g * n, e)
        outs.append(jnp.matmul(p, v[:, :, :e]).reshape(b, h, g, n, d))
    return outs[0] if len(outs) == 1 else jnp.concatenate(outs, 3)


def forward(p, tokens):
    """logits [B][T][VOCAB]"""
    bsz, t = tokens.shape
    cos, sin = rope_tables(t)
    # Activations stay [B*T][d]: XLA's CPU matrix products are faster in 2-D.
    x = p["embed"][tokens.reshape(-1)]

    def heads(y, n):
        return y.reshape(bsz, t, n, HEAD_DIM).swapaxes(1, 2)

    for l in p["layers"]:
        h = rms_norm(x, l["attn_norm"])
        q = rope(heads(h @ l["wq"].T, N_HEADS), cos, sin)
        k = rope(heads(h @ l["wk"].T, N_KV_HEADS), cos, sin)
        v = heads(h @ l["wv"].T, N_KV_HEADS)
        # Query heads 0,1 read K/V head 0; query heads 2,3 read K/V head 1.
        o = attention(q.reshape(bsz, N_KV_HEADS, -1, t, HEAD_DIM), k, v)
        o = o.reshape(bsz, N_HEADS, t, HEAD_DIM).swapaxes(1, 2).reshape(bsz * t, -1)
        x = x + o @ l["wo"].T
        h = rms_norm(x, l["ffn_norm"])
        x = x + (jax.nn.silu(h @ l["w_gate"].T) * (h @ l["w_up"].T)) @ l["w_down"].T
    return (rms_norm(x, p["final_norm"]) @ p["embed"].T).reshape(bsz, t, -1)


def losses(p, tokens):
    """Negative log likelihood (nats) of tokens[:, 1:], one per position."""
    logits = forward(p, tokens[:, :-1])
    lse = jax.nn.logsumexp(logits, -1)
    return lse - jnp.take_along_axis(logits, tokens[:, 1:, None], -1)[..., 0]


def orthogonalise(g):
    """Muon: five quintic Newton-Schulz steps towards the nearest orthogonal
    matrix (coefficients of Keller Jordan's published version)."""
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / (jnp.linalg.norm(x) + 1e-7)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return x.T if tall else x


def update(p, m, v, grads, step, lr):
    """One optimiser step; lr is the fraction 0..1 of the peak rates."""
    def leaf(path, w, mw, vw, g):
        if path[-1].key in MATRICES:
            mw = MUON_MOMENTUM * mw + (1 - MUON_MOMENTUM) * g
            o = orthogonalise((1 - MUON_MOMENTUM) * g + MUON_MOMENTUM * mw)
            scale = max(1.0, w.shape[0] / w.shape[1]) ** 0.5
            return w - lr * MUON_LR * (scale * o + MUON_DECAY * w), mw, vw
        mw = ADAM_B1 * mw + (1 - ADAM_B1) * g
        vw = ADAM_B2 * vw + (1 - ADAM_B2) * g * g
        mh, vh = mw / (1 - ADAM_B1 ** step), vw / (1 - ADAM_B2 ** step)
        return w - lr * ADAM_LR * mh / (jnp.sqrt(vh) + 1e-8), mw, vw

    out = jax.tree_util.tree_map_with_path(leaf, p, m, v, grads)
    pick = lambda i: jax.tree.map(lambda o: o[i], out, is_leaf=lambda o: isinstance(o, tuple))
    return pick(0), pick(1), pick(2)


@jax.jit
def train_step(p, m, v, tokens, step, lr):
    loss, grads = jax.value_and_grad(lambda q: losses(q, tokens).mean())(p)
    p, m, v = update(p, m, v, grads, step, lr)
    return p, m, v, loss


eval_losses = jax.jit(losses)


def heldout_bits(p, held, length, batch, limit=None):
    """Mean bits per byte over held-out windows, and the per-position means."""
    w = corpus.heldout_windows(held, length)[:limit]
    rows = [np.asarray(eval_losses(p, w[i:i + batch])) for i in range(0, len(w) - batch + 1, batch)]
    per_pos = np.concatenate(rows).mean(0) / np.log(2)
    return float(per_pos.mean()), per_pos


def save(path, p):
    flat = {"embed": p["embed"], "final_norm": p["final_norm"]}
    for i, l in enumerate(p["layers"]):
        flat.update({"layers.%d.%s" % (i, k): a for k, a in l.items()})
    np.savez(path + ".tmp.npz", **{k: np.asarray(a) for k, a in flat.items()},
             config=np.array([N_LAYERS, D_MODEL, N_HEADS, N_KV_HEADS, HEAD_DIM, FFN_DIM,
                              corpus.VOCAB, CONTEXT]),
             config_f=np.array([ROPE_BASE, RMS_EPS], np.float32))
    os.replace(path + ".tmp.npz", path)      # never leaves a half-written file


def load(path):
    z, p = np.load(path), {"layers": [{} for _ in range(N_LAYERS)]}
    for name in z.files:
        part = name.split(".")
        if len(part) == 3:
            p["layers"][int(part[1])][part[2]] = jnp.asarray(z[name])
        elif not name.startswith("config"):
            p[name] = jnp.asarray(z[name])
    return p


def lr_at(frac):
    if frac < WARMUP:
        return frac / WARMUP + 1e-3
    return min(1.0, max(0.0, (1 - frac) / (1 - DECAY_FROM)))


def main():
    global ROPE_BASE
    ap = argparse.ArgumentParser()
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--out", default="run")
    ap.add_argument("--resume", help="start from the weights of this checkpoint")
    ap.add_argument("--start", type=float, default=0.0,
                    help="with --resume: enter the schedule at this fraction of --minutes")
    ap.add_argument("--rope-base", type=float, default=ROPE_BASE)
    args = ap.parse_args()
    ROPE_BASE = args.rope_base               # read while the step is traced
    os.makedirs(args.out, exist_ok=True)
    log = open(os.path.join(args.out, "log.jsonl"), "w", buffering=1)

    def say(**kw):
        log.write(json.dumps(kw) + "\n")
        print(" ".join("%s=%s" % (k, round(x, 4) if isinstance(x, float) else x)
                       for k, x in kw.items()), flush=True)

    rng = np.random.default_rng(SEED)
    train, held = corpus.split()
    tokens = corpus.stream(train)
    starts = corpus.line_starts(tokens)
    p = load(args.resume) if args.resume else init_params(rng)
    m = jax.tree.map(jnp.zeros_like, p)
    v = jax.tree.map(jnp.zeros_like, p)
    say(params=sum(a.size for a in jax.tree.leaves(p)), train_bytes=len(tokens), seed=SEED)

    ckpt = os.path.join(args.out, "checkpoint.npz")
    budget = args.minutes * 60
    t0 = time.time() - args.start * budget
    step = seen = 0
    recent, last_save, last_eval, mark = [], time.time(), time.time(), (time.time(), 0)
    while True:
        frac = (time.time() - t0) / budget
        if frac >= 1:
            break
        _, length, batch = next(s for s in STAGES if frac < s[0])
        s = starts[starts <= len(tokens) - length]
        s = rng.choice(s, batch)
        window = np.empty((batch, length + 1), np.int32)
        window[:, 0] = corpus.BOS
        window[:, 1:] = tokens[s[:, None] + np.arange(length)]
        step += 1
        p, m, v, loss = train_step(p, m, v, window, float(step), lr_at(frac))
        recent.append(float(loss))
        seen += batch * length
        now = time.time()
        if step % LOG_STEPS == 0 or step in (1, 5, 20):
            say(step=step, frac=frac, length=length, seen=seen,
                train_bits=float(np.mean(recent[-LOG_STEPS:]) / np.log(2)),
                tok_s=(seen - mark[1]) / (now - mark[0]), lr=lr_at(frac))
            mark = (now, seen)
        if now - last_save > SAVE_SECONDS:
            save(ckpt, p)
            last_save = now
        if now - last_eval > 2 * SAVE_SECONDS:
            say(step=step, frac=frac, heldout_bits_256=heldout_bits(p, held, 257, 16, 160)[0])
            last_eval = now
    save(ckpt, p)
    mean, pos = heldout_bits(p, held, CONTEXT + 1, 1)
    say(done=True, steps=step, seen=seen, seconds=time.time() - t0, heldout_bits_4096=mean,
        pos_0_255=float(pos[:256].mean()), pos_256_1023=float(pos[256:1024].mean()),
        pos_1024_4095=float(pos[1024:].mean()))


if __name__ == "__main__":
    main()
