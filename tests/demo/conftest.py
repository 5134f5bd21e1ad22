"""One world for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.world.stub_provider import Browser, Stub, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.aclose()


@pytest.fixture
def stub(world: World) -> Stub:
    return world.stub


@pytest.fixture
def browser(world: World) -> Browser:
    return world.browser()
