"""What the browser tests of the demonstration share: a browser, a demonstration of the module's own, a visitor."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser

from tests.world.chromium import chromium, window
from tests.world.demonstration import Demo, running
from tests.world.visitor import Inspector, Visitor


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running(tmp_path_factory.mktemp("demo") / "data") as demo:
        yield demo


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
async def inspector(browser: Browser) -> Inspector:
    """Has seen what the modules before have shown."""
    return Inspector(await (await window(browser, reduced_motion="reduce")).new_page())


@pytest.fixture
async def visitor(browser: Browser, demo: Demo, inspector: Inspector) -> AsyncIterator[Visitor]:
    visitor = await Visitor.arrive(browser, demo, inspector)
    yield visitor
    await visitor.leave()
