"""UserInfo and bearer tokens (protocol.md F)."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.world.provider import ISSUER, Provider, claims, parameters
from tests.world.stage import lasting, post, refresh, segment, tokens, userinfo

FORM = "application/x-www-form-urlencoded"


async def test_get_and_post_say_the_same_about_the_same_person(provider: Provider) -> None:  # F1
    issued = await tokens(provider)
    got, posted = [await userinfo(provider, issued["access_token"], method) for method in ("GET", "POST")]
    assert got.status_code == posted.status_code == 200
    assert got.json() == posted.json()
    assert got.json()["sub"] == claims(issued["id_token"])["sub"]
    assert got.headers["cache-control"] == "no-store"


async def test_the_token_may_be_in_the_form_even_of_unknown_length(provider: Provider) -> None:  # F2
    token = (await tokens(provider))["access_token"]
    assert (await post(provider, "/userinfo", {"access_token": token})).status_code == 200

    async def chunks() -> AsyncIterator[bytes]:
        yield b"access_token="
        yield token.encode()

    async with provider.browser().http as http:
        chunked = await http.post("/userinfo", content=chunks(), headers={"Content-Type": FORM})
    assert chunked.status_code == 200


async def test_the_query_is_no_place_for_a_token(provider: Provider) -> None:  # F3
    token = (await tokens(provider))["access_token"]
    async with provider.browser().http as http:
        answer = await http.get("/userinfo", params={"access_token": token})
        both = await http.get("/userinfo", params={"access_token": token}, headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, both.status_code) == (400, 400)


async def test_no_token_is_answered_with_a_bare_challenge(provider: Provider) -> None:  # F4
    async with provider.browser().http as http:
        for answer in (
            await http.get("/userinfo"),
            await http.post("/userinfo"),
            await http.get("/userinfo", headers={"Authorization": "Basic YTpi"}),
        ):
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert "error" not in answer.headers["www-authenticate"]
            assert answer.text == ""


async def test_dead_and_foreign_tokens_are_invalid(provider: Provider) -> None:  # F5 JOS-01 JOS-06
    issued = await tokens(provider)
    good = issued["access_token"]
    head, body, signature = good.split(".")
    dead = [
        "nonsense",
        "a.b.c",
        issued["id_token"],
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        *(f"{segment({'alg': alg, 'typ': 'at+jwt'})}.{body}." for alg in ("none", "None", "nOnE")),
    ]
    for token in dead:
        answer = await userinfo(provider, token)
        assert answer.status_code == 401, token
        assert answer.json()["error"] == "invalid_token"
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    provider.clock.move(timedelta(minutes=10, seconds=1))
    assert (await userinfo(provider, good)).status_code == 401
    lasted = await lasting(provider)
    await post(
        provider,
        "/revoke",
        {"token": lasted["refresh_token"]},
        auth=("bank", provider.secrets["bank"]),
    )
    assert (await userinfo(provider, lasted["access_token"])).json()["error"] == "invalid_token"


async def test_a_token_without_openid_opens_nothing(provider: Provider) -> None:  # F6
    answer = await userinfo(provider, (await tokens(provider, scope="profile"))["access_token"])
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


async def test_a_token_for_another_resource_server_opens_nothing_here(provider: Provider) -> None:  # RFC 9068 4
    uri = "http://localhost:8009/callback"
    await provider.add_client("portal", uri, audience=("https://api.example",))
    browser = provider.browser()
    answer = parameters(
        await provider.sign_in(browser, client_id="portal", redirect_uri=uri, scope="openid offline_access")
    )
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": uri}
    issued = (await provider.token("portal", code_verifier=provider.pkce.verifier, **form)).json()
    assert (await userinfo(provider, issued["access_token"])).status_code == 200
    narrowed = await refresh(provider, issued["refresh_token"], "portal", scope="offline_access")
    token = narrowed.json()["access_token"]
    assert claims(token)["aud"] == "https://api.example"
    refused = await userinfo(provider, token)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]


async def test_each_scope_gives_its_claims_and_no_more(provider: Provider) -> None:  # F7 F11
    browser = provider.browser()
    await provider.sign_in(browser)
    seen = {}
    for scope in ("openid", "openid profile", "openid email", "openid phone", "openid address"):
        code = parameters(await browser.get(provider.authorize_url(scope=scope)))["code"]
        token = (await provider.redeem(code)).json()["access_token"]
        seen[scope] = (await userinfo(provider, token)).json()
    assert set(seen["openid"]) == {"sub"}
    assert set(seen["openid profile"]) == {"sub", "name", "preferred_username", "updated_at"}
    assert isinstance(seen["openid profile"]["updated_at"], int)
    assert set(seen["openid email"]) == {"sub", "email", "email_verified"}
    assert seen["openid email"]["email_verified"] is False
    assert seen["openid phone"]["phone_number"] == "+37256789045"
    assert seen["openid phone"]["phone_number_verified"] is True
    assert set(seen["openid address"]) == {"sub"}
    assert all(value is not None for found in seen.values() for value in found.values())


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
async def test_the_schemes_name_ignores_case(provider: Provider, scheme: str) -> None:  # F8
    token = (await tokens(provider))["access_token"]
    async with provider.browser().http as http:
        answer = await http.get("/userinfo", headers={"Authorization": f"{scheme} {token}"})
    assert answer.status_code == 200


async def test_two_tokens_at_once_are_refused(provider: Provider) -> None:  # F9
    token = (await tokens(provider))["access_token"]
    answer = await userinfo(provider, token, "POST", data={"access_token": token})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_a_client_may_have_the_answer_signed(provider: Provider) -> None:  # F10
    clients = provider.idp.clients
    token = (await tokens(provider))["access_token"]
    provider.idp.clients = {**clients, "bank": replace(clients["bank"], userinfo_alg="RS256")}
    try:
        answer = await userinfo(provider, token)
    finally:
        provider.idp.clients = clients
    assert answer.headers["content-type"] == "application/jwt"
    published = KeySet.import_key_set((await provider.browser().http.get("/jwks")).json())
    found = jwt.decode(answer.text, published, algorithms=["RS256"]).claims
    assert (found["iss"], found["aud"]) == (ISSUER, "bank")
    assert found["sub"]


async def test_a_disabled_person_has_nothing_to_say(provider: Provider, database_url: str) -> None:  # F5
    import asyncpg

    token = (await tokens(provider, username="bob"))["access_token"]
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE account SET disabled_at = now() WHERE username = 'bob'")
        assert (await userinfo(provider, token)).status_code == 401
        assert await provider.introspect(token) == {"active": False}
    finally:
        await connection.execute("UPDATE account SET disabled_at = NULL WHERE username = 'bob'")
        await connection.close()
