"""Signing in: what is asked, what is believed, and that nothing else is."""

import json
from datetime import timedelta
from typing import Any

import pytest

from stile_rp import (
    AsyncRelyingParty,
    RelyingParty,
    SignedIn,
    Untrusted,
)
from stile_rp.testing import FakeProvider


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def party(provider: FakeProvider) -> RelyingParty:
    return RelyingParty(provider.settings(), http=provider.http, clock=provider.clock)


def sign_in(provider: FakeProvider, party: RelyingParty, **asked: Any) -> SignedIn:
    logins: dict[str, Any] = {}
    url = party.start(logins, **asked)
    logins = json.loads(json.dumps(logins))  # through whatever session
    outcome = party.finish(logins, provider.come_back(url))
    assert isinstance(outcome, SignedIn)
    assert logins == {}
    return outcome


def test_a_person_signs_in(provider: FakeProvider, party: RelyingParty) -> None:
    signed_in = sign_in(provider, party, then="/here?a=b")
    assert signed_in.then == "/here?a=b"
    assert (signed_in.person.subject, signed_in.person.name) == ("sub-alice", "Alice Ader")
    assert (signed_in.person.acr, signed_in.person.amr) == ("urn:stile:2fa", ("pwd", "otp"))
    assert signed_in.expires_at == provider.now + 300


async def test_the_same_awaited(provider: FakeProvider) -> None:
    party = AsyncRelyingParty(provider.settings(), http=provider.async_http, clock=provider.clock)
    logins: dict[str, Any] = {}
    outcome = await party.finish(logins, provider.come_back(await party.start(logins)))
    assert isinstance(outcome, SignedIn)
    await party.aclose()


def test_the_request_carries_pkce_state_and_nonce_anew_each_time(provider: FakeProvider, party: RelyingParty) -> None:
    sign_in(provider, party)
    sign_in(provider, party, acr_values=("a", "urn:stile:2fa"), max_age=timedelta(minutes=1))
    first, second = provider.asked
    assert (first["response_type"], first["scope"], first["code_challenge_method"]) == (
        "code",
        "openid profile",
        "S256",
    )
    assert "acr_values" not in first
    assert (second["acr_values"], second["max_age"]) == ("a urn:stile:2fa", "60")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]
    assert json.loads(first["claims"]) == {"id_token": {"name": None}}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"state": "guessed"}, id="state-of-somebody-else"),
        pytest.param({"state": None}, id="no-state"),
        pytest.param({"iss": "https://evil.example"}, id="mix-up"),
        pytest.param({"iss": None}, id="no-iss"),
        pytest.param({"code": None}, id="no-code"),
        pytest.param({"code": "guessed"}, id="code-that-the-provider-does-not-know"),
    ],
)
def test_an_answer_that_is_not_ours_signs_nobody_in(
    provider: FakeProvider, party: RelyingParty, answer: dict[str, str | None]
) -> None:
    provider.answer = answer
    with pytest.raises(Untrusted):
        sign_in(provider, party)
