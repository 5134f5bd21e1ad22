"""Promises 8 and 11: an answer comes in time, whatever is slow, and one that was cut short tells nothing.

Nothing is measured with a clock: what is slow never ends by itself, so that an answer proves that somebody gave up.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from sqlalchemy import select

from idp import localpg
from idp.crypto import KeyChain
from idp.errors import Unavailable
from idp.factors import recovery
from idp.flows import health
from idp.localpg import server
from idp.store import migrations
from idp.store.engine import Database
from idp.store.schema import metadata
from idp.store.schema.records import rate_limit
from idp.web import middleware
from tests.world.asking import ask_second_factor, attempts, forget_limits, wrong
from tests.world.composed import Statement
from tests.world.databases import empty
from tests.world.provider import ALICE_PHONE, BANK_URI, PASSWORD, Browser, Provider
from tests.world.proxy import Wire, wire_to
from tests.world.running import running, settings_for
from tests.world.steps import STEPS, check
from tests.world.waiting import NEVER, comes

Face = tuple[int, str | None, bool]
COUNTED = Statement(select(rate_limit.c.count))
SOON = timedelta(milliseconds=300)
STUCK = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    """A provider whose only patience is that of a request."""
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made, wire


@contextmanager
def limited() -> Iterator[list[str]]:
    """Requests have a moment only. The names of what they failed with."""
    failed: list[str] = []
    with pytest.MonkeyPatch.context() as patch, structlog.testing.capture_logs() as lines:
        patch.setattr(middleware, "LIMIT", SOON)
        patch.setattr(health, "PATIENCE", SOON / 2)
        yield failed
        failed += [line["error"] for line in lines if line["event"] == "failed"]


async def not_now(request: Callable[[], Awaitable[httpx.Response]]) -> None:
    """The request is given up by whoever answers it, and says when to come again."""
    with limited() as failed:
        async with asyncio.timeout(NEVER):
            answer = await request()
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert "set-cookie" not in answer.headers
    assert failed == ["TimeoutError"]


def test_nobody_waits_for_longer_than_five_seconds() -> None:
    assert timedelta(seconds=5) > middleware.LIMIT
    assert health.PATIENCE < middleware.LIMIT


@pytest.mark.parametrize("name", STEPS)
async def test_a_database_that_says_nothing_is_not_waited_for(
    wired: tuple[Provider, Wire], database_url: str, name: str
) -> None:
    provider, wire = wired
    step = STEPS[name]
    request = await step.prepare(provider)
    wire.silent = True
    await not_now(request)
    await not_now(request)  # now with a new connection
    wire.mend()
    again = await request()
    assert again.status_code in {200, 303}
    await step.goes_on(provider, again)
    await check(database_url)


@pytest.mark.parametrize("new", [pytest.param(False, id="open"), pytest.param(True, id="new connection")])
@pytest.mark.parametrize("name", STEPS)
async def test_many_slow_answers_are_one_slow_request(wired: tuple[Provider, Wire], name: str, new: bool) -> None:
    """Each round trip stays below the limit; their sum counts, and the request once more when they are quick again.

    What needs a single one may be done in time. A new connection takes several of its own.
    """
    provider, wire = wired
    step = STEPS[name]
    request = await step.prepare(provider)
    if new:
        wire.lose()
        await comes(lambda: no_connection(provider))
        wire.mend()
    wire.pause, wire.paused = SOON.total_seconds() * 0.9, 0
    with limited() as failed:
        async with asyncio.timeout(NEVER):
            answer = await request()
    if answer.status_code == 503:
        assert failed == ["TimeoutError"]
    else:
        assert (failed, wire.paused, new) == ([], 1, False)
    wire.mend()
    await forget_limits(provider)
    request = await step.prepare(provider)
    assert (await request()).status_code in {200, 303}


async def no_connection(provider: Provider) -> bool:
    """Whether the provider knows that it has none any more."""
    assert provider.idp.db._pool is not None
    return all(raw.is_closed() for raw in provider.idp.db._pool._idle)


async def test_a_transaction_that_is_cut_short_waits_for_no_rollback(wired: tuple[Provider, Wire]) -> None:
    provider, wire = wired

    async def cut_short() -> None:
        async with asyncio.timeout(SOON.total_seconds()), provider.idp.db.transaction() as conn:
            wire.silent = True
            await conn._raw.fetchval("SELECT 1")

    async with asyncio.timeout(NEVER / 2):
        with pytest.raises(TimeoutError):
            await cut_short()
    wire.mend()


async def test_nobody_waits_for_a_free_connection(wired: tuple[Provider, Wire]) -> None:
    provider, _ = wired
    request = await STEPS["password"].prepare(provider)
    db = provider.idp.db
    held = [await db._take() for _ in range(db._size)]
    await not_now(request)
    for pool, raw in held:
        pool.give_back(raw)
    assert (await request()).status_code == 303


@asynccontextmanager
async def locked(database_url: str, table: str) -> AsyncIterator[None]:
    """Somebody holds this table, and lets it go."""
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def _password(provider: Provider) -> tuple[Browser, str, str]:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    return browser, "a wrong password", PASSWORD


async def _sms(provider: Provider) -> tuple[Browser, str, str]:
    asked = await ask_second_factor(provider)
    code = (await provider.deliver())[-1]
    return asked.browser, wrong(code), code


async def _app(provider: Provider) -> tuple[Browser, str, str]:
    asked = await ask_second_factor(provider)
    await asked.browser.get(f"/i/{asked.interaction_id}/totp")
    return asked.browser, wrong(provider.totp()), provider.totp()


async def _saved_code(provider: Provider) -> tuple[Browser, str, str]:
    asked = await ask_second_factor(provider)
    await asked.browser.get(f"/i/{asked.interaction_id}/recovery")
    return asked.browser, recovery.new_codes()[0], provider.saved["alice"][0]


ANSWERS: dict[str, Callable[[Provider], Awaitable[tuple[Browser, str, str]]]] = {
    "password": _password,
    "sms": _sms,
    "totp": _app,
    "recovery": _saved_code,
}


async def spent_on(provider: Provider, way: str) -> int:
    """How many tries there were: of a password those that the limits counted, of a code those at its question."""
    if way == "password":
        return max((count for (count,) in await provider.rows(COUNTED)), default=0)
    return sum(tries for _, tries, _ in await attempts(provider))


async def faces_of(provider: Provider, database_url: str, way: str, table: str) -> tuple[Face, Face, int]:
    """How the wrong and the right answer look while this table is held, and what the wrong one cost."""
    await empty(database_url)
    await provider.add_client("bank", BANK_URI)
    await provider.add_person("alice", number=ALICE_PHONE, app=True, codes=True)
    browser, no, yes = await ANSWERS[way](provider)
    await forget_limits(provider)
    faces, spent = [], 0
    for typed in (no, yes):
        form = {"username": "alice", "password": typed} if way == "password" else {"code": typed}
        async with locked(database_url, table):
            with limited():
                answer = await browser.submit(f"/{way}", follow=False, **form)
            faces.append((answer.status_code, answer.headers.get("retry-after"), "set-cookie" in answer.headers))
        if typed == no:
            spent = await spent_on(provider, way)
    await check(database_url)
    return faces[0], faces[1], spent


@pytest.mark.parametrize("way", ANSWERS)
async def test_right_and_wrong_answers_that_are_cut_short_look_the_same(
    wired: tuple[Provider, Wire], database_url: str, way: str
) -> None:
    """Whatever is slow. If they did differ, the wrong one has cost an attempt: three guesses are three."""
    provider, _ = wired
    differed = False
    for table in (each.name for each in metadata.sorted_tables):
        seen = []
        for _ in range(5):  # a busy machine cuts short what it likes; what is ours comes every time
            no, yes, spent = await faces_of(provider, database_url, way, table)
            seen.append((no, yes, spent))
            if no == yes or spent == 1:
                break
        else:
            pytest.fail(f"{table}: {seen}")
        differed = differed or no != yes
    assert differed


async def test_who_was_told_not_now_leaves_nobody_waiting_in_the_database(
    wired: tuple[Provider, Wire], database_url: str
) -> None:
    """A request that is given up says so: no queue of the dead in front of a lock."""
    provider, _ = wired
    request = await STEPS["password"].prepare(provider)
    watch = await asyncpg.connect(database_url)
    assert provider.idp.db._pool is not None
    for raw in provider.idp.db._pool._idle:
        await raw.execute("SET lock_timeout = 0; SET statement_timeout = 0")
    try:
        async with locked(database_url, "account"):
            await not_now(request)
            await comes(partial(are_waiting, watch, 0))
    finally:
        await watch.close()
    assert (await request()).status_code == 303


async def are_waiting(watch: "asyncpg.Connection[Any]", count: int, *, what: str = "wait_event_type = 'Lock'") -> bool:
    found = f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {what}"  # noqa: S608 - ours
    return bool(await watch.fetchval(found) == count)


async def test_postgresql_sees_that_somebody_hung_up(wired: tuple[Provider, Wire], database_url: str) -> None:
    """As who was killed does, and says nothing."""
    provider, _ = wired
    watch = await asyncpg.connect(database_url)
    pool, raw = await provider.idp.db._take()
    await raw.execute("SET lock_timeout = 0; SET statement_timeout = 0")
    try:
        async with locked(database_url, "account"):
            asked = asyncio.create_task(raw.fetch("SELECT FROM account"))
            await comes(partial(are_waiting, watch, 1))
            raw.terminate()
            with pytest.raises((OSError, asyncpg.PostgresConnectionError)) as lost:
                await asked
            pool.after(raw, lost.value)
            await comes(partial(are_waiting, watch, 0))
    finally:
        await watch.close()


async def test_health_says_what_is_missing_and_that_we_live(wired: tuple[Provider, Wire]) -> None:
    provider, wire = wired
    http = provider.browser().http
    wire.silent = True
    with limited():
        ready = await http.get("/health/ready")
        live = await http.get("/health/live")
    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["problems"][0].startswith("The database did not answer within")
    wire.mend()
    assert (await http.get("/health/ready")).json() == {"ready": True, "problems": []}


async def test_a_database_that_only_reads_is_not_ready(database_url: str, key_chain: KeyChain, tmp_path: Path) -> None:
    """As a hot standby says it, too. A node can begin there, if one has begun before."""
    await empty(database_url)
    async with running(database_url, key_chain, settings_for(tmp_path)):
        pass
    url = database_url + ("&" if "?" in database_url else "?") + "default_transaction_read_only=on"
    async with running(url, key_chain, settings_for(tmp_path)) as provider:
        ready = await provider.browser().get("/health/ready")
        assert ready.status_code == 503
        assert ready.json()["problems"] == [
            "The database is read-only: a standby, or default_transaction_read_only is on."
        ]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database that has a standby in its settings only: whoever asks for `synchronous_commit=on` waits for ever."""
    settings = server.SETTINGS | {"max_wal_senders": "1", "synchronous_standby_names": "nobody"}
    monkeypatch.setattr(server, "SETTINGS", settings)
    with localpg.start(tmp_path / "alone") as found:
        asyncio.run(_set(found.url, "synchronous_commit = local"))
        asyncio.run(migrations.migrate(found.url))
        yield found.url


