"""A model written in Python, behind kvc_backend_t."""
import array
import ctypes
import traceback
import weakref
from dataclasses import dataclass
from typing import List, Optional, Sequence, Tuple

from . import _callbacks, _raw
from ._library import report
from .constants import BackendKind, Status
from .errors import KvcError, error_of
from .session import SessionView
from .space import SpaceDesc
from .tensors import tokens_of


@dataclass
class ModelInfo:
    """What Backend.describe returns (kvc_model_info_t). bos and eos: -1 = none; ends: further tokens that end a text."""
    name: str
    space: SpaceDesc
    context: int
    max_batch_tokens: int = 0
    bos: int = -1
    eos: int = -1
    ends: Sequence[int] = ()
    total_tokens: int = 0       # OWN_KV: most tokens over all its open sequences together
    state_tokens: int = 0       # OWN_KV: its sequences are kept as states, one about every so many tokens
    details: str = ""


@dataclass
class Forward:
    """One sequence's share of a forward call."""
    sequence: int
    session: Optional[SessionView]      # PAGED: read the past from it, append K/V of the tokens, do not commit
    tokens: List[int]
    position: int
    logits: Optional[memoryview]        # floats for the last token, to be filled in; numpy.asarray(...) is a view


class Backend:
    """Derive from it. A function that raises fails the request with the exception's words (KVC_E_USER, or the code of a
    KvcError). All but tokenize and detokenize are called from one thread at a time; none may close its engine."""

    kind = BackendKind.PAGED

    def describe(self) -> ModelInfo:
        raise NotImplementedError

    def tokenize(self, text: bytes) -> List[int]:
        """Without bos."""
        raise NotImplementedError

    def detokenize(self, token: int) -> bytes:
        raise NotImplementedError

    def sequence_open(self, sequence: int) -> None:
        """A new, empty sequence."""

    def sequence_close(self, sequence: int) -> None:
        """Its end."""

    def forward(self, items: List[Forward]) -> None:
        raise NotImplementedError

    def export_kv(self, sequence: int, session: SessionView, start: int, n: int) -> None:
        """OWN_KV: session.append for every layer of tokens [start, start + n)."""
        raise NotImplementedError

    def import_kv(self, sequence: int, session: SessionView, tokens: List[int], start: int) -> None:
        """OWN_KV: session.read of these tokens, which begin at position `start`, into the sequence."""
        raise NotImplementedError

    def truncate(self, sequence: int, n: int) -> None:
        """OWN_KV: cuts a sequence to its first n tokens."""
        raise NotImplementedError

    def chat_text(self, messages: List[Tuple[str, str]], answer: bool) -> str:
        """A conversation of (role, content) as the model's prompt text."""
        raise NotImplementedError

    def save_state(self, sequence: int, n: int) -> bytes:
        """OWN_KV with state_tokens: the whole state of a sequence, which holds n tokens."""
        raise NotImplementedError

    def load_state(self, sequence: int, tokens: List[int], state: memoryview) -> None:
        """OWN_KV with state_tokens: takes the state of these tokens into an empty sequence."""
        raise NotImplementedError

    def released(self) -> None:
        """An engine stopped using it."""


_backends = _callbacks.Registry()


class _Running:
    """A backend and the C memory that its description points to."""

    def __init__(self, backend):
        self.backend, self.description, self.vocab_size = backend, None, 0
        self.number = _backends.add(self)
        weakref.finalize(self, _backends.remove, self.number)


def _words(error, buffer, size):
    """Writes an exception's words where kvc looks for them; the status to return."""
    if isinstance(error, KvcError):
        code, text = error.code, error.message
    else:
        code, text = Status.USER, "".join(traceback.format_exception_only(type(error), error)).strip()
    if isinstance(error, MemoryError) and not isinstance(error, KvcError):
        code = Status.NO_MEMORY
    if buffer and size:
        raw = text.encode("utf-8", "replace")[:size - 1].decode("utf-8", "ignore").encode()
        ctypes.memmove(buffer, raw + b"\0", len(raw) + 1)
    return int(code)


def _guard(prototype):
    """Makes a C function of a Python one (running, arguments...) that may raise."""
    def wrap(function):
        def call(user_data, *arguments):
            try:
                function(_backends.get(user_data), *arguments[:-2])
                return 0
            except BaseException as error:
                return _words(error, *arguments[-2:])
        return prototype(call)
    return wrap


def _ints(address, n):
    return list((ctypes.c_int32 * n).from_address(address)) if n else []


