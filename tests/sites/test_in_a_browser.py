"""A wiki that knows no OpenID, behind nginx, in Debian's Chromium."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Page, expect

from tests.world.applications import served
from tests.world.chromium import AXE, chromium, goes_by, window
from tests.world.demonstration import Person
from tests.world.guarded import behind
from tests.world.nginx import NEEDS_NGINX
from tests.world.policies import BEFORE
from tests.world.ports import free_port

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), NEEDS_NGINX]


@pytest.fixture(scope="module")
async def wiki(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[str, Person]]:
    """The address of a wiki, and somebody who may read it."""
    port, home = free_port(), tmp_path_factory.mktemp("provider")
    policy = home / "policy.toml"
    site = f"""[groups.staff]\nlevel = "two_factor"\n[sites."localhost:{port}"]\ntitle = "Wiki"\nlevel = "two_factor"
        [sites."localhost:{port}".paths]\n"/admin" = {{ title = "Settings", level = "strong", fresh = "15m" }}
        "/staff" = {{ groups = ["staff"] }}\n"""
    policy.write_text(BEFORE + site, encoding="utf-8")
    with served(home / "data", IDP_POLICY=str(policy), IDP_TRUSTED_PROXIES="127.0.0.1", IDP_DEV="1") as idp:
        alice = idp.person("alice", "+37256789045")
        idp_at = f"127.0.0.1:{urlsplit(idp.issuer).port}"
        async with behind("nginx", idp_at, port, tmp_path_factory.mktemp("nginx")):
            yield f"http://localhost:{port}", alice


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await window(browser, viewport={"width": 360, "height": 780})
    yield await context.new_page()
    await context.close()


async def signs_in(page: Page, alice: Person) -> None:
    await page.get_by_label("Username", exact=True).fill(alice.username)
    await page.get_by_label("Password", exact=True).fill(alice.password)
    await goes_by(page.get_by_role("button", name="Continue", exact=True))
    await gives_code(page, alice)


async def gives_code(page: Page, alice: Person) -> None:
    await page.get_by_label("Code from your authenticator app", exact=True).fill(alice.app_code())
    await goes_by(page.get_by_role("button", name="Continue", exact=True))


async def looks_right(page: Page, heading: str) -> None:
    """It says this, in our style, and nothing keeps anybody from it."""
    await expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    size = await page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")
    assert size != "none", "without its style sheet"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    await page.evaluate(AXE)
    found = await page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")
    assert found == []
    if directory := os.environ.get("STILE_SCREENSHOTS"):
        await page.screenshot(
            path=str(Path(directory) / f"site-{heading.lower().replace(' ', '-')}.png"), full_page=True
        )


async def test_a_person_reads_changes_settings_and_signs_out(wiki: tuple[str, Person], page: Page) -> None:
    site, alice = wiki
    await page.goto(f"{site}/page?id=7")
    await expect(page.get_by_text("to continue to Wiki")).to_be_visible()
    await signs_in(page, alice)
    await expect(page.locator("pre")).to_contain_text('["remote-user", "alice"]')
    assert page.url == f"{site}/page?id=7"

    # signed in by the app, for this very site, a moment ago: nothing more is asked
    await page.goto(f"{site}/admin")
    await expect(page.locator("pre")).to_contain_text("urn:stile:2fa-strong")

    # as a script of the application finds it
    assert await page.evaluate("fetch('/page').then(answer => answer.status)") == 200
    await page.context.clear_cookies(name=f"stile-site-{urlsplit(site).port}")
    assert await page.evaluate("fetch('/page').then(answer => answer.status)") == 401
    await page.reload()
    await expect(page.locator("pre")).to_contain_text('["remote-user", "alice"]')
    assert page.url == f"{site}/admin"

    await page.goto(f"{site}/staff")
    await looks_right(page, "You cannot do this")

    await goes_by(page.get_by_role("link", name="Sign out"))
    await goes_by(page.get_by_role("button", name="Sign out"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out")
    await goes_by(page.get_by_role("link", name="Back to Wiki"))
    await looks_right(page, "You are signed out")
    await goes_by(page.get_by_role("link", name="Sign in again"))
    await expect(page.get_by_label("Username", exact=True)).to_be_visible()

    await goes_by(page.get_by_role("button", name="Cancel"))
    await looks_right(page, "You are not signed in")
    await goes_by(page.get_by_role("link", name="Start again"))
    await expect(page.get_by_label("Username", exact=True)).to_be_visible()


async def test_an_answer_that_this_browser_did_not_ask_for_is_not_taken(wiki: tuple[str, Person], page: Page) -> None:
    site, _ = wiki
    await page.goto(f"{site}/.stile/callback?code=x&state=y")
    await looks_right(page, "We could not understand this request")
