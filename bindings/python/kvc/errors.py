"""Errors: one class for every failing call, with subclasses for what programs tell apart."""
import ctypes

from ._library import lib
from .constants import Status


class KvcError(RuntimeError):
    """A call failed: `code` (a kvc_status_t), `name` ("KVC_E_..."), `message` (what, how much, what to do)."""

    def __init__(self, code, message=""):
        self.code = int(code)
        self.name = lib.kvc_status_name(self.code).decode()
        self.message = message or lib.kvc_status_text(self.code).decode()
        super().__init__(f"{self.name}: {self.message}")

    def __reduce__(self):
        return type(self), (self.code, self.message)


class KvcClosedError(KvcError):
    """The object was closed, or belongs to the parent process."""


class KvcValueError(KvcError, ValueError):
    """An argument makes no sense."""


class KvcMemoryError(KvcError, MemoryError):
    """The budget or the machine has no room."""


class KvcTimeoutError(KvcError, TimeoutError):
    """The request's deadline has passed."""


class KvcCancelledError(KvcError):
    """The request was cancelled."""


class KvcUnsupportedError(KvcError, NotImplementedError):
    """Known, but not in this build or not for this object."""


_CLASSES = {Status.CLOSED: KvcClosedError, Status.FORKED: KvcClosedError, Status.NO_MEMORY: KvcMemoryError,
            Status.BUDGET: KvcMemoryError, Status.DEADLINE: KvcTimeoutError, Status.CANCELLED: KvcCancelledError,
            Status.UNSUPPORTED: KvcUnsupportedError}


def error_of(code, message="", response=None):
    """The exception for a status. `response` is what a request had generated until it failed."""
    kind = _CLASSES.get(code) or (KvcValueError if -200 < code <= -100 else KvcError)
    error = kind(code, message)
    error.response = response
    return error


KvcError.response = None


def last_error(function, handle):
    """The words that a handle keeps of its last failure."""
    size = 512
    while True:
        buffer = ctypes.create_string_buffer(size)
        length = function(handle, buffer, size)
        if length < size:
            return buffer.value.decode("utf-8", "replace")
        size = length + 1


def check(status, function=None, handle=None):
    """Raises for a negative status, with the words of the handle it came from."""
    if status >= 0:
        return status
    words = ""
    if function is not None and status not in (Status.CLOSED, Status.NULL, Status.FORKED):
        words = last_error(function, handle)
    raise error_of(status, words)


def read_text(call):
    """Text from a function that writes (buffer, capacity, length); `call` returns after checking its status."""
    size = 512
    while True:
        buffer, length = ctypes.create_string_buffer(size), ctypes.c_size_t()
        call(buffer, size, ctypes.byref(length))
        if length.value < size:
            return buffer.raw[:length.value].decode("utf-8", "replace")
        size = length.value + 1
