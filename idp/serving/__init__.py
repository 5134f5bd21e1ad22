"""The provider brought up on a machine: its database and keys, its socket, its processes. No command line."""

import sys
from importlib import import_module

# Where they are, httpx and structlog load them: for a command line, and for tracebacks that nobody is shown.
_UNSEEN = ("pygments", "rich")

if not any(name in sys.modules for name in _UNSEEN):
    sys.modules.update(dict.fromkeys(_UNSEEN))  # type: ignore[arg-type]  # None: there is no such module
    for name in ("httpx", "structlog"):
        import_module(name)
    for name in _UNSEEN:
        del sys.modules[name]
