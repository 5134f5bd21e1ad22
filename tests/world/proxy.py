"""A wire between the provider and PostgreSQL that can be cut at any message, and be mended again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from tests.world.waiting import NEVER

ENDS = b"SQ"  # Sync and Query: the server answers, and commits
_TLS = (80877103).to_bytes(4, "big")  # the question for TLS


async def messages(reader: asyncio.StreamReader) -> AsyncIterator[tuple[bytes, bytes, bytes]]:
    """What a client sends to PostgreSQL: kind, body and the whole of each message. Greetings have no kind."""
    started = False
    while True:
        kind = await reader.readexactly(1) if started else b""
        length = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(length, "big") - 4)
        started = started or body[:4] != _TLS
        yield kind, body, kind + length + body


async def copy_answers(
    answers: asyncio.StreamReader, writer: asyncio.StreamWriter, lost: asyncio.Event, committed: asyncio.Event
) -> None:
    """To the client, until they are `lost`; then only whether the server has committed is of interest."""
    with suppress(OSError):
        while chunk := await answers.read(65536):
            if not lost.is_set():
                writer.write(chunk)
            elif chunk[-6:-1] == b"Z\x00\x00\x00\x05":  # ready for the next
                committed.set()
    writer.transport.abort()


@dataclass(slots=True)
class Wire:
    """Forwards message by message. `cut_at(n)` loses the n-th from now, and with it every connection."""

    url: str
    upstream: tuple[str, int]
    seen: int = 0
    down: bool = False
    silent: bool = False  # takes everything, and hands nothing on
    pause: float = 0.0  # seconds before each message that ends a statement
    paused: int = 0
    _cut: int | None = None
    _answer_only: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut_at(self, number: int, *, answer_only: bool = False) -> None:
        """`answer_only`: of those that end a statement; the server gets it and obeys, only its answer is lost."""
        self.seen, self._cut, self._answer_only = 0, number, answer_only

    @property
    def was_cut(self) -> bool:
        return self.down

    def lose(self) -> None:
        """Every connection, and every new one."""
        self.down = True
        for writer in list(self._open):
            writer.transport.abort()

    def mend(self) -> None:
        if self.silent:
            self.lose()  # what was swallowed would be missing
        self.down, self.silent, self.pause, self._cut = False, False, 0.0, None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.down:
            writer.transport.abort()
            return
        host, port = self.upstream
        if host.startswith("/"):
            answers, server = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            answers, server = await asyncio.open_connection(host, port)
        mine = {writer, server}
        self._open |= mine
        lost, committed = asyncio.Event(), asyncio.Event()
        back = asyncio.create_task(copy_answers(answers, writer, lost, committed))
        try:
            await self._forward(reader, server, lost, committed)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            for each in mine:
                each.transport.abort()
            self._open -= mine

    async def _forward(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, lost: asyncio.Event, committed: asyncio.Event
    ) -> None:
        async for kind, _, whole in messages(reader):
            if kind:
                self.seen += kind in ENDS if self._answer_only else 1
                if self.seen == self._cut:
                    if not self._answer_only:
                        self.lose()
                        return
                    lost.set()
            if kind and kind in ENDS and self.pause:
                self.paused += 1
                await asyncio.sleep(self.pause)
            if self.silent:
                continue
            server.write(whole)
            if lost.is_set():
                await asyncio.wait_for(committed.wait(), NEVER)
                self.lose()
                return


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Wire]:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    upstream = (query.pop("host", parts.hostname or "localhost"), int(query.pop("port", parts.port or 5432)))
    wire = Wire("", upstream)
    server = await asyncio.start_server(wire.serve, "127.0.0.1", 0)
    query |= {"host": "127.0.0.1", "port": str(server.sockets[0].getsockname()[1])}
    login, _, _ = parts.netloc.rpartition("@")
    wire.url = urlunsplit((parts.scheme, f"{login}@", parts.path, urlencode(query), ""))
    try:
        yield wire
    finally:
        wire.lose()
        server.close()
