"""Sessions: token sequences that are being extended."""
import ctypes
from typing import List, Tuple

from . import _raw
from ._handle import Handle
from ._library import lib
from .constants import CloseHint, Plane, Status
from .errors import check, error_of, read_text
from .records import SessionInfo
from .tensors import empty, tensor_of, tensors_of, tokens_of


class SessionView:
    """A session that somebody else owns: what a Backend finds in Forward.session, for the time of that call."""

    def __init__(self, raw, layout=None):
        self._raw = raw
        self._layout = layout   # (n_layers, heads, k_dim, v_dim, dtype), where it is known

    def match(self, tokens) -> int:
        """Attaches the longest stored prefix; the session's length afterwards: tokens that need not be computed."""
        address, n, _keep = tokens_of(tokens)
        reused = ctypes.c_size_t()
        self._check(lib.kvc_session_match(self._raw, address, n, ctypes.byref(reused)))
        return reused.value

    def miss(self) -> Tuple[int, str]:
        """(kvc.MissReason, words): why the last match found no more."""
        reason = ctypes.c_int32()
        text = read_text(lambda b, c, n: self._check(lib.kvc_session_miss(self._raw, ctypes.byref(reason), b, c, n)))
        return reason.value, text

    def append(self, layer, k, v) -> None:
        """K and V of the next tokens of one layer: arrays [tokens][heads][dim]."""
        k, v = tensor_of(k), tensor_of(v)
        self._check(lib.kvc_session_append(self._raw, layer, ctypes.byref(k.c), ctypes.byref(v.c), k.shape[0]))

    def append_all(self, k, v) -> None:
        """The same for all layers at once: lists of one array a layer. All or nothing."""
        ks, n_layers, keep_k = tensors_of(k)
        vs, n_v, keep_v = tensors_of(v)
        if n_layers != n_v or not n_layers:
            raise error_of(Status.SHAPE, f"{n_layers} K arrays but {n_v} V arrays; give one of each for every layer")
        self._check(lib.kvc_session_append_all(self._raw, ks, vs, n_layers, keep_k[0].shape[0]))

    def commit(self, tokens) -> None:
        """Names the tokens that were appended; full pages can be found from now on."""
        address, n, _keep = tokens_of(tokens)
        self._check(lib.kvc_session_commit(self._raw, address, n))

    def read(self, layer, plane, start, n, out=None):
        """n tokens of one plane (kvc.Plane) into `out`, or into a new numpy array of the space's dtype; returns it."""
        if out is None:
            _layers, heads, k_dim, v_dim, dtype = self._known_layout()
            out = empty((n, heads, k_dim if plane == Plane.KEY else v_dim), dtype)
        tensor = tensor_of(out, writable=True)
        self._check(lib.kvc_session_read(self._raw, layer, plane, start, n, ctypes.byref(tensor.c)))
        return out

    def read_all(self, start, n, k=None, v=None):
        """K and V of all layers into lists of arrays; without lists, into new numpy arrays. Returns (k, v)."""
        if k is None and v is None:
            layers, heads, k_dim, v_dim, dtype = self._known_layout()
            k = [empty((n, heads, k_dim), dtype) for _ in range(layers)]
            v = [empty((n, heads, v_dim), dtype) for _ in range(layers)]
        ks, n_k, _keep_k = tensors_of(k, True) if k is not None else (None, None, None)
        vs, n_v, _keep_v = tensors_of(v, True) if v is not None else (None, None, None)
        if n_k is not None and n_v is not None and n_k != n_v:
            raise error_of(Status.SHAPE, f"{n_k} K arrays but {n_v} V arrays; give one of each for every layer, or None")
        self._check(lib.kvc_session_read_all(self._raw, start, n, ks, vs, n_k if n_k is not None else n_v))
        return k, v

    def attend(self, layer, query, out=None, scale=0.0, softcap=0.0, window=0, sinks=0, later=0, bidirectional=False,
               n_threads=1, alibi_slopes=None, sink_scores=None):
        """Attention of queries [n][heads][k_head_dim] over all that the layer has, into `out` [n][heads][v_head_dim], or
        into a new array of the query's dtype; returns it. The last two: one float for each query head, or None."""
        query = tensor_of(query)
        if out is None:
            v_dim = self._known_layout()[3]
            out = empty((query.shape[0], query.shape[1], v_dim), query.c.dtype)
        tensor = tensor_of(out, writable=True)
        how = _raw.kvc_attend_t()
        check(lib.kvc_attend_init(ctypes.byref(how), ctypes.sizeof(how)))
        how.scale, how.softcap, how.window, how.sinks, how.later = scale, softcap, window, sinks, later
        how.bidirectional, how.n_threads = 1 if bidirectional else 0, n_threads
        keep = []
        for name, numbers in (("alibi_slopes", alibi_slopes), ("sink_scores", sink_scores)):
            if numbers is None:
                continue
            if len(numbers) != query.shape[1]:
                raise error_of(Status.SHAPE, f"{name} has {len(numbers)} numbers, the query {query.shape[1]} heads")
            keep.append((ctypes.c_float * len(numbers))(*numbers))
            setattr(how, name, ctypes.addressof(keep[-1]))
        self._check(lib.kvc_session_attend(self._raw, layer, ctypes.byref(how), ctypes.byref(query.c),
                                           ctypes.byref(tensor.c)))
        return out

    def truncate(self, n) -> None:
        self._check(lib.kvc_session_truncate(self._raw, n))

    def pin(self, pinned=True) -> None:
        self._check(lib.kvc_session_pin(self._raw, 1 if pinned else 0))

    def set_priority(self, priority) -> None:
        self._check(lib.kvc_session_set_priority(self._raw, priority))

    def hint(self, hint) -> None:
        """What is known of the session's future, a HINT_* value, for when it closes without saying more."""
        self._check(lib.kvc_session_hint(self._raw, hint))

    def expect(self, in_ns: int) -> None:
        """The session's tokens are expected to be used again about `in_ns` nanoseconds after it closes; 0 takes it back."""
        self._check(lib.kvc_session_expect(self._raw, in_ns))

    def generated(self, tokens: int) -> None:
        """How many tokens the model generated in this session, held by it or not."""
        self._check(lib.kvc_session_generated(self._raw, tokens))

    def info(self) -> SessionInfo:
        s = _raw.kvc_session_info_t()
        self._check(lib.kvc_session_info(self._raw, ctypes.byref(s)))
        return SessionInfo.of(s)

    def tokens(self, start=0, n=None) -> List[int]:
        """Committed tokens from position `start`; n None: up to the end."""
        length = self.info().length
        n = max(length - start, 0) if n is None else n
        # A range beyond the end is refused by kvc, in its words; no memory is taken for it.
        out = (ctypes.c_int32 * (n if start + n <= length else 1))()
        self._check(lib.kvc_session_tokens(self._raw, start, n, out))
        return list(out)

    def _known_layout(self):
        if self._layout is None:
            raise error_of(Status.INVALID, "the layout is not known here; give an array to read into (out=...)")
        return self._layout

    def _check(self, status):
        return check(status, lib.kvc_session_last_error, self._raw)


class Session(SessionView, Handle):
    """A session of one's own. close() says what becomes of it; leaving a `with` block closes it with CloseHint.KEEP."""

    def __init__(self, raw, layout):
        Handle.__init__(self, raw, _close)
        self._layout = layout

    def fork(self) -> "Session":
        """A second session with the same committed tokens."""
        raw = ctypes.c_void_p()
        self._check(lib.kvc_session_fork(self._raw, ctypes.byref(raw)))
        return Session(raw.value, self._layout)

    def close(self, hint=CloseHint.KEEP, until_ns=0) -> None:
        """On failure the session stays open. A second close does nothing."""
        if self.closed:
            return
        status = lib.kvc_session_close(self._raw, hint, until_ns)
        if status != Status.CLOSED:  # with its engine: nothing is left to do
            self._check(status)
        self._finalizer.detach()


def _close(raw):
    lib.kvc_session_close(raw, CloseHint.KEEP, 0)
