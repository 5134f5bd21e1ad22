"""What the client is told by way of the browser."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from idp.model import AuthorizationRequest, ResponseMode
from idp.oidc import answer, errors
from idp.oidc.errors import RedirectError

STATE = "a b&c=d%2F+ü" * 30


@pytest.fixture
def asked() -> AuthorizationRequest:
    return AuthorizationRequest(
        client_id="bank",
        redirect_uri="https://bank.example/cb",
        scopes=("openid",),
        state=STATE,
        response_mode=ResponseMode.FORM_POST,
    )


def test_b10_and_b11_success_carries_the_code_the_identical_state_and_iss(
    asked: AuthorizationRequest, issuer: str
) -> None:
    parameters = answer.success(asked, "c0de", issuer=issuer)
    assert parameters == [("code", "c0de"), ("state", STATE), ("iss", issuer)]
    url = answer.redirect_url(asked.redirect_uri, parameters)
    assert parse_qsl(urlsplit(url).query, strict_parsing=True) == parameters


def test_b10_and_b11_an_error_carries_the_identical_state_and_iss(asked: AuthorizationRequest, issuer: str) -> None:
    refusal = answer.refuse(asked, "access_denied", "The person cancelled.", detail="at the code page")
    assert answer.error(refusal, issuer=issuer) == [
        ("error", "access_denied"),
        ("error_description", "The person cancelled."),
        ("state", STATE),
        ("iss", issuer),
    ]
    assert refusal.redirect_uri == asked.redirect_uri
    assert refusal.response_mode is ResponseMode.FORM_POST
    assert refusal.detail == "at the code page"


def test_no_state_is_invented(issuer: str) -> None:
    asked = AuthorizationRequest(client_id="bank", redirect_uri="https://bank.example/cb", scopes=("openid",))
    assert answer.success(asked, "c0de", issuer=issuer) == [("code", "c0de"), ("iss", issuer)]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("https://a.example/cb", "https://a.example/cb?code=1"),
        ("https://a.example/cb?t=a%20b&&x", "https://a.example/cb?t=a%20b&&x&code=1"),
        ("https://a.example/cb?", "https://a.example/cb?code=1"),
        ("https://a.example/cb?t=1&", "https://a.example/cb?t=1&code=1"),
        ("com.example.app:/cb", "com.example.app:/cb?code=1"),
    ],
)
def test_b6_a_registered_query_is_kept_byte_for_byte(uri: str, expected: str) -> None:
    assert answer.redirect_url(uri, [("code", "1")]) == expected


def test_b14_an_implicit_error_goes_into_the_fragment() -> None:
    assert answer.redirect_url("https://a.example/cb?x=1", [("error", "e")], fragment=True) == (
        "https://a.example/cb?x=1#error=e"
    )


def test_d17_a_description_holds_only_permitted_characters(issuer: str) -> None:
    text = 'a"b\\c\r\n\td\x7fü' + "".join(map(chr, range(0x20, 0x7F)))
    refusal = RedirectError("invalid_request", text, redirect_uri="https://a.example/", state=None)
    for said in (
        dict(answer.error(refusal, issuer=issuer))["error_description"],
        errors.body(refusal)["error_description"],
    ):
        assert all(c in (0x20, 0x21) or 0x23 <= c <= 0x5B or 0x5D <= c <= 0x7E for c in said.encode())
        assert said.startswith("a?b?c???d??")
