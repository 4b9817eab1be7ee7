"""Hugging Face transformers: `model.generate` with K/V from kvc.

    store = kvc.transformers.Store(model, memory="2GiB")
    with store.cache(input_ids) as cache:
        output = model.generate(input_ids, past_key_values=cache, max_new_tokens=64)
        cache.commit(output)

cache() finds the longest prefix of input_ids that was ever committed and loads its K/V, so that generate computes only the rest;
commit() stores what is new. A lossy option `codec` makes what is stored smaller: then a restored prefix is as exact as the codec.
"""
import hashlib
import json

import torch
import transformers

from .constants import DType, MissReason, Status
from .engine import Engine
from .errors import error_of
from .space import Rope, SpaceDesc

_DTYPES = {torch.float32: DType.F32, torch.float16: DType.F16, torch.bfloat16: DType.BF16}
# What a configuration says that K/V does not depend on.
_NOT_IDENTITY = ("_name_or_path", "transformers_version", "use_cache", "torch_dtype", "dtype", "architectures",
                 "bos_token_id", "eos_token_id", "pad_token_id")


def digest_of_weights(model):
    """SHA-256 over names, shapes and bytes of all parameters and buffers."""
    h = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        tensor = tensor.detach().cpu().contiguous()
        h.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        h.update(tensor.flatten().view(torch.uint8).numpy().data if tensor.numel() else b"")
    return h.digest()


def identity_of(model, weights=None, page_tokens=0):
    """The SpaceDesc of a model. weights: a digest of its weights, for those who have one already."""
    config = model.config
    told = config.to_dict()
    for name in _NOT_IDENTITY:
        told.pop(name, None)
    heads = config.num_attention_heads
    dim = getattr(config, "head_dim", None) or config.hidden_size // heads
    base = getattr(config, "rope_theta", None) or (getattr(config, "rope_parameters", None) or {}).get("rope_theta")
    scaling = getattr(config, "rope_scaling", None)
    # The whole configuration counts: whatever differs in it makes another space, at worst one too many.
    attention = f"{type(model).__name__} {getattr(config, '_attn_implementation', '')} {json.dumps(told, sort_keys=True, default=str)}"
    dtype = _DTYPES.get(model.dtype)
    if dtype is None:
        raise error_of(Status.DTYPE, f"the model computes in {model.dtype}; float32, float16 and bfloat16 can be kept")
    rope = Rope(base=float(base), dims=dim, scaling=json.dumps(scaling, sort_keys=True, default=str) if scaling else "none") if base else None
    return SpaceDesc(weights=weights or digest_of_weights(model), tokenizer=None, rope=rope, adapters=None,
                     attention=hashlib.sha256(attention.encode()).hexdigest(), n_layers=config.num_hidden_layers,
                     n_kv_heads=getattr(config, "num_key_value_heads", None) or heads, k_head_dim=dim, dtype=dtype,
                     page_tokens=page_tokens, vocab_size=config.vocab_size, label=getattr(config, "_name_or_path", "") or None)


class Store:
    """What is kept of one model. Several stores may share an engine. Any thread."""

    def __init__(self, model, engine=None, *, weights=None, page_tokens=0, **options):
        """engine: an Engine to share; else one is made with `options` (memory="2GiB", policy, codec, ...)."""
        self.model = model
        self.engine = engine if engine is not None else Engine(model="none", **options)
        self._own = engine is None
        self._weights, self._page_tokens = weights, page_tokens
        self._space, self._seen = None, None
        self._open()

    def _parameters(self):
        """Changes whenever a parameter is exchanged or written to."""
        return tuple((p.data_ptr(), p._version) for p in self.model.parameters())

    def _open(self):
        """The space of the model as it is now: after training its old K/V must not be found."""
        seen = self._parameters()
        if seen == self._seen:
            return
        if getattr(self.model, "_hf_peft_config_loaded", False) and self._weights is None:
            raise error_of(Status.IDENTITY, "the model has adapters; give weights=, a digest that covers which are active and how")
        if self._seen is not None and self._weights is not None:
            raise error_of(Status.IDENTITY, "the model's weights changed since the store was made with their digest; make a new store")
        self._space = self.engine.open_space(identity_of(self.model, self._weights, self._page_tokens))
        self._seen = seen

    def cache(self, input_ids, tenant=None, session_id=None):
        """A KvcCache that has the K/V of the longest known prefix of input_ids (one sequence)."""
        self._open()
        return KvcCache(self, _row(input_ids), tenant, session_id)

    def close(self):
        if self._own:
            self.engine.close()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


