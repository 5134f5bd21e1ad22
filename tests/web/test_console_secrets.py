"""Another secret for an application in the console: shown once, beside the old one, and never made by mistake."""

import html
import re
from datetime import timedelta

import httpx
import pytest

from idp.crypto import digest
from idp.flows.opening import read_clients
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import ClientId, find_client
from idp.flows.operate.secrets import end_old_secret, new_client_secret
from idp.flows.operate.trail import Search, audit_page
from idp.model import AuthMethod, Client
from tests.world.api import add_operator, with_roles
from tests.world.console import opened, signed_in
from tests.world.provider import Browser, Provider

BANK = "/admin/applications/bank"
SECRET, OLD = f"{BANK}/secret", f"{BANK}/old-secret"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, signed in at the console: an administrator."""
    with_roles(provider)
    return await signed_in(provider)


async def bank(provider: Provider) -> Client:
    return await find_client(provider.idp, ClientId("bank"))


async def changes(provider: Provider) -> list[str]:
    found = (await audit_page(provider.idp, Search(client_id="bank", event="client.changed"))).entries
    assert {one.fields["operator"] for one in found} <= {"person:ada"}
    return [str(one.fields["change"])[:10] for one in found]


def words(page: httpx.Response) -> str:
    """What it says, without the marks around names."""
    return re.sub("</?bdi>", "", page.text)


def shown(page: httpx.Response) -> str:
    """The secret on this page."""
    found = re.search(r'<p class="secret"><code>([^<]+)</code>', page.text)
    assert found, page.text
    return html.unescape(found[1])


async def test_both_secrets_work_until_the_old_one_ends(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    assert f'href="{SECRET}"' in (await browser.get(BANK)).text
    assert OLD not in (await browser.get(BANK)).text
    await opened(provider, browser, SECRET)
    page = await browser.submit("/secret")
    assert page.url.path == BANK
    secret = shown(page)
    assert re.search(r"The old secret works until [^<]+2026, \d\d:\d\d UTC\.", words(page))
    assert "The one before works until" in page.text
    now = await bank(provider)
    assert (now.secret_hash, now.old_secret_hash) == (digest(secret), before.secret_hash)
    await read_clients(provider.idp)
    for one in (secret, provider.secrets["bank"]):
        provider.secrets["bank"] = one
        code = await provider.code(provider.browser(), "alice")
        assert (await provider.redeem(code)).status_code == 200
        provider.clock.move(timedelta(seconds=31))
    await opened(provider, browser, OLD)
    assert browser.page is not None
    assert re.search(r"which works until [^<]+2026, \d\d:\d\d UTC", words(browser.page))
    page = await browser.submit("/old-secret")
    assert "The old secret works no more." in page.text
    assert (await bank(provider)).old_secret_hash is None
    assert OLD not in page.text
    assert await changes(provider) == ["old secret", "new secret"]


async def test_the_second_press_shows_what_the_first_one_made(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    await opened(provider, browser, SECRET)
    form = browser.page
    given = set()
    for _ in range(3):  # a double click; Back and once more
        browser.page = form
        page = await browser.submit("/secret", keep="1d")
        assert page.status_code == 200
        given.add(shown(page))
    assert len(given) == 1
    now = await bank(provider)
    assert (now.secret_hash, now.old_secret_hash) == (digest(given.pop()), before.secret_hash)
    assert await changes(provider) == ["new secret"]


async def test_a_secret_is_on_no_page_that_is_asked_for_later_or_elsewhere(
    provider: Provider, browser: Browser
) -> None:
    await opened(provider, browser, SECRET)
    page = await browser.submit("/secret")
    secret, address = shown(page), str(page.url)
    assert secret not in address
    assert secret not in (await browser.get(BANK)).text
    provider.clock.move(timedelta(minutes=11))
    assert secret not in (await opened(provider, browser, address)).text
    other = await signed_in(provider, username="eve")
    assert secret not in (await opened(provider, other, address, "eve")).text


async def test_an_old_form_makes_nothing_and_is_shown_again(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    await opened(provider, browser, SECRET)
    provider.clock.move(timedelta(minutes=11))
    await browser.submit("/secret", keep="1h")
    page = await browser.submit("/totp", code=provider.totp("ada"))
    assert "nothing was done yet" in page.text
    assert (await bank(provider)).secret_hash == before.secret_hash
    assert re.search(r'<option value="1h" selected>', page.text)
    page = await browser.submit("/secret")
    assert digest(shown(page)) == (await bank(provider)).secret_hash


async def test_two_administrators_do_not_end_each_others_secrets(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, SECRET)
    made = await new_client_secret(provider.idp, "bank", keep_old=timedelta(days=7))
    page = await browser.submit("/secret")
    assert page.status_code == 409
    assert "Somebody else changed the secrets" in page.text
    assert "stops working" in page.text, "what another one would end"
    now = await bank(provider)
    assert (now.secret_hash, now.old_secret_hash) == (made.client.secret_hash, made.client.old_secret_hash)
    page = await browser.submit("/secret")
    assert (await bank(provider)).old_secret_hash == made.client.secret_hash


async def test_the_old_one_may_stop_at_once_and_that_is_said(provider: Provider, browser: Browser) -> None:
    await opened(provider, browser, SECRET)
    page = await browser.submit("/secret", keep="")
    assert "The old secret works no more." in page.text
    assert (await bank(provider)).old_secret_hash is None


async def test_who_ends_what_ended_already_is_where_they_wanted_to_be(provider: Provider, browser: Browser) -> None:
    await new_client_secret(provider.idp, "bank", keep_old=timedelta(days=7))
    await opened(provider, browser, OLD)
    form = browser.page
    await end_old_secret(provider.idp, "bank")
    for _ in range(2):
        browser.page = form
        page = await browser.submit("/old-secret")
        assert (page.status_code, page.url.path) == (200, BANK)


@pytest.mark.parametrize("keep", ["0", "5y", "99999999999999d", "31d", "-1d", "x" * 5000, "'", "<b>", " "])
async def test_a_time_that_was_not_offered_makes_nothing(provider: Provider, browser: Browser, keep: str) -> None:
    before = await bank(provider)
    await opened(provider, browser, SECRET)
    page = await browser.submit("/secret", keep=keep)
    assert page.status_code == 422
    assert await bank(provider) == before


@pytest.mark.parametrize("made", ["", "x", "A" * 300, "é"])
async def test_a_form_without_what_was_made_for_it_makes_nothing(
    provider: Provider, browser: Browser, made: str
) -> None:
    before = await bank(provider)
    await opened(provider, browser, SECRET)
    page = await browser.submit("/secret", made=made)
    assert page.status_code == 422
    assert await bank(provider) == before


@pytest.mark.parametrize("role", ["audit", "desk"])
async def test_others_are_not_offered_one_and_get_none(provider: Provider, role: str) -> None:
    with_roles(provider)
    browser = await signed_in(provider, role)
    assert SECRET not in (await browser.get(BANK)).text
    provider.clock.move(timedelta(seconds=31))
    assert (await opened(provider, browser, SECRET)).status_code == 403


async def test_who_lost_their_role_meanwhile_gets_none(provider: Provider, browser: Browser) -> None:
    before = await bank(provider)
    await add_operator(provider, "eve", "admins")
    await opened(provider, browser, SECRET)
    form = browser.page
    for groups, status in ((["audit"], 403), ([], 404)):
        await edit_person(provider.idp, "ada", {"groups": groups})
        browser.page = form
        assert (await browser.submit("/secret")).status_code == status
    assert await bank(provider) == before


@pytest.mark.parametrize("path", [SECRET, OLD])
async def test_a_form_of_somebody_else_is_not_obeyed(provider: Provider, browser: Browser, path: str) -> None:
    await new_client_secret(provider.idp, "bank", keep_old=timedelta(days=7))
    await opened(provider, browser, path)
    before = await bank(provider)
    for token in ({}, {"csrf": "0" * 64}, {"csrf": "x"}):
        assert (await browser.post(path, {"keep": "7d", **token})).status_code == 403
    assert await bank(provider) == before


async def test_a_public_application_has_none_to_make(provider: Provider, browser: Browser) -> None:
    await provider.add_client("pocket", "https://pocket.example/cb", auth_method=AuthMethod.NONE)
    assert "/secret" not in (await browser.get("/admin/applications/pocket")).text
    await opened(provider, browser, "/admin/applications/pocket/secret")
    page = await browser.submit("/secret")
    assert page.status_code == 422
    assert "has no secret" in page.text


@pytest.mark.parametrize(("path", "most"), [(SECRET, 4), (OLD, 4), (f"{BANK}/logo", 3)])
async def test_a_form_costs_no_more_than_this(provider: Provider, browser: Browser, path: str, most: int) -> None:
    await opened(provider, browser, path)
    provider.count()
    assert (await browser.get(path)).status_code == 200
    assert len(provider.statements) <= most, provider.statements
