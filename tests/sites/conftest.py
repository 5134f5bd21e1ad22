"""One provider for each module here; each test comes a day later."""

from collections.abc import AsyncIterator

import pytest

from idp.crypto import KeyChain
from tests.world.guarded import Surfer, guarding, rows, rule
from tests.world.provider import Provider
from tests.world.stage import next_day


@pytest.fixture(scope="module")
async def stage(
    database_url: str, key_chain: KeyChain, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Provider]:
    async with guarding(database_url, key_chain, tmp_path_factory.mktemp("data")) as provider:
        yield provider


@pytest.fixture
async def provider(stage: Provider, database_url: str) -> Provider:
    await next_day(stage, database_url)
    rule(stage, rows())
    return stage


@pytest.fixture
def alice(provider: Provider) -> Surfer:
    return Surfer(provider)
