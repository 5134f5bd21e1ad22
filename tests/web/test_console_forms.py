"""Forms and searches of the console that are longer, stranger or later than anybody meant."""

import re
from datetime import timedelta
from typing import Any

import pytest

from idp.flows.operate.authenticators import add_phone
from idp.flows.operate.editing import edit_person
from idp.flows.operate.finding import find_user
from idp.flows.operate.invitations import invite
from tests.world.api import add_operator, with_roles
from tests.world.console import text_of
from tests.world.provider import PASSWORD, Browser, Provider


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, signed in at the console: an administrator."""
    with_roles(provider)
    await add_operator(provider, "ada", "admins")
    browser = provider.browser()
    await browser.get("/admin/people")
    await browser.submit("/password", username="ada", password=PASSWORD)
    await browser.submit("/totp", code=provider.totp("ada"))
    return browser


async def _open(provider: Provider, browser: Browser, path: str) -> str:
    page = await browser.get(path)
    if "/i/" in str(page.url):
        page = await browser.submit("/totp", code=provider.totp("ada"))
    assert page.status_code == 200
    return page.text


async def _of(provider: Provider, username: str, change: str) -> str:
    return f"/admin/people/{(await find_user(provider.idp, username)).account.id}/{change}"


@pytest.mark.parametrize("name", ["x" * 1500, "€" * 1500, '"' * 1500])
async def test_what_is_wrong_is_said_however_much_was_typed(provider: Provider, browser: Browser, name: str) -> None:
    path = await _of(provider, "bob", "edit")
    await _open(provider, browser, path)
    page = await browser.submit(path, name=name)
    assert page.status_code == 422
    assert "A name has 1 to 200 printable characters." in page.text


async def test_a_long_form_that_came_too_late_was_not_obeyed_and_says_so(provider: Provider, browser: Browser) -> None:
    path = await _of(provider, "bob", "edit")
    await _open(provider, browser, path)
    provider.clock.move(timedelta(minutes=6))
    await browser.submit(path, name="€" * 1500)
    page = await browser.submit("/totp", code=provider.totp("ada"))
    assert "nothing was done yet" in page.text
    await edit_person(provider.idp, "bob", {"name": "Bob B."})
    page = await browser.submit(path, name="Bob C.")
    assert page.status_code == 409
    assert (await find_user(provider.idp, "bob")).account.name == "Bob B."


async def test_what_many_consequences_follow_is_said(provider: Provider, browser: Browser) -> None:
    for number in range(12):
        name = f"{number} {'😀' * 75}"
        await provider.add_client(f"for-{number}", f"https://{number}.example/cb", name=name, groups={"treasury"})
    path = await _of(provider, "bob", "groups")
    await _open(provider, browser, path)
    treasury: dict[str, Any] = {"group-treasury": "on"}
    page = await browser.submit(path, **treasury)
    assert "Their groups are saved." in page.text


async def test_the_trail_is_searched_by_a_name(provider: Provider, browser: Browser) -> None:
    await _open(provider, browser, "/admin/audit")
    page = await browser.get("/admin/audit?q=bob")
    assert page.status_code == 200
    page = await browser.get("/admin/audit?q=nobody")
    assert (page.status_code, "There is no user named" in page.text) == (200, True)
    assert (await browser.get("/admin/audit.csv?q=bob")).status_code == 200


async def test_an_administrator_says_that_an_address_is_theirs(provider: Provider, browser: Browser) -> None:
    path = await _of(provider, "bob", "edit")
    await _open(provider, browser, path)
    await browser.submit(path, email="bob@new.example", email_verified="on")
    bob = (await find_user(provider.idp, "bob")).account
    assert (bob.email, bob.email_verified) == ("bob@new.example", True)


@pytest.mark.parametrize("who", ["admins", "desk"])
async def test_who_has_a_name_and_groups_is_invited_again(provider: Provider, browser: Browser, who: str) -> None:
    groups = ["treasury"]
    await invite(provider.idp, username="eve", mail=False, name="Eve", email="eve@example.com", groups=groups)
    await edit_person(provider.idp, "ada", {"groups": [who]})
    path = await _of(provider, "eve", "invite-again")
    await _open(provider, browser, path)
    page = await browser.submit(path)
    assert "/link/invite/" in page.text


@pytest.mark.parametrize("change", ["add", "invite"])
async def test_each_mistake_is_told_at_its_field(provider: Provider, browser: Browser, change: str) -> None:
    path = f"/admin/people/{change}"
    await _open(provider, browser, path)
    page = await browser.submit(path, username="bo b", email="no address", phone="12", mail="on")
    assert page.status_code == 422
    for name in ("username", "email", "phone"):
        assert page.text.count(f'<a href="#{name}">') == 1
        assert f'id="{name}-error"' in page.text
        assert re.search(f'<input id="{name}"[^>]*{name}-error" aria-invalid="true">', page.text)
    assert 'id="name-error"' not in page.text
    page = await browser.submit(path, username="alice", email="", phone="", mail="")
    assert (page.status_code, 'id="username-error"' in page.text) == (409, True)


@pytest.mark.parametrize("change", ["add", "invite"])
async def test_who_gives_a_phone_that_gets_no_codes_is_told(provider: Provider, browser: Browser, change: str) -> None:
    path = f"/admin/people/{change}"
    await _open(provider, browser, path)
    page = await browser.submit(path, username="jonas", phone="+37061234567")
    assert page.status_code == 200
    assert "LT is closed. IDP_SMS_COUNTRIES opens a country." in text_of(page)


async def test_languages_are_called_as_they_call_themselves(provider: Provider, browser: Browser) -> None:
    form = await _open(provider, browser, "/admin/people/invite")
    assert '<option value="et">Eesti</option>' in form
    await browser.submit("/admin/people/invite", username="mari", locale="et")
    who = (await find_user(provider.idp, "mari")).account
    assert (who.locale, "<bdi>Eesti</bdi>" in await _open(provider, browser, f"/admin/people/{who.id}")) == ("et", True)


async def test_a_text_message_is_nowhere_said_to_open_what_is_sensitive(provider: Provider, browser: Browser) -> None:
    page = await _open(provider, browser, (await _of(provider, "bob", "")).rstrip("/"))
    assert "Text message" in page
    assert "Trusted from" in page
    assert "sensitive actions" not in page.split("<main")[1]


async def test_a_line_of_the_trail_has_no_raw_times(provider: Provider, browser: Browser) -> None:
    await add_phone(provider.idp, "bob", "+37256789019")
    page = await _open(provider, browser, "/admin/audit?q=authenticator.added")
    assert "authenticator.added" in page
    assert not re.search(r"sms, \d{4}-\d\d-\d\dT", page)


async def test_who_signs_in_at_the_console_is_told_what_for(provider: Provider) -> None:
    page = await provider.browser().get("/admin")
    assert "to open the console" in page.text
    assert "how you sign in" not in page.text