async def _set(url: str, setting: str) -> None:
    connection = await asyncpg.connect(url, server_settings={"synchronous_commit": "local"})
    try:
        name = await connection.fetchval("SELECT current_database()")
        await connection.execute(f'ALTER DATABASE "{name}" SET {setting}')
    finally:
        await connection.close()


async def test_what_no_standby_confirmed_is_in_doubt(alone: str) -> None:
    """PostgreSQL answers a cancelled wait with success and a warning: nobody must take that for an answer."""
    db = Database(alone + "&synchronous_commit=on", size=1)
    await db.open()
    watch = await asyncpg.connect(alone)
    try:
        for in_transaction in (False, True):

            async def write(*, together: bool = in_transaction) -> None:
                if together:
                    async with db.transaction() as conn:
                        await conn._raw.execute("INSERT INTO rate_limit VALUES ('b', 0, now(), '{}', now())")
                else:
                    async with db._connection() as raw:
                        await raw.execute("INSERT INTO rate_limit VALUES ('a', 0, now(), '{}', now())")

            writing = asyncio.create_task(write())
            async with asyncio.timeout(NEVER):
                while not await watch.fetch(STUCK):
                    assert not writing.done()
                with pytest.raises(Unavailable, match="no standby"):
                    await writing
        assert await watch.fetchval("SELECT count(*) FROM rate_limit") == 2
    finally:
        await watch.close()
        await db.close()


async def test_without_its_standby_nothing_is_said_to_be_done(alone: str, key_chain: KeyChain, tmp_path: Path) -> None:
    async with running(alone, key_chain, settings_for(tmp_path)) as provider:
        await provider.add_client("bank", BANK_URI)
        await provider.add_person("alice", number=ALICE_PHONE)
        browser = provider.browser()
        await browser.get(provider.authorize_url())
        patient, provider.idp.db = provider.idp.db, Database(alone + "&synchronous_commit=on")
        await provider.idp.db.open()
        for password in (PASSWORD, "a wrong password"):
            await not_now(partial(browser.submit, "/password", follow=False, username="alice", password=password))
        watch = await asyncpg.connect(alone)
        # else its locks would last for as long as the standby is away, and each request would cost a connection
        await comes(partial(are_waiting, watch, 0, what="wait_event = 'SyncRep'"))
        await watch.close()
        await provider.idp.db.close()
        provider.idp.db = patient
