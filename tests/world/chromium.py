"""Debian's Chromium for the browser tests, and the script that says what keeps somebody from a page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import axe_playwright_python
from playwright.async_api import Browser, BrowserContext, Locator, async_playwright, expect

from tests.world.waiting import NEVER

CHROMIUM = Path("/usr/bin/chromium")
AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
_PATIENCE = NEVER * 1000  # milliseconds, as playwright counts
expect.set_options(timeout=_PATIENCE)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One that is started, and closed behind the test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


async def window(browser: Browser, **how: Any) -> BrowserContext:
    """A profile of its own, in no hurry."""
    context = await browser.new_context(**how)
    context.set_default_timeout(_PATIENCE)
    return context


async def goes_by(way: Locator) -> None:
    """Press this, and wait for the page that it leads to.

    Until then the old one is shown: who looks finds its fields, and who goes elsewhere breaks the way off.
    """
    async with way.page.expect_navigation():
        await way.click()
