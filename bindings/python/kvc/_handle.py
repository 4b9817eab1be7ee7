"""What all objects with a C handle share."""
import weakref


class Handle:
    """Owns a C handle. close() may be called twice; a call after it raises KvcClosedError, as kvc checks every handle. An object
    that is dropped without close() is closed by the garbage collector, and at the latest before the interpreter ends."""

    def __init__(self, raw, release, *keep):
        """release(raw) ends the handle; `keep` lives at least as long as it."""
        self._raw = raw
        self._finalizer = weakref.finalize(self, _release, release, raw, keep)

    def close(self):
        self._finalizer()

    @property
    def closed(self):
        return not self._finalizer.alive

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


def _release(release, raw, _keep):
    release(raw)
