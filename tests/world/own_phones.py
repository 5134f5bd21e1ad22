"""What a person does with phones of their own, in few words. Nothing here is a test."""

from datetime import timedelta
from typing import Any

import httpx

from tests.world.account_pages import come_in, having
from tests.world.provider import Browser, Provider

NEW = "/account/phones/new"
CONFIRM = "/account/phones/confirm"
NUMBER = "+37256789047"
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


async def confirm(browser: Browser, code: str, _: int = 0) -> httpx.Response:
    return await browser.submit("/confirm", follow=False, code=code, label="")


async def in_room(provider: Provider, username: str = "bob") -> Browser:
    """Signed in to the account pages."""
    browser = provider.browser()
    await come_in(provider, browser, username)
    provider.clock.move(2 * MINUTE)  # what they have was not added a moment ago
    return browser
