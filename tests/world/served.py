"""`idp serve` as real processes: reached as a browser would, and killed from the wire to their database.

Linux tells who is at the other end of a Unix socket, so the wire knows which worker sends each message.
"""

import asyncio
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import httpx
from sqlalchemy import select
from starlette.applications import Starlette

from idp.crypto import KeyChain
from idp.factors import sms
from idp.flows.opening import open_idp
from idp.flows.sealed import CODE_KEY
from idp.flows.tokens import keys
from idp.store.schema.people import challenge
from idp.testing import FakeGateway, FrozenClock
from tests.world import hashing
from tests.world.composed import Statement
from tests.world.processes import children
from tests.world.provider import ALICE_PHONE, BANK_URI, ISSUER, Browser, Provider
from tests.world.proxy import ENDS, copy_answers, messages
from tests.world.running import settings_for
from tests.world.waiting import NEVER, News

LEASE = timedelta(seconds=5)
WORKER = f"""
import sys
from datetime import timedelta
from idp.serving.worker import main
from idp.store.delivery import leases
leases.LEASE = timedelta(seconds={LEASE.total_seconds()})
sys.exit(main())
"""
# The pause before a dead worker is replaced doubles while its successors die young, as all of these do.
IMPATIENT = f"""
import sys
from idp.cli import main
from idp.serving import supervisor
supervisor.FIRST_PAUSE, supervisor.LIVED = 0.05, 0.0
supervisor.WORKER = [sys.executable, "-c", {WORKER!r}]
sys.exit(main(sys.argv[1:]))
"""
SERVE = [sys.executable, "-c", IMPATIENT, "serve", "--workers", "2", "--json", "--port"]
# Of what a worker asks beside requests: senders, sweeper, clock, changes of clients and keys, new connections.
BESIDE = (
    b"lease_until",
    b"gateway_breaker",
    b"suppressed_number",
    b"FROM spending_",
    b"spending_region",
    b"WITH batch AS",
    b"min(created_at)",
    b"clock_timestamp",
    b"FROM client ORDER",
    b"FROM signing_key",
    b"FROM secret_key",
    b"INTO secret_key",
    b"LISTEN",
    b"pg_catalog",
    b"typeinfo_tree",
    b"set_config",
)
NEWEST = Statement(
    select(challenge.c.nonce, challenge.c.key_id, challenge.c.purpose)
    .where(challenge.c.factor == "sms")
    .order_by(challenge.c.created_at.desc())
    .limit(1)
)
RUNS = b"BESQ"  # Bind, Execute, Sync and Query


@dataclass(slots=True)
class Killer:
    """Between the workers and PostgreSQL, on a Unix socket. `at(n)` kills whoever sends the n-th message from now."""

    url: str
    upstream: str
    workers: Callable[[], set[int]] = set
    killed: int | None = None
    seen: int = 0
    ends: int = 0
    news: News = field(default_factory=News)
    over: bool = False
    _number: int | None = None
    _answer: bool = False
    _only: bytes = b""

    def at(self, number: int, *, answer: bool = False, only: bytes = b"") -> None:
        """`answer`: of those that end a statement; PostgreSQL gets it and obeys, nobody is left to hear of it.

        Of requests, or of `only` the statements that hold this.
        """
        self.seen, self.ends, self.killed, self._number, self._answer = 0, 0, None, number, answer
        self.over = False
        self._only = only

    def rest(self) -> None:
        self._number = None

    async def done(self) -> None:
        """Until somebody was killed, and PostgreSQL has committed whatever it will."""
        await self.news.until(lambda: self.over)

    def _ours(self, query: bytes) -> bool:
        return self._only in query if self._only else not any(mark in query for mark in BESIDE)

    def _now(self, kind: bytes, process: int) -> bool:
        if self._number is None:
            return False
        self.ends += kind in ENDS
        self.seen += not self._answer or kind in ENDS
        if self.seen != self._number or process not in self.workers():
            return False
        self._number, self.killed = None, process
        return True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        process = struct.unpack("3i", peer)[0]
        answers, server = await asyncio.open_unix_connection(self.upstream)
        lost, committed = asyncio.Event(), asyncio.Event()
        back = asyncio.create_task(copy_answers(answers, writer, lost, committed))
        try:
            await self._forward(reader, server, process, lost, committed)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            writer.transport.abort()
            server.transport.abort()

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        server: asyncio.StreamWriter,
        process: int,
        lost: asyncio.Event,
        committed: asyncio.Event,
    ) -> None:
        ours = False
        queries: dict[bytes, bytes] = {}  # the prepared statements of this connection
        async for kind, body, whole in messages(reader):
            if kind and kind in b"PBQ":  # Parse names a statement, Bind uses it
                parts = body.split(b"\0", 2)
                if kind != b"B":
                    queries[parts[0]] = body
                ours = self._ours(queries.get(parts[kind == b"B"], b"".join(BESIDE)))
            # A statement is parsed once for each connection, which changes nothing; it is run by the other messages.
            if ours and kind in RUNS and self._now(kind, process):
                if self._answer:
                    lost.set()
                    server.write(whole)
                os.kill(process, signal.SIGKILL)
                if self._answer:
                    await asyncio.wait_for(committed.wait(), NEVER)
                self.over = True
                self.news()
                return
            server.write(whole)


