"""Ports for what cannot be told to take any that is free: chosen now, listened on later."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

# Below those that the kernel hands out by itself: no connection that is made meanwhile takes one.
_FIRST, _LAST, _STEP = 21000, 32000, 7


def _drawn() -> Iterator[int]:
    """None twice; no other worker of this run draws the same, and who else does on this machine is not likely to."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ours = range(_FIRST + _STEP * worker, _LAST, _STEP * workers)
    yield from random.SystemRandom().sample(ours, len(ours))


_PORTS = _drawn()


def free_port(*, in_a_row: int = 1) -> int:
    """A port that nobody listens on, and as many after it."""
    assert in_a_row <= _STEP
    for port in _PORTS:
        with suppress(OSError), ExitStack() as taken:
            for each in range(port, port + in_a_row):
                taken.enter_context(socket.create_server(("127.0.0.1", each)))
            return port
    raise AssertionError("no free port is left")
