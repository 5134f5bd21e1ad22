"""The kit's examples, each run as it stands against a real provider, in Debian's Chromium."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.world.applications import EXAMPLES, Served, example, served
from tests.world.chromium import chromium, goes_by, window
from tests.world.demonstration import Person
from tests.world.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

BANKS = [path.name for path in sorted(EXAMPLES.glob("*_bank.py"))]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("provider") / "data") as provider:
        yield provider


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await window(browser)
    yield await context.new_page()
    await context.close()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_an_example_is_read_in_a_minute(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 60


@pytest.mark.parametrize("name", BANKS)
async def test_a_bank_signs_in_and_has_a_transfer_confirmed(
    name: str, provider: Served, page: Page, tmp_path: Path
) -> None:
    port = free_port()
    registered = provider.client(name, f"http://localhost:{port}", "--details-type", "payment")
    alice = provider.person(f"alice{len(name)}", f"+3725678{len(name)}{len(name)}")
    with example(name, tmp_path / "log", port, registered) as bank:
        await page.goto(bank)
        await _types(page, {"Username": alice.username, "Password": alice.password})
        await goes_by(page.get_by_role("button", name="Continue", exact=True))
        await _gives_app_code(page, alice)
        await expect(page.get_by_role("heading")).to_contain_text("Hello, Alice")

        await _types(page, {"To": "Jana <Nováková>"})
        await goes_by(page.get_by_role("button", name="Send €25"))
        # what is typed into a second tab meanwhile changes nothing of what is confirmed in the first
        second = await page.context.new_page()
        await second.goto(bank)
        await _types(second, {"To": "Mallory"})
        await goes_by(second.get_by_role("button", name="Send €25"))
        await expect(second.get_by_role("button", name="Cancel")).to_be_visible()
        await _gives_app_code(page, alice)
        await expect(page.get_by_role("heading")).to_contain_text(" sent to Jana <Nováková>")
        await expect(page.get_by_role("heading")).to_contain_text("urn:stile:2fa-strong")
        done = page.url
        await page.reload()
        await expect(page.get_by_role("heading")).to_contain_text("sent to")
        assert page.url == done

        # Declined: no money, and the person is still signed in
        await goes_by(second.get_by_role("button", name="Cancel"))
        await expect(second.get_by_role("heading")).to_contain_text("Nothing was sent")
        await second.close()

        # whose cookie was too small for two tabs and the hint is asked whether to sign out; a new one has room for it
        await page.goto(bank)
        await expect(page.get_by_role("heading")).to_contain_text("Hello, Alice")
        await page.context.clear_cookies(name="bank")
        await page.goto(bank)
        await expect(page.get_by_role("heading")).to_contain_text("Hello, Alice")
        await goes_by(page.get_by_role("button", name="Sign out"))
        await expect(page.get_by_role("heading")).to_have_text("You are signed out")
        await page.goto(bank)
        await expect(page.get_by_label("Username", exact=True)).to_be_visible()


async def _types(page: Page, told: dict[str, str]) -> None:
    for label, text in told.items():
        await page.get_by_label(label, exact=True).fill(text)


async def _gives_app_code(page: Page, person: Person) -> None:
    link = page.get_by_role("link", name="Use your authenticator app", exact=True)
    if await link.count():
        await goes_by(link)
    await _types(page, {"Code from your authenticator app": person.app_code()})
    await goes_by(page.get_by_role("button", name=re.compile("^(Continue|Approve .*)$")))
