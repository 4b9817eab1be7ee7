"""A model written in Python behind kvc: kvc batches, streams, cancels, and keeps its K/V."""
import kvc
import numpy as np

LAYERS, HEADS, DIM, VOCAB = 1, 1, 8, 256


class Echo(kvc.Backend):
    """Attends to all keys so far and answers with the token that followed the last time the same token came."""

    def describe(self):
        space = kvc.SpaceDesc(weights=b"echo-1", tokenizer=None, rope=None, adapters=None, attention=None, n_layers=LAYERS,
                              n_kv_heads=HEADS, k_head_dim=DIM, page_tokens=16, vocab_size=VOCAB)
        return kvc.ModelInfo("echo", space, context=1024)

    def tokenize(self, text):
        return list(text)

    def detokenize(self, token):
        return bytes([token])

    def forward(self, items):
        for item in items:
            rows = np.zeros((len(item.tokens), HEADS, DIM), np.float32)
            rows[:, 0, 0] = item.tokens
            item.session.append_all([rows], [rows])
            if item.logits is not None:
                n = item.position + len(item.tokens)
                past = item.session.read(0, kvc.Plane.KEY, 0, n, np.empty((n, HEADS, DIM), np.float32))[:, 0, 0]
                seen = np.flatnonzero(past[:-1] == past[-1])
                logits = np.asarray(item.logits)
                logits[:] = 0
                logits[int(past[seen[-1] + 1]) if len(seen) else ord("?")] = 1


with kvc.Engine(backend=Echo(), memory="16MiB") as engine:
    for _ in range(2):
        answer = engine.process("the cat sat on the mat and the cat", max_tokens=24)
        print(repr(answer.text), f"{answer.cached_tokens} tokens cached")
