"""The last administrator in the console: what would be refused is not offered, and says why where somebody asks."""

import re

import pytest

from idp.flows.idp import Visitor
from idp.flows.operate.authenticators import add_phone
from idp.flows.operate.finding import find_user
from idp.web.door import csrf
from tests.world.api import add_operator
from tests.world.console import opened, page_of, signed_in, text_of
from tests.world.provider import Browser, Provider

ENDS = ("remove", "disable", "freeze", "recover")
WHY = "ada is the last administrator who can sign in: make somebody else one first"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, the only administrator's."""
    return await signed_in(provider)


async def test_what_keeps_the_last_administrator_out_is_not_offered(provider: Provider, browser: Browser) -> None:
    ada = await page_of(provider, "ada")
    page = await browser.get(ada)
    assert [change for change in ENDS if f'href="{ada}/{change}"' in page.text] == []
    assert WHY in text_of(page)
    await add_operator(provider, "eve", "admins")
    page = await browser.get(ada)
    assert all(f'href="{ada}/{change}"' in page.text for change in ENDS)
    assert WHY not in text_of(page)


@pytest.mark.parametrize("role", ["desk", "audit"])
async def test_who_changes_nothing_looks_at_the_last_administrator(provider: Provider, role: str) -> None:
    browser = await signed_in(provider, role, "iris")
    await add_operator(provider, "ada", "admins")
    page = await browser.get(await page_of(provider, "ada"))
    assert page.status_code == 200
    assert WHY in text_of(page)
    assert "Authenticator app" in page.text
    assert ">Remove<" not in page.text


@pytest.mark.parametrize("change", ENDS)
async def test_who_asks_for_it_all_the_same_sees_why_and_nothing_is_done(
    provider: Provider, browser: Browser, change: str
) -> None:
    ada = await page_of(provider, "ada")
    page = await opened(provider, browser, f"{ada}/{change}")
    assert page.status_code == 403
    assert WHY in text_of(page)
    path = f"{ada}/{change}"
    assert f'action="{path}"' not in page.text
    assert f'href="{ada}"' in page.text
    token = csrf(provider.idp, Visitor("", browser.token).session_id, path)
    page = await browser.post(path, {"csrf": token, "reason": "because"})
    assert page.status_code == 403
    account = (await find_user(provider.idp, "ada")).account
    assert not account.disabled
    assert account.frozen_at is None


async def test_who_changes_their_groups_is_told_before(provider: Provider, browser: Browser) -> None:
    ada = await page_of(provider, "ada")
    page = await opened(provider, browser, f"{ada}/groups")
    assert page.status_code == 200
    assert WHY in text_of(page)
    page = await browser.submit("/groups", without="group-admins")
    assert page.status_code == 403
    assert (await find_user(provider.idp, "ada")).account.groups == {"admins"}


async def test_a_slash_too_many_leads_to_the_console(browser: Browser) -> None:
    page = await browser.get("/admin/")
    assert (page.status_code, page.url.path) == (200, "/admin")


async def test_who_cancels_the_proof_of_a_page_may_begin_it_again(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get("/admin/people?q=bob")
    page = await browser.submit("/cancel")
    assert page.status_code == 200
    assert "You cancelled" in page.text
    assert 'href="/admin/people"' in page.text
    for strange in ("//evil.example", "https://evil.example", "/account", "/admin/nothing/of/this", "javascript:x", ""):
        page = await browser.http.get("/account/cancelled", params={"to": strange})
        assert page.status_code == 200
        assert "evil" not in page.text
        assert "Start again" not in page.text


async def test_the_app_that_the_last_administrator_signs_in_with_is_not_offered(
    provider: Provider, browser: Browser
) -> None:
    ada = await page_of(provider, "ada")
    phone = await add_phone(provider.idp, "ada", "+37256789019")
    offered = re.findall(rf'href="{ada}/authenticator\?which=([0-9a-f-]+)"', (await browser.get(ada)).text)
    assert offered == [str(phone.id)]
    await add_operator(provider, "eve", "admins")
    assert (await browser.get(ada)).text.count(f'href="{ada}/authenticator?which=') == 2
