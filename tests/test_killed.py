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
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit, urlunsplit

import httpx
import pytest
from sqlalchemy import Uuid, bindparam, func, select
from starlette.applications import Starlette

from idp import localpg
from idp.app import open_idp
from idp.cli.place import KEY_FILE, read_or_make_keys
from idp.crypto import KeyChain, parse_secret_keys
from idp.factors import sms
from idp.flows.sealed import CODE_KEY
from idp.store import migrations
from idp.store.engine import Statement
from idp.store.schema import audit_event, challenge
from idp.testing import FakeGateway, FrozenClock
from tests.cli.test_serve import children, lives, until
from tests.conftest import empty, settings_for
from tests.proxy import ENDS
from tests.store.asking import Asked, ask_second_factor, count, forget_limits, offline_code, wrong
from tests.store.parallel import at_once
from tests.support import ALICE_PHONE, BANK_URI, ISSUER, Browser, Provider, parameters
from tests.test_crashes import STEPS, Step, check

pytestmark = pytest.mark.xdist_group("processes")

# The pause before a dead worker is replaced doubles while its successors die young, as all of these do.
IMPATIENT = """
import sys
from idp.cli import main, supervisor
supervisor.FIRST_PAUSE, supervisor.LIVED = 0.05, 0.0
sys.exit(main(sys.argv[1:]))
"""
SERVE = [sys.executable, "-c", IMPATIENT, "serve", "--workers", "2", "--port", "0", "--json"]
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
TRIES = Statement(
    select(challenge.c.attempts, challenge.c.consumed_at).where(
        challenge.c.interaction_id == bindparam("interaction", type_=Uuid), challenge.c.factor == "sms"
    )
)
REFUSALS = Statement(select(func.count()).select_from(audit_event).where(audit_event.c.name == "factor.refused"))
RUNS = b"BESQ"  # Bind, Execute, Sync and Query
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
            elif kind in b"PBQ":  # Parse names a statement, Bind uses it
                parts = body.split(b"\0", 2)
                if kind != b"B" and not any(mark in body for mark in BESIDE):
                    asked.add(parts[0])
                ours = parts[kind == b"B"] in asked
            # A statement is parsed once for each connection, which changes nothing; it is run by the other messages.
            if ours and kind in RUNS and self._now(kind, process):
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


Racing = tuple[Served, list[Over]]


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


def _launch(environ: dict[str, str], said: Path) -> "subprocess.Popen[str]":
    with said.open("a") as errors:
        return subprocess.Popen(SERVE, env=environ, stdout=subprocess.PIPE, stderr=errors, text=True)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@asynccontextmanager
async def serving(environ: dict[str, str], said: Path) -> AsyncIterator[tuple["subprocess.Popen[str]", str]]:
    """A server and its address. What it says on standard error is kept in a file."""
    process = _launch(environ, said)
    assert process.stdout is not None
    try:
        line = await asyncio.to_thread(process.stdout.readline)
        assert line, _text(said)
        yield process, json.loads(line)["address"]
    finally:
        process.terminate()
        await asyncio.to_thread(process.communicate, None, 20)
        assert "Traceback" not in _text(said)


