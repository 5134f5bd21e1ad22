"""What a person does on the account pages, in few words. Nothing here is a test."""

import base64
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import pyotp
from sqlalchemy import bindparam, select

from idp.flows.idp import ACCOUNT_PATH, Visitor
from idp.model import Notice
from idp.sms.notices import Ways, notice_text
from idp.store.schema.people import account, authenticator
from idp.web.door import csrf
from tests.world.composed import Statement
from tests.world.provider import PASSWORD, Browser, Provider, parameters

_AUTHENTICATORS = Statement(
    select(authenticator)
    .select_from(authenticator.join(account))
    .where(account.c.username == bindparam("username"))
    .order_by(authenticator.c.created_at, authenticator.c.id)
)


async def come_in(
    provider: Provider, browser: Browser, username: str = "bob", *, path: str = "/account"
) -> httpx.Response:
    """Sign in to the account pages with password and text message."""
    page = await browser.get(path)
    assert page.status_code == 200, page.text[:2000]
    await browser.submit("/password", username=username, password=PASSWORD)
    return await browser.submit("/sms", code=await provider.texted(browser))


async def prove_app(provider: Provider, browser: Browser, path: str, username: str = "alice") -> httpx.Response:
    """Go to a room and confirm with the app."""
    page = await browser.get(path)
    assert "/i/" in str(page.url), page.url
    return await browser.submit("/totp", code=provider.totp(username))


def key_on(page: httpx.Response) -> str | None:
    """The base32 key on the page, if there is one."""
    found = re.search(r'class="secret"><code>((<span>[A-Z2-7]+</span>)+)</code>', page.text)
    return re.sub("<[^>]+>", "", found[1]) if found else None


def code_for(provider: Provider, key: str) -> str:
    return pyotp.TOTP(key).at(provider.clock.now())


def codes_on(page: httpx.Response) -> list[str]:
    """The recovery codes on the page."""
    return re.findall(r"<li><code>([0-9A-Z-]{19})</code></li>", page.text)


async def enrol(provider: Provider, browser: Browser, *, label: str = "Phone") -> httpx.Response:
    """Add an app, for somebody who may; its seed is then `provider.seeds[...]`'s business."""
    page = await browser.get("/account/authenticators/new")
    page = await browser.submit("/account/authenticators/new")
    key = key_on(page)
    assert key is not None, page.text[:2000]
    provider.seeds["enrolled"] = base64.b32decode(key)
    return await browser.submit("/confirm", code=code_for(provider, key), label=label)


async def having(provider: Provider, username: str) -> list[dict[str, Any]]:
    """The authenticators of a person, pending and closed ones too."""
    rows = await provider.rows(_AUTHENTICATORS, username=username)
    return [dict(zip(authenticator.c.keys(), row, strict=True)) for row in rows]


async def apps(provider: Provider, username: str) -> list[dict[str, Any]]:
    """The open, confirmed apps of a person."""
    found = await having(provider, username)
    return [each for each in found if each["factor"] == "totp" and each["confirmed_at"] and not each["closed_at"]]


async def notices(provider: Provider, notice: Notice) -> list[str]:
    """The numbers that this notice was sent to."""
    await provider.deliver()
    place = Ways(provider.idp.issuer + ACCOUNT_PATH).place
    text = notice_text(notice, brand=provider.idp.settings.brand, place=place)
    return [message.to for message in provider.gateway.sent if message.text == text]


def session_id(browser: Browser) -> UUID:
    found = Visitor(address="", token=browser.token).session_id
    assert found is not None
    return found


async def forged(
    provider: Provider, browser: Browser, path: str, data: Mapping[str, str] | None = None, **more: str
) -> httpx.Response:
    """Post to a path with a token that is right for it, as if the page had been there."""
    token = csrf(provider.idp, session_id(browser), path)
    return await browser.post(path, {"csrf": token, **(data or {}), **more}, follow=False)


async def refresh_token(provider: Provider, browser: Browser, username: str = "alice") -> str:
    """Sign in to the bank and let it stay connected."""
    await provider.sign_in(browser, username, scope="openid offline_access", prompt="consent")
    answer = parameters(await browser.submit("/consent", decision="allow"))
    token: str = (await provider.redeem(answer["code"])).json()["refresh_token"]
    return token


async def is_signed_in(browser: Browser) -> bool:
    page = await browser.get("/account", follow=False)
    return page.status_code == 200
