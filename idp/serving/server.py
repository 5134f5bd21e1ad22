"""One process that answers requests on a socket it is given, until it is told to stop. Who tells it is elsewhere."""

import asyncio
import contextlib
import errno
import gc
import resource
import socket
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from typing import Any

import uvicorn
import uvloop

from idp.errors import IdpError
from idp.serving.protocol import PatientProtocol

DRAIN = 10  # seconds for the requests that are being answered when we are told to stop
KEEP_ALIVE = 75  # seconds; longer than the 60 of nginx and most load balancers, so that theirs ends first
BACKLOG = 2048
CONNECTIONS = 4096
FILES = 65_536

Application = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI 3, whoever wrote down its types."""


def bind(host: str, port: int, *, option: str = "--port") -> socket.socket:
    """A socket that listens. Raises `IdpError` with one sentence, which names the option that `port` came from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        raise IdpError(f"{host} is no address of this machine: give another --host.") from None
    try:
        # On Linux this takes a port whose last connections linger, never one that somebody listens on.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
        sock.setblocking(False)  # noqa: FBT003 - its only parameter
    except OSError as error:
        sock.close()
        raise IdpError(_not_bound(host, port, option, error)) from None
    return sock


def _not_bound(host: str, port: int, option: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use: stop what listens there, or give another {option}."
    if error.errno == errno.EACCES:
        return f"This account may not listen on port {port}: give a {option} above 1023."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: give another --host."
    return f"Cannot listen on {host} port {port}: {error.strerror}."


def address_of(sock: socket.socket) -> str:
    """The URL that reaches a bound socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def raise_file_limit() -> None:
    """As many open files as the system lets us have: each connection is one, and 1024 are soon gone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def serve(
    app: Application,
    lifespan: AbstractAsyncContextManager[object],
    sock: socket.socket,
    *,
    stop: asyncio.Event,
    ready: Callable[[], None],
) -> None:
    """Answer requests until `stop` is set, then finish those begun and return. `ready` is called when it begins.

    `lifespan` is the application's, entered here, so that what its start-up raises reaches the caller as it is.
    """
    config = uvicorn.Config(
        app,
        http=PatientProtocol,
        ws="none",
        loop="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN,
        limit_concurrency=CONNECTIONS,
        backlog=BACKLOG,
    )
    async with lifespan:
        server = _Server(config, stop, ready)
        await server.serve(sockets=[sock])


class _Server(uvicorn.Server):
    """uvicorn, told by an event when to stop: signals are the caller's."""

    def __init__(self, config: uvicorn.Config, stop: asyncio.Event, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        # What is loaded by now stays: the collector need not look through it again with every few requests, nor even
        # once (a tenth of a start, for some hundred objects). It rested until now (`idp.__main__`, `worker.main`).
        gc.freeze()
        gc.enable()
        await super().startup(sockets)
        self._ready()

    async def main_loop(self) -> None:
        """Tick until told to stop."""
        waiting = asyncio.create_task(self._stop.wait())
        try:
            while not waiting.done():
                await self.on_tick(0)  # the Date header
                await asyncio.wait({waiting}, timeout=1)
        finally:
            waiting.cancel()


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The loop that a server runs on."""
    return uvloop.new_event_loop()
