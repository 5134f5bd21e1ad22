"""Money and numbers in the console: what is closed, what is opened again, and what becomes of a code to a number."""

import html
import re
from datetime import timedelta

import httpx
import pytest

from idp.flows.delivery.suppressions import suppress
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.sending import closed_blocks
from idp.flows.operate.trail import Search, audit_page
from idp.store.sql import Sql
from tests.world.api import add_operator, with_roles
from tests.world.provider import BOB_PHONE, PASSWORD, Browser, Provider

HERE, NUMBER = "/admin/messages/spending", "/admin/messages/number"
KEY = b"\x0f" * 32
BLOCK = f"{HERE}/{KEY.hex()}"
_CLOSE = Sql("""
INSERT INTO spending_block (key, region, numbers, times, closed_until, expires_at)
VALUES (:key, 'EE', '{}', '{}', :until, :until)""")


async def close(provider: Provider) -> None:
    await provider.idp.db.one(_CLOSE, key=KEY, until=provider.clock.now() + timedelta(hours=12))


async def signed_in(provider: Provider, role: str) -> Browser:
    with_roles(provider)
    await add_operator(provider, "ada", role)
    browser = provider.browser()
    await browser.get("/admin/messages")
    await browser.submit("/password", username="ada", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp("ada"))
    return browser


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, of the helpdesk."""
    return await signed_in(provider, "desk")


async def opened(provider: Provider, browser: Browser, path: str) -> httpx.Response:
    page = await browser.get(path)
    if "/i/" in page.url.path:
        page = await browser.submit("/totp", code=provider.totp("ada"))
    return page


def _text(page: httpx.Response) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", page.text)).split())


async def test_money_rules_and_gateways_stand_on_one_page(provider: Provider, browser: Browser) -> None:
    await provider.half_way(provider.browser(), "bob")
    await provider.deliver()
    assert f'href="{HERE}"' in (await browser.get("/admin/messages")).text
    provider.count()
    page = await browser.get(HERE)
    assert page.status_code == 200
    assert len(provider.statements) <= 10, provider.statements
    said = _text(page)
    assert re.search(r"Spent this hour 0\.\d\d of [0-9.]+ EUR", said)
    assert "lines that are not mobile" in said
    assert re.search(r"fake EE 1 1 0 0", said)


async def test_a_closed_block_is_opened_again_and_a_second_press_leads_to_the_list(
    provider: Provider, browser: Browser
) -> None:
    await close(provider)
    assert f'href="{BLOCK}"' in (await browser.get(HERE)).text
    form = await opened(provider, browser, BLOCK)
    assert "Open a block of numbers" in form.text
    page = await browser.submit(BLOCK)
    assert (page.url.path, "is open again" in page.text) == (HERE, True)
    assert await closed_blocks(provider.idp) == []
    newest = (await audit_page(provider.idp, Search(event="sms.block_opened"))).entries
    assert [(one.fields["region"], one.fields["operator"]) for one in newest] == [("EE", "person:ada")]
    browser.page = form
    page = await browser.submit(BLOCK)
    assert (page.status_code, page.url.path) == (200, HERE)
    assert (await browser.get(BLOCK)).url.path == HERE, "Back, then reload"
    assert len((await audit_page(provider.idp, Search(event="sms.block_opened"))).entries) == 1


async def test_a_form_that_came_too_late_opens_nothing_before_it_is_pressed_again(
    provider: Provider, browser: Browser
) -> None:
    await close(provider)
    await opened(provider, browser, BLOCK)
    provider.clock.move(timedelta(minutes=6))
    page = await browser.submit(BLOCK)
    assert "/i/" in page.url.path
    page = await browser.submit("/totp", code=provider.totp("ada"))
    assert "nothing was done yet" in page.text
    assert len(await closed_blocks(provider.idp)) == 1
    await browser.submit(BLOCK)
    assert await closed_blocks(provider.idp) == []


async def test_an_auditor_sees_what_is_closed_and_opens_nothing(provider: Provider) -> None:
    browser = await signed_in(provider, "audit")
    await close(provider)
    page = await browser.get(HERE)
    assert KEY.hex()[:12] in page.text
    assert f'href="{BLOCK}"' not in page.text
    assert f'href="{NUMBER}/open"' not in (await browser.get(NUMBER)).text
    for path in (BLOCK, f"{NUMBER}/open"):
        provider.clock.move(timedelta(seconds=31))
        assert (await opened(provider, browser, path)).status_code == 403


async def test_who_lost_their_role_meanwhile_opens_nothing(provider: Provider, browser: Browser) -> None:
    await close(provider)
    form = await opened(provider, browser, BLOCK)
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        browser.page = form
        assert (await browser.submit(BLOCK)).status_code == status
    assert len(await closed_blocks(provider.idp)) == 1


async def test_a_form_of_somebody_else_is_not_obeyed(provider: Provider, browser: Browser) -> None:
    await close(provider)
    for path in (BLOCK, NUMBER, f"{NUMBER}/open"):
        await opened(provider, browser, path)
        for token in ({}, {"csrf": "0" * 64}, {"csrf": "x"}):
            assert (await browser.post(path, {"phone": BOB_PHONE, **token})).status_code == 403
    assert len(await closed_blocks(provider.idp)) == 1


@pytest.mark.parametrize("block", ["0f", "zz", "0" * 129, "%00", "..", "F" * 64, "0f" * 31 + "0"])
async def test_a_block_that_is_not_closed_leads_to_the_list(provider: Provider, browser: Browser, block: str) -> None:
    await close(provider)
    page = await opened(provider, browser, f"{HERE}/{block}")
    assert page.status_code == 404 or page.url.path in {HERE, "/admin/messages"}
    assert (await browser.post(f"{HERE}/{block}", {"csrf": "x"})).status_code in {403, 404, 405}
    assert len(await closed_blocks(provider.idp)) == 1


async def test_what_would_become_of_a_code_is_told_and_no_number_stands_in_an_address(
    provider: Provider, browser: Browser
) -> None:
    await browser.get(NUMBER)
    page = await browser.submit(NUMBER, phone=BOB_PHONE)
    assert page.status_code == 200
    assert str(page.url).endswith(NUMBER)
    assert "For somebody who never verified it it would be sent" in _text(page)
    assert provider.gateway.sent == []


@pytest.mark.parametrize(
    "typed", ["", "nothing", "+", "٣٣٣", "+3725\x7f", "+" + "9" * 61, "++372", "' OR 1=1", "😀", "0"]
)
async def test_what_is_no_number_is_said(browser: Browser, typed: str) -> None:
    await browser.get(NUMBER)
    page = await browser.submit(NUMBER, phone=typed)
    assert page.status_code in {200, 422}
    if page.status_code == 422:
        assert "It must be a phone number with its country code" in page.text


async def test_messages_go_to_a_number_again_and_who_let_them_is_known(provider: Provider, browser: Browser) -> None:
    bob = await find_user(provider.idp, "bob")
    await suppress(provider.idp, BOB_PHONE, reason="stopped", gateway="fake", account_id=bob.account.id)
    await browser.get(NUMBER)
    page = await browser.submit(NUMBER, phone=BOB_PHONE)
    assert "it would not be sent" in _text(page)
    form = await opened(provider, browser, f"{NUMBER}/open")
    page = await browser.submit("/open", phone=BOB_PHONE)
    assert (page.url.path, "Messages go to this number again." in page.text) == (HERE, True)
    newest = (await audit_page(provider.idp, Search(event="number.unblocked"))).entries
    assert [one.fields["operator"] for one in newest] == ["person:ada"]
    browser.page = form
    page = await browser.submit("/open", phone=BOB_PHONE)
    assert "Nothing was in the way" in page.text
    browser.page = form
    page = await browser.submit("/open", phone="12")
    assert page.status_code == 422
    assert BOB_PHONE not in str(page.url)
