"""Spaces: the identity of a model's K/V."""
import ctypes
import os
from dataclasses import dataclass
from typing import Any, List, Optional, Sequence, Tuple

from . import _raw
from ._handle import Handle
from ._library import lib
from .constants import Absent, DType, Status
from .errors import check, read_text
from .records import SpaceInfo
from .session import Session
from .tensors import tokens_of

# A field that was not given. kvc refuses it: what was forgotten must not turn into a wrong hit.
MISSING: Any = ...


@dataclass
class Rope:
    """Rotary position embedding (kvc_rope_t). dims: dimensions of a head that turn."""
    base: float
    dims: int
    freq_scale: float = 1.0
    scaling: str = "none"
    factor: float = 0.0
    attn_factor: float = 0.0
    beta_fast: float = 0.0
    beta_slow: float = 0.0
    original_context: int = 0
    interleaved: bool = False
    applied: bool = True    # keys come in after RoPE


@dataclass
class SpaceDesc:
    """All that K/V depends on but the tokens (kvc_space_desc_t). tokenizer, rope, adapters and attention must be given; None
    says that the model has none. Digests are 1..64 bytes of the content."""
    weights: bytes
    tokenizer: Optional[bytes] = MISSING
    rope: Optional[Rope] = MISSING
    adapters: Optional[Sequence[Tuple[bytes, float]]] = MISSING     # (digest, scale) in the order of application
    attention: Optional[str] = MISSING
    n_layers: int = 0
    n_kv_heads: int = 0
    k_head_dim: int = 0
    v_head_dim: int = 0
    dtype: int = DType.F32
    page_tokens: int = 0
    vocab_size: int = 0
    label: Optional[str] = None

    def c(self):
        """(kvc_space_desc_t, what must live as long as it)."""
        d = _raw.kvc_space_desc_t()
        check(lib.kvc_space_desc_init(ctypes.byref(d), ctypes.sizeof(d)))
        keep = []

        def bytes_of(data):
            buffer = ctypes.create_string_buffer(bytes(data), len(data))
            keep.append(buffer)
            return ctypes.addressof(buffer), len(data)

        def given(value, bit):
            if value is None:
                d.none |= bit
            return value is not None and value is not MISSING

        d.label = self.label.encode() if self.label is not None else None
        d.weights_digest, d.weights_digest_size = bytes_of(self.weights)
        if given(self.tokenizer, Absent.TOKENIZER):
            d.tokenizer_digest, d.tokenizer_digest_size = bytes_of(self.tokenizer)
        if given(self.rope, Absent.ROPE):
            r = self.rope
            rope = _raw.kvc_rope_t(base=r.base, freq_scale=r.freq_scale, scaling=r.scaling.encode(), factor=r.factor,
                                   attn_factor=r.attn_factor, beta_fast=r.beta_fast, beta_slow=r.beta_slow, dims=r.dims,
                                   original_context=r.original_context, interleaved=r.interleaved, applied=r.applied)
            keep.append(rope)
            d.rope = ctypes.addressof(rope)
        if given(self.adapters, Absent.ADAPTERS) and self.adapters:
            adapters = (_raw.kvc_adapter_t * len(self.adapters))()
            for item, (digest, scale) in zip(adapters, self.adapters):
                item.struct_size, item.scale = ctypes.sizeof(item), scale
                item.digest, item.digest_size = bytes_of(digest)
            keep.append(adapters)
            d.adapters, d.n_adapters = ctypes.addressof(adapters), len(adapters)
        if given(self.attention, Absent.ATTENTION):
            d.attention = self.attention.encode()
        d.n_layers, d.n_kv_heads, d.k_head_dim, d.v_head_dim = self.n_layers, self.n_kv_heads, self.k_head_dim, self.v_head_dim
        d.dtype, d.page_tokens, d.vocab_size = self.dtype, self.page_tokens, self.vocab_size
        return d, keep


class Space(Handle):
    """A handle on a space; from Engine.open_space or Engine.space."""

    def __init__(self, raw, engine):
        super().__init__(raw, lib.kvc_space_close)
        self._engine = engine
        i = self.info()
        self._layout = (i.n_layers, i.n_kv_heads, i.k_head_dim, i.v_head_dim, DType(i.dtype))

    def open_session(self, tenant=None, session_id=None, priority=0, publish=True, exact=False,
                     no_aged=False) -> Session:
        """publish False: pages stay private to the session and its forks. exact: no approximate pages, whatever the codec.
        no_aged: no pages that were encoded again at rest."""
        o = _raw.kvc_session_options_t(priority=priority, no_publish=0 if publish else 1, exact=1 if exact else 0,
                                       no_aged=1 if no_aged else 0)
        o.tenant = tenant.encode() if tenant is not None else None
        o.session_id = session_id.encode() if session_id is not None else None
        raw = ctypes.c_void_p()
        self._check(lib.kvc_session_open(self._raw, ctypes.byref(o), ctypes.byref(raw)))
        return Session(raw.value, self._layout)

    def info(self) -> SpaceInfo:
        s = _raw.kvc_space_info_t()
        self._check(lib.kvc_space_info(self._raw, ctypes.byref(s)))
        return SpaceInfo.of(s)

    def diff(self, other) -> str:
        """In what two spaces differ; "" if in nothing."""
        return read_text(lambda b, c, n: self._check(lib.kvc_space_diff(self._raw, other._raw, b, c, n)))

    def page_ids(self, tokens, tenant=None) -> List[bytes]:
        """Identities of the whole pages of a token sequence."""
        address, count, _keep = tokens_of(tokens)
        tenant = tenant.encode() if tenant is not None else None
        n = ctypes.c_size_t()
        status = lib.kvc_space_page_ids(self._raw, tenant, address, count, None, 0, ctypes.byref(n))
        if status == Status.BUFFER:
            ids = ctypes.create_string_buffer(32 * n.value)
            self._check(lib.kvc_space_page_ids(self._raw, tenant, address, count, ids, n.value, ctypes.byref(n)))
            return [ids.raw[32 * i:32 * i + 32] for i in range(n.value)]
        self._check(status)
        return []

    def write_pack(self, tokens, path, tenant=None) -> int:
        """Writes the stored prefix of tokens into a prefix pack; the number of tokens written."""
        address, count, _keep = tokens_of(tokens)
        n = ctypes.c_size_t()
        tenant = tenant.encode() if tenant is not None else None
        self._check(lib.kvc_pack_write(self._raw, tenant, address, count, os.fsencode(path), ctypes.byref(n)))
        return n.value

    def _check(self, status):
        return check(status, lib.kvc_engine_last_error, self._engine._raw)
