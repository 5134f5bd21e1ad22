"""A code carries what was decided: nothing is stored before its exchange, which looks at all of it again."""

import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest

from idp.crypto import KeyChain, SecretKey
from idp.flows.operate.people import set_user_disabled
from idp.oidc.answer import MAX_LOCATION
from tests.world.account_pages import come_in, forged, prove_app
from tests.world.asking import count, offline_code
from tests.world.parallel import at_once
from tests.world.provider import BANK_URI, Browser, Provider, claims, parameters
from tests.world.stage import consent, refresh

Raw: TypeAlias = "asyncpg.Connection[Any]"

NEW_PASSWORD = "seven green lanterns above the quay"


@pytest.fixture
async def raw(database_url: str) -> "AsyncIterator[Raw]":
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def again(provider: Provider, browser: Browser, **changes: Any) -> str:
    return parameters(await browser.get(provider.authorize_url(**changes), follow=False))["code"]


async def refused(provider: Provider, code: str, client_id: str = "bank") -> None:
    answer = await provider.redeem(code, client_id)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), answer.text


async def test_who_is_signed_in_is_answered_by_one_read_and_nothing_is_written(provider: Provider) -> None:
    browser = provider.browser()
    assert (await provider.redeem(await provider.code(browser))).status_code == 200
    provider.count()
    code = await again(provider, browser)
    assert len(provider.statements) == 1
    assert provider.statements[0].lstrip("WITH (").startswith("SELECT")
    provider.count()
    assert (await provider.redeem(code)).status_code == 200
    assert len(provider.statements) == 1
    assert await count(provider, "grant_") == 2


