"""Promises 5 and 6 with real processes: `idp serve --workers 2`, killed at every step, raced, and killed as a whole.

What a lost connection does is in test_crashes; here nothing is told to end, it ends. Linux tells who is at the other
end of a Unix socket, so the wire to PostgreSQL knows which worker sends each message, and kills that one.
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
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from sqlalchemy import bindparam, func, select
from starlette.applications import Starlette

from idp import localpg
from idp.app import open_idp
from idp.cli.place import KEY_FILE, read_or_make_keys
from idp.crypto import KeyChain, digest, parse_secret_keys
from idp.factors import sms
from idp.flows.sealed import CODE_KEY
from idp.settings import read_settings
from idp.store import migrations
from idp.store.engine import Statement
from idp.store.schema import audit_event, challenge, refresh_token
from idp.testing import FakeGateway, FrozenClock
from tests.cli.test_serve import children, lives, until
from tests.conftest import empty, settings_for
from tests.proxy import ENDS
from tests.store.asking import Asked, ask_second_factor, attempts, count, forget_limits, offline_code, wrong
from tests.store.parallel import at_once
from tests.support import ALICE_PHONE, BANK_URI, ISSUER, Browser, Provider, parameters
from tests.test_crashes import STEPS, Step, check

pytestmark = pytest.mark.xdist_group("processes")

# The pause before a dead worker is replaced doubles while its successors die young, as all of these do.
SERVE = [
    sys.executable,
    "-c",
    "import sys; from idp.cli import main, supervisor; supervisor.FIRST_PAUSE, supervisor.LIVED = 0.05, 0.0;"
    " sys.exit(main(['serve', '--workers', '2', '--port', '0', '--json']))",
]
# Of what a worker asks beside requests: senders, clock, changes of clients and keys, new connections.
BESIDE = (
    b"message_attempt",
    b"clock_timestamp",
    b"FROM client",
    b"FROM signing_key",
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
REFUSALS = Statement(select(func.count()).select_from(audit_event).where(audit_event.c.name == "factor.refused"))
ROUNDS = range(3)


@dataclass(slots=True)
class Killer:
    """Between the workers and PostgreSQL, on a Unix socket. `at(n)` kills whoever sends the n-th message from now."""

    url: str
    upstream: str
    workers: Callable[[], set[int]] = set
    killed: int | None = None
    seen: int = 0
    ends: int = 0
    _number: int | None = None
    _answer: bool = False

    def at(self, number: int, *, answer: bool = False) -> None:
        """`answer`: of those that end a statement; PostgreSQL gets it and obeys, nobody is left to hear of it."""
        self.seen, self.ends, self.killed, self._number, self._answer = 0, 0, None, number, answer

    def rest(self) -> None:
        self._number = None

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
        ready = asyncio.Event()
        back = asyncio.create_task(_answers(answers, writer, ready))
        try:
            await self._forward(reader, server, process, ready)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            back.cancel()
            with suppress(asyncio.CancelledError):
                await back
            writer.transport.abort()
            server.transport.abort()

    async def _forward(
        self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, process: int, ready: asyncio.Event
    ) -> None:
        started = ours = False
        asked: set[bytes] = set()  # the prepared statements that belong to requests
        while True:
            kind = await reader.readexactly(1) if started else b""
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length, "big") - 4)
            if not started:
                started = body[:4] != (80877103).to_bytes(4, "big")  # all but the question for TLS
            elif kind in b"PBQ":
                parts = body.split(b"\0", 2)
                if kind != b"B" and not any(mark in body for mark in BESIDE):
                    asked.add(parts[0])
                ours = parts[kind == b"B"] in asked
            if self._number is not None: print("MSG", process, kind, ours, body[:9000] if kind in b"PBQ" else b"", flush=True)
            if ours and self._now(kind, process):
                if not self._answer:
                    os.kill(process, signal.SIGKILL)
                    return
                ready.clear()
                server.write(kind + length + body)
                os.kill(process, signal.SIGKILL)
                await asyncio.wait_for(ready.wait(), 10)
                return
            server.write(kind + length + body)


async def _answers(answers: asyncio.StreamReader, writer: asyncio.StreamWriter, ready: asyncio.Event) -> None:
    with suppress(OSError):
        while chunk := await answers.read(65536):
            writer.write(chunk)
            if chunk[-6:-1] == b"Z\x00\x00\x00\x05":  # ready for the next: committed
                ready.set()
    writer.transport.abort()


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
        patient = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), 60.0)}
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
        ((nonce, key_id, purpose),) = await self.rows(NEWEST)
        return [sms.code(key=self.idp.secrets.subkey(CODE_KEY, key_id), nonce=nonce, purpose=purpose)]

    def workers(self) -> set[int]:
        return {one for one in children(self.process.pid) if b"idp.cli.worker" in _command(one)}


def _command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """No setting of ours, and compiled modules kept for the next process: starting is most of what is waited for."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("IDP_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    own = {"IDP_ISSUER": ISSUER, "IDP_METRICS": "off", "IDP_SMS_GATEWAYS": "console", "IDP_LOG_LEVEL": "error"}
    return {"PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled")), **kept, **own}


