"""RP-initiated logout (group H)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from idp.model import Client, Grant, Session
from idp.oidc import logout
from idp.oidc.errors import PageError
from idp.oidc.keys import KeyRing
from idp.oidc.logout import AlreadyOut, Ask, LogOut, LogoutRequest
from idp.oidc.tokens import issue

Parse = Callable[..., LogoutRequest]
BYE = "https://bank.example/bye"


@pytest.fixture(scope="session")
def hint(grant: Grant, bank: Client, issuer: str, keys: KeyRing, now: datetime) -> str:
    """An ID token that expired years ago."""
    long_ago = now - timedelta(days=900)
    body = issue(
        grant,
        client=bank,
        scopes=("openid",),
        issuer=issuer,
        keys=keys,
        now=long_ago,
        access_ttl=timedelta(minutes=5),
        id_token_ttl=timedelta(minutes=5),
    ).body
    token: str = body["id_token"]
    return token


@pytest.fixture(scope="session")
def parse(clients: dict[str, Client], issuer: str, keys: KeyRing) -> Parse:
    def parse(**params: str) -> LogoutRequest:
        return logout.parse(params, client_lookup=clients.get, issuer=issuer, keys=keys)

    return parse


@pytest.fixture
def session(grant: Grant, now: datetime) -> Session:
    assert grant.session_id is not None
    return Session(id=grant.session_id, account_id=grant.account_id, created_at=now, seen_at=now)


def refused(parse: Parse, **params: str) -> str:
    with pytest.raises(PageError) as caught:
        parse(**params)
    assert (caught.value.code, caught.value.status) == ("invalid_request", 400)
    return caught.value.description


def test_h1_a_registered_uri_is_followed_with_the_identical_state_and_nothing_else(
    parse: Parse, hint: str, bank: Client, grant: Grant
) -> None:
    state = "ä &=%2F" + "s" * 121
    request = parse(id_token_hint=hint, post_logout_redirect_uri=BYE, state=state, client_id=bank.id)
    assert (request.client, request.subject, request.session_id) == (bank, str(grant.account_id), str(grant.session_id))
    assert request.redirect_to is not None
    assert request.redirect_to.startswith(BYE + "?")
    assert parse_qsl(urlsplit(request.redirect_to).query, strict_parsing=True) == [("state", state)]
    assert parse(id_token_hint=hint, post_logout_redirect_uri=BYE).redirect_to == BYE
    with_query = parse(id_token_hint=hint, post_logout_redirect_uri=BYE + "?a=b", state="s")
    assert with_query.redirect_to == BYE + "?a=b&state=s"


@pytest.mark.parametrize(
    "uri",
    ["https://evil.example/", BYE + "/", BYE + "?x=1", BYE + "#x", "https://bank.example/cb", "javascript:alert(1)"],
)
def test_h2_and_h3_an_unregistered_uri_is_a_page(parse: Parse, hint: str, uri: str) -> None:
    assert refused(parse, id_token_hint=hint, post_logout_redirect_uri=uri).startswith("post_logout_redirect_uri ")


def test_h4_a_uri_without_a_hint_is_offered_and_not_followed(parse: Parse, bank: Client) -> None:
    assert parse(post_logout_redirect_uri=BYE, state="s", client_id=bank.id) == LogoutRequest(
        bank, offered=BYE + "?state=s"
    )
    assert parse(post_logout_redirect_uri=BYE) == LogoutRequest()
    assert parse(client_id=bank.id) == LogoutRequest(bank)
    for gone in ("closed", "nobody"):
        assert parse(client_id=gone, post_logout_redirect_uri=BYE) == LogoutRequest()
    assert refused(parse, client_id=bank.id, post_logout_redirect_uri=BYE + "/").startswith("post_logout_redirect_uri ")


def test_h5_a_hint_that_is_not_ours_counts_as_none(
    parse: Parse, hint: str, bank: Client, strangers: KeyRing, keys: KeyRing, issuer: str
) -> None:
    header, payload, _ = hint.split(".")
    claims = {"iss": issuer, "aud": "bank:1+x", "sub": "x", "exp": 1}
    wrong = (
        "x",
        "undefined",
        f"{header}.{payload}.",
        f"eyJhbGciOiJub25lIn0.{payload}.",
        hint[:-8] + "AAAAAAAA",
        strangers.sign(claims, algorithm="RS256", typ="JWT"),
        keys.sign(claims, algorithm="RS256", typ="at+jwt"),
    )
    for token in wrong:
        assert parse(id_token_hint=token, post_logout_redirect_uri=BYE) == LogoutRequest()
        named = parse(id_token_hint=token, post_logout_redirect_uri=BYE, client_id=bank.id)
        assert named == LogoutRequest(bank, offered=BYE)


def test_a_hint_and_a_client_id_that_do_not_fit_are_no_hint(
    parse: Parse, hint: str, keys: KeyRing, issuer: str, clients: dict[str, Client]
) -> None:
    assert parse(id_token_hint=hint, client_id="app") == LogoutRequest(clients["app"])
    for audience in ("closed", "nobody"):
        claims = {"iss": issuer, "aud": audience, "sub": "x", "exp": 1}
        assert parse(id_token_hint=keys.sign(claims, algorithm="RS256", typ="JWT")) == LogoutRequest()


def test_h6_without_parameters_there_is_nowhere_to_go(parse: Parse, hint: str) -> None:
    assert parse() == parse(state="s") == LogoutRequest()
    assert parse(id_token_hint=hint).redirect_to is None


def test_h7_an_expired_hint_of_this_session_logs_out_at_once(parse: Parse, hint: str, session: Session) -> None:
    assert logout.decide(parse(id_token_hint=hint), session=session) == LogOut()


def test_h8_and_h11_without_a_hint_of_this_session_the_person_is_asked(
    parse: Parse, hint: str, session: Session
) -> None:
    assert logout.decide(parse(), session=session) == Ask()
    request = parse(id_token_hint=hint)
    assert logout.decide(request, session=replace(session, id=uuid4())) == Ask()
    assert logout.decide(request, session=replace(session, account_id=uuid4())) == Ask()


def test_without_a_session_nothing_has_to_end(parse: Parse, hint: str, session: Session) -> None:
    request = parse(id_token_hint=hint)
    assert logout.decide(request, session=None) == AlreadyOut()
    assert logout.decide(request, session=replace(session, account_id=None)) == AlreadyOut()
