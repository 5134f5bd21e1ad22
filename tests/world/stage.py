"""One provider for a whole module of tests, a day later for each test, and the steps that many of them begin with."""

import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from idp.crypto import KeyChain
from idp.model import AuthMethod
from idp.settings import Settings
from idp.web import door
from tests.world.databases import empty, execute
from tests.world.provider import ALICE_PHONE, BANK_URI, BOB_PHONE, NOTES_URI, Browser, Provider, parameters
from tests.world.running import running, settings_for

TWO_FACTOR, STRONG = "urn:stile:2fa", "urn:stile:2fa-strong"
MOBILE_URI = "http://127.0.0.1/cb"
SHOP_URI = "http://localhost:8003/callback"
EVERYTHING = "openid profile email phone address offline_access"


@asynccontextmanager
async def staged(
    database_url: str, key_chain: KeyChain, tmp_path: Path, settings: Settings | None = None
) -> AsyncIterator[Provider]:
    """The bank and notes; the shop without PKCE; a public mobile client; alice with everything, bob with a phone."""
    await empty(database_url)
    async with running(database_url, key_chain, settings or settings_for(tmp_path)) as provider:
        await provider.add_client("bank", BANK_URI)
        await provider.add_client("notes", NOTES_URI)
        await provider.add_client(
            "shop", SHOP_URI, require_pkce=False, first_party=False, auth_method=AuthMethod.POST, signing_alg="RS256"
        )
        await provider.add_client(
            "mobile", MOBILE_URI, auth_method=AuthMethod.NONE, secret_hash=None, native=True, signing_alg="RS256"
        )
        await provider.add_person(
            "alice", number=ALICE_PHONE, app=True, codes=True, name="Alice Ader", email="alice@example.com"
        )
        await provider.add_person("bob", number=BOB_PHONE, name="Bob Berg")
        yield provider


async def next_day(provider: Provider, database_url: str) -> None:
    """As if a day had passed: nobody is signed in, nothing is limited, no message waits."""
    provider.clock.move(timedelta(hours=25))
    provider.gateway.sent.clear()
    provider.gateway.answers.clear()
    await execute(database_url, "DELETE FROM rate_limit")


async def elevate(provider: Provider, browser: Browser, client_id: str = "bank", **changes: Any) -> dict[str, str]:
    """A signed-in person makes a transfer: TOTP, consent where it is asked, and what the client is told."""
    scope = changes.pop("scope", "openid transfers:write")
    page = await browser.get(provider.authorize_url(client_id, scope=scope, **changes))
    assert page.status_code == 200, page.text
    page = await browser.submit("/totp", code=provider.totp())
    if page.status_code == 200:  # a client of somebody else's, or one that asks for consent
        page = await browser.submit("/consent", decision="allow")
    return parameters(page)


async def tokens(provider: Provider, browser: Browser | None = None, **changes: Any) -> dict[str, Any]:
    """Sign alice in to the bank and redeem the code."""
    answer = await provider.redeem(await provider.code(browser or provider.browser(), **changes))
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def lasting(provider: Provider, browser: Browser | None = None, scope: str = EVERYTHING) -> dict[str, Any]:
    """Tokens with a refresh token, which consent alone brings."""
    browser = browser or provider.browser()
    await provider.sign_in(browser, scope=scope, prompt="consent")
    answer = parameters(await consent(browser))
    response = await provider.redeem(answer["code"])
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def consent(browser: Browser, *, decision: str = "allow") -> httpx.Response:
    return await browser.submit("/consent", decision=decision)


async def refresh(provider: Provider, token: str, client_id: str = "bank", **form: str) -> httpx.Response:
    return await provider.token(client_id, grant_type="refresh_token", refresh_token=token, **form)


async def userinfo(provider: Provider, token: str, method: str = "GET", **request: Any) -> httpx.Response:
    async with provider.browser().http as http:
        return await http.request(method, "/userinfo", headers={"Authorization": f"Bearer {token}"}, **request)


async def post(provider: Provider, path: str, data: Mapping[str, str], **options: Any) -> httpx.Response:
    """A bare POST without cookies, as a client's server sends it."""
    async with provider.browser().http as http:
        return await http.post(path, data=dict(data), **options)


def error_of(response: httpx.Response) -> str:
    """The error of a redirect back to the client, in the query or the fragment."""
    assert response.status_code in {302, 303}, (response.status_code, response.text[:500])
    parts = urlsplit(response.headers["location"])
    found = parse_qs(parts.query) | parse_qs(parts.fragment)
    assert "code" not in found
    assert found["iss"] == ["http://localhost:8000"]
    return found["error"][0]


def header(token: str) -> dict[str, Any]:
    """The header of a JWT, unverified."""
    part = token.partition(".")[0]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return decoded


def segment(value: Mapping[str, Any] | bytes | str) -> str:
    """One part of a JWT."""
    raw = value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def own_token(provider: Provider, browser: Browser, action: str) -> dict[str, str]:
    """The token that our own page would put into a form with this action."""
    assert browser.token is not None
    return {"csrf": door.csrf(provider.idp, UUID(hex=browser.token.partition(".")[0]), action)}
