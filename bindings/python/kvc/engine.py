"""The engine: a cache, its memory, and requests around a model."""
import ctypes
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import AsyncIterator, Iterator, List, Optional

from . import _raw, aio, request
from ._handle import Handle
from ._library import lib
from .config import Config
from .constants import Objective, Status
from .errors import check, error_of, read_text
from .records import PageInfo, Response, Stats, Whatif
from .space import Space, SpaceDesc
from .tensors import empty, tensor_of, tokens_of

_WAITERS = 64   # threads, made when needed, in which answers to asyncio code are waited for


class Engine(Handle):
    """kvc.Engine(), kvc.Engine("memory_efficient", memory="64MiB"), kvc.Engine(config) - and a `with` block around it."""

    def __init__(self, config=None, *, backend=None, **options):
        """config: a Config, the name of a preset, or None. Further options by name; backend: a kvc.Backend."""
        own = None
        if not isinstance(config, Config):
            own = config = Config(config)
        elif backend is not None or options:
            raise TypeError("give options and backend to the Config, or none of it")
        try:
            for key, value in options.items():
                config[key] = value
            if backend is not None:
                config.set_backend(backend)
            raw, error = ctypes.c_void_p(), _raw.kvc_error_t()
            status = lib.kvc_engine_create_with_error(config._raw, ctypes.byref(raw), ctypes.byref(error))
            if status < 0:
                raise error_of(status, error.message.decode("utf-8", "replace"))
            super().__init__(raw.value, lib.kvc_engine_destroy, config.keep())
        finally:
            if own is not None:
                own.close()
        self._waiters: Optional[ThreadPoolExecutor] = None

    # --- requests ----------------------------------------------------------------------------------------------------

    def process(self, prompt, **values) -> Response:
        """Prompt in, answer out. prompt: a Request, text, or token ids; values: fields of Request. Raises KvcError, whose
        `response` has what was generated until then."""
        asked = request.request_of(prompt, values)
        if threading.current_thread() is not threading.main_thread():
            return request.process(self, asked)
        # Only a wait in pieces lets Ctrl-C through, and only the main thread gets it.
        with request.submit(self, asked) as ticket:
            return ticket.wait()

    def process_batch(self, requests) -> request.Batch:
        """All together. Items: Request, text, or token ids."""
        return request.process_batch(self, [request.request_of(r, {}) for r in requests])

    def submit(self, prompt, **values) -> request.Ticket:
        """Queues and returns at once."""
        return request.submit(self, request.request_of(prompt, values))

    def stream(self, prompt, **values) -> Iterator[str]:
        """The answer's text, piece by piece. Leaving the loop cancels the request."""
        with self.submit(prompt, **values) as ticket:
            yield from ticket
            ticket.wait()

    async def aprocess(self, prompt, **values) -> Response:
        """process for asyncio. Cancelling the task cancels the request."""
        return await aio.process(self, request.request_of(prompt, values))

    def astream(self, prompt, **values) -> AsyncIterator[str]:
        """stream for asyncio: `async for piece in engine.astream(...)`."""
        return aio.stream(self, request.request_of(prompt, values))

    def poll(self, capacity=64) -> List[int]:
        """Ids of tickets that completed since the last call."""
        return request.poll(self, capacity)

    def step(self) -> bool:
        """Option threads=0: one step on this thread; True if there is more to do."""
        busy = ctypes.c_int32()
        self._check(lib.kvc_step(self._raw, ctypes.byref(busy)))
        return bool(busy.value)

    def tokenize(self, text) -> List[int]:
        raw = text.encode() if isinstance(text, str) else bytes(text)
        n, capacity = ctypes.c_size_t(), len(raw) + 8
        while True:
            tokens = (ctypes.c_int32 * capacity)()
            status = lib.kvc_tokenize(self._raw, raw, len(raw), tokens, capacity, ctypes.byref(n))
            if status != Status.BUFFER:
                self._check(status)
                return tokens[:n.value]
            capacity = n.value

    def detokenize(self, tokens) -> str:
        address, n, _keep = tokens_of(tokens)
        return read_text(lambda b, c, length: self._check(lib.kvc_detokenize(self._raw, address, n, b, c, length)))

    def chat_text(self, messages, answer=True) -> str:
        """A conversation, as (role, content) pairs or dicts of the two, as the text of a prompt in the model's own form.
        answer: the text ends where the model's answer begins."""
        pairs = [(m["role"], m["content"]) if isinstance(m, dict) else m for m in messages]
        items = (_raw.kvc_message_t * len(pairs))()
        for item, (role, content) in zip(items, pairs):
            item.struct_size, item.role, item.content = ctypes.sizeof(item), role.encode(), content.encode()
        return read_text(lambda b, c, n: self._check(lib.kvc_chat_text(self._raw, items, len(pairs), 1 if answer else 0, b, c, n)))

    # --- tensors -----------------------------------------------------------------------------------------------------

    def open_space(self, desc=None, **values) -> Space:
        """The space of an identity: a SpaceDesc, or its fields by name."""
        c, _keep = (desc if desc is not None else SpaceDesc(**values)).c()
        raw = ctypes.c_void_p()
        self._check(lib.kvc_space_open(self._raw, ctypes.byref(c), ctypes.byref(raw)))
        return Space(raw.value, self)

    def space(self) -> Space:
        """The space of the engine's own model."""
        raw = ctypes.c_void_p()
        self._check(lib.kvc_engine_space(self._raw, ctypes.byref(raw)))
        return Space(raw.value, self)

    def put(self, key, array, tenant=None) -> None:
        """Stores a copy of an array of 1..8 dimensions under a key (bytes or text)."""
        key, tenant = _bytes(key), _bytes(tenant)
        tensor = tensor_of(array)
        self._check(lib.kvc_put(self._raw, tenant, key, len(key), ctypes.byref(tensor.c)))

    def get(self, key, out=None, tenant=None):
        """The array of a key, in `out` or a new numpy array (bfloat16 as the uint16 of its bits); None if it is not stored."""
        key, tenant = _bytes(key), _bytes(tenant)
        found = ctypes.c_int32()
        while True:
            if out is None:
                asked = _raw.kvc_tensor_t()
                self._check(lib.kvc_get(self._raw, tenant, key, len(key), ctypes.byref(asked), ctypes.byref(found)))
                if not found.value:
                    return None
                array = empty(asked.shape[:asked.n_dims], asked.dtype)
            else:
                array = out
            tensor = tensor_of(array, writable=True)
            status = lib.kvc_get(self._raw, tenant, key, len(key), ctypes.byref(tensor.c), ctypes.byref(found))
            if out is None and status in (Status.SHAPE, Status.DTYPE):
                continue    # another thread stored a tensor of another shape meanwhile
            self._check(status)
            return array if found.value else None

    def contains(self, key, tenant=None) -> bool:
        key = key if type(key) is bytes else _bytes(key)
        found = _FOUND()
        status = lib.kvc_contains(self._raw, tenant if tenant is None else _bytes(tenant), key, len(key), _byref(found))
        if status < 0:
            self._check(status)
        return found.value != 0

    def remove(self, key, tenant=None) -> bool:
        """True if it was stored."""
        key, removed = _bytes(key), ctypes.c_int32()
        self._check(lib.kvc_remove(self._raw, _bytes(tenant), key, len(key), ctypes.byref(removed)))
        return bool(removed.value)

    # --- pages and figures -------------------------------------------------------------------------------------------

    def pages(self, tenant=None) -> Iterator[PageInfo]:
        """The pages held now, parents before children. tenant None: of all."""
        raw = ctypes.c_void_p()
        self._check(lib.kvc_page_iter_open(self._raw, _bytes(tenant), ctypes.byref(raw)))
        with Handle(raw.value, lib.kvc_page_iter_close):
            while True:
                info = _raw.kvc_page_info_t()
                if check(lib.kvc_page_iter_next(raw.value, ctypes.byref(info))) == Status.END:
                    return
                yield PageInfo.of(info)

    def page_info(self, page_id) -> PageInfo:
        info = _raw.kvc_page_info_t()
        self._check(lib.kvc_page_info(self._raw, _page_id(page_id), ctypes.byref(info)))
        return PageInfo.of(info)

    def page_tokens(self, page_id) -> List[int]:
        n, capacity = ctypes.c_size_t(), 256
        while True:
            tokens = (ctypes.c_int32 * capacity)()
            status = lib.kvc_page_tokens(self._raw, _page_id(page_id), tokens, capacity, ctypes.byref(n))
            if status != Status.BUFFER:
                self._check(status)
                return tokens[:n.value]
            capacity = n.value

    def trim(self, size=0) -> int:
        """Evicts until at most `size` bytes are used; the bytes given back."""
        freed = ctypes.c_uint64()
        self._check(lib.kvc_trim(self._raw, size, ctypes.byref(freed)))
        return freed.value

    # --- pages on disk (option disk_path) ----------------------------------------------------------------------------

    def persist(self, timeout=None) -> bool:
        """Makes everything sealed durable; False if that goes on in the background after `timeout` seconds."""
        ns = 2**64 - 1 if timeout is None else int(timeout * 1e9)
        return self._check(lib.kvc_persist(self._raw, ns)) != Status.PENDING

    def persist_to(self, path, tenant=None) -> int:
        """Copies the pages in memory into a directory of their own; the number of records in it."""
        n = ctypes.c_uint64()
        self._check(lib.kvc_persist_to(self._raw, _bytes(tenant), os.fsencode(path), ctypes.byref(n)))
        return n.value

    def load(self, path) -> int:
        """Lets the pages of a directory be found; their number."""
        n = ctypes.c_uint64()
        self._check(lib.kvc_load(self._raw, os.fsencode(path), ctypes.byref(n)))
        return n.value

    def open_pack(self, path) -> int:
        """Lets the pages of a prefix pack be found; their number."""
        n = ctypes.c_uint64()
        self._check(lib.kvc_pack_open(self._raw, os.fsencode(path), ctypes.byref(n)))
        return n.value

    def purge(self, tenant=None) -> int:
        """Removes what is kept of a tenant, in memory and on disk; the number of records."""
        n = ctypes.c_uint64()
        self._check(lib.kvc_tenant_purge(self._raw, _bytes(tenant), ctypes.byref(n)))
        return n.value

    def stats(self) -> Stats:
        s = _raw.kvc_stats_t()
        self._check(lib.kvc_stats(self._raw, ctypes.byref(s)))
        return Stats.of(s)

    def whatif(self, budget=0, policy=None) -> Whatif:
        """What another budget in bytes (0: this engine's) and policy would have hit."""
        result = _raw.kvc_whatif_t()
        result.struct_size = ctypes.sizeof(result)
        self._check(lib.kvc_whatif(self._raw, budget, _bytes(policy), ctypes.byref(result)))
        return Whatif.of(result)

    def adapt(self, save_time=False, prefill_speed=0.0, balanced_position=0.0) -> None:
        """Tells the policy whether to go for tokens found or for time of prefill spared, and what prefill costs."""
        metrics = _raw.kvc_metrics_t()
        metrics.struct_size = ctypes.sizeof(metrics)
        metrics.objective = Objective.TIME if save_time else Objective.HITS
        metrics.prefill_speed = prefill_speed
        metrics.balanced_position = balanced_position
        self._check(lib.kvc_adapt(self._raw, ctypes.byref(metrics)))

    def trace_start(self, path) -> None:
        """Writes a line per session that closes to a file, for `kvc replay`; pages leave as digests."""
        self._check(lib.kvc_trace_start(self._raw, os.fsencode(path)))

    def trace_stop(self) -> int:
        """Ends the trace; the sessions written."""
        n = ctypes.c_uint64()
        self._check(lib.kvc_trace_stop(self._raw, ctypes.byref(n)))
        return n.value

    def info(self) -> dict:
        """What this engine is made of."""
        return json.loads(read_text(lambda b, c, n: self._check(lib.kvc_engine_info(self._raw, b, c, n))))

    def close(self) -> None:
        """Cancels what runs and lets calls on other threads finish."""
        super().close()
        if self._waiters is not None:
            self._waiters.shutdown(wait=False)

    def waiters(self) -> ThreadPoolExecutor:
        """The threads in which answers are waited for on behalf of asyncio code."""
        if self._waiters is None:
            self._waiters = ThreadPoolExecutor(_WAITERS, "kvc-wait")
        return self._waiters

    def _check(self, status):
        return check(status, lib.kvc_engine_last_error, self._raw)


_FOUND, _byref = ctypes.c_int32, ctypes.byref


def _bytes(text):
    return text.encode() if isinstance(text, str) else None if text is None else bytes(text)


def _page_id(page_id):
    if len(page_id) != 32:
        raise error_of(Status.INVALID, f"a page's identity has 32 bytes, not {len(page_id)}")
    return bytes(page_id)
