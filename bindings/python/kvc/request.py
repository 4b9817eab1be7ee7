"""Requests and the tickets of those that were submitted."""
import ctypes
import time
from dataclasses import dataclass, field
from typing import Callable, Iterator, List, Optional, Sequence, Union

from . import _callbacks, _raw
from ._handle import Handle
from ._library import lib
from .constants import Action, Status
from .errors import check, error_of, last_error
from .records import Response
from .tensors import tokens_of

_SLICE_NS = 100_000_000     # a wait is cut into pieces of this length, so that Ctrl-C is noticed


@dataclass
class Request:
    """What to ask (kvc_request_t). prompt: text, or token ids. Fields that stay None have kvc's defaults."""
    prompt: Union[str, bytes, Sequence[int]] = ""
    max_tokens: Optional[int] = None
    temperature: Optional[float] = None
    top_k: Optional[int] = None
    top_p: Optional[float] = None
    seed: Optional[int] = None
    stop: Sequence[str] = field(default_factory=tuple)
    no_cache: bool = False
    action: int = Action.PROCESS
    priority: int = 0
    session_id: Optional[str] = None
    tenant: Optional[str] = None
    deadline_ns: int = 0                                    # time allowed from submission, 0 = none
    on_text: Optional[Callable[[str], Optional[bool]]] = None   # each new piece; False cancels. On the engine's thread

    def c(self, into=None):
        """(kvc_request_t, what must live during the call, the sink of on_text or None)."""
        c = into if into is not None else _raw.kvc_request_t()
        check(lib.kvc_request_init(ctypes.byref(c), ctypes.sizeof(c)))
        keep = []
        if isinstance(self.prompt, (str, bytes)):
            raw = self.prompt.encode() if isinstance(self.prompt, str) else self.prompt
            buffer = ctypes.create_string_buffer(raw, len(raw) + 1)
            c.prompt, c.prompt_size = ctypes.addressof(buffer), len(raw)
            keep.append(buffer)
        else:
            c.tokens, c.n_tokens, tokens = tokens_of(self.prompt)
            keep.append(tokens)
        for name in ("max_tokens", "temperature", "top_k", "top_p", "seed"):
            value = getattr(self, name)
            if value is not None:
                if isinstance(value, int) and not 0 <= value < (1 << 64 if name == "seed" else 1 << 32):
                    raise error_of(Status.OUT_OF_RANGE, f"{name} is {value}: it must not be negative, nor beyond its type")
                setattr(c, name, value)
        if self.stop:
            stops = (ctypes.c_char_p * len(self.stop))(*[s.encode() for s in self.stop])
            keep.append(stops)
            c.stop, c.n_stop = ctypes.addressof(stops), len(stops)
        c.no_cache, c.action, c.priority = 1 if self.no_cache else 0, self.action, self.priority
        c.deadline_ns = self.deadline_ns
        c.session_id = self.session_id.encode() if self.session_id is not None else None
        c.tenant = self.tenant.encode() if self.tenant is not None else None
        sink = None
        if self.on_text is not None:
            sink = _callbacks.TextSink(self.on_text)
            c.on_text, c.user_data = _callbacks.on_text, _callbacks.sinks.add(sink)
            sink.number = c.user_data
        return c, keep, sink


def request_of(prompt, values):
    """The Request that process(prompt, **values) means."""
    if isinstance(prompt, Request):
        if values:
            raise TypeError("give the values in the Request, or a prompt and values")
        return prompt
    return Request(prompt, **values)


def drop(sink):
    """A request's callback is not called any more, or must not be."""
    if sink is not None:
        _callbacks.sinks.remove(sink.number)


def take(raw):
    """A Response from the C struct, which is released."""
    if not raw:
        return None
    try:
        return Response.of(_raw.kvc_response_t.from_address(raw))
    finally:
        lib.kvc_response_free(raw)


def finish(status, raw, engine, sink):
    """The response, or the exception: what on_text raised, or what kvc says."""
    response = take(raw)
    if sink is not None and sink.exception is not None:
        raise sink.exception
    if status >= 0:
        return response
    words = response.error if response else ""
    if not words and status not in (Status.CLOSED, Status.NULL, Status.FORKED):
        words = last_error(lib.kvc_engine_last_error, engine)
    raise error_of(status, words, response)


