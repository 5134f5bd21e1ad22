"""Bearer tokens and userinfo (group F)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from idp.errors import OAuthError
from idp.model import Account, ClaimsRequest, Client, Grant
from idp.oidc import claims, userinfo
from idp.oidc.errors import Challenged, NoCredentials, body, headers
from idp.oidc.hints import read as read_hint
from idp.oidc.jws import Untrusted
from idp.oidc.keys import KeyRing
from idp.oidc.tokens import AccessToken, issue, read_access_token

Read = Callable[[str, KeyRing], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture(scope="session")
def access(grant: Grant, bank: Client, issuer: str, keys: KeyRing, now: datetime) -> AccessToken:
    token = issue(
        grant,
        client=bank,
        scopes=("openid", "profile"),
        issuer=issuer,
        keys=keys,
        now=now,
        access_ttl=timedelta(minutes=5),
        id_token_ttl=timedelta(minutes=5),
    ).body["access_token"]
    return read_access_token(token, keys=keys, issuer=issuer, now=now)


def refused(*args: Any) -> Challenged:
    with pytest.raises(Challenged) as caught:
        userinfo.bearer(*args)
    return caught.value


@pytest.mark.parametrize("header", ["Bearer a.b-c_~+/==", "bearer a.b-c_~+/==", "BEARER   a.b-c_~+/== "])
def test_f1_and_f8_the_token_comes_in_the_header_whatever_its_case(header: str) -> None:
    assert userinfo.bearer(header, {}, {}) == "a.b-c_~+/=="


def test_f2_the_token_may_come_in_a_form() -> None:
    assert userinfo.bearer(None, {"access_token": "abc"}, {"x": "y"}) == "abc"


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearerabc"])
def test_f4_without_a_token_the_challenge_is_bare(header: str | None) -> None:
    error = refused(header, {}, {})
    assert isinstance(error, NoCredentials)
    assert (error.status, error.www_authenticate) == (401, 'Bearer realm="userinfo"')
    assert body(error) == {}
    assert ("WWW-Authenticate", 'Bearer realm="userinfo"') in headers(error)


@pytest.mark.parametrize(
    ("header", "form", "query"),
    [
        pytest.param(None, {}, {"access_token": "abc"}, id="F3 in the query"),
        pytest.param("Bearer abc", {}, {"access_token": "abc"}, id="F3 in the query, too"),
        pytest.param("Bearer abc", {"access_token": "abc"}, {}, id="F9 in header and form"),
        pytest.param("Bearer", {}, {}, id="nothing after the scheme"),
        pytest.param("Bearer a b", {}, {}, id="two words"),
        pytest.param('Bearer "abc"', {}, {}, id="quoted"),
        pytest.param("Bearer ä", {}, {}, id="not ASCII"),
        pytest.param("Bearer abc\n", {}, {}, id="a line break"),
        pytest.param(None, {"access_token": "a b"}, {}, id="two words in the form"),
    ],
)
def test_f3_and_f9_a_token_in_the_wrong_place_or_shape_is_an_invalid_request(
    header: str | None, form: dict[str, str], query: dict[str, str]
) -> None:
    error = refused(header, form, query)
    assert (error.code, error.status) == ("invalid_request", 400)
    assert error.www_authenticate.startswith('Bearer realm="userinfo", error="invalid_request", error_description="')
    assert body(error)["error"] == "invalid_request"


def test_an_openid_token_for_us_opens_userinfo(access: AccessToken, issuer: str) -> None:
    userinfo.check(access, issuer=issuer)
    userinfo.check(replace(access, audience=("api", issuer)), issuer=issuer)


@pytest.mark.parametrize("changes", [{"scopes": frozenset({"profile"})}, {"account_id": None}])
def test_f6_without_openid_or_a_person_the_scope_is_insufficient(
    access: AccessToken, issuer: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(Challenged) as caught:
        userinfo.check(replace(access, **changes), issuer=issuer)
    assert (caught.value.code, caught.value.status) == ("insufficient_scope", 403)
    assert 'error="insufficient_scope", scope="openid"' in caught.value.www_authenticate


def test_a_token_for_another_api_is_invalid_here(access: AccessToken, issuer: str) -> None:
    with pytest.raises(OAuthError) as caught:
        userinfo.check(replace(access, audience=("https://api.example",)), issuer=issuer)
    assert (caught.value.code, caught.value.status) == ("invalid_token", 401)


def test_f1_and_f7_userinfo_says_what_the_scopes_allow(account: Account, access: AccessToken) -> None:
    said = userinfo.claims_for(account, access=access, asked=ClaimsRequest(), phone_number="+3725550155")
    assert said["sub"] == str(account.id) == access.claims["sub"]
    assert said["name"] == "Mari Maasikas"
    assert not {"email", "phone_number", "address"} & said.keys()
    bare = userinfo.claims_for(account, access=replace(access, scopes=frozenset({"openid"})), asked=ClaimsRequest())
    assert bare == {"sub": str(account.id)}


def test_claims_asked_for_one_by_one_are_added(account: Account, access: AccessToken) -> None:
    asked = ClaimsRequest(userinfo=frozenset({"email"}), id_token=frozenset({"phone_number"}))
    said = userinfo.claims_for(account, access=access, asked=asked, phone_number="+3725550155")
    assert said["email"] == "mari@example.ee"
    assert not {"email_verified", "phone_number"} & said.keys()


def test_d19_the_id_token_gets_what_was_asked_for_it_alone(grant: Grant, bank: Client) -> None:
    scopes = ("openid", "email", "profile")
    assert userinfo.in_id_token(grant, client=bank, scopes=scopes) == frozenset()
    asked = replace(grant, claims=ClaimsRequest(userinfo=frozenset({"email"}), id_token=frozenset({"phone_number"})))
    assert userinfo.in_id_token(asked, client=bank, scopes=scopes) == {"phone_number"}


def test_the_id_token_gets_what_the_client_was_registered_for_as_far_as_scopes_give_it(
    grant: Grant, bank: Client
) -> None:
    reader = replace(bank, id_token_claims=frozenset({"email", "groups", "name"}))
    assert userinfo.in_id_token(grant, client=reader, scopes=("openid", "email")) == {"email"}
    assert userinfo.in_id_token(grant, client=reader, scopes=("openid", "profile", "groups")) == {"name", "groups"}
    assert userinfo.in_id_token(grant, client=reader, scopes=("openid",)) == frozenset()


def test_groups_are_told_in_order_and_none_is_told_too(account: Account) -> None:
    assert claims.about(replace(account, groups=frozenset({"b", "a"})), ["groups"]) == {"groups": ["a", "b"]}
    assert claims.about(account, ["groups"]) == {"groups": []}
    assert claims.about(account, ["email"]).keys() == {"email"}


def test_f10_a_signed_answer_has_iss_and_aud(
    account: Account, bank: Client, issuer: str, keys: KeyRing, independently: Read
) -> None:
    answer = {"sub": str(account.id), "name": "Mari"}
    assert userinfo.signed(answer, client=bank, issuer=issuer, keys=keys) is None
    for algorithm in ("RS256", "ES256"):
        token = userinfo.signed(answer, client=replace(bank, userinfo_alg=algorithm), issuer=issuer, keys=keys)
        assert token is not None
        header, claims = independently(token, keys)
        assert header["alg"] == algorithm
        assert claims == {**answer, "iss": issuer, "aud": bank.id}
        with pytest.raises(Untrusted):
            read_hint(token, keys=keys, issuer=issuer)
