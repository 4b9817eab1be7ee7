"""kvc: the K/V cache that any program can embed.

    import kvc

    with kvc.Engine() as engine:
        answer = engine.process("In the beginning", max_tokens=64)
        print(answer.text, answer.cached_tokens)

What each call does, its units, errors and threads are said in kvc.h beside the function of the same name, and hold here.
"""
from ._library import lib as _lib
from ._library import load
from .backend import Backend, Forward, ModelInfo
from .config import Config, module_info, options
from .constants import *  # noqa: F401,F403
from .constants import __all__ as _constants
from .engine import Engine
from .errors import (KvcCancelledError, KvcClosedError, KvcError, KvcMemoryError, KvcTimeoutError, KvcUnsupportedError,
                     KvcValueError)
from .records import OptionInfo, PageInfo, Response, SessionInfo, SpaceInfo, Stats
from .request import Batch, Request, Ticket
from .session import Session, SessionView
from .space import Rope, Space, SpaceDesc

from ._raw import VERSION as __version__


def version() -> str:
    """Of the library that was loaded."""
    return _lib.kvc_version_string().decode()


def build_info() -> str:
    """How that library was built, as JSON."""
    return _lib.kvc_build_info().decode()


def has_feature(name: str) -> bool:
    return bool(_lib.kvc_has_feature(name.encode()))


__all__ = ["Backend", "Batch", "Config", "Engine", "Forward", "KvcCancelledError", "KvcClosedError", "KvcError",
           "KvcMemoryError", "KvcTimeoutError", "KvcUnsupportedError", "KvcValueError", "ModelInfo", "OptionInfo", "PageInfo",
           "Request", "Response", "Rope", "Session", "SessionInfo", "SessionView", "Space", "SpaceDesc", "SpaceInfo", "Stats",
           "Ticket", "build_info", "has_feature", "load", "module_info", "options", "version", "__version__", *_constants]