def keys_text(chain: KeyChain) -> str:
    return ",".join(f"{name}:{base64.urlsafe_b64encode(value).decode()}" for name, value in chain._keys.items())


@asynccontextmanager
async def serving(environ: dict[str, str], said: Path) -> AsyncIterator[tuple["subprocess.Popen[str]", str]]:
    """A server and its address. What it says on standard error is kept in a file."""
    with said.open("a") as errors:
        process = subprocess.Popen(SERVE, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True)
    assert process.stdout is not None
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, said.read_text()
        yield process, json.loads(line)["address"]
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate, None, 20)
        assert "Traceback" not in said.read_text()


@asynccontextmanager
async def people(url: str, chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """The bank and alice, on the clock of the database."""
    async with open_idp(settings_for(tmp_path), url=url, secrets=chain) as idp:
        clock = FrozenClock(idp.clock.now())
        made = Provider(app=Starlette(), idp=idp, clock=clock, gateway=FakeGateway())
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made


@asynccontextmanager
async def served(
    made: Provider, environ: dict[str, str], tmp_path: Path
) -> AsyncIterator[Served]:
    async with serving(environ, tmp_path / "stderr") as (process, address):
        over = Over(address)
        try:
            yield Served(
                app=made.app,
                idp=made.idp,
                clock=made.clock,
                gateway=made.gateway,
                pkce=made.pkce,
                secrets=made.secrets,
                process=process,
                transport=over,
                address=address,
            )
        finally:
            await over.wire.aclose()


@pytest.fixture(scope="module")
async def mortal(
    database_url: str, key_chain: KeyChain, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Served, Killer]]:
    """Workers that reach their database through a killer."""
    home = tmp_path_factory.mktemp("mortal")
    await empty(database_url)
    async with AsyncExitStack() as stack:
        killer = await stack.enter_async_context(killer_before(database_url))
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        settings = {"IDP_DATABASE_URL": killer.url, "IDP_SECRET_KEYS": keys_text(key_chain)}
        provider = await stack.enter_async_context(served(made, environ | settings, home))
        killer.workers = provider.workers
        yield provider, killer


async def _consent(provider: Provider) -> Callable[[], Any]:
    browser = provider.browser()
    await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
    return lambda: browser.submit("/consent", follow=False, decision="allow")


async def _agreed(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 303 and response.headers["location"].startswith(BANK_URI):
        assert (await provider.redeem(parameters(response)["code"])).status_code == 200


ALL = {**STEPS, "consent": Step(_consent, _agreed)}


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        pytest.param("password", 4, id="password"),
        pytest.param("text message", 2, id="text message"),
        pytest.param("consent", 4, id="consent"),
        pytest.param("code exchange", 2, id="code exchange"),
        pytest.param("refresh", 1, id="refresh"),
    ],
)
async def test_a_worker_may_die_between_any_two_messages(
    mortal: tuple[Served, Killer], database_url: str, name: str, stride: int
) -> None:
    provider, killer = mortal
    step = ALL[name]
    await forget_limits(provider)
    request = await step.prepare(provider)
    killer.at(0)
    assert (await request()).status_code in {200, 303}
    killer.rest()
    messages, ends = killer.seen, killer.ends
    assert messages >= 3 * ends > 0
    print(name, messages, ends)
    for number, answer in [*((one, False) for one in range(1, messages + 1, stride)), (ends, True)]:
        await forget_limits(provider)
        request = await step.prepare(provider)
        killer.at(number, answer=answer)
        lost: httpx.Response | None = None
        with suppress(httpx.TransportError):
            lost = await request()
        assert lost is None, (number, answer, killer.seen, lost.status_code, lost.headers, lost.text[:2000])
        assert killer.killed is not None
        await check(database_url)
        # The same once more: it works, or it had worked and is refused; it never works twice.
        again = await request()
        assert again.status_code in {200, 303, 400, 410}, (number, again.text[:500])
        await step.goes_on(provider, again)
        await check(database_url)
    await forget_limits(provider)
    assert (await provider.redeem(await offline_code(provider))).status_code == 200
