"""Holes that attacks on codes without a row found, and that were mended: none of them opens again."""

from typing import Any

import asyncpg
import httpx
import pytest

from tests.world.account_pages import forged
from tests.world.parallel import at_once
from tests.world.provider import NOTES_URI, Browser, Provider, claims, parameters
from tests.world.stage import consent

CLUB_URI = NOTES_URI.replace("8002", "8014")
CLUB = {"client_id": "club", "redirect_uri": CLUB_URI}
LIVING = "SELECT count(*) FROM grant_ WHERE client_id = 'club' AND revoked_at IS NULL"


async def redeemed(provider: Provider, code: str) -> httpx.Response:
    given = {"grant_type": "authorization_code", "code": code, "redirect_uri": CLUB_URI}
    return await provider.token("club", code_verifier=provider.pkce.verifier, **given)


async def agreed(provider: Provider, browser: Browser, scope: str) -> str:
    page = await browser.get(provider.authorize_url(**CLUB, scope=scope))
    assert page.status_code == 200, page.text
    return parameters(await consent(browser))["code"]


@pytest.fixture
async def club(provider: Provider) -> Provider:
    if provider.idp.registered("club") is None:
        await provider.add_client("club", CLUB_URI, first_party=False)
    return provider


async def test_agreeing_to_less_brings_no_code_back_that_a_withdrawal_ended(club: Provider) -> None:
    """The exchange looked for a consent, whichever: with the next one the code of the one withdrawn was good again."""
    browser = club.browser()
    await club.sign_in(browser)
    before = await agreed(club, browser, "openid profile email")
    await forged(club, browser, "/account/apps/withdraw", client="club")
    after = await agreed(club, browser, "openid")
    answer = await redeemed(club, before)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert claims((await redeemed(club, after)).json()["access_token"])["scope"] == "openid"


async def test_a_withdrawal_and_an_exchange_in_one_moment_leave_nothing_alive(
    club: Provider, database_url: str
) -> None:
    raw: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    browser = club.browser()
    await club.sign_in(browser)
    await raw.execute("UPDATE grant_ SET revoked_at = now() WHERE client_id = 'club'")
    for _ in range(6):
        code = await agreed(club, browser, "openid profile")

        async def either(caller: int, code: str = code) -> None:
            if caller == 1:
                await forged(club, browser, "/account/apps/withdraw", client="club")
            else:
                await redeemed(club, code)

        await at_once(3, either)
        assert await raw.fetchval(LIVING) == 0
    await raw.close()