async def test_what_is_not_a_code_of_ours_is_refused(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    code = await again(provider, browser)
    changed = [code[:at] + ("A" if code[at] != "A" else "B") + code[at + 1 :] for at in range(0, len(code), 7)]
    others = [code[:-1], code[1:], code + "A", code + "\n", code + "é", code.swapcase(), code * 2]
    for wrong in (*changed, *others, code.replace("-", "+").replace("_", "/") + "====", "x" * 43, "é" * 43, "A", "?"):
        if wrong != code:
            await refused(provider, wrong)
    assert (await provider.redeem(code)).status_code == 200


async def test_a_code_that_is_too_long_to_travel_is_parked_and_works_once(provider: Provider) -> None:
    browser, nonce = provider.browser(), secrets.token_urlsafe(3000)
    await provider.sign_in(browser)
    answer = await browser.get(provider.authorize_url(nonce=nonce), follow=False)
    code = parameters(answer)["code"]
    assert len(code) == 43
    assert len(answer.headers["location"]) <= MAX_LOCATION
    issued = (await provider.redeem(code)).json()
    assert claims(issued["id_token"])["nonce"] == nonce
    await refused(provider, code)
    assert (await provider.introspect(issued["access_token"]))["active"] is False


async def test_two_answers_are_two_codes_and_each_is_its_own_grant(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    first, second = [await again(provider, browser) for _ in range(2)]
    assert first != second
    one, two = [(await provider.redeem(code)).json()["access_token"] for code in (first, second)]
    await refused(provider, first)
    assert (await provider.introspect(one))["active"] is False
    assert (await provider.introspect(two))["active"] is True


async def test_another_secret_key_reads_what_is_on_its_way_as_long_as_the_old_one_is_listed(
    provider: Provider, key_chain: KeyChain
) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    kept, lost = [await again(provider, browser) for _ in range(2)]
    old = SecretKey(key_chain.current, key_chain._keys[key_chain.current])
    new = SecretKey("new", bytes(range(32)))
    provider.idp.secrets = KeyChain([new, old], oldest=old.id)
    assert (await provider.redeem(kept)).status_code == 200
    provider.idp.secrets = KeyChain([new])
    await refused(provider, lost)
    provider.idp.secrets = key_chain


async def _signs_out(provider: Provider, browser: Browser, raw: "Raw") -> None:
    await forged(provider, browser, "/account/sign-out")


async def _signs_out_elsewhere(provider: Provider, browser: Browser, raw: "Raw") -> None:
    other = provider.browser(address="192.0.2.9")
    await come_in(provider, other, "alice")
    await forged(provider, other, "/account/sessions/end-others")


async def _changes_password(provider: Provider, browser: Browser, raw: "Raw") -> None:
    await prove_app(provider, browser, "/account/password")
    done = await forged(provider, browser, "/account/password", password=NEW_PASSWORD, repeat=NEW_PASSWORD)
    assert done.status_code == 303


async def _is_disabled(provider: Provider, browser: Browser, raw: "Raw") -> None:
    await set_user_disabled(provider.idp, "alice", disabled=True)


async def _is_disabled_by_hand(provider: Provider, browser: Browser, raw: "Raw") -> None:
    await raw.execute("UPDATE account SET disabled_at = now()")


async def _client_is_disabled_by_hand(provider: Provider, browser: Browser, raw: "Raw") -> None:
    await raw.execute("UPDATE client SET disabled_at = now() WHERE id = 'bank'")


@pytest.mark.parametrize(
    "change",
    [
        _signs_out,
        _signs_out_elsewhere,
        _changes_password,
        _is_disabled,
        _is_disabled_by_hand,
        _client_is_disabled_by_hand,
    ],
    ids=lambda each: each.__name__,
)
async def test_what_ended_since_it_was_made_ends_the_code(
    provider: Provider, raw: Raw, change: "Callable[[Provider, Browser, Raw], Awaitable[None]]"
) -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    code = await again(provider, browser, scope="openid offline_access")
    await change(provider, browser, raw)
    await refused(provider, code)
    assert await raw.fetchval("SELECT count(*) FROM grant_ WHERE client_id = 'bank' AND revoked_at IS NULL") == 0
    await raw.execute("UPDATE client SET disabled_at = NULL")


async def test_a_consent_that_was_withdrawn_since_ends_the_code(provider: Provider, raw: "Raw") -> None:
    await provider.add_client("forum", BANK_URI.replace("8001", "8013"), first_party=False)
    browser = provider.browser()
    asked = {"client_id": "forum", "redirect_uri": BANK_URI.replace("8001", "8013")}
    await provider.sign_in(browser, **asked)
    assert "code" in parameters(await consent(browser))
    code = await again(provider, browser, **asked)
    await forged(provider, browser, "/account/apps/withdraw", client="forum")
    answer = await provider.token(
        "forum",
        grant_type="authorization_code",
        code=code,
        redirect_uri=asked["redirect_uri"],
        code_verifier=provider.pkce.verifier,
    )
    assert answer.json()["error"] == "invalid_grant"
    assert await raw.fetchval("SELECT count(*) FROM grant_ WHERE client_id = 'forum' AND revoked_at IS NULL") == 0


async def test_a_sign_out_and_an_exchange_in_one_moment_leave_nothing_alive(provider: Provider, raw: "Raw") -> None:
    for _ in range(6):
        browser = provider.browser()
        await provider.sign_in(browser)
        code = await again(provider, browser)

        async def either(caller: int, browser: Browser = browser, code: str = code) -> None:
            await (forged(provider, browser, "/account/sign-out") if caller == 1 else provider.redeem(code))

        await at_once(3, either)
        assert await raw.fetchval("SELECT count(*) FROM grant_ WHERE revoked_at IS NULL") == 0
        provider.clock.move(timedelta(hours=1))


async def test_a_new_password_and_an_exchange_in_one_moment_leave_nothing_alive(provider: Provider, raw: "Raw") -> None:
    browser = provider.browser()
    await come_in(provider, browser, "alice")
    await prove_app(provider, browser, "/account/password")
    for number in range(4):
        code = await again(provider, browser, scope="openid offline_access")

        async def either(caller: int, code: str = code, number: int = number) -> None:
            new = f"{NEW_PASSWORD} {number}"
            if caller == 1:
                await forged(provider, browser, "/account/password", password=new, repeat=new)
            else:
                await provider.redeem(code)

        await at_once(3, either)
        assert await raw.fetchval("SELECT count(*) FROM grant_ WHERE revoked_at IS NULL") == 0


async def test_a_second_use_however_late_and_with_whatever_verifier_ends_the_first(provider: Provider) -> None:
    code = await offline_code(provider)
    issued = (await provider.redeem(code)).json()
    provider.clock.move(timedelta(hours=20))
    wrong = {"grant_type": "authorization_code", "code": code, "redirect_uri": BANK_URI, "code_verifier": "w" * 43}
    assert (await provider.token(**wrong)).json()["error"] == "invalid_grant"
    assert (await refresh(provider, issued["refresh_token"])).json()["error"] == "invalid_grant"


async def test_another_client_that_got_hold_of_a_used_code_ends_nothing(provider: Provider) -> None:
    code = await offline_code(provider)
    issued = (await provider.redeem(code)).json()
    await refused(provider, code, "notes")
    assert (await refresh(provider, issued["refresh_token"])).status_code == 200


async def test_a_claim_asked_for_alone_travels_with_the_code(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser, scope="openid profile")
    code = await again(provider, browser, scope="openid", claims='{"id_token": {"name": null}, "userinfo": {}}')
    issued = (await provider.redeem(code)).json()
    assert claims(issued["id_token"])["name"] == "Alice Ader"


async def test_nobody_can_read_a_code_that_sees_it(provider: Provider) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    code = await again(provider, browser, nonce="who-reads-this")
    raw = base64.urlsafe_b64decode(code + "==")
    for told in (b"who-reads-this", b"bank", BANK_URI.encode()):
        assert told not in raw
