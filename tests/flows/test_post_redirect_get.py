"""A form is answered with a redirect: what the browser shows can be reloaded, left and come back to (issue: B7)."""

from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from idp.crypto import KeyChain, SecretKey, random_bytes
from tests.world.account_pages import come_in
from tests.world.asking import ask_second_factor, attempts, count, wrong
from tests.world.provider import PASSWORD, Browser, Provider, forms

NEW = "/account/authenticators/new"


async def posted(browser: Browser, ending: str, **typed: str) -> httpx.Response:
    """The answer to the form itself, and not the page that it leads to."""
    assert browser.page is not None
    form = browser.form(ending)
    data = {each.name: each.value for each in form.fields if each.kind != "checkbox"} | typed
    return await browser.http.request("POST", form.action, data=data)


async def test_a_wrong_password_is_said_on_a_page_that_can_be_reloaded(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    answer = await posted(browser, "/password", username="Alice O’Hara", password="wrong")
    assert answer.status_code == 303
    assert "wrong" not in answer.headers["location"]
    assert "Hara" not in answer.headers["location"]
    before = await count(provider, "message")
    for _ in range(3):
        page = await browser.get(answer.headers["location"])
        assert page.status_code == 400
        assert "The username or the password is not right" in page.text
        assert 'value="Alice O’Hara"' in page.text
    plain = await browser.get(answer.headers["location"].partition("&note=")[0])
    assert plain.status_code == 200
    assert "not right" not in plain.text
    assert await count(provider, "message") == before


async def test_too_many_passwords_wait_honestly_and_no_longer(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    tries = [await posted(browser, "/password", username="alice", password="wrong") for _ in range(6)]
    answer = tries[-1]
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 429
    first = int(page.headers["retry-after"])
    provider.clock.move(timedelta(seconds=10))
    page = await browser.get(answer.headers["location"])
    assert (page.status_code, int(page.headers["retry-after"])) == (429, first - 10)
    provider.clock.move(timedelta(seconds=first - 10))
    page = await browser.get(answer.headers["location"])
    assert (page.status_code, page.headers.get("retry-after")) == (200, None)
    assert 'value="alice"' in page.text


async def test_reloading_a_wrong_code_spends_nothing_and_sends_nothing(provider: Provider) -> None:
    asked = await ask_second_factor(provider)
    right = (await provider.deliver())[-1]
    answer = await posted(asked.browser, "/sms", code=wrong(right))
    spent, sent = await attempts(provider), await count(provider, "message")
    for _ in range(4):
        page = await asked.browser.get(answer.headers["location"])
        assert page.status_code == 400
        assert "You have 2 tries left" in page.text
    assert (await attempts(provider), await count(provider, "message")) == (spent, sent)
    assert (await asked.browser.submit("/sms", code=right)).status_code == 303


@pytest.mark.parametrize("factor", ["sms", "totp", "recovery"])
async def test_what_was_wrong_belongs_to_one_question(provider: Provider, factor: str) -> None:
    asked = await ask_second_factor(provider)
    here = f"/i/{asked.interaction_id}"
    await asked.browser.get(f"{here}/{factor}")
    answer = await posted(asked.browser, f"/{factor}", code="")
    note = urlsplit(answer.headers["location"]).query
    assert (await asked.browser.get(answer.headers["location"])).status_code == 400
    for elsewhere in (here, f"{here}/{'totp' if factor == 'sms' else 'sms'}"):
        assert (await asked.browser.get(f"{elsewhere}?{note}")).status_code == 200


async def test_a_sealed_address_says_nothing_to_another_browser_or_later_or_changed(provider: Provider) -> None:
    browser = provider.browser()
    page = await browser.get(provider.authorize_url())
    answer = await posted(browser, "/password", username="alice", password="wrong")
    there = answer.headers["location"]
    other = provider.browser()
    await other.get(provider.authorize_url())
    assert "not right" not in (await other.get(there)).text
    plain = there.partition("&note=")[0]
    for changed in (there[:-2] + "AA", there + "x", f"{plain}&note=", f"{there}&note=x", f"{plain}&note=%C3%BF"):
        assert (await browser.get(changed)).status_code == 200, changed
    assert (await browser.get(there)).status_code == 400
    provider.idp.secrets = KeyChain([SecretKey("n2", random_bytes(32)), *_keys(provider)])
    assert (await browser.get(there)).status_code == 400  # the key was rotated meanwhile
    provider.clock.move(timedelta(minutes=9, seconds=59))
    assert (await browser.get(there)).status_code == 400
    provider.clock.move(timedelta(seconds=1))
    assert "not right" not in (await browser.get(there)).text
    assert page.url.path == there.split("?")[0]


def _keys(provider: Provider) -> list[SecretKey]:
    return [SecretKey(key_id, value) for key_id, value in provider.idp.secrets._keys.items()]


async def test_no_form_of_the_sign_in_answers_with_a_page(provider: Provider) -> None:
    """Whatever is sent: the browser never keeps a page that it would have to send a form again for."""
    asked = await ask_second_factor(provider)
    page = asked.browser.page
    assert page is not None
    tried = 0
    for path in ("", "/sms", "/totp", "/recovery"):
        page = await asked.browser.get(f"/i/{asked.interaction_id}{path}")
        for form in forms(page.text):
            if "/i/" in form.action and not form.action.endswith(("/cancel", "/account")):
                for code in ("", "x", "000000"):
                    data = {each.name: each.value for each in form.fields} | {"code": code}
                    answer = await asked.browser.http.request("POST", form.action, data=data)
                    assert answer.status_code == 303, form.action
                    tried += 1
    assert tried > 10


async def test_the_key_of_an_enrolment_is_the_same_after_a_reload_and_only_there(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    answer = await posted(browser, NEW)
    assert answer.status_code == 303
    shown = [await browser.get(answer.headers["location"]) for _ in range(2)]
    key = shown[0].text.partition('class="secret"')[2][:200]
    assert key
    assert shown[1].text.partition('class="secret"')[2][:200] == key
    assert (await browser.http.get("/account/authenticators/confirm")).headers["location"] == NEW
    again = await posted(browser, "/confirm", code="000000", label="Pixel")
    page = await browser.get(again.headers["location"])
    assert page.status_code == 400
    assert page.text.partition('class="secret"')[2][:200] == key
    assert 'value="Pixel"' in page.text


async def test_two_presses_make_one_key(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get(NEW)
    pages = []
    for _ in range(7):  # more than may be begun in an hour
        await browser.get(NEW)
        answer = await posted(browser, NEW)
        pages.append((await browser.get(answer.headers["location"])).text.partition('class="secret"')[2][:200])
    assert len(set(pages)) == 1
    assert pages[0]


async def test_recovery_codes_are_there_after_a_reload_and_nowhere_else(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get("/account/recovery-codes")
    answer = await posted(browser, "/account/recovery-codes")
    assert answer.status_code == 303
    first, second = [(await browser.get(answer.headers["location"])).text for _ in range(2)]
    assert first.count("<li><code>") == 10
    assert first.partition("<ol")[2].partition("</ol>")[0] == second.partition("<ol")[2].partition("</ol>")[0]
    again = await posted(browser, "/saved")
    page = await browser.get(again.headers["location"])
    assert page.status_code == 400
    assert "Tick the box" in page.text
    other = provider.browser()
    await come_in(provider, other)
    assert "<li><code>" not in (await other.get(answer.headers["location"])).text


async def test_a_password_that_is_not_good_is_said_after_a_redirect(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get("/account/password")
    await browser.submit("/totp", code=provider.totp())
    answer = await posted(browser, "/account/password", password="short", repeat="short")
    assert answer.status_code == 303
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 400
    assert "at least" in page.text
    there = answer.headers["location"]
    other = provider.browser()
    await provider.sign_in(other)
    await other.get("/account/password")
    await other.submit("/totp", code=provider.totp(after=timedelta(seconds=30)))
    assert (await other.get(there)).status_code == 200  # the same page of the same person, in another browser
    provider.clock.move(timedelta(minutes=4))
    assert (await browser.get(there)).status_code == 400


async def test_what_was_wrong_with_a_password_is_not_said_of_the_code(provider: Provider) -> None:
    browser = provider.browser()
    await browser.get(provider.authorize_url())
    answer = await posted(browser, "/password", username="alice", password="wrong")
    await browser.get(answer.headers["location"])
    await posted(browser, "/password", username="alice", password=PASSWORD)
    page = await browser.get(answer.headers["location"])
    assert page.status_code == 200
    assert "not right" not in page.text


async def test_what_is_said_is_forgotten_after_ten_minutes(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get("/account/recovery-codes")
    there = (await posted(browser, "/account/recovery-codes")).headers["location"]
    provider.clock.move(timedelta(minutes=9, seconds=59))
    assert "<li><code>" in (await browser.get(there)).text
    provider.clock.move(timedelta(seconds=1))
    assert "<li><code>" not in (await browser.get(there)).text
