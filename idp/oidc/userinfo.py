"""Bearer tokens as RFC 6750 carries them, and what userinfo answers (OIDC Core 5.3). No lookups."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from idp.model import Account, ClaimsRequest, Client, Grant
from idp.oidc import claims
from idp.oidc.errors import Challenged, NoCredentials
from idp.oidc.keys import ID_TOKEN, KeyRing
from idp.oidc.params import Params
from idp.oidc.tokens import AccessToken, invalid_token

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 2.1
_REALM = "userinfo"


def bearer(authorization: str | None, form: Params, query: Params, *, realm: str = _REALM) -> str:
    """The one access token of a request. Raises `Challenged` as RFC 6750 3.1 has it.

    `authorization` is the Authorization header; `form` the form body of a POST, empty otherwise.
    """
    # RFC 9700 4.3.2: not in the query, where histories and logs keep it
    if "access_token" in query:
        raise _invalid_request("The access token must not be in the query.", realm)
    scheme, _, token = (authorization or "").partition(" ")
    # RFC 9110 11.1: scheme names ignore case
    in_header = scheme.lower() == "bearer"
    # RFC 6750 2: MUST NOT use more than one method
    if in_header and "access_token" in form:
        raise _invalid_request("The access token came twice.", realm)
    if in_header:
        token = token.strip(" ")
    elif "access_token" in form:
        token = form["access_token"]
    else:
        # RFC 6750 3.1: no error code where nothing was presented
        raise NoCredentials("", "", www_authenticate=f'Bearer realm="{realm}"', status=401)
    if not _TOKEN.fullmatch(token):
        raise _invalid_request("The access token is malformed.", realm)
    return token


def _invalid_request(description: str, realm: str) -> Challenged:
    challenge = f'Bearer realm="{realm}", error="invalid_request", error_description="{description}"'
    return Challenged("invalid_request", description, www_authenticate=challenge, status=400)


def check(access: AccessToken, *, issuer: str) -> None:
    """Whether this token opens userinfo. Raises invalid_token (401) or insufficient_scope (403) (RFC 6750 3.1)."""
    # RFC 9068 4: a token for somebody else's API is not for us
    if issuer not in access.audience:
        raise invalid_token(detail="not for userinfo")
    if "openid" not in access.scopes or access.account_id is None:
        raise Challenged(
            "insufficient_scope",
            "The access token lacks the scope openid.",
            www_authenticate=f'Bearer realm="{_REALM}", error="insufficient_scope", scope="openid"',
            status=403,
        )


def claims_for(
    account: Account, *, access: AccessToken, asked: ClaimsRequest, phone_number: str | None = None
) -> dict[str, Any]:
    """What userinfo says: sub, the claims of the token's scopes, and those asked for one by one (OIDC Core 5.3.2)."""
    names = claims.for_scopes(access.scopes) | asked.userinfo
    return {**claims.about(account, names, phone_number=phone_number), "sub": str(account.id)}


def in_id_token(grant: Grant, *, client: Client, scopes: Iterable[str]) -> frozenset[str]:
    """The claims about the person that the ID token carries; without a reason of these two none does (OIDC Core 5.4).

    What the claims parameter asked for there, and what the client was registered for, as far as these scopes give it.
    """
    return grant.claims.id_token | (client.id_token_claims & claims.for_scopes(scopes))


def signed(answer: Mapping[str, Any], *, client: Client, issuer: str, keys: KeyRing) -> str | None:
    """The answer as a JWT for a client registered for one, to be sent as application/jwt (OIDC Core 5.3.2)."""
    if client.userinfo_alg is None:
        return None
    return keys.sign({**answer, "iss": issuer, "aud": client.id}, algorithm=client.userinfo_alg, typ=ID_TOKEN)
