"""Whatever a stranger sends, the answer is valid or a refusal of the protocol: no other exception, no 5xx."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from idp.errors import OAuthError
from idp.model import Account, AuthorizationCode, AuthorizationRequest, Client, RefreshToken
from idp.oidc import answer, claims, client_auth, grants, introspection, logout, params, tokens, userinfo
from idp.oidc.client_auth import ASSERTION_TYPE
from idp.oidc.errors import PageError, RedirectError, body, headers
from idp.oidc.keys import KeyRing

FAST = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)

NASTY = st.sampled_from(
    [
        "",
        " ",
        "\x00",
        "\ud800",
        "\r\nSet-Cookie: x=y",
        '"\\<script>',
        "ü",
        "\uff11\uff10",
        "9" * 5000,
        "[" * 5000,
        "none",
        "openid",
        "code",
        "code token",
        "S256",
        "a" * 43,
        "form_post",
        "consent none",
        "-1",
        "1_0",
        "null",
        "{}",
        '{"id_token":{"acr":{"essential":true,"values":[null]}}}',
        '{"id_token":{"sub":{"value":{}}}}',
        "eyJhbGciOiJub25lIn0.e30.",
        "a.b.c",
        "https://bank.example/cb",
        "https://evil.example/",
        "javascript:alert(1)",
        "bank:1+x",
        "app",
        ASSERTION_TYPE,
        "authorization_code",
        "refresh_token",
        "client_credentials",
    ]
)
VALUE = NASTY | st.text(max_size=60)
NAMES = [
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "prompt", "max_age",
    "acr_values", "claims", "id_token_hint", "login_hint", "ui_locales", "request", "request_uri", "registration",
    "resource", "code_challenge", "code_challenge_method", "code", "code_verifier", "grant_type", "refresh_token",
    "client_secret", "client_assertion", "client_assertion_type", "token", "token_type_hint", "access_token",
    "post_logout_redirect_uri",
]  # fmt: skip
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), VALUE), max_size=12)
HEADER = st.none() | st.text(max_size=40) | st.builds("{} {}".format, st.sampled_from(["Basic", "Bearer", "x"]), VALUE)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "iss", "sub", "aud", "exp", "iat", "nbf", "jti"]),
    JSON | st.sampled_from(["ES256", "RS256", "HS256", "none", "JWT", "at+jwt", "machine", "https://login.example"]),
)


def _segment(members: dict[str, Any]) -> str:
    text = json.dumps(members, ensure_ascii=True).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


JWT = st.builds(
    "{}.{}.{}".format, st.builds(_segment, MEMBERS), st.builds(_segment, MEMBERS), st.text("aA-_=.", max_size=9)
)


def must_be_sendable(error: OAuthError) -> None:
    """A 3xx or 4xx, and no character in it that a header or a body may not hold."""
    said = json.dumps(body(error)) + "".join(value for _, value in headers(error))
    assert 300 <= error.status < 500
    assert said.isascii()
    assert "\\u" not in said
    assert "\n" not in said


@FAST
@given(pairs=PAIRS, start=st.sampled_from(["nothing", "good"]))
def test_any_authorization_request_is_valid_or_refused(
    parse: Callable[..., AuthorizationRequest],
    good: dict[str, str],
    issuer: str,
    pairs: list[tuple[str, str]],
    start: str,
) -> None:
    kept = dict.fromkeys(good) if start == "nothing" else {name: None for name, _ in pairs if name in good}
    try:
        request = parse(*pairs, **kept)
    except PageError as error:
        must_be_sendable(error)
    except RedirectError as error:
        must_be_sendable(error)
        told = answer.error(error, issuer=issuer)
        url = answer.redirect_url(error.redirect_uri, told, fragment=error.fragment)
        assert url.isascii()
        assert not set('\r\n "<>\\') & set(url)
        part = urlsplit(url).fragment if error.fragment else urlsplit(url).query
        assert parse_qsl(part, keep_blank_values=True)[-len(told) :] == told
    else:
        assert AuthorizationRequest.from_json(json.loads(json.dumps(request.as_json()))) == request
        assert "\x00" not in json.dumps(request.as_json(), ensure_ascii=False).encode().decode()


@FAST
@given(authorization=HEADER, pairs=PAIRS, jwt=JWT)
def test_any_client_authentication_is_good_or_refused(
    clients: dict[str, Client],
    issuer: str,
    now: datetime,
    authorization: str | None,
    pairs: list[tuple[str, str]],
    jwt: str,
) -> None:
    def ask(form: params.Params) -> None:
        client_auth.authenticate(
            authorization,
            form,
            client_lookup=clients.get,
            issuer=issuer,
            token_endpoint=issuer + "/token",
            now=now,
            allow_public=False,
        )

    for more in ([], [("client_assertion", jwt), ("client_assertion_type", ASSERTION_TYPE)]):
        with pytest.raises(OAuthError) as caught:
            ask(params.once([*pairs, *more]))
        must_be_sendable(caught.value)


@FAST
@given(pairs=PAIRS, changes=st.fixed_dictionaries({}, optional={"code_verifier": VALUE, "scope": VALUE}))
def test_any_token_request_is_good_or_refused(
    code: AuthorizationCode,
    refresh: RefreshToken,
    bank: Client,
    machine: Client,
    issuer: str,
    now: datetime,
    pairs: list[tuple[str, str]],
    changes: dict[str, str],
) -> None:
    good = {"code": "c0de", "redirect_uri": "https://bank.example/cb", "refresh_token": "r3fresh", **changes}
    outcomes: list[Callable[[params.Params], object]] = [
        lambda form: grants.grant_type(form, client=bank, issuer=issuer),
        lambda form: grants.check_code(code, client=bank, params={**form, **good}, now=now),
        lambda form: grants.check_refresh(
            refresh, client=bank, params={**form, **good}, forgiven=timedelta(seconds=30), now=now
        ),
        lambda form: grants.machine_scopes({**form, **changes}, client=machine, machine=frozenset({"reports"})),
    ]
    for outcome in outcomes:
        try:
            outcome(params.once(pairs))
        except OAuthError as error:
            must_be_sendable(error)


@FAST
@given(authorization=HEADER, pairs=PAIRS, jwt=JWT | VALUE)
def test_any_bearer_token_is_refused(
    keys: KeyRing, issuer: str, now: datetime, authorization: str | None, pairs: list[tuple[str, str]], jwt: str
) -> None:
    with pytest.raises(OAuthError) as caught:
        tokens.read_access_token(jwt, keys=keys, issuer=issuer, now=now)
    must_be_sendable(caught.value)
    try:
        form = params.once(pairs)
        userinfo.bearer(authorization, form, {})
        introspection.token_of(form, keys=keys, issuer=issuer, now=now)
    except OAuthError as error:
        must_be_sendable(error)


@FAST
@given(pairs=PAIRS, jwt=JWT)
def test_any_logout_request_is_good_or_a_page(
    clients: dict[str, Client], keys: KeyRing, issuer: str, pairs: list[tuple[str, str]], jwt: str
) -> None:
    for more in ([], [("id_token_hint", jwt)]):
        try:
            request = logout.parse(params.once([*pairs, *more]), client_lookup=clients.get, issuer=issuer, keys=keys)
        except OAuthError as error:
            must_be_sendable(error)
        else:
            # no hint that verifies, so nowhere to go
            assert request == logout.LogoutRequest()


@FAST
@given(stored=st.dictionaries(st.sampled_from(["given_name", "address", "sub", "email", "website"]), JSON))
def test_whatever_is_stored_about_a_person_userinfo_is_json(account: Account, stored: dict[str, Any]) -> None:
    said = claims.about(replace(account, claims=stored), claims.OF_A_PERSON)
    json.dumps(said, allow_nan=False)
    assert None not in said.values()
