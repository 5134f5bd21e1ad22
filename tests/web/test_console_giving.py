"""What an operator gives somebody in the console: given once, shown once, by who may, however often it is pressed."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyotp
import pytest

from idp.errors import NotThere
from idp.flows.operate.finding import find_user
from idp.flows.operate.leaving import remove_person
from idp.flows.operate.looking import show_person
from idp.flows.operate.trail import Search, audit_page
from idp.model import Factor
from tests.world.api import add_operator
from tests.world.console import opened, page_of, signed_in, text_of
from tests.world.provider import PASSWORD, Browser, Provider

KEY = r'<p class="secret"><code>([^<]+)</code>'
NEW_PHONE = "+37256789012"


@pytest.fixture
async def browser(provider: Provider) -> Browser:
    """Ada's, an administrator's."""
    return await signed_in(provider)


async def _twice(
    provider: Provider, browser: Browser, path: str, **typed: Any
) -> tuple[httpx.Response, httpx.Response]:
    """The form at this path, sent two times as it was."""
    form = await opened(provider, browser, path)
    assert form.status_code == 200, form.text
    first = await browser.submit(path, **typed)
    browser.page = form
    return first, await browser.submit(path, **typed)


async def _of(provider: Provider, username: str, factor: Factor) -> int:
    return sum(one.factor is factor for one in (await find_user(provider.idp, username)).authenticators)


async def _trail(provider: Provider, event: str) -> list[str]:
    found = await audit_page(provider.idp, Search(event=event or None), after=None, limit=50)
    return [json.dumps(dict(one.fields)) for one in found.entries]


async def test_an_app_is_given_once_and_its_key_is_shown_once(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    before = await _of(provider, "bob", Factor.TOTP)
    first, second = await _twice(provider, browser, f"{bob}/app")
    [key] = re.findall(KEY, first.text)
    assert re.findall(KEY, second.text) == [key]
    assert 'class="qr"' in second.text
    assert await _of(provider, "bob", Factor.TOTP) == before + 1
    assert len(await _trail(provider, "authenticator.added")) == 1
    assert key not in (await browser.get(bob)).text
    assert "Copy this now" not in (await browser.get(str(second.url.path))).text
    code = pyotp.TOTP(key.replace(" ", "")).at(provider.clock.now())
    theirs = provider.browser()
    await theirs.get("/account")
    await theirs.submit("/password", username="bob", password=PASSWORD)
    assert (await theirs.submit("/totp", code=code)).url.path == "/account"


async def test_recovery_codes_are_made_once_and_shown_once(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    first, second = await _twice(provider, browser, f"{bob}/codes")
    codes = re.findall(r"<li><code>([0-9A-Z-]{19})</code>", first.text)
    assert len(codes) == 10
    assert re.findall(r"<li><code>([0-9A-Z-]{19})</code>", second.text) == codes
    assert await _of(provider, "bob", Factor.RECOVERY) == 1
    assert len(await _trail(provider, "recovery_codes.made")) == 1
    assert codes[0] not in (await browser.get(bob)).text


async def test_a_phone_is_given_once_and_may_replace_the_others(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    assert await _of(provider, "bob", Factor.SMS) == 1
    first, second = await _twice(provider, browser, f"{bob}/phone", phone=NEW_PHONE)
    for page in (first, second):
        assert page.status_code == 200
        assert "They have a phone ending 12." in text_of(page)
        assert NEW_PHONE not in page.text
    assert await _of(provider, "bob", Factor.SMS) == 2
    await opened(provider, browser, f"{bob}/phone")
    await browser.submit("/phone", phone="+37256789013", replace="on")
    assert await _of(provider, "bob", Factor.SMS) == 1


@pytest.mark.parametrize("number", ["", "nonsense", "+3726000000", "\u0663" * 20, "x" * 3000, "+1 800 5550100"])
async def test_a_number_that_no_text_reaches_is_refused_beside_the_field(
    provider: Provider, browser: Browser, number: str
) -> None:
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/phone")
    page = await browser.submit("/phone", phone=number)
    assert page.status_code == 422
    assert "The phone number cannot be used" in page.text
    assert await _of(provider, "bob", Factor.SMS) == 1


async def test_a_temporary_password_is_shown_once_and_has_to_be_changed(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    first, second = await _twice(provider, browser, f"{bob}/password")
    [password] = re.findall(KEY, first.text)
    assert re.findall(KEY, second.text) == [password]
    assert password not in (shown := (await browser.get(bob)).text)
    assert "A temporary one, until " in shown
    theirs = provider.browser()
    await provider.half_way(theirs, "bob", password=password)
    page = await theirs.submit("/sms", code=await provider.texted(theirs))
    assert 'autocomplete="new-password"' in page.text, "they choose one of their own before anything else"
    assert len(await _trail(provider, "password.changed")) == 1, "pressed twice, it was set once"


async def test_somebody_is_added_once_with_all_that_is_known(provider: Provider, browser: Browser) -> None:
    typed: dict[str, Any] = {
        "username": "carol",
        "name": "Carol Shaw",
        "email": "carol@example.com",
        "email_verified": "on",
        "phone": NEW_PHONE,
        "locale": "et",
        "group-treasury": "on",
    }
    first, second = await _twice(provider, browser, "/admin/people/add", **typed)
    [password] = re.findall(KEY, first.text)
    assert re.findall(KEY, second.text) == [password]
    carol = (await find_user(provider.idp, "carol")).account
    assert (carol.name, carol.email, carol.email_verified, carol.locale) == (
        "Carol Shaw",
        "carol@example.com",
        True,
        "et",
    )
    assert carol.groups == {"treasury"}
    assert carol.password_until is not None
    assert await _of(provider, "carol", Factor.SMS) == 1
    await opened(provider, browser, "/admin/people/add")
    page = await browser.submit("/add", username="carol")
    assert page.status_code == 409
    assert "exists already" in page.text


async def test_an_invitation_that_is_sent_twice_leads_to_a_link_that_works(
    provider: Provider, browser: Browser
) -> None:
    first, second = await _twice(provider, browser, "/admin/people/invite", username="dora", phone=NEW_PHONE)
    links = [re.findall(KEY, page.text)[0] for page in (first, second)]
    assert (await provider.browser().get(links[1])).status_code == 200
    assert await _of(provider, "dora", Factor.SMS) == 1


async def test_who_goes_back_and_corrects_what_was_typed_is_obeyed(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    form = await opened(provider, browser, f"{bob}/phone")
    await browser.submit("/phone", phone=NEW_PHONE)
    browser.page = form
    page = await browser.submit("/phone", phone="+37256789034", replace="on")
    assert "They have a phone ending 34." in text_of(page)
    assert [one.hint for one in (await find_user(provider.idp, "bob")).authenticators] == ["ending 34"]
    for path in ("/admin/people/add", "/admin/people/invite"):
        form = await opened(provider, browser, path)
        await browser.submit(path, username="carrol")
        browser.page = form
        assert (await browser.submit(path, username="carol")).status_code == 200
        browser.page = form
        twice = await browser.submit(path, username="carol", name="Carol Shaw", phone=NEW_PHONE)
        assert twice.status_code in {409, 422}, "who is there already is not changed in silence"
        for username in ("carol", "carrol"):
            await remove_person(provider.idp, username)


async def test_one_browser_is_signed_out_and_the_others_stay(provider: Provider, browser: Browser) -> None:
    for _ in range(2):
        theirs = provider.browser()
        await theirs.get("/account")
        await theirs.submit("/password", username="bob", password=PASSWORD)
        await theirs.submit("/sms", code=await provider.texted(theirs))
    bob = await page_of(provider, "bob")
    shown = await show_person(provider.idp, "bob")
    assert len(shown.sessions) == 2
    which = shown.sessions[1].session_id
    page = await browser.get(bob)
    assert f"{bob}/session?session={which}" in page.text
    await opened(provider, browser, f"{bob}/session?session={which}")
    assert browser.page is not None
    assert re.search(rf'<option value="{which}" selected', browser.page.text)
    await browser.submit("/session", session=str(which))
    left = (await show_person(provider.idp, "bob")).sessions
    assert [one.session_id for one in left] == [shown.sessions[0].session_id]
    device = (await show_person(provider.idp, "bob")).devices[0].key.hex()
    await opened(provider, browser, f"{bob}/device?device={device}")
    await browser.submit("/device", device=device)
    assert device not in {one.key.hex() for one in (await show_person(provider.idp, "bob")).devices}


async def test_a_browser_that_there_is_not_is_told_so(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    for change, field in (("session", "session"), ("device", "device")):
        for value in ("", "x", "00000000-0000-0000-0000-000000000000", "\u0663", "zz" * 400):
            await opened(provider, browser, f"{bob}/{change}")
            typed: dict[str, Any] = {field: value}
            page = await browser.submit(f"/{change}", **typed)
            assert (page.status_code, page.url.path) == (200, bob)
            assert "It is not there any more" in page.text


async def test_a_recovery_is_confirmed_by_another_and_waits_for_who_asked(provider: Provider, browser: Browser) -> None:
    policy = provider.idp.policy
    provider.idp.policy = replace(policy, recovery=replace(policy.recovery, second_operator=True))
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/recover")
    page = await browser.submit("/recover", reason="Lost the phone; seen in person.")
    told = text_of(page)
    assert "Nothing was changed so far" in told
    assert "A recovery waits" in told
    assert "Another operator has to confirm it." in told
    assert f'href="{bob}/confirm"' not in page.text
    await opened(provider, browser, f"{bob}/confirm")
    page = await browser.submit("/confirm")
    assert page.status_code == 422
    assert "so somebody else has to confirm it" in page.text
    assert len((await find_user(provider.idp, "bob")).authenticators) == 1
    front = text_of(await browser.get("/admin"))
    assert "person:ada asked to recover bob, which waits for a second operator until" in front
    await add_operator(provider, "eve", "desk")
    other = provider.browser()
    await other.get(bob)
    await other.submit("/password", username="eve", password=PASSWORD)
    page = await other.submit("/totp", code=provider.totp("eve"))
    assert f'href="{bob}/confirm"' in page.text
    assert "Lost the phone; seen in person." in page.text
    provider.clock.move(timedelta(seconds=31))
    form = await opened(provider, other, f"{bob}/confirm", "eve")
    assert "person:ada asked for it." in text_of(form)
    page = await other.submit("/confirm")
    [link] = re.findall(KEY, page.text)
    assert "/link/invite/" in link
    assert (await find_user(provider.idp, "bob")).authenticators == ()
    assert "waits for a second operator" not in (await browser.get("/admin")).text
    other.page = form
    again = await other.submit("/confirm")
    assert (again.status_code, again.url.path) == (200, bob)
    assert re.findall(KEY, again.text) == [link], "who pressed twice sees it all the same"
    assert len(await _trail(provider, "account.recovered")) == 1
    await opened(provider, other, f"{bob}/confirm", "eve")
    again = await other.submit("/confirm")
    assert (again.status_code, again.url.path) == (200, bob)
    assert "It is not there any more, so nothing was changed." in again.text
    assert "Nobody asked" in again.text


GIVEN = ("app", "phone", "codes", "password")


@pytest.mark.parametrize("role", ["desk", "audit"])
async def test_who_may_not_give_is_not_offered_to_and_does_not(provider: Provider, role: str) -> None:
    browser = await signed_in(provider, role)
    bob = await page_of(provider, "bob")
    page = await browser.get(bob)
    assert [change for change in GIVEN if f'href="{bob}/{change}"' in page.text] == []
    assert (f'href="{bob}/sign-out"' in page.text) is (role == "desk")
    for change in GIVEN:
        page = await opened(provider, browser, f"{bob}/{change}")
        assert page.status_code == 403, change
    assert len((await find_user(provider.idp, "bob")).authenticators) == 1


async def test_helpdesk_adds_somebody_into_no_group_with_an_address_to_prove(provider: Provider) -> None:
    browser = await signed_in(provider, "desk")
    page = await opened(provider, browser, "/admin/people/add")
    assert 'name="group-' not in page.text
    assert 'name="email_verified"' not in page.text
    page = await browser.submit("/add", username="carol", email="carol@example.com")
    assert re.findall(KEY, page.text)
    assert not (await find_user(provider.idp, "carol")).account.email_verified
    forgeries: list[dict[str, Any]] = [{"group-admins": "on"}, {"email_verified": "on", "email": "d@example.com"}]
    for forged in forgeries:
        await opened(provider, browser, "/admin/people/add")
        assert (await browser.submit("/add", username="dora", **forged)).status_code == 403
    with pytest.raises(NotThere):
        await find_user(provider.idp, "dora")


@pytest.mark.parametrize("change", ["app", "codes", "password"])
async def test_what_is_shown_once_stands_nowhere_else(
    provider: Provider, browser: Browser, change: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/{change}")
    page = await browser.submit(f"/{change}")
    address = str(page.url)
    assert "note=" in address
    secret = re.findall(rf"{KEY}|<li><code>([0-9A-Z-]{{19}})</code>", page.text)[0]
    found = next(part for part in secret if part)
    assert found not in address
    assert found.replace(" ", "") not in address
    assert page.headers["cache-control"] == "no-store"
    said = capsys.readouterr()
    told = said.out + said.err + " ".join(await _trail(provider, ""))
    assert found not in told
    assert found.replace(" ", "") not in told
    assert all(
        "person:ada" in row
        for row in await _trail(provider, "password.changed" if change == "password" else "authenticator.added")
    )
    elsewhere = provider.browser()
    assert found not in (await elsewhere.get(address)).text


async def test_what_was_made_for_one_form_is_no_use_in_another(provider: Provider, browser: Browser) -> None:
    bob, alice = await page_of(provider, "bob"), await page_of(provider, "alice")
    await opened(provider, browser, f"{bob}/app")
    made = next(each.value for each in browser.form("/app").fields if each.name == "made")
    for forged in (made, "", "x", "\u00e9" * 40, made[:-4], "A" * 5000):
        await opened(provider, browser, f"{alice}/app")
        page = await browser.submit("/app", made=forged)
        assert page.status_code == 422
        assert "This page was open for too long, so nothing was changed." in page.text
    assert await _trail(provider, "authenticator.added") == []


async def test_a_form_of_another_browser_is_not_taken(provider: Provider, browser: Browser) -> None:
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/app")
    form = browser.form("/app")
    stranger = provider.browser()
    await stranger.get("/account")
    page = await stranger.post(form.action, {each.name: each.value for each in form.fields if each.name})
    assert page.status_code == 403
    assert await _trail(provider, "authenticator.added") == []


async def test_a_form_that_came_too_late_for_its_proof_gives_nothing_before_it_is_pressed_again(
    provider: Provider, browser: Browser
) -> None:
    bob = await page_of(provider, "bob")
    await opened(provider, browser, f"{bob}/phone")
    provider.clock.move(timedelta(minutes=6))
    page = await browser.submit("/phone", phone=NEW_PHONE)
    assert "/i/" in page.url.path
    page = await browser.submit("/totp", code=provider.totp("ada"))
    assert "nothing was done yet" in page.text
    assert f'value="{NEW_PHONE}"' in page.text
    assert await _of(provider, "bob", Factor.SMS) == 1
    await browser.submit("/phone")
    assert await _of(provider, "bob", Factor.SMS) == 2


@pytest.mark.parametrize(
    ("change", "most"),
    [("app", 1), ("phone", 1), ("codes", 1), ("password", 1), ("session", 3), ("device", 3), ("authenticator", 1)],
)
async def test_a_form_costs_no_more_than_this_beside_its_room(
    provider: Provider, browser: Browser, change: str, most: int
) -> None:
    path = f"{await page_of(provider, 'bob')}/{change}"
    await opened(provider, browser, path)
    provider.count()
    assert (await browser.get(path)).status_code == 200
    assert len(provider.statements) <= most + 1, provider.statements
