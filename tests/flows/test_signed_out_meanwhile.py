"""A form whose session is gone (promise 11): nothing is done, the page says why, and one press begins again."""

import re

import httpx
import pytest

from tests.world.account_pages import come_in
from tests.world.asking import ask_second_factor, forget_limits
from tests.world.provider import PASSWORD, Browser, Provider

Form = tuple[str, dict[str, str]]


def form_of(browser: Browser, ending: str, **typed: str) -> Form:
    shown = browser.form(ending)
    return shown.action, {each.name: each.value for each in shown.fields} | typed


def starts_again(page: httpx.Response) -> str:
    found = re.search(r'<a class="button" href="([^"]+)">Start again</a>', page.text)
    assert found, page.text[:2000]
    return found[1]


@pytest.mark.parametrize("ending", ["/sms", "/cancel", "/account"])
async def test_one_press_begins_the_same_request(provider: Provider, ending: str) -> None:
    asked = await ask_second_factor(provider)
    browser = asked.browser
    form = form_of(browser, ending)
    browser.http.cookies.clear()
    page = await browser.post(*form)
    assert page.status_code == 403
    assert "lost our cookie" in page.text
    assert "not sent from our own page" not in page.text
    assert browser.token is None
    page = await browser.get(starts_again(page))
    assert page.status_code == 200
    assert "Acme Bank" in page.text
    await browser.submit("/password", username="alice", password=PASSWORD)
    assert browser.page is not None
    assert browser.page.status_code == 200


async def test_who_signed_out_in_another_tab_is_told_so(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    form = form_of(browser, "/totp", code=provider.totp())
    await browser.get("/logout")
    await browser.submit("/logout/confirm", decision="sign_out")
    page = await browser.post(*form)
    assert page.status_code == 403
    assert "you signed out" in page.text
    page = await browser.get(starts_again(page))
    assert (page.status_code, 'name="password"' in page.text) == (200, True)


async def test_who_signed_in_anew_meanwhile_goes_on_with_one_press(provider: Provider) -> None:
    browser = (await ask_second_factor(provider)).browser
    form = form_of(browser, "/sms", code="123456")
    browser.http.cookies.clear()
    await forget_limits(provider)
    await provider.deliver()  # of the same moment, it might come after the next one
    await provider.sign_in(browser)
    page = await browser.post(*form)
    assert page.status_code == 403
    answer = await browser.get(starts_again(page))
    assert "code=" in answer.headers["location"]


async def test_a_form_of_the_account_leads_to_signing_in(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    await browser.get("/account/authenticators/new")
    form = form_of(browser, "/account/authenticators/new")
    browser.http.cookies.clear()
    page = await browser.post(*form)
    assert page.status_code == 403
    assert "lost our cookie" in page.text
    assert 'href="/account">Go to your account' in page.text
    assert "Start again" not in page.text
    assert 'name="password"' in (await browser.get("/account")).text


async def test_a_browser_that_keeps_no_cookies_goes_one_step_for_each_press(provider: Provider) -> None:
    browser = (await ask_second_factor(provider)).browser
    form = form_of(browser, "/sms", code="123456")
    browser.http.cookies.clear()
    again = starts_again(await browser.post(*form))
    async with provider.browser().http as http:
        answer = await http.get(again)
        assert answer.status_code == 303
        http.cookies.clear()
        page = await http.get(answer.headers["location"])
    assert page.status_code == 400
    assert "keeps no cookies" in page.text


@pytest.mark.parametrize("forgery", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
async def test_a_form_from_elsewhere_is_not_told_that_it_was_ours(provider: Provider, forgery: dict[str, str]) -> None:
    browser = (await ask_second_factor(provider)).browser
    path, data = form_of(browser, "/sms", code="123456")
    for cookies in ("kept", "gone"):
        if cookies == "gone":
            browser.http.cookies.clear()
        page = await browser.http.post(path, data=data, headers=forgery)
        assert page.status_code == 403
        assert "not sent from our own page" in page.text
        assert "/again" not in page.text
