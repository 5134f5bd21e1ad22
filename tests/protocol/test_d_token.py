"""The token endpoint and ID tokens (protocol.md D)."""

import asyncio
import base64
import itertools
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import asyncpg
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from idp.model import AuthMethod
from idp.oidc.client_auth import ASSERTION_TYPE
from tests.world.provider import BANK_URI, ISSUER, Provider, claims, parameters
from tests.world.stage import MOBILE_URI, SHOP_URI, consent, elevate, header, post, segment, tokens, userinfo

MACHINE_KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
COUNTER = itertools.count(1)
RSA_KEY = RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True)


async def signed_in(provider: Provider) -> str:
    return await provider.code(provider.browser())


def code_form(provider: Provider, code: str, **changes: str) -> dict[str, str]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BANK_URI}
    form |= {"code_verifier": provider.pkce.verifier, **changes}
    return {name: value for name, value in form.items() if value}


def bank(provider: Provider) -> tuple[str, str]:
    return ("bank", provider.secrets["bank"])


async def test_a_get_issues_nothing(provider: Provider) -> None:  # D1
    code = await signed_in(provider)
    async with provider.browser().http as http:
        answer = await http.get("/token", params=code_form(provider, code), auth=bank(provider))
    assert answer.status_code == 405
    assert answer.json()["error"] == "invalid_request"
    assert "POST" in answer.headers["allow"]
    assert (await provider.redeem(code)).status_code == 200


async def test_the_answer_is_json_that_nobody_keeps(provider: Provider) -> None:  # D2
    answer = await provider.redeem(await signed_in(provider))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 600
    assert body["scope"] == "openid"


@pytest.mark.parametrize("later", [timedelta(0), timedelta(seconds=1), timedelta(seconds=31), timedelta(hours=1)])
async def test_a_code_used_again_ends_what_it_brought(provider: Provider, later: timedelta) -> None:  # D3 OAU-02
    browser = provider.browser()
    await provider.sign_in(browser, scope="openid offline_access", prompt="consent")
    code = parameters(await consent(browser))["code"]
    first = (await provider.redeem(code)).json()
    provider.clock.move(later)
    again = await provider.redeem(code)
    assert again.status_code == 400
    assert again.json()["error"] == "invalid_grant"
    assert again.headers["cache-control"] == "no-store"
    assert await provider.introspect(first["access_token"]) == {"active": False}
    assert (await userinfo(provider, first["access_token"])).status_code == 401
    refreshed = await provider.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"


