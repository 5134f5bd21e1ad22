"""Promise 8: what cannot be consulted never means yes. The answer is "not now", and it heals alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from idp.crypto import KeyChain
from idp.errors import Unavailable
from idp.store.engine import Database
from idp.web import middleware
from tests.world.asking import ask_second_factor, count, offline_code
from tests.world.databases import empty
from tests.world.provider import ALICE_PHONE, BANK_URI, PASSWORD, Provider, parameters
from tests.world.proxy import Wire, wire_to
from tests.world.running import running, settings_for

SOON = timedelta(milliseconds=300)


@pytest.fixture
async def wired(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[tuple[Provider, Wire]]:
    await empty(database_url)
    async with wire_to(database_url) as wire, running(wire.url, key_chain, settings_for(tmp_path)) as made:
        await made.add_client("bank", BANK_URI)
        await made.add_person("alice", number=ALICE_PHONE)
        yield made, wire


async def test_a_lost_database_is_a_clear_not_now_and_heals_alone(wired: tuple[Provider, Wire]) -> None:
    provider, wire = wired
    tokens = (await provider.redeem(await offline_code(provider))).json()
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    wire.lose()
    page = await browser.submit("/password", username="alice", password=PASSWORD)
    assert page.status_code == 503
    assert page.headers["retry-after"]
    assert page.headers["content-type"].startswith("text/html")
    answer = await provider.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]
    assert (await provider.browser().get("/health/ready")).status_code == 503
    assert (await provider.browser().get("/health/live")).status_code == 200
    assert (await provider.browser().get("/jwks")).status_code == 200
    wire.mend()
    assert (await provider.browser().get("/health/ready")).status_code == 200
    assert (await provider.token(grant_type="refresh_token", refresh_token=tokens["refresh_token"])).status_code == 200
    assert "code" in parameters(await provider.sign_in(provider.browser()))


@pytest.fixture
async def narrow(provider: Provider, database_url: str) -> AsyncIterator[Provider]:
    """A provider with two connections."""
    patient = provider.idp.db
    provider.idp.db = Database(database_url, size=2)
    await provider.idp.db.open()
    yield provider
    await provider.idp.db.close()
    provider.idp.db = patient


@pytest.mark.parametrize("table", ["rate_limit", "session", "challenge", "authentication_event", "audit_event"])
async def test_a_table_that_cannot_be_read_or_written_never_means_yes(
    narrow: Provider, database_url: str, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await ask_second_factor(narrow)
    code = (await narrow.deliver())[-1]
    second = narrow.browser(address="192.0.2.2")
    await second.get(narrow.authorize_url())
    before = await count(narrow, "authentication_event")
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            monkeypatch.setattr(middleware, "LIMIT", SOON)
            answers = [
                await asked.browser.submit("/sms", follow=False, code=code),
                await second.submit("/password", follow=False, username="bob", password=PASSWORD),
            ]
            assert [answer.status_code for answer in answers] == [503, 503]
            assert all(answer.headers["retry-after"] for answer in answers)
            assert all("set-cookie" not in answer.headers for answer in answers)
    finally:
        monkeypatch.undo()
        await connection.close()
    assert await count(narrow, "authentication_event") == before
    assert "code" in parameters(await asked.browser.submit("/sms", code=code))


async def test_an_exhausted_pool_is_a_not_now_and_recovers(narrow: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = narrow.browser()
    await browser.get(narrow.authorize_url())
    db = narrow.idp.db
    async with db.transaction(), db.transaction():
        monkeypatch.setattr(middleware, "LIMIT", SOON)
        page = await browser.submit("/password", follow=False, username="alice", password=PASSWORD)
        assert page.status_code == 503
        assert (await narrow.browser().get("/health/ready")).status_code == 503
    monkeypatch.undo()
    page = await browser.submit("/password", follow=False, username="alice", password=PASSWORD)
    assert page.status_code == 303


async def test_a_request_that_is_given_up_leaves_no_transaction_behind(narrow: Provider) -> None:
    started = asyncio.Event()

    async def hold() -> None:
        async with narrow.idp.db.transaction():
            started.set()
            await asyncio.Event().wait()

    for _ in range(4):
        started.clear()
        task = asyncio.create_task(hold())
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    async with narrow.idp.db.transaction(), narrow.idp.db.transaction():
        pass


async def test_a_closed_database_is_a_not_now(narrow: Provider) -> None:
    db = narrow.idp.db
    await db.close()
    with pytest.raises(Unavailable):
        await db.ping()
    await db.open()
    await db.ping()