class KvcCache(transformers.DynamicCache):
    """From Store.cache. Give it to `generate` as past_key_values; then commit."""

    def __init__(self, store, tokens, tenant, session_id):
        super().__init__()
        self._session = store._space.open_session(tenant=tenant, session_id=session_id)
        # generate must have a token to compute.
        self.reused = self._session.match(tokens[:-1]) if len(tokens) > 1 else 0
        self._tokens = tokens
        if self.reused:
            self._load(store)

    @property
    def miss(self):
        """(kvc.MissReason, words): why no more was found."""
        return self._session.miss() if self._session is not None else (MissReason.NONE, "")

    def _load(self, store):
        layers, heads, k_dim, v_dim, _dtype = self._session._known_layout()
        k, v = ([torch.empty((1, heads, self.reused, dim), dtype=store.model.dtype) for _ in range(layers)]
                for dim in (k_dim, v_dim))
        self._session.read_all(0, self.reused, [_thd(t) for t in k], [_thd(t) for t in v])
        for layer in range(layers):
            self.update(k[layer].to(store.model.device), v[layer].to(store.model.device), layer)

    def _layers(self):
        """(K, V) of each layer, in transformers old and new."""
        if hasattr(self, "key_cache"):
            return list(zip(self.key_cache, self.value_cache))
        return [(layer.keys, layer.values) for layer in self.layers]

    def commit(self, sequences):
        """Stores the K/V that is new. sequences: what generate returned (or its .sequences): names the tokens. Returns how many
        tokens are kept for this sequence."""
        tokens = _row(getattr(sequences, "sequences", sequences))
        layers = self._layers()
        n = layers[0][0].shape[-2] if layers else 0
        if tokens[:len(self._tokens)] != self._tokens:
            raise error_of(Status.TOKEN, "the sequence does not begin with the tokens that the cache was made for")
        if n > len(tokens):
            raise error_of(Status.ORDER, f"the cache holds {n} tokens, the sequence has {len(tokens)}")
        length = self._session.info().length
        if n < length:      # cropped since: what is stored stays stored, this session ends earlier
            self._session.truncate(n)
            length = n
        uneven = [i for i, (k, v) in enumerate(layers) if tuple(k.shape[:1] + k.shape[2:3]) != (1, n) or v.shape[2] != n]
        if uneven:
            raise error_of(Status.SHAPE, f"layer {uneven[0]} has K of shape {tuple(layers[uneven[0]][0].shape)}; "
                           f"one sequence of {n} tokens in every layer can be kept")
        if n > length:
            k, v = ([_thd(t.detach()[:, :, length:].to("cpu")) for t in plane] for plane in zip(*layers))
            self._session.append_all(k, v)
            self._session.commit(tokens[length:n])
        return n

    def close(self):
        """Ends the session; what was committed stays findable."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


def _row(ids):
    """Tokens of the one sequence in a tensor [1][tokens] or [tokens]."""
    ids = ids[0] if getattr(ids, "ndim", 1) == 2 and len(ids) == 1 else ids
    if getattr(ids, "ndim", 1) != 1:
        raise error_of(Status.SHAPE, f"input_ids of shape {tuple(ids.shape)}: one sequence at a time can be reused")
    return [int(t) for t in ids]


def _thd(tensor):
    """[1][heads][tokens][dim] as [tokens][heads][dim], without a copy."""
    return tensor[0].permute(1, 0, 2)