async def test_of_twelve_at_once_at_most_one_gets_tokens(provider: Provider) -> None:  # D4
    code = await signed_in(provider)
    answers = await asyncio.gather(*(provider.redeem(code) for _ in range(12)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses in ([200, *[400] * 11], [400] * 12)


async def test_a_code_belongs_to_its_client_and_redirect_uri(provider: Provider) -> None:  # D5 D6
    code = await signed_in(provider)
    tries = [
        await provider.redeem(code, "notes"),
        await post(provider, "/token", code_form(provider, code, redirect_uri=f"{BANK_URI}/"), auth=bank(provider)),
        await post(provider, "/token", code_form(provider, code, redirect_uri=""), auth=bank(provider)),
    ]
    for answer in tries:
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_grant"


async def test_a_code_lives_for_a_minute(provider: Provider) -> None:  # D7
    code = await signed_in(provider)
    provider.clock.move(timedelta(seconds=59))
    assert (await provider.redeem(code)).status_code == 200
    provider.clock.move(timedelta(hours=25))
    code = await signed_in(provider)
    provider.clock.move(timedelta(seconds=61))
    assert (await provider.redeem(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", ["", "x" * 43, "short", "ü" * 43, "a" * 129])
async def test_a_wrong_or_missing_verifier_is_refused(provider: Provider, verifier: str) -> None:  # D8 OAU-04
    code = await signed_in(provider)
    answer = await post(provider, "/token", code_form(provider, code, code_verifier=verifier), auth=bank(provider))
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_grant"


async def test_wrong_credentials_are_answered_with_a_challenge(provider: Provider) -> None:  # D9
    for auth in (("bank", "wrong"), ("nobody", "x"), ("", ""), ("bank", "")):
        answer = await post(provider, "/token", {"grant_type": "authorization_code"}, auth=auth)
        assert answer.status_code == 401
        assert answer.json()["error"] == "invalid_client"
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.headers["cache-control"] == "no-store"


async def test_basic_credentials_are_form_urlencoded_first(provider: Provider) -> None:  # D9
    await provider.add_client("id:with+all %", "http://localhost:8005/cb", grant_types=frozenset({"refresh_token"}))
    secret = provider.secrets["id:with+all %"]
    encoded = base64.b64encode(f"{quote_plus('id:with+all %')}:{quote_plus(secret)}".encode()).decode()
    answer = await post(
        provider,
        "/token",
        {"grant_type": "refresh_token", "refresh_token": "x"},
        headers={"Authorization": f"Basic {encoded}"},
    )
    assert answer.json()["error"] == "invalid_grant"
    for broken in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff\xfe:x").decode(), "Bearer x", "Digest y"):
        refused = await post(provider, "/token", {"grant_type": "x"}, headers={"Authorization": broken})
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_two_ways_to_authenticate_at_once_are_refused(provider: Provider) -> None:  # D10
    form = {"grant_type": "authorization_code", "code": "x", "client_secret": provider.secrets["bank"]}
    both = await post(provider, "/token", {**form, "client_id": "bank"}, auth=bank(provider))
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")


async def test_a_client_authenticates_as_it_is_registered(provider: Provider) -> None:  # D11 D13
    form = {"grant_type": "authorization_code", "code": "x"}
    tries = [
        await post(
            provider, "/token", {**form, "client_id": "bank", "client_secret": provider.secrets["bank"]}
        ),  # D11: post instead of basic
        await post(provider, "/token", form, auth=("shop", provider.secrets["shop"])),  # basic instead of post
        await post(provider, "/token", {**form, "client_id": "mobile", "client_secret": "x"}),  # D13
        await post(provider, "/token", form, auth=("mobile", "")),
        await post(provider, "/token", {**form, "client_id": "bank"}),
        await post(provider, "/token", form),
        await post(provider, "/token", {**form, "client_id": "stile"}),
    ]
    for answer in tries:
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def machine(provider: Provider, **changes: Any) -> None:
    if changes.get("id", "machine") in provider.idp.clients:
        return
    provider.for_machines("reports")
    await provider.add_client(
        changes.pop("id", "machine"),
        "http://localhost:8006/cb",
        auth_method=AuthMethod.PRIVATE_KEY_JWT,
        secret_hash=None,
        grant_types=frozenset({"client_credentials"}),
        scopes=frozenset({"reports"}),
        jwks={"keys": [MACHINE_KEY.as_dict(private=False), RSA_KEY.as_dict(private=False)]},
        **changes,
    )


async def asserting(provider: Provider, token: str) -> tuple[int, str | None]:
    form = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE, "client_assertion": token}
    # a new address each time, for whoever fails too often has to wait
    async with provider.browser(address=f"2001:db8:{next(COUNTER):x}::1").http as http:
        answer = await http.post("/token", data=form)
    return answer.status_code, answer.json().get("error")


def assertion(provider: Provider, key: Any = MACHINE_KEY, alg: str = "ES256", **changes: Any) -> str:
    now = int(provider.clock.now().timestamp())
    given = {"iss": "machine", "sub": "machine", "aud": ISSUER, "iat": now, "exp": now + 60, "jti": segment(str(now))}
    given |= {"jti": f"{now}-{sorted(changes.items())}", **changes}
    given = {name: value for name, value in given.items() if value is not None}
    return jwt.encode({"alg": alg, "kid": key.kid}, given, key, algorithms=[alg])


async def test_good_assertions_are_accepted_once(provider: Provider) -> None:  # D12
    await machine(provider)
    now = int(provider.clock.now().timestamp())
    good = assertion(provider)
    assert await asserting(provider, good) == (200, None)
    assert await asserting(provider, good) == (401, "invalid_client")
    for changes in (
        {"aud": f"{ISSUER}/token"},
        {"aud": [ISSUER, "https://other.example"]},
        {"nbf": now + 8, "iat": now + 8},
    ):
        assert await asserting(provider, assertion(provider, **changes)) == (200, None)
    assert await asserting(provider, assertion(provider, RSA_KEY, "RS256", aud=ISSUER)) == (200, None)


async def test_bad_assertions_are_refused(provider: Provider) -> None:  # D12 JOS-01 JOS-02 JOS-05
    await machine(provider)
    now = int(provider.clock.now().timestamp())
    stranger = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
    head, body, signature = assertion(provider).split(".")
    bad = [
        assertion(provider, exp=now - 1),
        assertion(provider, exp=None),
        assertion(provider, exp=now + 100_000),
        assertion(provider, nbf=now + 70),
        assertion(provider, iss="bank"),
        assertion(provider, sub="bank"),
        assertion(provider, aud="https://other.example"),
        assertion(provider, aud=None),
        assertion(provider, jti=""),
        assertion(provider, stranger),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        *(f"{segment({'alg': alg})}.{body}." for alg in ("none", "None", "nOnE", "NONE")),
        f"{segment({'alg': 'ES256', 'kid': MACHINE_KEY.kid, 'crit': ['bork'], 'bork': 1})}.{body}.{signature}",
        f"{segment({'alg': 'ES256', 'kid': MACHINE_KEY.kid, 'b64': False})}.{body}.{signature}",
        "x",
        "..",
        "",
    ]
    for token in bad:
        assert await asserting(provider, token) == (401, "invalid_client"), token


async def test_a_fapi_client_names_only_the_issuer_and_not_rs256(provider: Provider) -> None:  # D12
    await machine(provider, id="fapi", assertion_audience="issuer")
    same = {"iss": "fapi", "sub": "fapi"}
    assert await asserting(provider, assertion(provider, **same, aud=ISSUER)) == (200, None)
    assert (await asserting(provider, assertion(provider, **same, aud=[ISSUER])))[0] == 401
    assert (await asserting(provider, assertion(provider, **same, aud=f"{ISSUER}/token")))[0] == 401
    assert (await asserting(provider, assertion(provider, RSA_KEY, "RS256", **same, jti="r")))[0] == 401


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password", "username": "alice", "password": "x"}, "unsupported_grant_type"),
        ({"grant_type": "urn:x"}, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "nonsense", "redirect_uri": BANK_URI}, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "\x00"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "ü"}, "invalid_grant"),
        ({"grant_type": "refresh_token", "refresh_token": "x" * 9000}, "invalid_request"),
    ],
)
async def test_wrong_grants_have_their_own_errors(
    provider: Provider, form: dict[str, str], error: str
) -> None:  # D14 OAU-08
    answer = await post(provider, "/token", form, auth=bank(provider))
    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize("name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "foo"])
async def test_a_repeated_parameter_is_refused(provider: Provider, name: str) -> None:  # D15 OAU-07
    form = [("grant_type", "authorization_code"), ("code", "x"), (name, "a"), (name, "a")]
    body = "&".join(f"{key}={value}" for key, value in form)
    async with provider.browser().http as http:
        answer = await http.post(
            "/token",
            content=body,
            auth=bank(provider),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"grant_type":"authorization_code"}'),
        (FORM, b"grant_type=%ff%fe"),
        (FORM, "grant_type=ü".encode("latin-1")),
        (FORM, "grant_type=authorization_code".encode("utf-16")),
        (FORM, b"a=" + b"x" * 1024 * 1024),
        (FORM, b"&".join(b"a%d=1" % n for n in range(200))),
        ("multipart/form-data; boundary=x", b"--x--"),
        ("text/plain", b"grant_type=authorization_code"),
        ("", b"grant_type=authorization_code"),
    ],
)
async def test_what_is_no_form_is_refused_in_json(provider: Provider, kind: str, body: bytes) -> None:  # D16 D17
    async with provider.browser().http as http:
        answer = await http.post("/token", content=body, headers={"Content-Type": kind}, auth=bank(provider))
    assert 400 <= answer.status_code < 500
    found = answer.json()
    assert found["error"] in {"invalid_request", "unsupported_grant_type"}
    assert not set(found["error_description"]) & set('"\\\r\n\t')
    assert found["error_description"].isascii()


