"""Options by name, and what an engine can be given: a model, an allocator, a logger, a clock."""
import ctypes
import json
import os
import weakref

from . import _callbacks, _raw
from ._handle import Handle
from ._library import lib
from .backend import table_of
from .errors import check, read_text
from .records import OptionInfo


def options():
    """Every option there is, as a list of OptionInfo."""
    found = []
    for index in range(lib.kvc_option_count()):
        info = _raw.kvc_option_info_t()
        check(lib.kvc_option_info(index, ctypes.byref(info)))
        found.append(OptionInfo.of(info))
    return found


def module_info(config=None) -> dict:
    """What the module of model files works with on this machine, or why it cannot."""
    raw = config._raw if config is not None else None
    return json.loads(read_text(lambda b, c, n: check(lib.kvc_module_info(raw, b, c, n))))


def text_of(value):
    """An option's value as kvc reads it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class Config(Handle):
    """config["memory"] = "1GiB". Presets are listed in kvc.h at kvc_config_create."""

    def __init__(self, preset=None, **values):
        raw = ctypes.c_void_p()
        check(lib.kvc_config_create(preset.encode() if preset is not None else None, ctypes.byref(raw)))
        super().__init__(raw.value, lib.kvc_config_destroy)
        self._keep = {}
        for key, value in values.items():
            self[key] = value

    def __setitem__(self, key, value):
        self._check(lib.kvc_config_set(self._raw, key.encode(), text_of(value).encode()))

    def __getitem__(self, key):
        return read_text(lambda b, c, n: self._check(lib.kvc_config_get(self._raw, key.encode(), b, c, n)))

    set, get = __setitem__, __getitem__

    def set_backend(self, backend):
        """Gives engines a model: a kvc.Backend, or None to take it back."""
        table, keep = table_of(backend) if backend is not None else (None, None)
        self._check(lib.kvc_config_set_backend(self._raw, None if table is None else ctypes.byref(table)))
        self._keep["backend"] = keep

    def load(self, path, key=None):
        """Sets the options that the engine of a directory had, but secrets. key: its option disk_key."""
        self._check(lib.kvc_config_load(self._raw, os.fsencode(path), key.encode() if key is not None else None))
        return self

    def set_logger(self, level, log):
        """log(level, message) for lines up to `level` (kvc.LogLevel); None takes it back. Called from any thread."""
        self._give("logger", lib.kvc_config_set_logger, _callbacks.loggers, log,
                   lambda n: _raw.kvc_logger_t(user_data=n, level=level, log=_callbacks.on_log))

    def set_clock(self, now_ns):
        """now_ns() gives nanoseconds and must not go backwards; None takes it back."""
        self._give("clock", lib.kvc_config_set_clock, _callbacks.clocks, now_ns,
                   lambda n: _raw.kvc_clock_t(user_data=n, now_ns=_callbacks.on_now))

    def set_allocator(self, allocator):
        """An object with allocate(size, alignment) -> address and release(address, size, alignment); None takes it back."""
        self._give("allocator", lib.kvc_config_set_allocator, _callbacks.allocators, allocator,
                   lambda n: _raw.kvc_allocator_t(user_data=n, allocate=_callbacks.on_allocate, release=_callbacks.on_release))

    def _give(self, name, function, registry, target, make):
        if target is None:
            self._check(function(self._raw, None))
            self._keep.pop(name, None)
            return
        entry = _Entry(registry, target)
        table = make(entry.number)
        self._check(function(self._raw, ctypes.byref(table)))
        self._keep[name] = entry

    def _check(self, status):
        return check(status, lib.kvc_config_last_error, self._raw)

    def keep(self):
        """What an engine made from this configuration must keep alive."""
        return tuple(self._keep.values())


class _Entry:
    """A callback's registration; ends with the last configuration or engine that has it."""

    def __init__(self, registry, target):
        self.number = registry.add(target)
        weakref.finalize(self, registry.remove, self.number)
