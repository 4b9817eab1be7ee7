"""Finds libkvc.so, loads it once, and gives every function its signature."""
import ctypes
import os
import sys
import threading

from . import _raw

_NAME = "libkvc.so." + str(_raw.ABI_VERSION)


def _candidates(path):
    """Where the library may lie, the nearest first. What is named explicitly has no alternative."""
    if path:
        return [os.fspath(path)]
    if os.environ.get("KVC_LIBRARY"):
        return [os.environ["KVC_LIBRARY"]]
    if os.environ.get("KVC_LIBRARY_PATH"):
        return [os.path.join(os.environ["KVC_LIBRARY_PATH"], _NAME)]
    bundled = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", _NAME)
    return ([bundled] if os.path.exists(bundled) else []) + [_NAME]


def _open(path):
    problems = []
    for candidate in _candidates(path):
        try:
            return candidate, ctypes.CDLL(candidate)
        except OSError as error:
            problems.append(str(error))
    raise ImportError("libkvc could not be loaded: " + "; ".join(problems) + ". Name it by kvc.load(path), by KVC_LIBRARY "
                      "(a file) or by KVC_LIBRARY_PATH (a folder)")


def _missing(name, path):
    def call(*_args):
        raise NotImplementedError(f"{path} has no {name}: it is older than this package ({_raw.VERSION})")
    return call


class _Library:
    """The functions of kvc.h by name; the first use loads the library."""

    def __init__(self):
        self._lock = threading.Lock()

    def load(self, path=None):
        with self._lock:
            if "library_path" in self.__dict__:
                if path and os.path.realpath(os.fspath(path)) != os.path.realpath(self.library_path):
                    raise ImportError(f"kvc is loaded already, from {self.library_path}")
                return
            found, library = _open(path)
            library.kvc_abi_version.restype = ctypes.c_uint32
            abi = library.kvc_abi_version()
            if abi != _raw.ABI_VERSION:
                raise ImportError(f"{found} speaks ABI {abi}, this package ABI {_raw.ABI_VERSION}: install the library that "
                                  "belongs to it, or name another by KVC_LIBRARY")
            functions = {}
            for name, (result, parameters) in _raw.FUNCTIONS.items():
                try:
                    function = getattr(library, name)
                except AttributeError:
                    functions[name] = _missing(name, found)
                    continue
                function.restype, function.argtypes = result, parameters
                functions[name] = function
            self.__dict__.update(functions, library_path=found)

    def __getattr__(self, name):  # only while nothing is loaded
        if name.startswith("__") or "library_path" in self.__dict__:
            raise AttributeError(name)
        self.load()
        return getattr(self, name)


lib = _Library()


def load(path=None):
    """Loads the library now, from `path` if it is given; otherwise the first use does it. Raises ImportError."""
    lib.load(path)


def report(error):
    """An exception that ends in a callback with nobody to raise it to."""
    sys.unraisablehook(type("Unraisable", (), {"exc_type": type(error), "exc_value": error, "exc_traceback": error.__traceback__,
                                               "err_msg": "Exception ignored in a callback of kvc", "object": None})())
