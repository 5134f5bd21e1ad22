"""What the provider says about itself (A1 to A9)."""

from typing import Any

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from authlib.oidc.rpinitiated import OpenIDProviderMetadata as LogoutMetadata

from idp.oidc import metadata

SCOPES = ("profile", "transfers:write", "openid")
ACR = ("urn:stile:2fa", "urn:stile:2fa-strong")


@pytest.fixture(params=["https://login.example", "https://example.com/login/tenant", "http://localhost:8000"])
def issuer(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


@pytest.fixture
def document(issuer: str) -> dict[str, Any]:
    return metadata.discovery(issuer, scopes=SCOPES, acr_values=ACR, ui_locales=("en", "et"))


def test_authlib_accepts_the_document() -> None:
    document = metadata.discovery("https://login.example", scopes=SCOPES, acr_values=ACR)
    OpenIDProviderMetadata(document).validate(metadata_classes=[LogoutMetadata])


def test_a1_and_a2_the_issuer_is_the_prefix_of_every_endpoint(document: dict[str, Any], issuer: str) -> None:
    assert document["issuer"] == issuer
    endpoints = {name: value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))}
    assert endpoints == {
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "introspection_endpoint": f"{issuer}/introspect",
        "revocation_endpoint": f"{issuer}/revoke",
        "end_session_endpoint": f"{issuer}/logout",
        "pushed_authorization_request_endpoint": f"{issuer}/par",
    }


def test_a4_rs256_is_offered_and_none_is_not(document: dict[str, Any]) -> None:
    assert document["id_token_signing_alg_values_supported"] == ["RS256", "ES256"]
    for name, values in document.items():
        if name.endswith("_alg_values_supported"):
            assert "none" not in values
            assert not any(value.startswith("HS") for value in values)


def test_a5_a6_a7_a8_what_we_do_is_said(document: dict[str, Any]) -> None:
    assert document["response_types_supported"] == ["code"]
    assert document["response_modes_supported"] == ["query", "form_post"]
    assert document["subject_types_supported"] == ["public"]
    assert document["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert document["scopes_supported"] == ["openid", "profile", "transfers:write"]
    assert {"sub", "acr", "auth_time", "email", "phone_number_verified"} <= set(document["claims_supported"])
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert document["acr_values_supported"] == list(ACR)
    assert document["prompt_values_supported"] == ["none", "login", "consent", "select_account"]
    assert document["claims_parameter_supported"] is True
    assert document["ui_locales_supported"] == ["en", "et"]


def test_what_we_do_not_do_is_said_where_the_default_says_otherwise(document: dict[str, Any]) -> None:
    assert document["request_parameter_supported"] is False
    assert document["request_uri_parameter_supported"] is False


def test_g1_introspection_needs_credentials(document: dict[str, Any]) -> None:
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
    assert document["introspection_endpoint_auth_methods_supported"] == methods
    assert document["token_endpoint_auth_methods_supported"] == [*methods, "none"]
    assert document["revocation_endpoint_auth_methods_supported"] == [*methods, "none"]


def test_languages_are_left_out_when_none_are_named() -> None:
    assert "ui_locales_supported" not in metadata.discovery("https://login.example", scopes=SCOPES, acr_values=ACR)


@pytest.mark.parametrize(
    ("url", "openid", "oauth"),
    [
        ("https://login.example", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"),
        (
            "https://e.example/a/b",
            "/a/b/.well-known/openid-configuration",
            "/.well-known/oauth-authorization-server/a/b",
        ),
    ],
)
def test_a9_an_issuer_path_is_appended_to_for_openid_and_inserted_for_oauth(url: str, openid: str, oauth: str) -> None:
    assert (metadata.openid_path(url), metadata.oauth_path(url)) == (openid, oauth)