@asynccontextmanager
async def provider_on(url: str, chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """What the database holds, without a server, on the database's own clock."""
    async with open_idp(settings_for(tmp_path), url=url, secrets=chain) as idp:
        yield Provider(app=Starlette(), idp=idp, clock=FrozenClock(idp.clock.now()), gateway=FakeGateway())


@asynccontextmanager
async def people(url: str, chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """The bank and alice."""
    async with provider_on(url, chain, tmp_path) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made


@asynccontextmanager
async def served(made: Provider, environ: dict[str, str], tmp_path: Path) -> AsyncIterator[Served]:
    async with (
        serving(environ, tmp_path / "stderr") as (process, address),
        reaching(made, process, address) as provider,
    ):
        yield provider


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


async def _consent(provider: Provider) -> Callable[[], Awaitable[httpx.Response]]:
    browser = provider.browser()
    await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
    return lambda: browser.submit("/consent", follow=False, decision="allow")


async def _agreed(provider: Provider, response: httpx.Response) -> None:
    if response.status_code == 303 and response.headers["location"].startswith(BANK_URI):
        assert (await provider.redeem(parameters(response)["code"])).status_code == 200


ALL = {**STEPS, "consent": Step(_consent, _agreed)}
# What the same request brings after everything was committed and the worker died before it could say so.
AFTERWARDS = {
    "password": {303, 400, 410},
    "text message": {303, 400, 410},
    "consent": {303, 400, 410},
    "code exchange": {400},  # a code used twice
    "refresh": {200},  # a retry is forgiven for half a minute
}


async def killed(
    killer: Killer, request: Callable[[], Awaitable[httpx.Response]], number: int, *, answer: bool
) -> None:
    """Send the request, and see its worker die before it answers."""
    killer.at(number, answer=answer)
    answered: httpx.Response | None = None
    with suppress(httpx.TransportError):
        answered = await request()
    assert answered is None, (number, answer, killer.seen, answered.status_code, answered.text[:500])
    assert killer.killed is not None
    # Its sockets end a moment before it does.
    assert await asyncio.to_thread(until, lambda: not lives(killer.killed or 0))


async def attempts_of(provider: Provider, asked: Asked) -> tuple[int, object]:
    """How many tries of this question were spent, and when it was answered."""
    ((spent, consumed_at),) = await provider.rows(TRIES, interaction=asked.interaction_id)
    return spent, consumed_at


async def send(
    line: Over, method: str, path: str, data: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """One request on one connection, which stays open."""
    answer = await line.handle_async_request(httpx.Request(method, ISSUER + path, data=data, headers=headers))
    await answer.aread()
    return answer


def typing(lines: list[Over], asked: Asked, code: str) -> Callable[[int], Awaitable[httpx.Response]]:
    """The same form of the same browser, each time on another connection."""
    form = asked.browser.form("/sms")
    data = {each.name: each.value for each in form.fields if each.name} | {"code": code}
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in asked.browser.http.cookies.jar)
    return lambda number: send(lines[number], "POST", form.action, data, {"Cookie": cookies})


def asking(provider: Provider, lines: list[Over], form: dict[str, str]) -> Callable[[int], Awaitable[httpx.Response]]:
    """The same request of the bank for tokens, each time on another connection."""
    basic = base64.b64encode(f"bank:{provider.secrets['bank']}".encode()).decode()
    return lambda number: send(lines[number], "POST", "/token", form, {"Authorization": f"Basic {basic}"})


def kill_everybody(process: int) -> None:
    """The process and whatever descends from it, at once. Nobody is left to clean up."""
    family = [process]
    for one in family:
        family += sorted(children(one))
    for one in family:
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        pytest.param("password", 2, id="password"),
        pytest.param("text message", 2, id="text message"),
        pytest.param("consent", 2, id="consent"),
        pytest.param("code exchange", 1, id="code exchange"),
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
    for number, answer in [*((one, False) for one in range(1, messages + 1, stride)), (ends, True)]:
        await forget_limits(provider)
        request = await step.prepare(provider)
        await killed(killer, request, number, answer=answer)
        await check(database_url)
        # The same once more. It works unless it had worked, and it never works twice.
        again = await request()
        told = (number, answer, again.text[:500])
        assert again.status_code in (AFTERWARDS[name] if answer else {200, 303}), told
        await step.goes_on(provider, again)
        await check(database_url)
    await forget_limits(provider)
    assert (await provider.redeem(await offline_code(provider))).status_code == 200


async def test_a_try_of_a_worker_that_died_stays_spent(mortal: tuple[Served, Killer], database_url: str) -> None:
    """OTP-03: each try's worker is killed at a later message; after three tries the right code is refused."""
    provider, killer = mortal
    await forget_limits(provider)
    asked = await ask_second_factor(provider)
    (code,) = await provider.deliver()
    # 1 to 3 load, 4 to 6 spend, 7 to 9 note the refusal
    for spent, (number, answer) in enumerate([(6, False), (2, True), (7, False), (3, True)]):
        await killed(killer, lambda: asked.browser.submit("/sms", code=wrong(code)), number, answer=answer)
        assert (await attempts_of(provider, asked)) == (spent, None)
        await check(database_url)
    assert await asyncio.to_thread(until, lambda: len(provider.workers()) == 2)
    refused = await asked.browser.submit("/sms", code=code)
    assert refused.status_code == 400
    assert (await attempts_of(provider, asked)) == (3, None)
    await check(database_url)


@pytest.fixture(scope="module")
async def racing(
    database_url: str, key_chain: KeyChain, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Racing]:
    """Twenty connections to each of two workers, which reach PostgreSQL directly."""
    home = tmp_path_factory.mktemp("racing")
    await empty(database_url)
    settings = {"IDP_DATABASE_URL": database_url, "IDP_SECRET_KEYS": keys_text(key_chain)}
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(people(database_url, key_chain, home))
        provider = await stack.enter_async_context(served(made, environ | settings, home))
        workers = sorted(provider.workers())
        assert len(workers) == 2
        both = []
        for stopped in workers:
            # Who stands still accepts nothing.
            os.kill(stopped, signal.SIGSTOP)
            try:
                lines = [Over(provider.address, connections=1) for _ in range(20)]
                await asyncio.gather(*(send(line, "GET", "/health/live") for line in lines))
            finally:
                os.kill(stopped, signal.SIGCONT)
            for line in lines:
                stack.push_async_callback(line.wire.aclose)
            both.append(lines)
        yield provider, [line for pair in zip(*both, strict=True) for line in pair]


async def test_forty_wrong_codes_at_two_processes_are_three_comparisons(racing: Racing) -> None:
    """OTP-01."""
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        asked = await ask_second_factor(provider)
        (code,) = await provider.deliver()
        ((before,),) = await provider.rows(REFUSALS)
        answers = await at_once(40, typing(lines, asked, wrong(code)))
        assert [each.status_code for each in answers] == [400] * 40
        ((after,),) = await provider.rows(REFUSALS)
        assert after - before == 3
        assert (await attempts_of(provider, asked)) == (3, None)
        late = await at_once(2, typing(lines, asked, code))
        assert [each.status_code for each in late] == [400, 400]
        assert (await attempts_of(provider, asked)) == (3, None)


async def test_twenty_right_codes_at_two_processes_are_one_proof(racing: Racing, database_url: str) -> None:
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        asked = await ask_second_factor(provider)
        (code,) = await provider.deliver()
        before = await count(provider, "authentication_event")
        answers = await at_once(20, typing(lines, asked, code))
        assert sum("stile=" in each.headers.get("set-cookie", "") for each in answers) == 1
        assert {each.status_code for each in answers} <= {303, 400, 410}
        assert await count(provider, "authentication_event") == before + 1
        await check(database_url)


async def test_twelve_redemptions_at_two_processes_are_one_and_end_what_it_brought(
    racing: Racing, database_url: str
) -> None:
    """RFC 6749 4.1.2: a code used twice is denied, and what it brought is revoked."""
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        code = await offline_code(provider)
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BANK_URI}
        form["code_verifier"] = provider.pkce.verifier
        answers = await at_once(12, asking(provider, lines, form))
        assert sorted(each.status_code for each in answers) == [200] + [400] * 11
        (body,) = [each.json() for each in answers if each.status_code == 200]
        assert not (await provider.introspect(body["refresh_token"]))["active"]
        assert not (await provider.introspect(body["access_token"]))["active"]
        await check(database_url)


async def test_twenty_refreshes_at_two_processes_leave_one_live_token_at_most(
    racing: Racing, database_url: str
) -> None:
    provider, lines = racing
    for _ in ROUNDS:
        await forget_limits(provider)
        first = (await provider.redeem(await offline_code(provider))).json()["refresh_token"]
        form = {"grant_type": "refresh_token", "refresh_token": first}
        answers = await at_once(20, asking(provider, lines, form))
        assert {each.status_code for each in answers} <= {200, 400}
        brought = [each.json()["refresh_token"] for each in answers if each.status_code == 200]
        assert brought
        assert len(set(brought)) == len(brought)
        alive = [(await provider.introspect(token))["active"] for token in (first, *brought)]
        assert sum(alive) <= 1
        await check(database_url)


async def test_what_was_acknowledged_survives_the_death_of_everybody(environ: dict[str, str], tmp_path: Path) -> None:
    """Server, workers and the embedded PostgreSQL are killed in the moment the answer came; twice."""
    data = tmp_path / "data"
    with localpg.running(data) as url:
        await migrations.migrate(url)
        chain = KeyChain(parse_secret_keys(read_or_make_keys(data / KEY_FILE))[0])
        async with people(url, chain, tmp_path) as made:
            secrets, pkce = made.secrets, made.pkce

    @asynccontextmanager
    async def life() -> AsyncIterator[Served]:
        async with serving(environ | {"IDP_DATA_DIR": str(data)}, tmp_path / "stderr") as (process, address):
            url = localpg.attach(data)
            assert url is not None
            async with provider_on(url, chain, tmp_path) as found:
                found.secrets, found.pkce = secrets, pkce
                async with reaching(found, process, address) as provider:
                    yield provider

    async with life() as provider:
        browser = provider.browser()
        await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
        code = parameters(await browser.submit("/consent", decision="allow"))["code"]
        answer = await provider.redeem(code)
        kill_everybody(provider.process.pid)
    first = answer.json()["refresh_token"]
    async with life() as provider:
        answer = await provider.token(grant_type="refresh_token", refresh_token=first)
        kill_everybody(provider.process.pid)
    second = answer.json()["refresh_token"]
    async with life() as provider:
        again = provider.browser()
        again.http.cookies = browser.http.cookies
        silent = await again.get(provider.authorize_url(prompt="none"), follow=False)
        assert "code" in parameters(silent)
        answer = await provider.token(grant_type="refresh_token", refresh_token=second)
        assert answer.status_code == 200
        third = answer.json()["refresh_token"]
        assert (await provider.introspect(third))["active"]
        assert (await provider.redeem(code)).status_code == 400
        assert not (await provider.introspect(third))["active"]
