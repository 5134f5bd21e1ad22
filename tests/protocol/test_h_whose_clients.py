"""What an operator registers a client for: groups of people, and claims in the ID token."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.world.provider import PASSWORD, Provider, claims, parameters
from tests.world.stage import error_of, refresh, tokens, userinfo

PAYROLL_URI = "http://localhost:8007/callback"
ASKED = {"client_id": "payroll", "redirect_uri": PAYROLL_URI, "scope": "openid profile email groups offline_access"}
SCOPES = frozenset(ASKED["scope"].split())


@pytest.fixture
async def payroll(provider: Provider) -> Provider:
    """An application for finance and the board, that reads its ID token alone."""
    if "payroll" not in provider.idp.clients:
        await provider.add_client(
            "payroll",
            PAYROLL_URI,
            scopes=SCOPES,
            groups=frozenset({"finance", "board"}),
            id_token_claims=frozenset({"email", "name", "groups"}),
        )
    return provider


@pytest.fixture
async def member(payroll: Provider, database_url: str) -> AsyncIterator[None]:
    await groups(database_url, "sales", "finance")
    yield
    await groups(database_url)


async def groups(database_url: str, *names: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE account SET groups = $1 WHERE username = 'alice'", list(names))
    finally:
        await connection.close()


async def alice(database_url: str) -> str:
    connection = await asyncpg.connect(database_url)
    try:
        return str(await connection.fetchval("SELECT id FROM account WHERE username = 'alice'"))
    finally:
        await connection.close()


async def redeem(provider: Provider, code: str) -> dict[str, Any]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": PAYROLL_URI}
    body: dict[str, Any] = (await provider.token("payroll", **form, code_verifier=provider.pkce.verifier)).json()
    return body


@pytest.mark.usefixtures("member")
async def test_a_member_gets_in_and_the_id_token_says_what_was_registered(payroll: Provider) -> None:
    issued = await redeem(payroll, await payroll.code(payroll.browser(), **ASKED))
    said = claims(issued["id_token"])
    assert (said["email"], said["name"], said["groups"]) == ("alice@example.com", "Alice Ader", ["finance", "sales"])
    assert not {"email_verified", "preferred_username"} & said.keys()
    assert (await userinfo(payroll, issued["access_token"])).json()["groups"] == ["finance", "sales"]
    again = claims(
        (await refresh(payroll, issued["refresh_token"], "payroll", scope="openid groups")).json()["id_token"]
    )
    assert again["groups"] == ["finance", "sales"]
    assert not {"email", "name"} & again.keys()


@pytest.mark.usefixtures("member")
async def test_a_claim_whose_scope_was_not_granted_is_not_in_the_id_token(payroll: Provider) -> None:
    issued = await redeem(payroll, await payroll.code(payroll.browser(), **{**ASKED, "scope": "openid email"}))
    assert {"email", "name", "groups"} & claims(issued["id_token"]).keys() == {"email"}


async def test_no_client_sees_more_in_the_id_token_by_itself(provider: Provider) -> None:
    issued = await tokens(provider, scope="openid profile email")
    assert not {"email", "name", "groups"} & claims(issued["id_token"]).keys()


async def test_who_is_in_no_group_is_told_so_and_nothing_is_issued(payroll: Provider) -> None:
    browser = payroll.browser()
    page = await payroll.sign_in(browser, **ASKED)
    assert page.status_code == 200
    assert "Not for this account" in page.text
    assert "alice" in page.text
    back = parameters(await browser.submit("/cancel"))
    assert (back["error"], "code" in back) == ("access_denied", False)
    assert back["error_description"] == "This person is in no group that may use this application"
    # signed in already: the same, without a code to type; and in silence the client hears it
    again = await browser.get(payroll.authorize_url(**ASKED))
    assert "Not for this account" in again.text
    silent = await browser.get(payroll.authorize_url(**ASKED, prompt="none"), follow=False)
    assert error_of(silent) == "access_denied"


async def test_pressing_on_does_not_let_anybody_in(payroll: Provider, database_url: str) -> None:
    browser = payroll.browser()
    await payroll.sign_in(browser, **ASKED)
    pressed = await browser.submit("/account", account=await alice(database_url))
    assert "Not for this account" in pressed.text


@pytest.mark.usefixtures("member")
async def test_somebody_else_may_sign_in_instead(payroll: Provider) -> None:
    browser = payroll.browser()
    await payroll.sign_in(browser, "bob", **ASKED)
    page = await browser.submit("/account", account="")
    assert page.status_code == 200
    await browser.submit("/password", username="alice", password=PASSWORD)
    assert "code" in parameters(await browser.submit("/sms", code=await payroll.texted(browser)))


@pytest.mark.usefixtures("member")
@pytest.mark.parametrize("when", ["code", "refresh"])
async def test_who_leaves_the_group_gets_nothing_more(payroll: Provider, database_url: str, when: str) -> None:
    code = await payroll.code(payroll.browser(), **ASKED)
    if when == "code":
        await groups(database_url, "sales")
        assert (await redeem(payroll, code))["error"] == "invalid_grant"
        return
    issued = await redeem(payroll, code)
    await groups(database_url, "sales")
    assert (await refresh(payroll, issued["refresh_token"], "payroll")).json()["error"] == "invalid_grant"
    await groups(database_url, "finance")
    assert (await refresh(payroll, issued["refresh_token"], "payroll")).json()["error"] == "invalid_grant"
    assert await payroll.introspect(issued["access_token"], "payroll") == {"active": False}
