"""Whether codec auto keeps its bound on texts that it has not learned from: what `bench/quality --bounds` does.

One engine learns a space from one text; the K/V of others are appended and attended to page by page, as a model does, and sealed
(no exact window); then all queries of their second halves attend to all of it by kvc_session_attend. Most pages were sealed
before any of these queries was known. The error of a head is that of its output over these queries, in the
2-norm, relative to attention in numpy over the K/V as they were (f16)."""
import numpy as np

PAGE = 64


def capture(model, tokens):
    """Queries, keys and values of all layers, f16: [layer][token][head][dim]."""
    n = len(tokens)
    q = np.empty((model.layers, n, model.heads, model.dim), np.float16)
    k = np.empty((model.layers, n, model.kv_heads, model.dim), np.float16)
    v = np.empty_like(k)

    def see(layer, *rows):
        q[layer], k[layer], v[layer] = rows

    model.log_probs(tokens, n - 1, see=see)
    return q, k, v


def attention(q, k, v, first):
    """Of the queries from position `first` on, causal: [query][head][dim]."""
    n, group = len(k), q.shape[1] // k.shape[1]
    out = np.empty(q[first:].shape, np.float32)
    later = np.arange(n)[None] > np.arange(first, n)[:, None]
    for head in range(q.shape[1]):
        score = q[first:, head].astype(np.float32) @ k[:, head // group].astype(np.float32).T * q.shape[2] ** -0.5
        score[later] = -np.inf
        score = np.exp(score - score.max(1, keepdims=True))
        out[:, head] = score / score.sum(1, keepdims=True) @ v[:, head // group].astype(np.float32)
    return out


def measure(model, bound, learn, texts):
    """learn, texts: (tokens, q, k, v). Shares of query heads and of K/V heads (the query heads that read it together) within the
    bound, the worst error, and the mean bits of the pages."""
    import kvc
    engine = kvc.Engine(model="none", memory="8GiB", codec="auto", codec_bound=bound, codec_window=0)
    space = engine.open_space(
        weights=b"bounds", tokenizer=None, rope=kvc.Rope(base=model.rope_base, dims=model.dim, interleaved=1), adapters=None,
        attention=None, n_layers=model.layers, n_kv_heads=model.kv_heads, k_head_dim=model.dim, dtype=kvc.DType.F16,
        page_tokens=PAGE)

    def append(session, tokens, q, k, v):
        for at in range(0, len(tokens) // PAGE * PAGE, PAGE):
            for layer in range(model.layers):
                session.append(layer, *(np.ascontiguousarray(x[layer, at:at + PAGE]) for x in (k, v)))
                session.attend(layer, np.ascontiguousarray(q[layer, at:at + PAGE]))
            session.commit(tokens[at:at + PAGE].tolist())

    with space.open_session() as session:
        append(session, *learn)
    before, heads, kv_heads = engine.stats(), [], []
    for tokens, q, k, v in texts:
        n = len(tokens) // PAGE * PAGE
        with space.open_session() as session:
            append(session, tokens, q, k, v)
            for layer in range(model.layers):
                got = session.attend(layer, np.ascontiguousarray(q[layer, n // 2:n]).astype(np.float32))
                want = attention(q[layer, :n], k[layer, :n], v[layer, :n], n // 2)
                off, energy = ((got - want) ** 2).sum((0, 2)), (want ** 2).sum((0, 2))
                heads.append(np.sqrt(off / energy))
                kv_heads.append(np.sqrt(off.reshape(model.kv_heads, -1).sum(1) / energy.reshape(model.kv_heads, -1).sum(1)))
    now = engine.stats()
    raw = now.encoded_raw_bytes - before.encoded_raw_bytes
    clear = now.pages_kept_clear - before.pages_kept_clear
    encoded = now.pages_encoded - before.pages_encoded
    bits = (16 * (now.encoded_bytes - before.encoded_bytes) / raw * encoded + 16 * clear) / (encoded + clear) if raw else 16.0
    heads, kv_heads = np.concatenate(heads), np.concatenate(kv_heads)
    return {"bound": bound, "met": float((heads <= bound).mean()), "met_kv_heads": float((kv_heads <= bound).mean()),
            "worst": float(heads.max()), "worst_kv_head": float(kv_heads.max()), "heads": len(heads), "bits": round(bits, 3),
            "pages_kept_clear": int(clear)}
