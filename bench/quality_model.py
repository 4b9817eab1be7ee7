"""A llama-family model from a GGUF in numpy, with a hook where attention takes its K/V: for judging codecs by what they do to
the model's next-token distributions. Weights are dequantised to f32; nothing but K/V differs between two runs."""
import numpy as np


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

    def log_probs(self, tokens, first, codec=None, exact=None, see=None):
        """Log probabilities after each token from `first` on. codec(layer, k, v) -> what attention uses instead; exact
        [query][key] says where it uses k and v themselves; see(layer, q, k, v) is shown them. Keys and queries after RoPE."""
        w, n, group = self.weights, len(tokens), self.heads // self.kv_heads
        x = w["token_embd.weight"][tokens]
        later = np.triu(np.ones((n, n), bool), 1)
        for layer in range(self.layers):
            p = f"blk.{layer}."
            h = self.norm(x, w[p + "attn_norm.weight"])
            q = self.rope((h @ w[p + "attn_q.weight"]).reshape(n, self.heads, self.dim))
            k = self.rope((h @ w[p + "attn_k.weight"]).reshape(n, self.kv_heads, self.dim))
            v = (h @ w[p + "attn_v.weight"]).reshape(n, self.kv_heads, self.dim)
            if see:
                see(layer, q, k, v)
            k2, v2 = codec(layer, k, v) if codec else (k, v)
            out = np.empty((n, self.heads, self.dim), np.float32)
            for g in range(self.kv_heads):
                rows = q[:, g * group:(g + 1) * group].reshape(-1, self.dim) * np.float32(self.dim ** -0.5)
                score = (rows @ k2[:, g].T).reshape(n, group, n)
                if codec and exact is not None:
                    score = np.where(exact[:, None], (rows @ k[:, g].T).reshape(n, group, n), score)
                score = np.where(later[:, None], np.float32(-1e30), score)
                score = np.exp(score - score.max(-1, keepdims=True))
                score /= score.sum(-1, keepdims=True)
                if codec and exact is not None:
                    own = (score * exact[:, None]).reshape(-1, n)
                    o = (score.reshape(-1, n) - own) @ v2[:, g] + own @ v[:, g]
                else:
                    o = score.reshape(-1, n) @ v2[:, g]
                out[:, g * group:(g + 1) * group] = o.reshape(n, group, self.dim)
            x = x + out.reshape(n, -1) @ w[p + "attn_output.weight"]
            h = self.norm(x, w[p + "ffn_norm.weight"])
            gate = h @ w[p + "ffn_gate.weight"]
            x = x + (gate / (1 + np.exp(-gate)) * (h @ w[p + "ffn_up.weight"])) @ w[p + "ffn_down.weight"]
        z = self.norm(x[first:], w["output_norm.weight"]) @ w["token_embd.weight"].T
        z -= z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))
