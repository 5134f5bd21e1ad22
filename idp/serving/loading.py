"""Modules loaded without what they would bring along for a terminal: a server has none, and a command no time."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Where they are, httpx and structlog load them: for a command line of its own, and for tracebacks that nobody is shown.
_UNSEEN = ("pygments", "rich")


@contextmanager
def plainly() -> Iterator[None]:
    """Modules that are imported in the block find neither rich nor pygments, unless they were loaded before."""
    unseen = [name for name in _UNSEEN if name not in sys.modules]
    sys.modules.update(dict.fromkeys(unseen))  # type: ignore[arg-type]  # None: there is no such module
    try:
        yield
    finally:
        for name in unseen:
            del sys.modules[name]