@_guard(_raw.kvc_backend_describe_fn)
def _describe(running, address):
    told = running.backend.describe()
    info = _raw.kvc_model_info_t.from_address(address)
    space, keep = told.space.c()
    name = told.name.encode()
    running.description = (space, keep, name)
    running.vocab_size = space.vocab_size
    info.name = name
    # The space that kvc gives may be the smaller struct of an older library: point to ours, which says its own size.
    info.space = ctypes.addressof(space)
    ends = array.array("i", told.ends)
    details = told.details.encode()
    running.description += (ends, details)
    info.ends, info.n_ends = ends.buffer_info()[0] if ends else None, len(ends)
    info.total_tokens, info.state_tokens, info.details = told.total_tokens, told.state_tokens, details
    info.context, info.max_batch_tokens, info.bos, info.eos = told.context, told.max_batch_tokens, told.bos, told.eos


@_guard(_raw.kvc_backend_tokenize_fn)
def _tokenize(running, text, size, tokens, capacity, n):
    address, count, _keep = tokens_of(running.backend.tokenize(ctypes.string_at(text, size)))
    ctypes.c_size_t.from_address(n).value = count
    if tokens and capacity:
        ctypes.memmove(tokens, address, 4 * min(count, capacity))


@_guard(_raw.kvc_backend_detokenize_fn)
def _detokenize(running, token, buffer, capacity, size):
    _give(bytes(running.backend.detokenize(token)), buffer, capacity, size)


@_guard(_raw.kvc_backend_sequence_open_fn)
def _sequence_open(running, sequence):
    running.backend.sequence_open(sequence)


@_raw.kvc_backend_sequence_close_fn
def _sequence_close(user_data, sequence):
    try:
        _backends.get(user_data).backend.sequence_close(sequence)
    except BaseException as error:
        report(error)


@_guard(_raw.kvc_backend_forward_fn)
def _forward(running, address, n):
    items = []
    for _ in range(n):
        item = _raw.kvc_forward_t.from_address(address)
        logits = None
        if item.logits:
            logits = memoryview((ctypes.c_float * running.vocab_size).from_address(item.logits)).cast("B").cast("f")
        items.append(Forward(item.sequence, SessionView(item.session) if item.session else None,
                             _ints(item.tokens, item.n), item.position, logits))
        address += item.struct_size  # kvc's elements may be larger than this package's struct
    running.backend.forward(items)


@_guard(_raw.kvc_backend_export_kv_fn)
def _export_kv(running, sequence, session, start, n):
    running.backend.export_kv(sequence, SessionView(session), start, n)


@_guard(_raw.kvc_backend_import_kv_fn)
def _import_kv(running, sequence, session, tokens, start, n):
    running.backend.import_kv(sequence, SessionView(session), _ints(tokens, n), start)


@_guard(_raw.kvc_backend_truncate_fn)
def _truncate(running, sequence, n):
    running.backend.truncate(sequence, n)


def _give(raw, target, capacity, size):
    """Writes bytes where kvc has room for them, and their full number."""
    ctypes.c_size_t.from_address(size).value = len(raw)
    if target and capacity:
        ctypes.memmove(target, raw, min(len(raw), capacity))


@_guard(_raw.kvc_backend_chat_text_fn)
def _chat_text(running, messages, n, answer, text, capacity, size):
    pairs = []
    for _ in range(n):
        message = _raw.kvc_message_t.from_address(messages)
        pairs.append((message.role.decode("utf-8", "replace"), message.content.decode("utf-8", "replace")))
        messages += message.struct_size
    _give(running.backend.chat_text(pairs, bool(answer)).encode(), text, capacity, size)


@_guard(_raw.kvc_backend_save_state_fn)
def _save_state(running, sequence, n, target, capacity, size):
    raw = bytes(running.backend.save_state(sequence, n))
    _give(raw, target if capacity >= len(raw) else None, capacity, size)


@_guard(_raw.kvc_backend_load_state_fn)
def _load_state(running, sequence, tokens, n, state, size):
    running.backend.load_state(sequence, _ints(tokens, n), memoryview((ctypes.c_char * size).from_address(state)).cast("B"))


@_raw.kvc_backend_destroy_fn
def _destroy(user_data):
    try:
        _backends.get(user_data).backend.released()
    except BaseException as error:
        report(error)


def table_of(backend):
    """(kvc_backend_t, what must live as long as it is in use)."""
    if not isinstance(backend, Backend):
        raise error_of(Status.INVALID, f"a backend derives from kvc.Backend; {type(backend).__name__} does not")
    running = _Running(backend)
    table = _raw.kvc_backend_t(
        user_data=running.number, kind=backend.kind, describe=_describe, tokenize=_tokenize, detokenize=_detokenize,
        sequence_open=_sequence_open, sequence_close=_sequence_close, forward=_forward, destroy=_destroy)
    if backend.kind == BackendKind.OWN_KV:
        table.export_kv, table.import_kv, table.truncate = _export_kv, _import_kv, _truncate
        if type(backend).save_state is not Backend.save_state:
            table.save_state, table.load_state = _save_state, _load_state
    if type(backend).chat_text is not Backend.chat_text:
        table.chat_text = _chat_text
    return table, running