@asynccontextmanager
async def killer_before(url: str) -> AsyncIterator[Killer]:
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    port = query.get("port", "5432")
    # A socket's path has at most 107 bytes, which pytest's directories may exceed.
    with tempfile.TemporaryDirectory(prefix="stile-") as directory:
        theirs = urlencode({**query, "host": directory}, quote_via=quote)
        url = urlunsplit((parts.scheme, parts.netloc, parts.path, theirs, ""))
        made = Killer(url, f"{query['host']}/.s.PGSQL.{port}")
        server = await asyncio.start_unix_server(made.serve, f"{directory}/.s.PGSQL.{port}")
        try:
            yield made
        finally:
            server.close()


class Over(httpx.AsyncBaseTransport):
    """Requests for the issuer go to where it really listens. Connections outlive the client, as in a browser."""

    def __init__(self, address: str, connections: int | None = None) -> None:
        limits = httpx.Limits(max_connections=connections)
        self.wire = httpx.AsyncHTTPTransport(verify=False, limits=limits)
        self._port = urlsplit(address).port

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(host="127.0.0.1", port=self._port)
        patient = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), NEVER)}
        sent = httpx.Request(request.method, url, headers=request.headers, stream=request.stream, extensions=patient)
        return await self.wire.handle_async_request(sent)


@dataclass(slots=True)
class Served(Provider):
    """A provider that runs elsewhere. Its database is ours too, so we know what the phone shows."""

    process: "subprocess.Popen[str]" = field(kw_only=True)
    transport: Over = field(kw_only=True)
    address: str = field(kw_only=True)

    def browser(self, **_: Any) -> Browser:
        made = Browser(self.app)
        made.http = httpx.AsyncClient(transport=self.transport, base_url=ISSUER)
        return made

    async def deliver(self) -> list[str]:
        """The newest code; none before one was asked for. Sending is the server's business."""
        return [
            sms.code(key=self.idp.secrets.subkey(CODE_KEY, key_id), nonce=nonce, purpose=purpose)
            for nonce, key_id, purpose in await self.rows(NEWEST)
        ]

    def workers(self) -> set[int]:
        return {one for one in children(self.process.pid) if b"idp.serving.worker" in _command(one)}


@asynccontextmanager
async def reaching(made: Provider, process: "subprocess.Popen[str]", address: str) -> AsyncIterator[Served]:
    """The same people and clients, behind a server."""
    ours = {each.name: getattr(made, each.name) for each in fields(Provider)}
    over = Over(address)
    try:
        yield Served(**ours, process=process, transport=over, address=address)
    finally:
        await over.wire.aclose()


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def keys_text(chain: KeyChain) -> str:
    return ",".join(f"{name}:{base64.urlsafe_b64encode(value).decode()}" for name, value in chain._keys.items())


def _launch(environ: dict[str, str], said: Path, port: int) -> "subprocess.Popen[str]":
    with said.open("a") as errors:
        return subprocess.Popen([*SERVE, str(port)], env=environ, stdout=subprocess.PIPE, stderr=errors, text=True)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@asynccontextmanager
async def serving(
    environ: dict[str, str], said: Path, *, port: int = 0
) -> AsyncIterator[tuple["subprocess.Popen[str]", str]]:
    """A server and its address. What it says on standard error is kept in a file."""
    process = _launch(environ, said, port)
    assert process.stdout is not None
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, _text(said)
        yield process, json.loads(line)["address"]
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate, None, NEVER)
        assert "Traceback" not in _text(said)


@asynccontextmanager
async def provider_on(url: str, chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """What the database holds, without a server, on the database's own clock."""
    async with open_idp(settings_for(tmp_path), url=url, secrets=chain) as idp:
        await keys.read(idp)
        yield Provider(app=Starlette(), idp=idp, clock=FrozenClock(idp.clock.now()), gateway=FakeGateway())


@asynccontextmanager
async def people(url: str, chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """The bank and alice."""
    async with provider_on(url, chain, tmp_path) as made:
        await made.add_client("bank", BANK_URI)
        with hashing.at(hashing.FULL):  # as the server would
            await made.add_person("alice", number=ALICE_PHONE)
        yield made


@asynccontextmanager
async def served(made: Provider, environ: dict[str, str], tmp_path: Path, *, port: int = 0) -> AsyncIterator[Served]:
    async with (
        serving(environ, tmp_path / "stderr", port=port) as (process, address),
        reaching(made, process, address) as provider,
    ):
        yield provider