class Ticket(Handle):
    """A submitted request. wait() gives its answer; iterating gives its text piece by piece; close() cancels what still runs."""

    def __init__(self, engine, number, sink):
        super().__init__(number, _Free(engine, sink))
        self._engine, self._sink = engine, sink

    @property
    def id(self) -> int:
        return self._raw

    def wait(self, timeout: Optional[float] = None) -> Optional[Response]:
        """The answer, when it is complete; ends the ticket. None if it is not within `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _SLICE_NS if end is None else min(_SLICE_NS, max(0, int((end - time.monotonic()) * 1e9)))
            raw = ctypes.c_void_p()
            status = lib.kvc_wait(self._engine._raw, self._raw, left, ctypes.byref(raw))
            if status != Status.PENDING:
                break
            if end is not None and time.monotonic() >= end:
                return None
        if raw.value:
            self._finalizer.detach()
            drop(self._sink)
        return finish(status, raw.value, self._engine._raw, self._sink)

    def next(self, timeout: Optional[float] = None) -> Optional[str]:
        """The next piece of the text; "" if none came within `timeout` seconds; None when the text is complete."""
        end = None if timeout is None else time.monotonic() + timeout
        buffer, size = ctypes.create_string_buffer(1024), ctypes.c_size_t()
        while True:
            left = _SLICE_NS if end is None else min(_SLICE_NS, max(0, int((end - time.monotonic()) * 1e9)))
            status = lib.kvc_next(self._engine._raw, self._raw, left, buffer, len(buffer), ctypes.byref(size))
            if status == Status.OK:
                return buffer.raw[:size.value].decode("utf-8", "replace")
            if status == Status.END:
                return None
            check(status, lib.kvc_engine_last_error, self._engine._raw)
            if end is not None and time.monotonic() >= end:
                return ""

    def __iter__(self) -> Iterator[str]:
        while (piece := self.next()) is not None:
            yield piece

    def cancel(self) -> None:
        """Its response then has the text so far and KVC_E_CANCELLED."""
        check(lib.kvc_cancel(self._engine._raw, self._raw), lib.kvc_engine_last_error, self._engine._raw)


class _Free:
    """Ends a ticket without its Ticket."""

    def __init__(self, engine, sink):
        self.engine, self.sink = engine, sink

    def __call__(self, number):
        lib.kvc_ticket_free(self.engine._raw, number)
        drop(self.sink)


@dataclass(frozen=True)
class Batch:
    """Answers of process_batch: error is the first failure, or None; a response is None if its request was refused."""
    error: Optional[Exception]
    responses: List[Optional[Response]]


def submit(engine, request):
    c, keep, sink = request.c()
    number = ctypes.c_uint64()
    try:
        check(lib.kvc_submit(engine._raw, ctypes.byref(c), ctypes.byref(number)), lib.kvc_engine_last_error, engine._raw)
    except BaseException:
        drop(sink)
        raise
    del keep
    return Ticket(engine, number.value, sink)


def process(engine, request):
    c, _keep, sink = request.c()
    raw = ctypes.c_void_p()
    try:
        status = lib.kvc_process(engine._raw, ctypes.byref(c), ctypes.byref(raw))
    finally:
        drop(sink)
    return finish(status, raw.value, engine._raw, sink)


def process_batch(engine, requests):
    n = len(requests)
    cs, raws = (_raw.kvc_request_t * n)(), (ctypes.c_void_p * n)()
    made = [request.c(c) for request, c in zip(requests, cs)]
    try:
        status = lib.kvc_process_batch(engine._raw, cs, n, raws)
    finally:
        for _c, _keep, sink in made:
            drop(sink)
    responses = [take(raw) for raw in raws]
    for _c, _keep, sink in made:
        if sink is not None and sink.exception is not None:
            raise sink.exception
    error = None
    if status < 0:
        words = next((r.error for r in responses if r and r.status == status), "")
        error = error_of(status, words or last_error(lib.kvc_engine_last_error, engine._raw))
    return Batch(error, responses)


def poll(engine, capacity):
    tickets, n = (ctypes.c_uint64 * capacity)(), ctypes.c_size_t()
    check(lib.kvc_poll(engine._raw, tickets, capacity, ctypes.byref(n)), lib.kvc_engine_last_error, engine._raw)
    return tickets[:n.value]


__all__ = ["Request", "Ticket", "Batch", "Response"]
