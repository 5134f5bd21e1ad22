"""What the provider says about itself (OIDC Discovery 3, RFC 8414 2), and where it says it."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from idp.model import AuthMethod, Prompt, ResponseMode
from idp.oidc import assertions
from idp.oidc.claims import SUPPORTED
from idp.oidc.grants import GrantType
from idp.oidc.keys import ALGORITHMS

AUTHORIZE = "/authorize"
TOKEN = "/token"
USERINFO = "/userinfo"
JWKS = "/jwks"
INTROSPECT = "/introspect"
REVOKE = "/revoke"
PAR = "/par"
LOGOUT = "/logout"


def openid_path(issuer: str) -> str:
    """Where the OpenID metadata lives: appended to the issuer's path (OIDC Discovery 4)."""
    return urlsplit(issuer).path + "/.well-known/openid-configuration"


def oauth_path(issuer: str) -> str:
    """Where the OAuth metadata lives: inserted before the issuer's path (RFC 8414 3)."""
    return "/.well-known/oauth-authorization-server" + urlsplit(issuer).path


def discovery(
    issuer: str,
    *,
    scopes: Iterable[str],
    acr_values: Iterable[str],
    ui_locales: Sequence[str] = (),
    details_types: Sequence[str] = (),
) -> dict[str, Any]:
    """One document for both places. `acr_values` weakest first, every level that is issued (RFC 9470 7)."""
    methods = [method.value for method in AuthMethod]
    with_credentials = [method for method in methods if method != AuthMethod.NONE]
    algorithms = list(assertions.ALGORITHMS)
    return {
        "issuer": issuer,
        "authorization_endpoint": issuer + AUTHORIZE,
        "token_endpoint": issuer + TOKEN,
        "userinfo_endpoint": issuer + USERINFO,
        "jwks_uri": issuer + JWKS,
        "introspection_endpoint": issuer + INTROSPECT,
        "revocation_endpoint": issuer + REVOKE,
        "end_session_endpoint": issuer + LOGOUT,
        # RFC 9126 5; whether a client must push is its registration's affair
        "pushed_authorization_request_endpoint": issuer + PAR,
        "require_pushed_authorization_requests": False,
        # the scopes first that every provider has
        "scopes_supported": sorted(set(scopes) | {"openid"}, key=lambda scope: (scope != "openid", scope)),
        "response_types_supported": ["code"],
        "response_modes_supported": [mode.value for mode in ResponseMode],
        "grant_types_supported": [kind.value for kind in GrantType],
        "acr_values_supported": list(acr_values),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ALGORITHMS),
        "userinfo_signing_alg_values_supported": list(ALGORITHMS),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "introspection_endpoint_auth_methods_supported": with_credentials,
        "introspection_endpoint_auth_signing_alg_values_supported": algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": [prompt.value for prompt in Prompt],
        "claim_types_supported": ["normal"],
        "claims_supported": list(SUPPORTED),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        # Discovery 3: true if omitted
        "request_uri_parameter_supported": False,
        "authorization_response_iss_parameter_supported": True,
        # RFC 9396 10
        **({"authorization_details_types_supported": list(details_types)} if details_types else {}),
        **({"ui_locales_supported": list(ui_locales)} if ui_locales else {}),
    }
