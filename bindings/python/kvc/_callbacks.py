"""The other direction: Python functions that kvc calls.

Each kind of callback has one C function for the whole process; user_data is a number under which the Python object is found.
So no C function can be collected while kvc still has it, and one whose object is gone fails instead of crashing.
"""
import ctypes
import itertools
import threading

from . import _raw
from ._library import report
from .constants import Status


class Registry:
    """number -> object."""

    def __init__(self):
        self._objects, self._numbers, self._lock = {}, itertools.count(1), threading.Lock()

    def add(self, item):
        with self._lock:
            number = next(self._numbers)
            self._objects[number] = item
            return number

    def get(self, number):
        return self._objects[number]  # KeyError: the object is gone

    def remove(self, number):
        self._objects.pop(number, None)


class TextSink:
    """Where the pieces of one request's text go; keeps what the function raised, for whoever asked for the text."""

    def __init__(self, function):
        self.function, self.exception = function, None


sinks, loggers, clocks, allocators = Registry(), Registry(), Registry(), Registry()


@_raw.kvc_stream_fn
def on_text(user_data, _ticket, text, size):
    try:
        sink = sinks.get(user_data)
        try:
            go_on = sink.function(ctypes.string_at(text, size).decode("utf-8", "replace"))
        except BaseException as error:  # noqa: B902 - nothing may pass the border
            sink.exception = error
            return Status.USER
        return Status.USER if go_on is False else Status.OK
    except KeyError:
        return Status.USER


@_raw.kvc_logger_log_fn
def on_log(user_data, level, message):
    try:
        loggers.get(user_data)(level, ctypes.string_at(message).decode("utf-8", "replace"))
    except KeyError:
        pass
    except BaseException as error:
        report(error)


@_raw.kvc_clock_now_ns_fn
def on_now(user_data):
    try:
        return int(clocks.get(user_data)())
    except BaseException as error:
        report(error)
        return 0


@_raw.kvc_allocator_allocate_fn
def on_allocate(user_data, size, alignment):
    try:
        return allocators.get(user_data).allocate(size, alignment) or None
    except BaseException as error:
        report(error)
        return None


@_raw.kvc_allocator_release_fn
def on_release(user_data, pointer, size, alignment):
    try:
        allocators.get(user_data).release(pointer, size, alignment)
    except BaseException as error:
        report(error)
