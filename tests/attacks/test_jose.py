"""Forged JWTs at every place that reads one (threats.md 3, JOS). Client assertions: tests/protocol/test_d_token.py."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey, import_key

from idp.oidc.keys import ALGORITHMS, KeyRing, KeyState, generate, load
from tests.world.provider import ISSUER, Provider, claims
from tests.world.stage import error_of, segment, tokens, userinfo


def hs256(head: dict[str, Any], body: dict[str, Any], secret: bytes) -> str:
    signing = f"{segment(head)}.{segment(body)}"
    signature = hmac.new(secret, signing.encode(), hashlib.sha256).digest()
    return f"{signing}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def of_another_type(keys: KeyRing, body: dict[str, Any], typ: str) -> str:
    """What our key would have signed as a token of this type, if we issued such tokens."""
    key = keys.current("ES256")
    signing = f"{key.header(typ)}.{segment(body)}"
    return f"{signing}.{base64.urlsafe_b64encode(key.signer.sign(signing.encode())).rstrip(b'=').decode()}"


async def forgeries(provider: Provider, genuine: str) -> AsyncIterator[tuple[str, str]]:
    """Tokens that say what the genuine one says, each made without our keys."""
    head_part, body_part, signature = genuine.split(".")
    head = json.loads(base64.urlsafe_b64decode(head_part + "=="))
    body = claims(genuine)
    for alg in ("none", "None", "nOnE", "NONE", ""):
        for end in ("", signature):
            yield f"JOS-01 {alg!r}", f"{segment({**head, 'alg': alg})}.{body_part}.{end}"
    yield "JOS-01 no signature", f"{head_part}.{body_part}."
    yield "JOS-01 no dot", f"{head_part}.{body_part}"
    for jwk in provider.idp.keys.jwks()["keys"]:
        key = import_key(jwk)
        assert isinstance(key, RSAKey | ECKey)
        for secret in (json.dumps(jwk).encode(), key.as_pem(private=False), key.as_der(private=False)):
            yield "JOS-02", hs256({**head, "alg": "HS256", "kid": jwk["kid"]}, body, secret)
    extra: list[dict[str, Any]] = [
        {"crit": ["bork"], "bork": True},
        {"crit": []},
        {"b64": False},
        {"crit": ["b64"], "b64": False},
        {"jwk": provider.idp.keys.jwks()["keys"][0]},
        {"jku": "https://evil.example/jwks"},
        {"kid": "../../dev/null"},
        {"kid": None},
        {"typ": "application/x"},
        {"cty": "JWT"},
    ]
    for more in extra:
        yield f"JOS-05 {more}", f"{segment({**head, **more})}.{body_part}.{signature}"
    twice = json.dumps(head)[:-1] + f', "alg": "{head["alg"]}"}}'
    yield "JOS-05 member twice", f"{segment(twice)}.{body_part}.{signature}"
    strangers = KeyRing(load(generate(alg), state=KeyState.CURRENT) for alg in ALGORITHMS)
    yield "foreign key", strangers.sign(body, algorithm="ES256", typ=head["typ"])
    ours = provider.idp.keys
    for changes in ({"iss": "https://evil.example"}, {"iss": ISSUER + "/"}, {"iss": None}):
        yield f"JOS-06 {changes}", ours.sign({**body, **changes}, algorithm="ES256", typ=head["typ"])
    for typ in ("JWT", "at+jwt", "logout+jwt", "", "dpop+jwt"):
        if typ.lower() != head["typ"].lower():
            yield f"JOS-06 typ {typ}", of_another_type(ours, body, typ)


async def test_no_forged_access_token_opens_anything(provider: Provider) -> None:
    genuine = (await tokens(provider))["access_token"]
    tried = 0
    async for name, forged in forgeries(provider, genuine):
        answer = await userinfo(provider, forged)
        assert (answer.status_code, answer.json()["error"]) in {(401, "invalid_token"), (400, "invalid_request")}, name
        assert await provider.introspect(forged) == {"active": False}, name
        tried += 1
    assert tried > 30
    assert (await userinfo(provider, genuine)).status_code == 200


async def test_no_forged_hint_is_believed(provider: Provider) -> None:
    browser = provider.browser()
    genuine = (await tokens(provider, browser))["id_token"]
    async for name, forged in forgeries(provider, genuine):
        answer = await browser.http.get(provider.authorize_url(prompt="none", id_token_hint=forged))
        assert error_of(answer) == "invalid_request", name
        goodbye = {"id_token_hint": forged, "post_logout_redirect_uri": "http://localhost:8001/goodbye"}
        page = await browser.http.get("/logout", params=goodbye)
        # asked, as without one, and not led away
        assert page.status_code == 200, name
        assert "Sign out?" in page.text
        assert "location" not in page.headers
    assert "code=" in (await browser.http.get(provider.authorize_url(prompt="none"))).headers["location"]


async def test_one_kind_of_token_is_not_another(provider: Provider) -> None:  # JOS-06
    browser = provider.browser()
    issued = await tokens(provider, browser)
    assert (await userinfo(provider, issued["id_token"])).status_code == 401
    assert await provider.introspect(issued["id_token"]) == {"active": False}
    hint = provider.authorize_url(prompt="none", id_token_hint=issued["access_token"])
    assert error_of(await browser.http.get(hint)) == "invalid_request"
    foreign = provider.idp.keys.sign(
        {**claims(issued["access_token"]), "aud": "https://other-api.example"}, algorithm="ES256", typ="at+jwt"
    )
    assert (await userinfo(provider, foreign)).status_code == 401


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256"])
async def test_a_request_object_is_refused_whoever_signed_it(provider: Provider, alg: str) -> None:  # JOS-01
    body = {"iss": "bank", "aud": ISSUER, "redirect_uri": "https://evil.example/", "client_id": "bank"}
    token = f"{segment({'alg': alg})}.{segment(body)}."
    answer = await provider.browser().http.get(provider.authorize_url(request=token))
    assert error_of(answer) == "request_not_supported"
    assert answer.headers["location"].startswith("http://localhost:8001/callback")
