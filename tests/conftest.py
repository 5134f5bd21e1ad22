"""A real PostgreSQL for everybody, and a provider on it whose clock stands still."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

from idp import localpg
from idp.crypto import KeyChain, SecretKey, random_bytes
from idp.flows.operate import checkup
from idp.localpg import server
from idp.store import migrations
from tests.world import databases, hashing
from tests.world.chromium import CHROMIUM
from tests.world.provider import ALICE_PHONE, BANK_URI, BOB_PHONE, NOTES_URI, Provider
from tests.world.running import running, settings_for
from tests.world.waiting import NEVER

# Shown by pytest when a test fails. The stream is looked up each time, for pytest replaces it.
structlog.configure(
    processors=[structlog.contextvars.merge_contextvars, structlog.processors.KeyValueRenderer()],
    logger_factory=lambda *_: structlog.PrintLogger(sys.stdout),
    cache_logger_on_first_use=False,
)


# Starting is most of what tests of commands and servers wait for: what is compiled is kept for the next process.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

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


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> Iterator[None]:
    with hashing.at(hashing.CHEAP):
        yield


@pytest.fixture(scope="module")
def argon2id(_cheap_passwords: None) -> Iterator[None]:
    """Passwords at their full price."""
    with hashing.at(hashing.FULL):
        yield


@pytest.fixture(scope="session", autouse=True)
def _whole_checkups() -> Iterator[None]:
    """A busy machine takes its time to look: what goes on behind a page would be counted to the next one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkup, "PATIENCE", timedelta(seconds=NEVER))
        yield


@pytest.fixture(scope="session", autouse=True)
async def _connections_end() -> AsyncIterator[None]:
    yield
    await databases.end()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[localpg.LocalPostgres]:
    """The embedded PostgreSQL for this run alone."""
    with pytest.MonkeyPatch.context() as patch:
        # What the tests have written may be lost with the machine.
        patch.setattr(server, "SETTINGS", server.SETTINGS | {"fsync": "off", "full_page_writes": "off"})
        running = localpg.start(tmp_path_factory.mktemp("postgres"))
    with running:
        yield running


@pytest.fixture(scope="session")
def server_url(request: pytest.FixtureRequest) -> str:
    """A PostgreSQL: IDP_TEST_DATABASE_URL, or the embedded one."""
    given = os.environ.get("IDP_TEST_DATABASE_URL")
    if given:
        return given
    embedded: localpg.LocalPostgres = request.getfixturevalue("embedded")
    return embedded.url


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """An empty, migrated database of this test process's own."""
    name = f"stile_test_{os.getpid()}"
    url = asyncio.run(databases.make(server_url, name))
    asyncio.run(migrations.migrate(url))
    databases.keep(url)
    yield url
    asyncio.run(databases.drop(server_url, name))


@pytest.fixture(scope="session")
def key_chain() -> KeyChain:
    return KeyChain([SecretKey("t1", random_bytes(32))])


@pytest.fixture
async def bare(database_url: str, key_chain: KeyChain, tmp_path: Path) -> AsyncIterator[Provider]:
    """A provider with nobody and nothing in it."""
    await databases.empty(database_url)
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
