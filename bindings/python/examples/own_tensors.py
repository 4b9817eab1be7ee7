"""Your runtime computes K/V as arrays of numpy or torch; kvc remembers them and finds them again by their tokens."""
import kvc
import numpy as np

LAYERS, HEADS, DIM = 4, 2, 64


def compute(tokens):
    """Stands for a model's prefill: K (and V) of tokens, one array [tokens][heads][dim] a layer."""
    rows = np.repeat(np.asarray(tokens, np.float32), HEADS * DIM).reshape(len(tokens), HEADS, DIM)
    return [rows + layer / 10 for layer in range(LAYERS)]


with kvc.Engine(model="none", memory="64MiB") as engine:
    space = engine.open_space(weights=b"digest of the weights", tokenizer=b"digest of the tokenizer",
                              rope=kvc.Rope(base=10000, dims=DIM), adapters=None, attention=None,
                              n_layers=LAYERS, n_kv_heads=HEADS, k_head_dim=DIM, dtype=kvc.DType.F32)
    prompt = list(range(200))
    for _ in range(2):
        with space.open_session() as session:
            reused = session.match(prompt)
            rest = prompt[reused:]
            if rest:
                kv = compute(rest)
                session.append_all(kv, kv)
                session.commit(rest)
            keys = session.read(3, kvc.Plane.KEY, 0, len(prompt))
            print(f"{reused} tokens reused, {len(rest)} computed; K of layer 3, token 150: {keys[150, 0, 0]:.1f}")
    print([(page.position, page.n_tokens, page.hits) for page in engine.pages()])
