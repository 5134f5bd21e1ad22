"""One's own phones: added by a code that went there, replaced, named, put first, removed; and what strangers get."""

import re
from datetime import timedelta
from typing import Any

import httpx

from idp.model import Notice
from tests.world.account_pages import (
    come_in,
    having,
    notices,
)
from tests.world.provider import BOB_PHONE, Browser, Provider

NEW = "/account/phones/new"
CONFIRM = "/account/phones/confirm"
NUMBER, OTHER = "+37256789047", "+37256789048"
DAY = timedelta(hours=24)
MINUTE = timedelta(minutes=1)


async def phones(provider: Provider, username: str = "bob") -> list[dict[str, Any]]:
    """The open, confirmed phones of a person."""
    found = await having(provider, username)
    return [each for each in found if each["factor"] == "sms" and each["confirmed_at"] and not each["closed_at"]]


async def name(provider: Provider, browser: Browser, number: str = NUMBER, *, path: str = NEW) -> httpx.Response:
    """Type the number of a new phone."""
    page = await browser.get(path)
    assert str(page.url).endswith(path), page.url
    return await browser.submit(path, number=number)


async def sent_to(provider: Provider, number: str) -> list[str]:
    """The codes that went to this number, oldest first."""
    await provider.deliver()
    return [message.code for message in provider.gateway.sent if message.to == number and message.code]


async def add(
    provider: Provider, browser: Browser, number: str = NUMBER, *, label: str = "", path: str = NEW
) -> httpx.Response:
    """Add a phone, for somebody who may."""
    await name(provider, browser, number, path=path)
    return await browser.submit("/confirm", code=(await sent_to(provider, number))[-1], label=label)


def link(page: httpx.Response, ending: str) -> str:
    """Where the first link of the page leads that ends so."""
    found = re.search(f'href="([^"]*{ending})"', page.text)
    assert found is not None, page.text[:3000]
    return found[1]


async def test_a_phone_is_added_by_the_code_that_went_there(provider: Provider) -> None:
    browser = provider.browser()
    await come_in(provider, browser)
    page = await name(provider, browser)
    assert "code to the number ending" in page.text
    page = await browser.submit("/confirm", code=(await sent_to(provider, NUMBER))[-1], label="Work phone")
    assert "The phone was added" in page.text
    assert "Work phone" in page.text
    assert [each["hint"] for each in await phones(provider)] == ["ending 46", "ending 47"]
    assert await notices(provider, Notice.PHONE_ADDED) == [BOB_PHONE], "the others are told, not the new one"
