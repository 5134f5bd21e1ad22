"""Refresh tokens (protocol.md E)."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.world.provider import Provider, claims, parameters
from tests.world.stage import MOBILE_URI, consent, elevate, lasting, post, refresh, userinfo


async def test_a_refresh_token_needs_consent(provider: Provider) -> None:  # E1
    issued = await lasting(provider)
    assert issued["refresh_token"]
    assert "offline_access" in issued["scope"].split()


async def test_a_rotated_token_that_comes_back_ends_the_family(provider: Provider) -> None:  # E2 OAU-15
    first = (await lasting(provider))["refresh_token"]
    second = (await refresh(provider, first)).json()
    third = (await refresh(provider, second["refresh_token"])).json()
    stolen = await refresh(provider, first)
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_grant")
    assert (await refresh(provider, third["refresh_token"])).json()["error"] == "invalid_grant"
    assert await provider.introspect(third["access_token"]) == {"active": False}


async def test_a_lost_answer_is_forgiven_for_thirty_seconds(provider: Provider) -> None:  # E2 E8 OAU-15
    first = (await lasting(provider))["refresh_token"]
    lost = (await refresh(provider, first)).json()["refresh_token"]
    provider.clock.move(timedelta(seconds=29))
    retried = await refresh(provider, first)
    assert retried.status_code == 200
    assert retried.json()["refresh_token"] == lost
    assert [(await provider.introspect(token))["active"] for token in (first, lost)] == [False, True]


async def test_a_retry_that_comes_too_late_is_theft(provider: Provider) -> None:  # E2 OAU-15
    first = (await lasting(provider))["refresh_token"]
    second = (await refresh(provider, first)).json()["refresh_token"]
    provider.clock.move(timedelta(seconds=31))
    assert (await refresh(provider, first)).json()["error"] == "invalid_grant"
    assert (await refresh(provider, second)).json()["error"] == "invalid_grant"


async def test_a_public_clients_token_rotates_too(provider: Provider) -> None:  # E2
    browser = provider.browser()
    await provider.sign_in(
        browser, client_id="mobile", redirect_uri=MOBILE_URI, scope="openid offline_access", prompt="consent"
    )
    code = parameters(await consent(browser))["code"]
    form = {"client_id": "mobile", "grant_type": "authorization_code", "code": code, "redirect_uri": MOBILE_URI}
    first = (await post(provider, "/token", {**form, "code_verifier": provider.pkce.verifier})).json()
    again = {"client_id": "mobile", "grant_type": "refresh_token"}
    second = (await post(provider, "/token", {**again, "refresh_token": first["refresh_token"]})).json()
    assert second["refresh_token"] != first["refresh_token"]
    provider.clock.move(timedelta(seconds=31))
    stolen = await post(provider, "/token", {**again, "refresh_token": first["refresh_token"]})
    assert stolen.json()["error"] == "invalid_grant"
    dead = await post(provider, "/token", {**again, "refresh_token": second["refresh_token"]})
    assert dead.json()["error"] == "invalid_grant"


async def test_less_may_be_asked_for_and_never_more(provider: Provider) -> None:  # E3 STP-08
    issued = await lasting(provider, scope="openid profile offline_access")
    less = (await refresh(provider, issued["refresh_token"], scope="openid")).json()
    assert less["scope"] == "openid"
    for scope in ("openid email", "openid transfers:write", "transfers:write", " ", "openid unknown"):
        wider = await refresh(provider, less["refresh_token"], scope=scope)
        assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope"), scope
    whole = (await refresh(provider, less["refresh_token"])).json()
    assert set(whole["scope"].split()) == {"openid", "profile", "offline_access"}


async def test_a_refresh_token_is_its_clients_alone(provider: Provider) -> None:  # E4
    token = (await lasting(provider))["refresh_token"]
    assert (await refresh(provider, token, "notes")).json()["error"] == "invalid_grant"
    bare = await post(provider, "/token", {"grant_type": "refresh_token", "refresh_token": token, "client_id": "bank"})
    assert (bare.status_code, bare.json()["error"]) == (401, "invalid_client")
    assert (await refresh(provider, token)).status_code == 200


async def test_a_refreshed_id_token_says_the_same_of_the_person(provider: Provider) -> None:  # E5
    issued = await lasting(provider)
    before = claims(issued["id_token"])
    provider.clock.move(timedelta(hours=2))
    after = claims((await refresh(provider, issued["refresh_token"])).json()["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "acr", "amr"):
        assert after[name] == before[name]
    assert after["iat"] > before["iat"]
    assert "nonce" not in after


async def test_a_stepped_up_grant_loses_its_scope_on_refresh(provider: Provider) -> None:  # E6 STP-08
    browser = provider.browser()
    await provider.sign_in(browser)
    answer = await elevate(provider, browser, scope="openid offline_access transfers:write", prompt="consent")
    issued = (await provider.redeem(answer["code"])).json()
    assert "transfers:write" in issued["scope"].split()
    provider.clock.move(timedelta(minutes=1))
    kept = (await refresh(provider, issued["refresh_token"])).json()
    assert "transfers:write" not in kept["scope"].split()
    assert claims(kept["access_token"])["auth_time"] == claims(issued["access_token"])["auth_time"]
    asked = await refresh(provider, kept["refresh_token"], scope="openid transfers:write")
    assert (asked.status_code, asked.json().get("error")) == (400, "invalid_scope")


async def test_refresh_tokens_end_when_idle_and_in_any_case(provider: Provider) -> None:  # E6
    idle = (await lasting(provider))["refresh_token"]
    provider.clock.move(timedelta(days=30, seconds=1))
    assert (await refresh(provider, idle)).json()["error"] == "invalid_grant"
    used = (await lasting(provider))["refresh_token"]
    for _ in range(4):
        provider.clock.move(timedelta(days=22))
        used = (await refresh(provider, used)).json()["refresh_token"]
    provider.clock.move(timedelta(days=3))
    assert (await refresh(provider, used)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("parallel", [8, 40])
async def test_refreshing_many_times_at_once_answers_everybody_with_one_line(provider: Provider, parallel: int) -> None:
    # E7 OAU-15
    token = (await lasting(provider))["refresh_token"]
    answers = await asyncio.gather(*(refresh(provider, token) for _ in range(parallel)))
    assert {answer.status_code for answer in answers} == {200}
    (successor,) = {answer.json()["refresh_token"] for answer in answers}
    assert (await provider.introspect(successor))["active"]


async def test_a_client_that_does_not_rotate_keeps_its_token(provider: Provider) -> None:  # E8
    token = (await lasting(provider))["refresh_token"]
    clients = provider.idp.clients
    provider.idp.clients = {**clients, "bank": replace(clients["bank"], rotate_refresh=False)}
    try:
        for _ in range(2):
            answer = (await refresh(provider, token)).json()
            assert answer.get("refresh_token", token) == token
            assert (await userinfo(provider, answer["access_token"])).status_code == 200
            provider.clock.move(timedelta(minutes=5))
    finally:
        provider.idp.clients = clients