async def test_descriptions_hold_only_characters_they_may(provider: Provider) -> None:  # D17
    nasty = 'a"\\\r\n\tü\x01'
    for form in ({"grant_type": nasty}, {"grant_type": "refresh_token", "refresh_token": nasty}, {nasty: nasty}):
        answer = await post(provider, "/token", form, auth=bank(provider))
        description = answer.json()["error_description"]
        assert all(" " <= letter <= "~" and letter not in '"\\' for letter in description)


async def test_an_id_token_says_what_it_must(provider: Provider) -> None:  # D18 D19
    issued = await tokens(provider, scope="openid profile email phone")
    found = claims(issued["id_token"])
    now = int(provider.clock.now().timestamp())
    assert found["iss"] == ISSUER
    assert found["aud"] == "bank"
    assert found["sub"].isascii()
    assert len(found["sub"]) <= 255
    assert found["iat"] == now < found["exp"]
    assert found["auth_time"] <= now
    assert "at_hash" in found
    assert found.get("azp", "bank") == "bank"
    assert not {"name", "email", "phone_number", "preferred_username"} & set(found)  # D19
    assert header(issued["id_token"])["alg"] == "ES256"


async def test_rs256_is_what_a_client_gets_that_asked_for_nothing(provider: Provider) -> None:  # D18
    browser = provider.browser()
    code = parameters(await provider.sign_in(browser, client_id="mobile", redirect_uri=MOBILE_URI))["code"]
    form = code_form(provider, code, redirect_uri=MOBILE_URI, client_id="mobile")
    issued = (await post(provider, "/token", form)).json()
    assert header(issued["id_token"])["alg"] == "RS256"
    assert header(issued["id_token"])["kid"]


