"""A cheap HTTP/1.1 client on keep-alive connections: the load must not cost what it measures."""

import asyncio
from dataclasses import dataclass, field
from typing import Self, cast
from urllib.parse import urlencode

import httptools


class Unexpected(Exception):
    """The provider answered something else than the bench is about. Nothing is measured then."""


@dataclass(slots=True)
class Answer:
    """One response. Header names are lower case; of repeated ones only `Set-Cookie` is kept whole."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def want(self, status: int) -> Self:
        """Itself, if the status is this one. Raises `Unexpected`."""
        if self.status != status:
            raise Unexpected(f"status {self.status} instead of {status}: {self.body[:300]!r} {self.headers}")
        return self


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to this machine's `port`."""
        host = f"localhost:{port}"
        _, made = await asyncio.get_running_loop().create_connection(lambda: cls(host), "127.0.0.1", port)
        return made

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    async def get(self, path: str, headers: str = "") -> Answer:
        """GET. `headers` are whole lines, each ended by CRLF."""
        return await self._send(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n{headers}\r\n".encode())

    async def post(self, path: str, form: dict[str, str], headers: str = "") -> Answer:
        """POST a form."""
        body = urlencode(form).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self._host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(body)}\r\n{headers}\r\n"
        )
        return await self._send(head.encode() + body)

    async def _send(self, data: bytes) -> Answer:
        assert self._transport is not None
        self._answer = Answer()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(data)
        return await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's says so only by what it can do

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or Unexpected("the provider hung up"))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        key, text = name.decode().lower(), value.decode()
        if key == "set-cookie":
            cookie, _, content = text.partition(";")[0].partition("=")
            self._answer.cookies[cookie] = content
        else:
            self._answer.headers[key] = text

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._answer.body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._answer.status = self._parser.get_status_code()
        self._parser = httptools.HttpResponseParser(self)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)
