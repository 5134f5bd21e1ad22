"""One provider for each module here; each test comes a day later."""

from collections.abc import AsyncIterator

import pytest

from idp.crypto import KeyChain
from tests.world.provider import Provider
from tests.world.stage import next_day, staged


@pytest.fixture(scope="module")
async def stage(
    database_url: str, key_chain: KeyChain, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Provider]:
    async with staged(database_url, key_chain, tmp_path_factory.mktemp("data")) as provider:
        yield provider


@pytest.fixture
async def provider(stage: Provider, database_url: str) -> Provider:
    await next_day(stage, database_url)
    return stage
