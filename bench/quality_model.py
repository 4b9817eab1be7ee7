"""A llama-family model from a GGUF in numpy, with a hook where attention takes its K/V: for judging codecs by what they do to
the model's next-token distributions. Weights are dequantised to f32; nothing but K/V differs between two runs."""
import numpy as np

BLOCK = 64  # queries


class Model:
    def __init__(self, path):
        from gguf import GGUFReader, dequantize
        reader = GGUFReader(path)
        field = lambda key: reader.fields["llama." + key].contents()
        self.layers, self.heads, self.kv_heads = field("block_count"), field("attention.head_count"), field("attention.head_count_kv")
        self.dim = field("embedding_length") // self.heads
        self.rope_base, self.eps = field("rope.freq_base"), field("attention.layer_norm_rms_epsilon")
        self.weights = {}
        for tensor in reader.tensors:
            array = dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            self.weights[tensor.name] = array.T.copy() if array.ndim == 2 and tensor.name != "token_embd.weight" else array
        self.vocabulary = reader.fields["tokenizer.ggml.tokens"].contents()
        self.merges = reader.fields["tokenizer.ggml.merges"].contents()

    def tokenize(self, text):
        from tokenizers import Tokenizer, models, pre_tokenizers
        bpe = models.BPE({token: i for i, token in enumerate(self.vocabulary)}, [tuple(m.split(" ", 1)) for m in self.merges])
        tokenizer = Tokenizer(bpe)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
        return np.array(tokenizer.encode(text).ids, np.int32)

    def rope(self, x):
        """x [token][head][dim], interleaved pairs, positions from 0."""
        inverse = self.rope_base ** (-np.arange(0, self.dim, 2) / self.dim)
        angle = np.outer(np.arange(len(x)), inverse)[:, None]
        c, s = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
        out = np.empty_like(x)
        out[..., 0::2] = x[..., 0::2] * c - x[..., 1::2] * s
        out[..., 1::2] = x[..., 0::2] * s + x[..., 1::2] * c
        return out

    def norm(self, x, w):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.eps) * w

    def attention(self, q, k, v, k2, v2, exact):
        """Causal attention over k2 and v2; over k and v where exact [query][key] says so. By blocks of queries, each with the
        keys that it may see, so that the scores of a block stay in a processor's cache."""
        n, group, dim = len(q), self.heads // self.kv_heads, self.dim
        out = np.empty((n, self.heads, dim), np.float32)
        heads = lambda x: [np.ascontiguousarray(x[:, g]) for g in range(self.kv_heads)]
        k, v, k2, v2 = (heads(x) for x in (k, v, k2, v2))
        for at in range(0, n, BLOCK):
            end = min(at + BLOCK, n)
            own = exact[at:end, None, :end] if exact is not None else None
            for g in range(self.kv_heads):
                rows = q[at:end, g * group:(g + 1) * group].reshape(-1, dim) * np.float32(dim ** -0.5)
                score = (rows @ k2[g][:end].T).reshape(end - at, group, end)
                if own is not None:
                    score = np.where(own, (rows @ k[g][:end].T).reshape(score.shape), score)
                np.copyto(score[:, :, at:], np.float32(-1e30), where=np.triu(np.ones((end - at,) * 2, bool), 1)[:, None])
                score -= score.max(-1, keepdims=True)
                np.exp(score, out=score)
                total = score.sum(-1)
                if own is not None:
                    exactly = (score * own).reshape(-1, end)
                    o = (score.reshape(-1, end) - exactly) @ v2[g][:end] + exactly @ v[g][:end]
                else:
                    o = score.reshape(-1, end) @ v2[g][:end]
                out[at:end, g * group:(g + 1) * group] = o.reshape(end - at, group, dim) / total[:, :, None]
        return out

    def log_probs(self, tokens, first, codec=None, exact=None, see=None):
        """Log probabilities after each token from `first` on. codec(layer, k, v) -> what attention uses instead; exact
        [query][key] says where it uses k and v themselves; see(layer, q, k, v) is shown them. Keys and queries after RoPE."""
        w, n = self.weights, len(tokens)
        x = w["token_embd.weight"][tokens]
        for layer in range(self.layers):
            p = f"blk.{layer}."
            h = self.norm(x, w[p + "attn_norm.weight"])
            q = self.rope((h @ w[p + "attn_q.weight"]).reshape(n, self.heads, self.dim))
            k = self.rope((h @ w[p + "attn_k.weight"]).reshape(n, self.kv_heads, self.dim))
            v = (h @ w[p + "attn_v.weight"]).reshape(n, self.kv_heads, self.dim)
            if see:
                see(layer, q, k, v)
            k2, v2 = codec(layer, k, v) if codec else (k, v)
            out = self.attention(q, k, v, k2, v2, exact if codec else None)
            x = x + out.reshape(n, -1) @ w[p + "attn_output.weight"]
            h = self.norm(x, w[p + "ffn_norm.weight"])
            gate = h @ w[p + "ffn_gate.weight"]
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w[p + "ffn_up.weight"])) @ w[p + "ffn_down.weight"]
        z = self.norm(x[first:], w["output_norm.weight"]) @ w["token_embd.weight"].T
        z -= z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))
