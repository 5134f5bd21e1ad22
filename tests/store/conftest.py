"""Two pools on one database, as two processes of the provider would have."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from idp.crypto import KeyChain
from idp.store.engine import Database
from tests.world.databases import empty
from tests.world.provider import Provider
from tests.world.running import running, settings_for


@pytest.fixture
async def pools(database_url: str) -> AsyncIterator[tuple[Database, Database]]:
    await empty(database_url)
    first, second = Database(database_url, size=8), Database(database_url, size=8)
    await first.open()
    await second.open()
    yield first, second
    await first.close()
    await second.close()


@pytest.fixture
def db(pools: tuple[Database, Database]) -> Database:
    return pools[0]


@pytest.fixture
async def twins(
    provider: Provider, database_url: str, key_chain: KeyChain, tmp_path: Path
) -> AsyncIterator[tuple[Provider, Provider]]:
    """The provider and a second one on the same database, with the same time, clients and secrets."""
    async with running(database_url, key_chain, settings_for(tmp_path)) as other:
        other.clock, other.idp.clock = provider.clock, provider.idp.clock
        other.secrets, other.seeds = provider.secrets, provider.seeds
        yield provider, other
