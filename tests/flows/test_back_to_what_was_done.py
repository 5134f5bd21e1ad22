"""Back to a request that was finished: nobody is asked for a code or a password for what they do not want again."""

import httpx
import pytest

from tests.world.asking import attempts, count
from tests.world.parallel import at_once
from tests.world.provider import PASSWORD, Browser, Provider, parameters

ASKS = ('name="code"', 'name="password"', "asks to")


def is_done(page: httpx.Response) -> bool:
    asked = [each for each in ASKS if each in page.text]
    return page.status_code == 400 and "This is done already" in page.text and not asked


async def transferred(provider: Provider, browser: Browser) -> str:
    """A transfer that was confirmed, and the page that it was confirmed on."""
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(scope="openid transfers:write"))
    assert browser.page is not None
    finished = browser.page.url.path
    assert "code" in parameters(await browser.submit("/totp", code=provider.totp()))
    return finished


async def test_back_to_a_transfer_that_was_sent_asks_for_nothing(provider: Provider) -> None:
    browser = provider.browser()
    finished = await transferred(provider, browser)
    before = await attempts(provider), await count(provider, "authentication_event")
    for path in (f"{finished}/totp", finished, finished):
        assert is_done(await browser.get(path))
    page = await browser.get(finished)
    assert page.url.path == finished
    assert (await attempts(provider), await count(provider, "authentication_event")) == before
    assert 'href="http://localhost:8001/"><span>Back to <bdi>Acme Bank' in page.text
    assert 'href="/account">Go to your account' in page.text
    assert f'href="{finished}/again">Start again' in page.text
    page = await browser.get(f"{finished}/again")
    assert (page.status_code, 'name="code"' in page.text) == (200, True)


async def test_a_form_of_it_sent_again_asks_for_nothing(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(prompt="consent"))
    form = browser.form("/consent")
    typed = {each.name: each.value for each in form.fields} | {"decision": "allow"}
    cookie = browser.token

    async def press(_: int) -> httpx.Response:
        one = provider.browser()
        one.http.cookies.set("stile", cookie or "")
        return await one.post(form.action, typed)

    answers = await at_once(2, press)
    there = [answer for answer in answers if answer.status_code == 303]
    assert len(there) == 1
    assert "code" in parameters(there[0])
    assert all(is_done(answer) for answer in answers if answer not in there)
    assert is_done(await browser.post(form.action, typed))


@pytest.mark.parametrize("prompt", ["login", "consent"])
async def test_so_it_is_with_what_asks_each_time(provider: Provider, prompt: str) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    await browser.get(provider.authorize_url(prompt=prompt))
    assert browser.page is not None
    if prompt == "login":
        await browser.submit("/password", username="alice", password=PASSWORD)
    finished = browser.page.url.path
    assert parameters(await browser.submit("/cancel" if prompt == "login" else "/consent", decision="deny"))["error"]
    assert is_done(await browser.get(finished))


async def test_where_nothing_is_asked_the_answer_comes_again(provider: Provider) -> None:
    browser = provider.browser()
    await provider.half_way(browser)
    assert browser.page is not None
    finished = browser.page.url.path
    await browser.submit("/sms", code=await provider.texted(browser))
    assert "code" in parameters(await browser.get(finished))
    assert "code" in parameters(await browser.get(finished))


async def test_whose_it_is_not_begins_it_for_themselves(provider: Provider) -> None:
    finished = await transferred(provider, provider.browser())
    other = provider.browser()
    await other.get(provider.authorize_url("notes"))
    page = await other.get(finished)
    assert (page.status_code, 'name="password"' in page.text) == (200, True)
    assert "alice" not in page.text


async def test_a_room_that_was_entered_is_open_still_and_then_done(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    page = await browser.get("/account/password")
    asked = page.url.path
    await browser.submit("/totp", code=provider.totp())
    assert str((await browser.get(asked)).url).endswith("/account/password")
    provider.clock.move(provider.idp.policy.challenge.ttl * 2)
    page = await browser.get(asked)
    assert is_done(page)
    assert "Back to" not in page.text
    assert 'name="code"' in (await browser.get(f"{asked}/again")).text
