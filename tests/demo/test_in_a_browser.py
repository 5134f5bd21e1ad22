"""The applications as Debian's Chromium shows them: under their policy, accessible, inside the screen."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

import pytest
import uvicorn
from playwright.async_api import BrowserContext, Page
from starlette.applications import Starlette

from idp.demo.bank import bank
from idp.demo.notes import notes
from idp.demo.registration import Registration, registration
from idp.demo.site import DemoUrls
from idp.demo.start import DemoPerson, start_page
from idp.model import Role
from tests.world import stub_provider as stubs
from tests.world.chromium import AXE, chromium, goes_by, window
from tests.world.stub_provider import SECRETS, Stub

pytestmark = pytest.mark.browser

PEOPLE = [
    DemoPerson("alice", "Alice Ader", "correct horse battery", "+372 5555 0101", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
    DemoPerson("bob", "Bob Berg", "another long password", "+372 5555 0102"),
    DemoPerson("ada", "Ada Aava", "a third password", "+372 5555 0103", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Role.ADMIN),
]


@asynccontextmanager
async def _served(app: Starlette, at: socket.socket) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none"))
    task = asyncio.create_task(server.serve(sockets=[at]))
    yield
    server.should_exit = True
    await task


@pytest.fixture(scope="module")
async def urls() -> AsyncIterator[tuple[DemoUrls, Stub]]:
    """The stub, the bank with the start page, and the notes, on real sockets."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    provider, bank_at, notes_at = (f"http://localhost:{one.getsockname()[1]}" for one in sockets)
    where = DemoUrls(provider, bank_at, notes_at, f"{bank_at}/demo/")
    stub = Stub()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stubs, "ISSUER", provider)
        patch.setattr(stubs, "BANK", bank_at)
        patch.setattr(stubs, "NOTES", notes_at)

        def config(client_id: str, base_url: str) -> Registration:
            return registration(provider, client_id, SECRETS[client_id], base_url, now=stub.clock.now)

        async with AsyncExitStack() as stack:
            apps = (
                stub.app(),
                bank(config("bank", bank_at), where, start=start_page(PEOPLE, where)),
                notes(config("notes", notes_at), where),
            )
            for app, at in zip(apps, sockets, strict=True):
                await stack.enter_async_context(_served(app, at))
            yield where, stub


@pytest.fixture
async def context(urls: tuple[DemoUrls, Stub], request: pytest.FixtureRequest) -> AsyncIterator[BrowserContext]:
    """A window of this width and colour scheme."""
    size: tuple[int, Literal["light", "dark"]] = request.param
    width, scheme = size
    urls[1].refuse = None
    async with chromium() as browser:
        yield await window(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)


async def _is_fine(page: Page) -> None:
    """Nothing sticks out, nothing is kept from anybody."""
    await page.wait_for_load_state("load")  # its colours, too
    assert await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), page.url
    found: dict[str, Any] = await page.evaluate(f"() => {{ {AXE}; return axe.run() }}")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == [], page.url


@pytest.mark.parametrize("context", [(320, "dark"), (1280, "light")], indirect=True)
async def test_a_day_at_the_bank_and_the_notes(context: BrowserContext, urls: tuple[DemoUrls, Stub]) -> None:
    where, stub = urls
    page = await context.new_page()
    blocked: list[str] = []
    page.on("console", lambda line: blocked.append(line.text) if line.type == "error" else None)

    await page.goto(where.start)
    await _is_fine(page)
    await goes_by(page.get_by_role("link", name="Acme Bank").first)
    await _is_fine(page)
    await goes_by(page.get_by_role("link", name="Sign in"))
    await page.get_by_text("How you signed in").wait_for()
    await _is_fine(page)
    await goes_by(page.get_by_role("link", name="Make a transfer"))
    await goes_by(page.get_by_role("button", name="Continue"))
    await page.get_by_text("There is a problem").wait_for()
    await _is_fine(page)
    await page.get_by_label("Who gets the money?").fill("Jana Nováková " + "W" * 50)
    await page.get_by_label("Amount in euros").fill("25.50")
    stub.refuse = ("access_denied", "The person cancelled.")
    await goes_by(page.get_by_role("button", name="Continue"))
    await page.get_by_role("heading", name="Check your transfer").wait_for()
    await _is_fine(page)

    stub.refuse = ("unmet_authentication_requirements", "Your authenticator app can confirm this from tomorrow, 12:00.")
    await goes_by(page.get_by_role("button", name="Try again"))
    await page.get_by_text("You need an authenticator app").wait_for()
    await _is_fine(page)
    stub.refuse = None
    await page.go_back()
    await goes_by(page.get_by_role("button", name="Approve €25.50"))
    await page.get_by_role("heading", name="Transfer sent").wait_for()
    await _is_fine(page)

    await page.goto(where.notes)
    await _is_fine(page)
    await goes_by(page.get_by_role("link", name="Sign in"))
    await page.get_by_label("New note").fill("Buy milk\nand bread " + "W" * 80)
    await goes_by(page.get_by_role("button", name="Add note"))
    await page.get_by_role("heading", name="Your notes").wait_for()
    await _is_fine(page)
    await goes_by(page.get_by_role("button", name="Renew now"))
    await page.get_by_text("Renewed at").wait_for()
    await goes_by(page.get_by_role("button", name="Try a transfer"))
    await page.get_by_text("The bank said no").wait_for()
    await _is_fine(page)
    await goes_by(page.get_by_role("link", name="Back to your notes"))
    await goes_by(page.get_by_role("button", name="Sign out"))
    await page.get_by_role("heading", name="You are signed out").wait_for()
    await _is_fine(page)
    assert [line for line in blocked if "Content Security Policy" in line] == []


@pytest.mark.parametrize("context", [(320, "light")], indirect=True)
async def test_pages_about_trouble(context: BrowserContext, urls: tuple[DemoUrls, Stub]) -> None:
    where, stub = urls
    page = await context.new_page()
    for base in (where.bank, where.notes):
        await page.goto(f"{base}/nothing-here")
        await _is_fine(page)
        await page.goto(f"{base}/callback?state=x")
        await _is_fine(page)
        stub.refuse = ("access_denied", "The person cancelled.")
        await page.goto(f"{base}/login")
        await page.get_by_role("heading", name="You stopped signing in").wait_for()
        await _is_fine(page)
