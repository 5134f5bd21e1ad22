"""A small HTTP server for fakes: it can hang up, say nothing and answer nonsense, as providers do. Not for serving."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

_LONGEST_BODY = 1024 * 1024
_PATIENCE = 10  # seconds for a request to arrive


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; None hangs up without a word."""


@asynccontextmanager
async def served(handle: Handler, *, sock: socket.socket | None = None) -> AsyncIterator[str]:
    """Serve on a socket that listens, or on a free port of this machine; yields the URL without a slash at the end."""
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_one(handle, reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    if sock is None:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
    else:
        server = await asyncio.start_server(connected, sock=sock)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    finally:
        server.close()
        waiting = list(connections)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await server.wait_closed()


async def _one(handle: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        # Whoever leaves in the middle, or sends no HTTP, has the connection closed.
        with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                request = await _read(reader)
            response = await handle(request)
            if response is not None:
                writer.write(_written(response))
                await writer.drain()
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _LONGEST_BODY:
        raise ValueError("too long")
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, parts.path, query, headers, await reader.readexactly(length))


def _written(response: Response) -> bytes:
    status = HTTPStatus(response.status)
    headers = {**response.headers, "content-length": str(len(response.body)), "connection": "close"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{lines}\r\n".encode("latin-1") + response.body