async def test_the_claims_parameter_puts_claims_into_the_id_token(provider: Provider) -> None:  # D19
    asked = json.dumps({"id_token": {"name": None, "phone_number": {"essential": True}}})
    found = claims((await tokens(provider, claims=asked))["id_token"])
    assert found["name"] == "Alice Ader"
    assert found["phone_number"] == "+37256789045"
    assert "email" not in found


async def test_our_own_client_stays_connected_without_a_prompt(provider: Provider) -> None:  # E1
    issued = await tokens(provider, scope="openid offline_access")
    assert issued["refresh_token"]
    assert issued["scope"] == "openid offline_access"


async def test_anothers_client_stays_connected_after_one_yes(provider: Provider) -> None:  # E1
    asked = {"scope": "openid offline_access", "client_id": "shop", "redirect_uri": SHOP_URI}
    browser = provider.browser()
    page = await provider.sign_in(browser, **asked)
    assert page.status_code == 200
    code = parameters(await consent(browser))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": SHOP_URI, "client_id": "shop"}
    issued = await post(
        provider, "/token", {**form, "code_verifier": provider.pkce.verifier, "client_secret": provider.secrets["shop"]}
    )
    assert issued.json()["refresh_token"]
    assert parameters(await browser.get(provider.authorize_url(**asked), follow=False))["code"]


async def test_what_is_dropped_is_said_in_the_answer_and_in_the_log(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:  # E1
    await provider.add_client("codes", "http://localhost:8009/cb", grant_types=frozenset({"authorization_code"}))
    asked = {"client_id": "codes", "redirect_uri": "http://localhost:8009/cb"}
    answer = parameters(await provider.sign_in(provider.browser(), scope="openid offline_access nonsense", **asked))
    said = capsys.readouterr().out
    assert "refresh_token is not among its grant types" in said
    assert "nonsense" not in said
    form = {"grant_type": "authorization_code", "code": answer["code"], "code_verifier": provider.pkce.verifier}
    issued = (await provider.token("codes", **form, redirect_uri=asked["redirect_uri"])).json()
    assert issued["scope"] == "openid"
    assert "refresh_token" not in issued


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ("closed_at = now()", False),
        ("trusted_at = (SELECT max(at) FROM authentication_event WHERE factor = 'totp') + interval '1 s'", False),
        ("trusted_at = (SELECT max(at) FROM authentication_event WHERE factor = 'totp')", True),
    ],
    ids=["closed", "on hold then", "trusted just then"],
)
async def test_a_code_gives_no_sensitive_scope_once_the_app_that_proved_it_counts_no_more(
    provider: Provider, database_url: str, change: str, *, kept: bool
) -> None:
    browser = provider.browser()
    await provider.sign_in(browser)
    code = (await elevate(provider, browser))["code"]
    raw = await asyncpg.connect(database_url)
    try:
        before = await raw.fetch("SELECT id, closed_at, confirmed_at, trusted_at FROM authenticator")
        await raw.execute(f"UPDATE authenticator SET {change} WHERE factor = 'totp'")  # noqa: S608 - our own words
        issued = (await provider.redeem(code)).json()
        restore = "UPDATE authenticator SET closed_at = $2, confirmed_at = $3, trusted_at = $4 WHERE id = $1"
        await raw.executemany(restore, [tuple(row) for row in before])
    finally:
        await raw.close()
    assert ("transfers:write" in issued["scope"].split()) is kept
    assert "openid" in issued["scope"].split()
