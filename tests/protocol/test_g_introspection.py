"""Introspection, revocation and access tokens as JWTs (protocol.md G)."""

from datetime import timedelta

from tests.world.provider import ISSUER, Provider, claims, parameters
from tests.world.stage import EVERYTHING, STRONG, elevate, header, lasting, post, refresh, tokens, userinfo


def bank(provider: Provider) -> tuple[str, str]:
    return ("bank", provider.secrets["bank"])


async def test_nobody_asks_without_credentials(provider: Provider) -> None:  # G1 G6
    token = (await tokens(provider))["access_token"]
    for path in ("/introspect", "/revoke"):
        for form in ({"token": token}, {"token": token, "client_id": "bank"}):
            answer = await post(provider, path, form)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
    public = await post(provider, "/introspect", {"token": token, "client_id": "mobile"})
    assert public.status_code == 401


async def test_an_active_token_shows_who_when_and_how_strongly(provider: Provider) -> None:  # G2
    browser = provider.browser()
    await provider.sign_in(browser)
    issued = (await provider.redeem((await elevate(provider, browser))["code"])).json()
    seen = await provider.introspect(issued["access_token"])
    assert seen["active"] is True
    assert seen["client_id"] == "bank"
    assert seen["sub"] == claims(issued["id_token"])["sub"]
    assert set(seen["scope"].split()) == {"openid", "transfers:write"}
    assert seen["exp"] == int(provider.clock.now().timestamp()) + 300
    assert seen["acr"] == STRONG
    assert seen["auth_time"] == int(provider.clock.now().timestamp())
    assert seen["iss"] == ISSUER


async def test_anything_else_is_just_not_active(provider: Provider) -> None:  # G3
    browser = provider.browser()
    issued = await lasting(provider, browser)
    code = parameters(await browser.get(provider.authorize_url()))["code"]
    rotated = (await refresh(provider, issued["refresh_token"])).json()
    for token in ("x", "a.b.c", issued["id_token"], code, issued["refresh_token"], "ü", "x" * 4000):
        assert await provider.introspect(token) == {"active": False}, token
    assert (await provider.introspect(rotated["refresh_token"]))["active"] is True
    provider.clock.move(timedelta(minutes=11))
    assert await provider.introspect(rotated["access_token"]) == {"active": False}


async def test_a_token_is_shown_only_to_whom_it_is_for(provider: Provider) -> None:  # G4
    issued = await lasting(provider)
    for token in (issued["access_token"], issued["refresh_token"]):
        assert await provider.introspect(token, "notes") == {"active": False}


async def test_revoking_an_unknown_token_is_fine(provider: Provider) -> None:  # G6
    for token in ("nonsense", "a.b.c", "x" * 4000):
        answer = await post(provider, "/revoke", {"token": token}, auth=bank(provider))
        assert (answer.status_code, answer.text) == (200, "")
    missing = await post(provider, "/revoke", {}, auth=bank(provider))
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


async def test_revoking_ends_the_grant_and_all_that_came_of_it(provider: Provider) -> None:  # G7
    for name in ("refresh_token", "access_token"):
        issued = await lasting(provider)
        answer = await post(
            provider, "/revoke", {"token": issued[name], "token_type_hint": "bogus"}, auth=bank(provider)
        )
        assert answer.status_code == 200
        assert await provider.introspect(issued["access_token"]) == {"active": False}
        assert (await userinfo(provider, issued["access_token"])).status_code == 401
        assert (await refresh(provider, issued["refresh_token"])).json()["error"] == "invalid_grant"
        provider.clock.move(timedelta(hours=25))


async def test_nobody_revokes_anothers_token(provider: Provider) -> None:  # G8
    issued = await lasting(provider)
    for name in ("refresh_token", "access_token"):
        answer = await post(provider, "/revoke", {"token": issued[name]}, auth=("notes", provider.secrets["notes"]))
        assert answer.status_code == 200
    assert (await provider.introspect(issued["access_token"]))["active"] is True
    assert (await refresh(provider, issued["refresh_token"])).status_code == 200


async def test_an_access_token_is_typed_and_complete(provider: Provider) -> None:  # G9
    issued = await tokens(provider, scope=EVERYTHING)
    assert header(issued["access_token"])["typ"] == "at+jwt"
    assert header(issued["id_token"])["typ"] == "JWT"
    found = claims(issued["access_token"])
    for name in ("iss", "exp", "aud", "sub", "client_id", "iat", "jti", "acr", "auth_time", "amr", "scope"):
        assert name in found, name
    assert found["aud"] == ISSUER
    assert not {"name", "email", "phone_number"} & set(found)
    hint = provider.authorize_url(prompt="none", id_token_hint=issued["access_token"])
    answer = await provider.browser().http.get(hint)
    assert "error=invalid_request" in answer.headers["location"]
    assert (await userinfo(provider, issued["id_token"])).status_code == 401


async def test_no_two_tokens_have_the_same_name(provider: Provider) -> None:  # G9
    browser = provider.browser()
    await provider.sign_in(browser)
    names = set()
    for _ in range(3):
        code = parameters(await browser.get(provider.authorize_url()))["code"]
        names.add(claims((await provider.redeem(code)).json()["access_token"])["jti"])
    assert len(names) == 3
