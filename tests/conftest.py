"""A real PostgreSQL for everybody, and a provider on it whose clock stands still."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from idp import localpg
from idp.app import create_app
from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.model.regions import ByRegion
from idp.settings import Settings
from idp.sms import Gateway
from idp.store import migrations
from idp.store.schema import metadata
from idp.testing import FakeGateway, FrozenClock
from tests.chromium import CHROMIUM
from tests.support import ALICE_PHONE, BANK_URI, BOB_PHONE, ISSUER, NOTES_URI, Provider

# Shown by pytest when a test fails. The stream is looked up each time, for pytest replaces it.
structlog.configure(
    processors=[structlog.contextvars.merge_contextvars, structlog.processors.KeyValueRenderer()],
    logger_factory=lambda *_: structlog.PrintLogger(sys.stdout),
    cache_logger_on_first_use=False,
)


# How long an example takes says how busy the machine is, and nothing else.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests need Debian's Chromium; STILE_REQUIRE_BROWSER=1 (CI) makes its absence a failure."""
    if CHROMIUM.exists() or os.environ.get("STILE_REQUIRE_BROWSER") == "1":
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="needs Debian's chromium: apt install chromium"))


@pytest.fixture(scope="session", autouse=True)
def _no_database_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Root's clusters are where the database's account can reach them, and there pytest does not clean up."""
    yield
    for link in tmp_path_factory.getbasetemp().rglob("postgres"):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)


@pytest.fixture(scope="session")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL: IDP_TEST_DATABASE_URL, or the embedded one for this run alone."""
    given = os.environ.get("IDP_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with localpg.start(tmp_path_factory.mktemp("postgres")) as server:
        yield server.url


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """An empty, migrated database of this test process's own."""
    name = f"stile_test_{os.getpid()}"
    head, _, tail = server_url.partition("?")
    url = head.rsplit("/", 1)[0] + f"/{name}" + (f"?{tail}" if tail else "")

    async def make(statement: str) -> None:
        connection = await asyncpg.connect(server_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def run(statement: str) -> None:
        asyncio.run(make(statement))

    run(f'CREATE DATABASE "{name}"')
    asyncio.run(migrations.migrate(url))
    yield url
    run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def key_chain() -> KeyChain:
    return KeyChain([SecretKey("t1", random_bytes(32))])


async def empty(url: str) -> None:
    """No rows but the signing keys, which are slow to make."""
    connection = await asyncpg.connect(url)
    try:
        # Those that refer before those that are referred to. TRUNCATE makes each table's files anew, which takes ten
        # times as long.
        tables = [table for table in reversed(metadata.sorted_tables) if table.name != "signing_key"]
        await connection.execute("; ".join(str(table.delete()) for table in tables))
    finally:
        await connection.close()


def settings_for(tmp_path: Path, **changes: Any) -> Settings:
    return Settings(issuer=ISSUER, data_dir=tmp_path, dev=True, brand="Acme ID", **changes)


@asynccontextmanager
async def running(
    url: str, keys: KeyChain, settings: Settings, *, gateways: tuple[Gateway, ...] | None = None
) -> AsyncIterator[Provider]:
    """A provider without background work: the test delivers and moves the clock itself. Estonia and Latvia are open."""
    clock, gateway = FrozenClock(), FakeGateway()
    open_ = {} if settings.sms_countries else {"sms_countries": ("EE", "LV")}
    names = dict.fromkeys((*(each.name for each in gateways or ()), gateway.name))
    settings = settings.model_copy(update=open_ | {"sms_gateways": ByRegion(tuple(names))})
    app = create_app(settings, url=url, secrets=keys, gateways=gateways or (gateway,), clock=clock, background=False)
    async with app.router.lifespan_context(app):
        yield Provider(app=app, idp=app.state.idp, clock=clock, gateway=gateway)


@pytest.fixture
async def bare(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """A provider with nobody and nothing in it."""
    await empty(database_url)
    async with running(database_url, key_chain, settings_for(tmp_path)) as provider:
        yield provider


@pytest.fixture
async def provider(bare: Provider) -> Provider:
    """A provider with the bank and notes, alice with phone and trusted app, bob with a phone."""
    await bare.add_client("bank", BANK_URI)
    await bare.add_client("notes", NOTES_URI)
    await bare.add_person(
        "alice", number=ALICE_PHONE, app=True, codes=True, name="Alice Ader", email="alice@example.com"
    )
    await bare.add_person("bob", number=BOB_PHONE, name="Bob Berg")
    return bare
